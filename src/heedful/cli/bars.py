"""Progress on stderr: a bar for each thing being done; where stderr is no terminal, a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as Remaining

if TYPE_CHECKING:  # the pipeline brings tensors along, and who judges texts waits for none
    from heedful.pipeline.progress import Progress as Callback

LINE_SECONDS = 30.0


@contextmanager
def stage_bars() -> Iterator[Callback]:
    """A callback (what, done, total) that draws a bar a thing; in a log, a line every half a minute and one at its end."""
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
    began: dict[str, tuple[float, int]] = {}
    said: dict[str, float] = {}

    def show(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        start, before = began.setdefault(what, (now, done))  # a resumed run does not begin at 0
        if done >= total:
            print(f"{what}: {total:,} in {now - start:.1f} s", file=sys.stderr, flush=True)
        elif done > before and now - said.setdefault(what, start) >= LINE_SECONDS:
            said[what] = now
            left = (now - start) / (done - before) * (total - done)
            print(f"{what}: {done:,} of {total:,}, about {left:.0f} s left", file=sys.stderr, flush=True)

    return show
