"""Which requirements exclude each other. Knows the constraints, and not how a text asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from heedful.constraints.base import Constraint
from heedful.constraints.ifeval import EnglishCapital, EnglishLowercase, IFEvalConstraint, ResponseLanguage
from heedful.constraints.judging import Judged
from heedful.constraints.lexical import Exclude, Include
from heedful.constraints.semantic import Topic
from heedful.constraints.structural import CharCount, WordCount
from heedful.constraints.words.parsed import Contradiction, Reading


def contradictions(readings: Sequence[Reading]) -> tuple[Contradiction, ...]:
    """Every pair that no text can meet together, each with the reason."""
    return tuple(
        Contradiction(first, second, why)
        for first, second in combinations(readings, 2)
        if (why := _why(first.constraint, second.constraint) or _why(second.constraint, first.constraint))
    )


def _why(first: Constraint, second: Constraint) -> str:
    """Why the two exclude each other, or nothing; called both ways round."""
    match first, second:
        case (WordCount() as one, WordCount() as other) | (CharCount() as one, CharCount() as other):
            return _bounds(one.at_least or one.exactly, other.at_most or other.exactly, f"{one.unit}s")
        case Include(), Exclude():
            return _terms(first, second)
        case Topic(), Topic():
            return ""  # a text about two things is about both, as far as the words go
        case Judged(), Judged() if type(first) is type(second) and first.label != second.label:
            return f"{first.label} and {second.label} exclude each other"
        case EnglishCapital(), EnglishLowercase():
            return "all capitals and no capitals exclude each other"
        case ResponseLanguage(), ResponseLanguage() if first.language != second.language:
            return f"the languages {first.language} and {second.language} exclude each other"
        case ResponseLanguage(), (EnglishCapital() | EnglishLowercase()) if first.language != "en":
            return f"letters in one case are asked of English, and the language is {first.language}"
        case IFEvalConstraint(), IFEvalConstraint() if type(first) is type(second):
            return _numbers(first, second)
    return ""


def _bounds(low: int | None, high: int | None, unit: str) -> str:
    return f"at least {low} and at most {high} {unit} exclude each other" if low and high and low > high else ""


def _terms(included: Include, excluded: Exclude) -> str:
    banned = {term.casefold() for term in excluded.terms}
    both = [term for term in included.terms if term.casefold() in banned]
    if both and included.at_least > excluded.at_most:
        return f"“{both[0]}” is asked for and forbidden"
    return ""


def _numbers(first: IFEvalConstraint, second: IFEvalConstraint) -> str:
    """Two bounds on one thing: a 'less than' that is not above an 'at least', or two exact numbers that differ."""
    one, other = first.kwargs(), second.kwargs()
    relation = next((name for name in one if name.endswith("relation")), "")
    number = next((name for name in one if name.startswith("num_") or name.endswith("frequency")), "")
    least = first.ifeval_id.endswith(("number_highlighted_sections", "number_placeholders", "multiple_sections"))
    if not number or least or any(one[key] != other[key] for key in one if key not in (number, relation)):
        return ""
    low, high = one[number], other[number]
    assert isinstance(low, int)
    assert isinstance(high, int)
    if not relation:
        return f"exactly {low} and exactly {high} exclude each other" if low != high else ""
    if one[relation] == "at least" and other[relation] == "less than" and low >= high:
        return f"at least {low} and fewer than {high} exclude each other"
    return ""
