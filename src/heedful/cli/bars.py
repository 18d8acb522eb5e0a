"""Progress bars on stderr, one for each thing being done; silent where stderr is no terminal, but for a line each."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as Remaining

from heedful.pipeline.progress import Progress as Callback


@contextmanager
def stage_bars() -> Iterator[Callback]:
    """A callback (what, done, total) that draws a bar a thing; in a log, one line at its end with the time it took."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield _lines()
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        Remaining(),
    )
    with Progress(*columns, console=console) as bars:
        known: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=total)
            bars.update(known[what], completed=done, total=total)

        yield show


def _lines() -> Callback:
    started: dict[str, float] = {}

    def show(what: str, done: int, total: int) -> None:
        start = started.setdefault(what, time.monotonic())
        if done >= total:
            print(f"{what}: {total} in {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)

    return show
