"""Ctrl-C ends a command at any time, by status 130 and one line.

Raised as an exception while torch is imported, it would end one process in twenty by SIGABRT: pybind11 throws it on, and nobody
catches it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from heedful.interrupt import raising, said

pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="moments are told from /proc")

ASK = "Write a note to a neighbour. Use at least 4 words."
SAID = "\nheedful: interrupted\n"
GOES_ON = "\nheedful: interrupted; what was finished is kept, and the same command goes on from there\n"
GUARD = ["guard", "pico-llama", ASK, "--include", "zyzzyva", "--policy", "resample:tries=900"]
CHAT = ["chat", "pico-llama"]
LONGEST = 120.0  # seconds, on a machine that does other things, too


class Process:
    """A command, told to stop at a moment."""

    def __init__(self, *arguments: str) -> None:
        self._running = subprocess.Popen(
            [sys.executable, "-m", "heedful", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Who runs tests in the background may have it ignored, and that is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def maps(self, name: str) -> bool:
        """Whether it has loaded a file of this name."""
        return name in Path(f"/proc/{self._running.pid}/maps").read_text()

    def wait_until(self, moment: Callable[[Process], bool]) -> Process:
        start = time.monotonic()
        while not moment(self):
            assert self._running.poll() is None, self._running.communicate()
            assert time.monotonic() - start < LONGEST
            time.sleep(0.005)
        return self

    def say(self, line: str) -> Process:
        assert self._running.stdin is not None
        self._running.stdin.write(line)
        self._running.stdin.flush()
        return self

    def heard(self, line: str) -> None:
        """Wait for a line on stderr."""
        assert self._running.stderr is not None
        assert line in iter(self._running.stderr.readline, "")

    def hear(self, characters: int) -> str:
        assert self._running.stdout is not None
        return self._running.stdout.read(characters)

    def interrupt(self, after: float = 0.0) -> tuple[int, str, str]:
        """Status, stdout and stderr."""
        time.sleep(after)
        self._running.send_signal(signal.SIGINT)
        try:
            out, err = self._running.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.communicate()
            raise
        return self._running.returncode, out, err


STUDY = ["study", "pico-llama", "--quick"]
FAST = [(STUDY, "importing", 0.3), (CHAT, "importing", 0.3), (GUARD, "loading", 0.0)]
"""Each command and each moment; what takes the signal is the same for all commands."""


@pytest.mark.parametrize(
    ("command", "moment", "after"),
    [
        pytest.param(*case, id=f"{case[0][0]}-{case[1]}-{case[2]}", marks=[] if case in FAST else [pytest.mark.slow])
        for case in product((GUARD, CHAT, STUDY), ("importing", "loading"), (0.0, 0.3))
    ],
)
def test_at_any_time(command: list[str], moment: str, after: float, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "run")] if command[0] == "study" else []
    library = {"importing": "libtorch_cpu", "loading": "tokenizers"}[moment]
    status, _, err = Process(*command, *out).wait_until(lambda process: process.maps(library)).interrupt(after)
    assert status == 130
    assert "Traceback" not in err
    assert "terminate" not in err
    assert err.endswith(GOES_ON if command[0] == "study" else SAID)


def test_only_of_what_keeps_something_is_that_said() -> None:
    for command in (["study", "pico-llama"], ["calibrate", "--draws", "2"], ["monitor", "train", "run"]):
        assert said(command) == GOES_ON
    for command in (["guard", "pico-llama"], ["chat"], ["check"], ["policies"], ["monitor", "show", "dir"], []):
        assert said(command) == SAID


def test_amid_a_stream_that_is_written() -> None:
    chat = Process(*CHAT, "--max-new-tokens", "900").say(f"{ASK}\n" * 50)
    first = chat.hear(20)
    status, rest, err = chat.interrupt()
    assert (status, err) == (130, SAID)
    assert len(first) == 20
    assert "Traceback" not in rest


ENDLESS = """
import sys
from heedful.control.policies import Ask, policy
@policy('endless')
def endless(asked):
    for number in range(10000):
        yield [Ask(asked.request(number))]
        print('drawn', file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("after", [0.0, *(pytest.param(later, marks=pytest.mark.slow) for later in (0.1, 0.3))])
def test_amid_drafts_the_best_of_them_is_given(after: float, tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(ENDLESS)
    flags = ["--include", "zyzzyva", "--plugin", str(plugin), "--policy", "endless"]
    guard = Process("guard", "pico-llama", ASK, *flags)
    guard.heard("drawn\n")
    status, out, err = guard.interrupt(after)
    assert status == 130
    assert out.strip()
    assert "Traceback" not in err
    assert "cancelled: cancelled by the caller" in err
    assert err.endswith(SAID)


def test_nothing_is_changed_where_the_process_is_another_program_s() -> None:
    before = signal.getsignal(signal.SIGINT)
    with raising():
        assert signal.getsignal(signal.SIGINT) is before
    assert signal.getsignal(signal.SIGINT) is before


def test_who_is_told_to_ignore_it_goes_on() -> None:
    script = (
        "import signal; from heedful.interrupt import take_over; take_over(); "
        "print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"
    )
    for how, shown in ((signal.SIG_IGN, "True"), (signal.default_int_handler, "False")):
        ran = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda how=how: signal.signal(signal.SIGINT, how),  # type: ignore[misc]
        )
        assert ran.stdout.startswith(shown)
