"""The page of a study: findings and figures poured into its template, section by section."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import xarray as xr

from heedful.lenses.depth import headline_position
from heedful.report import figures, wording
from heedful.report.answers import answers, overall
from heedful.report.behaviour import in_the_model
from heedful.report.beside import beside
from heedful.report.best_sites import best_sites
from heedful.report.claims import claims
from heedful.report.depth import depth_steps, order_correlation, task_depth
from heedful.report.disturbed import pairs
from heedful.report.findings import TaskFinding, deciding_kind, estimate, findings
from heedful.report.graph import graph
from heedful.report.lacking import no_squares, too_few
from heedful.report.matrix import drops, leaf_order, matrix
from heedful.report.rendering import rendered
from heedful.report.rows import rows_behind
from heedful.report.run import Run, read_run
from heedful.report.sentences import sentences
from heedful.report.specificity import specificity
from heedful.report.time import lowest_in_time, square, time_axes, time_panel
from heedful.store import atomic_write
from heedful.store.manifest import Manifest

REPORT_FILE = "report.html"

_METHODS = (
    "depth", "baselines", "transfer", "mapped", "ablation", "temporal", "specificity", "extremes", "behaviour", "verdict",
    "extras",
)  # fmt: skip
"""Lenses whose attributes say how they measure, beside those of the specialists."""
_QUOTABLE = (60, 100, 200)
"""Base prompts, squares and answers a task, below which a study shows no more than a shape."""


def write_report(path: Path | str) -> Path:
    """Write `report.html` into a finished run's folder, wholly or not at all; returns its path.

    Raises:
        StoreError: not a finished run, or the file cannot be written.
    """
    return atomic_write(Path(path) / REPORT_FILE, render_report(path))


def open_report(report: Path) -> bool:
    """Show a report in the user's browser; False if there is none."""
    return webbrowser.open(report.resolve().as_uri())


def render_report(path: Path | str) -> str:
    """The report of a finished run as HTML.

    Raises:
        StoreError: not a finished run.
    """
    return rendered("report.html.jinja", _context(read_run(path)))


def _context(run: Run) -> dict[str, Any]:
    """What the template is given, section by section."""
    kinds = sorted(_along(run.specialists, "kind"), key=wording.KINDS.index)
    found = {kind: findings(run, kind) for kind in kinds}
    return {
        "kind": deciding_kind(run),
        "kinds": kinds,
        "kind_names": run.kind_names,
        "why_few": too_few,
        "family_of": {task: run.family(task) for task in run.tasks},
        "found": found,
        **_study(run),
        **_claims(run, kinds),
        **_answers(run, found),
        **_specialists(run, found),
        **_pairs_of_tasks(run, kinds),
        **_in_the_model(run),
        **_time(run, kinds),
        **_depth(run, kinds),
        "specific": {k: specificity(run, k) for k in kinds},
        "behind": {k: rows_behind(run, k) for k in kinds},
    }


def _study(run: Run) -> dict[str, Any]:
    """What was asked of which model, and how."""
    manifest, prompts_file = run.manifest, run.manifest.settings.get("prompts_file")
    methods = {name: getattr(run, name).attrs for name in _METHODS if getattr(run, name) is not None}
    return {
        "model": wording.visible(run.model),
        "identity": _identity(manifest),
        "created": datetime.fromisoformat(manifest.created),
        "small": _small(manifest.settings),
        "counts": _counts(run),
        "answers_file": run.answers_file and wording.visible(run.answers_file),
        "prompts_file": wording.visible(Path(str(prompts_file)).name) if prompts_file else None,
        # Not the report itself, so that making it again gives the same bytes.
        "stages": [(name, stage) for name, stage in manifest.stages.items() if name != "report"],
        "own_skills": run.own_skills,
        "settings": _flat(_skills_by_name(manifest.settings)),
        "facts": _flat(manifest.facts),
        "method": _flat({**run.specialists.attrs, **methods}),
        "run_folds": manifest.settings.get("folds"),
    }


def _claims(run: Run, kinds: Sequence[str]) -> dict[str, Any]:
    return {
        "claims": claims(run),
        "universality": {k: estimate(run.specialists.sel(kind=k), "universality") for k in kinds},
    }


