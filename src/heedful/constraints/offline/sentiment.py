"""Sentiment: VADER's compound score, sentence by sentence, averaged.

VADER sums valences over all that it is given, so a whole page is always 'extremely' something; single sentences are what it
was made for (Hutto & Gilbert 2014). Sentences come from NLTK's untrained Punkt class: nothing is downloaded.
"""

from __future__ import annotations

from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING

from heedful.constraints.classification import Classification
from heedful.constraints.offline.words import has_latin_letters

if TYPE_CHECKING:
    from nltk.tokenize.punkt import PunktSentenceTokenizer
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

POSITIVE = 0.15
"""Mean compound score, in [-1, 1], from which a text is positive."""

NEGATIVE = -0.1
"""Mean compound score to which a text is negative. The two differ: plain prose has more words that VADER likes."""

CLEAR = 0.3
"""Compound score beyond which one sentence counts as clearly for or against."""


def classify(text: str) -> Classification:
    """positive, negative or neutral (which a balanced mixture is too); None if there is no English to read."""
    if not has_latin_letters(text):
        return Classification(None, {}, "no Latin letters: the lexicon is English")
    sentences = [(start, end, _compound(text[start:end])) for start, end in _sentences(text)]
    mean = fmean(score for _, _, score in sentences)
    label = "positive" if mean >= POSITIVE else "negative" if mean <= NEGATIVE else "neutral"
    liked = sum(score >= CLEAR for _, _, score in sentences)
    disliked = sum(score <= -CLEAR for _, _, score in sentences)
    mixed = ", mixed" if liked and disliked else ""
    reason = (
        f"mean VADER score {mean:+.2f} over {len(sentences)} sentence{'s' * (len(sentences) != 1)} "
        f"({liked} clearly positive, {disliked} clearly negative{mixed}); "
        f"positive from {POSITIVE:+.2f}, negative to {NEGATIVE:+.2f}"
    )
    sign = {"positive": 1, "negative": -1}.get(label, 0)
    spans = tuple((start, end) for start, end, score in sentences if sign and score * sign >= CLEAR)
    return Classification(label, _scores(mean), reason, spans)


def _scores(mean: float) -> dict[str, float]:
    """Memberships that sum to one: neutral falls linearly from the middle of its band, half at either threshold."""
    middle = (POSITIVE + NEGATIVE) / 2
    outside = min(1.0, abs(mean - middle) / (POSITIVE - NEGATIVE))
    neutral = 1.0 - outside
    positive, negative = (outside, 0.0) if mean > middle else (0.0, outside)
    return {"positive": round(positive, 4), "negative": round(negative, 4), "neutral": round(neutral, 4)}


def _sentences(text: str) -> list[tuple[int, int]]:
    """Sentences, and lines within them: a list's items and a letter's greeting are sentences of their own."""
    spans = []
    for start, end in _punkt().span_tokenize(text):
        for line in text[start:end].splitlines(keepends=True):
            stop = start + len(line)
            if has_latin_letters(line):
                spans.append((start, stop - (len(line) - len(line.rstrip()))))
            start = stop
    return spans


def _compound(sentence: str) -> float:
    return float(_vader().polarity_scores(sentence)["compound"])


@cache
def _punkt() -> PunktSentenceTokenizer:
    from nltk.tokenize.punkt import PunktSentenceTokenizer  # over a second to import: only who asks pays

    return PunktSentenceTokenizer()


@cache
def _vader() -> SentimentIntensityAnalyzer:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
