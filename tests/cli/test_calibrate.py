"""`heedful calibrate`: a table and one JSON object of the same draws; bad input is refused before anything is drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heedful.cli import main

SMALL = ["--hidden", "32", "--squares", "30", "--natural", "100", "--no-coverage", "--draws", "1"]


def test_a_table_for_people_and_an_object_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["calibrate", "--mechanisms", "one-depth,nothing", "--out", str(tmp_path), *SMALL]
    assert main(asked) == 0
    shown, progress = capsys.readouterr()
    assert progress.startswith("draws: 4 in ")
    assert not progress.startswith("draws: 4 in 0.0 s")
    assert len(progress.splitlines()) == 1
    assert "one-depth" in shown
    assert "where nothing is planted" in shown
    assert "a verdict is wrong and sure, of all above" in shown
    assert main([*asked, "--json"]) == 0  # the draws are there
    found = json.loads(capsys.readouterr().out)
    assert found["draws"] == 4
    right = {(each["mechanism"], each["claim"]): each["right"] for each in found["verdicts"]}
    assert right["one-depth", "C4"] == "contradicted"
    assert right["nothing", "C5"] == "undecided"
    assert found["false_positives"]["C1"]["n"] == 1
    assert found["sure_and_wrong"]["verdicts"]["n"] == len(found["verdicts"])


def test_an_unknown_mechanism_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--mechanisms", "magic", "--out", str(tmp_path / "new")]) == 2
    assert "no mechanism 'magic'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("names", ["", ",", " , "])
def test_no_mechanism_is_not_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str], names: str) -> None:
    assert main(["calibrate", "--mechanisms", names, "--out", str(tmp_path / "new")]) == 2
    assert "--mechanisms names nothing" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
