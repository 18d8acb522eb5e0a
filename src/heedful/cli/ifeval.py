"""`heedful ifeval`: a model's score on IFEval and IFBench. Turns files of responses into tables, one JSON object or a page.

Knows no instruction's rules: those are in `heedful.constraints.ifeval`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heedful.cli.terminal import on_one_line, stdout_console
from heedful.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from heedful.constraints.ifeval.accuracy import Accuracy
    from heedful.constraints.ifeval.report import Difference, Evaluated

_SHOWN_DIFFERENCES = 20


def ifeval(
    responses: Annotated[
        str,
        typer.Argument(metavar="RESPONSES.jsonl", help="Lines with 'prompt' and 'response'; - reads standard input."),
    ],
    inputs: Annotated[
        str, typer.Option(metavar="INPUTS.jsonl", help="The prompts: key, prompt, instruction_id_list, kwargs.")
    ],
    corrected: Annotated[
        bool,
        typer.Option("--corrected", help="Judge as the prompts ask, and list where the reference judges otherwise."),
    ] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page; it opens offline.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, every row in it.")] = False,
) -> None:
    """Score a model on IFEval or IFBench: strict and loose, by prompt and by instruction.

    The inputs are either benchmark's own file (Zhou et al. 2023, Pyatkin et al. 2025), or lines of both. Without flags every
    verdict is the published reference's, quirks included, so that figures compare. The language of a text needs the extra
    `heedful[ifeval]`; without it those instructions are unscored, as are always two of IFBench's 58 types
    (words:start_verb, words:odd_even_syllables).

    Examples:

    `heedful ifeval answers.jsonl --inputs input_data.jsonl`

    `heedful ifeval answers.jsonl --inputs input_data.jsonl --corrected --html ifeval.html`

    In `--json`, `rows` holds for each prompt its `key`, and `strict` and `loose`: lists of true, false or null (not judged,
    or not answered), in the order of the prompt's instructions.

    Exit status: **0** every instruction is followed (strictly), **1** one is violated, **2** the input cannot be used, **3**
    none is violated but one could not be judged, or a prompt has no response.
    """
    from heedful.cli.bars import stage_bars
    from heedful.constraints.ifeval.report import evaluate
    from heedful.constraints.ifeval.rows import match_responses, read_prompts

    if html is not None:
        _page_can_be_written(html)
    matched = match_responses("/dev/stdin" if responses == "-" else responses, read_prompts(inputs))
    with stage_bars() as progress:
        found = evaluate(matched, corrected=corrected, progress=progress)
    if as_json:
        typer.echo(json.dumps(_as_json(found), ensure_ascii=False))
    else:
        _show(found)
    if html is not None:  # last, so that a page that cannot be written after all takes no figures along
        from heedful.cli.ifeval_page import write_page

        sys.stdout.flush()
        write_page(html, found, "standard input" if responses == "-" else Path(responses).name)
        if not as_json:
            typer.echo(f"Page: {html}")
    raise typer.Exit(found.status)


def _page_can_be_written(html: Path) -> None:
    """Before anything is judged, so that nobody waits for a page that cannot come."""
    from heedful.cli.pages import check_page

    check_page(html)
    from importlib.util import find_spec

    if find_spec("jinja2") is None:
        raise InputError("--html needs jinja2, which is not installed", "pip install jinja2, or 'heedful[probe]'")


def _as_json(found: Evaluated) -> dict[str, Any]:
    return {
        "status": found.status,
        "corrected": found.corrected,
        "prompts": found.prompts,
        "missing": found.matched.missing,
        "unknown": found.matched.unknown,
        "accuracy": {
            mode: {
                "prompt": _numbers(scores.prompt),
                "instruction": _numbers(scores.instruction),
                "by_type": {name: _numbers(each) for name, each in scores.by_type.items()},
                "by_family": {name: _numbers(each) for name, each in scores.by_family.items()},
            }
            for mode, scores in found.scores.items()
        },
        "notes": found.notes,
        "differences": [each._asdict() for each in found.differences],
        "rows": found.rows(),
    }


def _numbers(accuracy: Accuracy) -> dict[str, Any]:
    return {"value": accuracy.value, **asdict(accuracy)}


def _show(found: Evaluated) -> None:
    from rich.text import Text

    console = stdout_console()
    console.print(_overall(found))
    console.print(_by_type(found))
    for note in found.notes:
        console.print(Text(note))
    if found.corrected:
        _show_differences(console.print, found.differences)


def _overall(found: Evaluated) -> Table:
    answered = found.prompts - found.matched.missing
    judged = "as the prompts ask" if found.corrected else "as the reference judges"
    table = _table(f"{found.benchmarks}: {answered:,} responses, judged {judged}", "per cent", "strict", "loose")
    table.add_row("prompt", *(_percent(scores.prompt) for scores in found.scores.values()))
    table.add_row("instruction", *(_percent(scores.instruction) for scores in found.scores.values()))
    return table


def _by_type(found: Evaluated) -> Table:
    strict, loose = found.scores["strict"], found.scores["loose"]
    table = _table("By type of instruction, in per cent", "type", "of", "strict", "loose")
    for family, whole in strict.by_family.items():
        table.add_section()
        types = [name for name in strict.by_type if name.startswith(f"{family}:")]
        row = (str(whole.scored), _percent(whole), _percent(loose.by_family[family]))
        if len(types) == 1:
            table.add_row(types[0], *row)
            continue
        table.add_row(family, *row, style="bold")
        for name in types:
            each = strict.by_type[name]
            table.add_row(f"  {name.split(':')[1]}", str(each.scored), _percent(each), _percent(loose.by_type[name]))
    return table


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        # Of a narrow terminal the names give way, and never a number.
        table.add_column(column, justify="right" if place else "left", no_wrap=place > 0, overflow="fold")
    return table


def _percent(accuracy: Accuracy) -> str:
    if accuracy.value is None:
        return "unscored"
    return f"{100 * accuracy.value:.1f} [{100 * accuracy.low:.1f}, {100 * accuracy.high:.1f}]"


def _show_differences(say: Any, differences: Sequence[Difference]) -> None:
    from rich.text import Text

    n = len(differences)
    told = f"{n} instruction{' is' if n == 1 else 's are'} judged otherwise than by the reference"
    say(Text(f"{told}:" if n else "No instruction is judged otherwise than by the reference."))
    for each in differences[:_SHOWN_DIFFERENCES]:
        modes = [f"{mode} {a} → {b}" for mode, (a, b) in (("strict", each.strict), ("loose", each.loose)) if a != b]
        line = f"  {each.key} {each.instruction}: {', '.join(modes)}: {each.why}"
        say(Text(on_one_line(line)))
    if len(differences) > _SHOWN_DIFFERENCES:
        say(Text(f"  and {len(differences) - _SHOWN_DIFFERENCES} more: --json and --html list them all"))
