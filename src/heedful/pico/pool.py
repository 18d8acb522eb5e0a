"""A pool of grammar texts, described once: what each says, how long it is, which words it has.

Drawing a text is cheap and describing it is not, so a training run draws one pool and many dialogues from it. A text
whose intended traits the project's own verifiers do not see is left out, so that labels mean the same in training and in
a study; the share left out is reported, by trait.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import NamedTuple

from heedful.constraints.classification import get_classifier
from heedful.constraints.text import word_spans
from heedful.pico.grammar import Traits, draw_sentences, draw_traits
from heedful.prompts.words import TERMS

_INCIDENTAL = (
    "There was a {0} by the {1}.",
    "There is a {0} near the {1}.",
    "The {0} is next to the {1}.",
    "A {0} was on the {1}.",
    "The {0} and the {1} are still here.",
    "It was about a {0}, a {1} and a {2}.",
    "Next to the {0} was a {1}.",
    "The {0} was behind the {1}.",
    "One {0} was left.",
    "This was before the {0} came.",
)
"""Plain sentences that name everyday things: what an instruction to use a word can be met with in any text."""


_BEFORE_VOWEL = re.compile(r"\b([Aa])(?= (?:[aeiou]|hour))")


class PoolText(NamedTuple):
    """A text and what is true of it.

    Attributes:
        sentences: its sentences; `text` joins them with spaces.
        words, chars: counted as the verifiers count.
        vocabulary: its words, case folded.
        content_words: those of four letters or more, in order of appearance, without repeats.
    """

    text: str
    sentences: tuple[str, ...]
    traits: Traits
    words: int
    chars: int
    vocabulary: frozenset[str]
    content_words: tuple[str, ...]


class Pool(NamedTuple):
    """Texts, and how often the verifiers saw what the grammar meant (share by trait, before any was left out)."""

    texts: tuple[PoolText, ...]
    agreement: dict[str, float]


def draw_pool(seed: int, size: int) -> Pool:
    """`size` texts whose traits the offline verifiers confirm, from a seed."""
    rng = random.Random(seed)
    drawn, agreed = 0, Counter[str]()
    texts: list[PoolText] = []
    while len(texts) < size:
        traits = draw_traits(rng)
        sentences = draw_sentences(rng, traits, rng.choice((1, 1, 2, 2, 2, 3, 3, 4)))
        if rng.random() < 0.4:
            sentence = rng.choice(_INCIDENTAL).format(*rng.sample(TERMS, 3))
            sentence = _BEFORE_VOWEL.sub(r"\1n", sentence)
            sentences.insert(rng.randint(0, len(sentences)), sentence)
        text = " ".join(sentences)
        drawn += 1
        seen = {name: _confirmed(name, text, traits) for name in ("topic", "sentiment", "register", "toxicity")}
        agreed.update(name for name, confirmed in seen.items() if confirmed)
        if all(seen.values()):
            texts.append(_described(text, sentences, traits))
    return Pool(tuple(texts), {name: agreed[name] / drawn for name in ("topic", "sentiment", "register", "toxicity")})


def _confirmed(task: str, text: str, traits: Traits) -> bool:
    meant = ("toxic" if traits.toxic else "clean") if task == "toxicity" else getattr(traits, task)
    return get_classifier(task, "offline")(text).label == meant


def _described(text: str, sentences: list[str], traits: Traits) -> PoolText:
    found = [text[start:end].casefold() for start, end in word_spans(text)]
    content = tuple(dict.fromkeys(word for word in found if len(word) > 3 and word.isalpha()))
    return PoolText(text, tuple(sentences), traits, len(found), len(text), frozenset(found), content)
