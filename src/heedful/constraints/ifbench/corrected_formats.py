"""IFBench's types on formats and tables decided as the prompts ask, where the reference decides otherwise. See `corrected`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from heedful.constraints.ifbench import layout, marks, questions, reading, tables
from heedful.constraints.ifbench.parts import lines
from heedful.constraints.ifeval.corrected import corrects
from heedful.constraints.verdict import Span, Verdict

_THESIS = re.compile(r"<(i|em)>(.*?)</\1>(.*)", re.DOTALL | re.IGNORECASE)
_STAR = re.compile(r"\*(?!\*)")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_MINOR = frozenset(
    "a an the and but or nor for so yet as at by in of off on per to up via from with into onto over than if vs".split()
)
"""What title case leaves in small letters: articles, conjunctions and short prepositions."""


@corrects("every level must be closed, not the innermost alone")
class NestedParenthesesCorrected(marks.NestedParentheses):
    def _depth(self, text: str) -> int:
        open_: list[tuple[str, int]] = []  # a bracket, and how many levels are closed within it
        best = 0
        for char in text:
            if char in marks.CLOSING.values():
                open_.append((char, 0))
            elif char in marks.CLOSING and open_ and open_[-1][0] == marks.CLOSING[char]:
                levels = open_.pop()[1] + 1
                best = max(best, levels)
                if open_:
                    open_[-1] = (open_[-1][0], max(open_[-1][1], levels))
            elif char in marks.CLOSING:
                open_ = []
        return best


@corrects("an apostrophe within a word is no quote, and typographic quotes are quotes")
class NestedQuotesCorrected(marks.NestedQuotes):
    def _read(self, text: str) -> str:
        return reading.straight(text)


@corrects("typographic quotes are quotes")
class QuoteUnquoteCorrected(marks.QuoteUnquote):
    def _read(self, text: str) -> str:
        return reading.straight(text)


@corrects("the separator begins a line")
class SeparatedListCorrected(marks.SeparatedList):
    def _found(self, text: str) -> list[Span]:
        return [line.span for line in lines(text) if line.text.lstrip().startswith(self.sep.strip())]


@corrects("<em> is read as <i> is: something must stand in it, and behind it")
class ThesisCorrected(marks.Thesis):
    def _thesis(self, text: str) -> tuple[str, str] | None:
        found = _THESIS.search(text)
        return None if found is None else (found[2], found[3])


@corrects(
    "bullets begin a line: at least one, and a line with - below each, so that neither **bold** nor 'well-known' counts"
)
class SubBulletsCorrected(marks.SubBullets):
    def _bullets(self, text: str) -> list[tuple[Span, bool]]:
        found: list[tuple[Span, bool]] = []
        for line in lines(text):
            content = line.text.strip()
            if _STAR.match(content):
                found.append((line.span, False))
            elif content.startswith("-") and found:
                found[-1] = (found[-1][0], True)
        return found

    def _verify(self, text: str) -> Verdict:
        if not self._bullets(text):
            return self._held(False, "no bullet point with *", hint=f"write {self.describe()}")
        return super()._verify(text)


@corrects("blank lines are let pass, text may follow, and only sentences with a full stop count")
class SentencesThenBulletsCorrected(marks.SentencesThenBullets):
    def _counts(self, text: str) -> tuple[int, int]:
        bullets = [line.span[0] for line in lines(text) if _STAR.match(line.text.strip())]
        before = text[: bullets[0]] if bullets else text
        stated = [sentence for sentence in reading.sentences(before) if reading.last_mark(sentence.text) == "."]
        return len(stated), len(bullets)


@corrects("the labels begin the text, stand in their order, and something follows each")
class OutputTemplateCorrected(marks.OutputTemplate):
    def _missing(self, text: str) -> list[str]:
        plain = text.replace("*", "")
        places = [plain.find(label) for label in marks.LABELS]
        ends = [*places[1:], len(plain)]
        missing = []
        for label, start, end in zip(marks.LABELS, places, ends, strict=True):
            if start < 0 or not plain[start + len(label) : max(start, end)].strip():
                missing.append(label)
        if not missing and plain[: places[0]].strip(" \n\t#"):
            missing.append(marks.LABELS[0])
        return missing


@corrects("options are divided by 'or' as a word of its own, and white space around the answer is let pass")
class OptionsCorrected(layout.Options):
    def _given(self) -> list[str]:
        divider = r"/" if "/" in self.options else r"\bor\b" if re.search(r"\bor\b", self.options) else ","
        return [option.strip() for option in re.split(divider, self.options)]

    def _exact(self, text: str) -> str:
        return text.strip()


@corrects("each line holds one word, blank lines aside")
class WordsOnLinesCorrected(layout.WordsOnLines):
    def _counts(self, text: str) -> tuple[int, int]:
        by_line = [len(reading.words(line.text)) for line in lines(text)]
        return sum(count > 0 for count in by_line), sum(by_line)


@corrects("flags and keycaps are emoji")
class EmojiAtEndsCorrected(layout.EmojiAtEnds):
    def _is_emoji(self, char: str) -> bool:
        return reading.belongs_to_emoji(char)


@corrects("blank lines are let pass, and one line makes no stairs")
class StairsCorrected(layout.Stairs):
    def _steps(self, text: str) -> list[str]:
        return [line.expandtabs(4) for line in text.split("\n") if line.strip()]

    def _verify(self, text: str) -> Verdict:
        if len(self._steps(text)) < 2:
            return self._held(False, "one line", hint="write two lines or more")
        return super()._verify(text)


@corrects('articles, conjunctions and short prepositions may be small, and "Don\'t" is one word')
class TitleCaseCorrected(layout.TitleCase):
    def _wrong(self, text: str) -> tuple[list[str], int]:
        words = _WORD.findall(text)
        small = [word for place, word in enumerate(words) if word.islower() and not (place and word in _MINOR)]
        return small, len(words)


class _Unfenced(tables._Table):
    def _text(self, text: str) -> str:
        return reading.unfenced(text)


@corrects("code marks around the table and blank lines are let pass")
class CityTableCorrected(_Unfenced, tables.CityTable):
    pass


@corrects("code marks around the table and blank lines are let pass, and every row must be as long as it should")
class SpecialCharacterTableCorrected(_Unfenced, tables.SpecialCharacterTable):
    def _wrong_row(self, rows: Sequence[tables.Row]) -> str:
        whole = tables.wrong_length(rows, len(self.columns))
        return whole or super()._wrong_row(rows)


@corrects("code marks around the table and blank lines are let pass")
class QuotesTableCorrected(_Unfenced, tables.QuotesTable):
    pass


@corrects("a date must be in the calendar")
class DateListCorrected(questions.DateList):
    def _is_date(self, year: int, month: int, day: int) -> bool:
        try:
            date(year, month, day)
        except ValueError:
            return False
        return True
