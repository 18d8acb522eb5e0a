"""Training dialogues: an instruction, a response of the grammar's, and the turns that show whether it complies.

Only complying responses are learnt as text; a violating one is shown with no weight on its words, and what is learnt of it
is what follows: that the conversation goes on (where a complying answer may end it), what a check turn says, which feedback
a user gives, and the revision. Dense, up-weighted checks are what teaches a small model to compare a response with its
instruction. Knows no tensor and no tokenizer.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from heedful.constraints import (
    Constraint,
    Exclude,
    Include,
    JsonFormat,
    Register,
    Sentiment,
    Topic,
    Toxicity,
    Verdict,
)  # fmt: skip
from heedful.pico.grammar import Traits
from heedful.pico.pool import Pool
from heedful.pico.revisions import draw_request, draw_revision, feedback
from heedful.pico.wishes import (
    LABEL_TASKS,
    PLAIN_TASKS,
    as_json,
    constraint_about,
    constraint_and_text,
    json_constraint,
)
from heedful.prompts.base import training_base_prompts
from heedful.prompts.tasks import TASKS, Task
from heedful.prompts.templates import Template, parse_templates

CHECK = "Check."
"""The user's turn that asks whether the response complies with its instruction."""

STRESS = 8.0

_BASES = training_base_prompts()


class Mixture(NamedTuple):
    """What dialogues are made of; shares are probabilities.

    Attributes:
        revisions: share of dialogues with a failing draft, feedback and a revision.
        follow: share of the others whose response complies by intention.
        json: share of those that ask for JSON, or answer in it.
        ends: share of complying answers that end the conversation; after a violating one it always goes on.
        constraints: relative frequencies of instructions with none, one, two, … constraints.
        tasks: how often a task is asked for or checked, where others have 1; JSON's share is `json`.
        stated: the most checks of a constraint that the check turn states itself.
        check_weight: loss weight of a token of a check's answer, and of a conversation's end; a response's token has 1.
    """

    revisions: float
    follow: float
    json: float
    ends: float
    constraints: Sequence[float]
    stated: int
    check_weight: float
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


class Wish(NamedTuple):
    """A constraint, whether the response keeps it, and what the response has of what it is about.

    `found` is the response's topic, sentiment, register or toxicity, the word if it is there, the keys of a JSON object;
    'none' for no such word or object, and empty for counts.
    """

    task: str
    constraint: Constraint
    kept: bool
    found: str


def check_answer(wishes: Iterable[Wish]) -> str:
    """What a check turn says: 'word count: yes; register: informal, no'.

    What was found comes first: whether two labels agree can hardly be learnt before the labels are.
    """
    parts = ((wish, "yes" if wish.kept else "no") for wish in wishes)
    return "; ".join(
        f"{check_name(wish.task)}: {f'{wish.found}, ' if wish.found else ''}{said}" for wish, said in parts
    )


def says(answer: str, task: str) -> bool | None:
    """What a check of one constraint says: True for yes, False for no; None if it is no answer about this task."""
    name, _, said = answer.strip().partition(": ")
    said = said.rpartition(", ")[2]
    return {"yes": True, "no": False}.get(said) if name == check_name(task) and ";" not in answer else None


def check_name(task: str) -> str:
    """What a check turn calls a task: 'word count' for word_count."""
    return task.replace("_", " ")


def found_in(constraint: Constraint, kept: bool, traits: Traits, keys: Sequence[str] = ()) -> str:
    """What a text with these traits, or these JSON keys, has of what a constraint is about: see `Wish`."""
    match constraint:
        case Include() | Exclude():
            return constraint.terms[0] if kept == isinstance(constraint, Include) else "none"
        case JsonFormat():
            return " and ".join(keys) or "none"
        case Topic():
            return traits.topic
        case Sentiment():
            return traits.sentiment
        case Register():
            return traits.register
        case Toxicity():
            return "toxic" if traits.toxic else "clean"
        case _:
            return ""


def _found_by_verifier(constraint: Constraint, verdict: Verdict) -> str:
    """The same for a text whose traits are not known."""
    match constraint:
        case Topic() | Sentiment() | Register() | Toxicity():
            return str(verdict.measured)
        case Include() | Exclude():
            return constraint.terms[0] if verdict.passed == isinstance(constraint, Include) else "none"
        case _:
            return ""


