"""What goes to a terminal, and what comes from one. A text that a model or a user wrote is untrusted: a control character in it
could steer the terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

from heedful.constraints import decode_text

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 250


def printable(text: str) -> str:
    """Without control characters but line breaks."""
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in text)


def on_one_line(text: str) -> str:
    """Without control characters and line breaks."""
    return printable(text).replace("\n", "�")


def read_standard_input(what: str) -> str:
    """All of it, as UTF-8; who types it is told how it ends.

    Raises:
        InputError: it is no UTF-8.
    """
    if sys.stdin.isatty():
        typer.echo(f"reading from the terminal; end the {what} with Ctrl-D", err=True)
    return decode_text(sys.stdin.buffer.read(), "standard input")


def stdout_console() -> Console:
    """For stdout: as wide as its terminal; where it is none, so wide that no name is broken (or of COLUMNS)."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=_PIPE_WIDTH)
