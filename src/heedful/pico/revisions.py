"""Drafts that break one constraint, and revisions that keep it and otherwise say what the draft said.

A draft is too long or too short, lacks a word or has one too many, is no JSON or lacks a key, is in
the wrong register or sentiment about the same things, insults or does not; only a wrong topic asks for another text.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

from heedful.constraints import CharCount, Constraint, Exclude, Include, JsonFormat, Topic, Toxicity, Verdict, WordCount
from heedful.constraints.text import word_spans
from heedful.pico.pool import Pool, PoolText
from heedful.pico.wishes import as_json, constraint_about
from heedful.prompts.tasks import TASKS
from heedful.prompts.words import COMMON_WORDS, JSON_KEYS, TERMS

_REQUESTS = ("Revise: {}.", "Please revise: {}.", "Not quite: {}.", "Try again: {}.")
HELD_OUT_REQUEST = "Please change this: {}."

_OFTEN = {"word_count": 2.0, "char_count": 2.0, "json": 2.0, "include": 1.5, "exclude": 1.5}
"""How often a task is revised, where others have 1: as they fail."""


class Revision(NamedTuple):
    """A draft that fails and a text that complies.

    Attributes:
        wishes: task and constraint, the broken one first; the revision keeps all.
        draft, revised: the two texts.
    """

    wishes: tuple[tuple[str, Constraint], ...]
    draft: str
    revised: str


def feedback(verdicts: Iterable[Verdict], request: str = _REQUESTS[0]) -> str:
    """The user's turn that asks for a revision: what the failed verdicts say is to change."""
    return request.format("; ".join(verdict.hint for verdict in verdicts if verdict.outcome == "fail"))


def draw_request(rng: random.Random) -> str:
    """One way to ask for a revision that may be trained on."""
    return rng.choice(_REQUESTS)


def draw_revision(rng: random.Random, pool: Pool) -> Revision | None:
    """A verified revision of a random task; None where the text that was drawn allows none."""
    [task] = rng.choices(list(TASKS), [_OFTEN.get(task, 1.0) for task in TASKS])
    found = _broken_and_mended(rng, pool, task)
    if found is None:
        return None
    constraint, draft, revised, text = found
    if constraint.check(draft).outcome != "fail" or not constraint.passes(revised):
        return None
    wishes = [(task, constraint)]
    if task != "topic" and rng.random() < 0.3:
        about = Topic(topic=text.traits.topic)
        if about.passes(draft) and about.passes(revised):
            wishes.append(("topic", about))
    return Revision(tuple(wishes), draft, revised)


def _broken_and_mended(rng: random.Random, pool: Pool, task: str) -> tuple[Constraint, str, str, PoolText] | None:
    match task:
        case "word_count" | "char_count":
            return _length(rng, pool, task)
        case "include" | "exclude":
            return _word(rng, pool, task)
        case "json":
            return _json(rng, pool)
        case "topic":
            text = rng.choice(pool.texts)
            asked = text.traits
            other = pool.draw(rng, lambda t: t.traits[1:] == asked[1:] and t.traits.topic != asked.topic)
            return (Topic(topic=asked.topic), other.text, text.text, text) if other else None
        case "toxicity":
            found = pool.draw(rng, lambda text: bool(text.traits.toxic and text.plain))
            if found is None:
                return None
            toxic = rng.random() < 0.5
            draft, revised = (found.plain, found.text) if toxic else (found.text, found.plain)
            return Toxicity(toxic=toxic), draft, revised, found
        case _:
            found = pool.draw(
                rng,
                lambda text: text.twin is not None and getattr(text.twin.traits, task) != getattr(text.traits, task),
            )
            if found is None or found.twin is None:
                return None
            constraint = constraint_about(rng, pool, task, found, truth=True)
            return (constraint, found.twin.text, found.text, found) if constraint else None


def _length(rng: random.Random, pool: Pool, task: str) -> tuple[Constraint, str, str, PoolText] | None:
    """A bound as a study draws it, a text that breaks it, and as many of its sentences as the bound lets be kept, with another
    one at the end where that is what fits; in the end none of them."""
    bound = TASKS[task].draw(rng)
    assert isinstance(bound, WordCount | CharCount)
    text = pool.draw(rng, lambda text: not bound.passes(text.text), tries=4)
    if text is None:
        return None
    like = [rng.choice(pool.by_topic[text.traits.topic]) for _ in range(40)]
    others = [each.sentences for each in like if each.traits == text.traits and each.text != text.text]
    added = ["", *(sentence for sentences in others for sentence in sentences)]
    for size in range(len(text.sentences), -1, -1):
        for kept in combinations(text.sentences, size):
            for sentence in added:
                revised = " ".join(filter(None, [*kept, sentence]))
                if bound.passes(revised):
                    return bound, text.text, revised, text
    return None


def _word(rng: random.Random, pool: Pool, task: str) -> tuple[Constraint, str, str, PoolText] | None:
    """The text with and without the sentences that have a word.

    Where a word is wanted, its sentences come first: anywhere else, a model that copies its draft would have to guess where
    to leave off, and the likeliest next word would always be the draft's.
    """
    excluding = task == "exclude"
    if rng.random() < 0.35:
        word = rng.choice(rng.choice(pool.texts).content_words)
    else:
        word = rng.choice(COMMON_WORDS if excluding and rng.random() < 0.6 else TERMS)
    text = pool.draw(rng, lambda text: len(text.sentences) > 1, pool.containing.get(word, []))
    if text is None:
        return None
    having = [sentence for sentence in text.sentences if _has(sentence, word)]
    others = [sentence for sentence in text.sentences if sentence not in having]
    if not others:
        return None
    without = " ".join(others)
    if excluding:
        return Exclude(terms=(word,)), text.text, without, text
    return Include(terms=(word,)), without, " ".join([*having, *others]), text


def _has(sentence: str, word: str) -> bool:
    return any(sentence[start:end].casefold() == word for start, end in word_spans(sentence))


def _json(rng: random.Random, pool: Pool) -> tuple[Constraint, str, str, PoolText]:
    """An object, and a draft that is none, lacks its last key, has one twice or has others: what can stay stays in place."""
    text = rng.choice(pool.texts)
    revised, keys = as_json(rng, text)
    values = list(json.loads(revised).values())
    n, kind = len(keys), rng.random()
    if kind < 0.3:
        draft = text.text
    elif kind < 0.45 and n > 1:  # a key twice is no JSON
        first, *rest = keys
        draft = revised.replace(f'"{rng.choice(rest)}": ', f'"{first}": ', 1)
    elif kind < 0.65 and n > 1:
        draft = json.dumps(dict(zip(keys[:-1], values[:-1], strict=True)))
    else:
        wrong = rng.sample([key for key in JSON_KEYS if key not in keys], n)
        astray = rng.sample(range(n), rng.randint(1, n))
        named = [wrong[i] if i in astray else key for i, key in enumerate(keys)]
        draft = json.dumps(dict(zip(named, values, strict=True)))
    return JsonFormat(keys=tuple(rng.sample(keys, n))), draft, revised, text


def kept_share(draft: str, revised: str) -> float:
    """Share of the draft's words of four letters or more that the revision still has; 1.0 where the draft has none."""
    before, after = (_content(text) for text in (draft, revised))
    return len(before & after) / len(before) if before else 1.0


def _content(text: str) -> set[str]:
    return {text[start:end].casefold() for start, end in word_spans(text) if end - start > 3}
