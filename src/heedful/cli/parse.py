"""`heedful parse`: which constraints do these words ask for? Prints each with its words, and what was left unread.

Knows no rule of reading: those are in `heedful.constraints.words`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from heedful.cli.terminal import on_one_line, read_standard_input
from heedful.constraints.words import Parsed
from heedful.constraints.words import parse as parse_text
from heedful.errors import InputError


def parse(
    text: Annotated[
        str, typer.Argument(metavar="[TEXT]", help="The request, in English; - or none: standard input.")
    ] = "-",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the constraints as JSON, for heedful check --constraints.")
    ] = False,
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print them as YAML, each with its words in a comment.")
    ] = False,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Exit with 0 though something was not understood or contradicts itself.")
    ] = False,
) -> None:
    """Turn a request into the constraints that it asks for.

    Examples:

    `heedful parse "Write at most 50 words about rivers, formal, as JSON with keys title and body"`

    `heedful parse --yaml - < prompt.txt > rules.yaml && heedful check answer.txt --constraints rules.yaml`

    What sounds like a requirement and was not understood is listed as such; how much slips through is measured, see the
    README. With --json and --yaml that goes to standard error, so that standard output is a file of constraints.

    Exit status: **0** all that was noticed is understood, **2** the input cannot be used, **3** something was not
    understood, or two requirements contradict each other (0 with --lenient).
    """
    if as_json and as_yaml:
        raise InputError("--json and --yaml are both given", "choose one")
    request = read_standard_input("request") if text == "-" else text
    if not request.strip():
        raise InputError("the request is empty", 'write it in quotation marks: heedful parse "At most 50 words."')
    if text != "-" and len(text) < 256 and "\0" not in text and Path(text).is_file():
        raise InputError(f"{text} is a file, and the request is given in words", f"heedful parse - < {text}")
    parsed = parse_text(request)
    if as_json:
        typer.echo(json.dumps([constraint.to_dict() for constraint in parsed.constraints], ensure_ascii=False))
    elif as_yaml:
        typer.echo(_yaml(parsed))
    else:
        _print_table(parsed)
    if not parsed.readings:
        typer.echo("No constraint was read. What can be is English, as “at most 50 words” is.", err=as_json or as_yaml)
    _print_left(parsed, err=as_json or as_yaml)
    raise typer.Exit(0 if parsed.understood or lenient else 3)


def _yaml(parsed: Parsed) -> str:
    if not parsed.readings:
        return "[]"
    return "\n".join(
        f"- {_flow(reading.constraint.to_dict())}  # {on_one_line(parsed.words(*reading.spans))}"
        for reading in parsed.readings
    )


def _flow(value: object) -> str:
    """On one line, in braces."""
    return yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=sys.maxsize
    ).strip()


def _print_table(parsed: Parsed) -> None:
    if not parsed.readings:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("constraint", no_wrap=True)
    table.add_column("asks", overflow="fold")
    table.add_column("read from", overflow="fold")
    for reading in parsed.readings:
        words = f"“{on_one_line(parsed.words(*reading.spans))}”"
        table.add_row(reading.constraint.id, Text(on_one_line(reading.constraint.describe())), Text(words))
    Console().print(table)


def _print_left(parsed: Parsed, *, err: bool) -> None:
    for clash in parsed.contradictions:
        places = (parsed.words(*reading.spans) for reading in (clash.first, clash.second))
        both = " and ".join(f"“{on_one_line(words)}”" for words in places)
        typer.echo(f"contradiction: {both}: {on_one_line(clash.why)}", err=err)
    for unread in parsed.unread:
        typer.echo(f"unread: “{on_one_line(parsed.words(unread.span))}”: {on_one_line(unread.why)}", err=err)
