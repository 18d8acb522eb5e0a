"""Sentiment: VADER's compound score, sentence by sentence, averaged.

VADER sums valences over all that it is given, so a whole page is always 'extremely' something; single sentences are what it
was made for (Hutto & Gilbert 2014). Sentences come from NLTK's untrained Punkt class: nothing is downloaded. VADER's list was
rated for social media: sentiment.txt gives it the phrases of ordinary prose ('broke down', 'worth every penny') and takes the
valence from words that mostly name a thing ('penalty', 'battle', 'profit'). Knows nothing of what is meant but not said.
"""

from __future__ import annotations

import re
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING

from heedful.constraints.classification import Classification
from heedful.constraints.offline.lexicon import Lexicon, load_lexicon
from heedful.constraints.offline.words import has_latin_letters, words

if TYPE_CHECKING:
    from nltk.tokenize.punkt import PunktSentenceTokenizer
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

POSITIVE = 0.05
"""Mean compound score, in [-1, 1], from which a text is positive."""

NEGATIVE = -0.05
"""Mean compound score to which a text is negative. The two differ: plain prose has more words that VADER likes."""

CLEAR = 0.3
"""Compound score beyond which one sentence counts as clearly for or against."""

_LINE = re.compile(r"\S[^\n\r]{0,999}(?!\S)|\S{1,1000}")
"""A line, cut between words after a thousand characters: VADER's time grows with the square of what it is given."""


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
        for line in _LINE.finditer(text, start, end):
            if has_latin_letters(line[0]):
                spans.append((line.start(), line.start() + len(line[0].rstrip())))
    return spans


def _compound(sentence: str) -> float:
    """VADER's score of the sentence, each find of sentiment.txt standing there as one word that VADER was given."""
    parts, end = [], 0
    for match in _lexicon().matches(words(sentence)):
        name = _name(match.entry.key)
        parts += [sentence[end : match.start], name.upper() if sentence[match.start : match.end].isupper() else name]
        end = match.end
    return float(_vader().polarity_scores("".join(parts) + sentence[end:])["compound"])


def _name(phrase: str) -> str:
    """A phrase as one word that VADER does not know yet and strips nothing from: 'gave up' → '§gave_up'."""
    return "§" + "".join(letter if letter.isalnum() else "_" for letter in phrase)


@cache
def _punkt() -> PunktSentenceTokenizer:
    from nltk.tokenize.punkt import PunktSentenceTokenizer  # over a second to import: only who asks pays

    return PunktSentenceTokenizer()


@cache
def _vader() -> SentimentIntensityAnalyzer:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()  # its own copy of the list: nobody else's VADER changes
    analyzer.lexicon.update((_name(phrase), valence) for phrase, valence in _lexicon().valences())
    return analyzer


@cache
def _lexicon() -> Lexicon:
    return load_lexicon("sentiment.txt")
