"""`heedful log view`: what guards did, from the log that they wrote; in the terminal, or as a page that opens offline."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from heedful.cli.check import COLOURS
from heedful.cli.once import OnceEach
from heedful.cli.pages import check_page
from heedful.cli.terminal import printable, stdout_console

log = typer.Typer(help="What guards did.", no_args_is_help=True, rich_markup_mode="markdown")

_ENDED = {"finished": "green", "length": "yellow", "proved": "red", "forecast": "magenta"}
_BAR = 24


@log.command("view", cls=OnceEach)
def view(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A log that a guard wrote (log=…, --log).")],
    failed: Annotated[bool, typer.Option("--failed", help="Only requests that did not end in a pass.")] = False,
    last: Annotated[int | None, typer.Option(min=1, help="Only the last N of them.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a page instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: the totals.")] = False,
) -> None:
    """Show a guard's log: outcomes by constraint, then every request with its attempts.

    Examples:

    `heedful log view guard.jsonl --failed --last 5`

    `heedful log view guard.jsonl --html guard.html`
    """
    from heedful.control.log import read_log

    if html is not None:
        check_page(html)
    read = read_log(file)
    if read.torn:
        numbers = ", ".join(map(str, read.torn))
        many = len(read.torn) > 1
        what = f"lines {numbers} break off and are" if many else f"line {numbers} breaks off and is"
        typer.echo(f"{file}: {what} left out; who wrote {'them' if many else 'it'} was killed", err=True)
    lines = [line for line in read.lines if not (failed and line["passed"])]
    lines = lines[-last:] if last else lines
    found = {"in_log": len(read.lines)} | totals(lines)
    if html is not None:
        from heedful.report.guarded import log_page
        from heedful.store.atomic import atomic_write

        typer.echo(atomic_write(html, log_page(lines, found, file.name)))
    elif as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        _print(lines, found)


def totals(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over all requests: how many passed, outcomes by constraint, how attempts ended, tokens and seconds."""
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        for verdict in line["verdicts"]:
            outcomes[verdict["constraint"]][verdict["outcome"]] += 1
    return {
        "requests": len(lines),
        "passed": sum(line["passed"] for line in lines),
        "constraints": {name: dict(counts) for name, counts in sorted(outcomes.items())},
        "attempts": dict(Counter(attempt["ended"] for line in lines for attempt in line["attempts"])),
        "stopped": dict(Counter(line["stopped"] for line in lines)),
        "tokens": {what: sum(line["tokens"][what] for line in lines) for what in ("prompt", "completion")},
        "judged": {
            what: sum(line.get("judged", {}).get(what, 0) for line in lines)
            for what in ("calls", "prompt", "completion")
        },
        "seconds": round(sum(line["seconds"] for line in lines), 3),
    }


def _print(lines: Sequence[Mapping[str, Any]], found: Mapping[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = stdout_console()
    tokens, judged = found["tokens"], found["judged"]
    asked = f" ({judged['prompt'] + judged['completion']:,} of them in {judged['calls']:,} calls of judges)"
    if len(lines) < found["in_log"]:
        console.print(f"Shown: {len(lines)} of the log's {found['in_log']} requests")
    console.print(
        f"{found['passed']} of {found['requests']} requests passed; {tokens['prompt']:,} + {tokens['completion']:,} tokens"
        f"{asked if judged['calls'] else ''}, {found['seconds']:g} s"
    )
    table = Table(title="By constraint", title_justify="left")
    table.add_column("constraint")
    for outcome, colour in COLOURS.items():
        table.add_column(outcome, justify="right", style=colour)
    for name, counts in found["constraints"].items():
        table.add_row(name, *(str(counts.get(outcome, 0) or "") for outcome in COLOURS))
    console.print(table)
    for line in lines:
        prompt = line["messages"][-1]["content"] if isinstance(line["messages"], list) else "(texts were left out)"
        head = Text("✓ " if line["passed"] else "✗ ", style="green" if line["passed"] else "bold red")
        console.print(head.append(printable(prompt), style="bold"))
        console.print(Text(f"  {line['time'][:19]}  {line['model']}  {line['policy']}, {line['mode']}: {line['why']}"))
        _timeline(console, line)
        if line["would"]:
            console.print(Text(f"  would have: {printable(line['would'])}", style="yellow"))
        if "text" in line:
            console.print(Text(f"  {printable(line['text'])}"))


def _timeline(console: Any, line: Mapping[str, Any]) -> None:
    """A bar an attempt, as long as its share of the completion's tokens."""
    from rich.text import Text

    most = max((attempt["tokens"]["completion"] for attempt in line["attempts"]), default=0) or 1
    for number, attempt in enumerate(line["attempts"]):
        drawn = attempt["tokens"]["completion"]
        bar = "█" * max(1, round(_BAR * drawn / most))
        passed = sum(verdict["outcome"] == "pass" for verdict in attempt["verdicts"])
        row = Text("  ▸ " if number == line["best"] else "    ")
        row.append(f"{bar:<{_BAR}} ", style=_ENDED.get(attempt["ended"], "yellow"))
        row.append(f"{drawn:>4} tokens  {passed} of {len(attempt['verdicts'])}  {attempt['what']}, {attempt['ended']}")
        row.append(f": {printable(attempt['why'])}" if attempt["why"] else "")
        console.print(row)
