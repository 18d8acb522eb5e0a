"""Options of an endpoint as a user writes them, 'thinking=true'. Knows their names and kinds, and opens no connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from heedful.constraints.strict_json import NotJsonError, read_json
from heedful.errors import InputError

OPTIONS: Mapping[str, type] = {
    "stream": bool,
    "continues": bool,
    "structures": bool,
    "thinking": bool,
    "tokens_field": str,
    "retries": int,
    "patience": float,
    "deadline": float,
    "body": dict,
}
"""Those of `Endpoint` that can be written; a key is none of them, since what is written is seen."""

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", dict: 'a JSON object, such as {"top_k": 20}'}


def read_options(given: Iterable[str]) -> dict[str, Any]:
    """Options for `Endpoint`, from 'name=value' each; values are JSON, but for a text, which is itself.

    Raises:
        InputError: there is no such option, it stands twice, or its value is of another kind.
    """
    options: dict[str, Any] = {}
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if name not in OPTIONS or not equals:
            raise InputError(f"{text!r} is no option of an endpoint", f"write name=value, of {', '.join(OPTIONS)}")
        if name in options:
            raise InputError(f"the option {name} of an endpoint is given twice", "give it once")
        options[name] = _read(name, value)
    return options


def _read(name: str, text: str) -> Any:
    kind = OPTIONS[name]
    if kind is str:
        return text
    try:
        value = read_json(text)
    except NotJsonError:
        value = None
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise InputError(f"{name} is {text!r}", f"give {_KINDS[kind]}")
    return value
