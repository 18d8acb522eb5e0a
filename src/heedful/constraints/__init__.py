"""What may be asked of a text, and whether a text complies. Loads in a fraction of a second and knows no model.

>>> from heedful.constraints import WordCount
>>> WordCount(at_most=2).check("one two three").hint
'3 words, at most 2: cut 1'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from heedful.constraints.base import (
    Constraint,
    FieldHelp,
    constraint_from,
    field_help,
    known_constraints,
    monitor_for,
    register_constraint,
)
from heedful.constraints.classification import Classification, Classifier, get_classifier, register_classifier
from heedful.constraints.custom import constraint, load_plugin
from heedful.constraints.json_format import JsonFormat
from heedful.constraints.lexical import Exclude, Include
from heedful.constraints.loading import decode_text, load_constraints, parse_constraint, read_json_file, read_text
from heedful.constraints.prefix import Left, PrefixMonitor, PrefixVerdict, Utf8Decoder
from heedful.constraints.semantic import Sentiment, Topic
from heedful.constraints.structural import CharCount, WordCount
from heedful.constraints.stylistic import Register, Toxicity
from heedful.constraints.verdict import Outcome, Span, Verdict
from heedful.errors import InputError

if TYPE_CHECKING:
    from heedful.constraints.ifeval import IFEvalConstraint, check_loose, constraint_from_ifeval

__all__ = [
    "CharCount",
    "Classification",
    "Classifier",
    "Constraint",
    "Exclude",
    "FieldHelp",
    "IFEvalConstraint",
    "Include",
    "JsonFormat",
    "Left",
    "Outcome",
    "PrefixMonitor",
    "PrefixVerdict",
    "Register",
    "Sentiment",
    "Span",
    "Topic",
    "Toxicity",
    "Utf8Decoder",
    "Verdict",
    "WordCount",
    "check",
    "check_loose",
    "constraint",
    "constraint_from",
    "constraint_from_ifeval",
    "decode_text",
    "field_help",
    "get_classifier",
    "known_constraints",
    "load_constraints",
    "load_plugin",
    "monitor_for",
    "parse_constraint",
    "read_json_file",
    "read_text",
    "register_classifier",
    "register_constraint",
]


_OF_IFEVAL = {"IFEvalConstraint", "check_loose", "constraint_from_ifeval"}


def __getattr__(name: str) -> Any:
    """What is IFEval's is imported when it is first used, as its types are."""
    if name in _OF_IFEVAL:
        return getattr(import_module("heedful.constraints.ifeval"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def check(text: str, *constraints: Constraint) -> list[Verdict]:
    """The verdict of each constraint on a complete text, in the order given.

    Raises:
        InputError: nothing is given to check against, or what is given is no constraint, or the text is none.
    """
    if not constraints:
        raise InputError(
            "no constraint is given, so there is nothing to check",
            "give one or several: check(text, WordCount(at_most=9))",
        )
    if wrong := next((each for each in constraints if not isinstance(each, Constraint)), None):
        cure = (
            "give each for itself: check(text, *constraints)"
            if isinstance(wrong, list | tuple)
            else "give WordCount(at_most=5), say, or what heedful.constraints.constraint_from makes of a dict"
        )
        raise InputError(f"{wrong!r} is not a constraint", cure)
    return [constraint.check(text) for constraint in constraints]
