"""IFEval's `detectable_format` and `detectable_content` groups: bullets, sections, titles, JSON, placeholders, postscripts.

Knows the marks of a format, not what stands between them.
"""

from __future__ import annotations

import json
import re

from pydantic import Field, field_validator

from heedful.constraints.ifeval.base import Bound, IFEvalConstraint, Text, bounds, ifeval_type
from heedful.constraints.ifeval.parts import (
    bullet_spans,
    highlight_spans,
    placeholder_spans,
    postscript_spans,
    section_spans,
    title_spans,
)
from heedful.constraints.verdict import Span, Verdict
from heedful.errors import InputError

CONSTRAINED_RESPONSES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
"""The three answers that IFEval offers."""

FENCES = ("```json", "```Json", "```JSON", "```")
"""What is taken off before JSON, one after another."""


def _expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise InputError(
            f"the marker {value!r} cannot be searched: IFEval takes it for a regular expression, and {error}",
            f"escape it: {re.escape(value)!r}",
        ) from error
    return value


@ifeval_type("detectable_format:number_bullet_lists")
class NumberBulletLists(IFEvalConstraint):
    """Exactly so many bullet points: lines that begin with an asterisk or a dash."""

    num_bullets: Bound = Field(description="exactly this many")

    def describe(self) -> str:
        return bounds("exactly", self.num_bullets, "bullet point")

    def _found(self, text: str) -> list[Span]:
        return bullet_spans(text)

    def _verify(self, text: str) -> Verdict:
        return self._counted(self._found(text), "exactly", self.num_bullets, "bullet point")


@ifeval_type("detectable_format:number_highlighted_sections")
class NumberHighlightedSections(IFEvalConstraint):
    """At least so many highlighted sections: *text* or **text**."""

    num_highlights: Bound = Field(description="at least this many")

    def describe(self) -> str:
        return bounds("at least", self.num_highlights, "highlighted section")

    def _found(self, text: str) -> list[Span]:
        return highlight_spans(text)

    def _verify(self, text: str) -> Verdict:
        return self._counted(self._found(text), "at least", self.num_highlights, "highlighted section")


@ifeval_type("detectable_format:multiple_sections")
class MultipleSections(IFEvalConstraint):
    """At least so many sections: a marker with a number, wherever it stands. (`section_spliter` is IFEval's spelling.)"""

    section_spliter: Text = Field(description="what each section begins with: 'Section' for 'Section 1'")
    num_sections: Bound = Field(description="at least this many")

    @field_validator("section_spliter")
    @classmethod
    def _can_be_searched(cls, spliter: str) -> str:
        return _expression(spliter.strip())

    def describe(self) -> str:
        return f"{bounds('at least', self.num_sections, 'section')} beginning with “{self.section_spliter} 1” and so on"

    def _found(self, text: str) -> list[Span]:
        return section_spans(self.section_spliter, text)

    def _verify(self, text: str) -> Verdict:
        return self._counted(self._found(text), "at least", self.num_sections, "section")


@ifeval_type("detectable_format:title")
class Title(IFEvalConstraint):
    """A title in double angular brackets: <<title>>."""

    def describe(self) -> str:
        return "a title in double angular brackets, <<title>>"

    def _verify(self, text: str) -> Verdict:
        found = title_spans(text)
        reason = f"a title: {text[slice(*found[0])][:60]}" if found else "no title in double angular brackets"
        return self._held(bool(found), reason, spans=found, hint="put a title in double angular brackets: <<title>>")


@ifeval_type("detectable_format:json_format")
class JsonText(IFEvalConstraint):
    """The whole text is JSON, bare or between Markdown's ``` marks; as Python's `json` reads it."""

    def describe(self) -> str:
        return "JSON and nothing else, ``` marks allowed"

    def _verify(self, text: str) -> Verdict:
        try:
            json.loads(unfenced(text))
        except (ValueError, RecursionError) as error:
            reason = f"not JSON: {error or 'nested too deeply'}"
            return self._held(False, reason, hint="write one JSON value and nothing before or after it")
        return self._held(True, "JSON")


def unfenced(text: str) -> str:
    """The text without Markdown's ``` marks and white space around it."""
    inner = text.strip()
    for fence in FENCES:
        inner = inner.removeprefix(fence)
    return inner.removesuffix("```").strip()


@ifeval_type("detectable_format:constrained_response")
class ConstrainedResponse(IFEvalConstraint):
    """One of 'My answer is yes.', 'My answer is no.' and 'My answer is maybe.' stands in the text."""

    def describe(self) -> str:
        return " or ".join(f"“{option}”" for option in CONSTRAINED_RESPONSES)

    def _found(self, text: str) -> list[Span]:
        places = ((text.find(option), len(option)) for option in CONSTRAINED_RESPONSES)
        return sorted((place, place + length) for place, length in places if place >= 0)

    def _verify(self, text: str) -> Verdict:
        found = self._found(text)
        options = [text[start:end] for start, end in found]
        reason = (
            f"answers {' and '.join(f'“{option}”' for option in options)}" if found else "none of the three answers"
        )
        return self._held(bool(found), reason, measured=list(options), spans=found, hint=f"write {self.describe()}")


@ifeval_type("detectable_content:number_placeholders")
class NumberPlaceholders(IFEvalConstraint):
    """At least so many placeholders in square brackets, such as [address]."""

    num_placeholders: Bound = Field(description="at least this many")

    def describe(self) -> str:
        return f"{bounds('at least', self.num_placeholders, 'placeholder')} in square brackets"

    def _found(self, text: str) -> list[Span]:
        return placeholder_spans(text)

    def _verify(self, text: str) -> Verdict:
        return self._counted(self._found(text), "at least", self.num_placeholders, "placeholder")


@ifeval_type("detectable_content:postscript")
class Postscript(IFEvalConstraint):
    """A postscript that begins with a marker such as 'P.S.', which may stand anywhere."""

    postscript_marker: Text = Field(description="'P.S.', 'P.P.S' or another")

    @field_validator("postscript_marker")
    @classmethod
    def _can_be_searched(cls, marker: str) -> str:
        return _expression(marker.strip())

    def describe(self) -> str:
        return f"a postscript that begins with “{self.postscript_marker}”"

    def _found(self, text: str) -> list[Span]:
        found = postscript_spans(self.postscript_marker, text)
        return found if len(text.lower()) == len(text) else [(0, len(text))] * bool(found)

    def _verify(self, text: str) -> Verdict:
        found = self._found(text)
        reason = f"{'a' if found else 'no'} postscript with “{self.postscript_marker}”"
        hint = f"end with a postscript that begins with “{self.postscript_marker}”"
        return self._held(bool(found), reason, spans=found, hint=hint)
