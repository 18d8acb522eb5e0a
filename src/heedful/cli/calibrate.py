"""`heedful calibrate`: are the lenses right where the truth is known?"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heedful.cli.names import split_names

if TYPE_CHECKING:
    from rich.table import Table

    from heedful.planted import Calibration, Share

EXAMPLES = """
Synthetic hidden states with a known mechanism are put through the same lenses as a model's: one direction for every task,
a direction for each, clusters, one-way dependencies, early and late emergence, planning and monitoring, nothing at all, a
surprise detector, and confounds only.

    heedful calibrate --draws 3                  a first look, some minutes

    heedful calibrate --draws 200                the whole calibration, hours; stopped, the same command goes on

    heedful calibrate --mechanisms universal,independent --hidden 4096 --out runs/wide

Exit status: 0 done, 2 the input cannot be used.
"""


def calibrate(
    draws: Annotated[int, typer.Option(min=1, help="Draws of each mechanism.")] = 5,
    mechanisms: Annotated[str | None, typer.Option(help="Names, separated by commas; all by default.")] = None,
    hidden: Annotated[int, typer.Option(min=32, help="Width of a hidden state.")] = 256,
    squares: Annotated[int, typer.Option(min=25, help="Contrast squares a task.")] = 200,
    natural: Annotated[int, typer.Option(min=100, help="Natural responses a task.")] = 400,
    strength: Annotated[
        float, typer.Option(min=0.0, help="d' of a full trace, to the best linear probe there could be.")
    ] = 2.5,
    no_coverage: Annotated[
        bool, typer.Option("--no-coverage", help="Leave out the truth of intervals, a third of the time.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes, one core each; as many as there are cores.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the draws; those that are there are kept.")] = Path(
        "runs/calibration"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Put the lenses to planted mechanisms, and say how often they are right."""
    from heedful.cli.bars import stage_bars
    from heedful.planted import MECHANISMS, Size
    from heedful.planted import calibrate as run

    names = split_names(mechanisms, "--mechanisms") or tuple(MECHANISMS)
    size = Size(hidden=hidden, squares=squares, natural=natural, strength=strength)
    with stage_bars() as progress:
        found = run(
            out, draws, mechanisms=names, size=size, coverage=not no_coverage, jobs=jobs or _cores(), progress=progress
        )
    if as_json:
        typer.echo(json.dumps(found.to_dict(), allow_nan=False))
    else:
        _show(found)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


calibrate.__doc__ = f"{calibrate.__doc__}\n{EXAMPLES}"


def _show(found: Calibration) -> None:
    from rich.console import Console

    console = Console()
    console.print(_verdicts(found))
    if rest := [table for table in (_rates(found), _dependencies(found)) if table.row_count]:
        for table in rest:
            console.print(table)
    taken = ", ".join(f"{bench} {seconds:.1f} s" for bench, seconds in found.seconds().items())
    console.print(f"Median time of a draw, on one core where there are several jobs: {taken}.")


def _verdicts(found: Calibration) -> Table:
    table = _table("Verdicts by mechanism: the right one is marked", "mechanism", "claim", "right", *_OUTCOMES)
    for (name, claim), (right, given) in found.confusion().items():
        n = sum(given.values())
        cells = [f"{given[o]} ✓" if o == right else str(given[o] or "·") for o in _OUTCOMES]
        table.add_row(name, claim, f"{given[right] / n:.0%}", *cells)
    return table


_OUTCOMES = ("supported", "contradicted", "undecided")


def _rates(found: Calibration) -> Table:
    table = _table("False positives (at most 5 %) and coverage (95 %)", "", "rate", "of", "95 % interval")
    _add(table, "a verdict is wrong and sure, of all above", found.sure_and_wrong())
    for name, share in found.false_positives().items():
        _add(table, f"{name} where nothing is planted", share)
    for name, share in found.coverage().items():
        _add(table, f"interval of {name} holds the truth", share)
    return table


def _add(table: Table, name: str, share: Share) -> None:
    if share.n:
        low, high = share.interval()
        table.add_row(name, f"{share.value:.1%}", f"{share.n:,}", f"[{low:.1%}, {high:.1%}]")


def _dependencies(found: Calibration) -> Table:
    table = _table(
        "Planted against found", "mechanism", "edges: precision", "recall", "transfer: median correlation", "least"
    )
    edges, correlations = found.edges(), found.transfer_correlation()
    for name in dict.fromkeys((*edges, *correlations)):
        row = [f"{share.value:.2f}" for share in edges[name]] if name in edges else ["", ""]
        values = sorted(correlations.get(name, []))
        row += [f"{values[len(values) // 2]:.3f}", f"{values[0]:.3f}"] if values else ["", ""]
        table.add_row(name, *row)
    return table


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right")
    return table
