"""Training dialogues: an instruction, a response of the grammar's, and check turns that say whether it complies.

Each response is a text drawn first and described in hindsight: the constraints of its instruction are made to hold for it
(follow) or, in two of five dialogues, not to hold (mismatch). Only complying responses are learnt as text; a violating one
is shown with no weight on its words, and only the check turns after it are learnt. Dense, up-weighted checks are what
teaches a small model to compare a response with its instruction. Knows no tensor and no tokenizer.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

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
from heedful.pico.pool import PoolText
from heedful.prompts.base import training_base_prompts
from heedful.prompts.tasks import TASKS, TOPICS, Task
from heedful.prompts.words import COMMON_WORDS, JSON_KEYS, TERMS

CHECK = "Check."
"""The user's turn that asks whether the response complies with its instruction."""

STRESS = 8.0

_BASES = training_base_prompts()
_PLAIN_TASKS = tuple(name for name in TASKS if name != "json")
_EVERYDAY = frozenset(TERMS)
_MORE_INCLUSION = 0.35
"""Share of complying dialogues that are made to ask for a word: the skill that is learnt last."""
_LABEL_TASKS = ("topic", "sentiment", "register", "toxicity")


class Turn(NamedTuple):
    """One message, and how much each of its tokens counts in the loss.

    Attributes:
        weight: of a token.
        stressed: words that the instruction asked for; their tokens count `STRESS` times as much. One token in forty
            tells whether a wish for a word was met, and without stress it is learnt last.
    """

    role: str
    content: str
    weight: float
    stressed: tuple[str, ...] = ()


def check_name(task: str) -> str:
    """What a check turn calls a task: 'word count' for word_count."""
    return task.replace("_", " ")


def _counted(
    rng: random.Random, kind: type[WordCount] | type[CharCount], n: int, truth: bool, scale: int
) -> Constraint:
    """A bound that a text of n units keeps or breaks, near enough to n to be worth comparing."""
    off = (rng.randint(1, 5) if rng.random() < 0.5 else rng.randint(1, 15)) * scale
    near = rng.randint(0, 2 * scale) if rng.random() < 0.4 else rng.randint(0, 10 * scale)
    form = rng.choice(("at_most", "at_least", "at_most", "at_least", "between", "exactly"))
    if form == "exactly":
        return kind(exactly=n if truth else max(1, n + rng.choice((-1, 1)) * off))
    if form == "at_most":
        return kind(at_most=n + near if truth else max(1, n - off))
    if form == "at_least":
        return kind(at_least=max(1, n - near) if truth else n + off)
    width = rng.randint(4, 10) * scale
    low = max(1, n - rng.randint(0, width)) if truth else (n + off if rng.random() < 0.5 else max(1, n - width - off))
    return kind(at_least=low, at_most=low + width)


def _term(rng: random.Random, text: PoolText, other: PoolText, present: bool, hard: bool) -> str | None:
    """A word that is, or is not, in the text, drawn from the same lists either way."""
    everyday = COMMON_WORDS if hard and rng.random() < 0.6 else TERMS
    words = [w for w in everyday if (w in text.vocabulary) == present]
    if not words or rng.random() < 0.25:
        source = text if present else other
        words = [w for w in source.content_words if (w in text.vocabulary) == present]
    return rng.choice(words) if words else None


def constraint_about(rng: random.Random, task: str, text: PoolText, other: PoolText, truth: bool) -> Constraint | None:
    """A constraint of a task that holds (truth) or does not hold for a text; None where none can be made.

    `other` is a second text, from which violated wishes are drawn, so that they look like those that are met.
    """
    traits = text.traits
    match task:
        case "word_count":
            return _counted(rng, WordCount, text.words, truth, 1)
        case "char_count":
            return _counted(rng, CharCount, text.chars, truth, 6)
        case "include":
            term = _term(rng, text, other, truth, hard=False)
            return Include(terms=(term,)) if term else None
        case "exclude":
            term = _term(rng, text, other, not truth, hard=True)
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


def as_json(rng: random.Random, text: PoolText) -> tuple[str, tuple[str, ...]]:
    """The text's sentences as the values of one JSON object, and its keys."""
    sentences = list(text.sentences)
    n = min(rng.choice((1, 2, 2, 3)), len(sentences))
    cuts = [0, *sorted(rng.sample(range(1, len(sentences)), n - 1)), len(sentences)]
    keys = tuple(rng.sample(JSON_KEYS, n))
    values = [" ".join(sentences[a:b]) for a, b in pairwise(cuts)]
    return json.dumps(dict(zip(keys, values, strict=True))), keys


