"""LEACE of rows that stream in against concept-erasure: the same eraser, and no slower.

python -m benchmarks leace [--hidden 2048] [--rows 16384] [--batch 1024]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.speed.peers import CONCEPT_ERASURE
from benchmarks.speed.results import Row, keep, positive, rounds, timed
from heedful.erasure import Eraser, StreamedLeace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=positive, default=2048)
    parser.add_argument("--rows", type=positive, default=16384)
    parser.add_argument("--batch", type=positive, default=1024)
    parser.add_argument("--rounds", type=positive, default=5)
    args = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 2, (args.rows,), generator=generator)
    spectrum = torch.arange(1, args.hidden + 1, dtype=torch.float64) ** -0.5
    x = torch.randn(args.rows, args.hidden, generator=generator, dtype=torch.float64) * spectrum
    x = x @ torch.linalg.qr(torch.randn(args.hidden, args.hidden, generator=generator, dtype=torch.float64)).Q
    x += 0.3 * y[:, None] * torch.randn(args.hidden, generator=generator, dtype=torch.float64) * spectrum
    rows = [compare(x.to(dtype), y, args.batch, args.rounds) for dtype in (torch.float32, torch.float64)]
    keep("leace", rows, packages=("torch",))


def compare(x: torch.Tensor, y: torch.Tensor, batch: int, n_rounds: int) -> Row:
    """Rows in one precision; heedful sums in f64 whatever they come in."""

    def fit() -> Eraser:
        stream = StreamedLeace(shrink=False)
        for start in range(0, len(x), batch):
            stream.update(x[start : start + batch], y[start : start + batch])
        return stream.eraser()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "inputs.npz", x=x, y=y)
        peer = lambda: float(CONCEPT_ERASURE.run("concept_erasure_leace.py", folder, str(batch))["seconds"])  # noqa: E731
        ratios, seconds = rounds(lambda: timed(fit), peer, n_rounds, "faster")
        found = {key: torch.from_numpy(value).double() for key, value in np.load(folder / "outputs.npz").items()}
    mine, eye = fit(), torch.eye(x.shape[1], dtype=torch.float64)[:64]
    gap = max(
        float((mine(eye) - found["of_eye"]).abs().max()), float((mine(0 * eye[:1]) - found["of_zero"]).abs().max())
    )
    size = float(mine.change(eye).abs().max())
    kind = str(x.dtype).removeprefix("torch.")
    return Row(
        f"LEACE of {len(x):,} rows in parts of {batch:,}, d {x.shape[1]:,}, {kind}",
        "concept-erasure",
        "faster",
        1,
        ratios,
        seconds,
        f"erasers within {gap / size:.0e} of what they change",
    )


if __name__ == "__main__":
    main()
