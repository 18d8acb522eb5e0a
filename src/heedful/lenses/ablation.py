"""Ablation: what does every task's probe lose when another task's trace is erased from the hidden states?

At the site and position that inner folds choose for all tasks together. An eraser is fitted on one task's training rows and
put on every other task's rows, which the target's probe then reads as it was (frozen), or fitted again on what was left of
its training rows. Frozen, a probe also suffers where its signal merely shrinks; fitted again, it loses only what is gone
for good, so that decides on dependencies. Beside every drop stand those of two controls: the same fitter on permuted
labels, and random directions that take off just as much. Says nothing of behaviour: states are read here, not written back.

After its own erasure a probe of the same training rows finds nothing on them, whatever is left for others to find: that is
what an eraser is fitted for. So training rows are parted as well, erasers fitted on some and new probes on the rest. What an
erased task itself loses so is what a second skill would lose that were the same, and the measure of what others lose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from scipy.special import stdtr
from torch import Tensor

from heedful.erasure import (
    Eraser,
    fit_inlp,
    fit_leace,
    fit_mean_flip,
    fit_mean_projection,
    joined,
    random_eraser,
)
from heedful.lenses.cells import SharedCells, SharedFold, parted, shared_cells, shared_folds
from heedful.lenses.damage import damage_to, spread
from heedful.lenses.data import KINDS, StudyData
from heedful.lenses.fits import Fits
from heedful.lenses.refitted import refitted_probes
from heedful.lenses.result import LEVEL, SHARE_FROM, Canvas, bounded, canvases, coordinates, put, sizes, variable, words
from heedful.probes import Jackknife, benjamini_hochberg, combine

N_CONTROLS = 3
MIN_DROP = 0.02
"""AUROC that a target must lose beyond both controls for a dependency to be drawn: with many rows, less is soon significant."""
INLP_RANK = 8


class Fitter(NamedTuple):
    fit: Callable[..., Eraser]
    moves: float = 1.0
    """How far it moves what it reads, where a projection moves it by 1."""


HEADLINE = "leace"
ERASERS: Mapping[str, Fitter] = {
    HEADLINE: Fitter(fit_leace),
    "inlp": Fitter(partial(fit_inlp, rank=INLP_RANK)),
    "mean_projection": Fitter(fit_mean_projection),
    "flip": Fitter(fit_mean_flip, moves=2.0),
}
"""By name; the first decides."""
READINGS = ("refitted", "frozen")
"""Which probe reads what is left; the first decides."""

_VARIANTS = 1 + 2 * N_CONTROLS  # the eraser, its twins on permuted labels, random directions
_ERASED, _PERMUTED, _RANDOM = slice(0, 1), slice(1, 1 + N_CONTROLS), slice(1 + N_CONTROLS, _VARIANTS)

_PAIR = ("kind", "eraser", "reading", "erased", "target")
_OVER = ("kind", "eraser", "reading")
_DIFFERENCE = "difference in AUROC"
_AUROC = "probability; 0.5 is chance"
_ABOUT = {
    **bounded(
        {
            "drop": (
                _PAIR,
                "AUROC that the target's probe loses when the erased task's trace is taken off",
                _DIFFERENCE,
            ),
            "drop_permuted": (_PAIR, "the same, erasers fitted on permuted labels", _DIFFERENCE),
            "drop_random": (_PAIR, "the same, random directions of the same energy", _DIFFERENCE),
            "beyond_permuted": (_PAIR, "drop − drop under permuted labels", _DIFFERENCE),
            "beyond_random": (_PAIR, "drop − drop under random directions", _DIFFERENCE),
            "asymmetry": (_PAIR, "drop beyond random directions, less that of the reverse pair", _DIFFERENCE),
            "after": (_PAIR, "AUROC of the target's probe on what is left", _AUROC),
            "before": (("kind", "target"), "AUROC of the target's probe on states as they are", _AUROC),
            "before_own": (
                ("kind", "reading", "target"),
                "the same of the probes whose own task is then erased; those fitted again have fewer rows",
                _AUROC,
            ),
            "damage": (
                _OVER,
                "Σ drop beyond random directions / Σ (AUROC − 0.5) over pairs of different readable tasks",
                "share; 1 leaves nothing of any other task",
            ),
            "hub": (
                _OVER,
                "the same of the erased task whose erasure does the most damage; bounds corrected for the choice",
                "share",
            ),
            "own": (
                _OVER,
                "damage of the erased tasks to themselves; fitted again, by probes of rows that erasers never saw",
                "share; 1 leaves nothing of any erased task",
            ),
            "damage_of_own": (
                _OVER,
                "damage by the probes and erasers of own, over own; none where own is not above 0",
                "share; 1 where all tasks are one",
            ),
            "hub_of_own": (
                _OVER,
                "the same of the erased task whose erasure does the most; bounds corrected for the choice",
                "share",
            ),
        }
    ),
    "p_value": (
        _PAIR,
        f"that the drop is not {MIN_DROP} beyond both controls: the larger of two one-sided p",
        "probability",
    ),
    "q_value": (_PAIR, "p adjusted for the false discovery rate over all pairs of tasks", "probability"),
    "share": (_PAIR, "drop as a share of the target's AUROC − 0.5", "share; 1 leaves nothing"),
    "energy": (("kind", "eraser", "erased"), "variance that the eraser takes off", "share"),
}


def ablation(data: StudyData, fits: Fits, *, erasers: Sequence[str] = tuple(ERASERS)) -> xr.Dataset:
    """Lens 3, on states: drops of every target under every erased task, by eraser and reading, beside both controls.

    The drop on the diagonal tells how much of an erased task is gone: AUROC near 0.5 after it is a complete erasure (a flip
    is never one: what was turned round can be read again). Refitted, it is from `before_own`, not from `before`.
    """
    n = sizes(data, eraser=len(erasers), reading=len(READINGS), erased=len(data.tasks), target=len(data.tasks))
    canvas = canvases(_ABOUT, n)
    canvas["n_tasks"] = Canvas(n, ("kind",), torch.long)
    cell = {"site": [""] * len(KINDS), "position": [""] * len(KINDS)}
    for k, kind in enumerate(KINDS):
        shared = shared_cells(data, fits, kind)
        if shared is None:
            continue
        cell["site"][k], cell["position"][k] = shared.site, shared.position
        at = torch.tensor([data.tasks.index(task) for task in shared.fits])
        canvas["n_tasks"][k] = len(at)
        scores = _Scores(shared, len(erasers))
        for fold in shared_folds(data, shared):
            _erase(shared, fold, scores, erasers, data.seed)
        canvas["energy"][k, :, at] = scores.energy.mean(-1)
        _write(canvas, k, at, _aurocs(data, shared, scores))
    variables = {name: variable(canvas[name], *about) for name, (_, *about) in _ABOUT.items()}
    variables["n_tasks"] = variable(canvas["n_tasks"], "tasks compared", "tasks")
    variables["shared_site"] = words(("kind",), cell["site"], "site that the most folds chose for all tasks")
    variables["shared_position"] = words(
        ("kind",), cell["position"], "position that the most folds chose for all tasks"
    )
    more = {"eraser": tuple(erasers), "reading": READINGS, "erased": data.tasks, "target": data.tasks}
    return xr.Dataset(variables, coordinates(data, **more), _attrs(data))


def _attrs(data: StudyData) -> dict[str, object]:
    return {
        "headline_eraser": HEADLINE,
        "headline_reading": READINGS[0],
        "level": LEVEL,
        "interval": "cluster jackknife over base prompts, Student's t; logit scale for AUROC, plain for drops",
        "controls": "the same fitter on permuted labels; random directions of the same energy, tilted along the covariance",
        "n_controls": N_CONTROLS,
        "inlp_rank": INLP_RANK,
        "min_drop": MIN_DROP,
        "edge": "a drop of more than min_drop beyond both controls, false discovery rate over all ordered pairs",
        "seed": data.seed,
    }


class _Scores:
    """Out-of-fold scores of every target's rows, filled fold by fold.

    Attributes:
        before: by target: [sample].
        unseen: the same, by probes of rows that no eraser saw.
        after: by target: [eraser, reading, erased, variant, sample].
        after_unseen: the same of probes fitted again on rows that no eraser saw: [eraser, erased, variant, sample].
        energy: [eraser, erased, fold].
    """

    def __init__(self, shared: SharedCells, n_erasers: int) -> None:
        n, rows = len(shared.examples), shared.examples

        def empty(*shape: int) -> dict[str, Tensor]:
            return {task: torch.full((*shape, len(mine)), torch.nan) for task, mine in rows.items()}

        self.before, self.unseen = empty(), empty()
        self.after = empty(n_erasers, len(READINGS), n, _VARIANTS)
        self.after_unseen = empty(n_erasers, n, _VARIANTS)
        self.energy = torch.full((n_erasers, n, len(shared.cells)), torch.nan)


def _erase(shared: SharedCells, fold: SharedFold, scores: _Scores, names: Sequence[str], seed: int) -> None:
    """One fold: fit every eraser and its controls on every task's training rows, and let every target's probes read."""
    seen, unseen = parted(fold, shared)
    for e, name in enumerate(names):
        fitted = [fit_variants(shared, fold, erased, ERASERS[name], seed) for erased in shared.examples]
        for a, variants in enumerate(fitted):
            scores.energy[e, a, fold.fold] = variants.energy
        every = joined([variants.erasers for variants in fitted])
        for target, held in fold.held.items():
            here = fold.rows[target]
            read = {"refitted": refitted_probes(fold, target, every), "frozen": every.before(fold.probes[target])}
            for reading, probes in read.items():
                shape = (len(fitted), _VARIANTS, -1)
                scores.after[target][e, READINGS.index(reading), :, :, here] = probes.scores(held).reshape(shape)
        for target, left in _left_to_new(shared, seen, unseen, ERASERS[name], seed).items():
            scores.after_unseen[target][e, :, :, unseen.rows[target]] = left
    for target, held in fold.held.items():
        scores.before[target][fold.rows[target]] = fold.probes[target].scores(held)[0]
    for target, probes in unseen.probes.items():
        scores.unseen[target][fold.rows[target]] = probes.scores(fold.held[target])[0]


def _left_to_new(
    shared: SharedCells, seen: SharedFold, unseen: SharedFold, how: Fitter, seed: int
) -> dict[str, Float[Tensor, "erased variant held"]]:
    """By target, the same with erasers of the rows seen and new probes of those unseen; NaN where a task has no eraser."""
    if not seen.trained:
        return {}
    every = joined([fit_variants(shared, seen, erased, how, seed).erasers for erased in seen.trained])
    known = torch.tensor([task in seen.trained for task in shared.examples])
    found = {}
    for target in unseen.trained:
        left = refitted_probes(unseen, target, every).scores(unseen.held[target])[:, 0]
        found[target] = left.new_full((len(known), _VARIANTS, left.shape[-1]), torch.nan)
        found[target][known] = left.reshape(len(seen.trained), *found[target].shape[1:])
    return found


class Variants(NamedTuple):
    erasers: Eraser
    """[variant]: the eraser, its twins on permuted labels, random directions of its energy."""
    energy: float


def fit_variants(shared: SharedCells, fold: SharedFold, erased: str, how: Fitter, seed: int) -> Variants:
    """An eraser of one task, fitted on a fold's training rows, and its controls."""
    x, weight, permuted = fold.trained[erased], fold.weight[erased], shared.examples[erased].permuted(N_CONTROLS, seed)
    fitted = how.fit(x, torch.cat([fold.label[erased][None], permuted[:, fold.kept[erased]]]), weight)
    energy = float(fitted[0].energy(x))
    wanted, rank = energy / how.moves**2, fitted.rank
    random = random_eraser(fold.rotated[erased], wanted, rank=rank, seed=range(seed, seed + N_CONTROLS))
    return Variants(joined([fitted, replace(random, read=how.moves * random.read)]), energy)


