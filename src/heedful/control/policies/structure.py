"""Where JSON is asked for, decoding itself keeps to its schema: no draft is lost on a brace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heedful.constraints import Constraint, JsonFormat
from heedful.control.policies.policy import Ask, Asked, Plan, counted, policy
from heedful.errors import InputError


@policy("structure")
def structure(asked: Asked, *, tries: int = 8) -> Plan:
    """Draw until one passes, as 'resample' does, with JSON constraints kept to by decoding itself."""
    schema = schema_of(asked.constraints)
    if schema is None:
        raise InputError("no constraint asks for JSON, so there is no structure to keep to", "take another policy")
    if not asked.upstream.structures:
        raise InputError(
            f"decoding cannot be held to a schema by {asked.upstream.name}", "take 'refine', or a model that can"
        )
    for number in range(counted(tries, "tries")):
        yield [Ask(asked.request(number, schema=schema))]


def schema_of(constraints: Sequence[Constraint]) -> Mapping[str, Any] | None:
    """A JSON Schema of what the JSON constraints ask for together; None without any."""
    parts = [_schema(each) for each in constraints if isinstance(each, JsonFormat)]
    return parts[0] if len(parts) == 1 else {"allOf": parts} if parts else None


def _schema(constraint: JsonFormat) -> Mapping[str, Any]:
    keys: dict[str, Any] = {"type": "object"}
    if constraint.keys:
        keys |= {
            "properties": {key: {} for key in constraint.keys},
            "required": list(constraint.keys),
            "additionalProperties": not constraint.only_keys,
        }
    schema = constraint.json_schema
    return keys if schema is None else schema if not constraint.keys else {"allOf": [keys, schema]}
