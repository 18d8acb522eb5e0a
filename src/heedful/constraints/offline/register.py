"""Register: formal or informal, by a transparent linear score.

No offline library answers this. Words of register.txt add their weights (contractions, slang, chat and family words against
connectives, courtesies, passives and latinate vocabulary), and so do features of the writing itself: emoji, exclamation
runs, lower-case sentence starts, stretched letters, long words, nominal suffixes, long sentences. The sum is divided by the
square root of the length, so that one contraction does not make a page informal, and compared with zero. Knows English only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from math import exp, sqrt
from typing import NamedTuple

from heedful.constraints.classification import Classification
from heedful.constraints.offline.lexicon import Lexicon, load_lexicon
from heedful.constraints.offline.words import has_latin_letters, words

LEAST_EVIDENCE = 0.1
"""Absolute score below which a text says too little about its register."""


class Mark(NamedTuple):
    """A feature of the writing itself: where it is found (all that matches, or the group `here`), and what each find weighs."""

    name: str
    pattern: re.Pattern[str]
    weight: float


_START = r"(?:\A|(?<=[.!?]\s)|(?<=\n))"  # of a sentence
_DROPPED_SUBJECT = (
    r"(?:Got|Was|Were|Been|Went|Came|Saw|Bought|Rang|Took|Did|Didn't|Can't|Might|Hope|Hoping|Thinking|Just|Anyone|Any|"
    r"Still|Not)\b"
)

MARKS = (
    Mark("emoji", re.compile(r"[☀-➿\U0001F300-\U0001FAFF❤]|(?<!\w)(?:[:;]-?[)(DPp/|]|<3|\^_\^)(?!\w)"), -3.0),
    Mark("exclamation run", re.compile(r"[!?]{2,}"), -3.0),
    Mark("exclamation mark", re.compile(r"(?<![!?])!(?![!?])"), -1.0),
    Mark("trailing dots", re.compile(r"\.{3,}|…"), -1.0),
    Mark("lower-case start", re.compile(r"(?:\A|(?<=[.!?])\s+|\n)(?P<here>[a-z]{2}\w*)"), -2.0),
    Mark("lower-case i", re.compile(r"\bi\b(?!\.)"), -2.0),
    Mark("stretched letters", re.compile(r"\b\w*([a-zA-Z])\1{2,}\w*\b"), -3.0),
    Mark("shouting", re.compile(r"\b[A-Z]{2,}(?:\s+[A-Z]{2,})+\b"), -2.0),
    Mark("dropped g", re.compile(r"\b\w{2,}in'(?!\w)"), -3.0),
    Mark("hashtag or handle", re.compile(r"(?<!\w)[#@][A-Za-z]\w+"), -2.0),
    Mark("dropped subject", re.compile(_START + _DROPPED_SUBJECT), -1.0),
    Mark("passive", re.compile(r"\b(?:is|are|was|were|been|be)\s+(?:\w+ly\s+)?\w{2,}(?:ed|wn|ught|ilt|ld)\b"), 0.8),
    Mark("question", re.compile(r"(?<![!?])\?(?![!?])"), -0.5),
    Mark("semicolon", re.compile(r";(?!-?[)(DPp])"), 1.0),
)

NOMINAL = re.compile(
    r"\w{4,}(?:tion|sion|ment|ance|ence|ity|ism|ness|ure|ative|itive|ical|ious|ually|ately|fully|tional)s?"
)
NOMINAL_WEIGHT = 0.8
LONG_WORD, LONG_WORD_WEIGHT = 9, 0.4
SENTENCE = re.compile(r"[.!?]+(?:\s|\Z)")
PLAIN_SENTENCE, SENTENCE_WEIGHT = 12.0, 0.06
"""A sentence of this many words speaks for neither; each further word (at most 15) adds this much, in units of the score."""


def classify(text: str) -> Classification:
    """formal or informal; None without Latin letters, or if nothing in the text speaks for either."""
    if not has_latin_letters(text):
        return Classification(None, {}, "no Latin letters: the lexicon is English")
    tokens = words(text)
    sums: dict[str, float] = defaultdict(float)
    spans: list[tuple[float, int, int]] = []
    for match in _lexicon().matches(tokens):
        for name, weight in match.entry.weights:
            sums[name] += weight
            spans.append((weight, match.start, match.end))
    for mark in MARKS:
        for found in mark.pattern.finditer(text):
            sums[mark.name] += mark.weight
            spans.append((mark.weight, *found.span("here" if "here" in mark.pattern.groupindex else 0)))
    sums["long words"] = sum(_weight_of_shape(token.text) for token in tokens)
    sentences = max(1, len(SENTENCE.findall(text)))
    length = min(15.0, len(tokens) / sentences - PLAIN_SENTENCE) if len(tokens) >= PLAIN_SENTENCE else 0.0
    score = sum(sums.values()) / sqrt(len(tokens) + 4) + SENTENCE_WEIGHT * length
    strongest = sorted(((name, value) for name, value in sums.items() if value), key=lambda item: -abs(item[1]))[:5]
    reason = f"score {score:+.2f} over {len(tokens)} words, formal above zero: " + (
        ", ".join(f"{name} {value:+.1f}" for name, value in strongest) or "no feature"
    )
    formal = round(1 / (1 + exp(-score)), 4)
    scores = {"formal": formal, "informal": round(1 - formal, 4)}
    if abs(score) < LEAST_EVIDENCE:
        return Classification(None, scores, f"too close to call, {reason}")
    sign = 1 if score > 0 else -1
    spoke = sorted((start, end) for weight, start, end in spans if weight * sign >= 1)
    return Classification("formal" if score > 0 else "informal", scores, reason, tuple(spoke))


@cache
def _weight_of_shape(word: str) -> float:
    """What a word's length and ending say, whatever it means."""
    return LONG_WORD_WEIGHT * (len(word) >= LONG_WORD) + NOMINAL_WEIGHT * bool(NOMINAL.fullmatch(word))


@cache
def _lexicon() -> Lexicon:
    return load_lexicon("register.txt")