def json_constraint(rng: random.Random, keys: tuple[str, ...], truth: bool) -> JsonFormat:
    if truth:
        asked = rng.sample(keys, rng.randint(1, len(keys)) if rng.random() < 0.3 else len(keys))
        return JsonFormat(keys=tuple(asked))
    others = [key for key in JSON_KEYS if key not in keys]
    asked = rng.sample(others, rng.randint(1, 3))
    if len(asked) > 1 and keys and rng.random() < 0.4:
        asked[0] = rng.choice(keys)
    rng.shuffle(asked)
    return JsonFormat(keys=tuple(asked))


def _phrased(rng: random.Random, task: Task, constraint: Constraint) -> tuple[str, bool]:
    """A clause for a constraint in a paraphrase that may be trained on, and whether it goes ahead of the base prompt."""
    template = rng.choice([t for t in task.templates if not t.held_out])
    wording = task.wording(constraint)
    return template.clause(wording.form, **wording.slots), template.before


def _instruction(rng: random.Random, wishes: Sequence[tuple[str, Constraint]]) -> str:
    clauses = [_phrased(rng, TASKS[task], constraint) for task, constraint in wishes]
    # Two clauses ahead of the base prompt would read badly; the second one of that kind is phrased anew.
    while sum(before for _, before in clauses) > 1:
        clauses = [_phrased(rng, TASKS[task], constraint) for task, constraint in wishes]
    ahead = [clause for clause, before in clauses if before]
    behind = [clause for clause, before in clauses if not before]
    return " ".join([*ahead, rng.choice(_BASES), *behind])


def draw_dialogue(rng: random.Random, pool: Sequence[PoolText], check_weight: float) -> list[Turn]:
    """One dialogue: instruction, response, a check of the instruction, and up to three stated checks.

    Args:
        rng: the only source of randomness.
        pool: texts to draw responses from.
        check_weight: loss weight of a token of a check's answer, where a token of a response has 1.
    """
    text, other = rng.choice(pool), rng.choice(pool)
    follow = rng.random() < 0.6
    tasks = rng.sample(_PLAIN_TASKS, rng.choice((0, 1, 1, 1, 2, 2, 2, 3, 3, 3) if follow else (1, 1, 1, 1, 2, 2, 3)))
    if follow and tasks and rng.random() < _MORE_INCLUSION:
        tasks[0] = "include"
        tasks = list(dict.fromkeys(tasks))
        text = next((drawn for drawn in rng.choices(pool, k=6) if drawn.vocabulary & _EVERYDAY), text)
    response = text.text
    keys: tuple[str, ...] = ()
    if rng.random() < 0.15:  # JSON is asked for, or answered in, here; what counts words goes without it
        response, keys = as_json(rng, text)
        tasks = ["json", *(t for t in tasks[:2] if t in _LABEL_TASKS)]
    elif not follow and rng.random() < 0.08:
        tasks[0] = "json"

    wishes: list[tuple[str, Constraint]] = []
    answers: list[tuple[str, bool]] = []
    for task in tasks:
        truth = follow or rng.random() < 0.35
        if task == "json":
            truth = truth and bool(keys)
            constraint: Constraint | None = json_constraint(rng, keys, truth)
        else:
            constraint = constraint_about(rng, task, text, other, truth)
        if constraint is not None:
            wishes.append((task, constraint))
            answers.append((task, truth))
    complies = all(truth for _, truth in answers)
    stressed = tuple(term for _, wish in wishes if isinstance(wish, Include) for term in wish.terms)
    turns = [
        Turn("user", _instruction(rng, wishes), 0.0),
        Turn("assistant", response, 1.0 if complies else 0.0, stressed),
    ]
    if answers:
        said = ", ".join(f"{check_name(task)} {'yes' if truth else 'no'}" for task, truth in answers)
        turns += [Turn("user", CHECK, 0.0), Turn("assistant", said, check_weight)]
    for task in rng.sample(_LABEL_TASKS if keys else _PLAIN_TASKS, rng.choice((0, 1, 2))):
        truth = rng.random() < 0.5
        constraint = constraint_about(rng, task, text, other, truth)
        if constraint is not None:
            clause, _ = _phrased(rng, TASKS[task], constraint)
            turns += [
                Turn("user", f"{CHECK} {clause}", 0.0),
                Turn("assistant", f"{check_name(task)} {'yes' if truth else 'no'}", check_weight),
            ]
    return turns
