"""Ablation: what does every task's probe lose when another task's trace is erased from the hidden states?

At the site and position that inner folds choose for all tasks together. An eraser is fitted on one task's training rows and
put on every task's held-out rows, which the target's probe then reads as it was (frozen) or fitted again on erased training
rows. Beside every drop stand those of two controls: the same fitter on permuted labels, and random directions that take off
just as much. What matters is the drop beyond both. Says nothing of behaviour: states are read here, and not written back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
import xarray as xr
from jaxtyping import Float
from scipy.stats import t as student_t
from torch import Tensor

from heedful.erasure import Eraser, fit_inlp, fit_leace, fit_mean_flip, fit_mean_projection, random_eraser
from heedful.lenses.cells import SharedCells, SharedFold, shared_cells, shared_folds
from heedful.lenses.data import KINDS, StudyData
from heedful.lenses.fits import Fits
from heedful.lenses.result import Canvas, coordinates, sizes, variable, words
from heedful.probes import Jackknife, benjamini_hochberg, combine, fit_logistic, jackknife_auroc, principal_rows

LEVEL = 0.95
N_CONTROLS = 3
INLP_RANK = 8
SHARE_FROM = 0.6
"""A target's own AUROC, by its lower bound, from which a share of it means something."""
HEADLINE = "leace"
ERASERS: Mapping[str, Callable[..., Eraser]] = {
    HEADLINE: fit_leace,
    "inlp": partial(fit_inlp, rank=INLP_RANK),
    "mean_projection": fit_mean_projection,
    "flip": fit_mean_flip,
}
"""By name; the first decides."""

_VARIANTS = 1 + 2 * N_CONTROLS  # the eraser, its twins on permuted labels, random directions
_PERMUTED, _RANDOM = slice(1, 1 + N_CONTROLS), slice(1 + N_CONTROLS, _VARIANTS)

_PAIR = ("kind", "eraser", "erased", "target")
_DROPS = {
    "drop": "AUROC that the target's probe loses when the erased task's trace is taken off",
    "drop_permuted": "the same, erasers fitted on permuted labels",
    "drop_random": "the same, random directions of the same energy",
    "beyond_permuted": "drop − drop under permuted labels",
    "beyond_random": "drop − drop under random directions",
    "asymmetry": "drop beyond random directions, less that of the reverse pair",
}
_FLOATS = {
    "p_value": (_PAIR, "that the drop is beyond neither control: the larger of two one-sided p", "probability"),
    "q_value": (_PAIR, "p adjusted for the false discovery rate over all pairs of tasks", "probability"),
    "share": (_PAIR, "drop as a share of the target's AUROC − 0.5", "share; 1 leaves nothing"),
    "energy": (("kind", "eraser", "erased"), "variance that the eraser takes off", "share"),
    "before": (("kind", "target"), "AUROC of the target's probe on states as they are", "probability; 0.5 is chance"),
    "before_low": (("kind", "target"), "lower bound of it", "probability"),
    "before_high": (("kind", "target"), "upper bound of it", "probability"),
}
_REFITTED = {
    "refitted": "AUROC of a probe fitted again on erased states",
    "refitted_random": "the same, random directions of the same energy",
}


