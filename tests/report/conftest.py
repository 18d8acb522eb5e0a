"""A run folder as a study leaves it, made of drawn numbers and real verdicts by the real writers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from heedful.lenses import RESULTS_VERSION, verdict
from heedful.lenses.arms import DIRECTIONS, VARIANTS, Arm
from heedful.lenses.behaviour import Asked, Outcome, behaviour
from heedful.lenses.depth import STEPS
from heedful.lenses.extras import NO_FORMAT, RANDOM, READINGS, SPECIALIST
from heedful.lenses.extremes import ENDS, LABELS
from heedful.lenses.transfer import NAMED_PAIRS
from heedful.pipeline.tables import DISTURBED, columns
from heedful.prompts.base import base_prompts
from heedful.prompts.instructions import constraint_json, natural_instructions
from heedful.prompts.tasks import TASKS
from heedful.report import render_report
from heedful.report.run import Run, read_run
from heedful.store import RunFolder, encode_results, encode_table

POSITIONS = ("prompt[-1]", "response[7]", "response[50%]", "eos")
PROBES = ("specialist", "general_each", "general_total", "held_out")
BASELINES = ("prompt words", "response words", "length", "log p")
KINDS = ("contrast", "natural")
ANSWERED = ("samples.parquet", "rows.parquet")

_SENTENCES = (
    "The garden was wonderful this morning, and the roses are in bloom.",
    "I reckon the match was awful, and the damn goalkeeper missed it all.",
    "We would like to inform you that the library will close at noon.",
    "The train was late again, so nobody saw the sea.",
    "She plays the violin and sings in the choir on Sundays.",
    "hey, gonna grab some pasta with tomato sauce and garlic, wanna come?",
    "The weather is cold and the rain does not stop.",
    "It is a happy day, thank you for the lovely flowers!",
    "Stars and planets were bright over the telescope.",
    "The price of the shares fell, and the market closed lower.",
)
_SHAPE = {"structural": (0.35, 0.9), "lexical": (0.5, 0.85), "semantic": (0.65, 0.9), "stylistic": (0.7, 0.75)}


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a run folder; see `synthetic_run`."""
    return lambda name="run", **changes: synthetic_run(tmp_path / name, **changes)


@pytest.fixture(scope="session")
def ordinary_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ordinary run to read: nine tasks, one of them with too few natural rows."""
    return synthetic_run(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="session")
def run(ordinary_run: Path) -> Run:
    """The ordinary run as the report reads it."""
    return read_run(ordinary_run)


@pytest.fixture
def run_folder(ordinary_run: Path, tmp_path: Path) -> Path:
    """A copy of the ordinary run to write to."""
    return Path(copytree(ordinary_run, tmp_path / "ordinary"))


@pytest.fixture(scope="session")
def ordinary_page(ordinary_run: Path) -> str:
    """The ordinary run's report."""
    return render_report(ordinary_run)


def synthetic_run(
    path: Path,
    *,
    model: str = "pico-llama",
    tasks: tuple[str, ...] = tuple(TASKS),
    samples: int = 12,
    n_blocks: int = 3,
    positions: tuple[str, ...] = POSITIONS,
    text: str | None = None,
    prompt: str | None = None,
    term: str | None = None,
    squares: int = 30,
    too_few: tuple[tuple[str, str], ...] = (("natural", "toxicity"),),
    change: Callable[[xr.Dataset], xr.Dataset] | None = None,
    extras: bool = False,
    responses_file: str | None = None,
) -> Path:
    """A finished run.

    Args:
        text: every response, if given; else drawn sentences.
        prompt: every prompt, if given.
        term: what inclusion and exclusion ask for, if given.
        too_few: (kind, task) cells without numbers.
        change: applied to the specialists' results before they are written; may change them in place.
        extras: whether it was run with them.
        responses_file: where the answers came from, if not from the model.
    """
    results, files = _drawn(tasks, samples, n_blocks, positions, text, prompt, term, squares, too_few)
    if change is not None:
        results = {**results, "specialists": change(results["specialists"].copy(deep=True))}
        files = {**files, **_encoded(specialists=results["specialists"], verdict=verdict(results))}
    settings = {
        "model": model,
        "tasks": list(tasks),
        "samples": samples,
        "squares": squares,
        "folds": 5,
        "seed": 0,
        "extras": extras,
        "responses_file": responses_file,
    }
    settings |= {"temperature": 1.0, "positions": list(positions), "revision": None}
    with RunFolder.open(path, settings) as run:
        self_check = {"batched": 3e-7, "hooks": 1e-7, "causal": 2e-7, "log_p": 4e-7, "tolerance": 1e-3, "seconds": 0.4}
        identity = {"id": model, "architecture": "LlamaForCausalLM", "parameters": 3_700_000, "dtype": "float32"}
        identity |= {"device": "cpu", "eos_ids": [2], "self_check": self_check, "torch": "2.13.0"}
        run.note(heedful="0.1.0", model=identity)
        respond = run.stage("respond")
        for name in ANSWERED:
            respond.write(name, files[name])
        respond.finish()
        probe = run.stage("probe", inputs={"results": RESULTS_VERSION}, reads=["respond"])
        for name, content in files.items():
            if name not in ANSWERED:
                probe.write(name, content)
        probe.finish()
        if extras:
            beside = run.stage("extras", reads=["probe"])
            beside.write("results/extras.nc", encode_results(_extras(results["specialists"])))
            beside.finish()
    return path


