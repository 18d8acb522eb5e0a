"""A run killed at any instant ends, once run again, with the same bytes as one that nobody disturbed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_killed_at_every_step_ends_with_the_same_bytes(tmp_path: Path) -> None:
    script = Path(__file__).with_name("kill_script.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["wrong"] == []
    assert report["kills"] > 120
