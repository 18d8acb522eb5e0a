"""Stage 5, intervene: the model writes once more while traces of tasks are erased from its hidden states, or added to.

Reads `arms.safetensors`, which the probe stage fitted, and the instructions of the study; writes `results/behaviour.nc`, and
in `disturbed.parquet` what the model wrote: undisturbed, and under each arm a few answers to read beside. Arms are tried
together, as many as fill a batch; the outcome of each is kept as it is made, so that a killed run goes on at the next.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from heedful.config import StudySettings
from heedful.constraints import constraint_from
from heedful.erasure import Eraser, Step
from heedful.lenses.arms import STEP, Arm
from heedful.lenses.behaviour import Asked, Outcome, behaviour
from heedful.models import LanguageModel
from heedful.models.sites import Change
from heedful.pipeline.progress import Progress
from heedful.pipeline.respond import ROWS_FILE, SAMPLES_FILE, model_inputs
from heedful.pipeline.tables import DISTURBED, columns, replay_of
from heedful.store import RunFolder, Stage, encode_results, encode_table, read_table

ARMS_FILE, RESULT_FILE, SAID_FILE = "arms.safetensors", "results/behaviour.nc", "disturbed.parquet"

N_TEXTS = 16
"""Neutral texts on which the side effects of an arm are measured; fewer where fewer prompts are asked."""

_PATIENCE = 2
"""How many times as long as the longest undisturbed answer an arm may answer before it is cut off."""

Record = Mapping[str, Any]
_NOT_DISTURBED = {"how": "", "where": "", "erased": "", "variant": "undisturbed"}


def intervene(
    run: RunFolder,
    settings: StudySettings,
    model: LanguageModel,
    folds: Callable[[], Mapping[int, int]],
    progress: Progress,
) -> None:
    """Answer under every arm, verify, and measure the side effects.

    Args:
        folds: gives base prompt → the fold that holds it.
    """
    inputs = settings.model_dump(include={"max_new_tokens", "behaviour_prompts"}) | {"model": model_inputs(model)}
    stage = run.stage("intervene", inputs=inputs, reads=["respond", "probe"])
    if stage.done:
        return
    names = list(settings.tasks)
    arms = read_arms(run.path / ARMS_FILE) if settings.intervenes else []
    fold_of = folds()
    prompts = _prompts(list(read_table(run.path / SAMPLES_FILE).rows()), settings.behaviour_prompts, fold_of)
    texts = [r for r in read_table(run.path / ROWS_FILE).rows() if r["kind"] == "reference"]
    texts = texts[:: max(1, len(texts) // min(N_TEXTS, 2 * settings.behaviour_prompts))] if arms else []
    trial = _Trial(model, settings, prompts if arms else [], texts, fold_of)
    progress("intervening", 0, len(arms) + 1)
    if not stage.has(_part("undisturbed")):
        _keep(stage, "undisturbed", trial.undisturbed())
    undisturbed = _kept(stage, "undisturbed")
    plain, limit = torch.tensor(undisturbed["complies"], dtype=torch.float64), int(undisturbed["limit"][0])
    outcomes, said = {}, [_NOT_DISTURBED | one for one in undisturbed["said"]]
    left = [arm for arm in arms if not stage.has(_part(arm.name))]
    together = trial.arms_at_once(limit)
    for start in range(0, len(left), together):
        progress("intervening", 1 + len(arms) - len(left) + start, len(arms) + 1)
        part = left[start : start + together]
        for arm, found in zip(part, trial(part, limit, undisturbed["said"]), strict=True):
            _keep(stage, arm.name, found)
    for arm in arms:
        found = _kept(stage, arm.name)
        about = {"how": arm.how, "where": arm.where, "erased": arm.task, "variant": arm.variant}
        said += [about | one for one in found.pop("said")]
        outcomes[arm.name] = Outcome(**{name: torch.tensor(values) for name, values in found.items()})
    asked = Asked(
        torch.tensor([names.index(p["task"]) for p in trial.prompts], dtype=torch.long),
        torch.tensor([p["base_id"] for p in trial.prompts], dtype=torch.long),
        torch.tensor(trial.fold, dtype=torch.long),
    )
    stage.write(SAID_FILE, encode_table(columns(said, DISTURBED), DISTURBED))
    stage.write(RESULT_FILE, encode_results(behaviour(names, asked, plain, outcomes, arms)))
    stage.finish()
    progress("intervening", len(arms) + 1, len(arms) + 1)


def _part(name: str) -> str:
    """The file that keeps what an arm came to."""
    return f"parts/intervene/{name}.json"


def _keep(stage: Stage, name: str, made: Mapping[str, Sequence[Any]]) -> None:
    """NaN is null in the file."""
    stage.write(_part(name), json.dumps({what: [None if v != v else v for v in vs] for what, vs in made.items()}))


def _kept(stage: Stage, name: str) -> dict[str, list[Any]]:
    found = json.loads(stage.path(_part(name)).read_text(encoding="utf-8"))
    return {what: [float("nan") if v is None else v for v in values] for what, values in found.items()}


def _prompts(samples: Sequence[Record], per_task: int, folds: Mapping[int, int]) -> list[Record]:
    """Natural instructions of each task, each of another base prompt as far as they go, and of as few folds as that takes:
    every fold has changes of its own."""
    seen: Counter[tuple[str, int]] = Counter()
    places: dict[str, list[tuple[int, int, int]]] = {}
    for i, sample in enumerate(samples):
        task, base = sample["task"], sample["base_id"]
        if sample["kind"] == "natural" and sample["constraint"] and base in folds:
            places.setdefault(task, []).append((seen[task, base], folds[base], i))
            seen[task, base] += 1
    return [samples[i] for found in places.values() for _, _, i in sorted(found)[:per_task]]


class _Trial:
    """The prompts and texts that every arm is tried on."""

    def __init__(
        self,
        model: LanguageModel,
        settings: StudySettings,
        prompts: Sequence[Record],
        texts: Sequence[Record],
        folds: Mapping[int, int],
    ) -> None:
        self._model, self._limit = model, settings.max_new_tokens
        self.prompts = prompts
        self._constraints = [constraint_from(json.loads(p["constraint"])) for p in self.prompts]
        self.fold = [folds[p["base_id"]] for p in self.prompts]
        self._texts = [replay_of(r) for r in texts]

    def arms_at_once(self, limit: int) -> int:
        """How many arms' answers fill a batch."""
        longest = max((len(p["prompt_ids"]) for p in self.prompts), default=0)
        rows = self._model.generation_tokens // (longest + limit)
        return max(1, rows // max(1, len(self.prompts)))

    def undisturbed(self) -> dict[str, list[Any]]:
        """As the model is; and how long an arm may answer, which might else have no end."""
        said, longest = self._answers(range(len(self.prompts)), self._limit)
        limit = min(self._limit, _PATIENCE * max(longest, 8))
        return {"complies": [_complies(one) for one in said], "limit": [limit], "said": said}

    def __call__(self, arms: Sequence[Arm], limit: int, undisturbed: Sequence[Record]) -> list[dict[str, list[Any]]]:
        """Under each arm, every prompt with what was fitted without its fold. A step is tried on its own task alone."""
        at = [_by_fold(arm) for arm in arms]
        asked = [
            (a, i)
            for a, arm in enumerate(arms)
            for i, p in enumerate(self.prompts)
            if arm.how != STEP or p["task"] == arm.task
        ]
        with self._model.changed_by_row([at[a][self.fold[i]] for a, i in asked]):
            answers, _ = self._answers([i for _, i in asked], limit)
        said: list[list[Record | None]] = [[None] * len(self.prompts) for _ in arms]
        for (a, i), answer in zip(asked, answers, strict=True):
            said[a][i] = answer
        tried = sorted({*self.fold})
        moved = self._model.divergences(
            self._texts, [[each[tried[i % len(tried)]] for i in range(len(self._texts))] for each in at]
        )
        return [
            {
                "complies": [_complies(one) for one in mine],
                "n_tokens": side.n_tokens.tolist(),
                "nll": (side.nll_after - side.nll_before).tolist(),
                "kl": side.kl.tolist(),
                "said": _to_keep(mine, undisturbed),
            }
            for mine, side in zip(said, moved, strict=True)
        ]

    def _answers(self, which: Sequence[int], limit: int) -> tuple[list[Record], int]:
        """Each greedy answer with its verdict; and the tokens of the longest."""
        asked = [self.prompts[i]["prompt_ids"] for i in which]
        answers = self._model.generate(asked, [0] * len(asked), temperature=0.0, max_new_tokens=limit)
        said: list[Record] = []
        for i, answer in zip(which, answers, strict=True):
            verdict, prompt = self._constraints[i].check(answer.text), self.prompts[i]
            said.append(
                {"sample_id": prompt["sample_id"], "task": prompt["task"], "text": answer.text}
                | {"outcome": verdict.outcome, "reason": verdict.reason, "spans": json.dumps(verdict.spans)}
            )
        return said, max((len(answer.token_ids) for answer in answers), default=0)


def _complies(said: Record | None) -> float:
    """1 or 0; NaN where nothing was asked, or the answer could not be scored."""
    return {"pass": 1.0, "fail": 0.0}.get(said["outcome"] if said else "", float("nan"))


def _to_keep(said: Sequence[Record | None], undisturbed: Sequence[Record]) -> list[Record]:
    """Of each task, in the order of the prompts: the first answer whose outcome changed and the first whose did not."""
    first: dict[tuple[str, bool], Record] = {}
    for one, plain in zip(said, undisturbed, strict=True):
        if one is not None:
            first.setdefault((one["task"], one["outcome"] != plain["outcome"]), one)
    return list(first.values())


def _by_fold(arm: Arm) -> list[dict[str, Change]]:
    """What the arm does to a row, by the fold that holds it."""
    return [{site: _on_any_device(change)} for site, change in zip(arm.sites, arm.changes, strict=True)]


def _on_any_device(change: Eraser | Step) -> Change:
    """The change, its tensors brought once to each device where hidden states are."""

    @cache
    def there(device: torch.device) -> Eraser | Step:
        return type(change)(**{name: value.to(device) for name, value in vars(change).items()})

    return lambda hidden: there(hidden.device)(hidden)


def arms_bytes(arms: Sequence[Arm]) -> bytes:
    """Arms as a safetensors file: a tensor for each part of a change, the rest in its metadata."""
    tensors = {
        f"{a}/{fold}/{name}": value.contiguous()
        for a, arm in enumerate(arms)
        for fold, change in enumerate(arm.changes)
        for name, value in vars(change).items()
    }
    about = [{"how": a.how, "where": a.where, "task": a.task, "variant": a.variant, "sites": a.sites} for a in arms]
    # A file without tensors cannot be opened again.
    return save(tensors or {"none": torch.zeros(1)}, {"arms": json.dumps(about)})


def read_arms(path: Path) -> list[Arm]:
    """What `arms_bytes` wrote."""
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["arms"])
        parts: dict[tuple[int, int], dict[str, Tensor]] = {}
        for key in file.keys():  # noqa: SIM118 - safe_open is no mapping
            if key != "none":
                a, fold, name = key.split("/")
                parts.setdefault((int(a), int(fold)), {})[name] = file.get_tensor(key)
    return [
        Arm(
            **{name: value for name, value in each.items() if name != "sites"},
            sites=tuple(each["sites"]),
            changes=tuple(_change(parts[a, fold]) for fold in range(len(each["sites"]))),
        )
        for a, each in enumerate(about)
    ]


def _change(parts: dict[str, Tensor]) -> Eraser | Step:
    return Step(**parts) if "by" in parts else Eraser(**parts)
