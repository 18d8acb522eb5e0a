"""The committed table of the offline verifiers is that of the verifiers as they are; the frozen texts are the frozen ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "verifiers"


@pytest.fixture(scope="module")
def printed() -> str:
    """What evaluate.py says of the tune half; the frozen half is left alone here, so that a test run shows nothing of it."""
    command = [sys.executable, str(FOLDER / "evaluate.py"), "--half", "tune"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_the_committed_table_is_not_stale(printed: str) -> None:
    rows = [
        line for line in printed.splitlines() if "| tune |" in line and "balanced" not in line and "class" not in line
    ]
    assert len(rows) == 5
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [row for row in rows if row not in readme] == [], "run python benchmarks/verifiers/evaluate.py"


def test_it_is_better_than_chance_and_than_plain_vader(printed: str) -> None:
    scores = {
        cells[1]: float(cells[5])
        for line in printed.splitlines()
        if "| tune |" in line
        and len(cells := [cell.strip() for cell in line.split("|")]) == 9
        and cells[5] != "balanced accuracy"
    }
    assert scores["sentiment"] > scores["sentiment, plain VADER"]
    assert scores["topic"] > 0.5
    assert min(scores["register"], scores["toxicity"]) > 0.75
