"""How much is asked for: 'at most 50', 'fewer than 50', 'between 20 and 30', '300+', 'a dozen … at most'.

Knows numbers and bounds, and the units it is given; not what is counted for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from heedful.constraints.words.numbers import Number, number_at
from heedful.constraints.words.patterns import Phrase, Reader
from heedful.constraints.words.tokens import Token

Form = Literal["exactly", "bare", "at_least", "more", "at_most", "fewer", "between", "about"]
"""'bare' is a number without a word about how it is meant; 'about' is one that is not meant exactly."""


_LEAST: tuple[Form, ...] = ("at_least", "more")


class Amount(NamedTuple):
    """How much is asked for, as bounds that include themselves.

    Attributes:
        at_least, at_most: None where there is no such bound.
        form: how it was said.
    """

    at_least: int | None
    at_most: int | None
    form: Form

    @property
    def exact(self) -> int | None:
        """The number, if there is only one that will do."""
        return self.at_least if self.at_least == self.at_most and self.form != "about" else None


def amount(form: Form, low: int, high: int | None = None) -> Amount:
    """`low` seen through `form`: fewer than 50 is at most 49."""
    match form:
        case "between":
            return Amount(low, high, form)
        case "at_least":
            return Amount(low, None, form)
        case "more":
            return Amount(low + 1, None, form)
        case "at_most":
            return Amount(None, low, form)
        case "fewer":
            return Amount(None, low - 1, form)
        case _:
            return Amount(low, low, form)


_ByStart = dict[str, list[tuple[Form, Phrase]]]


def _by_start(phrases: Mapping[Form, Phrase]) -> _ByStart:
    found: _ByStart = {}
    for form, phrase in phrases.items():
        for key in phrase.starts() or ():
            found.setdefault(key, []).append((form, phrase))
    return found


class Counts:
    """Reads amounts, with or without a unit.

    Args:
        before, after: form → the phrases that give a number this form, ahead of it ('at most') or behind it ('or fewer').
    """

    def __init__(self, before: Mapping[Form, Phrase], after: Mapping[Form, Phrase]) -> None:
        self._before, self._after = _by_start(before), _by_start(after)

    def reader(
        self, unit: Phrase | None, *, bounded: bool = False, number: Callable[..., Number | None] = number_at
    ) -> Reader:
        """A slot's reader for an amount of this unit.

        Args:
            unit: None for an amount without one, as in 'the word count must be 50'.
            bounded: leave out a number that nothing is said about, as in '50 words'.
            number: how the number itself is read.
        """

        def read(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, Amount]]:
            start, form = self._form(self._before, tokens, place)
            low = number(tokens, start)
            if low is None:
                return
            high_end, high = self._range(tokens, low.end)
            end = high_end
            if high is not None and (high <= low.value or form not in ("exactly", "bare", "between", "about")):
                return
            if form == "between" and high is None:
                return
            if high is not None and form != "about":
                form = "between"
            if form == "bare":
                end, form = self._form(self._after, tokens, end)
            end, high = self._upper(tokens, end, form, high)
            if unit is not None:
                found = unit.match(tokens, end + (_key(tokens, end) == "-"))
                if found is None:
                    return
                end = found.end
            if form == "bare":
                end, form = self._form(self._after, tokens, end)
            elif form != "between":
                # 'exactly 50 words, no more and no fewer': said twice, read once.
                again, same = self._form(self._after, tokens, end)
                end = again if same == form else end
            if not (bounded and form == "bare"):
                said = amount(form, low.value, None if form in _LEAST else high)
                yield end, said._replace(at_most=high, form="between") if form in _LEAST and high is not None else said

        return read

    def _upper(self, tokens: Sequence[Token], place: int, form: Form, high: int | None) -> tuple[int, int | None]:
        """'… and at most 5' behind 'at least 3': the end and the greatest number, counted in."""
        if form not in _LEAST or _key(tokens, place) not in {"and", "but", ","}:
            return place, high
        start, upper = self._form(self._before, tokens, place + 1)
        number = number_at(tokens, start)
        if upper not in ("at_most", "fewer") or number is None:
            return place, high
        return number.end, amount(upper, number.value).at_most

    @staticmethod
    def _form(phrases: _ByStart, tokens: Sequence[Token], place: int) -> tuple[int, Form]:
        found = [
            (match.end, form)
            for form, phrase in phrases.get(_key(tokens, place), ())
            if (match := phrase.match(tokens, place)) is not None
        ]
        return max(found, default=(place, "bare"))

    @staticmethod
    def _range(tokens: Sequence[Token], place: int) -> tuple[int, int | None]:
        """'… to 30', '…-30', '… and 30' behind a number: the end and the upper number."""
        if _key(tokens, place) in {"to", "-", "–", "—", "and", "or"}:
            high = number_at(tokens, place + 1)
            if high is not None:
                return high.end, high.value
        return place, None


def _key(tokens: Sequence[Token], place: int) -> str:
    return tokens[place].key if place < len(tokens) and tokens[place].kind != "quoted" else ""
