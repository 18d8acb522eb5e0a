"""`heedful chat`: talk to a model, turn by turn. Knows terminals and conversations; the model's business is its room's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from heedful.errors import InputError

EXAMPLES = """
Talk to a model; its answer appears as it is drawn, and the conversation goes on from there.

    heedful chat                                     the embedded pico-llama: nothing to download

    heedful chat pico-gemma --temperature 0          the likeliest answer

    echo 'Write a note. Write formally.' | heedful chat pico-llama --json     one line a turn, one object an answer

/new starts the conversation over, /undo takes the last turn back, /quit (or Ctrl-D) ends, /help names these; so do these lines
in a pipe. The pico models know three kinds of turn: an instruction ('Write a note to a neighbour. Use at most 20 words.'), a
check of the answer ('Check.' or 'Check. Write formally.') and feedback ('Revise: 31 words, at most 20: cut 11.').
"""

_KNOWN = "/new starts over, /undo takes a turn back, /quit ends"


def chat(
    model: Annotated[str, typer.Argument(help="A hub id, a folder, or an embedded model's name.")] = "pico-llama",
    temperature: Annotated[float, typer.Option(help="Sampling temperature; 0 is greedy.")] = 1.0,
    top_p: Annotated[float, typer.Option(help="Draw among the likeliest tokens of this probability in all.")] = 1.0,
    max_new_tokens: Annotated[int, typer.Option(help="Cut an answer off after so many tokens.")] = 256,
    seed: Annotated[int, typer.Option(help="Decides what is drawn.")] = 0,
    system: Annotated[str | None, typer.Option(help="System prompt before the conversation.")] = None,
    no_thinking: Annotated[bool, typer.Option("--no-thinking", help="Ask the chat template not to think.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, auto.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16, auto.")] = "auto",
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch of a hub's model.")] = None,
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code", help="Run code from the model.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object an answer.")] = False,
) -> None:
    """Talk to a model: each line is a turn, and its answer appears as it is drawn."""
    from heedful.models import load

    talking = sys.stdin.isatty()
    loaded = load(model, device=device, dtype=dtype, revision=revision, trust_remote_code=trust_remote_code)
    if talking:
        typer.secho(f"{loaded.name}: {_KNOWN}.", dim=True)
    settings = {"temperature": temperature, "top_p": top_p, "max_new_tokens": max_new_tokens}
    turns: list[dict[str, str]] = []
    answered = 0
    for line in _lines(talking):
        if line.startswith("/") and (talking or line[1:].isalpha()):  # in a pipe a line may begin with a path
            if not _command(line, turns):
                return
            continue
        asked = [*turns, {"role": "user", "content": line}]
        try:
            prompt = loaded.encode(asked, system=system, thinking=False if no_thinking else None)
            answer = _answer(loaded, prompt, seed + answered, settings, shown=not as_json)
        except InputError as error:
            if not talking:
                raise
            typer.secho(f"{error.cause}\n  → {error.cure}, or start over: /new", fg="red", err=True)
            continue
        turns, answered = [*asked, {"role": "assistant", "content": answer.text}], answered + 1
        if as_json:
            shown = {"prompt": line, "text": answer.text, "finish_reason": answer.finish_reason}
            typer.echo(json.dumps(shown | {"tokens": len(answer.token_ids)}, ensure_ascii=False))
    if not answered and not talking:
        raise InputError("standard input is empty", "give one line a turn, e.g. echo 'Write a note.' | heedful chat")


def _lines(talking: bool) -> Iterator[str]:
    """What the user says, line by line; empty lines say nothing."""
    while True:
        try:
            line = input("> " if talking else "")
        except EOFError:
            return
        except UnicodeDecodeError:
            raise InputError("standard input is not UTF-8", "save it as UTF-8") from None
        if line.strip():
            yield line.strip()


def _command(line: str, turns: list[dict[str, str]]) -> bool:
    """Do what a line that begins with / asks for; False ends the conversation."""
    match line:
        case "/quit" | "/exit":
            return False
        case "/help":
            typer.secho(_KNOWN, dim=True, err=True)
        case "/new":
            turns.clear()
        case "/undo":
            del turns[-2:]
        case _:
            typer.secho(f"unknown command {line}: {_KNOWN}", fg="red", err=True)
    return True


def _answer(loaded: Any, prompt: list[int], seed: int, settings: dict[str, Any], *, shown: bool) -> Any:
    """The answer, written out as it grows."""
    written = ""
    for answer in loaded.stream(prompt, seed, **settings):
        # Half of a character of several tokens is no character yet.
        text = answer.text if answer.finish_reason else answer.text.rstrip("\ufffd")
        if shown and text.startswith(written):
            typer.echo(text[len(written) :], nl=False)
            sys.stdout.flush()
            written = text
    if shown:
        typer.echo("")
        if answer.finish_reason == "length":
            typer.secho(
                f"(cut off after {len(answer.token_ids)} tokens: give more --max-new-tokens)", dim=True, err=True
            )
    return answer


chat.__doc__ = f"{chat.__doc__}\n{EXAMPLES}"
