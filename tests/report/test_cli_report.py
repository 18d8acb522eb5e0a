"""`heedful report`: writes the page, says where, and gives the findings as one object on request."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from heedful.cli.report import report
from heedful.errors import StoreError

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
