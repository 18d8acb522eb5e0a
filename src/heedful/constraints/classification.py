"""What a classifier says of a text, and where classifiers are found by name.

The four semantic and stylistic constraints each ask one question (which topic? which sentiment?) of a classifier that the
user may exchange: 'offline' (in this package, nothing to download) or 'prefix:rest', where whoever owns the prefix makes
the classifier: 'hf:some/model', 'judge:http://host/v1#model', or one that a user registered. This file knows no classifier
and no constraint.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import NamedTuple, Protocol, runtime_checkable

from heedful.errors import InputError

TASKS = ("topic", "sentiment", "register", "toxicity")
"""The questions that a classifier can answer."""

ENTRY_POINTS = "heedful.classifiers"
"""Installed packages offer classifiers under this entry point group; the entry point's name is the prefix."""

_EXTRAS = {"hf": "probe", "judge": "control"}  # built-in prefixes that live in a room with heavier dependencies


class Classification(NamedTuple):
    """An answer, and what it rests on.

    Attributes:
        label: the class that the text belongs to; None if the classifier cannot tell.
        scores: a number in [0, 1] for each class considered, higher is likelier.
        reason: one sentence with the numbers that decided.
        spans: (start, end) in characters of the places that spoke for the label.
    """

    label: str | None
    scores: dict[str, float]
    reason: str
    spans: tuple[tuple[int, int], ...] = ()


@runtime_checkable
class Classifier(Protocol):
    """Anything that can be called with a text and gives a `Classification`."""

    def __call__(self, text: str, /) -> Classification: ...


Factory = Callable[[str, str], Classifier]
"""(task, rest of the spec after 'prefix:') → classifier; raises `InputError` if it has none for that task."""

_factories: dict[str, Factory] = {}


def register_classifier(prefix: str, factory: Factory) -> None:
    """Make `factory` answer for every verifier named 'prefix' or 'prefix:rest'; a later one replaces an earlier one."""
    if not prefix or ":" in prefix or prefix != prefix.strip():
        raise InputError(
            f"a classifier cannot be registered under the prefix {prefix!r}",
            "use a non-empty name without ':' and without spaces around it, such as 'judge'",
        )
    _factories[prefix] = factory
    get_classifier.cache_clear()


@lru_cache(maxsize=64)
def get_classifier(task: str, spec: str = "offline") -> Classifier:
    """The classifier for a task.

    Args:
        task: one of `TASKS`.
        spec: 'offline', or 'prefix:rest' such as 'hf:distilbert/distilbert-base-uncased-finetuned-sst-2-english'.

    Raises:
        InputError: the task or the prefix is unknown, or what stands behind the prefix is not installed.
    """
    if task not in TASKS:
        raise InputError(f"no classifier answers {task!r}", f"ask for one of: {', '.join(TASKS)}")
    prefix, _, rest = spec.partition(":")
    factory = _factories.get(prefix) or _discover(prefix)
    if factory is None:
        known = sorted({*_factories, *_EXTRAS, *(point.name for point in entry_points(group=ENTRY_POINTS))})
        near = get_close_matches(prefix, known, n=1)
        raise InputError(
            f"unknown verifier {spec!r}: no classifier is registered under {prefix!r}",
            (f"did you mean {near[0]!r}? " if near else "")
            + f"known: {', '.join(known)}; register your own with register_classifier({prefix!r}, factory)",
        )
    return factory(task, rest)


def _discover(prefix: str) -> Factory | None:
    """The factory that an installed package offers under this prefix, or None."""
    found = next(iter(entry_points(group=ENTRY_POINTS, name=prefix)), None)
    if found is None and prefix not in _EXTRAS:
        return None
    try:
        if found is None:
            raise ModuleNotFoundError(f"no entry point {prefix!r} in the group {ENTRY_POINTS!r}")
        factory: Factory = found.load()
    except ImportError as error:
        extra = _EXTRAS.get(prefix)
        cure = (
            f"pip install 'heedful[{extra}]'" if extra else f"install what {prefix!r} needs, or use verifier='offline'"
        )
        raise InputError(f"the verifier prefix {prefix!r} cannot be used here: {error}", cure) from error
    _factories[prefix] = factory
    return factory


def _offline(task: str, rest: str) -> Classifier:
    if rest:
        raise InputError(f"unknown verifier 'offline:{rest}'", "the offline classifiers take no variant: use 'offline'")
    # Imported on first use: sentiment's dependencies take over a second to load, and word counts need none of them.
    classifier: Classifier = import_module(f"heedful.constraints.offline.{task}").classify
    return classifier


register_classifier("offline", _offline)
