"""Training dialogues: an instruction, a response of the grammar's, and the turns that show whether it complies.

Only complying responses are learnt as text; a violating one is shown with no weight on its words, and what is learnt of it
is what follows: that the conversation goes on (where a complying answer may end it), what a check turn says, which feedback
a user gives, and the revision. Dense, up-weighted checks are what teaches a small model to compare a response with its
instruction. Knows no tensor and no tokenizer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from heedful.constraints import Include, JsonFormat
from heedful.pico.checks import CHECK, Wish, check_answer, found_by_verifier, found_in
from heedful.pico.phrasing import instruction_text, phrased
from heedful.pico.pool import Pool
from heedful.pico.revisions import draw_request, draw_revision, feedback
from heedful.pico.wishes import (
    LABEL_TASKS,
    PLAIN_TASKS,
    as_json,
    constraint_about,
    constraint_and_text,
    json_constraint,
    text_for,
)
from heedful.prompts.base import training_base_prompts
from heedful.prompts.tasks import TASKS

STRESS = 8.0
_AGAIN = ("Again.", "No. Again.", "Another one, please.", "Not that: another answer.")
_MOST_AGAIN = 4

_BASES = training_base_prompts()


class Mixture(NamedTuple):
    """What dialogues are made of; shares are probabilities.

    Attributes:
        revisions: share of dialogues with a failing draft, feedback and a revision.
        follow: share of the others whose response complies by intention.
        json: share of those that ask for JSON, or answer in it.
        ends: share of complying answers that end the conversation; after a violating one it always goes on.
        again: share of violating answers after which the user asks for another one, instead of a check.
        constraints: relative frequencies of instructions with none, one, two, … constraints.
        tasks: how often a task is asked for or checked, where others have 1; JSON's share is `json`.
        stated: the most checks of a constraint that the check turn states itself.
        check_weight: loss weight of a token of a check's answer; a response's token has 1.
        outcome_weight: of the token that tells, at a response's end, whether the conversation goes on.
    """

    revisions: float
    follow: float
    json: float
    ends: float
    constraints: Sequence[float]
    stated: int
    check_weight: float
    outcome_weight: float
    again: float = 0.0
    tasks: Mapping[str, float] = MappingProxyType({})

    def draw_tasks(self, rng: random.Random, among: Sequence[str], count: int) -> list[str]:
        """`count` different tasks, by their weights (Efraimidis & Spirakis 2006)."""
        keyed = {task: rng.random() ** (1 / self.tasks.get(task, 1.0)) for task in among}
        return sorted(among, key=keyed.__getitem__, reverse=True)[:count]


class Turn(NamedTuple):
    """One message, and how much each of its tokens counts in the loss.

    Attributes:
        weight: of a token.
        stressed: words that the instruction asked for; their tokens count `STRESS` times as much. One token in forty
            tells whether a wish for a word was met, and without stress it is learnt last.
        outcome: weight of predicting, at the turn's end, whether another turn follows or the conversation is over.
    """

    role: str
    content: str
    weight: float
    stressed: tuple[str, ...] = ()
    outcome: float = 0.0


def draw_text_only(rng: random.Random, pool: Pool, mixture: Mixture) -> list[Turn]:
    """A response with no instruction before it and no check after it: what the control model is trained on."""
    text = rng.choice(pool.texts)
    return [Turn("assistant", as_json(rng, text)[0] if rng.random() < mixture.json else text.text, 1.0)]


def draw_dialogue(rng: random.Random, pool: Pool, mixture: Mixture) -> list[Turn]:
    """One dialogue: instruction and response, and what a user and the model say of it."""
    if rng.random() < mixture.revisions:
        turns = _revised(rng, pool, mixture)
        if turns:
            return turns
    return _followed_or_not(rng, pool, mixture)


def _revised(rng: random.Random, pool: Pool, mixture: Mixture) -> list[Turn] | None:
    """Instruction, failing draft, perhaps a check, feedback, revision."""
    revision = draw_revision(rng, pool)
    if revision is None:
        return None
    verdicts = [constraint.check(revision.draft) for _, constraint in revision.wishes]
    wishes = [
        Wish(task, constraint, verdict.passed, found_by_verifier(constraint, verdict))
        for (task, constraint), verdict in zip(revision.wishes, verdicts, strict=True)
    ]
    turns = [
        Turn("user", instruction_text(rng, revision.wishes, rng.choice(_BASES)), 0.0),
        Turn("assistant", revision.draft, 0.0, outcome=mixture.outcome_weight),
    ]
    if wishes[0].task != "json" and rng.random() < 0.5:
        turns += _check(wishes, mixture.check_weight)
    asked = feedback(verdicts, draw_request(rng))
    return [
        *turns,
        Turn("user", asked, 1.0),
        Turn("assistant", revision.revised, 1.0, _terms(wishes), outcome=mixture.outcome_weight),
    ]


def _followed_or_not(rng: random.Random, pool: Pool, mixture: Mixture) -> list[Turn]:
    """Instruction, response, and where the conversation goes on a check of the instruction and stated checks."""
    follow = rng.random() < mixture.follow
    [count] = rng.choices(range(len(mixture.constraints)), mixture.constraints)
    tasks = mixture.draw_tasks(rng, PLAIN_TASKS, count)
    keys: tuple[str, ...] = ()
    wishes: list[Wish] = []
    text = rng.choice(pool.texts)
    response = text.text
    if rng.random() < mixture.json:  # what counts words goes without JSON
        if follow or rng.random() < 0.85:
            response, keys = as_json(rng, text)
        kept = bool(keys) and (follow or rng.random() < 0.35)
        wish = json_constraint(rng, keys, kept)
        wishes.append(Wish("json", wish, kept, found_in(wish, kept, text.traits, keys)))
        tasks = [task for task in tasks[:2] if task in LABEL_TASKS]
    elif tasks:
        kept = follow or rng.random() < 0.35
        found = constraint_and_text(rng, pool, tasks[0], kept)
        if found:
            text = found[1]
            wishes.append(Wish(tasks[0], found[0], kept, found_in(found[0], kept, text.traits)))
            tasks = tasks[1:]
            response = text.text
    for task in tasks:
        kept = follow or rng.random() < 0.35
        constraint = constraint_about(rng, pool, task, text, kept)
        if constraint is not None:
            wishes.append(Wish(task, constraint, kept, found_in(constraint, kept, text.traits)))
    rng.shuffle(wishes)
    complies = all(wish.kept for wish in wishes)
    asked = instruction_text(rng, [(wish.task, wish.constraint) for wish in wishes], rng.choice(_BASES))
    ends = complies and rng.random() < mixture.ends
    # After a complying answer a check may follow or not: only the end of the conversation tells that it complies.
    outcome = mixture.outcome_weight if wishes and (ends or not complies) else 0.0
    turns = [
        Turn("user", asked, 0.0),
        Turn("assistant", response, float(complies), _terms(wishes), outcome=outcome),
    ]
    if ends:
        return turns
    if not complies and len(wishes) == 1 and wishes[0].task != "json" and rng.random() < mixture.again:
        return turns + _answered_again(rng, pool, wishes[0], mixture)
    turns += _check(wishes, mixture.check_weight)
    for _ in range(rng.randint(0 if wishes else 1, mixture.stated)):
        kept = rng.random() < 0.5
        [task] = mixture.draw_tasks(rng, (*LABEL_TASKS, "json") if keys else PLAIN_TASKS, 1)
        about_json = task == "json"
        constraint = json_constraint(rng, keys, kept) if about_json else constraint_about(rng, pool, task, text, kept)
        if constraint is not None:
            clause, _ = phrased(rng, TASKS[task], constraint)
            said = check_answer([Wish(task, constraint, kept, found_in(constraint, kept, text.traits, keys))])
            turns += [Turn("user", f"{CHECK} {clause}", 0.0), Turn("assistant", said, mixture.check_weight)]
    return turns


def _answered_again(rng: random.Random, pool: Pool, wish: Wish, mixture: Mixture) -> list[Turn]:
    """Further answers to an instruction with one constraint, each asked for, up to one that complies.

    The instruction costs its tokens once, and each answer's end tells once more whether it was met.
    """
    turns, complies = [], False
    for _ in range(_MOST_AGAIN):
        turns.append(Turn("user", rng.choice(_AGAIN), 0.0))
        complies = rng.random() < 0.5
        text = text_for(rng, pool, wish.constraint, complies)
        if text is None:
            return turns
        terms = _terms([wish])
        turns.append(Turn("assistant", text.text, float(complies), terms, outcome=mixture.outcome_weight))
        if complies:
            return turns
    return [*turns, Turn("user", rng.choice(_AGAIN), 0.0)]


def _check(wishes: Sequence[Wish], check_weight: float) -> list[Turn]:
    if not wishes:
        return []
    return [Turn("user", CHECK, 0.0), Turn("assistant", check_answer(wishes), check_weight)]


def _terms(wishes: Sequence[Wish]) -> tuple[str, ...]:
    """The words that the response must copy from its instruction."""
    terms = [wish.constraint.terms for wish in wishes if isinstance(wish.constraint, Include)]
    keys = [wish.constraint.keys for wish in wishes if isinstance(wish.constraint, JsonFormat)]
    return tuple(word for words in terms + keys for word in words)
