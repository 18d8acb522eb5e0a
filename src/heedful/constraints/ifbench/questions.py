"""Those of IFBench's `custom` group that ask one fixed question, each in its own form. The facts that answer it are here."""

from __future__ import annotations

import re
import string
import unicodedata
from itertools import pairwise

from heedful.constraints.ifbench.base import IFBenchConstraint, ifbench_type
from heedful.constraints.ifbench.parts import Piece, bare, lines, trimmed
from heedful.constraints.verdict import Verdict

MULTIPLES = tuple(str(number) for number in range(14, 51, 7))
QUESTIONS, OPTIONS = 4, 5
COUNTRIES, LAST_COUNTRY = 52, "Zimbabwe"
"""The least number of lines for Africa's countries, and the first of them when the alphabet is reversed."""

CAPITALS = tuple(
    """Reykjavik Helsinki Oslo Tallinn Stockholm Riga Moscow Copenhagen Vilnius Minsk Dublin Berlin Amsterdam Warsaw London
    Brussels Prague Luxembourg Paris Vienna Bratislava Budapest Vaduz Chisinau Bern Ljubljana Zagreb""".split()
)
"""Europe's capitals north of 45 degrees from north to south, as the reference lists them: without Kyiv."""

YEARS = range(1769, 1822)
"""Napoleon's life."""

_LABEL = re.compile(r"\n*Question \d+[.|):;]?\s*")
_OPTION = re.compile(r"[A-Ea-e][.|)]\s*\w+")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_DAYS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


@ifbench_type("custom:multiples")
class Multiples(IFBenchConstraint):
    """The multiples of 7 between 10 and 50, and no other number."""

    def describe(self) -> str:
        return f"the numbers {', '.join(MULTIPLES)} and no other"

    def _verify(self, text: str) -> Verdict:
        found = [(match[0], match.span()) for match in re.finditer(r"\d+", text)]
        numbers = [number for number, _ in found]
        reason = f"the numbers {', '.join(numbers[:20]) or 'none'}"
        passed = tuple(numbers) == MULTIPLES
        spans = [span for _, span in found]
        return self._held(passed, reason, measured=list(numbers), spans=spans, hint=f"write {self.describe()}")


@ifbench_type("custom:mcq_count_length")
class MultipleChoice(IFBenchConstraint):
    """Four questions with five options each, every question longer than the one before, and nothing before the first."""

    def describe(self) -> str:
        return f"{QUESTIONS} questions labelled “Question 1” and so on, with {OPTIONS} options each, each longer than the last"

    def _verify(self, text: str) -> Verdict:
        hint = f"write {self.describe()}"
        if not text.startswith("Question"):
            return self._held(False, "does not begin with “Question”", hint=hint)
        questions = [part.strip() for part in _LABEL.split(text) if part.strip()]
        options = [sum(map(_is_option, question.split("\n"))) for question in questions]
        lengths = [_length(question) for question in questions]
        holds = [
            len(questions) == QUESTIONS,
            set(options) == {OPTIONS},
            all(a < b for a, b in pairwise(lengths)),
        ]
        return self._verdict(
            all(holds),
            score=sum(holds) / len(holds),
            measured={"options": list(options), "lengths": list(lengths)},
            reason=f"{len(questions)} questions of {', '.join(map(str, lengths))} characters, "
            f"with {', '.join(map(str, options))} options",
            hint=hint,
        )


def _is_option(line: str) -> bool:
    return bool(_OPTION.match(line.strip()))


def _length(question: str) -> int:
    """How many characters stand before the first option."""
    before: list[str] = []
    for line in question.split("\n"):
        if _is_option(line):
            break
        before.append(line.strip())
    return len(" ".join(before).strip())


@ifbench_type("custom:reverse_newline")
class ReverseCountries(IFBenchConstraint):
    """From a line with Zimbabwe on, 52 lines or more in reverse alphabetical order; what they name is not looked at."""

    def describe(self) -> str:
        return f"Africa's countries in reverse alphabetical order from {LAST_COUNTRY} on, each on a line"

    def _verify(self, text: str) -> Verdict:
        hint = f"write {self.describe()}"
        listed = [line for line in lines(text) if trimmed(line.text)]
        first = next((i for i, line in enumerate(listed) if LAST_COUNTRY in line.text), None)
        if first is None:
            return self._held(False, f"no line with {LAST_COUNTRY}", hint=hint)
        rows = [Piece(to_ascii(trimmed(line.text)), line.span) for line in listed[first:]]
        wrong = [b.span for a, b in pairwise(rows) if a.text < b.text]
        passed = len(rows) >= COUNTRIES and not wrong
        reason = f"{len(rows)} lines from {LAST_COUNTRY} on, {len(wrong)} of them out of order"
        return self._held(passed, reason, measured=len(rows), spans=wrong, hint=hint)


