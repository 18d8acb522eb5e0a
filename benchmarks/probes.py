"""heedful.probes against a scikit-learn loop: seconds and agreement on the shape of the default study.

    python benchmarks/probes.py [--cells 24] [--sampled 40] [--rows 800] [--hidden 192] [--workers 2]

A cell is one task at one site and position: rows of 120 base prompts, 5 folds, 4 values of C chosen by inner folds, 5
control label sets; 9 tasks × 12 positions × 9 sites are 972 cells. scikit-learn runs single-threaded on problems
sampled from those that decide the scores, and its time for all is extrapolated from their mean.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import sklearn
import torch
from sklearn.linear_model import LogisticRegression

from heedful.probes import (
    C_GRID,
    auroc,
    control_labels,
    cross_validate,
    fit_logistic,
    jackknife_auroc,
    principal_rows,
)

CELLS_OF_A_STUDY = 9 * 12 * 9
N_FOLDS, N_CONTROLS = 5, 5
PROBLEMS_A_CELL = N_FOLDS * (N_FOLDS - 1) * len(C_GRID) + N_FOLDS * (1 + N_CONTROLS)
"""As a nested loop counts them; sharing leave-two-out fits, heedful solves 40 fewer."""


def draw(cells: int, rows: int, hidden: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows with a power-law spectrum, effects of the base prompt, and a signal that grows from cell to cell."""
    generator = torch.Generator().manual_seed(0)
    group = torch.arange(rows) % 120
    y = torch.randint(0, 2, (rows,), generator=generator)
    spectrum = 6 * torch.arange(1, hidden + 1) ** -0.7
    x = torch.randn(cells, rows, hidden, generator=generator)
    x = (x + torch.randn(cells, 120, hidden, generator=generator)[:, group]) * spectrum
    strength = torch.linspace(0, 2, cells)[:, None]
    for axis in (hidden // 10, hidden // 2):
        x[:, :, axis] += (2 * y - 1) * strength * spectrum[axis]
    x = x @ torch.linalg.qr(torch.randn(hidden, hidden, generator=generator)).Q
    return x / x.std(1, keepdim=True), y, group


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=24)
    parser.add_argument("--sampled", type=int, default=40, help="problems that scikit-learn fits")
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--workers", type=int, default=2, help="threads over cells, one torch thread each")
    args = parser.parse_args()
    torch.set_num_threads(1)
    x, y, group = draw(args.cells, args.rows, args.hidden)
    types = torch.arange(args.rows) * 7 % 31
    controls = control_labels(types, N_CONTROLS, 0)
    cross_validate(x[:1], y, group, controls=controls)  # warm up

    began = time.perf_counter()
    result = cross_validate(x, y, group, controls=controls, workers=args.workers)
    fitting = time.perf_counter() - began
    began = time.perf_counter()
    jackknife_auroc(result.task.scores[:, 0], y, group, result.fold).interval(scale="logit")
    intervals = time.perf_counter() - began
    rotating = time.perf_counter()
    principal_rows(x)
    rotating = time.perf_counter() - rotating

    rng = np.random.default_rng(1)
    seconds, cosines, gaps = [], [], []
    for _ in range(args.sampled):
        cell, f, C = rng.integers(args.cells), rng.integers(N_FOLDS), float(rng.choice(C_GRID))
        kept, held = result.fold != f, result.fold == f
        model = LogisticRegression(C=C, max_iter=1000)
        began = time.perf_counter()
        model.fit(x[cell][kept].numpy(), y[kept].numpy())
        seconds.append(time.perf_counter() - began)
        exact = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-9, max_iter=1000)
        exact.fit(x[cell][kept].double().numpy(), y[kept].numpy())
        ours = fit_logistic(x[cell], y[None], kept[None], C)
        theirs = torch.from_numpy(exact.coef_[0]).float()
        cosines.append(float(torch.cosine_similarity(ours.coef[0], theirs, dim=0)))
        scores = torch.from_numpy(exact.decision_function(x[cell][held].double().numpy()))
        gaps.append(abs(float(auroc(ours.scores(x[cell][held])[0], y[held]) - auroc(scores, y[held]))))

    per_cell = fitting / args.cells
    loop = PROBLEMS_A_CELL * float(np.mean(seconds))
    print(f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, {args.workers} workers")
    print(f"{args.cells} cells of {args.rows} × {args.hidden}, {PROBLEMS_A_CELL} problems a cell")
    print(f"heedful        {1e3 * per_cell:8.1f} ms a cell   ({1e3 * rotating / args.cells:.1f} of it each rotation)")
    print(f"scikit-learn   {1e3 * loop:8.1f} ms a cell   (lbfgs, {1e3 * np.mean(seconds):.1f} ms a problem)")
    print(f"ratio          {loop / per_cell:8.1f}")
    print(f"study          {per_cell * CELLS_OF_A_STUDY:8.1f} s for {CELLS_OF_A_STUDY} cells")
    print(f"intervals      {1e3 * intervals / args.cells:8.2f} ms a cell")
    print(f"agreement      cosine ≥ {min(cosines):.6f}, AUROC within {max(gaps):.5f} of the exact optimum")


if __name__ == "__main__":
    main()
