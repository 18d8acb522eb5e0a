"""`heedful compare`: finished studies beside each other, on one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from heedful.report import Comparison


def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR DIR …", help="Run folders that `heedful study` wrote.")],
    out: Annotated[Path, typer.Option(help="Where comparison.html and comparison.json go.")] = Path("runs"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: claims and estimates by model.")
    ] = False,
) -> None:
    """Put finished studies beside each other: claims, skills, depth, transfer, sizes, and whether the models differ.

    Nothing is computed anew. `heedful study A B C` studies several models and ends with the same page.

    Example:

    `heedful compare runs/pico-llama runs/pico-qwen`
    """
    from heedful.report import compare_runs

    show(compare_runs(folders, out), as_json)


def show(found: Comparison, as_json: bool) -> None:
    """One screen: the outcome of every claim, by model, and over which tasks they are compared where not over all."""
    if as_json:
        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title="What the paper claims, by model", title_justify="left")
    table.add_column("claim")
    for model in found.models:
        table.add_column(Text(model.name))
    for claim in next(iter(found.claims.values())):
        table.add_row(claim, *(found.claims[model.name][claim] for model in found.models))
    Console().print(table)
    for caution in found.cautions:
        typer.echo(f"Compare with care: {caution}")
    for said in found.on_c6:
        typer.echo(f"C6, {said}")
    typer.echo(f"Comparison: {found.report}")
