"""Regular expressions of users on texts of models, which must come to an end: some take longer than anybody waits.

One that cannot try a place in two ways is searched by `re`, as everywhere. Any other is searched by `regex`, which backtracks
less and stops when its time is over; the two differ in rare cases alone, as in whether a combining accent is a `\\w`. Knows no
constraint.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from heedful.constraints.verdict import Span

if TYPE_CHECKING:
    import regex

SECONDS = 1.0
"""For one search, as `regex` counts them: of the process's own time, and looked at now and then only."""

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_REPEATED = re.compile(r"[*+?{]")


class TooSlowError(Exception):
    """A search took longer than it may; the text says which. `Constraint.check` makes 'unscored' of it."""


def find_spans(pattern: str, text: str, flags: re.RegexFlag = re.NOFLAG, *, around: str = "%s") -> list[Span]:
    """Each place of a regular expression that `re` compiles.

    Args:
        pattern: as a user gave it.
        around: what is searched, with '%s' where the pattern stands in it.

    Raises:
        TooSlowError: the search did not end in time.
    """
    limit, compiled = _compiled(pattern, around, int(flags))
    try:
        return [match.span() for match in compiled.finditer(text, **limit)]
    except TimeoutError as error:
        raise _too_slow(pattern) from error


def occurs(pattern: str, text: str) -> bool:
    """Whether a regular expression that `re` compiles has a place in the text.

    Raises:
        TooSlowError: the search did not end in time.
    """
    limit, compiled = _compiled(pattern, "%s", 0)
    try:
        return compiled.search(text, **limit) is not None
    except TimeoutError as error:
        raise _too_slow(pattern) from error


def may_explode(pattern: str) -> bool:
    """Whether `re` may take time that doubles with every character: where choices are left open within or beside others."""
    return _choices(pattern) > ("|" not in pattern)


def _choices(pattern: str) -> int:
    """How many of its parts may match more or less of a text."""
    return len(_REPEATED.findall(_ESCAPED.sub("", pattern)))


@lru_cache(maxsize=4096)
def _compiled(pattern: str, around: str, flags: int) -> tuple[dict[str, Any], re.Pattern[str] | regex.Pattern[str]]:
    """What to pass to each search, and what searches."""
    whole = around % pattern
    if not _choices(pattern) and "|" not in pattern:
        return {}, re.compile(whole, flags)
    import regex  # a tenth of a second, which only such a pattern takes

    return {"timeout": SECONDS, "concurrent": True}, regex.compile(whole, flags)


def _too_slow(pattern: str) -> TooSlowError:
    return TooSlowError(f"the search for the pattern {pattern!r} took too long: it can match a text in too many ways")
