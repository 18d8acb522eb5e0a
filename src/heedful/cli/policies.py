"""`heedful policies`: which policy is worth its price on a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heedful.cli.asking import At, Body, EndpointOptions, options_of
from heedful.cli.terminal import stdout_console
from heedful.errors import InputError

if TYPE_CHECKING:
    from heedful.workbench.policies import Comparison, Estimate


def policies(
    model: Annotated[
        str, typer.Argument(metavar="MODEL|URL", help="A hub id, a folder, an embedded model, or a URL.")
    ] = "pico-llama",
    these: Annotated[
        list[str] | None, typer.Option("--policy", metavar="NAME:OPTION=VALUE", help="Only these; repeatable.")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="Instructions, the same for every policy.")] = 60,
    constraints: Annotated[str, typer.Option(help="How many constraints an instruction has, in turn.")] = "1,2,3",
    seed: Annotated[int, typer.Option(help="Decides instructions and drafts.")] = 0,
    temperature: Annotated[float, typer.Option(help="Of drafts; 0 is greedy.")] = 1.0,
    max_new_tokens: Annotated[int, typer.Option(help="Of one draft.")] = 160,
    budget_tokens: Annotated[int | None, typer.Option(help="Of each request.")] = None,
    monitors: Annotated[Path | None, typer.Option(metavar="DIR", help="Probe monitors of this model.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a page, too.")] = None,
    at: At = None,
    endpoint: EndpointOptions = None,
    body: Body = None,
    list_them: Annotated[bool, typer.Option("--list", help="List the policies.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare policies on a model: what they make comply, tokens, calls, seconds, and drafts stopped wrongly.

    Examples:

    `heedful policies pico-llama`

    `heedful policies pico-llama --constraints 3 --policy abort --policy best_of_n:n=8 --html policies.html`

    `heedful policies http://localhost:8000/v1 --at my-model --endpoint thinking=true`

    Exit status: **0** done, **2** the input cannot be used, **3** the server is down or busy.
    """
    from heedful.control.policies import known_policies

    if list_them:
        found = known_policies()
        typer.echo(
            json.dumps(found, ensure_ascii=False) if as_json else "\n".join(f"{k}\n    {v}" for k, v in found.items())
        )
        return
    import asyncio

    from heedful.cli.bars import stage_bars
    from heedful.cli.pages import check_page
    from heedful.control.budget import Budget
    from heedful.control.opening import open_upstream
    from heedful.control.upstream import Sampling
    from heedful.models.catalogue import embedded_models
    from heedful.workbench.policies import POLICIES, compare_policies

    counts = _counts(constraints)
    if html is not None:
        check_page(html)
    with stage_bars() as progress:
        compared = asyncio.run(
            compare_policies(
                open_upstream(model, name=at, monitors=monitors, options=options_of(endpoint, body)),
                policies=these or POLICIES,
                n=n,
                constraints=counts,
                seed=seed,
                sampling=Sampling(temperature, max_tokens=max_new_tokens),
                budget=Budget(tokens=budget_tokens),
                checks=model in {each.name for each in embedded_models()},
                progress=progress,
            )
        )
    if as_json:
        typer.echo(json.dumps(compared.to_dict(), ensure_ascii=False))
    else:
        _print(compared)
    if html is not None:  # last, so that a page that cannot be written takes nothing along
        from heedful.report.guarded import policies_page
        from heedful.store.atomic import atomic_write

        typer.echo(atomic_write(html, policies_page(compared.to_dict())), err=as_json)


def _counts(given: str) -> list[int]:
    try:
        return [int(part) for part in given.split(",")]
    except ValueError:
        raise InputError(
            f"--constraints is {given!r}", "give numbers from 1 to 3, separated by commas: 1,2,3"
        ) from None


def _print(found: Comparison) -> None:
    from rich.table import Table

    console = stdout_console()
    about = f"{found.instructions} instructions over {found.bases} base prompts, intervals at 95 %"
    table = Table(title=f"{found.model}: {about}", title_justify="left")
    table.add_column("policy", no_wrap=True)
    for column in ("all kept, %", "others, %", "tokens", "×", "calls", "s"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in found.policies:
        table.add_row(
            row.policy,
            _shown(row.passed),
            "–" if row.others is None else _shown(row.others),
            f"{row.tokens.estimate:.0f}",
            f"{row.price.estimate:.1f}",
            f"{row.calls.estimate:.1f}",
            f"{row.seconds.estimate:.1f}",
        )
    console.print(table)
    console.print(
        "all kept: answers that keep every constraint; others: the same as other verifiers judge; ×: times the tokens of "
        "unguarded; calls, s: drafts and seconds a request"
    )
    for row in found.policies:
        if row.aborted:
            console.print(f"{row.policy}: {row.aborted} drafts stopped, {row.false_stops} of which would have complied")
    tasks = Table(title="By task, % kept", title_justify="left")
    tasks.add_column("task", no_wrap=True)
    for row in found.policies:
        tasks.add_column(row.policy, justify="right", overflow="fold")
    for task in found.tasks:
        kept = (row.by_task[task] for row in found.policies)
        tasks.add_row(task, *("–" if each is None else f"{100 * each.estimate:.0f}" for each in kept))
    console.print(tasks)


def _shown(value: Estimate) -> str:
    return f"{100 * value.estimate:.0f} [{100 * value.low:.0f}, {100 * value.high:.0f}]"
