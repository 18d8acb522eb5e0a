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
_MOST: tuple[Form, ...] = ("at_most", "fewer")


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

    def and_(self, other: Amount) -> Amount:
        """Both bounds, where each has the one that the other lacks."""
        low = other.at_least if self.at_least is None else self.at_least
        return Amount(low, other.at_most if self.at_most is None else self.at_most, "between")

    def denied(self) -> Amount:
        """What 'not' makes of a bound on one side: not more than 5 is at most 5."""
        if self.at_least is None:
            return Amount((self.at_most or 0) + 1, None, "at_least")
        return Amount(None, self.at_least - 1, "at_most")


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
            end, high = self._range(tokens, low.end)
            if form == "between" and high is None:
                low, end, high = self._parted(tokens, start, low)
            if high is not None and (high <= low.value or form not in ("exactly", "bare", "between", "about")):
                return
            if form == "between" and high is None:
                return
            if high is not None and form != "about":
                form = "between"
            if form == "bare":
                end, form = self._behind(tokens, end)
            end, other = self._other_bound(tokens, end, form)
            if unit is not None:
                found = unit.match(tokens, end + (_key(tokens, end) == "-"))
                if found is None:
                    return
                end = found.end
            if form == "bare":
                end, form = self._behind(tokens, end)
            else:
                # 'exactly 50 words, no more and no fewer', '20 to 30 words, no more': said twice, read once.
                again, same = self._behind(tokens, end)
                end = again if same == (form if form != "between" else "at_most") else end
            if unit is not None and other is None:
                end, other = self._other_bound(tokens, end, form, last=True)
            if bounded and form == "bare":
                return
            said = amount(form, low.value, high)
            yield end, said if other is None else said.and_(other)

        return read

    def _other_bound(
        self, tokens: Sequence[Token], place: int, form: Form, *, last: bool = False
    ) -> tuple[int, Amount | None]:
        """'… and at most 5' behind 'at least 3', or the other way round: the end and the other bound.

        If it is the `last` thing said, nothing may be counted by it: 'minimum 60 words, maximum 90', but not 'maximum 9 lines'.
        """
        joined = _key(tokens, place) in {"and", "but", ","}
        if form not in _LEAST + _MOST or not (joined or _key(tokens, place) == "nor"):
            return place, None
        start, other = self._form(self._before, tokens, place + joined)
        number = number_at(tokens, start)
        if other not in (_MOST if form in _LEAST else _LEAST) or number is None:
            return place, None
        if last and number.end < len(tokens) and tokens[number.end].kind not in ("mark", "break"):
            return place, None
        return number.end, amount(other, number.value)

    def _parted(self, tokens: Sequence[Token], start: int, low: Number) -> tuple[Number, int, int | None]:
        """'one hundred and one hundred and fifty' as two numbers: the lower one, the end and the upper one."""
        for place in range(start + 1, low.end):
            shorter = number_at(tokens[:place], start) if _key(tokens, place) == "and" else None
            end, high = self._range(tokens, place)
            if shorter is not None and shorter.end == place and high is not None:
                return shorter, end, high
        return low, low.end, None

    def _behind(self, tokens: Sequence[Token], place: int) -> tuple[int, Form]:
        """What is said behind a number and its unit; 'no more' before 'than' is of the next."""
        end, form = self._form(self._after, tokens, place)
        return (place, "bare") if _key(tokens, end) == "than" else (end, form)

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
