"""`heedful`, which `python -m heedful` is, too: the command line in a process of its own, which Ctrl-C ends at any time.

It ends by `leave`, whatever came of the command: on the interpreter's own way out, static destructors of C++ libraries meet
threads of theirs that still live, and now and then a process ends by SIGABRT ("terminate called without an active exception")
instead of the status of its command. So nothing here may be left to `atexit`.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from heedful.interrupt import leave, take_over


def run() -> NoReturn:
    """The command of this process's arguments, which ends it. An exception that is a bug keeps its traceback, and status 1."""
    take_over()
    _replace_closed()
    from heedful.cli import main  # takes a while: an interruption is seen to before

    leave(main())


def _replace_closed() -> None:
    """What is printed to a stream that is closed (`>&-`) is lost, as in /dev/null, and the status remains; reading from a
    closed one is refused by the system. Its number is given to no other file, which would take what is printed."""
    for name, mode in (
        ("stdin", "r"),
        ("stdout", "w"),
        ("stderr", "w"),
    ):  # in this order: a file gets the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.open(os.devnull, os.O_WRONLY), mode, encoding="utf-8"))  # noqa: SIM115 - to the end


if __name__ == "__main__":
    run()
