"""Numbers in digits and in English words, up to the thousands: '50', 'fifty', 'a dozen', 'two hundred and ten'.

Knows numbers alone: 'one' in 'no one' is for the phrases to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from heedful.constraints.words.tokens import Token

_SMALL = {
    word: number
    for number, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
        eighteen nineteen""".split()
    )
}
_TENS = {
    word: 10 * number
    for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
} | {"fourty": 40}
_ORDINALS = {
    word: number
    for number, word in enumerate("first second third fourth fifth sixth seventh eighth ninth tenth".split(), start=1)
}
_TIMES = {"once": 1, "twice": 2, "thrice": 3}


class Number(NamedTuple):
    """A number and the token after it."""

    value: int
    end: int


def number_at(tokens: Sequence[Token], place: int) -> Number | None:
    """The longest number that starts with this token, or None."""
    if _key(tokens, place) == "a" and _key(tokens, place + 1) == "single":
        return Number(1, place + 2)
    if _key(tokens, place) == "half" and _key(tokens, place + 1) == "a" and _key(tokens, place + 2) == "dozen":
        return Number(6, place + 3)
    if place < len(tokens) and tokens[place].kind == "number":
        value, end = int(tokens[place].key), place + 1
        if _key(tokens, end) == "thousand":
            return Number(1000 * value, end + 1)
        return Number(12 * value, end + 1) if _key(tokens, end) == "dozen" else Number(value, end)
    return _thousands(tokens, place)


def ordinal_at(tokens: Sequence[Token], place: int) -> Number | None:
    """'second', '2nd' or '2' at this token; 'last' is −1."""
    key = _key(tokens, place)
    if key == "last":
        return Number(-1, place + 1)
    if key in _ORDINALS:
        return Number(_ORDINALS[key], place + 1)
    number = number_at(tokens, place)
    if number is None:
        return None
    return Number(number.value, number.end + (_key(tokens, number.end) in {"st", "nd", "rd", "th"}))


def times_at(tokens: Sequence[Token], place: int) -> Number | None:
    """'once', 'twice', 'three times' at this token."""
    key = _key(tokens, place)
    if key in _TIMES:
        return Number(_TIMES[key], place + 1)
    number = number_at(tokens, place)
    return Number(number.value, number.end + 1) if number and _key(tokens, number.end) in {"time", "times"} else None


def _thousands(tokens: Sequence[Token], place: int) -> Number | None:
    head = _hundreds(tokens, place)
    if head is None or _key(tokens, head.end) != "thousand":
        return head
    rest = _hundreds(tokens, _after_and(tokens, head.end + 1))
    if rest is None or _key(tokens, place) == "":
        return Number(1000 * head.value, head.end + 1)
    return Number(1000 * head.value + rest.value, rest.end)


def _hundreds(tokens: Sequence[Token], place: int) -> Number | None:
    if _key(tokens, place) in {"a", "an"} and _key(tokens, place + 1) in {"hundred", "thousand", "dozen"}:
        head = Number(1, place + 1)
    else:
        found = _below_hundred(tokens, place)
        if found is None:
            return None
        head = found
    if _key(tokens, head.end) == "dozen":
        return Number(12 * head.value, head.end + 1)
    if _key(tokens, head.end) != "hundred":
        return head
    rest = _below_hundred(tokens, _after_and(tokens, head.end + 1))
    return Number(100 * head.value, head.end + 1) if rest is None else Number(100 * head.value + rest.value, rest.end)


def _below_hundred(tokens: Sequence[Token], place: int) -> Number | None:
    key = _key(tokens, place)
    if key in _SMALL:
        return Number(_SMALL[key], place + 1)
    if key not in _TENS:
        return None
    ones = place + 1 + (_key(tokens, place + 1) == "-")
    unit = _SMALL.get(_key(tokens, ones), 0)
    return Number(_TENS[key] + unit, ones + 1) if 1 <= unit <= 9 else Number(_TENS[key], place + 1)


def _after_and(tokens: Sequence[Token], place: int) -> int:
    return place + (_key(tokens, place) == "and")


def _key(tokens: Sequence[Token], place: int) -> str:
    """The key of a token that is not quoted: "five" in quotation marks counts nothing."""
    return tokens[place].key if place < len(tokens) and tokens[place].kind != "quoted" else ""
