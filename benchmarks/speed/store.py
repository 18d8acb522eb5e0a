"""The activation store against raw files of the same bytes: writing all of it, reading one site back.

    python -m benchmarks store [--rows 16000] [--sites 17] [--hidden 1024]

bf16, one position, files on disk before the clock stops (both sides sync). Reading is warm, as it is in a study that has just
written them: the raw side reads files that hold the one site alone. A disk is uneven, so there are many rounds, and both sides
write new files each time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import torch

from benchmarks.speed.results import Row, keep, positive, rounds, timed
from heedful.models.reading import ReadBatch
from heedful.store import Activations, ActivationWriter, RunFolder


def batch(rows: range, sites: int, hidden: int, seed: int) -> ReadBatch:
    """What the reader would hand over of so many rows."""
    generator = torch.Generator().manual_seed(seed)
    n = len(rows)
    return ReadBatch(
        rows=tuple(range(n)),
        sites=tuple(f"block.{i}.out" for i in range(sites)),
        positions=("eos",),
        states=torch.randn(sites, 1, n, hidden, generator=generator).bfloat16(),
        valid=torch.ones(1, n, dtype=torch.bool),
        token_index=torch.full((1, n), 7),
        token_ids=torch.full((1, n), 3),
        log_p=None,
        log_p_eos=None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=positive, default=16000)
    parser.add_argument("--sites", type=positive, default=17)
    parser.add_argument("--hidden", type=positive, default=1024)
    parser.add_argument("--rounds", type=positive, default=21)
    args = parser.parse_args()
    ids = [f"row{i}" for i in range(args.rows)]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        with RunFolder.open(place / "run", {"benchmark": "store"}) as run:
            stage = run.stage("read", inputs={}, reads=[])
            plan = ActivationWriter(stage, ids, args.sites * args.hidden * 2).shards
            batches = [batch(range(len(s.row_ids)), args.sites, args.hidden, i) for i, s in enumerate(plan)]
        raw = [each.states.view(torch.uint8).numpy().tobytes() for each in batches]
        one = [each.states[0].contiguous().view(torch.uint8).numpy().tobytes() for each in batches]
        for i, data in enumerate(one):
            (place / f"one{i}").write_bytes(data)
        count = iter(range(1000))

        def write() -> float:
            folder = place / f"run{next(count)}"
            with RunFolder.open(folder, {"benchmark": "store"}) as run:
                stage = run.stage("read", inputs={}, reads=[])
                writer = ActivationWriter(stage, ids, args.sites * args.hidden * 2)
                taken = timed(
                    lambda: [writer.write(shard, [b]) for shard, b in zip(writer.shards, batches, strict=True)]
                )
                stage.finish()
            shutil.rmtree(place / "kept", ignore_errors=True)
            folder.rename(place / "kept")
            return taken

        def write_raw() -> float:
            folder = place / f"raw{next(count)}"
            folder.mkdir()

            def work() -> None:
                for i, data in enumerate(raw):
                    with (folder / str(i)).open("wb") as file:
                        file.write(data)
                        file.flush()
                        os.fsync(file.fileno())

            taken = timed(work)
            shutil.rmtree(folder)
            return taken

        def read() -> float:
            with RunFolder.open(place / "kept", {"benchmark": "store"}) as run:
                store = Activations(run.files("read", "activations/"))
                return timed(lambda: store.get("block.0.out", "eos"))

        written, write_seconds = rounds(write, write_raw, args.rounds, "costs")
        with RunFolder.open(place / "kept", {"benchmark": "store"}) as run:
            found = Activations(run.files("read", "activations/")).get("block.0.out", "eos")
        same = torch.equal(found, torch.cat([each.states[0, 0] for each in batches]))
        back, read_seconds = rounds(
            read,
            lambda: timed(lambda: [(place / f"one{i}").read_bytes() for i in range(len(one))]),
            args.rounds,
            "costs",
        )
    size = f"{args.rows:,} rows × {args.sites} sites × d {args.hidden:,}, bf16, {sum(map(len, raw)) / 1e6:,.0f} MB"
    told = "bit for bit" if same else "NOT THE SAME"
    keep(
        "store",
        [
            Row(f"write {size}", "raw files, synced", "costs", 1 / 0.7, written, write_seconds, told),
            Row(f"read one site of it, {sum(map(len, one)) / 1e6:,.0f} MB", "raw files of that site", "costs", 1 / 0.7, back,
                read_seconds, told),
        ],
        notes=("At least 70 % of the raw bandwidth is at most 1.43 times the raw time.",),
        packages=("torch", "safetensors"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
