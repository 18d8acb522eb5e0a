"""Depth: how early in the model each task can be read, and whether tasks come in the order of their families.

Reads the specialists' out-of-fold scores. Three measures of a curve over relative depth (0 = embedding, 1 = last block): the
peak of AUROC; its onset, where it first reaches 90 % of the way from chance to the peak; and the centre of mass of d′, which
decides, since the other two jump from site to site. It is of d′ = √2 Φ⁻¹(AUROC), since AUROC levels off at 1: of two tasks
whose traces grow alike, the stronger would seem to stand earlier.
"""

from __future__ import annotations

from functools import partial
from itertools import combinations, pairwise
from typing import NamedTuple

import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heedful.lenses.cells import at_position
from heedful.lenses.data import KINDS, Examples, StudyData
from heedful.lenses.fits import Fits, TaskFits
from heedful.lenses.result import LEVEL, Canvas, coordinates, put, sizes, variable
from heedful.probes import Interval, Jackknife, combine

HEADLINE = "eos"
FAMILY_RANK = {"structural": 0, "lexical": 1, "semantic": 2, "stylistic": 2}
"""The order that is put to the test (Rocchetti & Ferrara 2026)."""
STEPS = ("structural to lexical", "lexical to semantic and stylistic")
"""From each rank to the next."""
SHARE = 0.9
MIN_TASKS = 3
N_DRAWS = 2000

_MEASURES = {
    "peak_site_index": ("site of the highest AUROC", "index into sites"),
    "onset90": ("depth at which AUROC − 0.5 reaches 90 % of the peak's, halves cross-fitted", "relative depth"),
    "centre": ("centre of mass of d′ over depth", "relative depth"),
}


class _Measured(NamedTuple):
    peak: Jackknife
    onset: Jackknife
    centre: Jackknife


def depth(data: StudyData, fits: Fits) -> xr.Dataset:
    """Lens 6: peak, onset and centre by task and position, and whether centres come in the order of the families.

    Over the tasks whose specialist reads something at the position (the lower bound of AUROC, at the site chosen on inner
    folds, is above 0.5): the step of the mean centre from each rank of the order to the next, where both have such a task,
    which decides on the claim; if three or more tasks do and they differ in rank, Kendall's tau-b with the ranks, the slope of
    the centres over them, and how many other ways of giving these ranks to the tasks have as large a slope. Intervals take the
    tasks as they are; that last share says how easily tasks of any kind would fall into this order.
    """
    n = sizes(data, step=len(STEPS))
    by_task, by_position = ("kind", "task", "position"), ("kind", "position")
    canvas = {f"{name}{end}": Canvas(n, by_task) for name in _MEASURES for end in ("", "_low", "_high")}
    canvas["readable"] = Canvas(n, by_task, torch.bool)
    orders = [f"{name}{end}" for name in ("rank_correlation", "slope") for end in ("", "_low", "_high")]
    canvas |= {name: Canvas(n, by_position) for name in (*orders, "order_p")}
    canvas |= {f"gain{end}": Canvas(n, (*by_position, "step")) for end in ("", "_low", "_high")}
    canvas["rank_tasks"] = Canvas(n, by_position, torch.long)
    rank = [FAMILY_RANK.get(family) for family in data.families]
    for k, kind in enumerate(KINDS):
        for p, position in enumerate(data.positions):
            centres: list[Jackknife] = []
            ranks: list[int] = []
            for t, task in enumerate(data.tasks):
                f = fits.tasks.get((kind, task))
                if f is None or not f.examples.take(f.valid[p]).enough or data.is_leak_check(kind, position):
                    continue
                measured = _measure(data, f, p)
                for name, one in zip(_MEASURES, measured, strict=True):
                    highest = len(data.sites) - 1.0 if name == "peak_site_index" else 1.0
                    _write(canvas, name, (k, t, p), one.interval(LEVEL), highest)
                readable = _is_readable(data, f, p)
                canvas["readable"][k, t, p] = readable
                order = rank[t]
                if readable and order is not None:
                    centres.append(measured.centre)
                    ranks.append(order)
            canvas["rank_tasks"][k, p] = len(ranks)
            if len(ranks) >= MIN_TASKS and len(set(ranks)) > 1:
                _write(canvas, "rank_correlation", (k, p), _rank_correlation(centres, ranks, data.seed), 1.0, -1.0)
                put(canvas, "slope", (k, p), combine(partial(_slope, ranks), *centres))
                canvas["order_p"][k, p] = _order_p(torch.stack([each.estimate for each in centres]), ranks)
            for i, (lower, upper) in enumerate(pairwise(sorted({*FAMILY_RANK.values()}))):
                if {lower, upper} <= {*ranks}:
                    put(canvas, "gain", (k, p, i), combine(partial(_step, ranks, lower, upper), *centres))

    variables = {}
    for name, (long_name, units) in _MEASURES.items():
        variables[name] = variable(canvas[name], long_name, units)
        variables[f"{name}_low"] = variable(canvas[f"{name}_low"], f"lower bound of {long_name}", units)
        variables[f"{name}_high"] = variable(canvas[f"{name}_high"], f"upper bound of {long_name}", units)
    tau = "Kendall's tau-b of the centres with structural < lexical < semantic = stylistic"
    for end, prefix in (("", ""), ("_low", "lower bound of "), ("_high", "upper bound of ")):
        name = f"rank_correlation{end}"
        variables[name] = variable(canvas[name], prefix + tau, "correlation; 1 is this very order")
        slope = "least-squares slope of the centres over that order's ranks"
        variables[f"slope{end}"] = variable(canvas[f"slope{end}"], prefix + slope, "relative depth a rank")
    gain = "mean centre of a rank's tasks − that of the rank before"
    for end, prefix in (("", ""), ("_low", "lower bound of "), ("_high", "upper bound of ")):
        variables[f"gain{end}"] = variable(canvas[f"gain{end}"], prefix + gain, "relative depth")
    about = "share of ways to give the ranks to the tasks that have a slope as large"
    variables["order_p"] = variable(canvas["order_p"], about, "probability")
    variables["rank_tasks"] = variable(canvas["rank_tasks"], "tasks in the rank correlation", "tasks")
    variables["readable"] = variable(canvas["readable"], "specialist's lower bound is above 0.5", "true or false")
    return xr.Dataset(variables, coordinates(data, step=STEPS), _attrs(data))


