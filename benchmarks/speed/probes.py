"""Linear probes against scikit-learn's loop: seconds, weights and AUROC, all problems against a sample of them.

    python -m benchmarks probes
    python -m benchmarks probes --shapes 800x2048 --rounds 3 --device cuda

One site and position: 9 tasks with rows of their own, 5 folds, 8 values of C, the task's labels and 5 control sets: 2,160
problems. scikit-learn (lbfgs, joblib on two cores) fits a sample drawn over all C, and its time is scaled to all of them.
Shapes are rows a task × width.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.speed.peers import SKLEARN
from benchmarks.speed.results import Row, keep, positive, timed
from heedful.models.cost import measure_rate
from heedful.probes import LinearProbes, PrincipalRows, auroc, control_labels, fit_logistic, principal_rows

SHAPES = {
    (800, 2048): (5, 40),
    (2000, 256): (7, 40),
    (8000, 256): (5, 40),
    (2000, 4096): (2, 40),
    (8000, 4096): (1, 16),
}
"""(Rows a task, width) → rounds, and problems that scikit-learn fits: the last takes both sides minutes."""
N_TASKS, N_FOLDS, N_CONTROLS = 9, 5, 5
SETS_AT_ONCE = (1 + N_CONTROLS) // 2
GRID = tuple(10.0**power for power in range(-5, 3))
PROBLEMS = N_TASKS * N_FOLDS * len(GRID) * (1 + N_CONTROLS)
TOLERANCE = 3e-3
"""Relative distance of the weights to the optimum; a study's 1e-2 moves AUROC by up to 0.004 at d 4,096, 5e-3 by 0.0022 at
d 2,048."""
N_EXACT = 16


class Work(NamedTuple):
    x: Tensor
    """[task, sample, hidden]"""
    labels: Tensor
    """[task, set, sample]: the task's, and control sets."""
    fold: Tensor
    """[sample]"""


def draw(n_rows: int, hidden: int) -> Work:
    """Rows with a power-law spectrum, effects of 120 base prompts, and a signal that grows from task to task."""
    generator = torch.Generator().manual_seed(0)
    group = torch.arange(n_rows) % 120
    spectrum = 6 * torch.arange(1, hidden + 1) ** -0.7
    turn = torch.linalg.qr(torch.randn(hidden, hidden, generator=generator)).Q
    x, labels = torch.empty(N_TASKS, n_rows, hidden), torch.empty(N_TASKS, 1 + N_CONTROLS, n_rows, dtype=torch.long)
    for task in range(N_TASKS):
        y = torch.randint(0, 2, (n_rows,), generator=generator)
        rows = torch.randn(n_rows, hidden, generator=generator)
        rows = (rows + torch.randn(120, hidden, generator=generator)[group]) * spectrum
        for axis in (hidden // 10, hidden // 2):
            rows[:, axis] += (2 * y - 1) * 2 * task / N_TASKS * spectrum[axis]
        rows = rows @ turn
        x[task] = rows / rows.std(0)
        labels[task] = torch.cat([y[None], control_labels(torch.arange(n_rows) * 7 % 31, N_CONTROLS, task)])
    return Work(x, labels, group % N_FOLDS)


def fit_all(work: Work, workers: int) -> list[list[LinearProbes]]:
    """By task, [set × fold × C] probes of each half of its label sets, all on the task's rows, rotated once.

    In halves, nine tasks are eighteen pieces of work, which two workers share alike (a study's workers share sites).
    """
    kept = torch.stack([work.fold != fold for fold in range(N_FOLDS)]).to(work.x.device)
    shape = (SETS_AT_ONCE, N_FOLDS, len(GRID), work.x.shape[1])
    C = torch.tensor(GRID).expand(shape[:3]).flatten()
    weight = kept[None, :, None].expand(shape).flatten(0, 2)

    def fit(rows: PrincipalRows, labels: Tensor) -> LinearProbes:
        y = labels.to(work.x.device)[:, None, None].expand(shape).flatten(0, 2)
        return fit_logistic(rows, y, weight, C, tol=TOLERANCE)

    with ThreadPoolExecutor(workers) as pool:
        rotated = list(pool.map(principal_rows, work.x))
        halves = [
            [pool.submit(fit, rows, some) for some in labels.split(SETS_AT_ONCE)]
            for rows, labels in zip(rotated, work.labels, strict=True)
        ]
        return [[each.result() for each in of_task] for of_task in halves]


def share_of_peak(work: Work, fitted: list[LinearProbes], seconds: float) -> float:
    """Operations of the solver's products (two an iteration, rotation left out) over what the device does in square ones."""
    rank = min(work.x.shape[1:])
    iterations = sum(int(probes.iterations.sum()) for probes in fitted)
    return 4.0 * iterations * work.x.shape[1] * rank / seconds / measure_rate(work.x.device, work.x.dtype).flops


def compare(n_rows: int, hidden: int, *, sampled: int, device: str, workers: int, n_rounds: int, target: float) -> Row:
    """Check that both find the same planes, then time both in turn."""
    work = draw(n_rows, hidden)
    rng = np.random.default_rng(1)
    # Over all values of C alike: large ones take scikit-learn many times as long as small ones.
    problems = np.stack(
        [rng.integers(N_TASKS, size=sampled), rng.integers(1 + N_CONTROLS, size=sampled),
         rng.integers(N_FOLDS, size=sampled), np.arange(sampled) % len(GRID)], 1
    )  # fmt: skip
    there = work._replace(x=work.x.to(device))
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if workers > 1 else threads)
    fitted = fit_all(there, workers)
    every = list(itertools.chain(*fitted))
    unconverged = sum(int((~probes.converged).sum()) for probes in every)
    ratios, ours = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "x.npy", work.x)
        np.savez(folder / "inputs.npz", labels=work.labels, fold=work.fold, grid=GRID, problems=problems)
        for _ in range(n_rounds):
            ours.append(timed(lambda: fit_all(there, workers)))
            theirs = SKLEARN.run("sklearn_probes.py", folder, str(N_EXACT))["seconds"] * PROBLEMS / sampled
            ratios.append(theirs / ours[-1])
        found = dict(np.load(folder / "outputs.npz"))
    cosine, gap = _agreement(work, fitted, problems, found)
    torch.set_num_threads(threads)
    share = share_of_peak(there, every, float(np.median(ours)))
    return Row(
        f"{PROBLEMS:,} probes, {n_rows:,} rows a task, d {hidden:,}, {device}",
        f"scikit-learn, joblib on two cores, {sampled} of them",
        "faster",
        target,
        tuple(ratios),
        float(np.median(ours)),
        f"cosine ≥ {cosine:.5f}, AUROC within {gap:.5f}, {unconverged} unconverged; {share:.0%} of peak",
    )


