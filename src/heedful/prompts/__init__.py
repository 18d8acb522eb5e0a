"""What is asked of a model: base prompts crossed with constraints, in several paraphrases, and contrast squares."""
