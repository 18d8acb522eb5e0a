"""What a terminal is shown, and streams that are closed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from heedful.cli.terminal import on_one_line, printable

HEEDFUL = f"{sys.executable} -m heedful"


def test_no_text_steers_the_terminal() -> None:
    assert printable("a\x1b[2J\r\n\u202eb") == "a�[2J�\n�b"
    assert on_one_line("a\nb\tc") == "a�b�c"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("check --max-words 3 >&-", 1),
        ("check --max-words 9 >&-", 0),
        ("check --max-words 3 2>&-", 1),
        ("check --max-words 3 >&- 2>&-", 1),
        ("check absent.txt --max-words 3 --json 2>&-", 2),
        ("check --list >&-", 0),
        ("parse 'at most 50 words' >&-", 0),
        ("--help >&-", 0),
        ("check --max-words 3 <&-", 2),
        ("parse - <&-", 2),
        ("guard pico-llama - --max-words 3 <&-", 2),
        ("check --max-words 3 <&- >&- 2>&-", 2),
    ],
)
def test_a_closed_stream_is_no_bug(command: str, status: int, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{HEEDFUL} {command}"],
        input="one two three four",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    if command.endswith("<&-"):
        assert done.stderr == "heedful: standard input is closed\n  → give it something to read: < FILE\n"
