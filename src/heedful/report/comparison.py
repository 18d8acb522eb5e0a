"""The comparison of several studies: one page, from their run folders.

Claims by model, what each reads of each task, its curves over relative depth, transfer side by side, and sizes on one
axis. Draws finished results; the only thing it decides is whether models differ (C6), by the lens made for that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from heedful.errors import InputError
from heedful.lenses.depth import headline_position
from heedful.lenses.models_differ import MARGIN, Difference, ModelsDiffer, models_differ
from heedful.report.answers import TaskAnswers, answers
from heedful.report.claims import Claim, claims
from heedful.report.figures import CURVES, Tick
from heedful.report.findings import CHANCE, deciding_kind, estimate, findings
from heedful.report.lacking import too_few
from heedful.report.matrix import Matrix, leaf_order, matrix
from heedful.report.rendering import rendered
from heedful.report.run import Run, read_run
from heedful.report.wording import Estimate, listed, number, task_name, visible, with_interval
from heedful.store import atomic_write

PAGE_FILE, DATA_FILE = "comparison.html", "comparison.json"
N_STYLES = 6
"""Lines that can be told apart; more models share them."""
_MAY_DIFFER = {
    "model", "revision", "trust_remote_code", "device", "device_map", "dtype", "batch_tokens",  # the model, and where it runs
    "prompts_file", "responses_file",  # their contents decide
    "erasers", "behaviour_prompts", "full", "extras",  # what stands beside that which is compared here
}  # fmt: skip
"""Settings in which studies may differ and be compared; any other, one that is new among them, is cautioned about."""
_DRAWN = {"base_prompts", "samples", "squares", "pool", "temperature", "top_p", "max_new_tokens"}
"""Settings of what is drawn and answered: they decide nothing where answers are read from a file."""
_LABELS = {"contrast": "contrast squares", "natural": "answers"}
_LOW = 0.4


class Line(NamedTuple):
    """One model's curve: `style` names its colour and dash."""

    style: int
    path: str
    band: str
    text: str


class Point(NamedTuple):
    """One model on a ladder."""

    style: int
    x: float
    y: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Ladder:
    """An estimate against size: points, and a line through the models of each architecture that has several."""

    name: str
    points: list[Point]
    lines: list[str]
    x: list[Tick]
    y: list[Tick]


@dataclass(frozen=True)
class Compared:
    """One model's study, as the page shows it."""

    name: str
    style: int
    architecture: str
    parameters: int
    folder: str
    kind: str
    """Labels that its probes are shown by: those that decide in its own report."""
    claims: list[Claim]
    auroc: dict[str, Estimate]
    """Of the specialist at its best cell, by task."""
    lacking: dict[str, str]
    """What a task has too few rows of; empty if nothing."""
    answers: dict[str, TaskAnswers]
    universality: Estimate
    specificity: Estimate
    mean_auroc: float
    matrix: Matrix | None

    @property
    def probed(self) -> bool:
        """Whether any task could be."""
        return any(one.known for one in self.auroc.values())


class Group(NamedTuple):
    """Models shown by the same labels, whose numbers can stand in one figure.

    Attributes:
        labels: in words.
        names: of the models, as given.
        panels: depth curves by task.
        ladders: estimates by size.
    """

    labels: str
    names: list[str]
    panels: dict[str, list[Line]]
    ladders: list[Ladder]


