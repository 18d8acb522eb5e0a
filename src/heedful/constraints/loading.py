"""Constraints from files and from the command line's short form. Knows no particular constraint.

A file is a list, in YAML or JSON, and each entry is written in full or in short:

    - {id: structural/word_count, at_most: 50}
    - structural/word_count: {at_most: 50}
    - structural/json
"""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from heedful.constraints.base import Constraint, constraint_from
from heedful.constraints.strict_json import NotJsonError, read_json
from heedful.errors import InputError

_OTHER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before that of UTF-16, with which it begins
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file (a byte order mark is taken off).

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", "check the path and its permissions"
        ) from error
    return decode_text(data, str(path))


def decode_text(data: bytes, source: str) -> str:
    """UTF-8 bytes as text; `source` is named in the error.

    Raises:
        InputError: the bytes are not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        written_in = next((name for mark, name in _OTHER_MARKS if data.startswith(mark)), "")
        why = (
            f"its byte order mark is that of {written_in}"
            if written_in
            else f"byte 0x{data[error.start]:02x} at line {line} (offset {error.start})"
        )
        raise InputError(
            f"{source} is not UTF-8 text: {why}",
            f"save it as UTF-8, for example: iconv -f {written_in or 'WINDOWS-1252'} -t UTF-8 IN > OUT",
        ) from error


def read_json_file(path: str | Path) -> Any:
    """The value in a JSON file, read strictly.

    Raises:
        InputError: it cannot be read, or is not JSON; the message names the line and column.
    """
    try:
        return read_json(read_text(path))
    except NotJsonError as error:
        raise InputError(f"{path} is not JSON: {error}", "mend it there") from error


def read_yaml(text: str) -> Any:
    """The value that YAML stands for.

    Raises:
        InputError: it is none, a key stands twice, it is nested too deeply or in itself, or a value cannot be made (a date that
            is none, say).
    """
    return _document(text)[0]


def load_constraints(path: str | Path) -> list[Constraint]:
    """The constraints listed in a YAML or JSON file, in its order.

    Raises:
        InputError: the file is unreadable, not UTF-8, not YAML or JSON, not a list, or an entry is not a constraint;
            the message names the file, the entry and, in YAML, its line.
    """
    entries = _json_entries(path) if Path(path).suffix == ".json" else _yaml_entries(path)
    if not entries:
        raise InputError(f"{path} lists no constraints", "add one, for example: - structural/word_count: {at_most: 50}")
    constraints = []
    for number, entry in enumerate(entries, start=1):
        try:
            constraints.append(constraint_from_entry(entry.value))
        except InputError as error:
            line = "" if entry.line is None else f"line {entry.line}, "
            raise InputError(f"{path}, {line}entry {number}: {error.cause}", error.cure) from error
    return constraints


class _Entry(NamedTuple):
    value: Any
    line: int | None


def _not_a_list(path: str | Path) -> InputError:
    return InputError(
        f"{path} is not a list of constraints", "write one a line: - structural/word_count: {at_most: 50}"
    )


def _json_entries(path: str | Path) -> list[_Entry]:
    found = read_json_file(path)
    if not isinstance(found, list):
        raise _not_a_list(path)
    return [_Entry(value, None) for value in found]


def _yaml_entries(path: str | Path) -> list[_Entry]:
    text = read_text(path)
    try:
        value, root = _document(text)
    except InputError as error:
        raise InputError(f"{path} is not YAML: {error.cause}", error.cure) from error
    if root is None:
        return []
    if not isinstance(root, yaml.SequenceNode):
        raise _not_a_list(path)
    return [_Entry(entry, node.start_mark.line + 1) for entry, node in zip(value, root.value, strict=True)]


def _document(text: str) -> tuple[Any, yaml.Node | None]:
    """The value of a YAML document, and the node that it was made from; errors as of `read_yaml`."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        value = None if root is None else loader.construct_document(root)
    except RecursionError as error:
        raise _nested() from error
    except (ValueError, LookupError, AttributeError) as error:
        # A date that is none, or an !!int, say: what it is asked to make refuses, and names no line.
        raise InputError(str(error), "mend it there, or put it in quotes") from error
    except yaml.YAMLError as error:
        raise InputError(_yaml_problem(error), "mend it there; colons need a space after them") from error
    try:
        json.dumps(value, default=str, skipkeys=True)
    except (RecursionError, ValueError) as error:  # an alias of what it stands in
        raise _nested() from error
    return value, root


def _nested() -> InputError:
    return InputError("it is nested too deeply, or in itself", "write it without aliases")


class _Loader(yaml.SafeLoader):
    """SafeLoader, but a key that stands twice is an error: the first one would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                mark = node.value[place][0].start_mark
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", mark)
        return super().construct_mapping(node, deep)


def _yaml_problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())


def constraint_from_entry(entry: object) -> Constraint:
    """The constraint that an entry of a file stands for, written in full or in short.

    Raises:
        InputError: it is written in neither way, or the constraint is none.
    """
    match entry:
        case str():
            return constraint_from({"id": entry})
        case dict() if "id" in entry:
            return constraint_from(entry)
        case dict() if len(entry) == 1:
            ((name, fields),) = entry.items()
            if fields is None or isinstance(fields, dict):
                return constraint_from({**(fields or {}), "id": name})
    shown = {str(key): value for key, value in entry.items()} if isinstance(entry, dict) else entry
    raise InputError(
        f"{json.dumps(shown, ensure_ascii=False, default=str)} is not a constraint",
        "write {id: family/name, field: value} or family/name: {field: value}",
    )


def parse_constraint(text: str) -> Constraint:
    """The constraint that a short form stands for: 'family/name' or 'family/name:field=value,field=value'.

    Values are YAML: 50, true, a word, [a, list].

    Raises:
        InputError: the form is wrong, or the constraint is.
    """
    name, _, rest = text.partition(":")
    fields: dict[str, Any] = {}
    for part in re.split(r",(?=\s*\w+\s*=)", rest) if rest.strip() else []:
        field, equals, value = part.partition("=")
        if not equals or field.strip() in fields:
            raise InputError(
                f"cannot read {part.strip()!r} in the constraint {text!r}",
                "write family/name:field=value,field=value with each field once: structural/word_count:at_most=50",
            )
        try:
            fields[field.strip()] = read_yaml(value)
        except InputError as error:
            raise InputError(
                f"cannot read the value of {field.strip()!r} in {text!r}: {error.cause}",
                "write a number, true or false, a word (in quotes, if need be), or a list: terms=[dog, cat]",
            ) from error
    return constraint_from({**fields, "id": name.strip()})
