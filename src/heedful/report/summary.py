"""The findings in one JSON object, for programs.

Knows what the page says, and says the same in numbers.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from heedful.lenses.depth import headline_position
from heedful.report.answers import TaskAnswers, answers, overall
from heedful.report.behaviour import in_the_model
from heedful.report.beside import beside
from heedful.report.best_sites import best_sites
from heedful.report.claims import Claim, claims, not_decidable
from heedful.report.depth import order_correlation
from heedful.report.findings import TaskFinding, deciding_kind, estimate, findings
from heedful.report.matrix import drops, leaf_order, matrix
from heedful.report.run import Run, read_run
from heedful.report.sentences import sentences
from heedful.report.wording import KINDS, Estimate


def summarise(path: Path | str) -> dict[str, Any]:
    """A finished study in one JSON object: pass rates, specialists against general probes, baselines, transfer, ablation,
    depth, timings.

    Raises:
        StoreError: not a finished run.
    """
    run = read_run(path)
    kind, answered = deciding_kind(run), answers(run)
    found = {label: findings(run, label) for label in KINDS}
    position, decided = headline_position(run.depth), claims(run)
    summary = {
        "model": run.model,
        "summary": " ".join(sentences(run, found[kind], answered, kind)),
        "deciding_labels": kind,
        "pass_rate": overall(run),
        "tasks": {
            each.task: _answers(each) | {label: _finding(found[label][i]) for label in KINDS}
            for i, each in enumerate(answered)
        },
        "transfer": {label: _transfer(run, label) for label in KINDS},
        "ablation": {label: _ablation(run, label) for label in KINDS},
        "behaviour": _behaviour(run),
        "extras": _extras(run),
        "depth": {label: order_correlation(run.depth, label, position) for label in KINDS},
        "universality": {label: estimate(run.specialists.sel(kind=label), "universality") for label in KINDS},
        "claims": {claim.name: _claim(claim) for claim in decided},
        "not_decidable": not_decidable(run, decided),
        "seconds": {name: round(stage.seconds, 3) for name, stage in run.manifest.stages.items()},
    }
    plain: dict[str, Any] = _plain(summary)
    return plain


def _answers(answered: TaskAnswers) -> dict[str, Any]:
    counts = ("family", "n", "passed", "failed", "unscored", "cut_off", "squares")
    return {name: getattr(answered, name) for name in counts} | {"pass_rate": answered.rate}


def _finding(found: TaskFinding) -> dict[str, Any]:
    told = {name: value for name, value in asdict(found).items() if name not in ("task", "family")}
    return told | {"standing": found.standing, "winner": found.winner}


def _transfer(run: Run, kind: str) -> dict[str, Any] | None:
    found = matrix(run.transfer, kind)
    if found is None:
        return None
    auroc = run.transfer["auroc"].sel(kind=kind).transpose("source", "target")
    return {
        "site": found.site,
        "position": found.position,
        "mean_off_diagonal": found.mean,
        "planned": {f"{a} and {b}": one for a, b, one in found.planned},
        "mean_share": found.others,
        "told_from_chance": found.grid.told,
        "pairs": found.grid.pairs,
        "auroc": {
            str(source): {str(target): float(value) for target, value in zip(auroc["target"].values, row, strict=True)}
            for source, row in zip(auroc["source"].values, auroc.values, strict=True)
        },
        "between_best_sites": _mapped(run, kind),
    }


def _mapped(run: Run, kind: str) -> dict[str, Any] | None:
    found = best_sites(run.mapped, kind, leaf_order(run.transfer.sel(kind=kind), "auroc"))
    if found is None:
        return None
    means = {each.name: {"mean_off_diagonal": each.mean, "planned": each.planned} for each in found.mappings}
    return {"mappings": means, "pwcca": found.pwcca}


def _ablation(run: Run, kind: str) -> dict[str, Any] | None:
    found = drops(run.ablation, run.transfer, kind)
    if found is None:
        return None
    return {
        "site": found.site,
        "position": found.position,
        "pairs": found.grid.pairs,
        "edges": [{"erased": e.erased, "target": e.target, "drop": e.drop} for e in found.edges],
        "damage": found.damage["refitted"],
        "own": found.own,
        "damage_of_own": found.of_own,
        "after_own_erasure": {task: after for task, _, after in found.left},
    }


def _behaviour(run: Run) -> dict[str, Any] | None:
    found = in_the_model(run.behaviour, run.transfer)
    if found is None:
        return None
    return {
        "site": found.where,
        "eraser": found.how,
        "prompts": found.n_prompts,
        "moves_the_model_far": found.rough,
        "lost": [{"erased": a, "target": b, "change": change} for a, b, change in found.hurt],
        "own": {
            each.task: {
                name: getattr(each, name) for name in ("undisturbed", "erased", "towards", "away", "kl", "kl_random")
            }
            for each in found.effects
        },
    }


def _extras(run: Run) -> dict[str, Any] | None:
    found = beside(run)
    if found is None:
        return None
    return {
        kind: {each.task: {"position": each.position, **each.best} for each in rows}
        for kind, rows in found.rows.items()
    }


def _claim(claim: Claim) -> dict[str, Any]:
    parts = {
        part.name: part.estimate._asdict()
        | {"margin": part.margin, "above": part.above, "outcome": part.outcome, "labels": part.labels}
        | {"needs": "" if part.estimate.known else part.needs}
        | {
            "beside": part.beside._asdict()
            | {"n_tasks": part.beside_tasks, "outcome": part.beside_outcome, "labels": part.other}
        }
        for part in claim.parts
    }
    return {"statement": claim.statement, "outcome": claim.outcome, "parts": parts}


def _plain(value: Any) -> Any:
    """As JSON has it: an estimate is an object, and null stands for NaN."""
    if isinstance(value, Estimate):
        value = value._asdict()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