@dataclass(frozen=True)
class Comparison:
    """Several finished studies beside each other.

    Attributes:
        models: in the order given.
        differ: the verdict on C6.
        cautions: settings in which the studies differ, in words.
        report: the page.
    """

    models: list[Compared]
    differ: ModelsDiffer
    cautions: list[str]
    report: Path

    @property
    def claims(self) -> dict[str, dict[str, str]]:
        """Model → claim → outcome; C6 is the comparison's own."""
        own = {"C6": self.differ.outcome}
        return {m.name: {claim.name: claim.outcome for claim in m.claims} | own for m in self.models}

    @property
    def on_c6(self) -> list[str]:
        """In words: the models that C6 leaves out, and the pairs that it cannot compare, or not over all readable tasks."""
        left_out = [f"{name} is left out: {why}" for name, why in self.differ.left_out.items()]
        told = [(pair, pair.lacking or compared_over(pair)) for pair in self.differ.pairs]
        return left_out + [f"{pair.first} and {pair.second}: {said}" for pair, said in told if said]

    def to_dict(self) -> dict[str, Any]:
        """For `--json`: plain values, None where a number could not be had."""
        return {
            "report": str(self.report),
            "claims": self.claims,
            "models": {
                m.name: {
                    "folder": m.folder,
                    "architecture": m.architecture,
                    "parameters": m.parameters,
                    "universality": _plain(m.universality),
                    "specificity": _plain(m.specificity),
                    "labels": m.kind,
                    "specialist": {task: _plain(one) for task, one in m.auroc.items()},
                    "pass_rate": {
                        task: _plain(one.rate) | {"scored": one.scored, "n": one.n} for task, one in m.answers.items()
                    },
                }
                for m in self.models
            },
            "C6": {
                "outcome": self.differ.outcome,
                "margin": MARGIN,
                "pairs": [
                    pair._asdict() | _plain(Estimate(pair.value, pair.low, pair.high)) | {"outcome": pair.outcome}
                    for pair in self.differ.pairs
                ],
                "left_out": self.differ.left_out,
            },
            "cautions": self.cautions,
        }


def compare_runs(folders: Sequence[Path | str], out: Path | str) -> Comparison:
    """Compare finished studies, and write `comparison.html` and `comparison.json` into a folder.

    Raises:
        InputError: fewer than two folders, or one named twice.
        StoreError: a folder holds no finished study, or nothing can be written.
    """
    paths = [Path(folder) for folder in folders]
    if len({path.resolve() for path in paths}) < max(len(paths), 2):
        raise InputError(
            f"{len(paths)} run folder(s) were named, one of them twice"
            if len(paths) > 1
            else "there is one study only",
            "name two or more folders of finished studies, each once",
        )
    runs = dict(zip(_names(found := [read_run(path) for path in paths], paths), found, strict=True))
    differ = models_differ({name: run.specificity for name, run in runs.items()})
    order = _order(found)
    compared = [_compared(name, run, order, i % N_STYLES) for i, (name, run) in enumerate(runs.items())]
    comparison = Comparison(compared, differ, _cautions(runs, compared), Path(out) / PAGE_FILE)
    page = rendered("comparison.html.jinja", _context(comparison, runs))
    atomic_write(comparison.report, page)
    atomic_write(Path(out) / DATA_FILE, json.dumps(comparison.to_dict(), ensure_ascii=False, indent=1, allow_nan=False))
    return comparison


def compared_over(pair: Difference) -> str:
    """In words, the tasks that two models are compared over; empty where they are all of either's, or too few to compare."""
    if pair.lacking or not pair.left_out:
        return ""
    tasks, alone = ([task_name(task) for task in each] for each in (pair.tasks, pair.left_out))
    return f"compared over {listed(tasks)}; {listed(alone)} can be read in one of the two alone"


def _names(runs: Sequence[Run], paths: Sequence[Path]) -> list[str]:
    """Models' names; those of one name are told apart by their folders."""
    names = [visible(run.model) for run in runs]
    return [
        f"{name} ({visible(path.name)})" if names.count(name) > 1 else name
        for name, path in zip(names, paths, strict=True)
    ]


def _order(runs: Sequence[Run]) -> list[str]:
    """Of the tasks in every matrix: the first model's tree, then what only others have."""
    found = (leaf_order(run.transfer.sel(kind=deciding_kind(run)), "auroc") for run in runs)
    return list(dict.fromkeys(task for tasks in found for task in tasks))


def _compared(name: str, run: Run, order: Sequence[str], style: int) -> Compared:
    kind = deciding_kind(run)
    identity = run.manifest.facts.get("model")
    identity = identity if isinstance(identity, Mapping) else {}
    readings = findings(run, kind)
    known = [each.specialist.value for each in readings if each.specialist.known]
    return Compared(
        name=name,
        style=style,
        architecture=str(identity.get("architecture", "")),
        parameters=int(identity.get("parameters", 0)),
        folder=str(run.path),
        kind=kind,
        claims=claims(run),
        auroc={each.task: each.specialist for each in readings},
        lacking={each.task: too_few(each, kind) for each in readings},
        answers={each.task: each for each in answers(run)},
        universality=estimate(run.specialists.sel(kind=kind), "universality"),
        specificity=estimate(run.specificity.sel(kind="natural"), "specificity"),
        mean_auroc=float(np.mean(known)) if known else float("nan"),
        matrix=matrix(run.transfer, kind, order),
    )