@cache
def _drawn(
    tasks: tuple[str, ...],
    samples: int,
    n_blocks: int,
    positions: tuple[str, ...],
    text: str | None,
    prompt: str | None,
    term: str | None,
    squares: int,
    too_few: tuple[tuple[str, str], ...],
) -> tuple[dict[str, xr.Dataset], dict[str, bytes | memoryview]]:
    """The results by lens, and every file of a run by its name; to be copied, not changed."""
    rng = np.random.default_rng(0)
    answered = _samples(tasks, samples, text, prompt, term)
    rows = _rows(answered, tasks, squares)
    specialists = _specialists(rng, tasks, n_blocks, positions, squares, too_few)
    results = {
        "specialists": specialists,
        "baselines": _baselines(rng, tasks, too_few),
        "depth": _depth(rng, tasks, positions, too_few),
        "transfer": _transfer(rng, tasks, too_few),
        "mapped": _mapped(rng, tasks, too_few),
        "ablation": _ablation(rng, tasks, too_few),
        "temporal": _temporal(rng, tasks, positions, too_few),
        "specificity": _specificity(tasks, too_few),
        "extremes": _extremes(rng, specialists, rows, too_few),
        "behaviour": _behaviour(tasks),
    }
    tables = {
        "samples.parquet": encode_table(_columns(answered)),
        "rows.parquet": encode_table(_columns(rows)),
        "disturbed.parquet": encode_table(columns(_disturbed(answered, tasks), DISTURBED), DISTURBED),
    }
    return results, tables | _encoded(**results, verdict=verdict(results))


def _encoded(**results: xr.Dataset) -> dict[str, bytes | memoryview]:
    return {f"results/{name}.nc": encode_results(dataset) for name, dataset in results.items()}


def _extras(specialists: xr.Dataset) -> xr.Dataset:
    """At 'eos', where all but topic stay as they are without length and format; random weights are at chance but for JSON."""
    at = specialists.sel(probe="specialist", position="eos", drop=True)
    found = xr.Dataset(coords={name: at[name] for name in ("kind", "task", "site")} | {"reading": list(READINGS)})
    share = {
        SPECIALIST: 1.0,
        NO_FORMAT: xr.where(at["task"] == "topic", 0.0, 1.0),
        RANDOM: xr.where(at["task"] == "json", 0.5, 0.0),
    }
    beyond = xr.concat([(at["auroc"] - 0.5) * share.get(name, 0.3) for name in READINGS], "reading")
    best = xr.concat([(at["best_auroc"] - 0.5) * share.get(name, 0.3) for name in READINGS], "reading")
    for name, values in (("auroc", 0.5 + beyond), ("best_auroc", 0.5 + best), ("lead", best.isel(reading=0) - best)):
        for suffix, shift in (("", 0.0), ("_low", -0.03), ("_high", 0.03)):
            found[f"{name}{suffix}"] = values + shift
    found["position"] = xr.where(at["best_auroc"].notnull(), "eos", "")
    return found


