"""`heedful`, which `python -m heedful` is, too: the command line in a process of its own, which Ctrl-C ends at any time.

It ends by `leave`, whatever came of the command: on the interpreter's own way out, static destructors of C++ libraries meet
threads of theirs that still live, and now and then a process ends by SIGABRT ("terminate called without an active exception")
instead of the status of its command. So nothing here may be left to `atexit`.
"""

from __future__ import annotations

from typing import NoReturn

from heedful.interrupt import leave, take_over


def run() -> NoReturn:
    """The command of this process's arguments, which ends it. An exception that is a bug keeps its traceback, and status 1."""
    take_over()
    from heedful.cli import main  # takes a while: an interruption is seen to before

    leave(main())


if __name__ == "__main__":
    run()
