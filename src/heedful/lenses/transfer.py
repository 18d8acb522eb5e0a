"""Transfer: what does a probe trained on one task say of another?

T[s, t] is the AUROC, on held-out base prompts of task t, of the probe trained on task s, all at one site and position that
inner folds choose for all tasks together. Below 0.5 is information too: the probe then reads the other task the wrong way
round, and where that is told from chance it counts as transfer of the same strength (`sign_of`). The null holds the fitted
probes fixed, so that a small p says that these probes read the other task; one that is not exactly orthogonal to a strong
direction does so a little, by chance, and the size is what counts: as a share of the d′ of the target's own probe, which is the
cosine between two directions however strong their traces, where AUROC makes much of a small one between strong traces. Knows
nothing of mechanisms: what the matrix means for the claim is the verdict's business.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform
from torch import Tensor

from heedful.lenses.cells import SharedCells, shared_cells, shared_folds
from heedful.lenses.data import KINDS, Examples, StudyData
from heedful.lenses.fits import Fits
from heedful.lenses.result import LEVEL, SHARE_FROM, Canvas, bounded, canvases, coordinates, put, sizes, variable, words
from heedful.probes import (
    Jackknife,
    benjamini_hochberg,
    combine,
    label_sets_auroc,
    permutation_p,
)

N_PERMUTATIONS = 1999
N_MANTEL = 9999
N_DRAWS = 1000
NAMED_PAIRS = (("topic", "sentiment"), ("exclude", "toxicity"))
"""The pairs that are said to transfer (Rocchetti & Ferrara 2026)."""
INVERTED_Q = 0.05
MIN_TASKS = 4

_MATRIX = ("kind", "source", "target")
_FLOATS = {
    **bounded(
        {
            "auroc": (_MATRIX, "AUROC on the target of the probe trained on the source", "probability; 0.5 is chance"),
            "normalised": (_MATRIX, "d′ over that of the target's own probe", "1 is as good as its own probe"),
            "planned": (
                ("kind", "pair"),
                "Σ strength in d′ / Σ the target's own d′ of the named pair − the same of all others, of readable tasks",
                "difference in shares of d′",
            ),
            "mean_share": (
                ("kind",),
                "Σ strength in d′ / Σ the target's own d′ over pairs of readable tasks that are not named",
                "share; 1 is as good as its own probe",
            ),
            "mean_off_diagonal": (("kind",), "mean AUROC over pairs of different tasks", "probability; 0.5 is chance"),
        }
    ),
    "p_value": (_MATRIX, "share of permutations of the target's labels as far from 0.5, with one added", "probability"),
    "q_value": (_MATRIX, "p adjusted for the false discovery rate over all pairs of tasks", "probability"),
    "mantel": (("kind",), "correlation of symmetrised strength with 'same family' (Mantel)", "correlation"),
    "mantel_p": (
        ("kind",),
        "share of relabelled matrices that correlate as much or more (one-sided), with one added",
        "probability",
    ),
    "height": (
        ("kind", "merge"),
        "distance (1 − mean symmetrised strength) at which two clusters merge",
        "distance; 0.5 is none at all",
    ),
    "support": (("kind", "merge"), "share of draws of the matrix whose tree has the cluster", "share"),
}


def transfer(data: StudyData, fits: Fits) -> xr.Dataset:
    """Lens 2: the matrix of transfer at one shared site and position, and what structure it has.

    Intervals by the cluster jackknife over base prompts; a null that permutes the target's labels with the source's probe
    fixed, two-sided, corrected over all ordered pairs; the planned contrast of each named pair against all that are not named;
    average-linkage clustering with the support of draws of the whole matrix; Mantel's test against the families.
    """
    n = sizes(
        data, source=len(data.tasks), target=len(data.tasks), pair=len(NAMED_PAIRS), merge=max(len(data.tasks) - 1, 0)
    )
    canvas = canvases(_FLOATS, n)
    canvas["merged"] = Canvas(n, ("kind", "merge", "task"), torch.bool)
    canvas["order"] = Canvas(n, ("kind", "task"), torch.long)
    canvas["n_tasks"] = Canvas(n, ("kind",), torch.long)
    cell = {"site": [""] * len(KINDS), "position": [""] * len(KINDS)}
    for k, kind in enumerate(KINDS):
        canvas["order"][k] = torch.arange(len(data.tasks))
        shared = shared_cells(data, fits, kind)
        if shared is None:
            continue
        cell["site"][k], cell["position"][k] = shared.site, shared.position
        at = torch.tensor([data.tasks.index(task) for task in shared.fits])
        canvas["n_tasks"][k] = len(at)
        found = _matrix(data, shared)
        q = benjamini_hochberg(torch.where(torch.eye(len(at), dtype=torch.bool), torch.nan, found.p))
        _write_matrix(canvas, k, at, found, q)
        sign = sign_of(found.auroc.estimate, q)
        strength = _oriented(found.d_prime, sign, about=0.0)
        off = ~torch.eye(len(at), dtype=torch.bool)
        put(canvas, "mean_off_diagonal", k, combine(lambda m, off=off: m[off].mean(0), found.auroc), "logit")
        # A task that its own probe does not read can neither transfer nor be told not to.
        readable = found.auroc.interval(LEVEL, "logit").low.diagonal() > 0.5
        *named, others = (pairs & readable.outer(readable) for pairs in named_pairs(list(shared.fits)))
        if bool(others.any()):
            for i, pair in enumerate(named):
                if bool(pair.any()):
                    more = combine(lambda m, a=pair, b=others: share_of_own(m, a) - share_of_own(m, b), strength)
                    put(canvas, "planned", (k, i), more)
            put(canvas, "mean_share", k, combine(lambda m, a=others: share_of_own(m, a), strength))
        if len(at) >= MIN_TASKS:
            families = [data.families[t] for t in at.tolist()]
            nearness = _oriented(found.auroc, sign, about=0.5)  # tasks that are not readable have no share to stand by
            canvas["mantel"][k], canvas["mantel_p"][k] = _mantel(nearness.estimate, families, data.seed)
            _write_tree(canvas, k, at, _tree(nearness, data.seed))
    variables = {name: variable(canvas[name], *about) for name, (_, *about) in _FLOATS.items()}
    variables["merged"] = variable(canvas["merged"], "tasks in the cluster of each merge", "true or false")
    variables["order"] = variable(canvas["order"], "tasks in the order of the tree's leaves", "index into tasks")
    variables["n_tasks"] = variable(canvas["n_tasks"], "tasks in the matrix", "tasks")
    variables["shared_site"] = words(("kind",), cell["site"], "site that the most folds chose for all tasks")
    variables["shared_position"] = words(
        ("kind",), cell["position"], "position that the most folds chose for all tasks"
    )
    pairs = [" and ".join(pair) for pair in NAMED_PAIRS]
    return xr.Dataset(variables, coordinates(data, source=data.tasks, target=data.tasks, pair=pairs), _attrs(data))


def _attrs(data: StudyData) -> dict[str, object]:
    return {
        "level": LEVEL,
        "interval": "cluster jackknife over base prompts, Student's t; logit scale for AUROC, else plain",
        "null": "the target's labels permuted (contrast: squares swapped; natural: within base prompts, "
        "rows alone there within folds), probes fixed",
        "n_permutations": N_PERMUTATIONS,
        "n_mantel": N_MANTEL,
        "n_draws": N_DRAWS,
        "strength": f"d′ (tree and Mantel's test: AUROC), mirrored where AUROC is below 0.5 at a q of {INVERTED_Q} or less",
        "normalised_from": SHARE_FROM,
        "seed": data.seed,
    }


class _Matrix(NamedTuple):
    """Every source's probes on every target's rows."""

    auroc: Jackknife
    d_prime: Jackknife
    p: Float[Tensor, "source target"]
    """Of AUROC, by permutation."""


def _matrix(data: StudyData, shared: SharedCells) -> _Matrix:
    """Fold by fold, each probe on the rows that it was not trained on."""
    rows = shared.examples
    scores = {task: torch.full((len(rows), len(mine)), torch.nan) for task, mine in rows.items()}
    for fold in shared_folds(data, shared):
        for source, probe in enumerate(fold.probes.values()):
            for target, x in fold.held.items():
                scores[target][source, fold.rows[target]] = probe.scores(x)[0]
    columns = [
        _column(data, scores[task], mine, own, shared.noise(task)) for own, (task, mine) in enumerate(rows.items())
    ]
    return _Matrix(
        combine(_side_by_side, *(column.auroc for column in columns)),
        combine(_side_by_side, *(column.d_prime for column in columns)),
        _side_by_side(*(column.p for column in columns)),
    )


def _column(
    data: StudyData, scores: Float[Tensor, "source sample"], rows: Examples, own: int, noise: Float[Tensor, ""]
) -> _Matrix:
    """Every source's probe on one target; the target's own rows train only its own probe."""
    auroc, shared = data.auroc(scores, rows), torch.where(torch.arange(len(scores)) == own, noise, 0.0)
    null = label_sets_auroc(scores, rows.permuted(N_PERMUTATIONS, data.seed), rows.fold)
    p = permutation_p(auroc.estimate, null, alternative="two-sided")
    return _Matrix(auroc.cross_fitted(shared), data.d_prime(scores, rows).cross_fitted(shared), p)


def _side_by_side(*columns: Tensor) -> Tensor:
    return torch.stack(columns, 1)


def sign_of(auroc: Float[Tensor, "source target"], q: Float[Tensor, "source target"]) -> Float[Tensor, "source target"]:
    """−1 of pairs that are read the wrong way round, beyond chance.

    Signed transfer cancels: where one direction serves all tasks, some of them upside down, it is none on average. Mirroring
    what is below chance by chance would make nothing look like something, so only what is told from chance is mirrored.
    """
    return torch.where((auroc < 0.5) & (q <= INVERTED_Q), -1.0, 1.0)  # the diagonal's q is NaN: as it is


def _oriented(matrix: Jackknife, sign: Float[Tensor, "source target"], about: float) -> Jackknife:
    """How strong a transfer is: mirrored about what none would be."""
    return combine(lambda m: about + (sign if m.ndim == 2 else sign.unsqueeze(-1)) * (m - about), matrix)


def _write_matrix(canvas: dict[str, Canvas], k: int, at: Tensor, found: _Matrix, q: Tensor) -> None:
    cells = (k, at.unsqueeze(1), at)
    put(canvas, "auroc", cells, found.auroc, "logit")
    own = canvas["auroc_low"].values[cells].diagonal() > SHARE_FROM
    share = combine(lambda m: m / _own(m), found.d_prime).interval(LEVEL)
    for name, values in zip(("normalised", "normalised_low", "normalised_high"), share, strict=False):
        canvas[name][cells] = torch.where(own, values, torch.nan)
    canvas["p_value"][cells], canvas["q_value"][cells] = found.p, q


def share_of_own(
    d_prime: Float[Tensor, "source target *group"], pairs: Bool[Tensor, "source target"]
) -> Float[Tensor, "*group"]:
    """What probes reach of the targets' own d′, over pairs together."""
    return d_prime[pairs].sum(0) / _own(d_prime)[pairs].sum(0)


