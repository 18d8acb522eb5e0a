"""What a study is asked to do: every setting that decides its results, validated, with its default and its reason.

Knows no stage. The command line and `heedful.study` both build a `StudySettings`; the run folder keeps it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails

from heedful.errors import InputError
from heedful.models.positions import POSITIONS, parse_position
from heedful.prompts.base import base_prompts
from heedful.prompts.skill_files import skills_from
from heedful.prompts.skills import Skill
from heedful.prompts.tasks import Task, tasks_named

QUICK: dict[str, Any] = {
    "base_prompts": 40,
    "squares": 30,
    "samples": 45,
    "pool": 4,
    "positions": ("prompt[-1]", "response[3]", "response[15]", "response[-1]", "eos"),
    "erasers": ("leace", "mean_projection", "flip"),
    "behaviour_prompts": 3,
}
"""What `--quick` changes: enough to see the shape of the result, too little to quote it or to probe natural labels. Of answers
given elsewhere, where they are read and the erasers only."""


_DRAWN = ("base_prompts", "samples", "squares", "pool", "temperature", "top_p", "max_new_tokens", "behaviour_prompts")
"""What is drawn and answered: it decides nothing where answers are read from a file."""


class StudySettings(BaseModel):
    """The settings of one study of one model, made by `study_settings`. Immutable.

    A run folder belongs to its settings. `device` and `dtype` are kept as they were asked for: where 'auto' finds another
    device than the one that a folder was begun on, the study refuses to go on there, since its rows would no longer be
    of one computation.
    """

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

    skills: tuple[Skill, ...] = Field((), description="skills of your own, beside the nine tasks: a file, or a list")
    tasks: tuple[str, ...] = Field(
        (), validate_default=True, description="tasks to study; all nine and your own skills if left out"
    )
    base_prompts: int = Field(120, ge=10, le=len(base_prompts()), description="base prompts: the split groups")
    samples: int = Field(400, ge=0, le=20_000, description="natural responses a task")
    squares: int = Field(200, ge=0, le=20_000, description="contrast squares a task (four rows each)")
    pool: int = Field(6, ge=2, description="responses to each bare base prompt, from which squares are made")
    prompts_file: str | None = Field(None, description="JSONL or Parquet of base prompts or instructions of your own")
    prompts_sha256: str | None = Field(None, description="that file's contents; filled in")
    responses_file: str | None = Field(None, description="JSONL or Parquet of answers generated elsewhere")
    responses_sha256: str | None = Field(None, description="that file's contents; filled in")

    temperature: float = Field(1.0, ge=0, allow_inf_nan=False, description="sampling temperature; 0 is greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="nucleus sampling")
    max_new_tokens: int = Field(256, ge=1, description="a response longer than this is cut off, marked and left out")

    sites: Literal["all"] | tuple[str, ...] = Field("all", description="where hidden states are read")
    positions: tuple[str, ...] = Field(POSITIONS, description="at which tokens hidden states are read")

    erasers: tuple[Literal["leace", "inlp", "mean_projection", "flip"], ...] = Field(
        ("leace", "inlp", "mean_projection", "flip"),
        description="erasers put to hidden states; leace decides, the others stand beside it",
    )
    behaviour_prompts: int = Field(
        40, ge=0, description="prompts a task that are answered while traces are erased; 0: none"
    )
    full: bool = Field(False, description="erase by every eraser and at early, middle and late sites as well")
    extras: bool = Field(
        False, description="specialists without length and format, sureness and norm, and with random weights"
    )
    folds: int = Field(5, ge=3, description="cross-validation folds over base prompts")
    seed: int = Field(0, ge=0, description="decides instructions, samples, folds and controls")

    @property
    def own_tasks(self) -> tuple[Task, ...]:
        """The skills of the user's own as tasks, studied or not."""
        return tuple(skill.task() for skill in self.skills)

    @property
    def studied(self) -> tuple[Task, ...]:
        """The tasks to study: of the nine in the standard order, then skills of the user's own in that of their file."""
        return tasks_named(list(self.tasks), self.own_tasks)

    @property
    def intervenes(self) -> bool:
        """Whether the model writes once more while traces are erased: not where answers were given elsewhere."""
        return self.behaviour_prompts > 0 and self.responses_file is None

    @field_validator("tasks", "positions", "erasers", "sites", mode="before")
    @classmethod
    def _one_or_several(cls, names: Any) -> Any:
        return (names,) if isinstance(names, str) and names != "all" else names

    @field_validator("tasks")
    @classmethod
    def _known_tasks(cls, tasks: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        own = [skill.task() for skill in info.data.get("skills", ())]
        return tuple(task.name for task in tasks_named(list(tasks) or None, own))

    @field_validator("positions")
    @classmethod
    def _known_positions(cls, positions: tuple[str, ...]) -> tuple[str, ...]:
        for position in positions:
            parse_position(position)
        return _each_once("position", positions)

    @field_validator("erasers")
    @classmethod
    def _one_that_decides(cls, erasers: tuple[str, ...]) -> tuple[str, ...]:
        if "leace" not in erasers:
            raise InputError("leace is not among the erasers, and it decides", "add it: leace,mean_projection")
        return _each_once("eraser", erasers)

    @field_validator("sites")
    @classmethod
    def _sites_once(cls, sites: Literal["all"] | tuple[str, ...]) -> Literal["all"] | tuple[str, ...]:
        return sites if sites == "all" else _each_once("site", sites)

    @model_validator(mode="after")
    def _something_to_study(self) -> StudySettings:
        if self.prompts_file and self.responses_file:
            raise InputError(
                "prompts and responses are both given, and responses bring their own prompts", "give one of the two"
            )
        if self.prompts_file or self.responses_file:
            return self
        if self.samples == 0 and self.squares == 0:
            raise InputError("0 samples and 0 squares leave nothing to study", "ask for some --samples or --squares")
        if self.base_prompts < self.folds:
            raise InputError(
                f"{self.base_prompts} base prompts cannot fill {self.folds} folds",
                "use fewer folds, or more --base-prompts",
            )
        return self

    @model_serializer(mode="wrap")
    def _told(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without skills where there are none, as studies were kept before there could be any."""
        told: dict[str, Any] = handler(self)
        if not self.skills:
            told.pop("skills", None)
        return told


def study_settings(model: str, *, quick: bool = False, **changes: Any) -> StudySettings:
    """Settings from keyword arguments; None keeps a default.

    Raises:
        InputError: a setting is unknown or out of its range, or says nothing beside answers from a file; or a file cannot be
            read.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if "responses_file" in given and (idle := [name for name in _DRAWN if name in given]):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
        raise InputError(
            f"{flags} {'says' if len(idle) == 1 else 'say'} nothing where --responses gives the answers",
            "leave out what asks for answers; or name fewer --tasks, --sites or --positions to do less",
        )
    if "skills" in given:
        given["skills"] = skills_from(given["skills"])
    for kind in ("prompts", "responses"):
        if f"{kind}_file" in given:
            given[f"{kind}_file"] = str(given[f"{kind}_file"])
            given[f"{kind}_sha256"] = _sha256(Path(given[f"{kind}_file"]))
    try:
        return StudySettings(model=model, **{**(QUICK if quick else {}), **given})
    except ValidationError as error:
        raise _explained(error.errors(include_url=False)[0]) from error


def _explained(problem: ErrorDetails) -> InputError:
    name = str(problem["loc"][0])
    field = StudySettings.model_fields.get(name)
    if field is None:
        near = get_close_matches(name, StudySettings.model_fields, n=1)
        known = f"the settings are {', '.join(StudySettings.model_fields)}"
        return InputError(f"there is no setting {name!r}", f"did you mean {near[0]!r}? {known}" if near else known)
    wanted = problem["msg"].removeprefix("Input ")
    if name == "sites":  # a union, of which pydantic tells only the first part
        wanted = "should be 'all' or a tuple of names"
    return InputError(f"{name} {wanted} (given {problem['input']!r})", f"change {name}: {field.description}")


def _each_once(what: str, names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        raise InputError(f"no {what} is left to read at", f"name at least one {what}, or leave the setting out")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"the {what} {twice[0]!r} is named twice", f"name each {what} once")
    return tuple(names)


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