def _samples(
    tasks: tuple[str, ...], n: int, text: str | None, prompt: str | None, term: str | None
) -> list[dict[str, Any]]:
    rng = Random(0)
    made = []
    for asked in natural_instructions([TASKS[task] for task in tasks], base_prompts(), n, seed=0):
        assert asked.constraint is not None
        constraint = asked.constraint
        if term is not None and asked.task in ("include", "exclude"):
            constraint = constraint.model_copy(update={"terms": (term,)})
        said = text if text is not None else _answer(rng, asked.task)
        verdict = constraint.check(said)
        made.append(
            {
                "sample_id": asked.instruction_id,
                "kind": "natural",
                "task": asked.task,
                "family": TASKS[asked.task].family,
                "base_id": asked.base_id,
                "base": asked.base,
                "template_id": asked.template_id,
                "held_out": asked.held_out,
                "constraint": constraint_json(constraint),
                "prompt": asked.prompt if prompt is None else prompt,
                "text": said,
                "finish_reason": "length" if rng.random() < 0.03 else "stop",
                "outcome": verdict.outcome,
                "score": verdict.score,
                "reason": verdict.reason,
                "spans": json.dumps(verdict.spans),
                "n_words": len(said.split()),
                "n_chars": len(said),
            }
        )
    bare = {"sample_id": "bare", "kind": "pool", "task": "", "base_id": 0, "outcome": "", "spans": "[]"}
    return [*made, (made[0] if made else {}) | bare]


def _answer(rng: Random, task: str) -> str:
    if task == "json" and rng.random() < 0.7:
        return json.dumps({key: rng.choice(_SENTENCES) for key in ("title", "text", "mood", "closing")})
    return " ".join(rng.sample(_SENTENCES, rng.randint(1, 3)))


def _rows(samples: list[dict[str, Any]], tasks: tuple[str, ...], squares: int) -> list[dict[str, Any]]:
    """Rows with their texts; a contrast row borrows its prompt and response from the task's answers, in turn."""

    def said(s: dict[str, Any]) -> dict[str, Any]:
        return {"constraint": s["constraint"], "prompt_text": s["prompt"], "response_text": s["text"]}

    natural = [
        {"row_id": s["sample_id"], "kind": "natural", "task": s["task"], "base_id": s["base_id"], "square_id": None}
        | {"label": int(s["outcome"] == "pass")}
        | said(s)
        for s in samples
        if s["kind"] == "natural" and s["outcome"] in ("pass", "fail")
    ]
    nothing = {"constraint": "", "prompt_text": "", "response_text": ""}
    answers = {task: [said(s) for s in samples if s["kind"] == "natural" and s["task"] == task] for task in tasks}
    contrast = [
        {"row_id": f"{task}-{i}-{c}", "kind": "contrast", "task": task, "base_id": i, "square_id": f"{task}-{i}"}
        | {"label": int(c in (0, 3))}
        | (answers[task][(i + c) % len(answers[task])] if answers[task] else nothing)
        for task in tasks
        for i in range(squares)
        for c in range(4)
    ]
    reference = {"row_id": "reference-0", "kind": "reference", "task": "", "base_id": -1, "square_id": None}
    return [*natural, *contrast, reference | {"label": -1} | nothing]


def _columns(records: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [record[name] for record in records] for name in records[0]}


