"""`heedful chat`: lines are turns, answers are the model's, commands do what they say."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from heedful.cli import main
from heedful.models import LanguageModel, load

ASK = "Write a note to a neighbour. Use at most 20 words."
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return load("pico-llama")


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    def run(lines: str, *flags: str, terminal: bool = False) -> tuple[int, str, str]:
        stdin = io.StringIO(lines)
        stdin.isatty = lambda: terminal  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdin", stdin)
        status = main(["chat", "pico-llama", *flags])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


def test_each_line_is_a_turn_of_one_conversation(say: Say, model: LanguageModel) -> None:
    status, out, _ = say(f"{ASK}\n\nCheck.\n", "--temperature", "0")
    [first] = model.generate([model.encode(ASK)], [0], temperature=0.0)
    turns = [("user", ASK), ("assistant", first.text), ("user", "Check.")]
    messages = [{"role": role, "content": content} for role, content in turns]
    [second] = model.generate([model.encode(messages)], [0], temperature=0.0)
    assert status == 0
    assert out.splitlines() == [first.text, second.text]


def test_json_is_one_object_an_answer(say: Say) -> None:
    status, out, _ = say(f"{ASK}\n", "--json", "--seed", "7")
    [answer] = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert set(answer) == {"prompt", "text", "finish_reason", "tokens"}
    assert answer["prompt"] == ASK
    assert answer["finish_reason"] == "stop"


def test_the_seed_decides(say: Say) -> None:
    runs = [say(f"{ASK}\n", "--seed", seed)[1] for seed in ("1", "1", "2")]
    assert runs[0] == runs[1] != runs[2]


def test_commands_of_a_terminal(say: Say) -> None:
    asked = f"{ASK}\n/new\n{ASK}\n/undo\n/nonsense\n/quit\n{ASK}\n"
    status, out, err = say(asked, "--temperature", "0", terminal=True)
    assert status == 0
    answers = list(filter(None, (line.replace("> ", "") for line in out.splitlines()[1:])))
    assert len(answers) == 2  # after /quit nothing is answered
    assert answers[0] == answers[1]  # after /new the conversation has no past
    assert "unknown command /nonsense: /new starts over, /undo takes a turn back, /quit ends" in err


def test_an_unknown_command_is_no_turn_in_a_pipe_either(say: Say) -> None:
    status, out, err = say(f"/help\n/nope\n{ASK}\n", "--temperature", "0", "--json")
    assert status == 0
    assert [json.loads(line)["prompt"] for line in out.splitlines()] == [ASK]
    assert err.splitlines() == [
        "/new starts over, /undo takes a turn back, /quit ends",
        "unknown command /nope: /new starts over, /undo takes a turn back, /quit ends",
    ]
    _, out, _ = say("/etc/hosts: what is it?\n", "--max-new-tokens", "3", "--json")
    assert json.loads(out)["prompt"] == "/etc/hosts: what is it?"


def test_an_answer_that_is_cut_off_says_so(say: Say) -> None:
    _, out, err = say(f"{ASK}\n", "--max-new-tokens", "3", "--temperature", "0")
    assert out.strip()
    assert "cut off after 3 tokens: give more --max-new-tokens" in err


@pytest.mark.parametrize(
    ("lines", "flags", "cause", "cure"),
    [
        ("", [], "standard input is empty", "give one line a turn"),
        (f"{ASK}\n", ["--temperature", "-1"], "temperature is -1.0", "give 0 (greedy) or more"),
        (f"{ASK}\n", ["--max-new-tokens", "5000"], "it passes the context of 1024", "give fewer --max-new-tokens"),
    ],
)
def test_bad_input_names_cause_and_cure(say: Say, lines: str, flags: list[str], cause: str, cure: str) -> None:
    status, _, err = say(lines, *flags)
    assert status == 2
    assert cause in err
    assert cure in err


def test_a_prompt_that_is_too_long_is_one_error_and_no_warning_beside_it() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "heedful", "chat"], input="word " * 3000, capture_output=True, text=True, timeout=120
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("heedful: prompt 0 has 3")
    assert ran.stderr.count("\n") == 2


def test_bytes_that_are_no_text_are_told(say: Say) -> None:
    status, out, err = say(b"\xff\xfe\n".decode(errors="surrogateescape"))  # as standard input is read
    assert (status, out) == (2, "")
    assert err.startswith("heedful: the prompt holds bytes that are not UTF-8")


def test_a_model_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "./pico-lama"]) == 2
    assert "there is no folder './pico-lama'" in capsys.readouterr().err
