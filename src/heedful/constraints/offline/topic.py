"""Topic: which of the topics in topics.txt speaks most through the words of a text.

A word or phrase of a topic's lexicon adds its weight (3, 2 or 1), less for each repetition; a longer phrase hides the words
in it, and an idiom ('once in a blue moon') hides them for nothing. The label is the topic with the largest sum, if that is
evidence enough and ahead of the next. Knows no topic but those in the file: ask `known_topic` before trusting a miss.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache

from heedful.constraints.classification import Classification
from heedful.constraints.offline.lexicon import Lexicon, Match, load_lexicon
from heedful.constraints.offline.words import base_forms, words

LEAST_EVIDENCE = 3.0
"""Smallest sum of weights that speaks for a topic: one word that hardly occurs elsewhere, or several that are ambiguous."""

LEAST_LEAD = 0.5
"""How far, in weight, the top topic must be ahead of the next: a tie is no answer."""

REPEATS = (1.0, 0.4, 0.4)
"""What the first, second and third use of a word count, as shares of its weight; further ones count nothing."""


def classify(text: str) -> Classification:
    """The topic of an English text; label None if its words speak too little, or equally for two topics."""
    sums: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    evidence: dict[str, list[Match]] = defaultdict(list)
    for match in _lexicon().matches(words(text)):
        used = counts[match.entry.key]
        counts[match.entry.key] += 1
        for topic, weight in match.entry.weights:
            sums[topic] += weight * (REPEATS[used] if used < len(REPEATS) else 0.0)
            evidence[topic].append(match)
    if not sums:
        return Classification(None, {}, "no word of this text is in the lexicon of any topic")
    ranking = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    total = sum(sums.values())
    scores = {topic: round(value / total, 4) for topic, value in ranking}
    (top, most), (second, next_most) = (*ranking, ("none", 0.0))[:2]
    found = ", ".join(dict.fromkeys(match.entry.key for match in evidence[top]))
    numbers = f"{top} {most:.1f} ({found}), next {second} {next_most:.1f}"
    if most < LEAST_EVIDENCE:
        return Classification(None, scores, f"too little evidence (needs {LEAST_EVIDENCE:.1f}): {numbers}")
    if most - next_most < LEAST_LEAD:
        return Classification(None, scores, f"no topic is ahead by {LEAST_LEAD}: {numbers}")
    return Classification(top, scores, numbers, tuple((match.start, match.end) for match in evidence[top]))


def known_topic(name: str) -> str | None:
    """The topic that a name or alias stands for ('soccer' → 'football'), or None if the lexicons do not know it."""
    key = " ".join(name.lower().split()).removeprefix("the ")
    aliases = _lexicon().aliases
    return next((aliases[form] for form in (f"the {key}", *base_forms(key)) if form in aliases), None)


def topics() -> tuple[str, ...]:
    """The names of the topics that can be told, in alphabetical order."""
    return tuple(sorted(set(_lexicon().aliases.values())))


@cache
def _lexicon() -> Lexicon:
    return load_lexicon("topics.txt")
