"""Iterative nullspace projection against the published algorithm: d × d projections, and the intersection of nullspaces.

    python -m benchmarks inlp [--hidden 2048] [--directions 30] [--rows 800]

The reference is written from the paper (Ravfogel et al. 2020, algorithm 1 with the intersection of nullspaces by the sum of
row-space projections): fit a linear classifier on the projected rows, take the projection onto its row space, and project
the original rows onto the intersection of all nullspaces so far, found from an orthonormal basis of the summed d × d
row-space projections. Its classifier is heedful's at the same tolerance, fitted on the rows as they stand, so that both look
for the same planes and only the algorithms differ. Both in f64.
"""

from __future__ import annotations

import argparse

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from benchmarks.speed.results import Row, keep, positive, rounds, timed
from heedful.erasure import fit_inlp
from heedful.probes import fit_logistic

C = 1e-2


def published(x: Tensor, y: Tensor, directions: int) -> np.ndarray:
    """[hidden, direction]: an orthonormal basis of what was projected off."""
    original = x.numpy()
    projected, onto = original, []
    for _ in range(directions):
        coef = fit_logistic(torch.from_numpy(projected), y[None], C=C, tol=1e-2).coef.numpy()
        basis = scipy.linalg.orth(coef.T)
        onto.append(basis @ basis.T)
        read = scipy.linalg.orth(sum(onto))
        projected = original @ (np.eye(original.shape[1]) - read @ read.T)
    return read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=positive, default=2048)
    parser.add_argument("--rows", type=positive, default=800)
    parser.add_argument("--directions", type=positive, default=30)
    parser.add_argument(
        "--sampled", type=positive, default=3, help="directions that the published algorithm finds; scaled to all"
    )
    parser.add_argument("--rounds", type=positive, default=3)
    args = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    spectrum = 6 * torch.arange(1, args.hidden + 1) ** -0.7
    x = torch.randn(args.rows, args.hidden, generator=generator) * spectrum
    y = (x[:, :40] @ torch.randn(40, generator=generator) > 0).long()
    x = x @ torch.linalg.qr(torch.randn(args.hidden, args.hidden, generator=generator)).Q
    x = (x / x.std(0)).double()

    # The same subspace, to as many directions as the published algorithm is given the time for.
    ours = fit_inlp(x, y, rank=args.sampled, C=C).read.numpy()
    angle = float(np.degrees(scipy.linalg.subspace_angles(ours, published(x, y, args.sampled)).max()))
    ratios, seconds = rounds(
        lambda: timed(lambda: fit_inlp(x, y, rank=args.directions, C=C)),
        lambda: timed(lambda: published(x, y, args.sampled)) * args.directions / args.sampled,
        args.rounds,
        "faster",
    )
    work = f"INLP, {args.directions} directions, {args.rows} rows, d {args.hidden:,}, float64"
    peer = f"the published d × d algorithm as written here, {args.sampled} directions timed"
    keep("inlp", [Row(work, peer, "faster", 100, ratios, seconds, f"{args.sampled} directions within {angle:.2f}°")],
         packages=("torch", "scipy"))  # fmt: skip


if __name__ == "__main__":
    main()
