"""Keywords of JSON Schema that the library decides wrongly, or too slowly: of every draft, wherever they stand in a schema.

`multipleOf` is decided by the decimals that are written, `uniqueItems` in time that grows as the array does, and patterns are
searched as `searching` does, so that none runs for ever on a value. Knows JSON Schema, and no text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from heedful.constraints.searching import occurs

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator


@cache
def with_own_keywords(cls: type[Validator]) -> type[Validator]:
    """The validator of a draft, with the keywords that are decided here."""
    from attrs import fields
    from jsonschema.validators import extend

    ours = {"multipleOf": _multiple_of, "divisibleBy": _multiple_of, "uniqueItems": _unique_items, **_in_time(cls)}
    own = cast(Any, extend)(cls, {keyword: ours[keyword] for keyword in ours if keyword in cls.VALIDATORS})
    inherited = own.evolve

    def evolve(self: Any, **changes: Any) -> Any:
        found = inherited(self, **changes)
        if isinstance(found, own):
            return found
        # A part of the schema that names its draft ('$ref': '#' leads to one) gets the library's own validator of it.
        library: Any = type(found)
        return with_own_keywords(library)(
            **{each.alias: getattr(found, each.name) for each in fields(library) if each.init}
        )

    own.evolve = evolve
    return cast("type[Validator]", own)


def _multiple_of(validator: Any, divisor: float, value: Any, schema: object) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if validator.is_type(value, "number") and _written(value) % _written(divisor):
        yield ValidationError(f"{value!r} is not a multiple of {divisor!r}")


def _written(number: float) -> int | Fraction:
    """The number that was written: a float is read of many decimals, and stands for the shortest one, 0.01 for a hundredth."""
    return number if isinstance(number, int) else Fraction(repr(number))


def _unique_items(validator: Any, asked: bool, value: Any, schema: object) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if asked and validator.is_type(value, "array") and len({_canonical(item) for item in value}) < len(value):
        yield ValidationError(f"{value!r} has non-unique elements")


def _canonical(value: Any) -> str:
    """The same text for equal JSON values, and for no others: 1.0 is 1, true is not, and keys have no order."""
    return json.dumps(json.loads(json.dumps(value), parse_float=_whole), sort_keys=True)


def _whole(digits: str) -> float:
    number = float(digits)
    return int(number) if number.is_integer() else number


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
