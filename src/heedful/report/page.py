"""The page: findings and figures poured into the templates.

The page's policy forbids scripts and every connection; its one style sheet is allowed by its hash. Autoescaping is on,
and nothing but `answers.marked` and the style sheet is ever taken as markup.
"""

from __future__ import annotations

import base64
import hashlib
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from heedful.lenses.data import MIN_NATURAL
from heedful.lenses.depth import headline_position
from heedful.report import figures, wording
from heedful.report.answers import answers, overall
from heedful.report.behaviour import in_the_model
from heedful.report.beside import beside
from heedful.report.best_sites import best_sites
from heedful.report.claims import claims
from heedful.report.disturbed import pairs
from heedful.report.findings import TaskFinding, deciding_kind, estimate, findings
from heedful.report.graph import graph
from heedful.report.matrix import drops, leaf_order, matrix
from heedful.report.rows import rows_behind
from heedful.report.run import Run, read_run
from heedful.report.summary import depth_steps, order_correlation, sentences
from heedful.report.time import lowest_in_time, square, time_axes, time_panel
from heedful.store import atomic_write
from heedful.store.manifest import Manifest, StageRecord

REPORT_FILE = "report.html"

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


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """A page under a policy that forbids scripts and every connection, with the style sheet for its context."""
    environment = _environment()
    style = environment.get_template("report.css.jinja").render(context)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template(template).render(context, style=Markup(style), style_hash=digest)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("heedful.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "task": wording.task_name,
        "site": wording.site_name,
        "number": wording.number,
        "signed": wording.signed,
        "interval": wording.interval,
        "with_interval": wording.with_interval,
        "listed": wording.listed,
        "percent": wording.percent,
        "percent_interval": wording.percent_interval,
        "thousands": wording.thousands,
        "seconds": wording.seconds,
        "along": figures.along,
        "plain": lambda value: wording.visible(wording.plain(value)),
    }
    return environment


