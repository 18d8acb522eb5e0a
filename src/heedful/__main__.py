"""`heedful`, which `python -m heedful` is, too: the command line in a process of its own, which Ctrl-C ends at any time."""

from __future__ import annotations

import sys

from heedful.interrupt import INTERRUPTED, leave, take_over


def run() -> int:
    """The command of this process's arguments; its exit status."""
    take_over()
    from heedful.cli import main  # takes a while: an interruption is seen to before

    status = main()
    if status == INTERRUPTED:  # threads may still compute
        leave(status)
    return status


if __name__ == "__main__":
    sys.exit(run())