def headline_position(depth: xr.Dataset) -> str:
    """The position that decides, the last where that was not read."""
    positions = [str(position) for position in depth["position"].values]
    wanted = str(depth.attrs["headline_position"])
    return wanted if wanted in positions else positions[-1]


def _attrs(data: StudyData) -> dict[str, object]:
    return {
        "headline_position": HEADLINE,
        "decides": "centre",
        "level": LEVEL,
        "interval": "cluster jackknife over base prompts; of an argmax (the peak) it is rough",
        "rank_correlation": "Kendall's tau-b; interval from draws of the centres with their jackknife covariance",
        "n_draws": N_DRAWS,
        "seed": data.seed,
    }


def _write(
    canvas: dict[str, Canvas], name: str, at: tuple[int, ...], interval: Interval, highest: float, lowest: float = 0.0
) -> None:
    canvas[name][at] = interval.estimate
    canvas[f"{name}_low"][at] = interval.low.clamp_min(lowest)
    canvas[f"{name}_high"][at] = interval.high.clamp_max(highest)


def _measure(data: StudyData, f: TaskFits, p: int) -> _Measured:
    """Peak, onset and centre of one task's curve at one position."""
    valid = f.valid[p]
    rows, scores = f.examples.take(valid), f.scores[0, :, p, valid]
    depths = torch.tensor(data.relative_depth, dtype=torch.float64)
    first = _first_half(rows, data.seed)

    whole, a, b = (data.auroc(scores, rows, weight) for weight in (None, first.double(), (~first).double()))
    n_groups = whole.n_groups
    return _Measured(
        peak=Jackknife(_peak(whole.estimate).double(), _peak(whole.replicates).double(), n_groups),
        onset=Jackknife(
            _crossed_onset(a.estimate, b.estimate, depths), _crossed_onset(a.replicates, b.replicates, depths), n_groups
        ),
        centre=combine(partial(_centre, depths=depths, n_rows=len(rows)), whole),
    )


