"""`heedful guard`, `heedful log view` and `heedful policies`: what goes where, and with which exit status."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from tests.control.server import Reply, Server, answers, serving, status

from heedful.cli import main

ASK = "Write a note to a neighbour. Use at most 15 words."


def test_a_guarded_answer_is_on_stdout_and_what_it_took_on_stderr(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    status = main(["guard", "pico-llama", ASK, "--max-words", "15", "--log", str(log), "--seed", "1"])
    shown = capsys.readouterr()
    assert status == 0
    assert 1 <= len(shown.out.split()) <= 15
    assert "structural/word_count" in shown.err
    assert "every constraint passes" in shown.err
    assert json.loads(log.read_text())["text"] == shown.out.strip()


def test_a_streamed_answer_is_the_same_and_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["guard", "pico-llama", ASK, "--max-words", "15", "--seed", "1"]
    assert main([*flags, "--stream", "--window", "20"]) == 0
    streamed = capsys.readouterr().out.strip()
    assert main([*flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["passed"], found["stopped"]) == (0, True, "passed")
    assert found["text"] == streamed


def test_the_exit_status_is_that_of_check_and_a_budget_holds(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["guard", "pico-llama", ASK, "--include", "zyzzyva", "--json"]
    assert main([*flags, "--budget-calls", "1", "--policy", "resample"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["stopped"], len(found["attempts"])) == ("budget", 1)
    assert main([*flags, "--budget-tokens", "10"]) == 3
    assert json.loads(capsys.readouterr().out)["attempts"] == []


def test_what_cannot_be_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guard", "pico-llama", ASK]) == 2
    assert "no constraint is given, so there is nothing to guard" in capsys.readouterr().err
    assert main(["guard", "pico-llama", ASK, "--max-words", "5", "--mode", "fix"]) == 2
    assert "mode is 'fix'" in capsys.readouterr().err
    assert main(["guard", "http://localhost:1/v1", ASK, "--max-words", "5"]) == 2
    assert "name it, --at MODEL" in capsys.readouterr().err
    assert main(["guard", "pico-llama", ASK, "--max-words", "5", "--at", "big"]) == 2
    assert "'big' names a model at a URL, and the model given runs here" in capsys.readouterr().err
    assert main(["guard", "no/such-model", ASK, "--max-words", "5", "--window", "5"]) == 2
    assert "leave it out, or add --stream" in capsys.readouterr().err
    assert main(["guard", "no/such-model", ASK, "--max-words", "5", "--window", "5", "--stream", "--mode", "warn"]) == 2
    assert "the mode warn holds none" in capsys.readouterr().err
    assert main(["guard", "no/such-model", ASK, "--topic", "quidditch"]) == 2
    assert "does not know 'quidditch', so no text can be scored" in capsys.readouterr().err
    assert main(["guard", "no/such-model", ASK, "--max-words", "5", "-c", "structural/word_count:at_least=9"]) == 2
    assert "no text can pass: at least 9 and at most 5 words exclude each other" in capsys.readouterr().err


def test_a_log_is_shown_in_the_terminal_as_json_and_as_a_page(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log, page = tmp_path / "log.jsonl", tmp_path / "log.html"
    flags = ["guard", "pico-llama", "--log", str(log), "--policy", "resample:tries=2"]
    main([*flags, ASK, "--max-words", "15"])
    main([*flags, "Write <b>a card</b>.", "--include", "zyzzyva"])
    capsys.readouterr()
    assert main(["log", "view", str(log), "--failed"]) == 0
    shown = capsys.readouterr().out
    assert "Shown: 1 of the log's 2 requests\n0 of 1 requests passed" in shown
    assert "Write <b>a card</b>." in shown
    assert ASK not in shown
    assert main(["log", "view", str(log), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["in_log"], found["requests"], found["passed"]) == (2, 2, 1)
    assert found["constraints"]["lexical/include"] == {"fail": 1}
    assert main(["log", "view", str(log), "--html", str(page)]) == 0
    text = page.read_text()
    assert "&lt;b&gt;a card" in text
    assert "<script" not in text
    assert "http://" not in text.replace("http://www.w3.org", "")


def test_a_file_that_is_no_log_is_named_with_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"schema_version": 9}\n')
    assert main(["log", "view", str(log)]) == 2
    assert "line 1, has schema version 9; this heedful reads 1" in capsys.readouterr().err
    log.write_text("hello\n")
    assert main(["log", "view", str(log)]) == 2
    assert "line 1, is no guarded request" in capsys.readouterr().err


def test_a_line_that_is_not_all_of_a_request_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    main(["guard", "pico-llama", ASK, "--max-words", "15", "--log", str(log), "--policy", "resample:tries=1"])
    whole = json.loads(log.read_text())
    for name, value in (("attempts", None), ("tokens", {}), ("attempts", [{}]), ("verdicts", [{}]), ("would", ...)):
        line = {**whole, name: value}
        if value is ...:
            del line[name]
        log.write_text(f"{json.dumps(whole)}\n{json.dumps(line)}\n")
        capsys.readouterr()
        assert main(["log", "view", str(log)]) == 2
        assert f"{log}, line 2, is not all of a guarded request" in capsys.readouterr().err


def test_policies_are_listed_and_compared(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["policies", "--list"]) == 0
    assert "best_of_n\n    Draw n answers as a batch" in capsys.readouterr().out
    page = tmp_path / "policies.html"
    few = ["policies", "-n", "6", "--policy", "abort:tries=2", "--policy", "best_of_n:n=2", "--constraints", "2"]
    assert main([*few, "--html", str(page), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    unguarded, abort, best = found["policies"]
    assert [row["policy"] for row in found["policies"]] == ["unguarded", "abort:tries=2", "best_of_n:n=2"]
    assert unguarded["price"]["estimate"] == unguarded["calls"]["estimate"] == 1
    assert best["calls"]["estimate"] == 2
    assert abort["passed"]["estimate"] >= unguarded["passed"]["estimate"]  # the first draft is the same
    assert abort["false_stops"] == 0  # a proof is never wrong
    assert "<svg" in page.read_text()
    assert "<script" not in page.read_text()
    assert main(["policies", "--constraints", "4"]) == 2
    assert "give 2 or more, of 1 to 3 constraints" in capsys.readouterr().err


def test_the_columns_of_policies_are_explained_and_progress_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policies", "-n", "2", "--policy", "resample:tries=2", "--max-new-tokens", "8"]) == 0
    shown = capsys.readouterr()
    assert "×: times the tokens of unguarded" in shown.out
    assert "\r" not in shown.err
    assert [line.split(" in ")[0] for line in shown.err.splitlines()] == ["unguarded: 2", "resample:tries=2: 2"]


def test_a_policy_that_cannot_work_is_said_before_any_answer_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policies", "pico-llama", "-n", "2", "--policy", "resample", "--policy", "steer"]) == 2
    assert capsys.readouterr().err.startswith("heedful: steering needs directions")


def test_a_page_that_cannot_be_written_is_said_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "p.html", tmp_path):
        assert main(["policies", "pico-llama", "-n", "4", "--html", str(place)]) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith(f"heedful: {place} cannot be written")


def test_a_page_that_cannot_be_written_any_more_takes_no_figures_along(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heedful.cli.pages.check_page", lambda path: None)
    (tmp_path / "file").write_text("")
    page = str(tmp_path / "file" / "p.html")
    flags = ["--policy", "resample:tries=2", "-n", "4", "--max-new-tokens", "24", "--html", page]
    assert main(["policies", "pico-llama", *flags]) == 2
    shown = capsys.readouterr()
    assert "resample:tries=2" in shown.out
    assert "p.html" in shown.err


def test_a_log_that_cannot_be_written_is_said_before_a_model_is_loaded(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    log = tmp_path / "file" / "log.jsonl"
    assert main(["guard", "no/such-model", ASK, "--max-words", "15", "--log", str(log)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"heedful: cannot write the log {log}: its folder is a file")
    absent = tmp_path / "absent" / "log.jsonl"
    assert main(["guard", "no/such-model", ASK, "--max-words", "15", "--log", str(absent)]) == 2
    assert capsys.readouterr().err.startswith(f"heedful: cannot write the log {absent}: there is no folder")
    assert not absent.parent.exists()


def test_a_line_that_breaks_off_is_left_out_and_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    flags = ["guard", "pico-llama", ASK, "--max-words", "15", "--log", str(log), "--policy", "resample:tries=1"]
    main(flags)
    log.write_bytes(log.read_bytes() + log.read_bytes()[:100])
    main(flags)
    capsys.readouterr()
    assert main(["log", "view", str(log), "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["requests"] == 2
    assert shown.err == f"{log}: line 2 breaks off and is left out; who wrote it was killed\n"


def test_warnings_are_said_once_and_nothing_of_the_process_is_changed(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("heedful.control")
    before = (logger.level, list(logger.handlers), list(logger.filters))
    assert main(["guard", "pico-llama", ASK, "--include", "zyzzyva", "--mode", "warn"]) == 1
    assert capsys.readouterr().err.count("stopped or repaired at the end") == 1
    assert caplog.text == ""
    assert (logger.level, list(logger.handlers), list(logger.filters)) == before


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Also where the tests run in a shell's background, which ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("thread", ["threading.main_thread().ident", "threading.get_ident()"])
def test_who_interrupts_gets_the_best_draft_until_then(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, thread: str
) -> None:
    """Whichever thread the system gives the signal to."""
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "import signal, threading\n"
        "from heedful.control.policies import Ask, policy\n"
        "@policy('interrupted')\n"
        "def interrupted(asked):\n"
        "    yield [Ask(asked.request())]\n"
        f"    signal.pthread_kill({thread}, signal.SIGINT)\n"
        "    for number in range(1, 200):\n"
        "        yield [Ask(asked.request(number))]\n"
    )
    flags = ["--include", "zyzzyva", "--plugin", str(plugin), "--policy", "interrupted"]
    assert main(["guard", "pico-llama", ASK, *flags]) == 130
    shown = capsys.readouterr()
    assert shown.out.strip()
    assert "cancelled: cancelled by the caller" in shown.err
    assert shown.err.endswith("\nheedful: interrupted\n")
    assert main(["guard", "pico-llama", ASK, *flags, "--json"]) == 130
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["stopped"]) == (130, "cancelled")
    assert found["text"] == shown.out.strip()
    assert len(found["attempts"]) < 100


@pytest.mark.parametrize(
    "flags",
    [
        ["--include", "harbour", "--policy", "abort"],
        pytest.param(["--mode", "stop", "--stream"], marks=pytest.mark.slow),  # what draws is the same
    ],
)
def test_a_process_that_stopped_a_draft_ends_with_its_status(flags: list[str]) -> None:
    """What draws is no daemon: cut off amid torch, it would abort the process as it leaves."""
    command = [sys.executable, "-m", "heedful", "guard", "pico-llama", ASK, "--max-words", "2", *flags]
    assert subprocess.run(command, capture_output=True, timeout=120, check=False).returncode == 1


@contextmanager
def served(*replies: Reply) -> Iterator[Server]:
    """A server in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    lasting = serving(*replies)
    try:
        yield asyncio.run_coroutine_threadsafe(lasting.__aenter__(), loop).result(10)
        asyncio.run_coroutine_threadsafe(lasting.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_server_is_asked_as_its_flags_have_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    chat = tmp_path / "chat.json"
    turns = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]}]
    chat.write_text(json.dumps(turns))
    with served(answers("hm</think>A short note.")) as server:
        flags = ["guard", server.url, "--at", "big", "--max-words", "5", "--endpoint", "thinking=true"]
        flags += ["--endpoint", "tokens_field=max_completion_tokens", "--body", '{"seed": null, "top_k": 20}']
        assert main([*flags, "Write.", "--system", "Be brief.", "--messages", str(chat), "--max-new-tokens", "30"]) == 0
    assert capsys.readouterr().out == "A short note.\n"
    [asked] = server.asked
    assert [(turn["role"], turn["content"]) for turn in asked.body["messages"]] == [
        ("system", "Be brief."),
        ("user", "Hi."),
        ("assistant", "Hello."),
        ("user", "Write."),
    ]
    assert (asked.body["max_completion_tokens"], asked.body["top_k"]) == (30, 20)
    assert {"seed", "max_tokens"}.isdisjoint(asked.body)


