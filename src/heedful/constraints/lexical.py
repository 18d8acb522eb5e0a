"""Words that a text must use, and words that it must not.

Knows spellings, not meanings or inflections: 'dogs' is not 'dog'.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from itertools import islice
from typing import Annotated, Any

from pydantic import Field, StrictStr, field_validator, model_validator

from heedful.constraints.base import Constraint, monitor_for, register_constraint
from heedful.constraints.prefix.terms import TermsMonitor
from heedful.constraints.text import find_term, fold, fold_term, fold_to_ascii, seen_in_ascii, term_starts
from heedful.constraints.verdict import Verdict
from heedful.errors import InputError


class _Terms(Constraint):
    """Terms, each a word or several, and how often each may stand in the text as words of its own."""

    terms: tuple[StrictStr, ...] = Field(description="words or phrases; every one counts for itself")
    case_sensitive: bool = Field(default=False, strict=True, description="tell 'Polish' from 'polish'")

    @field_validator("terms", mode="before")
    @classmethod
    def _one_or_several(cls, terms: Any) -> Any:
        """One term may stand for itself, unless it looks like several: a term with a comma must be in a list."""
        if not isinstance(terms, str):
            return terms
        if "," in terms:
            several = ", ".join(part.strip() for part in terms.split(",") if part.strip())
            raise InputError(
                f"{cls.id}: {terms!r} has a comma: it may be one term or several",
                f"give a list: terms: [{several}] for several, terms: [{terms!r}] for one with a comma",
            )
        return (terms,)

    @model_validator(mode="after")
    def _terms_can_be_found(self) -> _Terms:
        if not self.terms:
            raise InputError(f"{self.id}: no terms are given", "give at least one term, for example terms: [harbour]")
        seen: dict[str, str] = {}
        for term in self.terms:
            folded = fold_term(term, case_sensitive=self.case_sensitive)
            if not folded:
                raise InputError(
                    f"{self.id}: the term {term!r} is empty", "give each term at least one visible character"
                )
            if folded in seen:
                raise InputError(f"{self.id}: the terms {seen[folded]!r} and {term!r} are the same", "give it once")
            seen[folded] = term
        return self

    @cached_property
    def _folded(self) -> dict[str, str]:
        """The terms, and the form in which each is looked up."""
        return {term: fold_term(term, case_sensitive=self.case_sensitive) for term in self.terms}

    @cached_property
    def _phrases(self) -> bool:
        """Whether white space matters."""
        return any(" " in look for look in self._folded.values())

    @cached_property
    def _plain(self) -> bool:
        return all(map(seen_in_ascii, self._folded.values()))

    def _passes(self, text: str) -> bool:
        folded = fold_to_ascii(text, case_sensitive=self.case_sensitive) if self._plain else None
        if folded is None:
            folded = fold(text, case_sensitive=self.case_sensitive, spaces=self._phrases).text
        looks = self._folded.values()
        return all(self._allows(sum(1 for _ in islice(term_starts(folded, look), self._decisive))) for look in looks)

    def _verify(self, text: str) -> Verdict:
        folded = fold(text, case_sensitive=self.case_sensitive, spaces=self._phrases)
        found = {term: find_term(folded, look) for term, look in self._folded.items()}
        counts = {term: len(spans) for term, spans in found.items()}
        score, hint = self._judge(counts)
        return self._verdict(
            score == 1.0,
            score=score,
            measured=dict(counts),
            reason=", ".join(f"{_quoted(term)} {_times(count)}" for term, count in counts.items()),
            spans=sorted(span for spans in found.values() for span in spans),
            hint=hint,
        )

    @property
    @abstractmethod
    def _decisive(self) -> int:
        """How many uses of a term settle it, however many follow."""

    @abstractmethod
    def _allows(self, count: int) -> bool:
        """May a term stand this often?"""

    @abstractmethod
    def _judge(self, counts: dict[str, int]) -> tuple[float, str]:
        """The score and the hint."""

    def _listed(self) -> str:
        return ", ".join(map(_quoted, self.terms)) + (" (in this case)" if self.case_sensitive else "")


@register_constraint
class Include(_Terms):
    """Use each of the terms, as words of their own, at least `at_least` times.

    The score is the mean over the terms of min(count / at_least, 1). Case, typographic apostrophes and hyphens, Unicode
    composition and line breaks inside a phrase make no difference; inflections do.
    """

    id = "lexical/include"

    at_least: Annotated[int, Field(strict=True, ge=1)] = Field(default=1, description="how often each term must stand")

    def describe(self) -> str:
        often = "" if self.at_least == 1 else f" at least {_times(self.at_least)}" + self._each()
        return f"use {self._listed()}{often}"

    def _each(self) -> str:
        return " each" if len(self.terms) > 1 else ""

    @property
    def _decisive(self) -> int:
        return self.at_least

    def _allows(self, count: int) -> bool:
        return count >= self.at_least

    def _judge(self, counts: dict[str, int]) -> tuple[float, str]:
        missing = {term: self.at_least - count for term, count in counts.items() if not self._allows(count)}
        if not missing:
            return 1.0, ""
        score = sum(min(count / self.at_least, 1.0) for count in counts.values()) / len(counts)
        again = ", ".join(
            f"{_quoted(term)} {_times(short)}{' more' if counts[term] else ''}" for term, short in missing.items()
        )
        return score, f"use {again}"


@register_constraint
class Exclude(_Terms):
    """Use none of the terms, as words of their own, more than `at_most` times.

    The score is 1 / (1 + the number of uses beyond what is allowed, over all terms). Spellings compare as in `Include`.
    """

    id = "lexical/exclude"

    at_most: Annotated[int, Field(strict=True, ge=0)] = Field(default=0, description="how often each term may stand")

    def describe(self) -> str:
        if self.at_most == 0:
            return f"do not use {self._listed()}"
        return f"use {self._listed()} at most {_times(self.at_most)}{' each' if len(self.terms) > 1 else ''}"

    @property
    def _decisive(self) -> int:
        return self.at_most + 1

    def _allows(self, count: int) -> bool:
        return count <= self.at_most

    def _judge(self, counts: dict[str, int]) -> tuple[float, str]:
        surplus = {term: count - self.at_most for term, count in counts.items() if not self._allows(count)}
        cut = ", ".join(f"{_quoted(term)} {_times(number)}" for term, number in surplus.items())
        return 1 / (1 + sum(surplus.values())), f"take out {cut}" if surplus else ""


@monitor_for(Include)
def _watch_included(asked: Include) -> TermsMonitor:
    return TermsMonitor(asked, asked._folded, case_sensitive=asked.case_sensitive, low=asked.at_least)


@monitor_for(Exclude)
def _watch_excluded(asked: Exclude) -> TermsMonitor:
    return TermsMonitor(asked, asked._folded, case_sensitive=asked.case_sensitive, high=asked.at_most)


def _quoted(term: str) -> str:
    return f"“{term}”"


def _times(number: int) -> str:
    return {0: "not at all", 1: "once", 2: "twice"}.get(number, f"{number} times")
