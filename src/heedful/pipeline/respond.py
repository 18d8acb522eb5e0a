"""Stage 2, respond: the model answers, the answers are verified, and the rows to read are made.

Writes `samples.parquet` (one row a response) and `rows.parquet` (one row a replay: natural responses with their verdict,
the four cells of each contrast square, either's responses once more under the bare base prompt, and the neutral reference
texts). Chunks of responses are kept as they are made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from heedful.config import StudySettings
from heedful.constraints import Constraint, constraint_from
from heedful.constraints.text import count_words
from heedful.errors import InputError
from heedful.models import Generation, LanguageModel
from heedful.pipeline.instruct import FILE as INSTRUCTIONS_FILE
from heedful.pipeline.progress import Progress
from heedful.pipeline.tables import ROWS, SAMPLES, columns
from heedful.prompts.base import base_prompts
from heedful.prompts.instructions import constraint_json
from heedful.prompts.squares import CELLS, PoolResponse, Square, make_squares
from heedful.prompts.tasks import Task
from heedful.store import RunFolder, Stage, encode_table, read_table

SAMPLES_FILE, ROWS_FILE = "samples.parquet", "rows.parquet"
CHUNK = 512
"""Responses in a file of their own until the stage ends: what a kill loses at most. Fixed, so that a resumed run calls the
model with the same rows as an undisturbed one."""

Record = dict[str, Any]


def respond(run: RunFolder, settings: StudySettings, model: LanguageModel, progress: Progress) -> None:
    """Answer and verify every instruction, and lay out the rows that will be read."""
    decides = {"temperature", "top_p", "max_new_tokens", "seed", "system", "thinking", "squares"}
    inputs = settings.model_dump(include=decides) | {"model": model_inputs(model)}
    stage = run.stage("respond", inputs=inputs, reads=["instruct"])
    if stage.done:
        return
    asked = list(read_table(run.path / INSTRUCTIONS_FILE).rows())
    direct = [record for record in asked if not is_elicited(record)]
    samples = _answer(stage, settings, model, direct, "direct", progress)

    squares = _squares(settings, samples)
    missing = {task for task, made in squares.items() if len(made) < settings.squares}
    elicited = [record for record in asked if is_elicited(record) and record["task"] in missing]
    if elicited:
        samples += _answer(stage, settings, model, elicited, "elicited", progress)
        squares |= _squares(settings, samples, only=missing)

    by_id = {sample["sample_id"]: sample for sample in samples}
    rows = [_natural_row(sample) for sample in samples if _is_labelled(sample)]
    for task in settings.studied:
        for square in squares[task.name]:
            rows += _square_rows(square, task, by_id, _Encoder(model, settings))
    rows += _bare_rows(rows, _Encoder(model, settings))
    rows += reference_rows(model, settings)
    stage.write(SAMPLES_FILE, encode_table(columns(samples, SAMPLES), SAMPLES))
    stage.write(ROWS_FILE, encode_table(columns(rows, ROWS), ROWS))
    stage.finish()


def is_elicited(record: Mapping[str, Any]) -> bool:
    """Asked only where responses to the bare base prompts do not make enough squares of its task."""
    return record["kind"] == "pool" and bool(record["task"])


def model_inputs(model: LanguageModel) -> dict[str, Any]:
    """What of a model's identity decides what it computes (the self-check's timings do not)."""
    return {name: value for name, value in model.identity().items() if name not in ("self_check", "warnings")}


def sample_seed(seed: int, sample_id: str) -> int:
    """A seed of 63 bits for one response: whatever the batch, the same response."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{sample_id}".encode()).digest()[:8], "big") >> 1


class _Encoder:
    """Messages to prompt ids under the study's system prompt."""

    def __init__(self, model: LanguageModel, settings: StudySettings) -> None:
        self._model, self._settings = model, settings

    def __call__(self, prompt: str) -> list[int]:
        return self._model.encode(prompt, system=self._settings.system, thinking=self._settings.thinking)


