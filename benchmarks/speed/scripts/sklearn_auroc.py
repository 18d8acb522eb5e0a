"""A loop of roc_auc_score over cluster resamples and over left-out groups: sys.argv is the folder, cells and draws to do.

Reads inputs.npz: scores [cell, sample], y [sample], group [sample], fold [sample], picks [draw, fold, group of the fold].
Writes outputs.npz: `bootstrap` [cell, draw] and `jackknife` [cell, group], the mean over folds.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score


def main():
    folder, n_cells, n_draws = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    given = np.load(folder / "inputs.npz")
    scores, y, group, fold, picks = (given[name] for name in ("scores", "y", "group", "fold", "picks"))
    rows_of = [np.flatnonzero(group == g) for g in range(group.max() + 1)]
    groups_of = [np.unique(group[fold == f]) for f in range(fold.max() + 1)]
    folds = range(len(groups_of))
    roc_auc_score(y, scores[0])

    began = time.perf_counter()
    bootstrap = np.empty((n_cells, n_draws))
    for cell in range(n_cells):
        for draw in range(n_draws):
            parts = []
            for f in folds:
                rows = np.concatenate([rows_of[g] for g in groups_of[f][picks[draw, f]]])
                parts.append(roc_auc_score(y[rows], scores[cell, rows]))
            bootstrap[cell, draw] = np.mean(parts)
    resampling = time.perf_counter() - began
    began = time.perf_counter()
    jackknife = np.empty((n_cells, len(rows_of)))
    for cell in range(n_cells):
        for g in range(len(rows_of)):
            kept = group != g
            parts = [roc_auc_score(y[kept & (fold == f)], scores[cell, kept & (fold == f)]) for f in folds]
            jackknife[cell, g] = np.mean(parts)
    leaving = time.perf_counter() - began
    np.savez(folder / "outputs.npz", bootstrap=bootstrap, jackknife=jackknife)
    print(json.dumps({"bootstrap": resampling, "jackknife": leaving}))


if __name__ == "__main__":
    main()
