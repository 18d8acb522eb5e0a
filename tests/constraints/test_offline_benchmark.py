"""The committed table of the offline verifiers is that of the verifiers as they are; the frozen texts are the frozen ones."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "verifiers"


def evaluation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("evaluate", FOLDER / "evaluate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


@pytest.mark.parametrize(
    ("recall", "texts"),
    [
        (np.linspace(0.4, 0.95, 32), np.resize([4, 6, 5, 7, 3, 8], 32)),
        ([0.97, 0.86], [152, 42]),
        ([0.99, 0.99], [152, 42]),
    ],
    ids=["many classes of few texts", "two classes", "nearly all right"],
)
def test_the_interval_covers_the_mean_of_the_recalls(recall: np.ndarray, texts: np.ndarray) -> None:
    """Where a bootstrap over the texts of each class covers 0.91, 0.94 and 0.67."""
    module, generator, covered = evaluation(), np.random.default_rng(0), 0
    for _ in range(400):
        counts = list(zip(generator.binomial(texts, recall).tolist(), list(texts), strict=True))
        judged = [
            module.Judged(str(name), str(name) if index < right else "another", "")
            for name, (right, total) in enumerate(counts)
            for index in range(total)
        ]
        found = module.balanced_accuracy(judged)
        covered += found.low <= np.mean(recall) <= found.high
    assert 0.93 * 400 <= covered <= 0.99 * 400