def _answer(
    stage: Stage, settings: StudySettings, model: LanguageModel, asked: Sequence[Record], part: str, progress: Progress
) -> list[Record]:
    """Sample records of instructions, in chunks that are written as they are made and kept by a resumed run."""
    encode, families = _Encoder(model, settings), {task.name: task.family for task in settings.studied}
    encoded = [encode(record["prompt"]) for record in asked]
    _check_room(model, settings, asked, encoded)
    samples: list[Record] = []
    for start in range(0, len(asked), CHUNK):
        progress(f"answering ({part})", start, len(asked))
        name = f"parts/respond/{part}-{start // CHUNK:05d}.parquet"
        if not stage.has(name):
            chunk, prompts = asked[start : start + CHUNK], encoded[start : start + CHUNK]
            seeds = [sample_seed(settings.seed, record["instruction_id"]) for record in chunk]
            answers = _given(model, chunk) or model.generate(
                prompts,
                seeds,
                temperature=settings.temperature,
                top_p=settings.top_p,
                max_new_tokens=settings.max_new_tokens,
            )
            made = [_sample(*each, families) for each in zip(chunk, prompts, seeds, answers, strict=True)]
            stage.write(name, encode_table(columns(made, SAMPLES), SAMPLES))
        samples += read_table(stage.path(name)).rows()
    progress(f"answering ({part})", len(asked), len(asked))
    return samples


def _check_room(
    model: LanguageModel, settings: StudySettings, asked: Sequence[Record], prompts: Sequence[Sequence[int]]
) -> None:
    """Raise InputError, before anything is generated, for what would not fit into the model's context."""
    for record, prompt in zip(asked, prompts, strict=True):
        given = record["response"]
        room = settings.max_new_tokens if given is None else len(model.tokens(given)) + 1  # and its EOS
        if model.context is not None and len(prompt) + room > model.context:
            what = f"{room} new ones" if given is None else f"the {room} of its response"
            cure = "shorten the prompt, or give fewer --max-new-tokens" if given is None else "leave the record out"
            raise InputError(
                f"the prompt of {record['instruction_id']} has {len(prompt)} tokens; with {what} it passes "
                f"{model.name}'s context of {model.context}: {record['prompt'][:60]!r}",
                f"{cure}, or use a model with a longer context",
            )


def _given(model: LanguageModel, chunk: Sequence[Record]) -> list[Generation] | None:
    """Answers that a file brought, as if the model had given them and stopped; None if it brought none."""
    if any(record["response"] is None for record in chunk):
        return None
    given = [(tuple(model.tokens(record["response"])), record["response"]) for record in chunk]
    return [Generation(ids, text, "stop", model.eos_id, 0) for ids, text in given]


def _sample(
    record: Mapping[str, Any], prompt_ids: Sequence[int], seed: int, answer: Generation, families: Mapping[str, str]
) -> Record:
    task = record["task"]
    sample: Record = {name: record[name] for name in ("kind", "task", "base_id", "base", "template_id", "held_out")}
    sample |= {
        "sample_id": record["instruction_id"],
        "family": families[task] if task else "",
        "constraint": record["constraint"],
        "prompt": record["prompt"],
        "text": answer.text,
        "prompt_ids": list(prompt_ids),
        "response_ids": list(answer.token_ids),
        "eos_id": answer.eos_id,
        "answer_start": answer.answer_start,
        "finish_reason": answer.finish_reason,
        "n_words": count_words(answer.text),
        "n_chars": len(answer.text.strip()),
        "seed": seed,
        "origin": "given" if record["response"] is not None else "sampled" if task else "bare",
    }
    if not record["constraint"]:
        unasked = {"outcome": "", "score": None, "measured": None, "expected": None, "reason": "", "spans": "[]"}
        return sample | unasked
    verdict = constraint_from(json.loads(record["constraint"])).check(answer.text)
    return sample | {
        "outcome": verdict.outcome,
        "score": verdict.score,
        "measured": None if verdict.measured is None else str(verdict.measured),
        "expected": None if verdict.expected is None else str(verdict.expected),
        "reason": verdict.reason,
        "spans": json.dumps(verdict.spans),
    }


def _squares(
    settings: StudySettings, samples: Sequence[Record], only: set[str] | None = None
) -> dict[str, list[Square]]:
    # A split group may hold several base prompts of the user's; a square never mixes them.
    number = {base: i for i, base in enumerate(sorted({(s["base_id"], s["base"]) for s in samples}))}
    pool = [
        _pool_response(s, number[s["base_id"], s["base"]])
        for s in samples
        if s["kind"] == "pool" and s["finish_reason"] == "stop"
    ]
    tasks = [task for task in settings.studied if only is None or task.name in only]
    return {task.name: make_squares(task, pool, settings.squares, settings.seed) for task in tasks}


