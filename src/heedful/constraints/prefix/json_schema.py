"""What a JSON Schema refuses of a value that is not complete yet. Knows JSON Schema, and no text.

What is known of the whole (a complete value and the containers around it) is put into the smallest whole that has it at its
place. Of the errors there only those count that nothing else in the containers could mend: those found on the way of 'each
property has to', 'each item has to' and 'all of', and a container of the wrong type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heedful.constraints.schema import UndecidedError, schema_errors, shortened
from heedful.constraints.searching import TooSlowError

_DEEPEST = 16  # what is deeper is judged with what is around it, so that the work stays in proportion to the text
_EMPTY: dict[str, Any] = {"{": {}, "[": [], '"': "", "t": True, "f": False, "n": None}
_SAME_VALUE = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})


class SchemaRefusal:
    """Says why no completion matches the schema, where that is certain.

    A path holds, for each container around a value from the outermost in, its key, or None for a place in an array.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._slow = False  # each further value would take as long

    def of_opening(self, path: Sequence[str | None], opening: str) -> str | None:
        """A value at `path` begins with this character. (A number may yet become whole or not: nothing is said of one.)"""
        if opening not in _EMPTY:
            return None
        # Judged as if it were empty; only an error of its type counts.
        return self._refused(path, _EMPTY[opening], depth=len(path) + 1)

    def of_value(self, path: Sequence[str | None], value: Any) -> str | None:
        """The complete `value` stands at `path`."""
        return self._refused(path, value, depth=len(path))

    def _refused(self, path: Sequence[str | None], value: Any, depth: int) -> str | None:
        if self._slow or len(path) > _DEEPEST:
            return None
        for key in reversed(path):
            value = [value] if key is None else {key: value}
        try:
            errors = schema_errors(self._schema, value)
        except UndecidedError:  # as `check` will say
            return None
        except TooSlowError:
            self._slow = True
            return None
        for error in errors:
            if _certain(list(error.absolute_schema_path), depth):
                place = "".join("[…]" if key is None else f".{key}" for key in path)
                return f"the schema refuses ${place}: {shortened(error.message)}"
        return None


def _certain(path: list[str | int], depth: int) -> bool:
    """Whether an error at this path of the schema stands, whatever else the outermost `depth` values are to hold."""
    while depth:
        if not path:
            return False
        step, rest = path[0], path[1:]
        if step in _SAME_VALUE:
            path = rest
        elif step == "allOf":
            path = rest[1:]
        elif step in ("properties", "patternProperties"):
            path, depth = rest[1:], depth - 1
        elif step == "propertyNames" or (step in ("type", "additionalProperties") and not rest):
            return True
        elif step == "additionalProperties" or (step == "items" and rest and not isinstance(rest[0], int)):
            path, depth = rest, depth - 1
        else:  # also `items` of one place in the array, since which place it is is not in the path of keys
            return False
    return True
