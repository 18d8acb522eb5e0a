"""`heedful report`: writes the page, says where, and gives the findings as one object on request."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from heedful.cli.report import report
from heedful.cli.study import _show
from heedful.errors import StoreError
from heedful.report.summary import summarise

app = typer.Typer()
app.command()(report)


def test_it_writes_the_page_and_says_where(run_folder: Path) -> None:
    done = CliRunner().invoke(app, [str(run_folder)])
    assert done.exit_code == 0
    assert done.stdout == f"the report is at {run_folder / 'report.html'}\n"
    assert (run_folder / "report.html").stat().st_size > 100_000


def test_json_is_one_object_with_the_findings(run_folder: Path) -> None:
    done = CliRunner().invoke(app, [str(run_folder), "--json"])
    found = json.loads(done.stdout)
    assert found["report"] == str(run_folder / "report.html")
    assert next(iter(found["tasks"])) == "word_count"


def test_open_shows_the_page_or_says_that_it_cannot(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: bool(shown.append(url)))
    done = CliRunner().invoke(app, [str(run_folder), "--open"])
    assert shown == [(run_folder / "report.html").resolve().as_uri()]
    assert "no browser could be started" in done.stderr


def test_what_is_no_run_is_the_users_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(tmp_path)])
    assert isinstance(done.exception, StoreError)


def test_the_terminal_shows_the_best_baseline_beside_each_specialist(
    ordinary_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = summarise(ordinary_run)
    _show(summary)
    shown = capsys.readouterr().out
    for name, task in summary["tasks"].items():
        best = max(each["value"] for each in task["contrast"]["baselines"].values())
        row = next(line for line in shown.splitlines() if line.startswith(f"│ {name} "))
        assert row.split("│")[4].strip() == f"{best:.2f}"


def test_the_terminal_says_which_class_a_task_lacks(ordinary_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = summarise(ordinary_run)
    found = next(iter(summary["tasks"].values()))
    for kind, rows, told in (
        ("natural", (260, 229), "too few: 31 of 50 that violate"),
        ("natural", (60, 20), "too few: 20 of 50 that comply, 40 of 50 that violate"),
        ("contrast", (72, 36), "too few: 18 of 25 squares"),
    ):
        found[kind] |= {"site": "", "position": "", "n_rows": rows[0], "n_positive": rows[1]}
        _show(summary | {"deciding_labels": kind})
        shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
        assert all(word in shown for word in told.split()), told