def test_what_is_asked_must_be_something(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    chat, flags = tmp_path / "chat.json", ["guard", "pico-llama", "--max-words", "5"]
    assert main(flags) == 2
    assert "nothing is asked\n  → give a PROMPT (- reads standard input), or --messages FILE" in capsys.readouterr().err
    for held, cause in (
        ('{"role": "user"}', "is no list of messages"),
        ('["Hi."]', "is no list of messages"),
        ("[", "is not JSON"),
        ("[]", "nothing is asked"),
        ('[{"content": "Hi."}]', "is no prompt"),
        ('[{"role": "system", "content": "Hi."}]', "two system messages: --system, and one in"),
    ):
        chat.write_text(held)
        assert main([*flags, "--messages", str(chat), "--system", "Be brief."]) == 2
        assert cause in capsys.readouterr().err
    assert main([*flags, "Write.", "--endpoint", "thinking=true"]) == 2
    assert "thinking: of an endpoint, and the model given runs here" in capsys.readouterr().err
    assert main(["guard", "localhost:1/v1", "Write.", "--max-words", "5", "--at", "big"]) == 2
    assert "write http://localhost:1/v1" in capsys.readouterr().err
    for command in (
        ["guard", "http://localhost:1/v1", "Write.", "--max-words", "5"],
        ["policies", "http://localhost:1/v1"],
    ):
        assert main([*command, "--at", "big", "--endpoint", "think=true"]) == 2
        assert "'think=true' is no option of an endpoint" in capsys.readouterr().err


def test_a_server_that_is_down_or_busy_is_no_input_that_cannot_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    """What may pass has a status of its own, for a script that tries again; what the server refuses has not."""
    once = ["--at", "big", "--endpoint", "retries=0"]
    asked = ["Write.", "--max-words", "5", "--json", *once]
    assert main(["guard", "http://127.0.0.1:9/v1", *asked]) == 3
    assert "could not be reached" in json.loads(capsys.readouterr().out)["error"]["cause"]
    assert main(["policies", "http://127.0.0.1:9/v1", "-n", "2", "--policy", "resample:tries=1", *once]) == 3
    for code, expected in ((503, 3), (429, 3), (401, 2), (404, 2)):
        with served(status(code, "no")) as server:
            assert main(["guard", server.url, *asked]) == expected
        assert f"status {code}" in capsys.readouterr().err
