"""The responses that monitors are made of: a study's natural ones to learn from, others to calibrate and to be judged on.

The three parts share no base prompt. Of a study with the built-in base prompts, all of its responses teach, and the model
answers further base prompts; of a study of the user's own prompts or responses, its groups are shared out. What the model has
answered is kept on the way, so that whoever is interrupted goes on from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal, NamedTuple

import heedful
from heedful.config import StudySettings
from heedful.constraints import constraint_from
from heedful.errors import InputError
from heedful.models import LanguageModel, Replay
from heedful.models.identity import BOUND_TO
from heedful.pipeline.progress import Progress
from heedful.pipeline.respond import CHUNK, sample_seed
from heedful.pipeline.tables import replay_of
from heedful.prompts.base import further_base_prompts
from heedful.prompts.instructions import Instruction, constraint_json, natural_instructions
from heedful.store import atomic_write, encode_table, read_table

LEAST_PROMPTS = 100
"""Base prompts to calibrate on, unless the user says less."""
DEFAULT_PROMPTS, TEST_PROMPTS = 200, 100
_LEAST_TRAINING = 15

Part = Literal["training", "calibration", "test"]


@dataclass(frozen=True)
class Answer:
    """A verified response.

    Attributes:
        task, base: whose, and to which base prompt.
        constraint: as JSON.
        measured: what the verifier measured, as text.
        replay: its tokens.
        violates: 1 where the verifier failed it.
    """

    task: str
    base: int
    constraint: str
    measured: str | None
    replay: Replay
    violates: int


class Answers(NamedTuple):
    """The three parts, and how many responses were left out since they were cut off, empty or could not be verified."""

    training: list[Answer]
    calibration: list[Answer]
    test: list[Answer]
    left_out: int
    fresh: bool
    """Calibration and test responses were generated for the purpose, to further base prompts."""


def collect(
    samples: Iterable[Mapping[str, Any]],
    settings: StudySettings,
    model: LanguageModel,
    tasks: Sequence[str],
    prompts: int | None,
    each: int,
    progress: Progress,
    kept: Path | None = None,
) -> Answers:
    """All responses, labelled.

    Args:
        samples: the study's.
        prompts: base prompts to calibrate on; half as many (of further ones, at most `TEST_PROMPTS`) are tested on.
        each: responses to each base prompt and task, where they are generated.
        kept: a folder to keep generated responses in, and to take them from; None keeps none.

    Raises:
        InputError: too few base prompts.
    """
    natural = [sample for sample in samples if sample["kind"] == "natural" and sample["task"] in tasks]
    known = [answer for sample in natural if (answer := _answer(sample)) is not None]
    left_out = len(natural) - len(known)
    if settings.prompts_file or settings.responses_file:
        return _shared_out(known, LEAST_PROMPTS if prompts is None else prompts, settings.seed, left_out)
    made = _generated(settings, model, tasks, DEFAULT_PROMPTS if prompts is None else prompts, each, progress, kept)
    calibration, test = ([answer for record in part if (answer := _answer(record)) is not None] for part in made)
    left_out += sum(map(len, made)) - len(calibration) - len(test)
    return Answers(known, calibration, test, left_out, fresh=True)


def _answer(sample: Mapping[str, Any]) -> Answer | None:
    """A sample as an answer, if it was verified and not cut off."""
    written = len(sample["response_ids"]) - sample["answer_start"]
    if sample["outcome"] not in ("pass", "fail") or sample["finish_reason"] != "stop" or written < 1:
        return None
    bad = int(sample["outcome"] == "fail")
    return Answer(sample["task"], sample["base_id"], sample["constraint"], sample["measured"], replay_of(sample), bad)


def _shared_out(known: Sequence[Answer], prompts: int, seed: int, left_out: int) -> Answers:
    """The study's own groups: so many to calibrate on, half as many to test on, the rest to learn from."""
    groups = sorted({answer.base for answer in known})
    tested = max(2, min(prompts // 2, TEST_PROMPTS))
    if len(groups) < prompts + tested + _LEAST_TRAINING:
        raise InputError(
            f"the study has {len(groups)} base prompts with a verified response; to calibrate on {prompts}, to test on "
            f"{tested} and to learn from at least {_LEAST_TRAINING} others takes {prompts + tested + _LEAST_TRAINING}",
            "study more prompts, or give fewer --calibration-prompts (the false-alarm rate then strays further)",
        )
    Random(f"{seed}/monitors").shuffle(groups)
    part_of: dict[int, Part] = dict.fromkeys(groups, "training")
    part_of |= dict.fromkeys(groups[:prompts], "calibration")
    part_of |= dict.fromkeys(groups[prompts : prompts + tested], "test")
    parts: dict[Part, list[Answer]] = {"training": [], "calibration": [], "test": []}
    for answer in known:
        parts[part_of[answer.base]].append(answer)
    return Answers(**parts, left_out=left_out, fresh=False)


def _generated(
    settings: StudySettings,
    model: LanguageModel,
    tasks: Sequence[str],
    prompts: int,
    each: int,
    progress: Progress,
    kept: Path | None,
) -> list[list[dict[str, Any]]]:
    """Responses to further base prompts, in the study's way: those to calibrate on, and those to test on."""
    bases = further_base_prompts()
    tested = max(2, min(prompts // 2, TEST_PROMPTS))
    if prompts + tested > len(bases):
        raise InputError(
            f"there are {len(bases)} further base prompts, and {prompts} to calibrate on with {tested} to test on are more",
            f"give at most {len(bases) - tested} --calibration-prompts, or raise --responses",
        )
    bases = bases[: prompts + tested]
    # Another seed than the study's, whose constraints these would otherwise repeat.
    asked = natural_instructions(
        [task for task in settings.studied if task.name in tasks], bases, each * len(bases), settings.seed + 1_000_003
    )
    encoded = [model.encode(one.prompt, system=settings.system, thinking=settings.thinking) for one in asked]
    key = _key(model, settings, encoded)
    parts: list[list[dict[str, Any]]] = [[], []]
    for start in range(0, len(asked), CHUNK):
        progress("answering further prompts", start, len(asked))
        chunk, ids = asked[start : start + CHUNK], encoded[start : start + CHUNK]
        file = None if kept is None else kept / f"{key}-{start // CHUNK:05d}.parquet"
        if file is not None and file.is_file():
            rows = list(read_table(file).rows())
        else:
            rows = _answered(chunk, ids, settings, model)
            if file is not None:
                atomic_write(file, encode_table({name: [row[name] for row in rows] for name in rows[0]}))
        for row in rows:
            parts[row["base_id"] >= bases[prompts].base_id].append(row)
    progress("answering further prompts", len(asked), len(asked))
    return parts


def _answered(
    asked: Sequence[Instruction], encoded: Sequence[list[int]], settings: StudySettings, model: LanguageModel
) -> list[dict[str, Any]]:
    """Responses with their verdicts, as values that a table takes."""
    answers = model.generate(
        encoded,
        [sample_seed(settings.seed, f"monitors/{one.instruction_id}") for one in asked],
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_new_tokens=settings.max_new_tokens,
    )
    rows = []
    for one, prompt_ids, given in zip(asked, encoded, answers, strict=True):
        constraint = constraint_json(one.constraint)
        verdict = constraint_from(json.loads(constraint)).check(given.text)
        rows.append(
            {
                "task": one.task, "base_id": one.base_id, "constraint": constraint, "prompt_ids": prompt_ids,
                "response_ids": list(given.token_ids), "eos_id": given.eos_id, "answer_start": given.answer_start,
                "finish_reason": given.finish_reason, "outcome": verdict.outcome,
                "measured": None if verdict.measured is None else str(verdict.measured),
            }
        )  # fmt: skip
    return rows


def _key(model: LanguageModel, settings: StudySettings, encoded: Sequence[Sequence[int]]) -> str:
    """Of all that decides what is answered."""
    identity = model.identity()
    how = settings.model_dump(include={"seed", "temperature", "top_p", "max_new_tokens"}, mode="json")
    of = {name: identity[name] for name in (*BOUND_TO, "device", "torch", "transformers")}
    said = json.dumps([heedful.__version__, of, how, encoded], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
