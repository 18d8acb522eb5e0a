"""A skill of the user's own as a task of a study: values that are constraints of any kind, each in several paraphrases.

What the nine tasks know of their constraints is not known here: two responses are told apart by trying every value on both.
How a user writes a skill down, and what is asked of its constraints, is `skill_files`' business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import combinations
from random import Random

from pydantic import BaseModel, ConfigDict, JsonValue, model_validator

from heedful.constraints import Constraint, Outcome, constraint_from
from heedful.constraints.text import is_whole
from heedful.errors import InputError
from heedful.prompts.tasks import TASKS, Family, Pair, Task, Wording
from heedful.prompts.templates import Template

MIN_TRAINED, MIN_HELD_OUT = 2, 2
"""Paraphrases of a skill, at least: some to train on, and others that only score."""
MIN_VALUES = 2
BASE = "{base}"
"""Where the base prompt stands in a clause; without it, ahead of the clause."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,19}")  # figures have room for 20
_TWO_AND_TWO = (
    'write four wordings: clauses: ["Write a list.", "Use a list."] and held_out: ["Give a list.", "As a list: {base}"]'
)


class Value(BaseModel):
    """One thing that a skill can ask for.

    Attributes:
        constraint: what decides it, as `constraint_from` takes it.
        clauses: how it is asked for, a whole clause a paraphrase; `{base}` at an end is the base prompt's place.
        held_out: the same in paraphrases that are never trained on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    constraint: dict[str, JsonValue]
    clauses: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def wordings(self) -> tuple[str, ...]:
        """Every clause, the held-out ones last."""
        return self.clauses + self.held_out


class Skill(BaseModel):
    """A skill as a study keeps it.

    Attributes:
        name: as tasks are named, 'bullet_points'.
        family: decides colours, and the rank in the order of depth.
        values: what it asks for; the k-th wordings of all of them are one paraphrase.
        elicit: further values, under which responses for contrast squares are generated and which no square asks for.

    Raises:
        InputError: the name is not one, or is a task's; too few values or paraphrases, or some that cannot be told apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    family: Family
    values: tuple[Value, ...]
    elicit: tuple[Value, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Skill:
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"{self.name!r} cannot be the name of a skill",
                "take lower-case letters, digits and '_', 20 at most, a letter first: bullet_points",
            )
        if self.name in TASKS:
            raise InputError(f"{self.name!r} is one of the nine tasks already", "give your skill another name")
        if len(self.values) < MIN_VALUES:
            raise InputError(
                f"the skill {self.name!r} has {len(self.values) or 'no'} value{'s' * (not self.values)}, and two responses are "
                f"told apart by {MIN_VALUES}",
                "add a value that a response can meet where it fails the other: the opposite, or another number",
            )
        asked = [value.constraint for value in (*self.values, *self.elicit)]
        for each in asked:
            _check_kept(self.name, each)
        if twice := next((one for i, one in enumerate(asked) if one in asked[:i]), None):
            raise InputError(
                f"the skill {self.name!r} has the constraint {twice} twice", "let each value ask for something else"
            )
        _check_wordings(self.name, [*self.values, *self.elicit])
        return self

    def task(self) -> Task:
        """The skill as a task. Its constraints are made when they are first needed; InputError there if one is not known."""
        asking = _Asking(self)
        thirds = self.elicit or len(self.values) > MIN_VALUES
        return Task(
            self.name,
            self.family,
            asking.draw,
            asking.wording,
            asking.propose,
            asking.elicit if thirds else None,
            paraphrases=tuple(_paraphrases(self)),
        )

    def asks_for(self, constraint: Constraint) -> bool:
        """Whether it is one of the skill's values; those that only elicit are not asked for."""
        return constraint.to_dict() in [value.constraint for value in self.values]


class _Asking:
    """What a task does, for one skill."""

    def __init__(self, skill: Skill) -> None:
        self._skill = skill
        self._outcomes = lru_cache(maxsize=4096)(self._tried)  # a response is paired with many others

    @cached_property
    def _values(self) -> list[Constraint]:
        return [constraint_from(value.constraint) for value in self._skill.values]

    @cached_property
    def _thirds(self) -> list[Constraint]:
        return [constraint_from(value.constraint) for value in self._skill.elicit]

    def draw(self, rng: Random) -> Constraint:
        return rng.choice(self._values)

    def elicit(self, rng: Random) -> Constraint:
        return rng.choice(self._thirds or self._values)

    def wording(self, constraint: Constraint) -> Wording:
        return Wording(str([*self._values, *self._thirds].index(constraint)), {})

    def propose(self, rng: Random, first: str, second: str, under: Collection[Constraint]) -> Pair | None:
        of_first, of_second = self._outcomes(first), self._outcomes(second)
        both = [each for each in zip(self._values, of_first, of_second, strict=True) if each[0] not in under]
        for_first = [value for value, *found in both if found == ["pass", "fail"]]
        for_second = [value for value, *found in both if found == ["fail", "pass"]]
        if not for_first or not for_second:
            return None
        return Pair(rng.choice(for_first), rng.choice(for_second))

    def _tried(self, text: str) -> tuple[Outcome, ...]:
        return tuple(value.check(text).outcome for value in self._values)


