"""`heedful check`: exit status, table, JSON, and bad input.

Runs the real command in this process, and once as users do.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import heedful
from heedful.cli import main

INFORMAL = "hey dude, gonna grab some food lol, u comin?"
FORMAL = "Dear Sir, I would be most grateful for your kind consideration of the enclosed documents. Yours faithfully"


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Run:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> Ran:
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = main(["check", *map(str, arguments)])
        return Ran(status, *self.capsys.readouterr())


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(monkeypatch, capsys)


def test_pass_and_fail_and_what_to_change(run: Run) -> None:
    assert run("--max-words", "3", stdin=b"one two three").status == 0
    ran = run("--max-words", "3", "--include", "boat", stdin=b"one two three four")
    assert ran.status == 1
    for shown in (
        "standard input: 0 of 2 pass",
        "structural/word_count",
        "4 words, at most 3: cut 1",
        "use “boat” once",
    ):
        assert shown in ran.out


def test_constraints_that_exclude_each_other_are_told(run: Run) -> None:
    flags = ["--include", "fine", "--exclude", "fine"]
    for form in ([], ["--json"]):
        ran = run(*flags, *form, stdin=b"A fine day.")
        assert ran.status == 1
        assert "contradiction: “fine” is asked for and forbidden" in ran.err
        assert "contradiction" not in ran.out


def test_json_is_one_object(run: Run, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("a b")
    bad.write_text("a b c — “d”")
    ran = run(good, bad, "--max-words", "2", "--json")
    assert ran.status == ran.json["status"] == 1
    assert ran.json["counts"] == {"pass": 1, "fail": 1, "unscored": 0, "error": 0}
    assert [(text["file"], text["passed"]) for text in ran.json["texts"]] == [(str(good), True), (str(bad), False)]
    assert ran.json["texts"][1]["verdicts"][0]["spans"] == [[4, 10]]


@pytest.mark.parametrize(
    ("flags", "good", "bad"),
    [
        (["--exact-words", "2"], "a b", "a"),
        (["--min-words", "2", "--max-words", "3"], "a b", "a b c d"),
        (["--min-chars", "3"], "abc", "ab"),
        (["--max-chars", "3"], "abc", "abcd"),
        (["--exact-chars", "3"], "abc", "ab"),
        (["--json-object"], "{}", "[]"),
        (["--json-keys", "a, b"], '{"a": 1, "b": 2, "c": 3}', '{"a": 1}'),
        (["--include", "dog", "--include", "new york"], "Dog in New York", "dog"),
        (["--exclude", "dog", "--exclude", "cat"], "a cow", "a cat"),
        (["--topic", "chess"], "Checkmate by rook and pawn.", "Bake the bread in the oven with flour and yeast."),
        (["--sentiment", "positive"], "I love this wonderful day!", "I hate this horrible day!"),
        (["--register", "informal"], INFORMAL, FORMAL),
        (["--no-toxicity"], "What a nice day.", "You are a stupid idiot."),
        (["-c", "structural/word_count:at_most=2"], "a b", "a b c"),
        (["-c", 'lexical/exclude:terms=["very, really"]'], "very and really", "very, really"),
    ],
)  # fmt: skip
def test_each_flag(run: Run, flags: list[str], good: str, bad: str) -> None:
    assert run(*flags, stdin=good.encode()).status == 0
    assert run(*flags, stdin=bad.encode()).status == 1


def test_a_term_with_a_comma_is_asked_about(run: Run) -> None:
    cure = run("--include", "new york,c", stdin=b"x").err.split("→")[1]
    assert "repeat the flag: --include 'new york' --include c;" in cure
    assert "-c 'lexical/include:terms=[\"new york,c\"]'" in cure


def test_files_of_constraints_schemas_and_plugins(run: Run, tmp_path: Path) -> None:
    rules, schema, plugin = tmp_path / "rules.yaml", tmp_path / "schema.json", tmp_path / "mine.py"
    rules.write_text("- structural/word_count: {at_most: 2}\n")
    schema.write_text('{"required": ["a"]}')
    plugin.write_text(
        "from heedful.constraints import constraint\n"
        "@constraint('mine/ends_with')\n"
        "def ends_with(text: str, suffix: str) -> bool: return text.endswith(suffix)\n"
    )
    assert run("--constraints", rules, stdin=b"a b c").status == 1
    assert run("--json-schema", schema, stdin=b'{"a": 1}').status == 0
    assert run("--json-schema", schema, stdin=b'{"b": 1}').status == 1
    assert run("--plugin", plugin, "-c", "mine/ends_with:suffix=b", stdin=b"a b").status == 0


def test_what_cannot_be_checked_is_not_a_pass(run: Run) -> None:
    unscored = ["--topic", "quidditch"]
    assert run(*unscored, "--max-words", "5", stdin=b"a text").status == 3
    assert run(*unscored, "--max-words", "1", stdin=b"a text").status == 1
    ran = run(*unscored, "--json", stdin=b"a text")
    assert ran.json["texts"][0]["passed"] is False
    assert ran.json["texts"][0]["verdicts"][0]["outcome"] == "unscored"


@pytest.mark.parametrize(
    ("arguments", "stdin", "cause"),
    [
        ([], b"x", "no constraint is given"),
        (["-c", "semantic/mood:mood=good"], b"x", "there is no constraint 'semantic/mood'"),
        (["--min-words", "5", "--max-words", "3"], b"x", "the bounds are reversed"),
        (["--include", ""], b"x", "the term '' is empty"),
        (["--exclude", "very, really"], b"x", "--exclude 'very, really' has a comma"),
        (["-c", "lexical/exclude:terms=very,really"], b"x", "'very,really' has a comma"),
        (["--json-keys", "a,,b"], b"{}", "a key is empty"),
        (["--json-schema", "SCHEMA"], b"{}", "the JSON Schema is invalid at $.type"),
        (["--sentiment", "happy"], b"x", "'positive', 'negative' or 'neutral' (given 'happy')"),
        (["absent.txt", "--max-words", "3"], b"", "cannot read absent.txt: No such file or directory"),
        (["-", "--max-words", "3"], b"caf\xe9", "standard input is not UTF-8 text: byte 0xe9 at line 1 (offset 3)"),
        (["--constraints", "absent.yaml"], b"x", "cannot read absent.yaml"),
        (["-", "-", "--max-words", "3"], b"x", "'-' is given twice"),
        (["--max-words", "many"], b"x", "Invalid value for '--max-words'"),
        (["--max-wrods", "3"], b"x", "--max-wrods"),
        (["--topic", "tea", "--max-words", "3", "--topic=coffee"], b"x", "--topic is given more than once"),
    ],
)
def test_bad_input(run: Run, tmp_path: Path, arguments: list[str], stdin: bytes, cause: str) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "objct"}')
    arguments = [str(schema) if argument == "SCHEMA" else argument for argument in arguments]
    ran = run(*arguments, stdin=stdin)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("heedful: ")
    assert cause in ran.err
    assert "  → " in ran.err
    ran = run(*arguments, "--json", stdin=stdin)
    assert ran.status == 2
    assert cause in ran.json["error"]["cause"]
    assert ran.json["error"]["cure"]


def test_bad_input_is_reported_before_anything_is_checked(run: Run, tmp_path: Path) -> None:
    good = tmp_path / "good.txt"
    good.write_text("a b")
    latin = tmp_path / "latin.txt"
    latin.write_bytes(b"caf\xe9")
    ran = run(good, tmp_path / "absent.txt", latin, "--max-words", "3")
    assert (ran.status, ran.out) == (2, "")
    assert "absent.txt: No such file or directory; " in ran.err
    assert "latin.txt is not UTF-8 text: byte 0xe9 at line 1 (offset 3); nothing was checked" in ran.err
    assert "check the path and its permissions; save it as UTF-8" in ran.err


def test_in_a_pipe_no_name_is_broken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    keys = ",".join(f"quite_a_long_key_{number}" for number in range(4))
    assert any(keys.replace(",", '", "') in line for line in run("--json-keys", keys, stdin=b"{}").out.splitlines())


def test_a_quoted_text_cannot_steer_the_terminal(run: Run) -> None:
    ran = run("--json-keys", "a\x1b[2Jb", stdin=b"{}")
    assert "\x1b" not in ran.out
    assert ran.status == 1


def test_list(run: Run) -> None:
    shown = run("--list").out
    for line in ("structural/word_count", "terms (must be given)", "verifier (default 'offline')"):
        assert line in shown
    listed = run("--list", "--json").json["constraints"]
    terms, case = listed["lexical/exclude"][:2]
    assert (terms["name"], terms["required"], terms["default"]) == ("terms", True, None)
    assert (case["required"], case["default"]) == (False, False)
    assert {field["name"]: field["default"] for field in listed["structural/json"]}["keys"] == []


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--help"]) == 0
    shown = capsys.readouterr().out
    for line in ("heedful check note.txt --max-words 50", "Exit status", "--json-schema"):
        assert line in shown
    assert main([]) == 0
    assert "check" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"heedful {heedful.__version__}\n"
    assert main(["chekc"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--max-words", "3"],  # a violation, whose status is another
        ["check", "--list"],
        ["--help"],
        ["check", "absent.txt", "--max-words", "3", "--json"],
    ],
    ids=["a table", "a list", "help", "an error"],
)
def test_whoever_closes_the_output_is_no_violation(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as unread:
        done = subprocess.run(
            [sys.executable, "-m", "heedful", *arguments],
            input=b"one two three four",
            stdout=unread,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 141
    assert "Traceback" not in done.stderr.decode()


def test_a_process_ends_by_the_status_of_its_command_and_not_by_what_libraries_do_as_it_ends() -> None:
    script = (
        "import atexit, os, sys; atexit.register(os.abort); sys.argv = ['heedful', 'check', '--list']\n"
        "from heedful.__main__ import run; run()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[-2].startswith("ifbench-corrected/")  # all of it came through the pipe


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_output_that_takes_no_more_is_told_once() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "heedful", "check", "--max-words", "3"],
            input=b"one",
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == [
        "heedful: the output: No space left on device",
        "  → give another place",
    ]


def test_python_m_heedful_is_the_same_command_and_loads_no_tensor_library() -> None:
    script = (
        "import runpy, sys; sys.argv = ['heedful', 'check', '--max-words', '3', '--json']\n"
        "import heedful.interrupt; heedful.interrupt.leave = sys.exit\n"
        "try: runpy.run_module('heedful', run_name='__main__')\n"
        "except SystemExit as stop: status = stop.code\n"
        "heavy = sorted({'torch', 'transformers', 'numpy'} & set(sys.modules))\n"
        "assert not heavy, heavy\n"
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", script], input=b"one two three four", capture_output=True, timeout=60)
    assert done.returncode == 1, done.stderr.decode()
    assert json.loads(done.stdout)["texts"][0]["verdicts"][0]["measured"] == 4
