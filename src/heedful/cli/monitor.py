"""`heedful monitor`: probe monitors from a study, and what they are worth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heedful.cli.names import split_names
from heedful.cli.once import OnceEach

if TYPE_CHECKING:
    from rich.table import Table

    from heedful.control.monitors import Monitors, Parity

monitor = typer.Typer(
    help="The risk, while a model writes, that its finished response will violate.", rich_markup_mode="markdown"
)

TRAIN_EXAMPLES = """
A monitor scores every token by a probe on hidden states, and proposes to stop where the score passes a threshold that holds
the stated rate of false alarms. It learns on the study's own responses; the model answers further base prompts to set the
threshold and to say what the monitor is worth.

    heedful monitor train runs/pico-llama                               all tasks of the study

    heedful monitor train runs/pico-llama --tasks include,topic         some of them

    heedful monitor train runs/pico-llama --false-alarms 0.01           alarms on at most 1 % of compliant responses

    heedful monitor train runs/mine --model /new/place                  of a study whose model has been moved

Killed or interrupted, the same command goes on from what the model had answered.

Exit status: 0 done, 2 the input cannot be used.
"""

SHOW_EXAMPLES = """
Every figure is of base prompts that neither taught nor calibrated the monitors.

    heedful monitor show runs/pico-llama/monitors           a table; card.html in that folder is the page

    heedful monitor show runs/pico-llama/monitors --json    the same as one JSON object

    heedful monitor show runs/pico-llama/monitors --check   and whether live scores equal replayed ones on this machine

Exit status: 0 done, 2 the input cannot be used.
"""


@monitor.command("train", cls=OnceEach)
def train(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder of a study.")],
    out: Annotated[Path | None, typer.Option(help="The folder to write; RUN/monitors by default.")] = None,
    false_alarms: Annotated[float, typer.Option(help="Share of compliant responses that may raise an alarm.")] = 0.05,
    tasks: Annotated[
        str | None, typer.Option(help="Tasks, separated by commas; all of the study's by default.")
    ] = None,
    calibration_prompts: Annotated[
        int | None,
        typer.Option(help="Base prompts to calibrate on (200; of prompts of your own 100). Fewer hold less."),
    ] = None,
    responses: Annotated[int, typer.Option(min=1, help="Responses to each further base prompt and task.")] = 2,
    smoothing: Annotated[
        str, typer.Option(help="How several tokens agree: mean, count (k of the last m), or best (on training folds).")
    ] = "mean",
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Where the study's model lies, if it has been moved.")
    ] = None,
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE.py|MODULE", help="Run this code, which defines constraints of the study's own skills."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train, calibrate and judge the monitors of a study's model."""
    from heedful.cli.bars import stage_bars
    from heedful.constraints import load_plugin
    from heedful.workbench.monitors import train_monitors

    for name in plugin or []:
        load_plugin(name)
    names = split_names(tasks, "--tasks")
    folder = out or run / "monitors"
    with stage_bars() as progress:
        made = train_monitors(
            run,
            folder,
            false_alarms=false_alarms,
            tasks=names,
            calibration_prompts=calibration_prompts,
            responses=responses,
            smoothing=smoothing,
            place=model,
            progress=progress,
        )
    _print(made, folder, as_json)


@monitor.command("show", cls=OnceEach)
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that holds monitors.")],
    check: Annotated[
        bool, typer.Option("--check", help="Load their model, and see that live scores equal replayed ones here.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Where their model lies, for --check; by default its name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what monitors read, how they were calibrated and what they are worth."""
    from heedful.control.monitors import load_monitors

    monitors, now = load_monitors(folder), None
    if check:
        from heedful.workbench.monitors import check_parity

        now = check_parity(folder, model)
    _print(monitors, folder, as_json, now)


train.__doc__ = f"{train.__doc__}\n{TRAIN_EXAMPLES}"
show.__doc__ = f"{show.__doc__}\n{SHOW_EXAMPLES}"
for _registered in monitor.registered_commands:  # typer took the docstrings' first lines when they were declared
    _registered.help = _registered.callback.__doc__ if _registered.callback else None


def _print(monitors: Monitors, folder: Path, as_json: bool, now: Parity | None = None) -> None:
    if as_json:
        told_now = {"parity_here": now._asdict()} if now else {}
        typer.echo(json.dumps(card(monitors, folder) | told_now, ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console

    from heedful.control.monitors import CARD_FILE
    from heedful.report.monitors import sources

    console, told = Console(), monitors.card
    parts = told["base_prompts"]
    console.print(
        f"Monitors of {monitors.model['id']}, reading {sources(told)}; base prompts: {parts['training']} to learn from, "
        f"{parts['calibration']} to calibrate on, {parts['test']} to be judged on (below, with 95 % intervals over them)."
    )
    console.print(_worth(told))
    console.print(_auroc(told))
    for task, reason in told["without_monitor"].items():
        console.print(f"No monitor for {task}: {reason}.")
    console.print("An alarm proposes to stop; only a verifier says that a response violates.")
    if now is not None:
        console.print(
            f"Live scores equal replayed ones here: over {now.tokens} tokens they differ by {now.error:.2g} standard "
            f"deviations at the most, and {now.tolerance:g} are allowed."
        )
    console.print(f"Page: {folder / CARD_FILE}", soft_wrap=True)


def card(monitors: Monitors, folder: Path) -> dict[str, Any]:
    """What `--json` prints."""
    each = {
        one.name: {
            "width": one.width,
            "agree": one.agree,
            "threshold": None if one.threshold.value == float("-inf") else one.threshold.value,
            "units": one.threshold.units,
            **monitors.card["tasks"][one.name],
        }
        for one in monitors.each
    }
    parity = monitors.parity._asdict() if monitors.parity else None
    model = {name: monitors.model.get(name) for name in ("id", "revision", "dtype")}
    return {
        "folder": str(folder), "model": model, "sites": list(monitors.sites), "parity": parity, **monitors.card, "tasks": each
    }  # fmt: skip


def _worth(told: Mapping[str, Any]) -> Table:
    from heedful.report.monitors import share

    rate = f"{told['false_alarms']:.0%}".replace("%", " %")
    table = _table(
        f"At most {rate} false alarms", "task", "violate", "false alarms", "band", "caught", "in the first ¾",
        "written, median", "tokens saved",
    )  # fmt: skip
    for task, found in told["tasks"].items():
        low, high = found["band"]
        table.add_row(
            task,
            f"{found['violations']} of {found['responses']}",
            share({**found["alarm_rate"], "low": None}),
            f"{low:.0%}–{high:.0%}",
            *(share(found[name]) for name in ("caught", "caught_in_time", "position", "saved")),
        )
    return table


def _auroc(told: Mapping[str, Any]) -> Table:
    from heedful.report.monitors import plain, shown_positions

    counts = shown_positions(told["tasks"])
    heads = ["whole" if count == "0" else f"{count} tokens" for count in counts]
    table = _table("AUROC by tokens read", "task", "prompt alone", *heads)
    for task, found in told["tasks"].items():
        table.add_row(task, plain(found["auroc_prompt"]), *(plain(found["auroc"].get(count)) for count in counts))
    return table


def _table(title: str, *columns: str) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right", no_wrap=i == 0)
    return table
