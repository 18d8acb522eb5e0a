"""Names and numbers as a reader sees them: 'block 3', 'term inclusion', '0.84 [0.79, 0.88]'.

Knows nothing of a run: every function takes plain values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

TASK_NAMES = {
    "word_count": "word count",
    "char_count": "character count",
    "json": "JSON format",
    "include": "term inclusion",
    "exclude": "term exclusion",
}
PROBE_NAMES = {
    "specialist": "specialist",
    "general_each": "general",
    "general_total": "general, equal total",
    "held_out": "held-out general",
}
KIND_NAMES = {"contrast": "contrast squares", "natural": "the model’s own answers"}
KINDS = tuple(KIND_NAMES)
PART_NAMES = {
    "lost": "d′ that the general probe loses",
    "topic with sentiment": "topic with sentiment − all others",
    "exclude with toxicity": "exclusion with toxicity − all others",
    "weak": "share of the target’s own that others reach",
    "sparse": "share that others lose",
    "no hub": "… to the most damaging one",
    "erased": "share that the erased lose",
    "structural to lexical": "depth, lexical − structural",
    "lexical to semantic and stylistic": "depth, semantic and stylistic − lexical",
    "order": "other ways to rank that climb as much",
    "no plan": "added to the prompt’s words, before the first token",
    "monitoring": "while writing",
    "rise": "at the end − at the first token",
}
"""What a part of a claim is, where there is no room for its estimand in full."""

_BLOCK = re.compile(r"block\.(\d+)\.out")
_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
# Characters that would move, hide or reorder the text round them: controls, marks of writing direction, and text in tags.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]"
)


class Estimate(NamedTuple):
    """A number with its interval; NaN where it could not be had."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def known(self) -> bool:
        """False for NaN."""
        return not math.isnan(self.value)

    @property
    def bounded(self) -> bool:
        """Whether it has an interval."""
        return self.known and not (math.isnan(self.low) or math.isnan(self.high))


def task_name(task: str) -> str:
    """'term inclusion' for 'include'."""
    return TASK_NAMES.get(task, task.replace("_", " "))


def site_name(site: str) -> str:
    """'block 3' for 'block.3.out'; other sites as they are."""
    block = _BLOCK.fullmatch(site)
    return f"block {block[1]}" if block else site


def short_site(site: str) -> str:
    """'3' for 'block.3.out', for the ticks of an axis that says 'output of block'."""
    block = _BLOCK.fullmatch(site)
    return block[1] if block else site


def number(value: float, digits: int = 2) -> str:
    """'0.84', with a true minus sign; a dash for NaN."""
    if math.isnan(value):
        return "–"
    text = f"{value:.{digits}f}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return text.replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """'+0.12' or '−0.12'."""
    text = number(value, digits)
    return text if text[0] in "−–" or float(text) == 0 else f"+{text}"


def interval(estimate: Estimate, digits: int = 2) -> str:
    """'[0.79, 0.88]'; empty where there is none."""
    return f"[{number(estimate.low, digits)}, {number(estimate.high, digits)}]" if estimate.bounded else ""


def with_interval(estimate: Estimate, digits: int = 2) -> str:
    """'0.84 [0.79, 0.88]'."""
    return f"{number(estimate.value, digits)} {interval(estimate, digits)}".strip()


def percent(value: float) -> str:
    """'43 %' for 0.43; never '0 %' or '100 %' for what is not quite."""
    if math.isnan(value):
        return "–"
    rounded = round(100 * value)
    if 0 < value < 1 and rounded in (0, 100):
        return "under 1\u00a0%" if rounded == 0 else "over 99\u00a0%"
    return f"{rounded}\u00a0%"


def percent_interval(estimate: Estimate) -> str:
    """'[39 %, 47 %]'."""
    return f"[{100 * estimate.low:.0f}\u00a0%, {100 * estimate.high:.0f}\u00a0%]" if estimate.bounded else ""


def thousands(value: float) -> str:
    """'3,600'."""
    return f"{value:,.0f}"


def count(n: int) -> str:
    """'seven' up to twelve, figures beyond."""
    return _COUNTS[n] if n < len(_COUNTS) else thousands(n)


def listed(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def seconds(value: float) -> str:
    """'4.2 s' or '3 min 5 s'."""
    if value < 60:
        return f"{value:.1f} s"
    return f"{int(value) // 60} min {int(value) % 60} s"


def visible(text: str) -> str:
    """The text with a � for each character that acts rather than shows; lengths stay, so spans still fit."""
    return _UNSEEN.sub("�", text)


def plain(value: Any) -> str:
    """A setting's value for a table."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value) or "none"
    return str(value)
