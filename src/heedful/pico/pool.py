"""A pool of grammar texts, described once: what each says, how long it is, which words it has.

Drawing a text is cheap and describing it is not, so training draws one pool and many dialogues from it. A text whose
intended traits the project's own verifiers do not see is left out, so that labels mean the same in training and in a
study; the share left out is reported, by trait.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from heedful.constraints.classification import get_classifier
from heedful.constraints.text import word_spans
from heedful.pico.grammar import REGISTERS, SENTIMENTS, Traits, draw_sentences, draw_traits
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
_SLIP = 0.2
"""How often a sentence beside the one that carries topic and tone is in the other register; the text's label stays."""
_TWINS = 0.35
_CHUNK = 1000
_JUDGED = ("topic", "sentiment", "register", "toxicity")


class Twin(NamedTuple):
    """A text about the same things and people as another, but in the other register or another sentiment."""

    text: str
    traits: Traits


class PoolText(NamedTuple):
    """A text and what is true of it.

    Attributes:
        sentences: its sentences; `text` joins them with spaces.
        plain: the same without insults, joined; equal to `text` where it is not toxic.
        twin: its twin, where one was drawn.
        words, chars: counted as the verifiers count.
        vocabulary: its words, case folded.
        content_words: those of four letters or more, in order of appearance, without repeats.
    """

    text: str
    sentences: tuple[str, ...]
    plain: str
    traits: Traits
    twin: Twin | None
    words: int
    chars: int
    vocabulary: frozenset[str]
    content_words: tuple[str, ...]


class Pool:
    """Texts to draw from, by what they say.

    Attributes:
        texts: all of them.
        agreement: how often the verifiers saw what the grammar meant: share by trait, before any text was left out.
    """

    def __init__(self, texts: Iterable[PoolText], agreement: dict[str, float]) -> None:
        self.texts = tuple(texts)
        self.agreement = agreement

    @cached_property
    def by_topic(self) -> dict[str, list[PoolText]]:
        """The texts of each topic."""
        found: dict[str, list[PoolText]] = {}
        for text in self.texts:
            found.setdefault(text.traits.topic, []).append(text)
        return found

    @cached_property
    def containing(self) -> dict[str, list[PoolText]]:
        """The texts that have a word, case folded."""
        found: dict[str, list[PoolText]] = {}
        for text in self.texts:
            for word in text.vocabulary:
                found.setdefault(word, []).append(text)
        return found

    def draw(
        self,
        rng: random.Random,
        fits: Callable[[PoolText], bool],
        among: Sequence[PoolText] | None = None,
        tries: int = 40,
    ) -> PoolText | None:
        """A text that fits, out of `tries` drawn; None where none did."""
        among = self.texts if among is None else among
        drawn = (rng.choice(among) for _ in range(tries if among else 0))
        return next((text for text in drawn if fits(text)), None)

    def save(self, path: Path) -> None:
        """Write the texts as JSON lines, the agreement first."""
        rows: list[Any] = [self.agreement, *([t.sentences, t.plain, t.traits, t.twin] for t in self.texts)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Pool:
        """The pool that `save` wrote."""
        with path.open(encoding="utf-8") as lines:
            agreement = json.loads(next(lines))
            texts = []
            for sentences, plain, traits, twin in map(json.loads, lines):
                other = Twin(twin[0], Traits(*twin[1])) if twin else None
                texts.append(_described(sentences, plain, Traits(*traits), other))
        return cls(texts, agreement)


def draw_pool(seed: int, size: int, workers: int = 1) -> Pool:
    """`size` texts whose traits the offline verifiers confirm; a function of seed and size, whatever the workers."""
    chunks = [(f"{seed}/{start}", min(_CHUNK, size - start)) for start in range(0, size, _CHUNK)]
    if workers == 1 or len(chunks) == 1:
        parts = [_draw_chunk(chunk) for chunk in chunks]
    else:
        with ProcessPoolExecutor(workers) as executor:
            parts = list(executor.map(_draw_chunk, chunks))
    drawn = sum(drawn for _, _, drawn in parts)
    agreed = sum((agreed for _, agreed, _ in parts), Counter[str]())
    return Pool((text for texts, _, _ in parts for text in texts), {name: agreed[name] / drawn for name in _JUDGED})


def _draw_chunk(chunk: tuple[str, int]) -> tuple[list[PoolText], Counter[str], int]:
    """Confirmed texts, how many of all drawn were confirmed by trait, and how many were drawn."""
    seed, size = chunk
    rng, drawn, agreed = random.Random(seed), 0, Counter[str]()
    texts: list[PoolText] = []
    while len(texts) < size:
        traits, count, cast = draw_traits(rng), rng.choice((1, 1, 2, 2, 2, 3, 3, 4)), rng.getrandbits(32)
        sentences, plain = draw_sentences(rng, traits, count, cast=cast, slip=_SLIP)
        if rng.random() < 0.4:
            sentence = rng.choice(_INCIDENTAL).format(*rng.sample(TERMS, 3))
            sentence = _BEFORE_VOWEL.sub(r"\1n", sentence)
            place = rng.randint(0, len(plain))
            sentences.insert(place, sentence)
            plain.insert(place, sentence)
        drawn += 1
        seen = _confirmed(" ".join(sentences), traits)
        agreed.update(seen)
        if len(seen) == len(_JUDGED):
            twin = _draw_twin(rng, traits, count, cast) if rng.random() < _TWINS else None
            texts.append(_described(sentences, " ".join(plain), traits, twin))
    return texts, agreed, drawn


def _draw_twin(rng: random.Random, traits: Traits, count: int, cast: int) -> Twin | None:
    if rng.random() < 0.5:
        other = traits._replace(register=REGISTERS[1 - REGISTERS.index(traits.register)])
    else:
        other = traits._replace(sentiment=rng.choice([s for s in SENTIMENTS if s != traits.sentiment]))
    text = " ".join(draw_sentences(rng, other, count, cast=cast).said)
    return Twin(text, other) if len(_confirmed(text, other)) == len(_JUDGED) else None


def _confirmed(text: str, traits: Traits) -> list[str]:
    """The tasks whose verifier sees the trait that was meant."""
    meant = traits._asdict() | {"toxicity": "toxic" if traits.toxic else "clean"}
    return [task for task in _JUDGED if get_classifier(task, "offline")(text).label == meant[task]]


def _described(sentences: Sequence[str], plain: str, traits: Traits, twin: Twin | None) -> PoolText:
    text = " ".join(sentences)
    found = [text[start:end].casefold() for start, end in word_spans(text)]
    content = tuple(dict.fromkeys(word for word in found if len(word) > 3 and word.isalpha()))
    return PoolText(text, tuple(sentences), plain, traits, twin, len(found), len(text), frozenset(found), content)