class _Aurocs(NamedTuple):
    """Of every target's probes, by scores of all folds; targets all number base prompts alike."""

    before: Jackknife
    """[target], of states as they are."""
    before_own: Jackknife
    """[reading, target], the same of probes that share no rows with erasers; a frozen one reads held-out rows in any case."""
    after: Jackknife
    """[eraser, reading, erased, target, variant], of what is left; on the diagonal by the probes of `before_own`."""
    after_own: Jackknife
    """The same, all by the probes of `before_own`."""
    noise: Float[Tensor, " target"]
    """Share of noise in the probes of `before`, for intervals."""


def _aurocs(data: StudyData, shared: SharedCells, scores: _Scores) -> _Aurocs:
    def stacked(scores: Mapping[str, Tensor], dim: int = 0) -> Jackknife:
        each = (data.auroc(scores[target], mine) for target, mine in shared.examples.items())
        return combine(lambda *targets: torch.stack(targets, dim), *each)

    before, unseen = stacked(scores.before), stacked(scores.unseen)
    after, after_unseen = stacked(scores.after, 3), stacked(scores.after_unseen, 2)
    frozen = READINGS.index("frozen")
    after_own = combine(lambda new, old: torch.stack([new, old[:, frozen]], 1), after_unseen, after)
    same = torch.eye(len(shared.examples), dtype=torch.bool)
    return _Aurocs(
        before=before,
        before_own=combine(lambda *readings: torch.stack(readings), unseen, before),
        after=combine(lambda own, left: torch.where(spread(same, left, 2), own, left), after_own, after),
        after_own=after_own,
        noise=torch.stack([shared.noise(task) for task in shared.examples]),
    )


