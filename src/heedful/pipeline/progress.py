"""How a long computation says where it is. Knows no terminal: the command line draws the bars."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""(what is being done, how many are done, of how many)"""


def silent(what: str, done: int, total: int) -> None:
    """Say nothing."""
