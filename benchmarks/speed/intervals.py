"""Cluster jackknife and bootstrap intervals of AUROC against a loop of scikit-learn's roc_auc_score.

    python -m benchmarks intervals [--tasks 9] [--cells 288]

9 tasks × 24 sites × 12 positions of 800 rows, 120 groups in 5 folds, 2,000 resamples. The loop does a few cells and
resamples, and its time is scaled to all; the same resamples are drawn on both sides.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.speed.peers import SKLEARN
from benchmarks.speed.results import Row, keep, positive, timed
from heedful.probes import bootstrap_auroc, jackknife_auroc

N_ROWS, N_GROUPS, N_FOLDS, N_DRAWS = 800, 120, 5, 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=positive, default=9)
    parser.add_argument("--cells", type=positive, default=24 * 12)
    parser.add_argument("--sampled-cells", type=positive, default=2)
    parser.add_argument("--sampled-draws", type=positive, default=200)
    parser.add_argument("--rounds", type=positive, default=3)
    args = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    group = torch.arange(N_ROWS) % N_GROUPS
    fold = group % N_FOLDS
    y = torch.randint(0, 2, (args.tasks, 1, N_ROWS), generator=generator)
    scores = torch.randn(args.tasks, args.cells, N_ROWS, generator=generator) + y
    picks = _picks(group, fold)
    asked, cells = (args.sampled_cells, args.sampled_draws), args.tasks * args.cells

    found: dict[str, list[tuple[float, float]]] = {"jackknife": [], "bootstrap": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "inputs.npz", scores=scores[0], y=y[0, 0], group=group, fold=fold, picks=picks)
        for _ in range(args.rounds):
            theirs = SKLEARN.run("sklearn_auroc.py", folder, *map(str, asked))
            found["jackknife"].append(
                (timed(lambda: [jackknife_auroc(scores[t], y[t], group, fold) for t in range(args.tasks)]),
                 theirs["jackknife"] * cells / asked[0])
            )  # fmt: skip
            found["bootstrap"].append(
                (timed(lambda: [bootstrap_auroc(scores[t], y[t], group, fold, n_draws=N_DRAWS) for t in range(args.tasks)]),
                 theirs["bootstrap"] * cells / asked[0] * N_DRAWS / asked[1])
            )  # fmt: skip
        outputs = np.load(folder / "outputs.npz")
        gap = {
            "jackknife": _jackknife_gap(scores, y, group, fold, outputs),
            "bootstrap": _bootstrap_gap(scores, y, group, fold, outputs),
        }
    work = {
        "jackknife": f"{N_GROUPS} groups left out in turn",
        "bootstrap": f"{N_DRAWS:,} resamples of {N_GROUPS} groups",
    }
    loop = f"a loop of roc_auc_score, {asked[0]} cells"
    peer = {"jackknife": loop, "bootstrap": f"{loop} and {asked[1]} resamples"}
    keep(
        "intervals",
        [
            Row(f"{kind} of {cells:,} AUROCs, {work[kind]}", peer[kind], "faster", 100,
                tuple(b / a for a, b in times), float(np.median([a for a, _ in times])), gap[kind])
            for kind, times in found.items()
        ],
        packages=("torch",),
    )  # fmt: skip


def _picks(group: torch.Tensor, fold: torch.Tensor) -> torch.Tensor:
    """[draw, fold, pick]: the resamples that `bootstrap_auroc` draws with its default seed, from its own generator."""
    generator = torch.Generator().manual_seed(0)
    sizes = [len({*group[fold == f].tolist()}) for f in range(N_FOLDS)]
    return torch.stack([torch.randint(n, (N_DRAWS, n), generator=generator) for n in sizes], 1)


def _jackknife_gap(
    scores: torch.Tensor, y: torch.Tensor, group: torch.Tensor, fold: torch.Tensor, outputs: np.lib.npyio.NpzFile
) -> str:
    theirs = torch.from_numpy(outputs["jackknife"])
    mine = jackknife_auroc(scores[0, : len(theirs)], y[0], group, fold).replicates
    return f"replicates within {float((mine - theirs).abs().max()):.0e}"


def _bootstrap_gap(
    scores: torch.Tensor, y: torch.Tensor, group: torch.Tensor, fold: torch.Tensor, outputs: np.lib.npyio.NpzFile
) -> str:
    """The loop's resamples are the first of heedful's: so many of them make the same interval."""
    theirs = torch.from_numpy(outputs["bootstrap"])
    first = bootstrap_auroc(scores[0, : len(theirs)], y[0], group, fold, n_draws=N_DRAWS)
    tail = torch.tensor([0.025, 0.975], dtype=theirs.dtype)
    low, high = theirs.quantile(tail, dim=-1)
    gap = max(float((first.low - low).abs().max()), float((first.high - high).abs().max()))
    return f"bounds within {gap:.3f} of those from {theirs.shape[1]} resamples"


if __name__ == "__main__":
    main()