def _drops(found: _Aurocs) -> dict[str, Jackknife]:
    """By variable, [eraser, reading, erased, target]."""
    whole = _whole(found)

    def dropped(variants: slice) -> Jackknife:
        return combine(lambda was, left: was - left[:, :, :, :, variants].mean(4), whole, found.after)

    drop, permuted, random = dropped(_ERASED), dropped(_PERMUTED), dropped(_RANDOM)
    beyond = combine(torch.sub, drop, random)
    return {
        "drop": drop,
        "drop_permuted": permuted,
        "drop_random": random,
        "beyond_permuted": combine(torch.sub, drop, permuted),
        "beyond_random": beyond,
        "asymmetry": combine(lambda d: d - d.transpose(2, 3), beyond),
    }


def _whole(found: _Aurocs) -> Jackknife:
    """[reading, erased, target]: what a pair drops from, which is `before`, and on the diagonal `before_own`."""
    same = torch.eye(len(found.noise), dtype=torch.bool)
    return combine(
        lambda before, own: torch.where(spread(same, own.unsqueeze(1), 1), own.unsqueeze(1), before),
        found.before,
        found.before_own,
    )


def _write(canvas: dict[str, Canvas], k: int, at: Int[Tensor, " task"], found: _Aurocs) -> None:
    """All that AUROC tells under one kind of labels, of the tasks at these places."""
    pairs, same = (k, slice(None), slice(None), at.unsqueeze(1), at), torch.eye(len(at), dtype=torch.bool)
    before = found.before.cross_fitted(found.noise)
    # The widest, where the noise is not known.
    before_own = found.before_own.cross_fitted(torch.stack([torch.ones_like(found.noise), found.noise]))
    put(canvas, "before", (k, at), before, "logit")
    put(canvas, "before_own", (k, slice(None), at), before_own, "logit")
    put(canvas, "after", pairs, combine(lambda left: left[:, :, :, :, 0], found.after).cross_fitted(), "logit")
    drops = _drops(found)
    for name, one in drops.items():
        put(canvas, name, pairs, one)
    p = torch.maximum(*(_one_sided_p(drops[f"beyond_{control}"]) for control in ("permuted", "random")))
    canvas["p_value"][pairs], canvas["q_value"][pairs] = p, _q(p)
    low, low_own = (one.interval(LEVEL, "logit").low for one in (before, before_own))
    sure = torch.where(same, low_own.unsqueeze(1), low) > SHARE_FROM
    canvas["share"][pairs] = torch.where(sure, drops["drop"].estimate / (_whole(found).estimate - 0.5), torch.nan)
    _write_damage(canvas, k, low > 0.5, found, drops["beyond_random"])
    parted_too = found.before_own.estimate[READINGS.index("refitted")].isfinite()
    _write_damage_of_own(canvas, k, (low > 0.5) & parted_too, found)