def _own(matrix: Float[Tensor, "source target *group"]) -> Float[Tensor, "source target *group"]:
    """Of each target's own probe, whatever the source."""
    return matrix.diagonal().movedim(-1, 0).unsqueeze(0).expand(matrix.shape)


def named_pairs(tasks: list[str]) -> list[Bool[Tensor, "source target"]]:
    """Where each named pair stands, both ways; last, all pairs of different tasks that are not named."""
    named = [torch.tensor([[{a, b} == {*pair} for b in tasks] for a in tasks]) for pair in NAMED_PAIRS]
    return [*named, ~torch.stack(named).any(0) & ~torch.eye(len(tasks), dtype=torch.bool)]


def _mantel(matrix: Float[Tensor, "task task"], families: list[str], seed: int) -> tuple[float, float]:
    """Correlation of symmetrised transfer with 'same family' over pairs of tasks, and its one-sided p: tasks relabelled."""
    i, j = np.triu_indices(len(families), 1)
    same = np.array([families[a] == families[b] for a, b in zip(i, j, strict=True)], dtype=float)
    symmetric = ((matrix + matrix.T) / 2).numpy()
    if same.std() == 0 or symmetric[i, j].std() == 0:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    orders = [np.arange(len(families)), *(rng.permutation(len(families)) for _ in range(N_MANTEL))]
    pairs = np.stack([symmetric[order[i], order[j]] for order in orders])
    centred = pairs - pairs.mean(1, keepdims=True)
    r = centred @ (same - same.mean()) / (len(i) * same.std() * symmetric[i, j].std())
    return float(r[0]), float((r >= r[0] - 1e-12).sum() / len(r))


