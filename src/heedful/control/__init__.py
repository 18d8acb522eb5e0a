"""The control layer: watch a model's answers, decide what to do about them, and do it within a budget.

Loads no tensor library: what needs one imports it where it is first used.
"""
