"""The `heedful` command: collects the subcommands and turns errors into messages.

Knows no subcommand's business: each lives in its own module, which imports what is heavy inside its function, so that
`heedful check` starts without a tensor library.

Exit status of every command: 0 done (or all constraints hold), 1 a constraint is violated, 2 the input cannot be used,
3 nothing is violated but something could not be checked, or the server that was asked is down or busy, 130 interrupted,
141 whoever read the output closed it.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Sequence
from typing import Annotated, cast

import typer

import heedful
from heedful.cli.calibrate import calibrate
from heedful.cli.chat import chat
from heedful.cli.check import check
from heedful.cli.compare import compare
from heedful.cli.guard import guard
from heedful.cli.ifeval import ifeval
from heedful.cli.log import log
from heedful.cli.models import models
from heedful.cli.monitor import monitor
from heedful.cli.once import OnceEach
from heedful.cli.parse import parse
from heedful.cli.policies import policies
from heedful.cli.report import report
from heedful.cli.study import study
from heedful.errors import HeedfulError, UpstreamError
from heedful.interrupt import INTERRUPTED, said

# `format_message` is defined here, two classes above BadParameter; typer exports no name for it.
_UsageProblem = cast(type[Exception], typer.BadParameter.mro()[2])

_UNREAD = 141  # as of a process that SIGPIPE ended

app = typer.Typer(
    name="heedful",
    help="See, measure and control how a language model follows instructions, skill by skill.",
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,  # an exception that is not a HeedfulError is a bug and keeps its plain traceback
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("study", cls=OnceEach)(study)
app.command("report", cls=OnceEach)(report)
app.command("compare", cls=OnceEach)(compare)
app.command("parse", cls=OnceEach)(parse)
app.command("check", cls=OnceEach)(check)
app.command("ifeval", cls=OnceEach)(ifeval)
app.command("guard", cls=OnceEach)(guard)
app.command("policies", cls=OnceEach)(policies)
app.add_typer(log, name="log")
app.command("calibrate", cls=OnceEach)(calibrate)
app.command("chat", cls=OnceEach)(chat)
app.command("models", cls=OnceEach)(models)
app.add_typer(monitor, name="monitor")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"heedful {heedful.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    A `HeedfulError` becomes a message on stderr and status 2, or 3 where the same call may succeed later; with `--json`,
    also an object on stdout: `{"error": {"cause": ..., "cure": ...}}`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # quotes from a text must not fail on a terminal of another encoding
            stream.reconfigure(errors="backslashreplace")
    try:
        return _status(given)
    except BrokenPipeError:
        pass
    except SystemExit as error:  # typer and rich make one of it, of status 1, which is a violation's
        if not isinstance(error.__context__, BrokenPipeError):
            raise
    # Whoever read stdout has seen enough; Python must not complain when it closes it.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _UNREAD


def _status(given: list[str]) -> int:
    try:
        status = app(given, prog_name="heedful", standalone_mode=False)
        sys.stdout.flush()
        if status == INTERRUPTED:  # typer makes an exit of it
            typer.echo(said(given), nl=False, err=True)
        return status if isinstance(status, int) else 0
    except HeedfulError as error:
        passes = isinstance(error, UpstreamError) and error.retry
        return _report(error.cause, error.cure, as_json="--json" in given, status=3 if passes else 2)
    except _UsageProblem as error:
        command = _command(given)
        cause = cast(typer.BadParameter, error).format_message()
        cure = f"{' '.join(filter(None, ['heedful', command, '--help']))} shows the arguments and flags, with examples"
        return _report(cause, cure, as_json="--json" in given)
    except (typer.Abort, KeyboardInterrupt):
        typer.echo(said(given), nl=False, err=True)
        return INTERRUPTED
    except BrokenPipeError:  # no refusal of a place
        raise
    except OSError as error:  # the system's refusal, where no room knew better
        if error.errno == errno.EBADF:  # only what can be read is let be closed
            return _report("standard input is closed", "give it something to read: < FILE", as_json="--json" in given)
        if error.filename is None:  # of a stream: what is left in it would be tried again, and refused again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        place = "the output" if error.filename is None else str(error.filename)
        return _report(f"{place}: {error.strerror or error}", "give another place", as_json="--json" in given)


def _command(given: Sequence[str]) -> str:
    """The subcommand that was meant, as it is typed; '' if none was."""
    if given[0] in {known.name for known in app.registered_commands}:
        return given[0]
    for group in app.registered_groups:
        if given[0] == group.name and group.typer_instance is not None:
            known = {command.name for command in group.typer_instance.registered_commands}
            return " ".join(given[:2]) if len(given) > 1 and given[1] in known else given[0]
    return ""


def _report(cause: str, cure: str, *, as_json: bool, status: int = 2) -> int:
    typer.echo(f"heedful: {cause}\n  → {cure}", err=True)
    if as_json:
        typer.echo(json.dumps({"error": {"cause": cause, "cure": cure}}, ensure_ascii=False))
    return status