def _pool_response(sample: Mapping[str, Any], base_number: int) -> PoolResponse:
    constraint: Constraint | None = constraint_from(json.loads(sample["constraint"])) if sample["constraint"] else None
    return PoolResponse(sample["sample_id"], base_number, sample["base"], sample["task"], constraint, sample["text"])


def _is_labelled(sample: Mapping[str, Any]) -> bool:
    """A natural response that was verified and not cut off: what can be a row."""
    return (
        sample["kind"] == "natural"
        and sample["outcome"] in ("pass", "fail")
        and sample["finish_reason"] == "stop"
        and len(sample["response_ids"]) > sample["answer_start"]
    )


_OF_RESPONSE = ("response_ids", "eos_id", "answer_start", "finish_reason", "n_words", "n_chars")


def _natural_row(sample: Mapping[str, Any]) -> Record:
    kept = ("kind", "task", "family", "base_id", "base", "template_id", "held_out", "constraint", "prompt_ids")
    return {name: sample[name] for name in (*kept, *_OF_RESPONSE)} | {
        "row_id": sample["sample_id"],
        "square_id": None,
        "cell": None,
        "label": int(sample["outcome"] == "pass"),
        "prompt_text": sample["prompt"],
        "response_text": sample["text"],
        "origin": sample["origin"],
    }


def _square_rows(square: Square, task: Task, samples: Mapping[str, Record], encode: _Encoder) -> list[Record]:
    """The four cells of a square; I1R1 and I2R2 comply."""
    prompt_ids = [encode(prompt) for prompt in square.prompts]
    rows = []
    for cell in CELLS:
        i, r = int(cell[1]) - 1, int(cell[3]) - 1
        response = samples[square.responses[r].response_id]
        rows.append(
            {name: response[name] for name in (*_OF_RESPONSE, "base_id", "base")}
            | {
                "row_id": f"{square.square_id}-{cell}",
                "kind": "contrast",
                "task": task.name,
                "family": task.family,
                "square_id": square.square_id,
                "cell": cell,
                "template_id": square.template.template_id,
                "held_out": square.template.held_out,
                "constraint": constraint_json(square.constraints[i]),
                "label": int(i == r),
                "prompt_text": square.prompts[i],
                "response_text": response["text"],
                "prompt_ids": prompt_ids[i],
                "origin": response["origin"] if not response["task"] else "elicited",
            }
        )
    return rows


def _bare_rows(rows: Sequence[Record], encode: _Encoder) -> list[Record]:
    """Each response once more, under its base prompt alone; every row is given the id of its response's.

    None for a prompt that states its own constraint: there the instruction cannot be taken away.
    """
    bare: dict[tuple[str, tuple[int, ...], int | None], Record] = {}
    for row in rows:
        row["bare_id"] = None
        if row["base"] == row["prompt_text"]:
            continue
        key = row["base"], tuple(row["response_ids"]), row["eos_id"]
        if key not in bare:
            nothing_asked = {"task": "", "family": "", "template_id": "", "held_out": False, "constraint": ""}
            bare[key] = (
                row
                | nothing_asked
                | {"row_id": f"bare-{len(bare):06d}", "kind": "bare", "square_id": None, "cell": None, "label": -1}
                | {"prompt_text": row["base"], "prompt_ids": encode(row["base"]), "bare_id": None}
            )
        row["bare_id"] = bare[key]["row_id"]
    return list(bare.values())


def reference_rows(model: LanguageModel, settings: StudySettings) -> list[Record]:
    """Neutral texts by no model: what the spread of each hidden dimension is measured on."""
    texts = files("heedful.prompts").joinpath("reference.txt").read_text(encoding="utf-8").splitlines()
    encode, bases = _Encoder(model, settings), base_prompts()
    return [
        {
            "row_id": f"reference-{number:03d}",
            "kind": "reference",
            "task": "",
            "family": "",
            "base_id": -1,
            "square_id": None,
            "cell": None,
            "template_id": "",
            "held_out": False,
            "constraint": "",
            "label": -1,
            "prompt_text": bases[number % len(bases)].text,
            "response_text": text,
            "prompt_ids": encode(bases[number % len(bases)].text),
            "response_ids": model.tokens(text),
            "eos_id": model.eos_id,
            "answer_start": 0,
            "finish_reason": "stop",
            "n_words": count_words(text),
            "n_chars": len(text),
            "origin": "reference",
            "bare_id": None,
        }
        for number, text in enumerate(texts)
        if text.strip()
    ]
