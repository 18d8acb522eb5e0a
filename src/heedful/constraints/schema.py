"""JSON Schemas that reach nowhere: checked when they are given, and never fetched from a network.

Some keywords are decided by `schema_keywords`. Knows nothing of constraints. `format` is an annotation and does not decide, as
the specification has it by default.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from heedful.constraints.schema_keywords import with_own_keywords
from heedful.constraints.searching import may_explode
from heedful.errors import InputError

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator


def schema_validator(schema: dict[str, Any]) -> Validator:
    """A validator of the draft that `$schema` names (2020-12 if it names none), made once for a schema.

    Raises:
        InputError: the schema is invalid, a `$ref` in it does not point to a place inside it, or a pattern in it could be
            searched for ever.
    """
    return _compiled(json.dumps(schema))


class UndecidedError(Exception):
    """A JSON Schema does not decide a value; the text says why."""


def schema_errors(schema: dict[str, Any], value: Any) -> list[ValidationError]:
    """What the schema refuses of a value.

    Raises:
        InputError: as of `schema_validator`.
        UndecidedError: the schema refers to itself without end, or the value is nested too deeply or holds a number that is
            too large to be divided.
        TooSlowError: the search for a pattern in it did not end in time.
    """
    validator = schema_validator(schema)
    try:
        return list(validator.iter_errors(value))
    except RecursionError as error:
        raise UndecidedError(
            "the JSON Schema refers to itself without end, or the value is nested too deeply"
        ) from error
    except ValueError as error:  # a number beyond what floats hold has no decimals to divide
        raise UndecidedError("a number is too large for the JSON Schema's multipleOf") from error


@lru_cache(maxsize=64)
def _compiled(serialized: str) -> Validator:
    # Imported where needed: a tenth of a second that who counts words need not wait for.
    from jsonschema import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry, Resource
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    schema = json.loads(serialized)
    cls = validator_for(schema, default=Draft202012Validator)
    try:
        cls.check_schema(schema)
    except SchemaError as error:
        raise InputError(
            f"the JSON Schema is invalid at {error.json_path}: {shortened(error.message)}",
            "mend the schema; https://json-schema.org/understanding-json-schema explains each keyword",
        ) from error
    _check_patterns(schema)
    # An own registry: the library's default one would fetch what it does not know.
    resource = Resource.from_contents(schema, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource(resource.id() or "", resource)
    resolver = registry.resolver(resource.id() or "")
    for reference in _references(schema):
        if not reference.startswith("#"):
            raise InputError(
                f"the JSON Schema points outside itself: $ref {reference!r}",
                "copy what it points to under '$defs' and refer to it as '#/$defs/NAME': nothing is ever fetched",
            )
        try:
            resolver.lookup(reference)
        except Unresolvable as error:
            raise InputError(
                f"the JSON Schema has no place for its $ref {reference!r}", "define it, for example under '$defs'"
            ) from error
    return with_own_keywords(cls)(schema, registry=registry)


def _check_patterns(schema: dict[str, Any]) -> None:
    """The library searches for keys once more for `unevaluatedProperties`, and lets nobody stop it."""
    if not any(True for _ in _values_of("unevaluatedProperties", schema)):
        return
    for patterns in _values_of("patternProperties", schema):
        for pattern in patterns if isinstance(patterns, dict) else ():
            if may_explode(pattern):
                raise InputError(
                    f"beside unevaluatedProperties, the search for the pattern {pattern!r} may take for ever",
                    "give additionalProperties instead, or a pattern with one of * + ? {} at most, and no |",
                )


def _values_of(keyword: str, schema: object) -> Iterator[Any]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == keyword:
                yield value
            yield from _values_of(keyword, value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _values_of(keyword, item)


def _references(schema: object) -> Iterator[str]:
    for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
        yield from (value for value in _values_of(keyword, schema) if isinstance(value, str))


def shortened(message: str, limit: int = 200) -> str:
    """One line of at most `limit` characters: the library's messages repeat the whole value."""
    line = " ".join(message.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