def ablation(data: StudyData, fits: Fits) -> xr.Dataset:
    """Lens 3, on states: drops of every target under every erased task, by eraser, beside both controls.

    `refitted` has every pair for the eraser that decides; for the others the erased task itself, which tells whether it is
    gone: AUROC near 0.5 is a complete erasure (a flip is never one: what was turned round can be read).
    """
    n = sizes(data, eraser=len(ERASERS), erased=len(data.tasks), target=len(data.tasks))
    canvas = {f"{name}{end}": Canvas(n, _PAIR) for name in (*_DROPS, *_REFITTED) for end in ("", "_low", "_high")}
    canvas |= {name: Canvas(n, dims) for name, (dims, *_) in _FLOATS.items()}
    canvas["n_tasks"] = Canvas(n, ("kind",), torch.long)
    cell = {"site": [""] * len(KINDS), "position": [""] * len(KINDS)}
    for k, kind in enumerate(KINDS):
        shared = shared_cells(data, fits, kind)
        if shared is None:
            continue
        cell["site"][k], cell["position"][k] = shared.site, shared.position
        at = torch.tensor([data.tasks.index(task) for task in shared.fits])
        canvas["n_tasks"][k] = len(at)
        scores = _Scores(shared)
        for fold in shared_folds(data, shared):
            _erase(shared, fold, scores, data.seed)
        _write(data, shared, scores, canvas, k, at)
    variables = {}
    for name, long_name in {**_DROPS, **_REFITTED}.items():
        units = "difference in AUROC" if name in _DROPS else "probability; 0.5 is chance"
        for end, prefix in (("", ""), ("_low", "lower bound of: "), ("_high", "upper bound of: ")):
            variables[f"{name}{end}"] = variable(canvas[f"{name}{end}"], prefix + long_name, units)
    variables |= {name: variable(canvas[name], *about) for name, (_, *about) in _FLOATS.items()}
    variables["n_tasks"] = variable(canvas["n_tasks"], "tasks compared", "tasks")
    variables["shared_site"] = words(("kind",), cell["site"], "site that the most folds chose for all tasks")
    variables["shared_position"] = words(
        ("kind",), cell["position"], "position that the most folds chose for all tasks"
    )
    more = {"eraser": tuple(ERASERS), "erased": data.tasks, "target": data.tasks}
    return xr.Dataset(variables, coordinates(data, **more), _attrs(data))


def _attrs(data: StudyData) -> dict[str, object]:
    return {
        "headline_eraser": HEADLINE,
        "level": LEVEL,
        "interval": "cluster jackknife over base prompts, Student's t; logit scale for AUROC, plain for drops",
        "controls": "the same fitter on permuted labels; random directions of the same energy, tilted along the covariance",
        "n_controls": N_CONTROLS,
        "inlp_rank": INLP_RANK,
        "edge": "a drop beyond both controls, false discovery rate over all ordered pairs",
        "seed": data.seed,
    }


class _Scores:
    """Out-of-fold scores of every target's rows, filled fold by fold.

    Attributes:
        before: by target: [sample].
        frozen: by target: [eraser, erased, variant, sample].
        refitted: by target: [eraser, erased, variant, sample], of the eraser and of one random control.
        energy: [eraser, erased, fold].
    """

    def __init__(self, shared: SharedCells) -> None:
        n, e = len(shared.examples), len(ERASERS)

        def empty(*shape: int) -> dict[str, Tensor]:
            return {t: torch.full((*shape, len(rows)), torch.nan) for t, rows in shared.examples.items()}

        self.before, self.frozen, self.refitted = empty(), empty(e, n, _VARIANTS), empty(e, n, 2)
        self.energy = torch.full((e, n, len(shared.cells)), torch.nan)


def _erase(shared: SharedCells, fold: SharedFold, scores: _Scores, seed: int) -> None:
    """One fold: fit every eraser and its controls on every task's training rows, and score every target's held-out rows."""
    for target, x in fold.held.items():
        scores.before[target][fold.rows[target]] = fold.probes[target].scores(x)[0]
    for a, (erased, rows) in enumerate(shared.examples.items()):
        x, weight = fold.trained[erased], fold.weight[erased]
        labels = torch.cat([rows.label[None], rows.permuted(N_CONTROLS, seed)])
        kept = weight > 0
        rotated = principal_rows(x[kept])
        for e, (name, fit) in enumerate(ERASERS.items()):
            fitted = [fit(x, each, weight) for each in labels]
            energy = float(fitted[0].energy(x[kept]))
            scores.energy[e, a, fold.fold] = energy
            draws = range(seed, seed + N_CONTROLS)
            times = 4 if name == "flip" else 1  # a flip moves twice as far as it would take off
            random = [random_eraser(rotated, energy / times, rank=fitted[0].rank, seed=draw) for draw in draws]
            if name == "flip":
                random = [Eraser(each.center, 2 * each.read, each.write) for each in random]
            for target, held in fold.held.items():
                here = fold.rows[target]
                for v, eraser in enumerate([*fitted, *random]):
                    scores.frozen[target][e, a, v, here] = fold.probes[target].scores(eraser(held))[0]
                if name == HEADLINE or target == erased:
                    _refit(shared, fold, target, [fitted[0], random[0]], scores.refitted[target][e, a])