def _context(run: Run) -> dict[str, Any]:
    kind, answered = deciding_kind(run), answers(run)
    kinds = sorted((str(kind) for kind in run.specialists["kind"].values), key=wording.KINDS.index)
    found = {each: findings(run, each) for each in kinds}
    low = figures.lowest_shown(run.specialists["auroc"].sel(probe=list(figures.SHOWN_PROBES)))
    positions = [str(position) for position in run.specialists["position"].values]
    depth_positions = [str(position) for position in run.depth["position"].values]
    heat = figures.heat_axes(run.specialists)
    manifest, besides = run.manifest, beside(run)
    acted = in_the_model(run.behaviour, run.transfer)
    low = min(low, besides.low) if besides else low
    time_low = lowest_in_time(run.temporal)
    erased = {k: drops(run.ablation, run.transfer, k) for k in kinds}
    leaks = {k: [p for p in positions if bool(run.specialists["leak_check"].sel(kind=k, position=p))] for k in kinds}
    return {
        "claims": claims(run.verdict, run.kind_names),
        "small": _small(manifest.settings),
        "universality": {k: _universality(run, k) for k in kinds},
        "model": wording.visible(run.model),
        "created": datetime.fromisoformat(manifest.created),
        "sentences": [wording.visible(sentence) for sentence in sentences(run, found[kind], answered, kind)],
        "stages": _stages(manifest),
        "identity": _identity(manifest),
        "settings": _flat(manifest.settings),
        "facts": _flat(manifest.facts),
        "method": _flat(
            {
                **run.specialists.attrs,
                "depth": run.depth.attrs,
                "baselines": run.baselines.attrs,
                "transfer": run.transfer.attrs,
                "mapped": run.mapped.attrs,
                "ablation": run.ablation.attrs,
                "temporal": run.temporal.attrs,
                "specificity": run.specificity.attrs,
                "extremes": run.extremes.attrs,
                "behaviour": run.behaviour.attrs,
                "verdict": run.verdict.attrs,
                **({"extras": run.extras.attrs} if run.extras is not None else {}),
            }
        ),
        "answers": answered,
        "overall": overall(run),
        "counts": _counts(run),
        "answers_file": run.answers_file and wording.visible(run.answers_file),
        "prompts_file": _prompts_file(run),
        "kind": kind,
        "kinds": kinds,
        "kind_names": run.kind_names,
        "probe_names": wording.PROBE_NAMES,
        "family_of": {task: run.family(task) for task in run.tasks},
        "found": found,
        "min_natural": MIN_NATURAL,
        "few": {task: _few(found, i) for i, task in enumerate(run.tasks)},
        "baseline_names": [str(name) for name in run.baselines["baseline"].values],
        "run_folds": manifest.settings.get("folds"),
        "low": low,
        "ticks": figures.auroc_ticks(low),
        "positions": positions,
        "n_sites": run.specialists.sizes["site"],
        "position": "eos" if "eos" in positions else positions[-1],
        "leak": leaks,
        "curve_frame": figures.CURVES,
        "curve_axes": figures.curve_axes(run.specialists, low),
        "curves": _curves(run, found, positions, low),
        "heat_axes": heat,
        "heats": {
            k: {each.task: figures.heat_panel(run.specialists, heat, each, k) for each in found[k]} for k in kinds
        },
        "massive": _massive(run),
        "beside": besides and besides.drawn(low),
        "matrices": {k: matrix(run.transfer, k) for k in kinds},
        "best_sites": {k: best_sites(run.mapped, k, leaf_order(run.transfer.sel(kind=k), "auroc")) for k in kinds},
        "drops": erased,
        "min_drop": float(run.ablation.attrs["min_drop"]),
        "graphs": {
            k: graph(found_drops.tasks, found_drops.edges) if (found_drops := erased[k]) else None for k in kinds
        },
        "acted": acted,
        "behind": {k: rows_behind(run, k) for k in kinds},
        "pairs": pairs(run, acted) if acted else {},
        "time_axes": time_axes(positions, time_low),
        "times": {
            k: {t: time_panel(run.temporal.sel(kind=k, task=t), time_low, leaks[k]) for t in run.tasks} for k in kinds
        },
        "squares": {k: {t: square(run.temporal.sel(kind=k, task=t), t) for t in run.tasks} for k in kinds},
        "estimands": {k: _estimands(run, k) for k in kinds},
        "specific": {k: _specific(run, k) for k in kinds},
        "depth_positions": depth_positions,
        "depth_position": headline_position(run.depth),
        "depths": {k: {p: {t: _depth(run, k, p, t) for t in run.tasks} for p in depth_positions} for k in kinds},
        "steps": {k: {p: depth_steps(run.depth, k, p) for p in depth_positions} for k in kinds},
        "order_p": {
            k: {p: float(run.depth["order_p"].sel(kind=k, position=p)) for p in depth_positions} for k in kinds
        },
        "correlations": {k: {p: order_correlation(run.depth, k, p) for p in depth_positions} for k in kinds},
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


def _universality(run: Run, kind: str) -> wording.Estimate:
    return estimate(run.specialists.sel(kind=kind), "universality", "universality_low", "universality_high")


def _estimands(run: Run, kind: str) -> dict[str, wording.Estimate]:
    """Of planning and monitoring, as far as they could be had."""
    found = run.temporal.sel(kind=kind)
    names = ("planning", "monitoring", "rise", "peak")
    told = {name: estimate(found, name, f"{name}_low", f"{name}_high") for name in names}
    return {name: one for name, one in told.items() if one.known}


class _Specific(NamedTuple):
    """What is left of a task's reading when its instruction is taken out of the context."""

    task: str
    family: str
    with_it: wording.Estimate
    without: wording.Estimate
    energy_with: wording.Estimate
    energy_without: wording.Estimate


@dataclass(frozen=True)
class _Specificity:
    rows: list[_Specific]
    site: str
    position: str
    lost: wording.Estimate
    ratio: wording.Estimate
    random: float


def _specific(run: Run, kind: str) -> _Specificity | None:
    found = run.specificity.sel(kind=kind)
    names = ("auroc_with", "auroc_without", "energy_with", "energy_without")
    rows = [
        _Specific(t, run.family(t), *(estimate(found.sel(task=t), n, f"{n}_low", f"{n}_high") for n in names))
        for t in run.tasks
    ]
    rows = [row for row in rows if row.with_it.known]
    if not rows:
        return None
    return _Specificity(
        rows,
        site=str(found["shared_site"].item()),
        position=str(found["shared_position"].item()),
        lost=estimate(found, "specificity", "specificity_low", "specificity_high"),
        ratio=estimate(found, "energy_ratio", "energy_ratio_low", "energy_ratio_high"),
        random=float(found["energy_random"]),
    )


class _Depth(NamedTuple):
    """Where in the model a task can be read, as relative depths."""

    centre: wording.Estimate
    onset90: wording.Estimate
    peak: float
    """Without an interval: the jackknife of an argmax is too rough to show."""
    readable: bool


def _depth(run: Run, kind: str, position: str, task: str) -> _Depth:
    cell = run.depth.sel(kind=kind, position=position, task=task)
    centre, onset = (estimate(cell, name, f"{name}_low", f"{name}_high") for name in ("centre", "onset90"))
    peak = float(cell["peak_site_index"]) / max(1, run.specialists.sizes["site"] - 1)
    return _Depth(centre, onset, peak, bool(cell["readable"]))


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


def _prompts_file(run: Run) -> str | None:
    """The name of a file of the user's own prompts."""
    path = run.manifest.settings.get("prompts_file")
    return wording.visible(Path(str(path)).name) if path else None


def _stages(manifest: Manifest) -> list[tuple[str, StageRecord]]:
    """What the report was made from. Not the report itself, so that making it again gives the same bytes."""
    return [(name, stage) for name, stage in manifest.stages.items() if name != "report"]


def _identity(manifest: Manifest) -> list[str]:
    """What the model is, in a few words, as far as the run has noted it."""
    model = manifest.facts.get("model")
    if not isinstance(model, Mapping):
        return []
    said = [str(model[name]) for name in ("architecture", "dtype", "device") if model.get(name)]
    if isinstance(model.get("parameters"), int):
        said.insert(1, f"{wording.thousands(model['parameters'])} parameters")
    return [wording.visible(text) for text in said]


def _few(found: Mapping[str, list[TaskFinding]], task: int) -> str:
    """What a task has too few rows of; '' if nothing."""
    lacking = {"contrast": "squares", "natural": "passes or failures"}
    return wording.listed([lacking[kind] for kind in found if found[kind][task].too_few] or [""])


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


def _small(settings: Mapping[str, Any]) -> str:
    """How small the study is, in words, where that is too small to quote; '' otherwise."""
    numbers = [int(settings.get(name) or 0) for name in ("base_prompts", "squares", "samples")]
    if settings.get("responses_file") or not any(0 < n < least for n, least in zip(numbers, _QUOTABLE, strict=True)):
        return ""
    bases, squares, samples = numbers
    return f"{bases:,} base prompts, {squares:,} contrast squares and {samples:,} answers a task"
