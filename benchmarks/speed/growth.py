"""How the cost of a study grows: with samples, layers, positions, tasks and width, each doubled four times.

    python -m benchmarks growth [--plot growth.svg]

Each part is timed alone, and the exponent is the slope of log seconds over log size; 1 is linear. Peak memory is that of a
process of its own, beyond what it held before it began.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from benchmarks.speed.reading import ragged
from benchmarks.speed.results import ROOT, Row, keep, timed
from heedful.models.positions import POSITIONS
from heedful.models.reading import read
from heedful.models.sites import find_blocks, site_names
from heedful.probes import cross_validate, jackknife_auroc

STEPS = 5  # sizes, each twice the one before


def probing(n: int = 200, cells: int = 8, hidden: int = 128) -> Callable[[], object]:
    """Probes with inner folds and controls, and their intervals: `cells` stand for tasks × sites × positions."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(cells, n, hidden, generator=generator)
    y = torch.randint(0, 2, (n,), generator=generator)
    x[:, :, 0] += 2 * y
    group = torch.arange(n) % max(20, n // 10)

    def work() -> object:
        found = cross_validate(x, y, group)
        return jackknife_auroc(found.task.scores[:, 0], y, group, found.fold).interval(scale="logit")

    return work


def reading(n: int = 24, layers: int = 4, positions: int = 2, hidden: int = 256) -> Callable[[], object]:
    """Replay and selection, batch by batch; what a batch gives is dropped, as the store drops it."""
    config = LlamaConfig(hidden_size=hidden, intermediate_size=3 * hidden, num_hidden_layers=layers,
                         num_attention_heads=4, vocab_size=1000)  # fmt: skip
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    blocks, rows = find_blocks(model), ragged(n)
    names = [POSITIONS[i % len(POSITIONS)] if i < len(POSITIONS) else f"response[{i}]" for i in range(positions)]

    def work() -> object:
        for _ in read(model, blocks, rows, site_names(layers), names, log_p=False, batch_tokens=2048):
            pass
        return None

    return work


PARTS: dict[str, tuple[Callable[..., Callable[[], object]], str, list[int], float]] = {
    "probes: rows": (probing, "n", [200, 400, 800, 1600, 3200], 1.0),
    "probes: tasks, layers, positions": (probing, "cells", [4, 8, 16, 32, 64], 1.0),
    "probes: width": (probing, "hidden", [64, 128, 256, 512, 1024], 2.0),
    "reading: rows": (reading, "n", [24, 48, 96, 192, 384], 1.0),
    "reading: layers": (reading, "layers", [2, 4, 8, 16, 32], 1.0),
    "reading: positions": (reading, "positions", [2, 4, 8, 16, 32], 1.0),
    "reading: width": (reading, "hidden", [64, 128, 256, 512, 1024], 2.0),
}
"""What grows → the work, its size's name, the sizes, and the exponent that is allowed."""


def measure(part: str, size: int) -> dict[str, Any]:
    """In a process of its own: the least seconds of three, and the bytes that the work added to the peak."""
    make, name, _, _ = PARTS[part]
    torch.set_num_threads(1)
    work = make(**{name: size})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = [timed(work) for _ in range(3)]
    return {"seconds": min(seconds), "bytes": 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", type=Path, default=ROOT / "benchmarks" / "growth.svg")
    args = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    found: dict[str, list[dict[str, Any]]] = {}
    for part, (_, _, sizes, _) in PARTS.items():
        found[part] = []
        for size in sizes:
            with spawn.Pool(1) as pool:
                found[part].append({"size": size} | pool.apply(measure, (part, size)))
            print(part, json.dumps(found[part][-1]), flush=True)
    rows, notes = [], []
    for part, points in found.items():
        size, seconds, memory = (np.array([point[what] for point in points]) for what in ("size", "seconds", "bytes"))
        exponent = float(np.polyfit(np.log(size), np.log(seconds), 1)[0])
        last = float(np.log2(seconds[-1] / seconds[-2]))
        allowed = PARTS[part][3]
        rows.append(
            Row(f"{part}, {size[0]} to {size[-1]}", f"growth with exponent {allowed:.0f}", "costs", 1.1, (exponent / allowed,),
                float(seconds[-1]), f"exponent {exponent:.2f}, {last:.2f} over the last doubling")
        )  # fmt: skip
        notes.append(f"{part}: {' → '.join(f'{each / 1e6:.0f}' for each in memory)} MB beyond what stood before.")
    _plot(found, args.plot)
    notes = ["The ratio is the exponent over the one allowed.", f"![seconds by size]({args.plot.name})", *notes]
    keep("growth", rows, notes=[" ".join(notes)], packages=("torch",))


def _plot(found: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Seconds over size, both relative to the first, on log axes: a line of slope 1 is linear growth."""
    width, height, left, top = 640, 420, 60, 20
    colours = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a5195")
    most = max(np.log2(point["seconds"] / points[0]["seconds"]) for points in found.values() for point in points)
    across, up = (width - left - 230) / (STEPS - 1), (height - top - 50) / max(most, STEPS - 1)
    shapes = [
        f'<line x1="{left}" y1="{height - 50}" x2="{left + across * (STEPS - 1)}" y2="{height - 50 - up * (STEPS - 1)}" '
        'stroke="#999" stroke-dasharray="4 4"/>'
    ]
    for number, (part, points) in enumerate(found.items()):
        at = [
            (left + across * i, height - 50 - up * float(np.log2(point["seconds"] / points[0]["seconds"])))
            for i, point in enumerate(points)
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        shapes.append(f'<polyline points="{line}" fill="none" stroke="{colours[number]}" stroke-width="2"/>')
        shapes.append(
            f'<rect x="{width - 215}" y="{top + 22 * number}" width="12" height="3" fill="{colours[number]}"/>'
        )
        shapes.append(f'<text x="{width - 198}" y="{top + 5 + 22 * number}" font-size="12">{part}</text>')
    for i in range(STEPS):
        shapes.append(
            f'<text x="{left + across * i}" y="{height - 32}" font-size="12" text-anchor="middle">× {2**i}</text>'
        )
    for i in range(int(most) + 1):
        shapes.append(
            f'<text x="{left - 8}" y="{height - 46 - up * i}" font-size="12" text-anchor="end">× {2**i}</text>'
        )
    shapes.append(
        f'<text x="{left}" y="{height - 8}" font-size="12">size; seconds upwards; dashed: linear growth</text>'
    )
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" fill="#222">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{"".join(shapes)}</svg>\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
