"""Read a text as one JSON value, strictly, and say where it stops being one. Knows nothing of constraints.

Strict: RFC 8259 and nothing more. `NaN` and `Infinity` are refused, a key that stands twice in one object is refused
(readers disagree about which one counts), and so is any text before or after the value. One leniency, as in IFEval: a
single Markdown code fence (``` or ```json) around the whole value is taken off first.
"""

from __future__ import annotations

import json
import re
from typing import Any

from heedful.constraints.verdict import Span

_FENCE = re.compile(r"\s*```[ \t]*(?:json)?[ \t]*\n(?P<inner>.*?)```\s*", re.DOTALL | re.IGNORECASE)
_FIRST = frozenset('{["-0123456789tfn`')
_STRING_OR_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(?P<constant>NaN|-?Infinity)')


class NotJsonError(ValueError):
    """The text is not one JSON value.

    Attributes:
        span: where, in the text as given; None if the fault has no single place.
    """

    def __init__(self, reason: str, span: Span | None) -> None:
        super().__init__(reason)
        self.span = span


def read_json(text: str) -> Any:
    """The value that `text` stands for.

    Raises:
        NotJsonError: it is not one JSON value, with the reason and the place.
    """
    fence = _FENCE.fullmatch(text)
    start, end = fence.span("inner") if fence else (0, len(text))
    start += len(text[start:end]) - len(text[start:end].lstrip())
    end = max(start, len(text[:end].rstrip()))
    try:
        value, stop = _decoder.raw_decode(text[:end], start)
    except json.JSONDecodeError as error:
        place = min(error.pos, end)
        raise NotJsonError(f"{where_in(text, place)}: {_plain(error.msg)}", (place, min(place + 1, end))) from error
    except _ConstantError as error:
        # All before the first constant was read as JSON, so skipping over strings finds exactly that constant.
        spot = next(m.span("constant") for m in _STRING_OR_CONSTANT.finditer(text, start) if m["constant"])
        raise NotJsonError(f"{where_in(text, spot[0])}: {error} is no JSON value", spot) from error
    except RecursionError as error:
        raise NotJsonError("it is nested too deeply to be read", None) from error
    if stop < end:
        raise NotJsonError(f"{where_in(text, stop)}: text follows the JSON value", (_next_visible(text, stop), end))
    return value


def may_be_json(text: str) -> bool:
    """Whether `text` begins as a JSON value or a code fence does: False settles it, without the place and the reason."""
    return text.lstrip()[:1] in _FIRST


class _ConstantError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for place, key in enumerate(keys) if key in keys[:place])
        raise NotJsonError(f"the key {json.dumps(twice, ensure_ascii=False)} stands twice in one object", None)
    return found


def _refuse_constant(name: str) -> None:
    raise _ConstantError(name)


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # beyond Python's limit of 4,300 digits, and still legal JSON
        return float(digits)


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant, parse_int=_integer)


def _next_visible(text: str, place: int) -> int:
    return place + len(text[place:]) - len(text[place:].lstrip())


def where_in(text: str, place: int) -> str:
    """A place in a text as a person finds it: 'line 2, column 7'."""
    line = text.count("\n", 0, place) + 1
    return f"line {line}, column {place - text.rfind(chr(10), 0, place)}"


def _plain(message: str) -> str:
    """'unterminated string' for 'Unterminated string starting at': where, we say ourselves."""
    return (message[:1].lower() + message[1:]).removesuffix(" starting at")