def _paraphrases(skill: Skill) -> Iterator[Template]:
    """A template a paraphrase, whose forms are the places of the values. Clauses have no slots: braces stand for themselves."""
    asked = [*skill.values, *skill.elicit]
    for k in range(len(asked[0].wordings)):
        placed = [_placed(value.wordings[k]) for value in asked]
        forms = {str(i): clause.replace("{", "{{").replace("}", "}}") for i, (_, clause) in enumerate(placed)}
        yield Template(f"{skill.name}-{k + 1}", forms, placed[0][0], k >= len(asked[0].clauses))


def _placed(wording: str) -> tuple[bool, str]:
    """Whether the clause stands ahead of the base prompt, and the clause; InputError where the base prompt is not at an end."""
    text = wording.strip()
    if not is_whole(text):
        raise InputError(
            f"the wording {wording!r} holds a half of a surrogate pair, which is no character",
            "write the character itself",
        )
    before = text.endswith(BASE) and text != BASE
    clause = (text.removesuffix(BASE) if before else text.removeprefix(BASE)).strip()
    if BASE in clause or not clause:
        raise InputError(
            f"the wording {wording!r} has no clause" if not clause else f"{BASE} is in the midst of {wording!r}",
            f'put {BASE} first or last, and the clause beside it: "{BASE} Write a list." or "As a list: {BASE}"',
        )
    return before, clause


def _check_kept(name: str, constraint: Mapping[str, JsonValue]) -> None:
    """Raise InputError for a constraint that is no JSON in UTF-8, as a study keeps it."""
    try:
        json.dumps(constraint, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        raise InputError(
            f"the skill {name!r} has a constraint that cannot be kept, {constraint}: {error}",
            "let its numbers be finite, and its texts whole characters",
        ) from error


def _check_wordings(name: str, asked: Sequence[Value]) -> None:
    for number, value in enumerate(asked, start=1):
        where = f"value {number} of the skill {name!r}"
        for what, found, least in (
            ("to train on", value.clauses, MIN_TRAINED),
            ("held out", value.held_out, MIN_HELD_OUT),
        ):
            if len(found) < least:
                raise InputError(f"{where} has {len(found)} of at least {least} wordings {what}", _TWO_AND_TWO)
        if (len(value.clauses), len(value.held_out)) != (len(asked[0].clauses), len(asked[0].held_out)):
            raise InputError(
                f"{where} has {len(value.clauses)} clauses and {len(value.held_out)} held out, the first value "
                f"{len(asked[0].clauses)} and {len(asked[0].held_out)}",
                "give all values as many: the k-th clauses are one paraphrase, which both instructions of a square share",
            )
        placed = [_placed(wording) for wording in value.wordings]
        if twice := next((one for i, one in enumerate(placed) if one in placed[:i]), None):
            raise InputError(f"{where} is worded {twice[1]!r} twice", "word each paraphrase in another way")
        for k, (there, here) in enumerate(zip(asked[0].wordings, value.wordings, strict=True)):
            if _placed(there)[0] != _placed(here)[0]:
                raise InputError(
                    f"{where}: {here!r} and {there!r} are one paraphrase, and only one of them stands ahead of the base prompt",
                    f"put {BASE} at the same end of the {_ordinal(k)} wording of all values",
                )
    for (i, one), (j, other) in combinations(enumerate(asked, start=1), 2):
        of_one, of_other = ([_placed(wording) for wording in value.wordings] for value in (one, other))
        if alike := next((clause for before, clause in of_one if (before, clause) in of_other), None):
            raise InputError(
                f"values {i} and {j} of the skill {name!r} are both asked for by {alike!r}", "word what differs in them"
            )


def _ordinal(place: int) -> str:
    return ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")[place] if place < 7 else f"{place + 1}th"