def _answers(run: Run, found: Mapping[str, list[TaskFinding]]) -> dict[str, Any]:
    """How often it complied, and the summary, which begins with that."""
    kind, answered = deciding_kind(run), answers(run)
    return {
        "sentences": [wording.visible(sentence) for sentence in sentences(run, found[kind], answered, kind)],
        "answers": answered,
        "overall": overall(run),
        "few": {task: _few(run, found, i) for i, task in enumerate(run.tasks)},
    }


def _specialists(run: Run, found: Mapping[str, list[TaskFinding]]) -> dict[str, Any]:
    """AUROC by probe, layer and position, and what stands beside it; all on one axis, from `low` to 1."""
    positions, besides = _along(run.specialists, "position"), beside(run)
    low = figures.lowest_shown(run.specialists["auroc"].sel(probe=list(figures.SHOWN_PROBES)))
    low = min(low, besides.low) if besides else low
    heat = figures.heat_axes(run.specialists)
    return {
        "probe_names": wording.PROBE_NAMES,
        "baseline_names": _along(run.baselines, "baseline"),
        "n_sites": run.specialists.sizes["site"],
        "position": "eos" if "eos" in positions else positions[-1],
        "low": low,
        "ticks": figures.auroc_ticks(low),
        "curve_frame": figures.CURVES,
        "curve_axes": figures.curve_axes(run.specialists, low),
        "curves": _curves(run, found, positions, low),
        "heat_axes": heat,
        "heats": {
            k: {each.task: figures.heat_panel(run.specialists, heat, each, k) for each in found[k]} for k in found
        },
        "massive": _massive(run),
        "beside": besides and besides.drawn(low),
    }


def _curves(
    run: Run, found: Mapping[str, list[TaskFinding]], positions: list[str], low: float
) -> dict[str, dict[str, dict[str, figures.CurvePanel | None]]]:
    """Panels by kind, position and task."""
    drawn = run.specialists[["auroc", "auroc_low", "auroc_high"]].transpose(..., "probe", "site")
    return {
        kind: {
            position: {
                each.task: figures.curve_panel(drawn.sel(kind=kind, position=position, task=each.task), each, low)
                for each in each_found
            }
            for position in positions
        }
        for kind, each_found in found.items()
    }


def _pairs_of_tasks(run: Run, kinds: Sequence[str]) -> dict[str, Any]:
    """Transfer, and erasure from hidden states."""
    erased = {k: drops(run.ablation, run.transfer, k) for k in kinds}
    return {
        "matrices": {k: matrix(run.transfer, k) for k in kinds},
        "best_sites": {k: best_sites(run.mapped, k, leaf_order(run.transfer.sel(kind=k), "auroc")) for k in kinds},
        "drops": erased,
        "min_drop": float(run.ablation.attrs["min_drop"]),
        "graphs": {k: each and graph(each.tasks, each.edges) for k, each in erased.items()},
    }


def _in_the_model(run: Run) -> dict[str, Any]:
    acted = in_the_model(run.behaviour, run.transfer)
    return {"acted": acted, "pairs": pairs(run, acted) if acted else {}}


def _time(run: Run, kinds: Sequence[str]) -> dict[str, Any]:
    """When each task can be read: by position, of which some are leak checks."""
    positions, low = _along(run.specialists, "position"), lowest_in_time(run.temporal)
    leak = run.specialists["leak_check"]
    leaks = {k: [p for p in positions if bool(leak.sel(kind=k, position=p))] for k in kinds}
    return {
        "positions": positions,
        "leak": leaks,
        "time_axes": time_axes(positions, low),
        "times": {
            k: {t: time_panel(run.temporal.sel(kind=k, task=t), low, leaks[k]) for t in run.tasks} for k in kinds
        },
        "squares": {k: {t: square(run.temporal.sel(kind=k, task=t), t) for t in run.tasks} for k in kinds},
        "estimands": {k: _estimands(run, k) for k in kinds},
    }


def _estimands(run: Run, kind: str) -> dict[str, wording.Estimate]:
    """Of planning and monitoring, as far as they could be had."""
    found = run.temporal.sel(kind=kind)
    told = {name: estimate(found, name) for name in ("planning", "monitoring", "rise", "peak")}
    return {name: one for name, one in told.items() if one.known}


