"""What a study is asked to do: every setting that decides its results, validated, with its default and its reason.

Knows no stage. The command line and `heedful.study` both build a `StudySettings`; the run folder keeps it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from heedful.errors import InputError
from heedful.models.positions import POSITIONS, parse_position
from heedful.prompts.base import base_prompts
from heedful.prompts.tasks import tasks_named

QUICK: dict[str, Any] = {
    "base_prompts": 60,
    "squares": 80,
    "samples": 120,
    "positions": ("prompt[-1]", "response[3]", "response[15]", "response[-1]", "eos"),
}
"""What `--quick` changes: enough to see the shape of the result, too little to quote it."""


class StudySettings(BaseModel):
    """The settings of one study of one model. Immutable; two runs with equal settings are one run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="a hub id, a folder, or an embedded model's name")
    revision: str | None = Field(None, description="commit, tag or branch of a hub's model")
    trust_remote_code: bool = Field(False, description="run code that comes with the model")
    device: str = Field("auto", description="cpu, cuda, cuda:1, mps or auto")
    device_map: str | None = Field(None, description="how to spread a big model over devices, e.g. auto")
    dtype: str = Field("auto", description="float32, bfloat16, float16 or auto")
    batch_tokens: int | None = Field(None, ge=1, description="the most tokens in a batch; chosen by device if left out")
    system: str | None = Field(None, description="system prompt put before every instruction")
    thinking: bool | None = Field(None, description="enable_thinking for chat templates that know it")

    tasks: tuple[str, ...] = Field((), validate_default=True, description="tasks to study; all nine if left out")
    base_prompts: int = Field(120, ge=10, le=len(base_prompts()), description="base prompts: the split groups")
    samples: int = Field(400, ge=0, description="natural responses a task")
    squares: int = Field(200, ge=0, description="contrast squares a task (four rows each)")
    pool: int = Field(6, ge=2, description="responses to each bare base prompt, from which squares are made")
    prompts_file: str | None = Field(None, description="JSONL or Parquet of base prompts or instructions of your own")
    prompts_sha256: str | None = Field(None, description="that file's contents; filled in")
    responses_file: str | None = Field(None, description="JSONL or Parquet of answers generated elsewhere")
    responses_sha256: str | None = Field(None, description="that file's contents; filled in")

    temperature: float = Field(1.0, ge=0, description="sampling temperature; 0 is greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="nucleus sampling")
    max_new_tokens: int = Field(256, ge=1, description="a response longer than this is cut off, marked and left out")

    sites: tuple[str, ...] | Literal["all"] = Field("all", description="where hidden states are read")
    positions: tuple[str, ...] = Field(POSITIONS, description="at which tokens hidden states are read")

    folds: int = Field(5, ge=3, description="cross-validation folds over base prompts")
    seed: int = Field(0, ge=0, description="decides instructions, samples, folds and controls")

    @field_validator("tasks")
    @classmethod
    def _known_tasks(cls, tasks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(task.name for task in tasks_named(list(tasks) or None))

    @field_validator("positions")
    @classmethod
    def _known_positions(cls, positions: tuple[str, ...]) -> tuple[str, ...]:
        for position in positions:
            parse_position(position)
        return positions

    @model_validator(mode="before")
    @classmethod
    def _hash_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        for kind in ("prompts", "responses"):
            if values.get(f"{kind}_file"):
                values[f"{kind}_sha256"] = _sha256(Path(values[f"{kind}_file"]))
        return values


def study_settings(model: str, *, quick: bool = False, **changes: Any) -> StudySettings:
    """Settings from keyword arguments; None keeps a default.

    Raises:
        InputError: a setting is unknown or out of its range.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    try:
        return StudySettings(model=model, **{**(QUICK if quick else {}), **given})
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"])) or "settings"
        cure = "heedful study --help lists the settings and their ranges"
        raise InputError(f"{name}: {problem['msg']} (got {problem['input']!r})", cure) from error


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
