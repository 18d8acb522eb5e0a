"""The flags of a model at a URL, once for every command that asks one; and a conversation from flags. Knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from heedful.constraints import read_json_file
from heedful.errors import InputError

_URL = "At a URL"

At = Annotated[
    str | None, typer.Option(metavar="MODEL", help="The model's name, as the server has it.", rich_help_panel=_URL)
]
EndpointOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--endpoint",
        metavar="NAME=VALUE",
        help="thinking, structures, continues, stream, patience, deadline, retries, tokens_field; repeatable.",
        rich_help_panel=_URL,
    ),
]
Body = Annotated[
    str | None,
    typer.Option("--body", metavar="JSON", help="More fields of a request; null takes one out.", rich_help_panel=_URL),
]


def options_of(endpoint: Sequence[str] | None, body: str | None) -> dict[str, Any]:
    """Options of an endpoint from `--endpoint` and `--body`; errors as of `read_options`."""
    from heedful.control.options import read_options

    return read_options([*(endpoint or ()), *([] if body is None else [f"body={body}"])])


def conversation(prompt: str | None, system: str | None, messages: Path | None) -> list[dict[str, Any]]:
    """What is asked: a system message, the messages of a file, and a prompt after them.

    Raises:
        InputError: nothing is asked, the file holds no list of messages, or there are two system messages.
    """
    turns = [] if messages is None else read_json_file(messages)
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise InputError(f"{messages} is no list of messages", 'write [{"role": "user", "content": "…"}]')
    if prompt is not None:
        if not prompt.strip():
            raise InputError("the prompt is empty", "say what is to be written")
        turns = [*turns, {"role": "user", "content": prompt}]
    if not turns:
        raise InputError("nothing is asked", "give a PROMPT (- reads standard input), or --messages FILE")
    if system is not None:
        if turns[0].get("role") == "system":
            raise InputError(f"two system messages: --system, and one in {messages}", "give only one")
        turns = [{"role": "system", "content": system}, *turns]
    return turns
