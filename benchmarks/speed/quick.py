"""`heedful study --quick` on pico-llama, the whole process, by stage.

python -m benchmarks quick [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.speed.results import Row, keep, positive, timed

LIMIT = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=positive, default=3)
    args = parser.parse_args()
    taken, stages = [], []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as name:
            command = [sys.executable, "-m", "heedful", "study", "pico-llama", "--quick", "--out", f"{name}/run"]
            taken.append(timed(lambda: subprocess.run(command, check=True, capture_output=True)))  # noqa: B023
            manifest = json.loads((Path(name) / "run" / "manifest.json").read_text(encoding="utf-8"))
            stages.append({stage: kept["seconds"] for stage, kept in manifest["stages"].items()})
    median = {stage: statistics.median(each[stage] for each in stages) for stage in stages[0]}
    rest = statistics.median(taken) - sum(median.values())
    parts = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in median.items())
    keep(
        "quick",
        [Row("`heedful study --quick` on pico-llama, whole process", f"the {LIMIT:.0f} s that it may take", "costs", 1,
             tuple(each / LIMIT for each in taken), statistics.median(taken))],
        notes=(f"Seconds by stage: {parts}; imports, loading and the summary {rest:.1f}.",),
        packages=("torch", "transformers"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