def _specialists(
    rng: np.random.Generator,
    tasks: tuple[str, ...],
    n_blocks: int,
    positions: tuple[str, ...],
    squares: int,
    too_few: tuple[tuple[str, str], ...],
) -> xr.Dataset:
    """AUROC that rises with depth and with the text, each family at its own depth."""
    sites = ("embed", *(f"block.{i}.out" for i in range(n_blocks)))
    depth, time = np.linspace(0, 1, len(sites)), np.linspace(0, 1, len(positions))
    strength = {"specialist": 1.0, "general_each": 0.45, "general_total": 0.4, "held_out": 0.12}
    auroc = np.full((len(PROBES), 2, len(tasks), len(sites), len(positions)), np.nan)
    for t, task in enumerate(tasks):
        centre, top = _SHAPE[TASKS[task].family]
        top = 0.52 if task == "exclude" else top - 0.04 * (t % 3)
        curve = np.outer(1 / (1 + np.exp(-9 * (depth - centre))) * (1 - 0.3 * depth), time**0.8)
        for k in range(2):
            for p, probe in enumerate(PROBES):
                rise = (top - 0.5) * strength[probe] * 1.3 * (1 - 0.25 * k)
                auroc[p, k, t] = 0.5 + rise * curve + rng.normal(0, 0.008, curve.shape)
    dims = ("probe", "kind", "task", "site", "position")
    dataset = xr.Dataset(
        coords={
            "probe": list(PROBES), "kind": list(KINDS), "task": list(tasks), "site": list(sites),
            "position": list(positions), "family": ("task", [TASKS[task].family for task in tasks]),
            "relative_depth": ("site", depth),
        },
        attrs={"n_folds": 5, "C": [0.001, 0.1, 10.0], "seed": 0, "level": 0.95, "interval": "cluster jackknife, logit"},
    )  # fmt: skip
    half = 0.03
    dataset["auroc"] = (dims, auroc)
    dataset["auroc_low"], dataset["auroc_high"] = dataset["auroc"] - half, np.minimum(dataset["auroc"] + half, 1.0)
    specialist = dataset["auroc"].sel(probe="specialist", drop=True)
    for name, probe in (("gap", "general_each"), ("gap_held_out", "held_out")):
        gap = specialist - dataset["auroc"].sel(probe=probe, drop=True)
        dataset[name], dataset[f"{name}_low"], dataset[f"{name}_high"] = gap, gap - half, gap + half
    dataset["control"] = (dims[1:], 0.5 + rng.normal(0.02, 0.01, auroc.shape[1:]))
    dataset["selectivity"] = specialist - dataset["control"]
    best = dataset["auroc"].max(("site", "position"))
    dataset["best_auroc"], dataset["best_low"], dataset["best_high"] = best, best - half, np.minimum(best + half, 1.0)
    for name, other in (("best_gap", best.sel(probe="general_each", drop=True)), ("best_selectivity", 0.52)):
        over = best.sel(probe="specialist", drop=True) - other
        dataset[name], dataset[f"{name}_low"], dataset[f"{name}_high"] = over, over - half, over + half
    dataset["best_control"], dataset["best_control_low"], dataset["best_control_high"] = (
        (dims[1:3], np.full((2, len(tasks)), value)) for value in (0.52, 0.5, 0.54)
    )
    dataset["best_balanced_accuracy"] = 0.5 + (best - 0.5) * 0.8
    flat = specialist.stack(cell=("site", "position")).argmax("cell").values
    cells = [[divmod(int(i), len(positions)) for i in row] for row in flat]
    dataset["best_site"] = (("kind", "task"), [[sites[s] for s, _ in row] for row in cells])
    dataset["best_position"] = (("kind", "task"), [[positions[p] for _, p in row] for row in cells])
    two = (2, len(tasks))
    dataset["null_mean"], dataset["null_high"] = (
        (("kind", "task"), np.full(two, 0.5)),
        (("kind", "task"), np.full(two, 0.55)),
    )
    dataset["p_value"] = xr.where(best.sel(probe="specialist", drop=True) > 0.56, 0.005, 0.31)
    for name, contrast, natural in (
        ("n_rows", 4 * squares, 380),
        ("n_positive", 2 * squares, 170),
        ("n_groups", 118, 120),
    ):
        dataset[name] = (("kind", "task"), np.repeat([[contrast], [natural]], len(tasks), 1))
    for name, value in (("mean_gap", 0.15), ("lost", 0.45), ("universality", 0.2)):
        for suffix, shift in (("", 0.0), ("_low", -0.05), ("_high", 0.05)):
            dataset[f"{name}{suffix}"] = ("kind", [value + shift] * 2)
    dataset["n_readable"] = ("kind", [len(tasks)] * 2)
    dataset["too_few"] = (("kind", "task"), np.zeros(two, bool))
    leak = np.array([[p == "prompt[-1]" for p in positions], [False] * len(positions)])
    dataset["leak_check"] = (("kind", "position"), leak)
    dataset["massive_dimensions"] = ("site", [0] * (len(sites) - 1) + [2])
    return _without(dataset, too_few)


