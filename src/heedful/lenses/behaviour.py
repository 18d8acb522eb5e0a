"""Behaviour: what becomes of every task's compliance when one task's trace is erased while the model writes?

The causal side of ablation. Greedy answers to the same prompts, undisturbed and under each arm (see `arms`), verified; and
beside what the erasure costs, what its controls cost, and how far it moves the model on neutral text: a skill that fails
because the model fails is no dependency. Reads outcomes, and runs no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from scipy.special import stdtr
from torch import Tensor

from heedful.lenses.arms import DIRECTIONS, ERASED, PERMUTED, RANDOM, STEP, VARIANTS, Arm
from heedful.lenses.result import LEVEL, Canvas, bounded, canvases, put, variable
from heedful.probes import Jackknife, benjamini_hochberg, combine, jackknife_mean

_SHARE = "share of answers that comply"
_DIFFERENCE = "difference in shares"
_CELL = ("how", "where", "variant", "erased", "target")
_PAIR = ("how", "where", "erased", "target")
_MOVED = ("how", "where", "variant", "erased")
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
    "q_value": (_PAIR, "p adjusted for the false discovery rate over all pairs, own ones among them", "probability"),
}


@dataclass(frozen=True)
class Asked:
    """The prompts that every arm answers."""

    task: Int[Tensor, " prompt"]
    """Index into the tasks."""
    base: Int[Tensor, " prompt"]
    """Base prompt: the group."""


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
    mine = [asked.task == t for t in range(len(tasks))]
    plain = _by_target(undisturbed, asked, mine)
    for t, one in enumerate(plain):
        canvas["n_prompts"][t] = int(mine[t].sum())
        if one is not None:
            put(canvas, "undisturbed", t, one, "logit")
    for h, how in enumerate(hows):
        for w, where in enumerate(wheres):
            p = torch.full((len(tasks), len(tasks)), torch.nan, dtype=torch.float64)
            for arm in (a for a in erasers if a.how == how and a.where == where and a.variant == ERASED):
                e = tasks.index(arm.task)
                cost = {}
                for v, name in enumerate(VARIANTS):
                    outcome = outcomes[_twin(arm, name)]
                    _write_arm(canvas, (h, w, v, e), outcome, undisturbed, asked, mine)
                    cost[name] = undisturbed - outcome.complies
                for t, rows in enumerate(mine):
                    for control in (PERMUTED, RANDOM):
                        beyond = _mean(cost[ERASED] - cost[control], asked, rows)
                        if beyond is not None:
                            put(canvas, f"beyond_{control}", (h, w, e, t), beyond)
                            p[e, t] = torch.fmax(p[e, t], _one_sided_p(beyond))
            canvas["p_value"][h, w], canvas["q_value"][h, w] = p, benjamini_hochberg(p)
    for w, where in enumerate(wheres):
        for d, direction in enumerate(DIRECTIONS):
            for arm in (a for a in arms if (a.how, a.where, a.variant) == (STEP, where, direction)):
                t, outcome = tasks.index(arm.task), outcomes[arm.name]
                if (change := _mean(outcome.complies - undisturbed, asked, mine[t])) is not None:
                    _put_change(canvas, "step_change", (w, d, t), change)
                put(canvas, "step_kl", (w, d, t), _per_token(outcome.kl, outcome.n_tokens))
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
        "interval": "cluster jackknife over base prompts (texts, for nll and kl), Student's t; plain scale for differences",
        "answers": "greedy, cut off at twice the longest undisturbed one",
        "arms": "fitted without the base prompts that they are tried on; every token is changed",
        "sites": [f"{where}: {', '.join(sites)}" for where, sites in at.items()],
        "neutral": "reference texts by no model, replayed",
        "step": "along the mean difference, as far as rows lie from their mean along it on average",
    }


def _twin(arm: Arm, variant: str) -> str:
    return f"{arm.name.removesuffix(arm.variant)}{variant}"


def _write_arm(
    canvas: Mapping[str, Canvas],
    at: tuple[int, int, int, int],
    outcome: Outcome,
    undisturbed: Tensor,
    asked: Asked,
    mine: Sequence[Bool[Tensor, " prompt"]],
) -> None:
    for t, rows in enumerate(mine):
        complies, change = (_mean(values, asked, rows) for values in (outcome.complies, outcome.complies - undisturbed))
        if complies is not None and change is not None:
            put(canvas, "compliance", (*at, t), complies, "logit")
            _put_change(canvas, "change", (*at, t), change)
    for name in ("nll", "kl"):
        put(canvas, name, at, _per_token(getattr(outcome, name), outcome.n_tokens))


def _put_change(canvas: Mapping[str, Canvas], name: str, at: tuple[int, ...], one: Jackknife) -> None:
    """Where no answer of any base prompt changed, or all did alike, the jackknife sees no variance: Clopper & Pearson's bound
    for none of G takes its place. Bounds stay within what a difference of shares can be."""
    put(canvas, name, at, one)
    slack = 1 - ((1 - LEVEL) / 2) ** (1 / one.n_groups)
    low, high = canvas[f"{name}_low"], canvas[f"{name}_high"]
    if float(one.se) == 0:
        low[at], high[at] = float(one.estimate) - slack, float(one.estimate) + slack
    low.values[at], high.values[at] = low.values[at].clamp_min(-1), high.values[at].clamp_max(1)


def _by_target(values: Tensor, asked: Asked, mine: Iterable[Tensor]) -> list[Jackknife | None]:
    return [_mean(values, asked, rows) for rows in mine]


def _mean(values: Float[Tensor, " prompt"], asked: Asked, rows: Bool[Tensor, " prompt"]) -> Jackknife | None:
    """Over the prompts of a task that were scored; None with fewer than two base prompts."""
    known = rows & ~values.isnan()
    if len({*asked.base[known].tolist()}) < 2:
        return None
    return jackknife_mean(values[known].double(), asked.base[known])


def _per_token(sums: Float[Tensor, " text"], n_tokens: Int[Tensor, " text"]) -> Jackknife:
    """Σ over texts / Σ of their tokens, each text a group."""
    text = torch.arange(len(sums))
    parts = (jackknife_mean(each.double(), text) for each in (sums, n_tokens))
    return combine(torch.div, *parts)


def _one_sided_p(one: Jackknife) -> Tensor:
    """That the loss is not above 0. Without any variance (nothing changed), 1."""
    se = float(one.se)
    if se == 0:
        return torch.tensor(0.0 if float(one.estimate) > 0 else 1.0, dtype=torch.float64)
    return torch.tensor(float(stdtr(one.n_groups - 1, -float(one.estimate) / se)), dtype=torch.float64)
