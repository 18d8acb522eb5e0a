"""Those of IFBench's `format` group that ask for marks: brackets, quotes, bullets, tags, labels."""

from __future__ import annotations

import re
import string
from itertools import pairwise

from pydantic import Field

from heedful.constraints.ifbench.base import IFBenchConstraint, ifbench_type
from heedful.constraints.ifbench.parts import lines, sentences
from heedful.constraints.ifeval.base import Text
from heedful.constraints.verdict import Span, Verdict

DEPTH, QUOTE_DEPTH = 5, 3
"""How many levels of brackets, and of quotes."""

LABELS = ("My Answer:", "My Conclusion:", "Future Outlook:")
"""The three labels of the template."""

CLOSING = {")": "(", "]": "[", "}": "{"}


@ifbench_type("format:parentheses")
class NestedParentheses(IFBenchConstraint):
    """Brackets nested five levels deep, of which the innermost is closed; the others need not be, as in the reference."""

    def describe(self) -> str:
        return f"parentheses, brackets or braces nested at least {DEPTH} levels deep"

    def _depth(self, text: str) -> int:
        """How many levels are nested correctly."""
        open_: list[str] = []
        deepest = best = 0
        for char in text:
            if char in CLOSING.values():
                open_.append(char)
                deepest = max(deepest, len(open_))
            elif char in CLOSING and open_ and open_[-1] == CLOSING[char]:
                open_.pop()
                best = max(best, deepest)
            elif char in CLOSING:
                open_, deepest = [], 0
        return best

    def _verify(self, text: str) -> Verdict:
        depth = self._depth(text)
        reason = f"{depth} levels of brackets, at least {DEPTH}"
        score = min(depth, DEPTH) / DEPTH
        return self._verdict(
            depth >= DEPTH, score=score, measured=depth, reason=reason, hint=f"nest {DEPTH - depth} more"
        )


@ifbench_type("format:quotes")
class NestedQuotes(IFBenchConstraint):
    """Quotes within quotes within quotes, in turn double and single; an apostrophe is a quote too, as in the reference."""

    def describe(self) -> str:
        return f"quotes nested at least {QUOTE_DEPTH} levels deep, double and single in turn"

    def _read(self, text: str) -> str:
        """The text with nothing but quotes for quotes."""
        return text

    def _verify(self, text: str) -> Verdict:
        open_: list[str] = []
        deepest = closed = 0
        for char in self._read(text):
            if open_ and char == open_[-1]:
                open_.pop()
                closed = max(closed, deepest - len(open_))
            elif char in "\"'":
                open_.append(char)
                deepest = max(deepest, len(open_))
        reason = f"{closed} levels of quotes, at least {QUOTE_DEPTH}"
        score = min(closed, QUOTE_DEPTH) / QUOTE_DEPTH
        hint = f"nest {QUOTE_DEPTH - closed} more, and close all"
        return self._verdict(closed >= QUOTE_DEPTH, score=score, measured=closed, reason=reason, hint=hint)


@ifbench_type("format:quote_unquote")
class QuoteUnquote(IFBenchConstraint):
    """No quotation directly behind another, and none at the end; only straight double quotes are seen."""

    def describe(self) -> str:
        return "words without quotes behind each quotation"

    def _read(self, text: str) -> str:
        return text

    def _verify(self, text: str) -> Verdict:
        # A quote in single quotes is a quote that the text speaks of.
        read = "".join(self._read(text).replace("'\"'", "").split())
        last = read.strip(string.digits + string.punctuation.replace('"', ""))[-1:]
        hint = "explain each quotation in words of your own behind it"
        if '""' in read:
            return self._held(False, "two quotes beside each other", hint=hint)
        return self._held(
            last != '"', "ends with a quotation" if last == '"' else "no quotation stands alone", hint=hint
        )


@ifbench_type("format:list")
class SeparatedList(IFBenchConstraint):
    """At least two items behind a separator, which may stand anywhere."""

    sep: Text = Field(description="what stands before each item, instead of a bullet")

    def describe(self) -> str:
        return f"a list of two items or more, with {self.sep} before each"

    def _found(self, text: str) -> list[Span]:
        return [match.span() for match in re.finditer(re.escape(self.sep), text)]

    def _verify(self, text: str) -> Verdict:
        return self._counted(self._found(text), "at least", 2, self.sep, self.sep)