def _without(dataset: xr.Dataset, too_few: tuple[tuple[str, str], ...]) -> xr.Dataset:
    """NaN in the cells of tasks with too few rows, as the lenses leave them."""
    for kind, task in too_few:
        here = (dataset["kind"] == kind) & (dataset["task"] == task)
        for name, values in list(dataset.data_vars.items()):
            if {"kind", "task"} <= set(values.dims):
                if values.dtype.kind == "f":
                    dataset[name] = values.where(~here).transpose(*values.dims)
                elif values.dtype.kind in "UT":
                    dataset[name] = xr.where(here, "", values).transpose(*values.dims)
        if "too_few" in dataset:
            dataset["too_few"] = (dataset["too_few"] | here).transpose("kind", "task")
            dataset["n_positive"] = xr.where(here, 7, dataset["n_positive"]).transpose("kind", "task")
    return dataset


def _baselines(rng: np.random.Generator, tasks: tuple[str, ...], too_few: tuple[tuple[str, str], ...]) -> xr.Dataset:
    mean = np.array([0.5, 0.5, 0.53, 0.57])
    auroc = np.clip(mean + rng.normal(0, 0.015, (2, len(tasks), 4)), 0.3, 0.95)
    dims = ("kind", "task", "baseline")
    found = xr.Dataset(
        {"auroc": (dims, auroc), "low": (dims, auroc - 0.03), "high": (dims, auroc + 0.03)},
        coords={"kind": list(KINDS), "task": list(tasks), "baseline": list(BASELINES)},
    )
    return _without(found, too_few)


def _depth(
    rng: np.random.Generator, tasks: tuple[str, ...], positions: tuple[str, ...], too_few: tuple[tuple[str, str], ...]
) -> xr.Dataset:
    shape = (2, len(tasks), len(positions))
    centre = np.array([_SHAPE[TASKS[task].family][0] for task in tasks])[None, :, None] + rng.normal(0, 0.04, shape)
    found = xr.Dataset(
        coords={"kind": list(KINDS), "task": list(tasks), "position": list(positions), "step": list(STEPS)},
        attrs={"headline_position": "eos"},
    )
    for name, values in (("centre", centre), ("onset90", centre + 0.1), ("peak_site_index", 4 * centre + 0.8)):
        for suffix, shift in (("", 0), ("_low", -0.07), ("_high", 0.07)):
            found[f"{name}{suffix}"] = (("kind", "task", "position"), values + shift)
    readable = np.full(shape, True)
    readable[:, [TASKS[task].name == "exclude" for task in tasks]] = False
    found["readable"] = (("kind", "task", "position"), readable)
    found["rank_tasks"] = (("kind", "position"), np.full((2, len(positions)), len(tasks)))
    for suffix, value in (("", 0.7), ("_low", 0.35), ("_high", 0.9)):
        found[f"rank_correlation{suffix}"] = (("kind", "position"), np.full((2, len(positions)), value))
        gain = np.broadcast_to(value / np.array([5, 4]), (2, len(positions), len(STEPS)))
        found[f"gain{suffix}"] = (("kind", "position", "step"), gain)
    found["order_p"] = (("kind", "position"), np.full((2, len(positions)), 0.01))
    return _without(found, too_few)