def _write_damage(
    canvas: dict[str, Canvas], k: int, able: Bool[Tensor, " task"], found: _Aurocs, beyond: Jackknife
) -> None:
    """How much of other tasks that can be read goes with an erased one; overall, and with the one that takes the most."""
    if able.sum() > 1:
        damage = damage_to(_pairs(able), beyond, combine(lambda before: before.unsqueeze(0), found.before))
        put(canvas, "damage", k, damage.overall)
        _put_greatest(canvas, "hub", k, damage.each, able)


def _write_damage_of_own(canvas: dict[str, Canvas], k: int, able: Bool[Tensor, " task"], found: _Aurocs) -> None:
    """The same over what erased tasks lose themselves, all by new probes that share no rows with the erasers."""
    if able.sum() > 1:
        beyond = combine(lambda left: left[:, :, :, :, _RANDOM].mean(4) - left[:, :, :, :, 0], found.after_own)
        # Their few rows make probes noisy, and test each fold's by what trained the next: see `Jackknife.cross_fitted`.
        own = damage_to(torch.diag(able), beyond, found.before_own).cross_fitted().overall
        damage = damage_to(_pairs(able), beyond, found.before_own).cross_fitted().over(own)
        put(canvas, "own", k, own)
        put(canvas, "damage_of_own", k, damage.overall)
        _put_greatest(canvas, "hub_of_own", k, damage.each, able)