def _cautions(runs: Mapping[str, Run], models: Sequence[Compared]) -> list[str]:
    """What makes two studies hard to compare."""
    said = []
    all_given = all(run.answers_file for run in runs.values())
    settings = dict.fromkeys(name for run in runs.values() for name in run.manifest.settings)
    for setting in settings:
        if setting in _MAY_DIFFER or (all_given and setting in _DRAWN):
            continue
        values = {name: json.dumps(run.manifest.settings.get(setting)) for name, run in runs.items()}
        if len(set(values.values())) > 1:
            if setting.endswith("_sha256"):  # contents decide, names are shown
                values = {name: _file_name(run, setting.replace("_sha256", "_file")) for name, run in runs.items()}
            if setting == "skills":  # whole descriptions would tell nobody
                values = {name: ", ".join(_own_skills(run)) or "none" for name, run in runs.items()}
            told = "; ".join(f"{name}: {_short(value)}" for name, value in values.items())
            said.append(f"{setting.removesuffix('_sha256').replace('_', ' ')} differ: {told}")
    by_answers = [m.name for m in models if m.probed and m.kind == "natural"]
    if by_answers and any(m.kind == "contrast" for m in models):
        said.append(
            f"too few contrast squares to probe {listed(by_answers)}: what is read there is by answers, and stands apart from "
            "what is read of the others by squares"
        )
    if blind := [m.name for m in models if not m.probed]:
        said.append(
            f"nothing could be probed of {listed(blind)}, for want of contrast squares and of answers of either class"
        )
    return said


def _own_skills(run: Run) -> list[str]:
    return [skill["name"] for skill in run.manifest.settings.get("skills", ())]


def _file_name(run: Run, setting: str) -> str:
    path = run.manifest.settings.get(setting)
    return Path(str(path)).name if path else "heedful’s own prompts" if setting == "prompts_file" else "the model’s own"


def _short(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:57]}…"


def _context(comparison: Comparison, runs: Mapping[str, Run]) -> dict[str, Any]:
    tasks = list(dict.fromkeys(task for run in runs.values() for task in run.tasks))
    first = next(iter(runs.values()))
    family = {task: run.family(task) for run in runs.values() for task in run.tasks}
    names = [claim.name for claim in comparison.models[0].claims]
    statements = {claim.name: claim.statement for claim in comparison.models[0].claims}
    by_claim = {name: [_named(model.claims, name) for model in comparison.models] for name in names}
    return {
        "kinds": [], "positions": [], "depth_positions": [],  # nothing is selected on this page
        "models": comparison.models, "differ": comparison.differ, "margin": MARGIN, "cautions": comparison.cautions,
        "compared_over": compared_over,
        "statements": statements, "by_claim": by_claim, "tasks": tasks, "family_of": family,
        "groups": _groups(comparison.models, runs, tasks), "labels": _LABELS,
        "not_probed": [m.name for m in comparison.models if not m.probed],
        "depth_position": headline_position(first.depth),
        "depth_ticks": [Tick(_depth_x(x), number(x, 2)) for x in (0.0, 0.25, 0.5, 0.75, 1.0)],
        "auroc_ticks": [Tick(_auroc_y(y), number(y, 1)) for y in (0.4, 0.6, 0.8, 1.0)],
        "chance_y": _auroc_y(CHANCE), "frame": CURVES, "specificity": _specificity_ladder(comparison.models),
    }  # fmt: skip


def _named(found: Sequence[Claim], name: str) -> Claim:
    return next(claim for claim in found if claim.name == name)


def _groups(models: Sequence[Compared], runs: Mapping[str, Run], tasks: Sequence[str]) -> list[Group]:
    """Those that share a kind of labels, squares first; none of whom nothing was probed."""
    made = []
    for kind, labels in _LABELS.items():
        alike = [m for m in models if m.kind == kind and m.probed]
        if alike:
            panels = {task: _depth_lines(alike, runs, task) for task in tasks}
            made.append(Group(labels, [m.name for m in alike], panels, _ladders(alike)))
    return made


