"""The two files of IFEval and IFBench: prompts with what they instruct, and responses. Reads, matches, says what is wrong.

Judges nothing. A response belongs to the prompt that it names, white space around it aside. A line of the first file:
`{"key": 1000, "prompt": "…", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}`; of the second: `{"prompt": "…",
"response": "…"}`. Other fields are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from heedful.constraints.ifeval.base import IFEvalConstraint, constraint_from_ifeval
from heedful.constraints.loading import read_text
from heedful.errors import InputError

_SHOWN = 60


class Prompt(NamedTuple):
    """One prompt and what it instructs. `key` is the file's, or the number of the line where it has none."""

    key: int | str
    prompt: str
    instructions: tuple[IFEvalConstraint, ...]


class Answered(NamedTuple):
    """A prompt, and the response to it; None if there is none."""

    prompt: Prompt
    response: str | None


class Matched(NamedTuple):
    """Prompts with their responses, in the order of the prompts.

    Attributes:
        answered: each prompt, answered or not.
        unknown: how many responses are to prompts that are not among them.
    """

    answered: list[Answered]
    unknown: int

    @property
    def missing(self) -> int:
        """How many prompts have no response."""
        return sum(item.response is None for item in self.answered)


def read_prompts(path: str | Path) -> list[Prompt]:
    """The prompts of an input file, of IFEval, of IFBench or of both.

    Raises:
        InputError: unreadable, a line that is not such an object, an instruction that does not exist, or a prompt or key
            that stands twice; the message names the line.
    """
    found: list[Prompt] = []
    prompts: dict[str, int] = {}
    keys: dict[int | str, int] = {}
    for line, row in _objects(path):
        prompt = _text(path, line, row, "prompt")
        _once(path, line, prompts, prompt, "prompt")
        key = row.get("key", line)
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise InputError(
                f"{path}, line {line}: the key {key!r} is neither a number nor a text", "mend it, or leave it out"
            )
        _once(path, line, keys, key, "key")
        found.append(Prompt(key, prompt, _instructions(path, line, row)))
    if not found:
        raise InputError(f"{path} holds no prompts", "give IFEval's or IFBench's input file, one JSON object a line")
    return found


def match_responses(path: str | Path, prompts: list[Prompt]) -> Matched:
    """The responses of a file, each beside the prompt that it answers.

    Raises:
        InputError: unreadable, a line that is not such an object, two responses to one prompt, or none to any of these
            prompts; the message names the line.
    """
    responses: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, row in _objects(path):
        prompt = _text(path, line, row, "prompt")
        _once(path, line, lines, prompt, "prompt")
        responses[prompt] = _text(path, line, row, "response")
    stripped = {prompt.strip(): prompt for prompt in responses}
    named = [prompt.prompt if prompt.prompt in responses else stripped.get(prompt.prompt.strip()) for prompt in prompts]
    answered = [
        Answered(prompt, None if name is None else responses[name]) for prompt, name in zip(prompts, named, strict=True)
    ]
    known = {name for name in named if name is not None}
    if not known:
        first = next(iter(responses), "")
        said = (
            f"{path} has {len(responses)} responses, and none is to one of the {len(prompts)} prompts"
            if first
            else f"{path} holds no responses"
        )
        cure = "give for each the field 'prompt' as the inputs have it, but for white space around it"
        raise InputError(said + (f"; its first is to “{_shortened(first)}”" if first else ""), cure)
    return Matched(answered, len(responses) - len(known))


def _objects(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    # Split at line feeds alone: a text may hold other line breaks of Unicode as they are.
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {line} is not JSON: {error}", "write one JSON object a line") from error
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {line} is not a JSON object", 'write one a line: {"prompt": "…", …}')
        yield line, row


def _text(path: str | Path, line: int, row: dict[str, Any], field: str) -> str:
    value = row.get(field)
    if isinstance(value, str):
        return value
    if field in row:
        cure = "write '' for an empty response, which fails" if field == "response" else f"write the {field} as a text"
        raise InputError(f"{path}, line {line}: {field!r} is {json.dumps(value)[:_SHOWN]}, not a text", cure)
    fields = f"it has {', '.join(map(repr, row))}" if row else "it is empty"
    raise InputError(f"{path}, line {line} has no field {field!r}", f"{fields}; add {field!r}")


def _once(path: str | Path, line: int, seen: dict[Any, int], value: int | str, what: str) -> None:
    if value in seen:
        raise InputError(
            f"{path}, lines {seen[value]} and {line} have the same {what}: “{_shortened(str(value))}”",
            "give each once; several responses to a prompt go into several files",
        )
    seen[value] = line


def _instructions(path: str | Path, line: int, row: dict[str, Any]) -> tuple[IFEvalConstraint, ...]:
    names, kwargs = row.get("instruction_id_list"), row.get("kwargs")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"{path}, line {line}: 'instruction_id_list' is not a list of ids",
            'write ["punctuation:no_comma", …], one or more',
        )
    if not isinstance(kwargs, list) or not all(isinstance(item, dict) or item is None for item in kwargs):
        raise InputError(
            f"{path}, line {line}: 'kwargs' is not a list of objects", "write one {…} for each instruction"
        )
    if len(kwargs) != len(names):
        raise InputError(
            f"{path}, line {line}: {len(names)} instructions and {len(kwargs)} kwargs",
            "write one {…} for each instruction",
        )
    found = []
    for place, (name, given) in enumerate(zip(names, kwargs, strict=True), start=1):
        try:
            found.append(constraint_from_ifeval(name, given))
        except InputError as error:
            raise InputError(f"{path}, line {line}, instruction {place}: {error.cause}", error.cure) from error
    return tuple(found)


def _shortened(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else f"{flat[:_SHOWN]}…"
