"""Stage 1, instruct: what the model will be asked, from the built-in base prompts or from a file of the user's own.

Writes `instructions.parquet`. Knows prompts and constraints; no model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heedful.config import StudySettings
from heedful.constraints import Constraint, constraint_from
from heedful.errors import InputError
from heedful.pipeline.tables import INSTRUCTIONS, columns
from heedful.prompts.base import BasePrompt, base_prompts
from heedful.prompts.instructions import Instruction, constraint_json, natural_instructions, pool_instructions
from heedful.prompts.tasks import TASKS, Task, tasks_named
from heedful.store import RunFolder, encode_table, read_records

FILE = "instructions.parquet"


def instruct(run: RunFolder, settings: StudySettings) -> None:
    """Write the instructions of a study, if they are not there already."""
    names = (
        "tasks", "base_prompts", "samples", "squares", "pool", "seed", "prompts_sha256", "responses_sha256",
    )  # fmt: skip
    stage = run.stage("instruct", inputs=settings.model_dump(include=set(names)))
    if stage.done:
        return
    records = [_record(instruction) for instruction in study_instructions(settings)]
    if settings.responses_file:
        records = recorded_responses(Path(settings.responses_file), settings.tasks)
    stage.write(FILE, encode_table(columns(records, INSTRUCTIONS), INSTRUCTIONS))
    stage.finish()


def study_instructions(settings: StudySettings) -> list[Instruction]:
    """Natural and pool instructions, from built-in base prompts or the user's file; none if responses are given."""
    if settings.responses_file:
        return []
    tasks = tasks_named(list(settings.tasks))
    own = own_prompts(Path(settings.prompts_file), tasks) if settings.prompts_file else None
    bases, ready = own or (_bases(settings), [])
    natural = natural_instructions(tasks, bases, settings.samples, settings.seed) if bases else []
    pool = pool_instructions(tasks, bases, settings.pool, settings.seed) if settings.squares else []
    return [*natural, *ready, *pool]


def _bases(settings: StudySettings) -> list[BasePrompt]:
    """The first n of the built-in base prompts, taken evenly over genres."""
    every = base_prompts()
    return [every[i * len(every) // settings.base_prompts] for i in range(settings.base_prompts)]


def own_prompts(path: Path, tasks: Sequence[Task]) -> tuple[list[BasePrompt], list[Instruction]]:
    """The user's prompts: those without constraints are base prompts, those with some are asked as they stand.

    Each record has `prompt`; `constraint` or `constraints` (as `heedful check --list` shows them) where the prompt
    already states them; and `group` where several prompts belong together and must not be split over folds.

    Raises:
        InputError: a record lacks its prompt, or a constraint is of none of the study's tasks; the record is named.
    """
    bases: list[BasePrompt] = []
    ready: list[Instruction] = []
    groups: dict[str, int] = {}
    for number, record in enumerate(read_records(path), start=1):
        where = f"{path}, record {number}"
        prompt = _text(record, "prompt", where)
        group = groups.setdefault(str(record.get("group") or prompt), len(groups))
        asked = _constraints(record, where)
        if not asked:
            bases.append(BasePrompt(group, prompt))
        for position, constraint in enumerate(asked):
            task = task_of(constraint, where)
            if task in tasks:
                name = f"own-{number:06d}-{position}"
                ready.append(Instruction(name, "natural", task.name, group, prompt, "own", False, constraint, prompt))
    return bases, ready


def recorded_responses(path: Path, tasks: Sequence[str]) -> list[dict[str, Any]]:
    """The user's responses as instruction records: `prompt`, `response` and `constraint(s)`; `group` if prompts belong
    together.

    Raises:
        InputError: as `own_prompts`; a record without response or without constraint; no record for the study's tasks.
    """
    records: list[dict[str, Any]] = []
    groups: dict[str, int] = {}
    for number, given in enumerate(read_records(path), start=1):
        where = f"{path}, record {number}"
        prompt, response = _text(given, "prompt", where), _text(given, "response", where, may_be_empty=True)
        group = groups.setdefault(str(given.get("group") or prompt), len(groups))
        asked = _constraints(given, where)
        if not asked:
            raise InputError(f"{where} has no constraint", 'add "constraints": [{"id": "structural/word_count", …}]')
        for position, constraint in enumerate(asked):
            task = task_of(constraint, where)
            if task.name in tasks:
                name = f"given-{number:06d}-{position}"
                own = Instruction(name, "natural", task.name, group, prompt, "own", False, constraint, prompt)
                records.append(_record(own) | {"response": response})
    if not records:
        raise InputError(f"{path} has no response for the tasks {', '.join(tasks)}", "choose other --tasks")
    return records


def task_of(constraint: Constraint, where: str) -> Task:
    """The task that a constraint belongs to; InputError for a constraint of no task."""
    named = {
        "structural/word_count": "word_count", "structural/char_count": "char_count", "structural/json": "json",
        "lexical/include": "include", "lexical/exclude": "exclude", "semantic/topic": "topic",
        "semantic/sentiment": "sentiment", "stylistic/register": "register", "stylistic/toxicity": "toxicity",
    }  # fmt: skip
    if constraint.id not in named:
        raise InputError(
            f"{where}: {constraint.id!r} belongs to none of the nine tasks", f"use one of {', '.join(named)}"
        )
    return TASKS[named[constraint.id]]


def _constraints(record: Mapping[str, Any], where: str) -> list[Constraint]:
    given = record.get("constraints", record.get("constraint")) or []
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise InputError(f"{where}: the constraint is not JSON ({error})", "write it as a JSON object") from error
    try:
        return [constraint_from(each) for each in ([given] if isinstance(given, Mapping) else given)]
    except InputError as error:
        raise InputError(f"{where}: {error.cause}", error.cure) from error


def _text(record: Mapping[str, Any], name: str, where: str, *, may_be_empty: bool = False) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not (value.strip() or may_be_empty):
        raise InputError(f"{where} has no {name!r}", f'give each record a text under "{name}"')
    return value


def _record(instruction: Instruction) -> dict[str, Any]:
    shown = {name: getattr(instruction, name) for name in INSTRUCTIONS.names if hasattr(instruction, name)}
    return shown | {"constraint": constraint_json(instruction.constraint), "response": None}
