"""Peers run in environments of their own, which are made once under `.bench/`, and never in heedful's.

A peer's part is a script in `benchmarks/speed/scripts/`: it reads what heedful wrote into a folder, times its own work without
loading and warming up, writes its results there and prints one JSON object, `seconds` among its keys.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".bench" / "environments"
SCRIPTS = Path(__file__).parent / "scripts"


@dataclass(frozen=True)
class Peer:
    """A peer.

    Attributes:
        name: of its environment.
        requirements: exact versions.
    """

    name: str
    requirements: tuple[str, ...]

    @property
    def python(self) -> Path:
        """Its interpreter; makes the environment if it is not there."""
        place = PLACE / self.name
        python, ready = place / "bin" / "python", place / "ready.txt"
        wanted = "\n".join(self.requirements)
        if not ready.is_file() or ready.read_text(encoding="utf-8") != wanted:
            print(f"setting up {self.name} in {place.relative_to(ROOT)}", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
            # torch alone and first: an index that has a CPU build of this version then serves that one.
            first = [each for each in self.requirements if each.startswith("torch==")]
            for some in (first, [each for each in self.requirements if each not in first]):
                if some:
                    subprocess.run([python, "-m", "pip", "install", "--quiet", *some], check=True)
            ready.write_text(wanted, encoding="utf-8")
        return python

    def run(self, script: str, folder: Path, *options: str, threads: int | None = None) -> dict[str, Any]:
        """What a script of `scripts/` prints.

        Raises:
            RuntimeError: it failed; with the end of what it said.
        """
        environment = os.environ | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
        environment = {key: value for key, value in environment.items() if key != "PYTHONPATH"}
        command = [self.python, SCRIPTS / script, folder, *options]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {script} failed\n{done.stderr[-2000:]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


TORCH = "torch==2.13.0"
SKLEARN = Peer("scikit-learn", ("numpy==2.4.6", "scikit-learn==1.9.1", "joblib==1.6.0"))
CONCEPT_ERASURE = Peer("concept-erasure", (TORCH, "concept-erasure==0.2.4", "numpy==2.4.6"))
TRANSFORMER_LENS = Peer("transformer-lens", (TORCH, "transformer-lens==4.3.0"))
NNSIGHT = Peer("nnsight", (TORCH, "nnsight==0.8.1"))
LM_EVAL = Peer("lm-eval", ("lm-eval[ifeval]==0.4.13",))
PEERS = (SKLEARN, CONCEPT_ERASURE, TRANSFORMER_LENS, NNSIGHT, LM_EVAL)