def _transfer(rng: np.random.Generator, tasks: tuple[str, ...], too_few: tuple[tuple[str, str], ...]) -> xr.Dataset:
    """Topic and sentiment read each other, nothing else does; a tree that adds one task after the other."""
    n, dims = len(tasks), ("kind", "source", "target")
    auroc = 0.5 + rng.normal(0, 0.03, (2, n, n))
    for i, a in enumerate(tasks):
        for j, b in enumerate(tasks):
            auroc[:, i, j] += 0.35 * (i == j) + 0.25 * ({a, b} == {"topic", "sentiment"})
    for k, kind in enumerate(KINDS):
        gone = [tasks.index(task) for each, task in too_few if each == kind and task in tasks]
        auroc[k, gone], auroc[k, :, gone] = np.nan, np.nan
    here = np.isfinite(auroc[:, np.arange(n), np.arange(n)])
    found = xr.Dataset(
        coords={
            "kind": list(KINDS),
            "task": list(tasks),
            "source": list(tasks),
            "target": list(tasks),
            "pair": [" and ".join(pair) for pair in NAMED_PAIRS],
        },
        attrs={"n_permutations": 1999},
    )
    share = (auroc - 0.5) / 0.35
    for name, values in (("auroc", auroc), ("normalised", share)):
        for suffix, shift in (("", 0.0), ("_low", -0.05), ("_high", 0.05)):
            found[f"{name}{suffix}"] = (dims, values + shift)
    found["p_value"] = found["q_value"] = (dims, np.where(np.isnan(auroc), np.nan, np.where(auroc > 0.6, 0.001, 0.4)))
    for name, value in (("mean_share", 0.1), ("mean_off_diagonal", 0.51)):
        for suffix, shift in (("", 0.0), ("_low", -0.03), ("_high", 0.03)):
            found[f"{name}{suffix}"] = ("kind", [value + shift] * 2)
    read = np.array([{*pair} <= {*tasks} for pair in NAMED_PAIRS])
    for suffix, shift in (("", 0.0), ("_low", -0.03), ("_high", 0.03)):
        found[f"planned{suffix}"] = (("kind", "pair"), np.where(read, [[0.12 + shift]] * 2, np.nan))
    found["mantel"], found["mantel_p"] = ("kind", [0.4, 0.1]), ("kind", [0.03, 0.4])
    order = np.array([[*np.flatnonzero(row), *np.flatnonzero(~row)] for row in here])
    merges = max(n - 1, 0)
    merged = np.zeros((2, merges, n), bool)
    height = np.full((2, merges), np.nan)
    for k, row in enumerate(here):
        for merge in range(int(row.sum()) - 1):
            merged[k, merge, order[k, : merge + 2]], height[k, merge] = True, 0.3 + 0.02 * merge
    found["merged"], found["order"] = (("kind", "merge", "task"), merged), (("kind", "task"), order)
    found["height"], found["support"] = (
        (("kind", "merge"), height),
        (("kind", "merge"), np.where(height > 0, 0.9, np.nan)),
    )
    found["n_tasks"] = ("kind", here.sum(1))
    found["shared_site"], found["shared_position"] = ("kind", ["block.1.out"] * 2), ("kind", ["eos"] * 2)
    return found


def _mapped(rng: np.random.Generator, tasks: tuple[str, ...], too_few: tuple[tuple[str, str], ...]) -> xr.Dataset:
    """As `_transfer`, the same for every mapping; each task is read at a site of its own."""
    shared = _transfer(rng, tasks, too_few)
    names = ("auroc", "auroc_low", "auroc_high", "p_value", "q_value")
    names += tuple(f"mean_off_diagonal{end}" for end in ("", "_low", "_high"))
    means = {f"planned{end}": shared[f"planned{end}"].mean("pair") for end in ("", "_low", "_high")}
    found = shared[list(names)].assign(means).expand_dims(mapping=["none", "ridge", "cca"], axis=1)
    here = shared["n_tasks"].values > 1
    known = shared["auroc"].notnull().any("target").values
    for name, word in (("best_site", "block.1.out"), ("best_position", "eos")):
        found[name] = (("kind", "task"), np.where(known & here[:, None], word, ""))
    found["pwcca"] = (("kind", "source", "target"), np.full((2, len(tasks), len(tasks)), 0.4))
    found["n_tasks"] = shared["n_tasks"]
    return found.assign_coords(task=list(tasks)).assign_attrs(maps="fitted without labels")


