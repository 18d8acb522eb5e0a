"""The flags that name constraints, once for every command that takes them.

A command that is decorated with `takes_constraints` receives the constraints that its user asked for as one list, `asked`, and
shows all the flags. Knows no constraint's rules: those are in `heedful.constraints`.
"""

from __future__ import annotations

import inspect
import json
import shlex
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from heedful.constraints import (
    CharCount,
    Constraint,
    Exclude,
    Include,
    JsonFormat,
    Register,
    Sentiment,
    Topic,
    Toxicity,
    WordCount,
    load_constraints,
    load_plugin,
    parse_constraint,
    read_json_file,
)
from heedful.errors import InputError

_LENGTH = "Length"
_CONTENT = "Content"
MORE = "More constraints"
"""The panel of flags for constraints of all kinds."""


def _asked(
    min_words: Annotated[int | None, typer.Option(help="At least N words.", rich_help_panel=_LENGTH)] = None,
    max_words: Annotated[int | None, typer.Option(help="At most N words.", rich_help_panel=_LENGTH)] = None,
    exact_words: Annotated[int | None, typer.Option(help="Exactly N words.", rich_help_panel=_LENGTH)] = None,
    min_chars: Annotated[int | None, typer.Option(help="At least N characters.", rich_help_panel=_LENGTH)] = None,
    max_chars: Annotated[int | None, typer.Option(help="At most N characters.", rich_help_panel=_LENGTH)] = None,
    exact_chars: Annotated[int | None, typer.Option(help="Exactly N characters.", rich_help_panel=_LENGTH)] = None,
    json_object: Annotated[
        bool, typer.Option("--json-object", help="One JSON object and nothing else.", rich_help_panel=_CONTENT)
    ] = False,
    json_keys: Annotated[
        str | None, typer.Option(metavar="A,B", help="A JSON object with these keys.", rich_help_panel=_CONTENT)
    ] = None,
    json_schema: Annotated[
        str | None, typer.Option(metavar="FILE", help="JSON matching this schema.", rich_help_panel=_CONTENT)
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(metavar="TERM", help="Use this term; repeatable.", rich_help_panel=_CONTENT)
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="TERM", help="Avoid this term; repeatable.", rich_help_panel=_CONTENT)
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Be about this topic.", rich_help_panel=_CONTENT)] = None,
    sentiment: Annotated[
        str | None, typer.Option(help="positive, negative or neutral.", rich_help_panel=_CONTENT)
    ] = None,
    register: Annotated[str | None, typer.Option(help="formal or informal.", rich_help_panel=_CONTENT)] = None,
    no_toxicity: Annotated[
        bool, typer.Option("--no-toxicity", help="No insults, no profanity.", rich_help_panel=_CONTENT)
    ] = False,
    constraint: Annotated[
        list[str] | None,
        typer.Option("-c", "--constraint", metavar="ID:FIELD=VALUE", help="Any one; repeatable.", rich_help_panel=MORE),
    ] = None,
    constraints: Annotated[
        str | None, typer.Option(metavar="FILE", help="A YAML or JSON list of constraints.", rich_help_panel=MORE)
    ] = None,
    plugin: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE.py|MODULE", help="Run this code, which defines some.", rich_help_panel=MORE),
    ] = None,
) -> list[Constraint]:
    for name in plugin or []:
        load_plugin(name)
    asked = _only_set(
        _length(WordCount, exact_words, min_words, max_words),
        _length(CharCount, exact_chars, min_chars, max_chars),
        _json_format(json_object, json_keys, json_schema),
        Include(terms=_terms("include", include)) if include else None,
        Exclude(terms=_terms("exclude", exclude)) if exclude else None,
        Topic(topic=topic) if topic is not None else None,
        Sentiment.model_validate({"sentiment": sentiment}) if sentiment is not None else None,
        Register.model_validate({"level": register}) if register is not None else None,
        Toxicity() if no_toxicity else None,
    )
    asked += [parse_constraint(text) for text in constraint or []]
    return asked + (load_constraints(constraints) if constraints is not None else [])


def takes_constraints(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every constraint flag after its own arguments and before its own options, in place of `asked`."""

    @wraps(command)
    def run(**given: Any) -> None:
        command(asked=_asked(**{name: given.pop(name) for name in flags}), **given)

    flags = _parameters(_asked)
    own = _parameters(command)
    order: dict[str, inspect.Parameter] = {}
    for name, parameter in own.items():
        order |= flags if name == "asked" else {name: parameter}
    run.__signature__ = inspect.Signature(list(order.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in order.items()}
    return run


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """With their annotations evaluated, and by name, so that those of two functions can stand in one signature."""
    hints = get_type_hints(function, include_extras=True)
    return {
        name: parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(function).parameters.items()
    }


def _only_set(*constraints: Constraint | None) -> list[Constraint]:
    return [constraint for constraint in constraints if constraint is not None]


def _terms(flag: str, given: list[str]) -> tuple[str, ...]:
    """One term a flag: 'a, b' is more likely two than one with a comma, and is refused."""
    for term in given:
        if "," in term:
            whole = shlex.quote(f"lexical/{flag}:terms=[{json.dumps(term, ensure_ascii=False)}]")
            apart = " ".join(f"--{flag} {shlex.quote(part.strip())}" for part in term.split(",") if part.strip())
            raise InputError(
                f"--{flag} {term!r} has a comma: it may be one term or several",
                f"repeat the flag: {apart}; or, for one with a comma, -c {whole}",
            )
    return tuple(given)


def _length(
    cls: type[WordCount] | type[CharCount], exactly: int | None, at_least: int | None, at_most: int | None
) -> Constraint | None:
    if exactly is None and at_least is None and at_most is None:
        return None
    return cls(exactly=exactly, at_least=at_least, at_most=at_most)


def _json_format(json_object: bool, keys: str | None, schema_file: str | None) -> Constraint | None:
    if not json_object and keys is None and schema_file is None:
        return None
    names = () if keys is None else tuple(key.strip() for key in keys.split(","))
    schema = None if schema_file is None else read_json_file(schema_file)
    return JsonFormat(keys=names, json_schema=schema)
