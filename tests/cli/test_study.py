"""`heedful study`: what it prints and where, its exit status, and bad input. Runs the real command in this process."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.console import Console

from heedful.cli import bars, main
from heedful.constraints import base, known_constraints

TINY = (
    "--base-prompts 10 --samples 4 --squares 2 --tasks word_count,topic --max-new-tokens 24 "
    "--positions response[3],eos --sites block.1.out,block.5.out"
).split()
STAGES = ["instruct", "respond", "read", "probe", "intervene", "report"]


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)  # exactly one object, or this fails


class Run:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: str | Path) -> Ran:
        status = main([*map(str, arguments)])
        return Ran(status, *self.capsys.readouterr())


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A finished study, and what it printed."""
    folder = tmp_path_factory.mktemp("study") / "run"
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        status = main(["study", *TINY, "--out", str(folder)])
    return folder, Ran(status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def finished(shown: tuple[Path, Ran]) -> Path:
    return shown[0]


def times(folder: Path) -> dict[str, int]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".heedful-lock"]
    return {path.name: path.stat().st_mtime_ns for path in files}


def test_a_study_shows_its_result_its_time_and_its_report_on_one_screen(shown: tuple[Path, Ran]) -> None:
    out, ran = shown
    assert ran.status == 0
    assert "pico-llama: AUROC on " in ran.out
    for column in "task", "passes", "specialist", "baseline", "general", "read at", "word_count", "topic", "too few":
        assert column in ran.out
    for stage in STAGES:
        assert f"{stage} " in ran.out
    assert ran.out.endswith(f"Report: {out / 'report.html'}\n")
    assert len(ran.out.splitlines()) <= 24
    assert "\x1b" not in ran.out
    told = [line.split(":")[0] for line in ran.err.splitlines()]
    assert told[0] == "loading the model"
    assert "reading hidden states" in told
    assert told[-1] == "writing the report"
    assert all(" in " in line and line.endswith(" s") for line in ran.err.splitlines())


def test_the_same_command_again_skips_every_stage(run: Run, finished: Path) -> None:
    before = times(finished)
    ran = run("study", *TINY, "--out", finished)
    assert ran.status == 0
    assert times(finished) == before
    assert ran.out.endswith(f"Report: {finished / 'report.html'}\n")
    assert "answering (direct)" not in ran.err
    assert "reading hidden states" not in ran.err


def test_json_is_one_object_without_nan(run: Run, finished: Path) -> None:
    ran = run("study", *TINY, "--out", finished, "--json")
    assert ran.status == 0
    assert ran.json["report"] == str(finished / "report.html")
    assert ran.json["folder"] == str(finished)
    assert list(ran.json["tasks"]) == ["word_count", "topic"]
    assert list(ran.json["seconds"]) == STAGES
    assert ran.json["tasks"]["topic"]["contrast"]["specialist"]["value"] is None
    assert "NaN" not in ran.out


def test_the_report_can_be_made_again(run: Run, finished: Path) -> None:
    assert run("report", finished).out == f"the report is at {finished / 'report.html'}\n"


def test_other_settings_are_refused_and_overwritten_on_request(run: Run, finished: Path, tmp_path: Path) -> None:
    most = TINY.index("--max-new-tokens") + 1
    one, folder = [*TINY[:most], "1", *TINY[most + 1 :]], Path(shutil.copytree(finished, tmp_path / "run"))
    ran = run("study", *one, "--out", folder, "--json")
    assert ran.status == 2
    assert "other settings (there → now): max_new_tokens 24 → 1" in ran.json["error"]["cause"]
    assert "--overwrite" in ran.json["error"]["cure"]
    assert ran.err.startswith(f"heedful: {folder} holds a run with other settings")
    ran = run("study", *one, "--out", folder, "--overwrite")
    assert ran.status == 0
    assert "answers were cut off by the length limit and left out: raise --max-new-tokens" in ran.out