def _refit(
    shared: SharedCells, fold: SharedFold, target: str, erasers: list[Eraser], into: Float[Tensor, "eraser sample"]
) -> None:
    """Scores of the target's held-out rows by probes fitted on its erased training rows."""
    rows, weight = shared.examples[target], fold.weight[target]
    kept = weight > 0
    x = torch.stack([eraser(fold.trained[target][kept]) for eraser in erasers])
    probes = fit_logistic(x, rows.label[None, kept], weight[None, kept], fold.C[target], tol=1e-2)
    held = torch.stack([eraser(fold.held[target]) for eraser in erasers])
    into[:, fold.rows[target]] = probes.scores(held)[:, 0]


def _write(
    data: StudyData, shared: SharedCells, scores: _Scores, canvas: dict[str, Canvas], k: int, at: Tensor
) -> None:
    def auroc(target: str, values: Float[Tensor, "*cell sample"]) -> Jackknife:
        rows = shared.examples[target]
        return jackknife_auroc(values, rows.label, rows.base, rows.fold, n_groups=data.n_bases)

    before = {t: auroc(t, scores.before[t]) for t in shared.examples}
    for b, t in zip(at.tolist(), shared.examples, strict=True):
        interval = before[t].interval(LEVEL, "logit")
        canvas["before"][k, b], canvas["before_low"][k, b], canvas["before_high"][k, b] = interval[:3]
    canvas["energy"][k, :, at] = scores.energy.mean(-1)

    # [eraser, erased, target]: stacked over targets, which all number base prompts alike.
    def over_targets(function: Callable[..., Tensor], of: Callable[[str], Jackknife]) -> Jackknife:
        parts = [combine(function, before[t], of(t)) for t in shared.examples]
        return combine(lambda *each: torch.stack(each, 2), *parts)

    frozen = {t: auroc(t, scores.frozen[t]) for t in shared.examples}

    def dropped(start: int, stop: int) -> Jackknife:
        return over_targets(lambda whole, left: whole - left[:, :, start:stop].mean(2), frozen.__getitem__)

    drop = dropped(0, 1)
    found = {
        "drop": drop,
        "drop_permuted": dropped(_PERMUTED.start, _PERMUTED.stop),
        "drop_random": dropped(_RANDOM.start, _RANDOM.stop),
    }
    found["beyond_permuted"] = combine(torch.sub, drop, found["drop_permuted"])
    found["beyond_random"] = combine(torch.sub, drop, found["drop_random"])
    found["asymmetry"] = combine(lambda d: d - d.transpose(1, 2), found["beyond_random"])
    pairs = (k, slice(None), at.unsqueeze(1), at)
    for name, one in found.items():
        interval = one.interval(LEVEL)
        canvas[name][pairs], canvas[f"{name}_low"][pairs], canvas[f"{name}_high"][pairs] = interval[:3]
    p = torch.maximum(_one_sided_p(found["beyond_permuted"]), _one_sided_p(found["beyond_random"]))
    canvas["p_value"][pairs] = p
    different = ~torch.eye(len(at), dtype=torch.bool)
    canvas["q_value"][pairs] = torch.stack([benjamini_hochberg(torch.where(different, each, torch.nan)) for each in p])
    own = torch.stack([before[t].interval(LEVEL, "logit").low for t in shared.examples])
    excess = torch.stack([before[t].estimate for t in shared.examples]) - 0.5
    canvas["share"][pairs] = torch.where(own > SHARE_FROM, drop.estimate / excess, torch.nan)
    refitted = over_targets(lambda _, left: left[:, :, 0], lambda t: auroc(t, scores.refitted[t]))
    control = over_targets(lambda _, left: left[:, :, 1], lambda t: auroc(t, scores.refitted[t]))
    for name, one in (("refitted", refitted), ("refitted_random", control)):
        interval = one.interval(LEVEL, "logit")
        canvas[name][pairs], canvas[f"{name}_low"][pairs], canvas[f"{name}_high"][pairs] = interval[:3]


def _one_sided_p(one: Jackknife) -> Float[Tensor, "*cell"]:
    """P that a difference as large comes up where there is none, by Student's t of the jackknife."""
    t = one.estimate / one.se.clamp_min(1e-12)
    return torch.from_numpy(student_t.sf(t.numpy(), one.n_groups - 1))
