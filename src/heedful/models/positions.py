"""Which token, by name: 'prompt[-1]', 'response[0]', 'response[50%]', 'response[-1]', 'eos'.

Turns a name into an index into one row's tokens: prompt, then response, then the end-of-sequence token if the response
has one. Knows lengths only: no model, no text, no batch.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from heedful.errors import InputError

POSITIONS = (
    "prompt[-1]",
    *(f"response[{k}]" for k in (0, 1, 3, 7, 15, 31)),
    *(f"response[{q}%]" for q in (25, 50, 75)),
    "response[-1]",
    "eos",
)
"""The positions that a study reads by default."""

_NAME = re.compile(r"(?P<part>prompt|response)\[(?P<number>-?\d+|\d+(?:\.\d+)?(?P<percent>%))\]|eos", re.ASCII)


class Position(NamedTuple):
    """A position's name, taken apart.

    Attributes:
        part: whose tokens are counted.
        offset: from the part's first token, or from its end if negative; 0 for 'eos'.
        quantile: in [0, 1], the share of the way from the part's first token to its last; None if `offset` counts.
    """

    part: Literal["prompt", "response", "eos"]
    offset: int
    quantile: float | None


@lru_cache(maxsize=256)
def parse_position(name: str) -> Position:
    """Take a position's name apart.

    Raises:
        InputError: there is no such position.
    """
    match = _NAME.fullmatch(name)
    if match is None or (match["percent"] and float(match["number"][:-1]) > 100):
        raise InputError(
            f"unknown position {name!r}",
            "name one as prompt[-1], response[0] (the first token), response[50%], response[-1] (the last) or eos",
        )
    if match["part"] is None:
        return Position("eos", 0, None)
    part: Literal["prompt", "response"] = "prompt" if match["part"] == "prompt" else "response"
    if match["percent"]:
        return Position(part, 0, float(match["number"][:-1]) / 100)
    return Position(part, int(match["number"]), None)


def resolve(name: str, prompt_len: int, response_len: int, has_eos: bool, answer_start: int = 0) -> int | None:
    """The index of a named position among a row's tokens; None if the row has no such token.

    Args:
        name: see `POSITIONS`. A percentage is the nearest token (halves go up) to that share of the way from the part's
            first token to its last: 0% is the first, 100% the last.
        prompt_len: tokens of the prompt.
        response_len: tokens of the response, without the end-of-sequence token.
        has_eos: whether an end-of-sequence token follows the response (a response cut off by a length limit has none).
        answer_start: tokens at the response's start that are thinking and not the answer: 'response' counts after them.

    Raises:
        InputError: there is no such position.
    """
    position = parse_position(name)
    if position.part == "eos":
        return prompt_len + response_len if has_eos else None
    first, count = (
        (0, prompt_len) if position.part == "prompt" else (prompt_len + answer_start, response_len - answer_start)
    )
    if position.quantile is not None:
        return first + int(position.quantile * (count - 1) + 0.5) if count > 0 else None
    offset = position.offset + (count if position.offset < 0 else 0)
    return first + offset if 0 <= offset < count else None
