"""Agreement with IFEval's reference by type, and the time of the whole command.

    python benchmarks/ifeval.py FOLDER

FOLDER holds inputs.jsonl (IFEval's prompts) and recorded.jsonl: for each `key`, `prompt`, `response`, and the reference's
`strict` and `loose` verdicts on each instruction. Time a machine that does nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from heedful.constraints.ifeval.rows import read_prompts
from heedful.constraints.ifeval.scoring import MODES

RANDOM_IN_THE_REFERENCE = {1122, 1129}
"""These ask for '#' and '!', for which the reference draws a random letter."""

RUNS = 3


def main(folder: Path) -> None:
    inputs, recorded = folder / "inputs.jsonl", folder / "recorded.jsonl"
    command = [sys.executable, "-m", "heedful", "ifeval", str(recorded), "--inputs", str(inputs), "--json"]
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        ran = subprocess.run(command, capture_output=True, text=True)
        taken.append(time.perf_counter() - began)
        if ran.returncode == 2:
            sys.exit(ran.stderr)
    rows = {row["key"]: row for row in json.loads(ran.stdout)["rows"]}
    reference = [json.loads(line) for line in recorded.read_text(encoding="utf-8").split("\n") if line]

    same: Counter[tuple[str, str]] = Counter()
    total: Counter[str] = Counter()
    for theirs in reference:
        if theirs["key"] in RANDOM_IN_THE_REFERENCE:
            continue
        ours = rows[theirs["key"]]
        for place, name in enumerate(ours["instructions"]):
            total[name] += 1
            for mode in MODES:
                agrees = ours[mode][place] == theirs[mode][place]
                same[name, mode] += agrees
                if not agrees:
                    print(f"differs: {theirs['key']} {name}, {mode}: {ours[mode][place]}, {ours['reasons'][place]}")
    for name in sorted(total):
        print(f"{name:<48}{total[name]:>4}" + "".join(f"{same[name, mode] / total[name]:>9.1%}" for mode in MODES))
    whole = sum(total.values())
    for mode in MODES:
        agreeing = sum(same[name, mode] for name in total)
        print(f"{mode}: {agreeing} of {whole} agree, {agreeing / whole:.2%}")
    times = ", ".join(f"{seconds:.2f}" for seconds in sorted(taken))
    print(f"{len(read_prompts(inputs))} prompts, {len(reference)} responses, the whole command: {times} s")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