def _depth_lines(models: Sequence[Compared], runs: Mapping[str, Run], task: str) -> list[Line]:
    """A task's specialist over relative depth, a line a model, each at the position where its depth is told."""
    lines = []
    for model in models:
        run, name = runs[model.name], model.name
        if task not in run.tasks:
            continue
        found = run.specialists.sel(
            kind=model.kind, probe="specialist", task=task, position=headline_position(run.depth)
        )
        depth, value = found["relative_depth"].values, found["auroc"].values
        known = np.flatnonzero(~np.isnan(value))
        if not len(known):
            continue
        low, high = found["auroc_low"].values, found["auroc_high"].values
        x = [f"{_depth_x(depth[j]):g}" for j in known]
        there = [f"{a},{_auroc_y(high[j]):g}" for a, j in zip(x, known, strict=True)]
        back = [f"{a},{_auroc_y(low[j]):g}" for a, j in zip(reversed(x), known[::-1], strict=True)]
        best = known[int(np.argmax(value[known]))]
        peak = with_interval(Estimate(float(value[best]), float(low[best]), float(high[best])))
        lines.append(
            Line(
                model.style,
                "M" + "L".join(f"{a},{_auroc_y(value[j]):g}" for a, j in zip(x, known, strict=True)),
                "M" + "L".join([*there, *back]) + "Z",
                f"{name}: highest at relative depth {number(float(depth[best]))}, {peak}",
            )
        )
    return lines


def _ladders(models: Sequence[Compared]) -> list[Ladder]:
    sized = [model for model in models if model.parameters]
    return [
        _ladder("Universality index", sized, [model.universality for model in sized]),
        _ladder("Mean AUROC of the specialists", sized, [Estimate(model.mean_auroc) for model in sized]),
    ]


def _specificity_ladder(models: Sequence[Compared]) -> Ladder:
    """By answers in every model."""
    sized = [model for model in models if model.parameters]
    return _ladder("Specificity: lost without the instruction", sized, [model.specificity for model in sized])


def _ladder(name: str, models: Sequence[Compared], values: Sequence[Estimate]) -> Ladder:
    sizes = [model.parameters for model in models]
    low, high = (min(sizes) * 0.7, max(sizes) * 1.4) if sizes else (1.0, 10.0)

    def place(size: float) -> float:
        share = (np.log10(size) - np.log10(low)) / (np.log10(high) - np.log10(low))
        return round(CURVES.left + float(share) * (CURVES.right - CURVES.left), 1)

    def height(value: float) -> float:
        return round(CURVES.bottom - min(max(value, 0.0), 1.0) * (CURVES.bottom - CURVES.top), 1)

    points = [
        Point(
            model.style,
            place(model.parameters),
            height(one.value),
            height(one.low if one.bounded else one.value),
            height(one.high if one.bounded else one.value),
            f"{model.name}, {_size(model.parameters)}: {with_interval(one)}",
        )
        for model, one in zip(models, values, strict=True)
        if one.known
    ]
    lines = []
    for architecture in dict.fromkeys(model.architecture for model in models):
        of = sorted(
            (place(model.parameters), height(one.value))
            for model, one in zip(models, values, strict=True)
            if model.architecture == architecture and one.known
        )
        if len({x for x, _ in of}) > 1:
            lines.append("M" + "L".join(f"{x:g},{y:g}" for x, y in of))
    ticks = [Tick(place(size), _size(size)) for size in sorted({*sizes})]
    return Ladder(name, points, lines, _apart(ticks), [Tick(height(v), number(v, 1)) for v in (0.0, 0.5, 1.0)])


def _apart(ticks: list[Tick], least: float = 44.0) -> list[Tick]:
    """Those that do not run into the one before."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick.at - kept[-1].at >= least:
            kept.append(tick)
    return kept


def _size(parameters: float) -> str:
    """'4.5 M', '8.0 B'."""
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.1f} M"


def _depth_x(depth: float) -> float:
    return round(CURVES.left + float(depth) * (CURVES.right - CURVES.left), 1)


def _auroc_y(value: float) -> float:
    share = (min(max(float(value), _LOW), 1.0) - _LOW) / (1 - _LOW)
    return round(CURVES.bottom - share * (CURVES.bottom - CURVES.top), 1)


def _plain(one: Estimate) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in one._asdict().items()}
