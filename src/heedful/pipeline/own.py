"""A user's own prompts and answers: `--prompts FILE` and `--responses FILE`, JSON Lines or Parquet.

Each record has `prompt`. `constraints` (or `constraint`: an object, a list of them, or either as JSON text; `heedful check
--list` shows the ids and fields) say what the prompt already asks for. `group` names prompts that belong together and must
not be split over folds; without it, each prompt text is a group of its own. Errors name the file and the record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from heedful.constraints import Constraint, constraint_from
from heedful.constraints.text import is_whole
from heedful.errors import InputError
from heedful.prompts.base import BasePrompt
from heedful.prompts.instructions import Instruction
from heedful.prompts.skills import Skill
from heedful.prompts.tasks import Task
from heedful.store import read_records

_TASK_OF = {
    "structural/word_count": "word_count", "structural/char_count": "char_count", "structural/json": "json",
    "lexical/include": "include", "lexical/exclude": "exclude", "semantic/topic": "topic",
    "semantic/sentiment": "sentiment", "stylistic/register": "register", "stylistic/toxicity": "toxicity",
}  # fmt: skip


class OwnPrompts(NamedTuple):
    """What a file of prompts holds.

    Attributes:
        bases: prompts without constraints, which every task is crossed with; `base_id` numbers them.
        group_of: the split group of each base prompt.
        ready: prompts that state their constraints, to be asked as they stand; `base_id` is their split group.
    """

    bases: list[BasePrompt]
    group_of: list[int]
    ready: list[Instruction]


class Recorded(NamedTuple):
    """An answer that was given elsewhere, and what it answers."""

    instruction: Instruction
    response: str


def own_prompts(path: Path, tasks: Sequence[Task], skills: Sequence[Skill] = ()) -> OwnPrompts:
    """The user's prompts for these tasks; a constraint is of a skill whose value it is, else of the task that has its type.

    Raises:
        InputError: a record lacks its prompt, its constraint is of no task and no skill, or its prompt stands in two
            groups; no record is for the study's tasks.
    """
    own = OwnPrompts([], [], [])
    known: set[str] = set()
    for record in _records(path):
        if record.constraints:
            own.ready.extend(record.instructions("own", tasks, skills))
        elif record.prompt not in known:
            known.add(record.prompt)
            own.bases.append(BasePrompt(len(own.bases), record.prompt))
            own.group_of.append(record.group)
    if not own.bases and not own.ready:
        raise InputError(f"{path} has no prompt for the tasks {_names(tasks)}", "choose other --tasks")
    return own


def recorded_responses(path: Path, tasks: Sequence[Task], skills: Sequence[Skill] = ()) -> list[Recorded]:
    """The user's answers to instructions of these tasks: records with `response` beside `prompt` and `constraints`.

    Raises:
        InputError: as `own_prompts`; or a record lacks its response or its constraints.
    """
    found: list[Recorded] = []
    for record in _records(path):
        response = record.text("response", may_be_empty=True)
        if not record.constraints:
            raise InputError(
                f"{record.where} has no constraint",
                'say what was asked: "constraints": [{"id": "structural/word_count", "at_most": 50}]',
            )
        found += [Recorded(instruction, response) for instruction in record.instructions("given", tasks, skills)]
    if not found:
        raise InputError(f"{path} has no response for the tasks {_names(tasks)}", "choose other --tasks")
    return found


class _Own(NamedTuple):
    """One record of a user's file."""

    number: int
    where: str
    fields: Mapping[str, Any]
    prompt: str
    group: int
    constraints: list[Constraint]

    def text(self, name: str, *, may_be_empty: bool = False) -> str:
        return _text(self.fields, name, self.where, may_be_empty=may_be_empty)

    def instructions(self, origin: str, tasks: Sequence[Task], skills: Sequence[Skill]) -> Iterator[Instruction]:
        """One for each of the record's constraints that is of one of the tasks."""
        studied = {task.name for task in tasks}
        for place, constraint in enumerate(self.constraints):
            task = _task_of(constraint, skills, self.where)
            if task in studied:
                name = f"{origin}-{self.number:06d}-{place}"
                yield Instruction(name, "natural", task, self.group, self.prompt, "own", False, constraint, self.prompt)


def _records(path: Path) -> Iterator[_Own]:
    numbers: dict[tuple[str, str], int] = {}
    group_of: dict[str, int] = {}
    for number, fields in enumerate(read_records(path), start=1):
        where = f"{path}, record {number}"
        prompt, given = _text(fields, "prompt", where), fields.get("group")
        name = ("prompt", prompt) if given is None else ("group", str(given))
        group = numbers.setdefault(name, len(numbers))
        if group_of.setdefault(prompt, group) != group:
            raise InputError(
                f"{where}: its prompt stands in another group as well, so that folds would not keep it apart",
                "give records of one prompt one 'group', or leave 'group' out",
            )
        yield _Own(number, where, fields, prompt, group, _constraints(fields, where))


def _task_of(constraint: Constraint, skills: Sequence[Skill], where: str) -> str:
    """The task's name."""
    if skill := next((skill for skill in skills if skill.asks_for(constraint)), None):
        return skill.name
    if constraint.id not in _TASK_OF:
        among = f" and is no value of {', '.join(skill.name for skill in skills)}" if skills else ""
        raise InputError(
            f"{where}: {constraint.id!r} belongs to none of the nine tasks{among}",
            f"use one of {', '.join(_TASK_OF)}; or describe a skill with this very constraint as a value: --skills FILE",
        )
    return _TASK_OF[constraint.id]


def _constraints(fields: Mapping[str, Any], where: str) -> list[Constraint]:
    given = fields.get("constraints")
    given = fields.get("constraint") if given is None else given
    if isinstance(given, str) and given:
        try:
            given = json.loads(given)
        except ValueError as error:
            raise InputError(f"{where}: the constraint is not JSON ({error})", "write it as a JSON object") from error
    each = [given] if isinstance(given, Mapping) else given or []
    if not isinstance(each, list) or not all(isinstance(one, Mapping) for one in each):
        raise InputError(
            f"{where}: {json.dumps(given, ensure_ascii=False, default=str)} is not a constraint",
            'write an object, or a list of objects: [{"id": "structural/word_count", "at_most": 50}]',
        )
    try:
        # A Parquet column gives every record all fields, with nulls for those that it does not set.
        return [constraint_from({name: value for name, value in one.items() if value is not None}) for one in each]
    except InputError as error:
        raise InputError(f"{where}: {error.cause}", error.cure) from error


def _text(fields: Mapping[str, Any], name: str, where: str, *, may_be_empty: bool = False) -> str:
    value = fields.get(name)
    if isinstance(value, str) and (value.strip() or may_be_empty):
        if not is_whole(value):
            raise InputError(
                f"{where}: its {name!r} holds a half of a surrogate pair, which is no character",
                "write the character itself, or both halves",
            )
        return value
    cure = f'give each record a text under "{name}"'
    if value is None:
        there = f"; this one has {', '.join(map(str, fields))}" if fields else ""
        raise InputError(f"{where} has no {name!r}", f"{cure}{there}")
    what = "is empty" if isinstance(value, str) else f"is not a text: {json.dumps(value, default=str)}"
    raise InputError(f"{where}: its {name!r} {what}", cure)


def _names(tasks: Sequence[Task]) -> str:
    return ", ".join(task.name for task in tasks)
