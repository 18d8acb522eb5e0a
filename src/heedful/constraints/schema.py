"""JSON Schemas that reach nowhere: checked when they are given, and never fetched from a network.

Patterns are searched as `searching` does, so that none runs for ever on a value. Knows nothing of constraints. `format` is an
annotation and does not decide, as the specification has it by default.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from heedful.constraints.searching import may_explode, occurs
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
        UndecidedError: the schema refers to itself without end, or the value holds a number that is too large to be divided.
        TooSlowError: the search for a pattern in it did not end in time.
    """
    validator = schema_validator(schema)
    try:
        return list(validator.iter_errors(value))
    except RecursionError as error:
        raise UndecidedError("the JSON Schema refers to itself without end") from error
    except (OverflowError, ValueError) as error:  # `multipleOf` divides
        raise UndecidedError("a number is too large for the JSON Schema's multipleOf") from error


@lru_cache(maxsize=64)
def _compiled(serialized: str) -> Validator:
    # Imported where needed: a tenth of a second that who counts words need not wait for.
    from jsonschema import SchemaError
    from jsonschema.validators import Draft202012Validator, extend, validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012, specification_with

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
    # Without `$schema`, which would lead the library from our keywords back to its own wherever a `$ref` points to the whole.
    specification = specification_with(schema.pop("$schema", ""), default=DRAFT202012)
    # An own registry: the library's default one would fetch what it does not know.
    resource = specification.create_resource(schema)
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
    timed: type[Validator] = extend(cls, _in_time(cls))  # type: ignore[no-untyped-call]
    return timed(schema, registry=registry)


def _in_time(cls: type[Validator]) -> dict[str, Any]:
    """The keywords that search for patterns, as `searching` does."""
    from jsonschema import ValidationError

    def pattern(validator: Any, asked: str, value: Any, schema: Any) -> Iterator[ValidationError]:
        if validator.is_type(value, "string") and not occurs(asked, value):
            yield ValidationError(f"{value!r} does not match {asked!r}")

    def of_patterns(validator: Any, asked: dict[str, Any], value: Any, schema: Any) -> Iterator[ValidationError]:
        if validator.is_type(value, "object"):
            for each, inner in asked.items():
                for key in value:
                    if occurs(each, key):
                        yield from validator.descend(value[key], inner, path=key, schema_path=each)

    def additional(validator: Any, asked: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        if patterns := schema.get("patternProperties", {}) if validator.is_type(value, "object") else {}:
            value = {key: value[key] for key in value if not any(occurs(each, key) for each in patterns)}
            schema = {name: schema[name] for name in schema if name != "patternProperties"}
        yield from cls.VALIDATORS["additionalProperties"](validator, asked, value, schema)

    return {"pattern": pattern, "patternProperties": of_patterns, "additionalProperties": additional}


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
