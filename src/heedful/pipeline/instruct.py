"""Stage 1, instruct: what the model will be asked, from the built-in base prompts or from a file of the user's own.

Writes `instructions.parquet`. Knows prompts and constraints; no model. How a user's file is read is `own`'s business.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from heedful.config import StudySettings
from heedful.errors import InputError
from heedful.pipeline.own import own_prompts, recorded_responses
from heedful.pipeline.tables import INSTRUCTIONS, columns
from heedful.prompts.base import BasePrompt, base_prompts
from heedful.prompts.instructions import Instruction, constraint_json, natural_instructions, pool_instructions
from heedful.store import RunFolder, encode_table

FILE = "instructions.parquet"

Record = dict[str, Any]


def instruct(run: RunFolder, settings: StudySettings) -> None:
    """Write the instructions of a study, if they are not there already."""
    names = (
        "tasks", "skills", "base_prompts", "samples", "squares", "pool", "seed", "prompts_sha256", "responses_sha256",
    )  # fmt: skip
    stage = run.stage("instruct", inputs=settings.model_dump(include=set(names)))
    if stage.done:
        return
    stage.write(FILE, encode_table(columns(study_instructions(settings), INSTRUCTIONS), INSTRUCTIONS))
    stage.finish()


def study_instructions(settings: StudySettings) -> list[Record]:
    """Every instruction of a study as a record: natural ones and those for the pool; with `--responses`, what the file
    says was asked, and its answers in `response`.

    Raises:
        InputError: the user's file cannot be used, or has too few groups for the folds.
    """
    tasks = settings.studied
    if settings.responses_file:
        path = Path(settings.responses_file)
        records = [
            _record(r.instruction) | {"response": r.response} for r in recorded_responses(path, tasks, settings.skills)
        ]
        return _enough_groups(records, settings, path)
    if not settings.prompts_file:
        bases = _bases(settings)
        asked = natural_instructions(tasks, bases, settings.samples, settings.seed)
        asked += pool_instructions(tasks, bases, settings.pool, settings.seed) if settings.squares else []
        return [_record(instruction) for instruction in asked]
    path = Path(settings.prompts_file)
    own = own_prompts(path, tasks, settings.skills)
    made: list[Instruction] = []
    if own.bases:
        made += natural_instructions(tasks, own.bases, settings.samples, settings.seed)
        made += pool_instructions(tasks, own.bases, settings.pool, settings.seed) if settings.squares else []
    grouped = [replace(instruction, base_id=own.group_of[instruction.base_id]) for instruction in made]
    return _enough_groups([_record(instruction) for instruction in [*grouped, *own.ready]], settings, path)


def _bases(settings: StudySettings) -> list[BasePrompt]:
    """The first n of the built-in base prompts, taken evenly over genres."""
    every = base_prompts()
    return [every[i * len(every) // settings.base_prompts] for i in range(settings.base_prompts)]


def _enough_groups(records: list[Record], settings: StudySettings, path: Path) -> list[Record]:
    """`records`, if their groups fill the folds: better to say so now than when everything has been generated."""
    groups = len({record["base_id"] for record in records})
    if not records:
        raise InputError(
            f"{path} leaves nothing to study with {settings.samples} samples and {settings.squares} squares",
            "ask for some --samples or --squares",
        )
    if groups < settings.folds:
        raise InputError(
            f"{path} has {groups} group{'s' * (groups != 1)} of prompts, too few to fill {settings.folds} folds",
            f"give at least {settings.folds} different prompts (or values of 'group'); 100 or more for narrow intervals",
        )
    return records


def _record(instruction: Instruction) -> Record:
    shown = {name: getattr(instruction, name) for name in INSTRUCTIONS.names if hasattr(instruction, name)}
    return shown | {"constraint": constraint_json(instruction.constraint), "response": None}