def _ablation(rng: np.random.Generator, tasks: tuple[str, ...], too_few: tuple[tuple[str, str], ...]) -> xr.Dataset:
    """Each task loses by its own erasure, sentiment by that of topic too; JSON is not gone when erased."""
    n = len(tasks)
    drop = rng.normal(0, 0.01, (2, n, n)) + 0.3 * np.eye(n)
    before, after = np.full((2, n), 0.8), np.full((2, n, n), 0.8) - 0.3 * np.eye(n)
    q = np.full((2, n, n), 0.6)
    for i, a in enumerate(tasks):
        for j, b in enumerate(tasks):
            if (a, b) == ("topic", "sentiment"):
                drop[:, i, j], q[:, i, j] = 0.2, 0.004
            after[:, i, j] += 0.15 * (a == b == "json")
    for k, kind in enumerate(KINDS):
        for t in [tasks.index(task) for each, task in too_few if each == kind and task in tasks]:
            for values in (drop, after, q):
                values[k, t], values[k, :, t] = np.nan, np.nan
            before[k, t] = np.nan
    dims = ("kind", "eraser", "reading", "erased", "target")
    found = xr.Dataset(
        coords={
            "kind": list(KINDS),
            "eraser": ["leace"],
            "reading": ["refitted"],
            "task": list(tasks),
            "erased": list(tasks),
            "target": list(tasks),
        },
        attrs={"headline_eraser": "leace", "headline_reading": "refitted", "min_drop": 0.02, "n_controls": 3},
    )
    for name, values in (("drop", drop), ("after", after)):
        for suffix, shift in (("", 0.0), ("_low", -0.04), ("_high", 0.04)):
            found[f"{name}{suffix}"] = (dims, (values + shift)[:, None, None])
    found["drop_permuted"] = found["drop_random"] = (dims, 0 * drop[:, None, None])
    found["p_value"] = found["q_value"] = (dims, q[:, None, None])
    for suffix, shift in (("", 0.0), ("_low", -0.04), ("_high", 0.04)):
        found[f"before{suffix}"] = (("kind", "target"), before + shift)
        found[f"before_own{suffix}"] = (("kind", "reading", "target"), before[:, None] + shift)
    for name, value in (("damage", 0.05), ("hub", 0.2), ("own", 0.8), ("damage_of_own", 0.06), ("hub_of_own", 0.25)):
        for suffix, shift in (("", 0.0), ("_low", -0.03), ("_high", 0.03)):
            found[f"{name}{suffix}"] = (("kind", "eraser", "reading"), np.full((2, 1, 1), value + shift))
    found["n_tasks"] = ("kind", np.isfinite(before).sum(1))
    found["shared_site"], found["shared_position"] = ("kind", ["block.1.out"] * 2), ("kind", ["eos"] * 2)
    return found


def _behaviour(tasks: tuple[str, ...]) -> xr.Dataset:
    """As the lens makes it of drawn outcomes: erasing a task's trace undoes its own compliance, and topic's sentiment's."""
    rng = np.random.default_rng(5)
    arms = [
        Arm(how, "chosen", task, variant, ("block.1.out",), ())
        for task in tasks
        for how, variants in (("leace", VARIANTS), ("step", DIRECTIONS))
        for variant in variants
    ]
    n = 30
    task, base = torch.arange(len(tasks)).repeat_interleave(n), torch.arange(n).repeat(len(tasks))
    undisturbed = torch.from_numpy(rng.random(len(task)) < 0.8).double()
    outcomes = {}
    for arm in arms:
        hit = task == tasks.index(arm.task)
        if arm.task == "topic" and "sentiment" in tasks:
            hit = hit | (task == tasks.index("sentiment"))
        complies = undisturbed.clone()
        if arm.variant in ("erased", "away"):
            complies[hit] = 0.0
        outcomes[arm.name] = Outcome(complies, torch.full((8,), 20), torch.rand(8), torch.rand(8))
    return behaviour(tasks, Asked(task, base, base % 2), undisturbed, outcomes, arms)


def _disturbed(samples: list[dict[str, Any]], tasks: tuple[str, ...]) -> list[dict[str, Any]]:
    """To the first two prompts of each task; an erased trace makes its own task's second answer violate."""
    said = []
    for task in tasks:
        mine = [s for s in samples if s["kind"] == "natural" and s["task"] == task][:2]
        for i, sample in enumerate(mine):
            one = {name: sample[name] for name in ("sample_id", "task", "text", "reason", "spans")}
            plain = one | {"how": "", "where": "", "erased": "", "variant": "undisturbed", "outcome": "pass"}
            said.append(plain)
            for erased in tasks:
                lost = erased == task and i == 1
                about = {"how": "leace", "where": "chosen", "erased": erased, "variant": "erased"}
                said.append(plain | about | ({"outcome": "fail", "text": f"lost: {one['text']}"} if lost else {}))
    return said


