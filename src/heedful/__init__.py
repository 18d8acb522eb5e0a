"""heedful: see, measure and control how a language model follows instructions, skill by skill.

    >>> import heedful
    >>> [verdict.outcome for verdict in heedful.check("Hello there.", heedful.WordCount(at_most=5))]
    ['pass']
    >>> heedful.study("pico-llama").specialists  # doctest: +SKIP

Every name here is imported when it is first used, so that who only verifies text never loads a tensor library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heedful.constraints import (
        CharCount,
        Constraint,
        Exclude,
        Include,
        JsonFormat,
        PrefixMonitor,
        PrefixVerdict,
        Register,
        Sentiment,
        Topic,
        Toxicity,
        Utf8Decoder,
        Verdict,
        WordCount,
        check,
        constraint,
        load_constraints,
        monitor_for,
    )
    from heedful.constraints.words import Parsed, parse
    from heedful.control.budget import Budget
    from heedful.control.guard import Guard
    from heedful.errors import HeedfulError, InputError, ModelError, StoreError
    from heedful.models import load
    from heedful.pipeline.finished import Study, open_study
    from heedful.pipeline.several import compare
    from heedful.pipeline.study import study

    __version__: str

_CONSTRAINTS = "heedful.constraints"
_WORDS = "heedful.constraints.words"
_ERRORS = "heedful.errors"
_PIPELINE = "heedful.pipeline"

_HOME = {
    "Budget": "heedful.control.budget",
    "CharCount": _CONSTRAINTS,
    "Constraint": _CONSTRAINTS,
    "Exclude": _CONSTRAINTS,
    "Guard": "heedful.control.guard",
    "HeedfulError": _ERRORS,
    "Include": _CONSTRAINTS,
    "InputError": _ERRORS,
    "JsonFormat": _CONSTRAINTS,
    "ModelError": _ERRORS,
    "Parsed": _WORDS,
    "PrefixMonitor": _CONSTRAINTS,
    "PrefixVerdict": _CONSTRAINTS,
    "Register": _CONSTRAINTS,
    "Sentiment": _CONSTRAINTS,
    "StoreError": _ERRORS,
    "Study": _PIPELINE,
    "Topic": _CONSTRAINTS,
    "Toxicity": _CONSTRAINTS,
    "Utf8Decoder": _CONSTRAINTS,
    "Verdict": _CONSTRAINTS,
    "WordCount": _CONSTRAINTS,
    "check": _CONSTRAINTS,
    "compare": _PIPELINE,
    "constraint": _CONSTRAINTS,
    "load": "heedful.models",
    "load_constraints": _CONSTRAINTS,
    "monitor_for": _CONSTRAINTS,
    "open_study": _PIPELINE,
    "parse": _WORDS,
    "study": _PIPELINE,
}
"""Each public name, and the module that it is imported from on first use (PEP 562)."""

__all__ = [
    "Budget",
    "CharCount",
    "Constraint",
    "Exclude",
    "Guard",
    "HeedfulError",
    "Include",
    "InputError",
    "JsonFormat",
    "ModelError",
    "Parsed",
    "PrefixMonitor",
    "PrefixVerdict",
    "Register",
    "Sentiment",
    "StoreError",
    "Study",
    "Topic",
    "Toxicity",
    "Utf8Decoder",
    "Verdict",
    "WordCount",
    "__version__",
    "check",
    "compare",
    "constraint",
    "load",
    "load_constraints",
    "monitor_for",
    "open_study",
    "parse",
    "study",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("heedful")
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'heedful' has no attribute {name!r}")
    globals()[name] = value  # found once, then an ordinary attribute
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
