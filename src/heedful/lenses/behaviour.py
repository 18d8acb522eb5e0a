"""Behaviour: what becomes of every task's compliance when one task's trace is erased while the model writes?

The causal side of ablation. Greedy answers to the same prompts, undisturbed and under each arm (see `arms`), verified; and
beside what the erasure costs, what its controls cost, and how far it moves the model on neutral text: a skill that fails
because the model fails is no dependency. Reads outcomes, and runs no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from heedful.lenses.arms import DIRECTIONS, ERASED, PERMUTED, RANDOM, STEP, VARIANTS, Arm
from heedful.lenses.result import LEVEL, Canvas, bounded, canvases, put, variable
from heedful.probes import (
    Jackknife,
    PairedDifference,
    benjamini_hochberg,
    combine,
    index_groups,
    jackknife_mean,
    paired_difference,
)

_SHARE = "share of answers that comply"
_DIFFERENCE = "difference in shares"
_CELL = ("how", "where", "variant", "erased", "target")
_PAIR = ("how", "where", "erased", "target")
_MOVED = ("how", "where", "variant", "erased")
_DRAWS = ("how", "where", "target")
_STEP = ("where", "direction", "target")
_ABOUT = {
    **bounded(
        {
            "undisturbed": (("target",), "compliance of the undisturbed model", _SHARE),
            "compliance": (_CELL, "compliance under the arm", _SHARE),
            "change": (_CELL, "compliance under the arm − undisturbed, the same prompts", _DIFFERENCE),
            "beyond_permuted": (_PAIR, "compliance lost by the erasure − lost under permuted labels", _DIFFERENCE),
            "beyond_random": (_PAIR, "compliance lost by the erasure − lost under random directions", _DIFFERENCE),
            "nll": (_MOVED, "rise of the negative log-likelihood of neutral text", "nats a token"),
            "kl": (_MOVED, "KL(undisturbed ‖ disturbed) on neutral text", "nats a token"),
            "step_change": (
                _STEP,
                "compliance of a task stepped towards or away from complying − undisturbed",
                _DIFFERENCE,
            ),
            "step_kl": (_STEP, "KL(undisturbed ‖ stepped) on neutral text", "nats a token"),
        }
    ),
    "p_value": (
        _PAIR,
        "that the erasure costs no more than both controls: the larger of two one-sided p",
        "probability",
    ),
    "draws_permuted": (_DRAWS, "SD of the compliance lost, from one set of permuted labels to another", _DIFFERENCE),
    "draws_random": (_DRAWS, "SD of the compliance lost, from one random direction to another", _DIFFERENCE),
    "q_value": (_PAIR, "p adjusted for the false discovery rate over all pairs, own ones among them", "probability"),
}


class Draws(NamedTuple):
    """How much a control's effect on a task differs from draw to draw."""

    variance: float
    df: float


@dataclass(frozen=True)
class Asked:
    """The prompts that every arm answers."""

    task: Int[Tensor, " prompt"]
    """Index into the tasks."""
    base: Int[Tensor, " prompt"]
    """Base prompt: the group."""
    fold: Int[Tensor, " prompt"]
    """Which of an arm's changes a prompt is answered under."""

    def mean(self, values: Float[Tensor, " prompt"], task: int) -> Jackknife | None:
        """Over the prompts of a task that were scored; None with fewer than two base prompts."""
        known = self._known(values, task)
        return None if known is None else jackknife_mean(values[known].double(), self.base[known])

    def difference(
        self, values: Float[Tensor, " prompt"], task: int, draws: Draws | None = None
    ) -> PairedDifference | None:
        """As `mean`, of differences of shares; beside a control, with what its draws differ by.

        The control was drawn anew for every fold. What it is compared with is one draw, nearly alike in all of them.
        """
        known = self._known(values, task)
        if known is None:
            return None
        if draws is None:
            return paired_difference(values[known], self.base[known], level=LEVEL)
        share = self.fold[known].bincount() / known.sum()
        between = draws.variance * (1 + float(share.square().sum()))
        return paired_difference(values[known], self.base[known], level=LEVEL, between=between, df=draws.df)

    def _known(self, values: Float[Tensor, " prompt"], task: int) -> Bool[Tensor, " prompt"] | None:
        known = (self.task == task) & ~values.isnan()
        return known if len({*self.base[known].tolist()}) > 1 else None