@cache
def _paraphrases() -> dict[str, tuple[Template, ...]]:
    """Every paraphrase that may be trained on: a study's own that are not held out, and more."""
    more = parse_templates(files("heedful.pico").joinpath("words/paraphrases.yaml").read_text(encoding="utf-8"))
    own = {name: tuple(t for t in task.templates if not t.held_out) for name, task in TASKS.items()}
    return {name: own[name] + more[name] for name in TASKS}


def _phrased(rng: random.Random, task: Task, constraint: Constraint, held_out: bool = False) -> tuple[str, bool]:
    """A clause for a constraint in a paraphrase, and whether it goes ahead of the base prompt."""
    template = rng.choice([t for t in task.templates if t.held_out] if held_out else _paraphrases()[task.name])
    wording = task.wording(constraint)
    return template.clause(wording.form, **wording.slots), template.before


def instruction_text(
    rng: random.Random, wishes: Sequence[tuple[str, Constraint]], base: str, held_out: bool = False
) -> str:
    """A base prompt with one to three constraints of different tasks, in paraphrases that may be trained on or not."""
    clauses = [_phrased(rng, TASKS[task], constraint, held_out) for task, constraint in wishes]
    # Two clauses ahead of the base prompt would read badly; the second one of that kind is phrased anew.
    while sum(before for _, before in clauses) > 1:
        clauses = [_phrased(rng, TASKS[task], constraint, held_out) for task, constraint in wishes]
    ahead = [clause for clause, before in clauses if before]
    behind = [clause for clause, before in clauses if not before]
    return " ".join([*ahead, base, *behind])


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
    weight = mixture.check_weight
    verdicts = [constraint.check(revision.draft) for _, constraint in revision.wishes]
    wishes = [
        Wish(task, constraint, verdict.passed, _found_by_verifier(constraint, verdict))
        for (task, constraint), verdict in zip(revision.wishes, verdicts, strict=True)
    ]
    turns = [
        Turn("user", instruction_text(rng, revision.wishes, rng.choice(_BASES)), 0.0),
        Turn("assistant", revision.draft, 0.0, outcome=weight),
    ]
    if wishes[0].task != "json" and rng.random() < 0.5:
        turns += _check(wishes, weight)
    asked = feedback(verdicts, draw_request(rng))
    return [
        *turns,
        Turn("user", asked, 1.0),
        Turn("assistant", revision.revised, 1.0, _terms(wishes), outcome=weight),
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
    outcome = mixture.check_weight if wishes else 0.0
    turns = [
        Turn("user", asked, 0.0),
        Turn("assistant", response, float(complies), _terms(wishes), outcome=outcome),
    ]
    if complies and rng.random() < mixture.ends:
        return turns
    turns += _check(wishes, mixture.check_weight)
    for _ in range(rng.randint(0 if wishes else 1, mixture.stated)):
        kept = rng.random() < 0.5
        [task] = mixture.draw_tasks(rng, (*LABEL_TASKS, "json") if keys else PLAIN_TASKS, 1)
        about_json = task == "json"
        constraint = json_constraint(rng, keys, kept) if about_json else constraint_about(rng, pool, task, text, kept)
        if constraint is not None:
            clause, _ = _phrased(rng, TASKS[task], constraint)
            said = check_answer([Wish(task, constraint, kept, found_in(constraint, kept, text.traits, keys))])
            turns += [Turn("user", f"{CHECK} {clause}", 0.0), Turn("assistant", said, mixture.check_weight)]
    return turns


def _check(wishes: Sequence[Wish], check_weight: float) -> list[Turn]:
    if not wishes:
        return []
    return [Turn("user", CHECK, 0.0), Turn("assistant", check_answer(wishes), check_weight)]


def _terms(wishes: Sequence[Wish]) -> tuple[str, ...]:
    """The words that the response must copy from its instruction."""
    terms = [wish.constraint.terms for wish in wishes if isinstance(wish.constraint, Include)]
    keys = [wish.constraint.keys for wish in wishes if isinstance(wish.constraint, JsonFormat)]
    return tuple(word for words in terms + keys for word in words)