def _extremes(
    rng: np.random.Generator,
    specialists: xr.Dataset,
    rows: list[dict[str, Any]],
    too_few: tuple[tuple[str, str], ...],
) -> xr.Dataset:
    """The first two rows of either class at one end, the last two at the other, at the last site and position."""
    sites, positions = ([str(name) for name in specialists[dim].values] for dim in ("site", "position"))
    coords = {name: specialists[name].values.tolist() for name in ("kind", "task")}
    coords |= {"label": list(LABELS), "end": list(ENDS), "rank": [0, 1]}
    dims = tuple(coords)
    shape = tuple(len(values) for values in coords.values())
    ids = np.full(shape, "", dtype=object)
    for k, kind in enumerate(coords["kind"]):
        for t, task in enumerate(coords["task"]):
            for label in (0, 1):
                here = [r["row_id"] for r in rows if (r["kind"], r["task"], r["label"]) == (kind, task, label)]
                if (kind, task) not in too_few and len(here) >= 4:
                    ids[k, t, label] = [here[:2], here[-2:]]
    known = ids != ""
    share = np.where(known, rng.random(shape), np.nan)
    found = xr.Dataset(
        {
            "row_id": (dims, ids.astype(str)),
            "placement": (dims, share),
            "by_site": ((*dims, "site"), np.repeat(share[..., None], len(sites), -1)),
            "by_position": ((*dims, "position"), np.repeat(share[..., None], len(positions), -1)),
        },
        coords | {"site": sites, "position": positions},
    )
    for name, last in (("of_site", sites[-1]), ("of_position", positions[-1])):
        found[name] = (dims, np.where(known, last, ""))
    return found


def _temporal(
    rng: np.random.Generator, tasks: tuple[str, ...], positions: tuple[str, ...], too_few: tuple[tuple[str, str], ...]
) -> xr.Dataset:
    """A rise from chance to 0.9 over the positions; contrast labels have no words to be read by."""
    n, m = len(tasks), len(positions)
    rise = np.linspace(0.5, 0.9, m) + rng.normal(0, 0.01, (2, n, m))
    for k, kind in enumerate(KINDS):
        for t in [tasks.index(task) for each, task in too_few if each == kind and task in tasks]:
            rise[k, t] = np.nan
    prefix = np.where(np.array(KINDS)[:, None, None] == "natural", rise - 0.1, np.nan)
    found = xr.Dataset(
        coords={
            "kind": list(KINDS), "task": list(tasks), "position": list(positions), "train": list(positions),
            "test": list(positions),
        }
    )  # fmt: skip
    matrix = np.minimum(rise[..., None], rise[..., None, :])
    for suffix, shift in (("", 0.0), ("_low", -0.04), ("_high", 0.04)):
        for name, values in (("auroc", rise), ("from_end", rise - 0.05), ("prefix", prefix)):
            found[f"{name}{suffix}"] = (("kind", "task", "position"), values + shift)
        found[f"matrix{suffix}"] = (("kind", "task", "train", "test"), matrix + shift)
        for name, value in (("planning", [np.nan, 0.01]), ("monitoring", [0.2, 0.1]), ("rise", [0.4, 0.4])):
            found[f"{name}{suffix}"] = ("kind", np.array(value) + shift)
        found[f"peak{suffix}"] = ("kind", [0.2 + shift] * 2)
    found["n_tasks"] = found["n_planning"] = ("kind", np.isfinite(rise).all(-1).sum(-1))
    return found


def _specificity(tasks: tuple[str, ...], too_few: tuple[tuple[str, str], ...]) -> xr.Dataset:
    n = len(tasks)
    known = np.ones((2, n))
    for k, kind in enumerate(KINDS):
        for t in [tasks.index(task) for each, task in too_few if each == kind and task in tasks]:
            known[k, t] = np.nan
    found = xr.Dataset(coords={"kind": list(KINDS), "task": list(tasks)})
    for suffix, shift in (("", 0.0), ("_low", -0.04), ("_high", 0.04)):
        for name, value in (("auroc_with", 0.9), ("auroc_without", 0.6), ("energy_with", 0.2), ("energy_without", 0.1)):
            found[f"{name}{suffix}"] = (("kind", "task"), (value + shift) * known)
        found[f"specificity{suffix}"] = ("kind", np.array([np.nan, 0.75 + shift]))
        found[f"energy_ratio{suffix}"] = ("kind", [2.0 + shift] * 2)
    for name, value in (("with", 0.9), ("without", 0.6)):
        found[f"auroc_{name}_replicates"] = (("task", "base"), value * known[1, :, None].repeat(20, 1))
    found["n_bases"] = ("task", np.full(n, 20))
    found["energy_random"] = ("kind", [0.04, 0.04])
    found["shared_site"], found["shared_position"] = ("kind", ["block.1.out"] * 2), ("kind", ["eos"] * 2)
    return found