@dataclass(frozen=True)
class Outcome:
    """What came of one arm."""

    complies: Float[Tensor, " prompt"]
    """1 or 0; NaN where the prompt was not asked, or the answer could not be scored."""
    n_tokens: Int[Tensor, " text"]
    """Of each neutral text."""
    nll: Float[Tensor, " text"]
    """Rise of its negative log-likelihood, in nats."""
    kl: Float[Tensor, " text"]
    """In nats, summed over its tokens."""


def behaviour(
    tasks: Sequence[str],
    asked: Asked,
    undisturbed: Float[Tensor, " prompt"],
    outcomes: Mapping[str, Outcome],
    arms: Sequence[Arm],
) -> xr.Dataset:
    """Lens 3, in the model: compliance of every task under every arm, beside both controls and the side effects.

    Args:
        tasks: in the standard order.
        asked: the prompts.
        undisturbed: 1 or 0 as the undisturbed model's answers comply.
        outcomes: by the arm's name.
    """
    erasers = [arm for arm in arms if arm.how != STEP]
    hows, wheres = (list(dict.fromkeys(getattr(arm, what) for arm in erasers)) for what in ("how", "where"))
    n = {"how": len(hows), "where": len(wheres), "variant": len(VARIANTS), "direction": len(DIRECTIONS)}
    n |= {"erased": len(tasks), "target": len(tasks)}
    canvas = canvases(_ABOUT, n)
    canvas["n_prompts"] = Canvas(n, ("target",), torch.long)
    canvas["n_prompts"][:] = asked.task.bincount(minlength=len(tasks))
    for t in range(len(tasks)):
        if (one := asked.mean(undisturbed, t)) is not None:
            put(canvas, "undisturbed", t, one, "logit")
    for (h, how), (w, where) in product(enumerate(hows), enumerate(wheres)):
        here = [arm for arm in erasers if (arm.how, arm.where, arm.variant) == (how, where, ERASED)]
        at = [tasks.index(arm.task) for arm in here]
        lost = {}
        for v, variant in enumerate(VARIANTS):
            mine = [outcomes[_twin(arm, variant)] for arm in here]
            for e, outcome in zip(at, mine, strict=True):
                _write_arm(canvas, (h, w, v, e), outcome, undisturbed, asked)
            lost[variant] = torch.stack([undisturbed - outcome.complies for outcome in mine])
        _write_beyond(canvas, (h, w), at, lost, asked)
    for arm in arms:
        if arm.how == STEP and arm.where in wheres:
            place = (wheres.index(arm.where), DIRECTIONS.index(arm.variant), tasks.index(arm.task))
            _write_step(canvas, place, outcomes[arm.name], undisturbed, asked)
    variables = {name: variable(canvas[name], *about) for name, (_, *about) in _ABOUT.items()}
    variables["n_prompts"] = variable(canvas["n_prompts"], "prompts answered", "prompts")
    coordinates = {
        "how": hows, "where": wheres, "variant": list(VARIANTS), "direction": list(DIRECTIONS),
        "erased": list(tasks), "target": list(tasks),
    }  # fmt: skip
    return xr.Dataset(variables, coordinates, _attrs(arms))


def _attrs(arms: Sequence[Arm]) -> dict[str, object]:
    at = {arm.where: sorted({*arm.sites}) for arm in arms}
    return {
        "level": LEVEL,
        "interval": "cluster jackknife over base prompts (texts, for nll and kl), Student's t; plain scale for differences, "
        "beyond a control with the variance between its draws",
        "answers": "greedy, cut off at twice the longest undisturbed one",
        "arms": "fitted without the base prompts that they are tried on; every token is changed",
        "sites": [f"{where}: {', '.join(sites)}" for where, sites in at.items()],
        "neutral": "reference texts by no model, replayed",
        "step": "along the mean difference, as far as rows lie from their mean along it on average",
    }


def _twin(arm: Arm, variant: str) -> str:
    return f"{arm.name.removesuffix(arm.variant)}{variant}"


def _write_arm(
    canvas: Mapping[str, Canvas], at: tuple[int, ...], outcome: Outcome, undisturbed: Tensor, asked: Asked
) -> None:
    """Compliance of every task under one arm, at (how, where, variant, erased), and what the arm does to neutral text."""
    for t in range(len(canvas["undisturbed"].values)):
        complies, change = asked.mean(outcome.complies, t), asked.difference(outcome.complies - undisturbed, t)
        if complies is not None and change is not None:
            put(canvas, "compliance", (*at, t), complies, "logit")
            _put_difference(canvas, "change", (*at, t), change)
    for name in ("nll", "kl"):
        put(canvas, name, at, _per_token(getattr(outcome, name), outcome.n_tokens))


