"""What stands beside the specialists: shown where it was asked for, and told as it was planted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from heedful.errors import StoreError
from heedful.report import render_report, summarise
from heedful.report.beside import beside, beside_sentences
from heedful.report.run import Run, read_run

TITLE = "What else could a probe have read?"


@pytest.fixture
def with_extras(make_run: Callable[..., Path]) -> Path:
    return make_run("extras", extras=True, samples=2)


def test_a_study_without_extras_says_nothing_of_them(run: Run, ordinary_page: str) -> None:
    assert beside(run) is None
    assert beside_sentences(None, "contrast", run.tasks) == []
    assert TITLE not in ordinary_page
    assert "#beside" not in ordinary_page


def test_what_fell_and_what_random_weights_read_is_named(with_extras: Path) -> None:
    found = beside(read_run(with_extras))
    assert found is not None
    topic, json_format = (next(row for row in found.rows["contrast"] if row.task == task) for task in ("topic", "json"))
    assert topic.position == "eos"
    assert topic.best["without length and format"].value == pytest.approx(0.5)
    assert topic.lead["without length and format"].value == pytest.approx(topic.specialist.value - 0.5)
    assert json_format.best["random weights"].low > 0.5
    assert beside_sentences(found, "contrast", ["topic", "json", "include"]) == [
        "Of three skills that can be read, with length and format regressed out topic no longer can; in the same "
        "architecture with random weights, JSON format can as well."
    ]
    assert beside_sentences(found, "contrast", ["include"]) == [
        "Of one skill that can be read, with length and format regressed out it still can; in the same "
        "architecture with random weights, none can."
    ]
    assert beside_sentences(found, "contrast", []) == []


def test_page_and_summary_hold_the_numbers(with_extras: Path) -> None:
    page = render_report(with_extras)
    section = page[page.index(TITLE) : page.index('<section id="transfer">')]
    found = beside(read_run(with_extras))
    assert found is not None
    for kind, rows in found.rows.items():
        assert len(rows) == (9 if kind == "contrast" else 8)  # too few natural rows of toxicity
    value = found.rows["contrast"][0].best["random weights"].value
    assert f"{value:.2f}" in section
    assert section.count('role="img"') == 17
    told = re.findall(r"<title>block 2: (specialist [^<]*)</title>", section)
    assert len(told) == 17
    assert all("without length and format" in one and "random weights" in one for one in told)
    summary = json.loads(json.dumps(summarise(with_extras), allow_nan=False))
    assert summary["extras"]["contrast"]["json"]["random weights"]["value"] == pytest.approx(
        next(row for row in found.rows["contrast"] if row.task == "json").best["random weights"].value
    )
    assert "toxicity" not in summary["extras"]["natural"]


def test_extras_that_are_still_to_come_are_named(with_extras: Path) -> None:
    (with_extras / "results" / "extras.nc").unlink()
    with pytest.raises(StoreError, match=r"not finished: results/extras\.nc still to come"):
        read_run(with_extras)