def _pairs(able: Bool[Tensor, " task"]) -> Bool[Tensor, "erased target"]:
    """Of different tasks, both able."""
    pairs: Tensor = able.outer(able) & ~torch.diag(able)
    return pairs


def _put_greatest(canvas: dict[str, Canvas], name: str, k: int, each: Jackknife, able: Bool[Tensor, " erased"]) -> None:
    """The greatest over erased tasks of [eraser, reading, erased], its bounds corrected for the choice."""
    one = combine(lambda values: values[:, :, able], each)
    for end, values in zip(("", "_low", "_high"), one.interval(1 - (1 - LEVEL) / int(able.sum())), strict=False):
        canvas[f"{name}{end}"][k] = values.amax(2)


def _one_sided_p(one: Jackknife) -> Float[Tensor, "*cell"]:
    """P that a difference as large comes up where it is `MIN_DROP`, by Student's t of the jackknife."""
    t = (one.estimate - MIN_DROP) / one.se.clamp_min(1e-12)
    return torch.from_numpy(stdtr(one.n_groups - 1, -t.numpy()))


def _q(p: Float[Tensor, "eraser reading erased target"]) -> Float[Tensor, "eraser reading erased target"]:
    """Adjusted over all pairs of different tasks, for each eraser and reading."""
    others = torch.where(torch.eye(p.shape[-1], dtype=torch.bool), torch.nan, p).flatten(0, 1)
    return torch.stack([benjamini_hochberg(each) for each in others]).reshape(p.shape)