def to_ascii(text: str) -> str:
    """The text with accents, and all else beyond ASCII, left out."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


@ifbench_type("custom:word_reverse")
class WordsReversed(IFBenchConstraint):
    """'bald eagle' stands in the text when its words are read from the last to the first."""

    def describe(self) -> str:
        return "a sentence on the bald eagle with its words in reverse order"

    def _verify(self, text: str) -> Verdict:
        passed = "bald eagle" in " ".join(reversed(bare(text.lower()).split()))
        reason = f"“bald eagle” {'stands' if passed else 'does not stand'} in the reversed text"
        return self._held(passed, reason, hint=f"write {self.describe()}: “… eagle bald …”")


@ifbench_type("custom:character_reverse")
class CharactersReversed(IFBenchConstraint):
    """'bald eagle' stands in the text when its characters are read from the last to the first."""

    def describe(self) -> str:
        return "a sentence on the bald eagle with its letters in reverse order"

    def _verify(self, text: str) -> Verdict:
        passed = "bald eagle"[::-1] in text.lower()
        reason = f"“elgae dlab” {'stands' if passed else 'does not stand'} in the text"
        return self._held(passed, reason, hint=f"write {self.describe()}")


@ifbench_type("custom:sentence_alphabet")
class SentenceAlphabet(IFBenchConstraint):
    """Twenty-six sentences that begin with the letters of the alphabet in turn."""

    def describe(self) -> str:
        return "26 sentences, beginning with A to Z in turn"

    def _verify(self, text: str) -> Verdict:
        found = self._sentences(text)
        firsts = [sentence.text.lstrip(string.punctuation + string.whitespace)[:1].lower() for sentence in found]
        right = [a == b for a, b in zip(firsts, string.ascii_lowercase, strict=False)]
        passed = len(found) == len(string.ascii_lowercase) and all(right)
        wrong = [sentence.span for sentence, is_right in zip(found, right, strict=False) if not is_right]
        reason = f"{len(found)} sentences, {sum(right)} of them with the letter that is due"
        return self._held(passed, reason, measured="".join(firsts), spans=wrong, hint=f"write {self.describe()}")


@ifbench_type("custom:european_capitals_sort")
class EuropeanCapitals(IFBenchConstraint):
    """Europe's capitals north of 45 degrees from north to south, divided by commas, and nothing else."""

    def describe(self) -> str:
        return "Europe's capitals north of 45 degrees, from north to south, divided by commas"

    def _listed(self, text: str) -> list[str]:
        return [part.strip() for part in to_ascii(text).split(",") if part.strip()]

    def _asked(self) -> tuple[str, ...]:
        return CAPITALS

    def _verify(self, text: str) -> Verdict:
        listed, asked = self._listed(text), self._asked()
        same = next(
            (i for i, (a, b) in enumerate(zip(listed, asked, strict=False)) if a != b), min(len(listed), len(asked))
        )
        reason = f"{len(listed)} of {len(asked)} capitals, of which the first {same} are as asked"
        expected = asked[same] if same < len(asked) else "nothing"
        return self._held(
            tuple(listed) == asked, reason, measured=same, hint=f"after {same} capitals, {expected} is due"
        )


@ifbench_type("custom:date_format_list")
class DateList(IFBenchConstraint):
    """Dates as YYYY-MM-DD in Napoleon's life, divided by commas, and nothing else; month and day may be 00."""

    def describe(self) -> str:
        return f"dates as YYYY-MM-DD from {YEARS[0]} to {YEARS[-1]}, divided by commas, and nothing else"

    def _is_date(self, year: int, month: int, day: int) -> bool:
        return month <= 12 and day <= (_DAYS.get(month, 31) if month else 99)

    def _verify(self, text: str) -> Verdict:
        parts = [part.strip() for part in text.strip().split(",")]
        wrong = [part for part in parts if not self._right(part)]
        right = len(parts) - len(wrong)
        reason = f"{right} of {len(parts)} are such dates" + (f"; “{wrong[0][:40]}” is not" if wrong else "")
        score = right / len(parts)
        return self._verdict(not wrong, score=score, measured=right, reason=reason, hint=f"write {self.describe()}")

    def _right(self, part: str) -> bool:
        match = _DATE.fullmatch(part)
        if match is None:
            return False
        year, month, day = map(int, match.groups())
        return year in YEARS and self._is_date(year, month, day)