def _first_half(rows: Examples, seed: int) -> Bool[Tensor, " sample"]:
    """Rows of one half of the base prompts of each fold."""
    noise = torch.rand(int(rows.base.max()) + 1, generator=torch.Generator().manual_seed(seed))
    chosen = torch.zeros_like(noise, dtype=torch.bool)
    for fold in sorted({*rows.fold.tolist()}):
        bases = torch.tensor(sorted({*rows.base[rows.fold == fold].tolist()}))
        chosen[bases[noise[bases].argsort()[: (len(bases) + 1) // 2]]] = True
    return chosen[rows.base]


def _peak(curve: Float[Tensor, " site *group"]) -> Int[Tensor, "*group"]:
    return curve.nan_to_num(-1).argmax(0)


def _centre(
    curve: Float[Tensor, " site *group"], depths: Float[Tensor, " site"], n_rows: int
) -> Float[Tensor, "*group"]:
    """Mean depth, weighted by d′; NaN where the d′ of all sites do not add up to more than 0.

    What lies below chance weighs against what lies above it: leaving it out would add up noise where nothing is read, and draw
    weak tasks to the middle. A separation that these rows could not tell from a perfect one counts as half a row's error.
    """
    least = 0.5 / n_rows
    d_prime = 2**0.5 * torch.special.ndtri(curve.clamp(least, 1 - least))
    mass = d_prime.sum(0)
    total: Tensor = torch.tensordot(depths, d_prime, 1)
    return torch.where(mass > 0, total / mass, torch.nan)


def _crossed_onset(
    a: Float[Tensor, " site *group"], b: Float[Tensor, " site *group"], depths: Float[Tensor, " site"]
) -> Float[Tensor, "*group"]:
    """The peak found on one half and its crossing on the other, and the other way round, averaged."""
    return (_onset(b, _peak(a), depths) + _onset(a, _peak(b), depths)) / 2


def _onset(
    curve: Float[Tensor, " site *group"], peak: Int[Tensor, "*group"], depths: Float[Tensor, " site"]
) -> Float[Tensor, "*group"]:
    """Depth at which the curve first reaches 90 % of its way from 0.5 to its value at `peak`, linear between sites.

    NaN where the curve is not above 0.5 at `peak`.
    """
    excess = curve - 0.5
    top = excess.gather(0, peak.unsqueeze(0)).squeeze(0)
    level = SHARE * top
    at = (excess >= level).to(torch.int8).argmax(0, keepdim=True)
    before = (at - 1).clamp_min(0)
    high, low = excess.gather(0, at), excess.gather(0, before)
    share = torch.where(at > 0, (level - low) / (high - low).clamp_min(1e-12), 1.0)
    crossing = torch.lerp(depths[before], depths[at], share)
    return torch.where(top > 0, crossing.squeeze(0), torch.nan)


def _is_readable(data: StudyData, f: TaskFits, p: int) -> bool:
    """Whether the specialist at the site chosen on inner folds beats chance, beyond its interval."""
    rows, scores, noise = at_position(f, p)
    one = data.auroc(scores, rows)
    return bool(one.cross_fitted(noise).interval(LEVEL, "logit").low > 0.5)


def _rank_correlation(centres: list[Jackknife], ranks: list[int], seed: int) -> Interval:
    """Tau-b of the centres with the ranks, and an interval from draws of the centres around their estimates.

    The jackknife of tau itself would be of no use: leaving out one base prompt hardly ever swaps two tasks, so that it
    sees no variance where tau jumps.
    """
    both = combine(lambda *each: torch.stack(each), *centres)
    draws = both.draws(N_DRAWS, seed)
    order = torch.tensor(ranks, dtype=torch.float64)
    tau, drawn = tau_b(both.estimate, order), tau_b(draws, order)
    tail = torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.float64)
    low, high = drawn.quantile(tail)
    return Interval(tau, torch.minimum(low, tau), torch.maximum(high, tau), drawn.std())


def _slope(ranks: list[int], *centres: Float[Tensor, "*group"]) -> Float[Tensor, "*group"]:
    """Least squares of the centres on the ranks: unlike a rank correlation it has a size, and is near 0 where all tasks
    stand at one depth."""
    order = torch.tensor(ranks, dtype=centres[0].dtype)
    order -= order.mean()
    slope: Tensor = torch.tensordot(order, torch.stack(centres), 1) / order.square().sum()
    return slope


def _step(ranks: list[int], lower: int, upper: int, *centres: Float[Tensor, "*group"]) -> Float[Tensor, "*group"]:
    """From the mean centre of one rank's tasks to that of another's."""
    means = [
        torch.stack([c for c, r in zip(centres, ranks, strict=True) if r == rank]).mean(0) for rank in (lower, upper)
    ]
    return means[1] - means[0]


def _order_p(centres: Float[Tensor, " task"], ranks: list[int]) -> float:
    """The share of all ways to give the ranks to the tasks, these among them, whose slope is as large: exact."""
    ways: list[list[int]] = [[0] * len(ranks)]
    for rank in sorted({*ranks})[1:]:  # who has this rank, among those who have none yet
        free = [[t for t, r in enumerate(way) if r == 0] for way in ways]
        ways = [
            [rank if t in chosen else r for t, r in enumerate(way)]
            for way, able in zip(ways, free, strict=True)
            for chosen in combinations(able, ranks.count(rank))
        ]
    if bool(centres.isnan().any()):
        return float("nan")
    first = min(ranks)
    order = torch.tensor([[r or first for r in way] for way in ways], dtype=centres.dtype)
    slopes = (order - order.mean(1, keepdim=True)) @ centres
    own = torch.tensor(ranks, dtype=centres.dtype)
    return float((slopes >= (own - own.mean()) @ centres - 1e-12).double().mean())


def tau_b(a: Float[Tensor, "*draw task"], b: Float[Tensor, " task"]) -> Float[Tensor, "*draw"]:
    """Kendall's tau-b along the last axis, for many `a` at once."""
    i, j = torch.triu_indices(len(b), len(b), offset=1)
    sign_a, sign_b = (a[..., i] - a[..., j]).sign(), (b[i] - b[j]).sign()
    return (sign_a * sign_b).sum(-1) / (sign_a.square().sum(-1) * sign_b.square().sum()).sqrt()
