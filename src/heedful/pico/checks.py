"""What a check turn asks and what is said to it: what the response has, and whether that complies.

Knows constraints and the grammar's traits; knows no dialogue.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from heedful.constraints import (
    Constraint,
    Exclude,
    Include,
    JsonFormat,
    Register,
    Sentiment,
    Topic,
    Toxicity,
    Verdict,
)  # fmt: skip
from heedful.pico.grammar import Traits

CHECK = "Check."
"""The user's turn that asks whether the response complies with its instruction."""


class Wish(NamedTuple):
    """A constraint, whether the response keeps it, and what the response has of what it is about.

    `found` is the response's topic, sentiment, register or toxicity, the word if it is there, the keys of a JSON object;
    'none' for no such word or object, and empty for counts.
    """

    task: str
    constraint: Constraint
    kept: bool
    found: str


def check_answer(wishes: Iterable[Wish]) -> str:
    """What a check turn says: 'word count: yes; register: informal, no'.

    What was found comes first: whether two labels agree can hardly be learnt before the labels are.
    """
    parts = ((wish, "yes" if wish.kept else "no") for wish in wishes)
    return "; ".join(
        f"{check_name(wish.task)}: {f'{wish.found}, ' if wish.found else ''}{said}" for wish, said in parts
    )


def says(answer: str, task: str) -> bool | None:
    """What a check of one constraint says: True for yes, False for no; None if it is no answer about this task."""
    name, _, said = answer.strip().partition(": ")
    said = said.rpartition(", ")[2]
    return {"yes": True, "no": False}.get(said) if name == check_name(task) and ";" not in answer else None


def check_name(task: str) -> str:
    """What a check turn calls a task: 'word count' for word_count."""
    return task.replace("_", " ")


def found_in(constraint: Constraint, kept: bool, traits: Traits, keys: Sequence[str] = ()) -> str:
    """What a text with these traits, or these JSON keys, has of what a constraint is about: see `Wish`."""
    match constraint:
        case Include() | Exclude():
            return constraint.terms[0] if kept == isinstance(constraint, Include) else "none"
        case JsonFormat():
            return " and ".join(keys) or "none"
        case Topic():
            return traits.topic
        case Sentiment():
            return traits.sentiment
        case Register():
            return traits.register
        case Toxicity():
            return "toxic" if traits.toxic else "clean"
        case _:
            return ""


def found_by_verifier(constraint: Constraint, verdict: Verdict) -> str:
    """The same for a text whose traits are not known."""
    match constraint:
        case Topic() | Sentiment() | Register() | Toxicity():
            return str(verdict.measured)
        case Include() | Exclude():
            return constraint.terms[0] if verdict.passed == isinstance(constraint, Include) else "none"
        case _:
            return ""
