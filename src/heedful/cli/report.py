"""`heedful report`: make the page of a finished study again, and open it.

Knows neither results nor HTML: those are the report room's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder that `heedful study` wrote.")],
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Show it in your browser when it is written.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: the path and the findings.")] = False,
) -> None:
    """Write report.html from the results of a finished study.

    Nothing is computed anew: the page is drawn from the tables and results in the folder. It opens offline.

    Examples:

    `heedful report runs/pico-llama --open`

    `heedful report runs/pico-llama --json`
    """
    from heedful.report import summarise, write_report
    from heedful.report.page import open_report

    written = write_report(folder)
    if as_json:
        typer.echo(json.dumps({"report": str(written), **summarise(folder)}, ensure_ascii=False))
    else:
        typer.echo(f"the report is at {written}")
    if open_it and not open_report(written):
        typer.echo("heedful: no browser could be started here; open the file yourself", err=True)