def _agreement(
    work: Work, fitted: list[list[LinearProbes]], problems: np.ndarray, found: dict[str, np.ndarray]
) -> tuple[float, float]:
    """Least cosine of weights with scikit-learn's exact ones, and the largest gap of held-out AUROC."""
    cosines, gaps = [], []
    for i, (task, labelled, fold, c) in enumerate(problems[:N_EXACT].tolist()):
        half, one = divmod(labelled, SETS_AT_ONCE)
        mine = fitted[task][half].coef[(one * N_FOLDS + fold) * len(GRID) + c].cpu()
        held = work.fold == fold
        x, y = work.x[task][held], work.labels[task, labelled][held]
        theirs = torch.from_numpy(found["exact"][i]).float()
        gaps.append(abs(float(auroc(x @ mine, y) - auroc(x @ theirs, y))))
        cosines.append(float(torch.cosine_similarity(mine, theirs, dim=0)))
    return min(cosines), max(gaps)


def _shape(text: str) -> tuple[int, int]:
    try:
        n_rows, hidden = map(int, text.split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not rows x width, such as 800x2048") from None
    return n_rows, hidden


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=_shape, nargs="+", default=list(SHAPES), metavar="ROWSxWIDTH")
    parser.add_argument(
        "--sampled", type=positive, help="problems that scikit-learn fits (40, or 16 of the largest shape)"
    )
    parser.add_argument("--rounds", type=positive, help="(1 to 7 by shape)")
    parser.add_argument("--workers", type=positive, default=2, help="threads over tasks, one torch thread each")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    if args.sampled and args.sampled % len(GRID):
        parser.error(f"--sampled: give a multiple of {len(GRID)}, so that each C is drawn alike often")
    rows = [
        compare(n, d, sampled=args.sampled or sampled, device=args.device, workers=args.workers,
                n_rounds=args.rounds or n_rounds, target=100 if (n, d) == (800, 2048) or args.device != "cpu" else 30)
        for n, d in args.shapes
        for n_rounds, sampled in [SHAPES.get((n, d), (3, 40))]
    ]  # fmt: skip
    peak = "n% of peak: operations of the solver's products, over what the machine does in square ones in that time."
    keep("probes", rows, notes=(peak,), packages=("torch",))


if __name__ == "__main__":
    main()
