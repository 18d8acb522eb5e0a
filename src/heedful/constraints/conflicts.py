"""Which constraints exclude each other. Knows the constraints, and not how anybody asked for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import NamedTuple

from pydantic import JsonValue

from heedful.constraints.base import Constraint
from heedful.constraints.judging import Judged
from heedful.constraints.lexical import Exclude, Include
from heedful.constraints.semantic import Topic
from heedful.constraints.structural import CharCount, WordCount
from heedful.constraints.text import fold_term
from heedful.errors import InputError


class Conflict(NamedTuple):
    """Why two constraints exclude each other.

    Attributes:
        why: in a sentence.
        certain: no text passes both. Otherwise some odd one may: one whose language nobody can tell, or on which two
            classifiers differ.
    """

    why: str
    certain: bool = True


def conflicts(constraints: Iterable[Constraint]) -> tuple[Conflict, ...]:
    """One for each pair that exclude each other."""
    return tuple(found for pair in combinations(constraints, 2) if (found := conflict(*pair)))


def conflict(first: Constraint, second: Constraint) -> Conflict | None:
    """Why the two exclude each other; None where nothing says that they do."""
    return _conflict(first, second) or _conflict(second, first)


def check_together(constraints: Iterable[Constraint]) -> tuple[Conflict, ...]:
    """See that some text could pass all of these, as far as pairs of them tell; gives the conflicts that are not certain.

    Raises:
        InputError: no text can.
    """
    found = conflicts(constraints)
    if certain := [each.why for each in found if each.certain]:
        raise InputError(f"no text can pass: {'; '.join(certain)}", "leave one of them out")
    return found


def _conflict(first: Constraint, second: Constraint) -> Conflict | None:
    """Called both ways round."""
    match first, second:
        case (WordCount() as one, WordCount() as other) | (CharCount() as one, CharCount() as other):
            return _bounds(one.at_least or one.exactly, other.at_most or other.exactly, f"{one.unit}s")
        case Include(), Exclude():
            return _terms(first, second)
        case Topic(), Topic():
            return None  # a text about two things is about both, as far as the words go
        case Judged(), Judged() if type(first) is type(second) and first.label != second.label:
            same = first.verifier == second.verifier
            return Conflict(f"{first.label} and {second.label} exclude each other", certain=same)
    if all(each.id.startswith("ifeval") for each in (first, second)):
        return _of_ifeval(first, second)
    return None


def _bounds(low: int | None, high: int | None, unit: str) -> Conflict | None:
    if low is None or high is None or low <= high:
        return None
    return Conflict(f"at least {low} and at most {high} {unit} exclude each other")


def _terms(included: Include, excluded: Exclude) -> Conflict | None:
    if included.at_least <= excluded.at_most or (excluded.case_sensitive and not included.case_sensitive):
        return None  # the other spelling is allowed
    banned = {fold_term(term, case_sensitive=excluded.case_sensitive) for term in excluded.terms}
    both = [term for term in included.terms if fold_term(term, case_sensitive=excluded.case_sensitive) in banned]
    return Conflict(f"“{both[0]}” is asked for and forbidden") if both else None


def _of_ifeval(first: Constraint, second: Constraint) -> Conflict | None:
    from heedful.constraints.ifeval import EnglishCapital, EnglishLowercase, IFEvalConstraint, ResponseLanguage

    match first, second:
        case EnglishCapital(), EnglishLowercase():
            return Conflict("all capitals and no capitals exclude each other")
        case ResponseLanguage(), ResponseLanguage() if first.language != second.language:
            why = f"the languages {first.language} and {second.language} exclude each other"
            return Conflict(why, certain=False)
        case ResponseLanguage(), (EnglishCapital() | EnglishLowercase()) if first.language != "en":
            why = f"letters in one case are asked of English, and the language is {first.language}"
            return Conflict(why, certain=False)
        case IFEvalConstraint(), IFEvalConstraint() if type(first) is type(second):
            return _numbers(first.ifeval_id, first.kwargs(), second.kwargs())
    return None


def _numbers(ifeval_id: str, one: Mapping[str, JsonValue], other: Mapping[str, JsonValue]) -> Conflict | None:
    """Two bounds on one thing: a 'less than' that is not above an 'at least', or two exact numbers that differ."""
    relation = next((name for name in one if name.endswith("relation")), "")
    number = next((name for name in one if name.startswith("num_") or name.endswith("frequency")), "")
    least = ifeval_id.endswith(("number_highlighted_sections", "number_placeholders", "multiple_sections"))
    if not number or least or any(one[key] != other[key] for key in one if key not in (number, relation)):
        return None
    low, high = one[number], other[number]
    assert isinstance(low, int)
    assert isinstance(high, int)
    if not relation:
        return Conflict(f"exactly {low} and exactly {high} exclude each other") if low != high else None
    if one[relation] == "at least" and other[relation] == "less than" and low >= high:
        return Conflict(f"at least {low} and fewer than {high} exclude each other")
    return None
