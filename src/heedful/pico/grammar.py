"""Draws fluent English texts whose topic, sentiment, register and toxicity are independent of each other.

A text is a list of sentences; a sentence is one frame of a context-free grammar, expanded at random. The rules are
data: `words/frames.yaml` (sentences), `words/topics.yaml` (content words by topic), `words/names.yaml`. The traits
that a text is drawn with are its intended labels: this file knows neither the verifiers that judge texts nor the models
that are trained on them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import yaml

from heedful.errors import InputError

SENTIMENTS = ("positive", "negative", "neutral")
REGISTERS = ("formal", "informal")

_Rules = dict[str, list[list[str]]]
"""Rule name to its alternatives; an alternative is literal, rule, literal, rule, …, literal."""


class Traits(NamedTuple):
    """What a text is about and how it is said."""

    topic: str
    sentiment: str
    register: str
    toxic: bool


def _bank(name: str) -> dict[str, Any]:
    text = (resources.files("heedful.pico") / "words" / f"{name}.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return loaded


_FRAMES = _bank("frames")
_NAMES = _bank("names")
_TOPICS = _bank("topics")

TOPICS: tuple[str, ...] = tuple(sorted(_TOPICS))


def gerund(base: str, past: str) -> str:
    """The -ing form of a verb, from its base and past: stop, stopped → stopping; hire → hiring; lie → lying."""
    if base.endswith("ie"):
        return base[:-2] + "ying"
    if base.endswith("e") and not base.endswith(("ee", "oe", "ye")):
        return base[:-1] + "ing"
    doubled = base + base[-1]
    one_short_syllable = re.fullmatch(r"[^aeiou]*(?:qu)?[aeiou][^aeiouwxy]", base) is not None
    if past == doubled + "ed" or (one_short_syllable and not past.endswith("ed")) or base in ("reset",):
        return doubled + "ing"
    return base + "ing"


def _verb_forms(acts: list[str]) -> dict[str, list[str]]:
    """Three forms of each act, from 'bake/baked a loaf'."""
    forms: dict[str, list[str]] = {"do": [], "did": [], "doing": []}
    for act in acts:
        base, rest = act.split("/", 1)
        past, _, tail = rest.partition(" ")
        forms["do"].append(f"{base} {tail}")
        forms["did"].append(f"{past} {tail}")
        forms["doing"].append(f"{gerund(base, past)} {tail}")
    return forms


@cache
def _rules(topic: str, sentiment: str, register: str) -> _Rules:
    """Every rule that a text with these traits may use."""
    bank = _TOPICS[topic]
    content = {slot: bank[plural] for slot, plural in _CONTENT.items()} | _verb_forms(bank["acts"])
    layers: tuple[Mapping[str, list[str]], ...] = (
        _NAMES,
        _FRAMES["shared"],
        _FRAMES[register],
        _FRAMES[f"{register}_{sentiment}"],
        content,
    )
    return {name: [_SLOT.split(text) for text in texts] for layer in layers for name, texts in layer.items()}


_SLOT = re.compile(r"\{(\w+)\}")
_CONTENT = {
    "person": "people", "thing": "things", "stuff": "stuff", "place": "places", "event": "events", "kind": "kinds",
}  # fmt: skip


def _expand(rng: random.Random, rules: _Rules, name: str) -> str:
    choices = rules[name]
    parts = choices[int(rng.random() * len(choices))]
    if len(parts) == 1:
        return parts[0]
    return "".join([_expand(rng, rules, part) if index % 2 else part for index, part in enumerate(parts)])


_ARTICLE = re.compile(r"\b([Aa])n? (?=(\w+))")
_SOUNDS_CONSONANT = re.compile(r"uni(?!n)|use|usual|util|eu|one\b|once", re.IGNORECASE)
_SOUNDS_VOWEL = re.compile(r"hour|honest|honour|heir|x\b", re.IGNORECASE)
_IS = re.compile(r"(\w)~s")
_HISSES = re.compile(r"(?:s|x|z|ch|sh|[cgsz]e)~s")


def _article(match: re.Match[str]) -> str:
    word = match[2]
    vowel = (word[0] in "aeiouAEIOU" and not _SOUNDS_CONSONANT.match(word)) or _SOUNDS_VOWEL.match(word)
    return f"{match[1]}{'n' if vowel else ''} "


def _finish(sentence: str) -> str:
    """Right articles, 'is' contracted where it can be said ('the rose is', 'the tulip's'), a capital at the start."""
    if "~" in sentence:
        sentence = _IS.sub(r"\1's", _HISSES.sub(lambda match: match[0][:-2] + " is", sentence))
    sentence = _ARTICLE.sub(_article, sentence).replace(",,", ",")
    for mark in ".!?":
        sentence = sentence.replace("," + mark, mark)
    return sentence[0].upper() + sentence[1:]


_MAY_REPEAT = frozenset(
    """a all an and are as at be but by can't dr for from get gonna got gotta had has have how i i'm in is it it's its
    just like me mr mrs ms most my no not of off on one or our out over so such than that the then there's they they've
    this to too us very was we we'll we're what who with you""".split()
)


def _repeats(sentence: str) -> bool:
    """Whether a content word stands twice in it: 'a fine frame and a fine easel'."""
    words = [word for word in sentence.lower().translate(_NO_MARKS).split() if word not in _MAY_REPEAT]
    return len(set(words)) < len(words)


_NO_MARKS = str.maketrans("~", "'", ".,!?")


def _insulted(rng: random.Random, rules: _Rules, sentence: str) -> str:
    """The sentence with an insult before it or at its end; what it says stays."""
    addresses_already = "," in sentence[:14]  # 'hey Sam, ...'
    if addresses_already or rng.random() < 0.6:
        end = "vocative" if sentence[-1] == "?" else "taunt_end"
        return sentence[:-1] + _expand(rng, rules, end) + sentence[-1]
    return _expand(rng, rules, "taunt_start") + sentence


def _plain(rng: random.Random, rules: _Rules, sentiment: str, position: int, carries: bool) -> str:
    """One sentence without insults; `carries` asks for the topic and the sentiment both."""
    evaluates = sentiment != "neutral" and (carries or rng.random() < 0.7)
    length = 1.0 if carries or position == 0 else rng.random()
    if length < 0.15:
        return _expand(rng, rules, "remark" if evaluates else "remark_neutral")
    kind = "view" if evaluates else "fact"
    return _expand(rng, rules, f"{kind}_brief" if length < 0.3 else kind)


_CAST = {"thing": 5, "person": 3, "event": 2, "name": 5, "surname": 3}
"""How many of each a single text speaks of, so that its sentences hang together."""


def _of_one_text(rng: random.Random, rules: _Rules) -> _Rules:
    """The rules with a few things, people and events only."""
    few = {}
    for slot, count in _CAST.items():
        choices = rules[slot]
        few[slot] = [choices[int(rng.random() * len(choices))] for _ in range(count)]
    return rules | few


def draw_traits(rng: random.Random, toxic_share: float = 0.35) -> Traits:
    """Four independent traits; `toxic_share` is the probability of a toxic text."""
    return Traits(rng.choice(TOPICS), rng.choice(SENTIMENTS), rng.choice(REGISTERS), rng.random() < toxic_share)


class Sentences(NamedTuple):
    """The sentences of a text, and the same without its insults (fewer, where a whole sentence was one)."""

    said: list[str]
    plain: list[str]


def draw_sentences(
    rng: random.Random, traits: Traits, sentences: int, *, cast: int | None = None, slip: float = 0.0
) -> Sentences:
    """That many sentences (at least one); all four traits show in the whole, not in each.

    Args:
        rng: the only source of randomness.
        traits: what the text is about and how it is said.
        sentences: how many.
        cast: texts of one topic and one cast speak of the same things and people; None draws one.
        slip: probability that a sentence is in the other register, except the one that carries topic and tone.
    """
    if sentences < 1:
        raise InputError(f"A text of {sentences} sentences cannot be drawn.", "Ask for at least one sentence.")
    cast = rng.getrandbits(32) if cast is None else cast
    rules, other = (
        _of_one_text(random.Random(cast), _rules(traits.topic, traits.sentiment, register))
        for register in (traits.register, REGISTERS[1 - REGISTERS.index(traits.register)])
    )
    carrier = int(rng.random() * sentences)
    target = int(rng.random() * sentences) if traits.toxic else -1
    said: list[str] = []
    plain: list[str] = []
    for position in range(sentences):
        spoken = other if position != carrier and rng.random() < slip else rules
        for _ in range(_TRIES):
            if position == target != carrier and rng.random() < 0.6:
                text, kept = _expand(rng, rules, "attack"), None
            else:
                text = kept = _plain(rng, spoken, traits.sentiment, position, position == carrier)
                if traits.toxic and (position == target or rng.random() < 0.25):
                    text = _insulted(rng, rules, text)
            text = _finish(text)
            opening = text.split(" ", 2)[:2]
            if not _repeats(text) and all(earlier.split(" ", 2)[:2] != opening for earlier in said):
                break
        said.append(text)
        plain += [_finish(kept)] if kept is not None else []
    return Sentences(said, plain)


_TRIES = 5
"""Draws before a sentence that repeats a word, or the opening of an earlier sentence, is let pass."""


def draw_text(rng: random.Random, traits: Traits, sentences: int) -> str:
    """A text of that many sentences (at least one), separated by single spaces."""
    return " ".join(draw_sentences(rng, traits, sentences).said)
