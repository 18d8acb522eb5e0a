"""`heedful guard`: an answer that is held to constraints. Turns flags into a `Guard` and its result into words or JSON."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heedful.cli.asking import At, Body, EndpointOptions, conversation, options_of
from heedful.cli.check import COLOURS, reason_of, status_of
from heedful.cli.flags import takes_constraints
from heedful.cli.terminal import printable, read_standard_input
from heedful.constraints import Constraint
from heedful.constraints.conflicts import check_together
from heedful.errors import InputError
from heedful.interrupt import INTERRUPTED, raising

if TYPE_CHECKING:
    from heedful.control.result import Alert, Guarded

_HOW = "How"
_BUDGET = "Budget"


@takes_constraints
def guard(
    model: Annotated[str, typer.Argument(metavar="MODEL|URL", help="A hub id, a folder, an embedded model, or a URL.")],
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="What is asked; - reads standard input.", show_default=False)
    ] = None,
    asked: list[Constraint] | None = None,
    policy: Annotated[
        str, typer.Option(help="What to do about drafts that fail: name:option=value.", rich_help_panel=_HOW)
    ] = "refine",
    mode: Annotated[str, typer.Option(help="shadow, warn, stop or repair.", rich_help_panel=_HOW)] = "repair",
    stream: Annotated[
        bool, typer.Option("--stream", help="Show the text as it may go out (hold_window).", rich_help_panel=_HOW)
    ] = False,
    window: Annotated[
        int | None, typer.Option(help="Characters that a stream holds back; 120 by default.", rich_help_panel=_HOW)
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="A system message before all others.", rich_help_panel=_HOW)
    ] = None,
    messages: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A JSON list of messages before PROMPT.", rich_help_panel=_HOW),
    ] = None,
    monitors: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Probe monitors of this model.", rich_help_panel=_HOW)
    ] = None,
    temperature: Annotated[float, typer.Option(help="Of drafts; 0 is greedy.", rich_help_panel=_HOW)] = 1.0,
    top_p: Annotated[float, typer.Option(help="Draw among tokens of this probability.", rich_help_panel=_HOW)] = 1.0,
    max_new_tokens: Annotated[int, typer.Option(help="Of one draft.", rich_help_panel=_HOW)] = 256,
    seed: Annotated[int, typer.Option(help="Decides what is drawn.", rich_help_panel=_HOW)] = 0,
    budget_tokens: Annotated[
        int | None, typer.Option(help="Tokens in all: prompts, drafts and judges'.", rich_help_panel=_BUDGET)
    ] = None,
    budget_calls: Annotated[
        int | None, typer.Option(help="Calls in all: drafts and judges'.", rich_help_panel=_BUDGET)
    ] = None,
    budget_seconds: Annotated[float | None, typer.Option(help="Seconds in all.", rich_help_panel=_BUDGET)] = None,
    at: At = None,
    endpoint: EndpointOptions = None,
    body: Body = None,
    log: Annotated[Path | None, typer.Option(metavar="FILE", help="Append what was done, a line a request.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: the result.")] = False,
) -> None:
    """Ask a model, and see to it that its answer keeps to constraints.

    Examples:

    `heedful guard pico-llama "Write a note to a neighbour. Use at most 20 words. Avoid insults." --max-words 20 --no-toxicity`

    `heedful guard pico-llama 'Write a card. Use the word "lamp".' --include lamp --policy best_of_n:n=8 --budget-tokens 2000`

    `heedful guard http://localhost:8000/v1 "Describe the harbour." --at my-model --max-words 50 --stream`

    `heedful guard http://localhost:8000/v1 --messages chat.json --at my-model --json-object --policy structure --endpoint
    structures=true --endpoint thinking=true --body '{"top_k": 20, "seed": null}'`

    The prompt should say what is wanted: constraints are checked, and told to the model only as feedback. `heedful policies`
    lists and compares the policies. A server's key is taken from HEEDFUL_API_KEY.

    Exit status: **0** everything passes, **1** a constraint is violated, **2** the input cannot be used (a URL, key or
    model that the server refuses, too), **3** nothing is violated but something could not be checked, the answer is not whole
    (which is not a pass), or the server is down or busy, **130** interrupted: the best draft so far is printed all the same.
    """
    from heedful.control.budget import Budget
    from heedful.control.guard import MODES, WINDOW, Guard
    from heedful.control.log import check_log
    from heedful.control.opening import open_upstream
    from heedful.control.upstream import Sampling

    if not asked:
        raise InputError(
            "no constraint is given, so there is nothing to guard",
            "add a flag such as --max-words 50, or --constraints FILE; heedful check --list shows all there are",
        )
    known = {each: each for each in MODES}
    if mode not in known:
        raise InputError(f"mode is {mode!r}", f"choose among {', '.join(MODES)}")
    holds = stream and mode in ("repair", "stop")
    if window is not None and not holds:
        raise InputError(
            f"--window {window} is of a stream that holds text back, and "
            + (f"the mode {mode} holds none" if stream else "none is asked for"),
            f"leave it out, or {'take the mode stop or repair' if stream else 'add --stream'}",
        )
    for constraint in asked:  # before a model is loaded
        constraint.check_scorable()
    for clash in check_together(asked):
        typer.secho(f"heedful: hardly a text can pass: {printable(clash.why)}", fg="yellow", err=True)
    if log is not None:
        check_log(log)
    asking = conversation(read_standard_input("prompt") if prompt == "-" else prompt, system, messages)
    sampling = Sampling(temperature, top_p, max_new_tokens, seed)
    guarded = Guard(
        open_upstream(model, name=at, monitors=monitors, options=options_of(endpoint, body)),
        asked,
        policy,
        Budget(budget_tokens, budget_calls, budget_seconds),
        mode=known[mode],
        release="hold_window" if holds else None,
        window=WINDOW if window is None else window,
        log=log,
        on_alert=None if as_json else _warn if mode == "warn" else None,
        logger=logging.Logger("heedful guard", logging.ERROR),  # its own: warnings are what is printed below
    )
    showing = stream and not as_json
    status = None
    with guarded.stream(asking, sampling) as pieces:
        try:
            with raising():
                for piece in pieces:
                    if showing:
                        typer.echo(piece, nl=False)
                        sys.stdout.flush()
        except KeyboardInterrupt:  # the best draft until then is still to be had
            status = INTERRUPTED
            pieces.close()
    result = pieces.result
    status = _status(result) if status is None else status
    if as_json:
        typer.echo(json.dumps({"status": status, **result.to_dict()}, ensure_ascii=False))
    else:
        typer.echo("" if showing else printable(result.text))
        _explain(result, shown=showing)
    raise typer.Exit(status)


def _status(result: Guarded) -> int:
    return status_of(result.verdicts) or (0 if result.passed else 3)


def _warn(alert: Alert) -> None:
    typer.secho(f"\n{alert.by}: {printable(alert.reason)}", fg="yellow", err=True)


def _explain(result: Guarded, *, shown: bool) -> None:
    """On stderr, so that the answer can be piped: what holds, what it took, and why it ended."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    if shown and result.released != result.text:
        console.print(Text(f"the best draft, not released: {printable(result.text)}", style="yellow"))
    for verdict in result.verdicts:
        line = Text(f"{verdict.outcome:9}", style=COLOURS[verdict.outcome])
        said = printable(reason_of(verdict)).replace("\n", " ")
        console.print(line.append(f"{verdict.constraint}: {said or verdict.expected}", style="none"))
    for number, attempt in enumerate(result.attempts):
        why = f": {printable(attempt.why)}" if attempt.why else ""
        best = " ← the answer" if number == result.best and len(result.attempts) > 1 else ""
        console.print(Text(f"{attempt.what}, {attempt.usage.total} tokens, {attempt.ended}{why}{best}", style="dim"))
    judged = (
        f" ({result.judged.usage.total} of them in {result.judged.calls} calls of judges)"
        if result.judged.calls
        else ""
    )
    console.print(
        f"{result.stopped}: {printable(result.why)}; {result.usage.prompt} + {result.usage.completion} tokens{judged}, "
        f"{result.seconds:.1f} s",
        markup=False,
    )
    if result.would:
        console.print(Text(f"would have: {printable(result.would)}", style="yellow"))