@pytest.mark.parametrize(
    ("flags", "cause"),
    [
        (["--tasks", "topci"], "unknown task 'topci'"),
        (["--tasks", ""], "--tasks names nothing"),
        (["--sites", ","], "--sites names nothing"),
        (["--positions", "response[x]"], "unknown position 'response[x]'"),
        (["--sites", "block.77.out"], "pico-llama has no site block.77.out"),
        (["--samples", "-1"], "samples should be greater than or equal to 0 (given -1)"),
        (["--samples", "many"], "Invalid value for '--samples'"),
        (["--base-prompts", "1000"], "base_prompts should be less than or equal to 120 (given 1000)"),
        (["--temperature", "-1"], "temperature should be greater than or equal to 0 (given -1.0)"),
        (["--device", "abacus"], "unknown device 'abacus'"),
        (["--prompts", "absent.jsonl"], "absent.jsonl cannot be read"),
        (["--responses", "latin1.jsonl"], "latin1.jsonl, line 2: byte 13 is not UTF-8 (0xe9)"),
        (["--responses", "notes.txt"], "notes.txt is of an unknown kind"),
        (["--prompts", "few.jsonl"], "few.jsonl has 1 group of prompts, too few to fill 5 folds"),
        (["--skills", "skills.yaml"], "skills.yaml, skill 1: the family of 'brevity' is 'short'"),
        (["--skills", "absent.yaml"], "cannot read absent.yaml"),
        (["--plugin", "absent.py"], "cannot load the plugin absent.py"),
        (["--sampels", "3"], "--sampels"),
    ],
)
def test_bad_input_is_one_message_and_status_2(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], cause: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latin1.jsonl").write_bytes(b'{"prompt": "a"}\n{"prompt": "\xe9"}\n')
    Path("few.jsonl").write_text('{"prompt": "a"}\n')
    Path("notes.txt").write_text("x")
    Path("skills.yaml").write_text("{name: brevity, family: short, values: []}")
    ran = run("study", *flags, "--out", "run", "--json")
    assert ran.status == 2
    assert cause in ran.json["error"]["cause"]
    assert ran.json["error"]["cure"]
    assert "heedful: " in ran.err
    assert "  → " in ran.err
    assert not Path("run/samples.parquet").exists()
    assert not Path("run/parts").exists()


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("./nowhere", "there is no folder './nowhere'"),
        ("notes.txt", "notes.txt is a file, not a model"),
        (".", "is a folder, but not a model"),
    ],
)
def test_a_path_that_is_not_a_model(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, cause: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("x")
    ran = run("study", name, "--out", "run", "--json")
    assert ran.status == 2
    assert cause in ran.json["error"]["cause"]
    assert not Path("run").exists()


def test_an_unfinished_folder_and_a_strangers(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace

    def full(source: Any, destination: Any) -> None:
        if str(destination).endswith("samples.parquet"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, destination)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        ran = run("study", *TINY, "--out", out, "--json")
    assert ran.status == 2
    assert "samples.parquet" in ran.json["error"]["cause"]
    assert "No space left on device" in ran.json["error"]["cause"]
    assert "run the same command again" in ran.json["error"]["cure"]
    ran = run("report", out)
    assert ran.status == 2
    assert f"the study in {out} is not finished" in ran.err
    assert run("study", *TINY, "--out", out).status == 0
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("x")
    ran = run("study", *TINY, "--out", tmp_path / "thesis")
    assert (ran.status, "it holds thesis.tex" in ran.err) == (2, True)


def test_skills_of_ones_own_are_studied_by_constraints_of_a_plugin(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_constraints()
    monkeypatch.setattr(base, "_registry", dict(base._registry))
    (tmp_path / "rules.py").write_text(
        "from heedful import constraint\n\n@constraint('test/asks')\ndef asks(text: str, so: bool = True) -> bool:\n"
        "    return text.endswith('?') == so\n"
    )
    skill = {"name": "question", "family": "lexical", "templates": ["{clause}", "So {clause}"]}
    skill |= {"held_out": ["Now {clause}", "Well {clause}"]}
    skill |= {
        "values": [
            {"clause": "ask.", "constraint": "test/asks"},
            {"clause": "tell.", "constraint": {"test/asks": {"so": False}}},
        ]
    }
    (tmp_path / "skills.json").write_text(json.dumps(skill))
    flags = [
        "--skills",
        tmp_path / "skills.json",
        "--tasks",
        "question",
        "--out",
        tmp_path / "run",
        "--dry-run",
        "--json",
    ]
    ran = run("study", *flags)
    assert "there is no constraint 'test/asks'" in ran.json["error"]["cause"]
    assert "--plugin" in ran.json["error"]["cure"]
    ran = run("study", *flags, "--plugin", tmp_path / "rules.py")
    assert (ran.status, ran.json["responses_low"]) == (0, 400 + 6 * 120)


def test_dry_run_starts_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("study", "--dry-run")
    assert ran.status == 0
    for shown in ("pico-llama: ", "answers   4,320 to 7,920", "disk", "memory", "time", "assumed   low: "):
        assert shown in ran.out
    ran = run("study", "--dry-run", "--quick", "--tasks", "json,topic", "--json")
    assert ran.json["responses_low"] < ran.json["responses_high"]
    assert ran.json["seconds_low"] < ran.json["seconds_high"]
    assert os.listdir(tmp_path) == []


def test_a_dry_run_refuses_what_the_study_would(run: Run) -> None:
    ran = run("study", "pico-llama", "pico-llama", "--dry-run")
    assert ran.status == 2
    assert "a model is named twice" in ran.err


def test_a_dry_run_says_that_the_folder_is_taken(run: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("x")
    ran = run("study", "--dry-run", "--out", tmp_path / "thesis")
    assert ran.status == 2
    assert "answers   4,320" in ran.out
    assert "it would not start: " in ran.err
    assert "it holds thesis.tex" in ran.err
    ran = run("study", "--dry-run", "--out", tmp_path / "thesis" / "thesis.tex" / "run")
    assert "thesis.tex is a file, so" in ran.err


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    monkeypatch.setattr(bars.time, "monotonic", lambda: now[0])
    with bars.stage_bars() as progress:
        for done in range(100, 1001, 100):  # begins at 100: the run before had got that far
            progress("answering", done, 1000)
            now[0] += 20.0
    assert capsys.readouterr().err.splitlines() == [
        "answering: 300 of 1,000, about 140 s left",
        "answering: 500 of 1,000, about 100 s left",
        "answering: 700 of 1,000, about 60 s left",
        "answering: 900 of 1,000, about 20 s left",
        "answering: 1,000 in 180.0 s",
    ]


def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bars, "Console", lambda file: Console(file=file, force_terminal=True, width=100))
    with bars.stage_bars() as progress:
        for done in range(3):
            progress("answering", done, 2)
        progress("reading hidden states", 1, 4)
    shown = capsys.readouterr().err
    for part in ("answering", "2/2", "reading hidden states", "1/4", "left"):
        assert part in shown


def test_the_module_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "heedful", "study", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "--dry-run" in done.stdout
    assert "heedful study Qwen/Qwen2.5-0.5B-Instruct" in done.stdout
