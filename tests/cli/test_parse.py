"""`heedful parse`: what it echoes, its exit status, and its output as input of `heedful check`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from heedful.cli import main
from heedful.constraints import load_constraints
from heedful.constraints.words import parse

TEXT = (
    "Write at most 50 words about rivers, formal, as JSON with keys title and body, without commas. "
    'Use the words "yes" and "on: off", add a P.S. and end with the phrase \'# done\'.'
)


class Ran(NamedTuple):
    status: int
    out: str
    err: str


class Run:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str, stdin: str = "") -> Ran:
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        return Ran(main(["parse", *arguments]), *self.capsys.readouterr())


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(monkeypatch, capsys)


def test_every_constraint_is_echoed_with_its_words(run: Run) -> None:
    ran = run("Use at most 50 words. No insults.")
    assert ran.status == 0
    for shown in (
        "structural/word_count",
        "at most 50 words",
        "“Use at most 50 words”",
        "stylistic/toxicity",
        "“No insults”",
    ):
        assert shown in ran.out


def test_what_was_not_understood_is_told_and_is_no_success(run: Run) -> None:
    text = "At most 9 words, at least 10 words, in iambic pentameter."
    ran = run(text)
    assert ran.status == 3
    assert "unread: “in iambic pentameter”: not understood" in ran.out
    assert "contradiction: “At most 9 words” and “at least 10 words”" in ran.out
    assert run(text, "--lenient").status == 0
    assert run("At most 9 words.").status == 0
    assert run("At most 9 words, at least 10 words.").status == 3


@pytest.mark.parametrize(("flag", "name"), [("--json", "rules.json"), ("--yaml", "rules.yaml")])
@pytest.mark.parametrize("text", [TEXT, "Use at least two words.", 'Avoid the word "it\'s # not".'])
def test_the_output_is_a_file_of_constraints(run: Run, tmp_path: Path, flag: str, name: str, text: str) -> None:
    ran = run(flag, text)
    path = tmp_path / name
    path.write_text(ran.out, encoding="utf-8")
    assert load_constraints(path) == list(parse(text).constraints)


def test_with_json_the_rest_goes_to_standard_error(run: Run) -> None:
    ran = run("--json", "-", stdin="Use at most 5 words, in rhyming couplets.")
    assert ran.status == 3
    assert json.loads(ran.out) == [{"id": "structural/word_count", "at_most": 5}]
    assert ran.err == "unread: “in rhyming couplets”: not understood\n"


def test_standard_input_without_an_argument(run: Run) -> None:
    assert "at most 5 words" in run(stdin="Use at most 5 words.").out
    assert run(stdin="Write a note.") == Ran(
        0, "No constraint was read. What can be is English, as “at most 50 words” is.\n", ""
    )
    assert run("--json", stdin="Write a note.").out == "[]\n"


def test_a_file_in_the_place_of_words_is_told(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    path.write_text("Use at most 5 words.")
    ran = run(str(path))
    assert ran.status == 2
    assert f"heedful parse - < {path}" in ran.err


@pytest.mark.parametrize(
    ("arguments", "cause", "cure"),
    [((" ",), "the request is empty", "heedful parse"), (("--json", "--yaml", "x"), "--json and --yaml", "choose one")],
)
def test_bad_input(run: Run, arguments: tuple[str, ...], cause: str, cure: str) -> None:
    ran = run(*arguments)
    assert ran.status == 2
    assert cause in ran.err
    assert cure in ran.err


def test_a_request_cannot_steer_the_terminal(run: Run) -> None:
    for flag in ((), ("--yaml",)):
        ran = run(*flag, 'Use the word "a\x1b[31mb" and cite three\x1b sources.')
        assert "\x1b" not in ran.out + ran.err
