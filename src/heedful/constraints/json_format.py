"""A text that is one JSON value with given keys, or matching a JSON Schema. Knows nothing of what the values mean."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic import Field, JsonValue, StrictStr, field_validator, model_validator

from heedful.constraints.base import Constraint, monitor_for, register_constraint
from heedful.constraints.prefix.json_reader import JsonReader
from heedful.constraints.prefix.json_text import Asked, JsonMonitor, StrictEnvelope
from heedful.constraints.schema import UndecidedError, schema_errors, schema_validator, shortened
from heedful.constraints.searching import TooSlowError
from heedful.constraints.strict_json import NotJsonError, may_be_json, read_json
from heedful.constraints.verdict import Verdict
from heedful.errors import InputError


@register_constraint
class JsonFormat(Constraint):
    """The whole text is one JSON object, with all of `keys`; or it matches a JSON Schema.

    Other keys are allowed unless `only_keys`. With a schema and no keys, the schema alone decides whether the value
    may be something other than an object. The text is read strictly; `heedful.constraints.strict_json` states the
    rules.

    The score is 0 if the text is not JSON, or not an object where one is asked, and otherwise the share of what is
    asked that holds: 1 for being readable, and 1 for each required key, each key too many and each violation of the
    schema.
    """

    id = "structural/json"

    keys: tuple[StrictStr, ...] = Field(default=(), description="keys that the object must have")
    only_keys: bool = Field(default=False, strict=True, description="allow no other keys")
    json_schema: dict[str, JsonValue] | None = Field(
        default=None, description="a JSON Schema; $ref within it only, nothing is fetched"
    )

    @field_validator("keys", mode="before")
    @classmethod
    def _one_or_several(cls, keys: Any) -> Any:
        return (keys,) if isinstance(keys, str) else keys

    @model_validator(mode="after")
    def _can_be_met(self) -> JsonFormat:
        if "" in self.keys:
            raise InputError(f"{self.id}: a key is empty", "give each key at least one character")
        repeated = sorted({key for key in self.keys if self.keys.count(key) > 1})
        if repeated:
            raise InputError(f"{self.id}: the key {repeated[0]!r} is given twice", "give each key once")
        if self.only_keys and not self.keys:
            raise InputError(f"{self.id}: only_keys is set, and no keys are given", "give keys, or leave only_keys out")
        if self.json_schema is not None:
            schema_validator(self.json_schema)
        return self

    def describe(self) -> str:
        if self.json_schema is not None and not self.keys:
            return "JSON that matches the schema"
        parts = ["one JSON object"]
        if self.keys:
            only = " and no others" if self.only_keys else ""
            parts.append(f"with the key{'s' if len(self.keys) > 1 else ''} {_listed(self.keys)}{only}")
        if self.json_schema is not None:
            parts.append("matching the schema")
        return " ".join(parts)

    def _verify(self, text: str) -> Verdict:
        try:
            value = read_json(text)
        except NotJsonError as error:
            return self._verdict(
                False,
                score=0.0,
                measured="not JSON",
                reason=f"not JSON: {error}",
                spans=[error.span] if error.span else [],
                hint=f"write nothing but {self.describe()}",
            )
        if not self._is_asked_kind(value):
            kind = _kind(value)
            hint = "wrap it in an object: {…}"
            return self._verdict(False, score=0.0, measured=kind, reason=f"{kind}, not an object", hint=hint)
        try:
            missing, surplus, violations = self._faults(value)
        except UndecidedError as error:
            return self._undecided(str(error), error=True)
        faults = len(missing) + len(surplus) + len(violations)
        held = 1 + len(self.keys) - len(missing)
        changes = []
        if missing:
            changes.append(f"add the missing key{'s' if len(missing) > 1 else ''} {_listed(missing)}")
        if surplus:
            changes.append(f"take out the key{'s' if len(surplus) > 1 else ''} {_listed(surplus)}")
        changes += [f"mend {violation}" for violation in violations[:3]]
        found = f"{_kind(value)}" + (
            f" with {len(value)} key{'' if len(value) == 1 else 's'}" if value and isinstance(value, dict) else ""
        )
        counted = []
        if self.keys:
            counted.append(f"{len(self.keys) - len(missing)} of {len(self.keys)} required keys")
        if surplus:
            counted.append(f"{len(surplus)} too many")
        if self.json_schema is not None:
            counted.append(f"{len(violations)} violation{'' if len(violations) == 1 else 's'} of the schema")
        return self._verdict(
            faults == 0,
            score=held / (held + faults),
            measured=found,
            reason=", ".join([found, *counted]),
            hint="; ".join(changes),
        )

    def _passes(self, text: str) -> bool:
        if not may_be_json(text):
            return False
        try:
            value = read_json(text)
            return self._is_asked_kind(value) and not any(self._faults(value))
        except (NotJsonError, UndecidedError, TooSlowError):
            return False

    def _is_asked_kind(self, value: Any) -> bool:
        return isinstance(value, dict) or (not self.keys and self.json_schema is not None)

    def _faults(self, value: Any) -> _Faults:
        missing = [key for key in self.keys if key not in value]
        surplus = [key for key in value if key not in self.keys] if self.only_keys else []
        errors = [] if self.json_schema is None else schema_errors(self.json_schema, value)
        return _Faults(missing, surplus, [f"{error.json_path}: {shortened(error.message)}" for error in errors])


class _Faults(NamedTuple):
    missing: list[str]
    surplus: list[str]
    violations: list[str]


@monitor_for(JsonFormat)
def _watch(asked: JsonFormat) -> JsonMonitor:
    listener = Asked(asked.keys, only_keys=asked.only_keys, schema=asked.json_schema)
    return JsonMonitor(asked, StrictEnvelope(), JsonReader(listener))


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(json.dumps(key, ensure_ascii=False) for key in keys)


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    names = {dict: "an object", list: "an array", str: "a string", int: "a number", float: "a number"}
    return names[type(value)]
