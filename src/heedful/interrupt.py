"""Ctrl-C in a process that is heedful's own: it ends at once, wherever it is, with a line that says so and status 130.

Python's own way, an exception out of whatever runs just then, is not to be had at any time: raised while a library's compiled
part is imported, or while threads of one still compute as the interpreter shuts down, it ends in a traceback or an abort.
Nothing is lost by ending at once, since files are written wholly or not at all. Knows of commands only which of them go on;
imports next to nothing, so that it is in place before what takes long.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""The exit status."""

_SHOW_CURSOR = "\x1b[?25h"  # bars hide it


def take_over() -> None:
    """From here on Ctrl-C ends this process; not where it was told to ignore it, as behind nohup. Of the main thread."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


@contextmanager
def raising() -> Iterator[None]:
    """Ctrl-C raises `KeyboardInterrupt` here, for who has something to give still; no change where nobody took over."""
    if signal.getsignal(signal.SIGINT) is not _end:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, _end)


def said(arguments: list[str]) -> str:
    """The line that says so, given the command line."""
    resumes = arguments[:1] in (["study"], ["calibrate"]) or arguments[:2] == ["monitor", "train"]
    kept = "; what was finished is kept, and the same command goes on from there" if resumes else ""
    return f"\nheedful: interrupted{kept}\n"


def leave(status: int) -> NoReturn:
    """End the process, whatever its threads are doing; what was printed is out."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # it may be amid a write, or nobody may read any more
            stream.flush()
    os._exit(status)


def _end(number: int, frame: FrameType | None) -> None:
    with suppress(OSError):
        os.write(2, ((_SHOW_CURSOR if os.isatty(2) else "") + said(sys.argv[1:])).encode())
    leave(INTERRUPTED)
