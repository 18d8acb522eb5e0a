"""`heedful check`: does a text comply? Turns flags into constraints and verdicts into a table or JSON.

Knows no constraint's rules: those are in `heedful.constraints`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple

import typer
from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from heedful.cli.flags import MORE, takes_constraints
from heedful.cli.terminal import printable, read_standard_input, stdout_console
from heedful.constraints import Constraint, FieldHelp, Verdict, field_help, known_constraints, read_text
from heedful.constraints import check as check_text
from heedful.constraints.conflicts import conflicts
from heedful.errors import InputError

COLOURS = {"pass": "green", "fail": "bold red", "unscored": "yellow", "error": "bold yellow"}


@takes_constraints
def check(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Texts to check, UTF-8; - or none: standard input.")
    ] = None,
    asked: list[Constraint] | None = None,
    list_them: Annotated[
        bool, typer.Option("--list", help="List the constraints and their fields.", rich_help_panel=MORE)
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Check texts against constraints, and say what to change.

    Examples:

    `heedful check note.txt --max-words 50 --include harbour --no-toxicity`

    `cat answer.json | heedful check --json-keys title,year`

    `heedful check drafts/*.txt --constraints rules.yaml --json`

    `heedful check note.txt -c structural/word_count:at_least=20,at_most=50 -c 'lexical/exclude:terms=[very, really]'`

    In rules.yaml, one constraint a line: `- structural/word_count: {at_most: 50}`

    Exit status: **0** everything passes, **1** a constraint is violated, **2** the input cannot be used, **3** nothing
    is violated but something could not be checked (which is not a pass).
    """
    if list_them:
        _print_list(as_json)
        return
    if not asked:
        raise InputError(
            "no constraint is given, so there is nothing to check",
            "add a flag such as --max-words 50, or --constraints FILE; heedful check --list shows all there are",
        )
    for clash in conflicts(asked):
        typer.echo(f"contradiction: {printable(clash.why)}", err=True)
    # All files are read before the first is judged: bad input is reported alone, not after half of a table.
    checked = [_Checked(file, check_text(text, *asked)) for file, text in _read_all(files or ["-"])]
    if as_json:
        _print_json(checked)
    else:
        _print_tables(checked)
    raise typer.Exit(_status(checked))


class _Checked(NamedTuple):
    file: str
    verdicts: list[Verdict]


def _read_all(files: Sequence[str]) -> list[tuple[str, str]]:
    """Each file with its text. InputError names every one that cannot be read."""
    if files.count("-") > 1:
        raise InputError("'-' is given twice, and standard input can be read but once", "give it once")
    texts, unread = [], []
    for file in files:
        try:
            texts.append((file, _read(file)))
        except InputError as error:
            unread.append(error)
    if unread:
        cures = dict.fromkeys(error.cure for error in unread)
        raise InputError(f"{'; '.join(error.cause for error in unread)}; nothing was checked", "; ".join(cures))
    return texts


def _read(file: str) -> str:
    return read_standard_input("text") if file == "-" else read_text(file)


def _status(checked: Sequence[_Checked]) -> int:
    return status_of([verdict for item in checked for verdict in item.verdicts])


def status_of(verdicts: Iterable[Verdict]) -> int:
    """The exit status that verdicts come to: 1 one fails, 3 none fails but not all pass, 0 all pass."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if "fail" in outcomes:
        return 1
    return 0 if outcomes == {"pass"} else 3


def _print_json(checked: Sequence[_Checked]) -> None:
    counts = Counter(verdict.outcome for item in checked for verdict in item.verdicts)
    found = {
        "status": _status(checked),
        "counts": {outcome: counts[outcome] for outcome in ("pass", "fail", "unscored", "error")},
        "texts": [
            {
                "file": item.file,
                "passed": all(verdict.passed for verdict in item.verdicts),
                "verdicts": [verdict.model_dump(mode="json") for verdict in item.verdicts],
            }
            for item in checked
        ],
    }
    typer.echo(json.dumps(found, ensure_ascii=False))


def _print_tables(checked: Sequence[_Checked]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = stdout_console()
    for item in checked:
        passed = sum(verdict.passed for verdict in item.verdicts)
        name = "standard input" if item.file == "-" else item.file
        table = Table(title=Text(f"{printable(name)}: {passed} of {len(item.verdicts)} pass"), title_justify="left")
        table.add_column("outcome", no_wrap=True)
        table.add_column("constraint", no_wrap=True)
        table.add_column("measured", overflow="fold")
        table.add_column("expected", overflow="fold")
        for verdict in item.verdicts:
            table.add_row(
                Text(verdict.outcome, style=COLOURS[verdict.outcome]),
                verdict.constraint,
                Text(printable(_measured(verdict.measured))),
                Text(printable(verdict.expected)),
            )
        console.print(table)
        # Sentences under the table rather than in it: in a column of an 80-character terminal they cannot be read.
        for verdict in item.verdicts:
            line = Text(f"{verdict.constraint}: ", style=COLOURS[verdict.outcome])
            console.print(line.append(printable(reason_of(verdict)), style="none"))


def _measured(value: JsonValue) -> str:
    match value:
        case None:
            return "–"
        case str():
            return value
        case dict():
            return "\n".join(f"{key}: {_measured(item)}" for key, item in value.items())
        case _:
            return json.dumps(value, ensure_ascii=False)


def reason_of(verdict: Verdict) -> str:
    if not verdict.hint or verdict.hint.startswith(verdict.reason):
        return verdict.hint or verdict.reason
    return f"{verdict.reason}\n  → {verdict.hint}"


def _print_list(as_json: bool) -> None:
    classes = known_constraints()
    if as_json:
        fields = {cls.id: [_as_json(cls, field) for field in field_help(cls)] for cls in classes}
        typer.echo(json.dumps({"constraints": fields}, ensure_ascii=False))
        return
    for cls in classes:
        typer.echo(f"{cls.id}\n    {_first_paragraph(cls)}")
        for field in field_help(cls):
            default = "must be given" if field.default is None else f"default {field.default}"
            typer.echo(f"      {field.name} ({default})" + (f": {field.meaning}" if field.meaning else ""))


def _as_json(cls: type[Constraint], field: FieldHelp) -> dict[str, JsonValue]:
    default = None if field.default is None else to_jsonable_python(cls.model_fields[field.name].default)
    return {"name": field.name, "required": field.default is None, "default": default, "meaning": field.meaning}


def _first_paragraph(cls: type[Constraint]) -> str:
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())
