"""Those of IFBench's `format` group that ask how words and lines are set: case, white space, line breaks, emoji, one option."""

from __future__ import annotations

import re
from itertools import pairwise

from pydantic import Field

from heedful.constraints.ifbench.base import IFBenchConstraint, ifbench_type
from heedful.constraints.ifbench.parts import bare, is_emoji, tokens, trimmed
from heedful.constraints.ifeval.base import Text
from heedful.constraints.verdict import Span, Verdict

_LETTERS = re.compile(r"\W*[aA]\W*[bB]\W*[cC]\W*")


@ifbench_type("format:options")
class Options(IFBenchConstraint):
    """One of several options and nothing else.

    They are divided by '/', else by 'or', even within a word, else by commas. Letters (a, b, c) must be written exactly as
    given; other options in any case, whatever punctuation stands around them.
    """

    options: Text = Field(description="the options: 'yes/no/maybe', 'I know or I don't know', 'a), b), c)'")

    def describe(self) -> str:
        return f"one of {self.options}, and nothing else"

    def _given(self) -> list[str]:
        divider = next((divider for divider in ("/", "or") if divider in self.options), ",")
        return [option.strip() for option in self.options.split(divider)]

    def _exact(self, text: str) -> str:
        """The text as it is compared where the options are letters."""
        return text

    def _verify(self, text: str) -> Verdict:
        if _LETTERS.match(self.options):
            passed = self._exact(text) in self._given()
        else:
            passed = trimmed(text).lower() in [trimmed(option).lower() for option in self._given()]
        return self._held(
            passed, "one of the options" if passed else "not one of the options", hint=f"write {self.describe()}"
        )


@ifbench_type("format:newline")
class WordsOnLines(IFBenchConstraint):
    """As many lines as words; which word stands on which line is not looked at, as in the reference."""

    def describe(self) -> str:
        return "each word on a line of its own"

    def _counts(self, text: str) -> tuple[int, int]:
        """How many lines and words there are; each word has its line if they are equal."""
        read = bare(text).strip()
        return len([line for line in read.split("\n") if line]), len(read.split())

    def _verify(self, text: str) -> Verdict:
        rows, words = self._counts(text)
        most = max(rows, words)
        return self._verdict(
            rows == words,
            score=min(rows, words) / most if most else 1.0,
            measured={"lines": rows, "words": words},
            reason=f"{words} words on {rows} lines",
            hint="write each word on a line of its own",
        )


@ifbench_type("format:emoji")
class EmojiAtEnds(IFBenchConstraint):
    """An emoji at the end of each sentence, or at the beginning of the next: before or behind its mark.

    Flags and keycaps, which take several characters, are none, as in the reference.
    """

    def describe(self) -> str:
        return "an emoji at the end of each sentence"

    def _is_emoji(self, char: str) -> bool:
        return is_emoji(char)

    def _verify(self, text: str) -> Verdict:
        found = self._sentences(text)
        read = [bare(sentence.text).strip() for sentence in found]
        wrong = [
            sentence.span
            for sentence, own, after in zip(found, read, [*read[1:], ""], strict=True)
            # An invisible character may follow the emoji, which makes it a picture.
            if not own or not any(map(self._is_emoji, [*own[-2:], *after[:1]]))
        ]
        return self._none_wrong(wrong, len(found), "sentences end with an emoji", "put an emoji behind the others")


@ifbench_type("format:line_indent")
class Stairs(IFBenchConstraint):
    """Each line begins with more spaces than the one before; one line alone is in order, as in the reference."""

    def describe(self) -> str:
        return "each line indented further than the one before"

    def _steps(self, text: str) -> list[str]:
        """The lines that are compared. The reference leaves out blank ones, but of two that follow each other only one."""
        kept = text.split("\n")
        place = 0
        while place < len(kept):
            if not kept[place].strip():
                kept.remove(kept[place])
            place += 1
        return kept

    def _wrong(self, text: str) -> tuple[int, int]:
        """How many lines are not indented further, of how many."""
        depths = [len(line) - len(line.lstrip(" ")) for line in self._steps(text)]
        return sum(b <= a for a, b in pairwise(depths)), len(depths)

    def _verify(self, text: str) -> Verdict:
        wrong, total = self._wrong(text)
        return self._verdict(
            not wrong,
            score=1 - wrong / total if wrong else 1.0,
            measured=total - wrong,
            reason=f"{total - wrong} of {total} lines indented further than the one before",
            hint="begin each line with more spaces than the one before",
        )


@ifbench_type("format:title_case")
class TitleCase(IFBenchConstraint):
    """No word in small letters, as NLTK's tokenizer splits words: 'of' is one, and the end of "don't" too."""

    def describe(self) -> str:
        return "title case: each major word with a capital first letter"

    def _wrong(self, text: str) -> tuple[list[str], int]:
        """The words that are not in title case, and how many words there are."""
        words = [token for token in tokens(text) if token[0].isalpha()]
        return [word for word in words if _small(word)], len(words)

    def _verify(self, text: str) -> Verdict:
        wrong, total = self._wrong(text)
        shown = ", ".join(f"“{word}”" for word in list(dict.fromkeys(wrong))[:8])
        return self._verdict(
            not wrong,
            score=1 - len(wrong) / total if wrong else 1.0,
            measured=total - len(wrong),
            reason=f"{total - len(wrong)} of {total} words in title case" + (f"; not so {shown}" if wrong else ""),
            hint=f"begin with a capital letter, and go on in small ones: {shown}",
        )


def _small(word: str) -> bool:
    """Whether a word begins with a small letter and goes on in one case; 'iPhone' does not."""
    return word[0].islower() and (len(word) == 1 or word[1:].islower() or word[1:].isupper())


@ifbench_type("format:no_whitespace")
class NoWhitespace(IFBenchConstraint):
    """No white space, at the ends of the text neither."""

    def describe(self) -> str:
        return "no white space"

    def _found(self, text: str) -> list[Span]:
        return [(place, place + 1) for place, char in enumerate(text) if char.isspace()]

    def _verify(self, text: str) -> Verdict:
        found = self._found(text)
        reason = f"{len(found)} characters of white space"
        score = 1 / (1 + len(found))
        return self._verdict(
            not found, score=score, measured=len(found), reason=reason, spans=found, hint="take all white space out"
        )