def _depth(run: Run, kinds: Sequence[str]) -> dict[str, Any]:
    """Where in the model each task can be read: by kind, position and task."""
    positions, n_sites, depth = _along(run.depth, "position"), run.specialists.sizes["site"], run.depth

    def everywhere(told: Callable[[str, str], Any]) -> dict[str, dict[str, Any]]:
        return {k: {p: told(k, p) for p in positions} for k in kinds}

    return {
        "depth_positions": positions,
        "depth_position": headline_position(depth),
        "depths": everywhere(lambda k, p: {t: task_depth(depth, k, p, t, n_sites) for t in run.tasks}),
        "steps": everywhere(lambda k, p: depth_steps(depth, k, p)),
        "order_p": everywhere(lambda k, p: float(depth["order_p"].sel(kind=k, position=p))),
        "correlations": everywhere(lambda k, p: order_correlation(depth, k, p)),
    }


def _along(found: xr.Dataset, axis: str) -> list[str]:
    """The names along an axis."""
    return [str(name) for name in found[axis].values]


def _counts(run: Run) -> dict[str, int]:
    natural = [sample for sample in run.samples if sample["kind"] == "natural"]
    contrast = [row for row in run.rows if row["kind"] == "contrast"]
    return {
        "natural": len(natural),
        "pool": len(run.samples) - len(natural),
        "bases": len({sample["base_id"] for sample in natural} | {row["base_id"] for row in contrast}),
        "templates": len({(sample["task"], sample["template_id"]) for sample in natural}),
        "held_out": len({(sample["task"], sample["template_id"]) for sample in natural if sample["held_out"]}),
        "squares": len({(row["task"], row["square_id"]) for row in contrast}),
        "rows": sum(row["kind"] in wording.KINDS for row in run.rows),
    }


def _identity(manifest: Manifest) -> list[str]:
    """What the model is, in a few words, as far as the run has noted it."""
    model = manifest.facts.get("model")
    if not isinstance(model, Mapping):
        return []
    said = [str(model[name]) for name in ("architecture", "dtype", "device") if model.get(name)]
    if isinstance(model.get("parameters"), int):
        said.insert(1, f"{wording.thousands(model['parameters'])} parameters")
    return [wording.visible(text) for text in said]


def _few(run: Run, found: Mapping[str, list[TaskFinding]], task: int) -> str:
    """What a task has too few rows of; '' if nothing, and nothing of squares where the study has none at all."""
    kinds = [kind for kind in found if kind != "contrast" or not no_squares(run)]
    return "; ".join(filter(None, (too_few(found[kind][task], kind) for kind in kinds)))


def _massive(run: Run) -> list[tuple[str, int]]:
    """Sites with massive-activation dimensions, and how many."""
    if "massive_dimensions" not in run.specialists:
        return []
    counts = run.specialists["massive_dimensions"]
    return [(str(site), int(counts.sel(site=site))) for site in counts["site"].values if int(counts.sel(site=site))]


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Leaves of nested settings with dotted names, in order."""
    leaves: list[tuple[str, Any]] = []
    for name, item in value.items():
        if isinstance(item, Mapping) and item:
            leaves += _flat(item, f"{prefix}{name}.")
        else:
            leaves.append((f"{prefix}{name}", item))
    return leaves


def _skills_by_name(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which each skill of the user's own has an entry: what decides its values, and how each is asked for."""
    if not (skills := settings.get("skills")):
        return dict(settings)
    told = {
        skill["name"]: [
            f"{json.dumps(value['constraint'], ensure_ascii=False)}: {' | '.join(value['clauses'] + value['held_out'])}"
            for value in (*skill["values"], *skill["elicit"])
        ]
        for skill in skills
    }
    return {name: told if name == "skills" else value for name, value in settings.items()}


def _small(settings: Mapping[str, Any]) -> str:
    """How small the study is, in words, where that is too small to quote; '' otherwise."""
    numbers = [int(settings.get(name) or 0) for name in ("base_prompts", "squares", "samples")]
    if settings.get("responses_file") or not any(0 < n < least for n, least in zip(numbers, _QUOTABLE, strict=True)):
        return ""
    bases, squares, samples = numbers
    return f"{bases:,} base prompts, {squares:,} contrast squares and {samples:,} answers a task"
