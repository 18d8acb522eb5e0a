"""Classifiers that need no download: topic, sentiment, register and toxicity of English text, from lexicons and rules.

Each module offers `classify(text) -> Classification`. They are general: they know no model and no prompt set. What they
get right and wrong on texts that were written without seeing them stands in benchmarks/verifiers/README.md.
"""
