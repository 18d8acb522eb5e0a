"""How an endpoint is asked to keep to a JSON Schema. Knows OpenAI's format, and nothing of connections.

OpenAI's strict mode takes a part of JSON Schema, and refuses the rest with status 400: each value says its type, each object
forbids other keys and requires all of its own, and nothing is composed but by `anyOf`. Servers that compile any schema heed
`strict` not at all. So it is said only of a schema that it takes; the others are kept to as well as the server does by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_COMPOSING = {
    "allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "patternProperties",
    "propertyNames", "unevaluatedProperties", "unevaluatedItems", "prefixItems", "contains", "$dynamicRef", "$recursiveRef",
    "minProperties", "maxProperties",
}  # fmt: skip


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The field `response_format` for this schema."""
    strict = {"strict": True} if schema.get("type") == "object" and _is_strict(schema) else {}
    return {"type": "json_schema", "json_schema": {"name": "answer", **strict, "schema": schema}}


def _is_strict(schema: object) -> bool:
    """Whether strict mode takes a schema, or a part of one."""
    if not isinstance(schema, Mapping) or not _COMPOSING.isdisjoint(schema):
        return False
    if not all(_are_strict(schema.get(place, {})) for place in ("$defs", "definitions")):
        return False
    if "$ref" in schema:
        return True
    if "anyOf" in schema:
        return _are_strict(dict(enumerate(schema["anyOf"])))
    kinds = schema.get("type", ())
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    if "object" in kinds and not _is_closed(schema):
        return False
    return bool(kinds) and ("array" not in kinds or _is_strict(schema.get("items")))


def _is_closed(schema: Mapping[str, Any]) -> bool:
    properties: Mapping[str, object] = schema.get("properties", {})
    required: Iterable[str] = schema.get("required", ())
    return schema.get("additionalProperties") is False and set(required) == set(properties) and _are_strict(properties)


def _are_strict(schemas: Mapping[Any, object]) -> bool:
    return all(map(_is_strict, schemas.values()))
