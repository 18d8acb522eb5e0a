"""Constraints that a text of the grammar keeps or breaks, and texts that keep or break a constraint.

A check is only learnt as a comparison if neither the constraint nor the text alone gives its answer away: so bounds and
words are drawn first where they can be, and a text is found to keep or break them. Knows neither dialogues nor models.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import pairwise

from heedful.constraints import (
    CharCount,
    Constraint,
    Exclude,
    Include,
    JsonFormat,
    Register,
    Sentiment,
    Topic,
    Toxicity,
    WordCount,
)  # fmt: skip
from heedful.pico.grammar import REGISTERS, SENTIMENTS
from heedful.pico.pool import Pool, PoolText
from heedful.prompts.tasks import TASKS, TOPICS
from heedful.prompts.words import COMMON_WORDS, JSON_KEYS, TERMS

LABEL_TASKS = ("topic", "sentiment", "register", "toxicity")
PLAIN_TASKS = tuple(name for name in TASKS if name != "json")

NEAREST_MISS = 0.12
"""A bound that is broken is missed by at least this share of it: a small model estimates length, it does not count."""


def constraint_and_text(rng: random.Random, pool: Pool, task: str, truth: bool) -> tuple[Constraint, PoolText] | None:
    """A constraint of a task with a text that keeps it (truth) or breaks it; None where no such text was met."""
    match task:
        case "word_count" | "char_count":
            bound = TASKS[task].draw(rng)
            text = text_for(rng, pool, bound, truth)
        case "include" | "exclude":
            word, topic = _word(rng, pool, hard=task == "exclude")
            bound = (Include if task == "include" else Exclude)(terms=(word,))
            # Where it is missing, in a text of the same topic, so that the topic does not tell that it is.
            text = text_for(rng, pool, bound, truth, topic)
        case _:
            labelled = rng.choice(pool.texts)
            about = constraint_about(rng, pool, task, labelled, truth)
            return (about, labelled) if about else None
    return (bound, text) if text else None


def text_for(rng: random.Random, pool: Pool, constraint: Constraint, truth: bool, topic: str = "") -> PoolText | None:
    """A text that keeps (truth) or breaks a constraint on plain text; None where no such text was met.

    Args:
        topic: of a text in which a word is missing; any if empty.
    """
    match constraint:
        case WordCount() | CharCount():
            return pool.draw(rng, _keeps(constraint, truth))
        case Include() | Exclude():
            [word] = constraint.terms
            if truth == isinstance(constraint, Include):
                return pool.draw(rng, lambda text: True, pool.containing.get(word, []))
            return pool.draw(
                rng, lambda text: word not in text.vocabulary, pool.by_topic[topic] if topic else pool.texts
            )
        case Topic():
            if truth:
                return rng.choice(pool.by_topic[constraint.topic])
            return pool.draw(rng, lambda text: text.traits.topic != constraint.topic)
        case Sentiment():
            return pool.draw(rng, lambda text: (text.traits.sentiment == constraint.sentiment) == truth)
        case Register():
            return pool.draw(rng, lambda text: (text.traits.register == constraint.level) == truth)
        case Toxicity():
            return pool.draw(rng, lambda text: (text.traits.toxic == constraint.toxic) == truth)
        case _:
            raise ValueError(f"no plain text for {constraint!r}")


def _keeps(bound: Constraint, truth: bool) -> Callable[[PoolText], bool]:
    """Whether a text keeps a bound, or breaks it clearly."""
    assert isinstance(bound, WordCount | CharCount)
    low = bound.exactly if bound.exactly is not None else bound.at_least or 0
    high = bound.exactly if bound.exactly is not None else bound.at_most or 10**6

    def fits(text: PoolText) -> bool:
        n = text.words if isinstance(bound, WordCount) else text.chars
        return low <= n <= high if truth else n < low * (1 - NEAREST_MISS) or n > high * (1 + NEAREST_MISS)

    return fits


def _word(rng: random.Random, pool: Pool, hard: bool) -> tuple[str, str]:
    """A word to ask for or to forbid, and the topic it is drawn from; '' for an everyday word."""
    if rng.random() < 0.6:
        text = rng.choice(pool.texts)
        return rng.choice(text.content_words), text.traits.topic
    return rng.choice(COMMON_WORDS if hard and rng.random() < 0.7 else TERMS), ""


def constraint_about(rng: random.Random, pool: Pool, task: str, text: PoolText, truth: bool) -> Constraint | None:
    """A constraint of a task that a given text keeps (truth) or breaks; None where none can be made."""
    traits = text.traits
    match task:
        case "word_count":
            return _bound(rng, WordCount, text.words, truth)
        case "char_count":
            return _bound(rng, CharCount, text.chars, truth)
        case "include":
            term = _term(rng, pool, text, truth, hard=False)
            return Include(terms=(term,)) if term else None
        case "exclude":
            term = _term(rng, pool, text, not truth, hard=True)
            return Exclude(terms=(term,)) if term else None
        case "topic":
            return Topic(topic=traits.topic if truth else rng.choice([t for t in TOPICS if t != traits.topic]))
        case "sentiment":
            wrong = [s for s in SENTIMENTS if s != traits.sentiment]
            return Sentiment.model_validate({"sentiment": traits.sentiment if truth else rng.choice(wrong)})
        case "register":
            level = traits.register if truth else REGISTERS[1 - REGISTERS.index(traits.register)]
            return Register.model_validate({"level": level})
        case "toxicity":
            return Toxicity(toxic=traits.toxic == truth)
        case _:
            raise ValueError(f"no constraint about a plain text for task {task!r}")


def _bound(rng: random.Random, kind: type[WordCount] | type[CharCount], n: int, truth: bool) -> Constraint:
    """A bound that a text of n units keeps, or breaks clearly."""
    scale = 6 if kind is CharCount else 1
    below = max(1, int(n * (1 - NEAREST_MISS - rng.random() * 0.6)))
    above = int(n * (1 + NEAREST_MISS) / (1 - NEAREST_MISS) * (1 + rng.random() * 0.8)) + 2
    slack = round(n * rng.random() * 0.6)
    form = rng.choice(("at_most", "at_least", "at_most", "at_least", "between", "exactly"))
    if form == "exactly":
        return kind(exactly=n if truth else rng.choice((below, above)))
    if form == "at_most":
        return kind(at_most=n + slack if truth else below)
    if form == "at_least":
        return kind(at_least=max(1, n - slack) if truth else above)
    width = rng.randint(4, 10) * scale
    low = max(1, n - rng.randint(0, width)) if truth else rng.choice((above, max(1, below - width)))
    return kind(at_least=low, at_most=max(low, below) if not truth and low < below else low + width)


def _term(rng: random.Random, pool: Pool, text: PoolText, present: bool, hard: bool) -> str | None:
    """A word that is, or is not, in the text, drawn from the same lists either way."""
    everyday = COMMON_WORDS if hard and rng.random() < 0.6 else TERMS
    words = [w for w in everyday if (w in text.vocabulary) == present]
    if not words or rng.random() < 0.5:
        source = text if present else rng.choice(pool.by_topic[text.traits.topic])
        words = [w for w in source.content_words if (w in text.vocabulary) == present]
    return rng.choice(words) if words else None


def as_json(rng: random.Random, text: PoolText) -> tuple[str, tuple[str, ...]]:
    """The text's sentences as the values of one JSON object, and its keys."""
    n = min(rng.choice((1, 2, 2, 3)), len(text.sentences))
    keys = tuple(rng.sample(JSON_KEYS, n))
    return json_of(rng, text.sentences, keys), keys


def json_of(rng: random.Random, sentences: tuple[str, ...], keys: tuple[str, ...]) -> str:
    """One JSON object with these keys, its values the sentences in order; at least as many sentences as keys."""
    cuts = [0, *sorted(rng.sample(range(1, len(sentences)), len(keys) - 1)), len(sentences)]
    values = [" ".join(sentences[a:b]) for a, b in pairwise(cuts)]
    return json.dumps(dict(zip(keys, values, strict=True)))


def json_constraint(rng: random.Random, keys: tuple[str, ...], truth: bool) -> JsonFormat:
    """A wish for JSON that an object with these keys keeps or breaks; a text that is no JSON has no keys."""
    if truth:
        asked = rng.sample(keys, rng.randint(1, len(keys)) if rng.random() < 0.3 else len(keys))
        return JsonFormat(keys=tuple(asked))
    others = [key for key in JSON_KEYS if key not in keys]
    asked = rng.sample(others, rng.choice((1, 2, 2, 3)))
    if len(asked) > 1 and keys and rng.random() < 0.4:
        asked[0] = rng.choice(keys)
    rng.shuffle(asked)
    return JsonFormat(keys=tuple(asked))