@ifbench_type("format:thesis")
class Thesis(IFBenchConstraint):
    """Something in HTML's italics, and text behind it. (Behind <em> the reference counts one character wrong.)"""

    def describe(self) -> str:
        return "a thesis in italics, <i>…</i>, with text behind it"

    def _thesis(self, text: str) -> tuple[str, str] | None:
        """What is in italics, and what follows; None if nothing is in italics."""
        begin = text.find("<i>") if "<i>" in text else text.find("<em>")
        if begin < 0:
            return None
        rest = text[begin:]
        end = rest.find("</i>") if "</i>" in rest else rest.find("</em>")
        # Both tags are taken to be three and four characters long, so that '>' of the longer ones remains.
        return None if end < 0 else (rest[len("<i>") : end], rest[end + len("</i>") :])

    def _verify(self, text: str) -> Verdict:
        found = self._thesis(text)
        passed = found is not None and all(part.strip() for part in found)
        reason = "nothing in italics" if found is None else f"“{found[0].strip()[:60]}” in italics"
        return self._held(passed, reason, hint=f"write {self.describe()}")


@ifbench_type("format:sub-bullets")
class SubBullets(IFBenchConstraint):
    """A dash somewhere behind each asterisk, before the next one; no asterisk at all is in order too, as in the reference."""

    def describe(self) -> str:
        return "bullet points with *, and at least one with - below each"

    def _bullets(self, text: str) -> list[tuple[Span, bool]]:
        """Each bullet, and whether it has one below it."""
        stars = [match.start() for match in re.finditer(r"\*", text)]
        return [((a, b), "-" in text[a:b]) for a, b in pairwise([*stars, len(text)])]

    def _verify(self, text: str) -> Verdict:
        found = self._bullets(text)
        wrong = [span for span, has in found if not has]
        return self._none_wrong(
            wrong, len(found), "bullet points have one with - below them", f"write {self.describe()}"
        )


@ifbench_type("format:no_bullets_bullets")
class SentencesThenBullets(IFBenchConstraint):
    """At least two sentences and then at least two lines with *, and nothing behind them.

    As in the reference an empty line ends the sentences, and what ends them with no stop is one too.
    """

    def describe(self) -> str:
        return "at least two sentences that end in a full stop, and then at least two bullet points with *"

    def _counts(self, text: str) -> tuple[int, int]:
        """How many sentences there are before the bullets, and how many bullets; 0 of them if the order is wrong."""
        before = bullets = 0
        reading = True
        for line in lines(text):
            if line.text.strip().startswith("*"):
                reading = False
                bullets += 1
            elif reading:
                found = len(sentences(line.text.strip()))
                reading = found > 0
                before += found
            else:
                return before, 0
        return before, bullets

    def _verify(self, text: str) -> Verdict:
        before, bullets = self._counts(text)
        return self._verdict(
            before >= 2 and bullets >= 2,
            score=(min(before, 2) + min(bullets, 2)) / 4,
            measured={"sentences": before, "bullets": bullets},
            reason=f"{before} sentences and then {bullets} bullet points",
            hint=f"write {self.describe()}",
        )


@ifbench_type("format:output_template")
class OutputTemplate(IFBenchConstraint):
    """The three labels of a template, wherever they stand."""

    def describe(self) -> str:
        return f"the template {' … '.join(LABELS)} …"

    def _missing(self, text: str) -> list[str]:
        return [label for label in LABELS if label not in text]

    def _verify(self, text: str) -> Verdict:
        missing = self._missing(text)
        there = len(LABELS) - len(missing)
        return self._verdict(
            not missing,
            score=there / len(LABELS),
            measured=there,
            reason=f"{there} of {len(LABELS)} labels" + (f", without {', '.join(missing)}" if missing else ""),
            hint=f"write {self.describe()}",
        )