class _Tree(NamedTuple):
    order: list[int]
    merged: Bool[Tensor, "merge task"]
    height: Float[Tensor, " merge"]
    support: Float[Tensor, " merge"]


def _tree(matrix: Jackknife, seed: int) -> _Tree:
    """Average-linkage tree of symmetrised transfer; a cluster's support is the share of drawn matrices that have it too."""
    links = _linkage(matrix.estimate)
    clusters = _clusters(links)
    drawn = [set(_clusters(_linkage(each))) for each in matrix.draws(N_DRAWS, seed)]
    n = len(matrix.estimate)
    return _Tree(
        order=hierarchy.leaves_list(links).tolist(),
        merged=torch.tensor([[t in cluster for t in range(n)] for cluster in clusters]),
        height=torch.from_numpy(links[:, 2]),
        support=torch.tensor([sum(cluster in each for each in drawn) / N_DRAWS for cluster in clusters]),
    )


def _linkage(matrix: Float[Tensor, "task task"]) -> Any:
    """Distance 1 − symmetrised AUROC: near 0 where probes read each other's task, 0.5 where they tell nothing."""
    distance = (1 - (matrix + matrix.T) / 2).clamp_min(0).fill_diagonal_(0)
    return hierarchy.linkage(squareform(distance.numpy(), checks=False), "average")


def _clusters(links: Any) -> list[frozenset[int]]:
    """The tasks of each merge, in the order of merging."""
    n = len(links) + 1
    found = [frozenset({t}) for t in range(n)]
    for a, b, *_ in links:
        found.append(found[int(a)] | found[int(b)])
    return found[n:]


def _write_tree(canvas: dict[str, Canvas], k: int, at: Tensor, tree: _Tree) -> None:
    """Tasks that are not in the matrix come last."""
    order = at[tree.order].tolist()
    n_tasks = len(canvas["order"].values[k])
    canvas["order"][k] = torch.tensor(order + [t for t in range(n_tasks) if t not in order])
    merges = torch.arange(len(tree.height))
    canvas["merged"][k, merges.unsqueeze(1), at] = tree.merged
    canvas["height"][k, merges], canvas["support"][k, merges] = tree.height, tree.support