def _write_beyond(
    canvas: Mapping[str, Canvas],
    at: tuple[int, int],
    erased: Sequence[int],
    lost: Mapping[str, Float[Tensor, "erased prompt"]],
    asked: Asked,
) -> None:
    """What erasures at (how, where) cost beyond each control, and whether they cost more than both.

    Args:
        erased: tasks, by index.
        lost: compliance, by variant.
    """
    n = len(canvas["undisturbed"].values)
    p = torch.full((n, n), torch.nan, dtype=torch.float64)
    for t in sorted({*asked.task.tolist()}):
        mine = asked.task == t
        for control in (PERMUTED, RANDOM):
            draws = spread_of_draws(lost[control][:, mine], asked.base[mine], asked.fold[mine])
            canvas[f"draws_{control}"][*at, t] = draws.variance**0.5
            for e, costs in zip(erased, lost[ERASED] - lost[control], strict=True):
                if (beyond := asked.difference(costs, t, draws)) is not None:
                    _put_difference(canvas, f"beyond_{control}", (*at, e, t), beyond)
                    p[e, t] = torch.fmax(p[e, t], beyond.p)
    canvas["p_value"][at], canvas["q_value"][at] = p, benjamini_hochberg(p)


def _write_step(
    canvas: Mapping[str, Canvas], at: tuple[int, int, int], outcome: Outcome, undisturbed: Tensor, asked: Asked
) -> None:
    """Compliance of the task that was stepped along, at (where, direction, target), and what the step does to neutral text."""
    if (change := asked.difference(outcome.complies - undisturbed, at[-1])) is not None:
        _put_difference(canvas, "step_change", at, change)
    put(canvas, "step_kl", at, _per_token(outcome.kl, outcome.n_tokens))


def _put_difference(canvas: Mapping[str, Canvas], name: str, at: tuple[int, ...], one: PairedDifference) -> None:
    canvas[name][at], canvas[f"{name}_low"][at], canvas[f"{name}_high"][at] = one.interval[:3]


def spread_of_draws(
    lost: Float[Tensor, "erased prompt"], base: Int[Tensor, " prompt"], fold: Int[Tensor, " prompt"]
) -> Draws:
    """Variance of the compliance that a control costs a task, from draw to draw: by moments, 0 where they tell none.

    The control of each erased task is drawn once a fold. What answers to two base prompts have in common under one draw is the
    draw, and under two draws what all controls of the erased task do: so the variance is the mean product of two losses in one
    fold less that of two in different folds. Losses count from a prompt's mean over erased tasks, since a prompt, or a fold's
    site, that is lost easily is no draw. With prompts of one fold nothing is taken off, and what erased tasks' controls do on
    the whole is counted in.

    Args:
        lost: NaN where an answer could not be scored.
    """
    n_erased, n_folds = len(lost), len({*fold.tolist()})
    known = (~lost.isnan()).double()
    if n_erased > 1:
        lost = (lost - lost.nanmean(0)) * n_erased**0.5 / (n_erased - 1) ** 0.5
    members = [one_hot(index_groups(by).number).double() for by in (base, fold, torch.zeros_like(fold))]
    alike, drawn, whole = ((lost.nan_to_num() @ each).square().sum() for each in members)
    n_alike, n_drawn, n_whole = ((known @ each).square().sum() for each in members)
    within = float((drawn - alike) / (n_drawn - n_alike)) if n_drawn > n_alike else 0.0
    between = float((whole - drawn) / (n_whole - n_drawn)) if n_whole > n_drawn else 0.0
    return Draws(max(within - between, 0.0), float(max(n_erased - 1, 1) * max(n_folds - 1, 1)))


def _per_token(sums: Float[Tensor, " text"], n_tokens: Int[Tensor, " text"]) -> Jackknife:
    """Σ over texts / Σ of their tokens, each text a group."""
    text = torch.arange(len(sums))
    parts = (jackknife_mean(each.double(), text) for each in (sums, n_tokens))
    return combine(torch.div, *parts)
