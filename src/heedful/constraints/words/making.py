"""From what a phrase says to constraints. Knows the constraints there are, and no phrase.

Where one of the nine tasks and a type of IFEval both fit, the nine win: they are stricter about what a word is. What no
constraint can say raises `UnsayableError`, so that it is told and not lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heedful.constraints.base import Constraint
from heedful.constraints.ifeval import constraint_from_ifeval
from heedful.constraints.json_format import JsonFormat
from heedful.constraints.lexical import Exclude, Include
from heedful.constraints.semantic import Sentiment, Topic
from heedful.constraints.structural import CharCount, WordCount
from heedful.constraints.stylistic import Register, Toxicity
from heedful.constraints.words.counts import Amount
from heedful.constraints.words.patterns import Captures


class UnsayableError(Exception):
    """A requirement was understood, and no constraint can say it; the message says why."""


def made(kind: str, captures: Captures) -> tuple[Constraint, ...]:
    """The constraints that a phrase of this kind asks for.

    Raises:
        UnsayableError: none can.
    """
    return _MAKERS[kind](captures)


def _length(cls: type[WordCount] | type[CharCount]) -> Callable[[Captures], tuple[Constraint, ...]]:
    def make(captures: Captures) -> tuple[Constraint, ...]:
        count = _amount(captures)
        if count.exact is not None and count.form != "between":
            return (cls(exactly=_positive(count.exact)),)
        low, high = count.at_least, count.at_most
        return (cls(at_least=low if low is None else max(low, 1), at_most=None if high is None else _positive(high)),)

    return make


def _limit(cls: type[WordCount] | type[CharCount]) -> Callable[[Captures], tuple[Constraint, ...]]:
    def make(captures: Captures) -> tuple[Constraint, ...]:
        exact = _amount(captures).exact
        return _length(cls)(captures) if exact is None else (cls(at_most=_positive(exact)),)

    return make


def _amount(captures: Captures) -> Amount:
    count = captures.get("count") or captures.get("amount") or captures.get("times")
    assert isinstance(count, Amount)
    if count.form == "about":
        raise UnsayableError(f"“about” is not exact: say between which numbers, for example between {_around(count)}")
    return count


def _around(count: Amount) -> str:
    middle = count.at_least or 0
    return f"{round(0.9 * middle)} and {round(1.1 * middle)}"


def _positive(number: int) -> int:
    if number < 1:
        raise UnsayableError("no text can be that short")
    return number


def _ifeval(name: str, **fields: Any) -> Constraint:
    return constraint_from_ifeval(name, fields)


def _related(name: str, number: str, relation: str) -> Callable[[Captures], tuple[Constraint, ...]]:
    """A type of IFEval with a number and a relation, 'at least' or 'less than': exactly five is both."""

    def make(captures: Captures) -> tuple[Constraint, ...]:
        count = _amount(captures)
        fields = {key: value for key, value in captures.items() if key == "letter"}
        found = []
        if count.at_least is not None:
            found.append(_ifeval(name, **{number: count.at_least, relation: "at least"}, **fields))
        if count.at_most is not None:
            found.append(_ifeval(name, **{number: count.at_most + 1, relation: "less than"}, **fields))
        return tuple(found)

    return make


def _at_least(name: str, number: str) -> Callable[[Captures], tuple[Constraint, ...]]:
    def make(captures: Captures) -> tuple[Constraint, ...]:
        count = _amount(captures)
        if count.at_least is None:
            raise UnsayableError("there is a constraint for a least number of these, and none for a greatest")
        return (_ifeval(name, **{number: count.at_least}),)

    return make


def _exactly(name: str, number: str) -> Callable[[Captures], tuple[Constraint, ...]]:
    def make(captures: Captures) -> tuple[Constraint, ...]:
        exact = _amount(captures).exact
        if exact is None:
            raise UnsayableError("there is a constraint for an exact number of these only")
        return (_ifeval(name, **{number: exact}),)

    return make


def _refused(why: str) -> tuple[Constraint, ...]:
    raise UnsayableError(why)


def _fixed(*constraints: Callable[[], Constraint]) -> Callable[[Captures], tuple[Constraint, ...]]:
    return lambda _: tuple(make() for make in constraints)


def _terms(captures: Captures) -> tuple[str, ...]:
    for slot in ("quotedterms", "bareterms", "lastwords", "oneterm"):
        if slot in captures:
            return tuple({term.casefold(): term for term in captures[slot]}.values())
    raise AssertionError(captures)


def _term_times(captures: Captures) -> tuple[Constraint, ...]:
    count, terms = _amount(captures), _terms(captures)
    found: list[Constraint] = []
    if count.at_least is not None and count.at_least > 0:
        found.append(Include(terms=terms, at_least=count.at_least))
    if count.at_most is not None:
        found.append(Exclude(terms=terms, at_most=max(count.at_most, 0)))
    return tuple(found)


def _json(captures: Captures, **fields: Any) -> tuple[Constraint, ...]:
    return (JsonFormat(keys=tuple(dict.fromkeys(captures.get("keys", ()))), **fields),)


_MAKERS: dict[str, Callable[[Captures], tuple[Constraint, ...]]] = {
    "words": _length(WordCount),
    "word_limit": _limit(WordCount),
    "characters": _length(CharCount),
    "character_limit": _limit(CharCount),
    "sentences": _related("length_constraints:number_sentences", "num_sentences", "relation"),
    "json": _json,
    "json_only": lambda captures: _json(captures, only_keys=True),
    "include": lambda captures: (Include(terms=_terms(captures)),),
    "exclude": lambda captures: (Exclude(terms=_terms(captures)),),
    "include_each_time": _term_times,
    "topic": lambda captures: (Topic(topic=captures["topic"]),),
    "positive": _fixed(lambda: Sentiment(sentiment="positive")),
    "negative": _fixed(lambda: Sentiment(sentiment="negative")),
    "neutral": _fixed(lambda: Sentiment(sentiment="neutral")),
    "formal": _fixed(lambda: Register(level="formal")),
    "informal": _fixed(lambda: Register(level="informal")),
    "clean": _fixed(Toxicity),
    "toxic": _fixed(lambda: Toxicity(toxic=True)),
    "no_comma": _fixed(lambda: _ifeval("punctuation:no_comma")),
    "lowercase": _fixed(lambda: _ifeval("change_case:english_lowercase")),
    "capitals_only": _fixed(lambda: _ifeval("change_case:english_capital")),
    "capital_words": _related("change_case:capital_word_frequency", "capital_frequency", "capital_relation"),
    "some_capital_words": _fixed(
        lambda: _ifeval("change_case:capital_word_frequency", capital_frequency=1, capital_relation="at least")
    ),
    "letter": _related("keywords:letter_frequency", "let_frequency", "let_relation"),
    "no_letter": lambda captures: (
        _ifeval("keywords:letter_frequency", letter=captures["letter"], let_frequency=1, let_relation="less than"),
    ),
    "bullets": _exactly("detectable_format:number_bullet_lists", "num_bullets"),
    "paragraphs": _exactly("length_constraints:number_paragraphs", "num_paragraphs"),
    "sections": lambda captures: (
        _ifeval(
            "detectable_format:multiple_sections",
            num_sections=_exactly_or_least(captures),
            section_spliter=captures["sectionmark"],
        ),
    ),
    "paragraph_start": lambda captures: (
        _ifeval(
            "length_constraints:nth_paragraph_first_word",
            num_paragraphs=_amount(captures).exact,
            nth_paragraph=captures["ordinal"] if captures["ordinal"] > 0 else _amount(captures).exact,
            first_word=_terms(captures)[0].lower(),
        ),
    ),
    "highlights": _at_least("detectable_format:number_highlighted_sections", "num_highlights"),
    "placeholders": _at_least("detectable_content:number_placeholders", "num_placeholders"),
    "postscript": lambda captures: (
        _ifeval("detectable_content:postscript", postscript_marker=captures.get("marker", "P.S.")),
    ),
    "title": _fixed(lambda: _ifeval("detectable_format:title")),
    "quotation": _fixed(lambda: _ifeval("startend:quotation")),
    "two_responses": _fixed(lambda: _ifeval("combination:two_responses")),
    "ending": lambda captures: (_ifeval("startend:end_checker", end_phrase=captures["phrase"]),),
    "language": lambda captures: (_ifeval("language:response_language", language=captures["language"]),),
    "repeat": lambda captures: (_ifeval("combination:repeat_prompt", prompt_to_repeat=captures["prompt"]),),
    "json_array": lambda _: _refused("the JSON constraint asks for one object, not for an array"),
    "beginning": lambda _: _refused("there is no constraint on how a text begins"),
    "unsaid": lambda captures: _refused(captures["why"]),
    "yes_no_maybe": _fixed(lambda: _ifeval("detectable_format:constrained_response")),
}
"""Kind of phrase → what makes its constraints."""


def _exactly_or_least(captures: Captures) -> int:
    count = _amount(captures)
    if count.at_least is None:
        raise UnsayableError("there is a constraint for a least number of sections, and none for a greatest")
    return count.at_least
