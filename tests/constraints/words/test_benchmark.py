"""The committed table is that of the rules as they are. Held-out texts are left alone: a test run shows nothing of them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def printed() -> str:
    command = [sys.executable, str(FOLDER / "parse.py"), "--half", "tune"]
    environment = {**os.environ, "HEEDFUL_IFEVAL": "nowhere"}
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=environment).stdout


def test_the_committed_table_is_not_stale(printed: str) -> None:
    rows = [line for line in printed.splitlines() if "tune |" in line]
    assert len(rows) == 5
    readme = (FOLDER / "parse" / "README.md").read_text(encoding="utf-8")
    assert [row for row in rows if row not in readme] == [], "run python benchmarks/parse.py"


def test_nothing_wrong_is_no_proof_that_nothing_can_be(printed: str) -> None:
    assert "| 1.000 [0.9" in printed
    assert "[1.000, 1.000]" not in printed


def test_the_frozen_half_is_the_frozen_one() -> None:
    written = (FOLDER / "parse" / "frozen.sha256").read_text().split()[0]
    assert hashlib.sha256((FOLDER / "parse" / "frozen.jsonl").read_bytes()).hexdigest() == written
