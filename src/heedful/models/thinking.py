"""The marks between which a reasoning model thinks before it answers. Knows texts, and no tokenizer."""

from __future__ import annotations

from typing import NamedTuple


class Marks(NamedTuple):
    """What a model writes before its thinking, and what after it, where the answer begins; special tokens spelled out."""

    opens: str
    closes: str


MARKS = (
    Marks("<think>", "</think>"),  # Qwen 3, DeepSeek R1, OLMo 3, GLM and most others
    Marks("[THINK]", "[/THINK]"),  # Magistral
    Marks("<seed:think>", "</seed:think>"),  # Seed-OSS
    Marks("<|channel>", "<channel|>"),  # Gemma 4
    Marks("<|channel|>", "<|channel|>final<|message|>"),  # gpt-oss, which opens its answer so without a thought, too
)

LONGEST = max(len(mark.encode()) for marks in MARKS for mark in marks)
"""Tokens of a mark, at most, be it spelled by single bytes."""


def begun(text: str) -> Marks | None:
    """The marks of the thinking that a text begins with."""
    return next((marks for marks in MARKS if text.lstrip().startswith(marks.opens)), None)


def may_begin(text: str) -> bool:
    """Whether a text that goes on may turn out to begin with thinking."""
    return any(marks.opens.startswith(text.lstrip()) for marks in MARKS)


def left_open(text: str) -> Marks | None:
    """The marks of the thinking that a text ends with the beginning of."""
    return next((marks for marks in MARKS if text.rstrip().endswith(marks.opens)), None)
