"""JSON read strictly, keys and schemas: verdicts, scores, places, and bad schemas."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints import JsonFormat, Verdict
from heedful.constraints.strict_json import NotJsonError, read_json
from heedful.errors import InputError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.sampled_from(["{}", " \n{}\n", "```json\n{}\n```", "\n```\n{}```  "]))
def test_what_json_writes_is_read_back(value: Any, frame: str) -> None:
    assert read_json(frame.replace("{}", json.dumps(value))) == value


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("", "line 1, column 1: expecting value", ""),
        ('{"a": }', "line 1, column 7: expecting value", "}"),
        ('{"a": 1} and more', "line 1, column 9: text follows the JSON value", "and more"),
        ('Here it is:\n{"a": 1}', "line 1, column 1: expecting value", "H"),
        ('{"a": "NaN",\n "b": NaN}', "line 2, column 7: NaN is no JSON value", "NaN"),
        ("[-Infinity]", "line 1, column 2: -Infinity is no JSON value", "-Infinity"),
        ('{"a": 1, "a": 2}', 'the key "a" stands twice in one object', None),
        ('```json\n{"a": 1}\n``` done', "line 1, column 1: expecting value", "`"),
        ("{'a': 1}", "line 1, column 2: expecting property name enclosed in double quotes", "'"),
        ("[" * 100_000, "it is nested too deeply to be read", None),
    ],
)
def test_what_is_not_json(text: str, reason: str, place: str | None) -> None:
    with pytest.raises(NotJsonError) as raised:
        read_json(text)
    assert str(raised.value) == reason
    span = raised.value.span
    assert place is None if span is None else text[slice(*span)] == place


def test_a_number_of_any_length_is_json() -> None:
    assert read_json("1" * 5000) == float("inf")


def verdict(text: str, **fields: Any) -> Verdict:
    return JsonFormat(**fields).check(text)


def test_keys() -> None:
    text = '{"title": "x", "year": 1, "more": 2}'
    assert verdict(text).passed
    assert verdict(text, keys=("title", "year")).passed
    missing = verdict(text, keys=("title", "place"))
    assert (missing.outcome, missing.hint) == ("fail", 'add the missing key "place"')
    assert missing.score == pytest.approx(2 / 3)  # readable and 'title', of these and 'place'
    surplus = verdict(text, keys=("title", "year"), only_keys=True)
    assert surplus.hint == 'take out the key "more"'
    assert surplus.reason == "an object with 3 keys, 2 of 2 required keys, 1 too many"


def test_only_a_schema_may_ask_for_something_else_than_an_object() -> None:
    assert verdict("[1]").reason == "an array, not an object"
    assert verdict("[1]", json_schema={"type": "array"}).passed
    assert not verdict("[1]", json_schema={"type": "array"}, keys="a").passed


def test_schema_violations_are_named_with_their_place() -> None:
    schema = {
        "type": "object",
        "properties": {"year": {"$ref": "#/$defs/year"}},
        "$defs": {"year": {"type": "integer", "minimum": 1900}},
    }
    assert verdict('{"year": 1950}', json_schema=schema).passed
    found = verdict('{"year": 7}', json_schema=schema)
    assert found.hint == "mend $.year: 7 is less than the minimum of 1900"
    assert found.reason == "an object with 1 key, 1 violation of the schema"
    assert found.score == pytest.approx(1 / 2)


def test_a_schema_without_end_is_an_error_and_no_verdict() -> None:
    found = verdict("{}", json_schema={"$ref": "#"})
    assert (found.outcome, found.score, found.passed) == ("error", None, False)


@pytest.mark.parametrize(
    ("text", "divisor"),
    [("1e400", 0.01), ("-1e400", float("inf")), ("1" * 400, 0.01), ("1" * 5000, 0.01)],
    ids=lambda value: str(value)[:8],
)
def test_a_number_that_cannot_be_divided_is_an_error_and_no_verdict(text: str, divisor: float) -> None:
    number = {"multipleOf": divisor}
    for schema, written in ((number, text), ({"properties": {"a": number}}, f'{{"a": {text}}}')):
        asked = JsonFormat(json_schema=schema)
        found, monitor = asked.check(written), asked.monitor()
        assert (found.outcome, found.reason) == ("error", "a number is too large for the JSON Schema's multipleOf")
        assert not asked.passes(written)
        assert monitor.feed(written).state == "open"
        assert monitor.close() == found


@given(VALUES, st.sampled_from([(), ("a",), ("a", "b")]), st.booleans())
def test_the_score_is_one_exactly_on_a_pass(value: Any, keys: tuple[str, ...], only: bool) -> None:
    found = verdict(json.dumps(value), keys=keys, only_keys=only and bool(keys))
    assert found.passed == (found.score == 1.0)
    assert found.passed == (
        isinstance(value, dict) and set(keys) <= set(value) and (not only or not keys or set(value) <= set(keys))
    )


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"json_schema": {"type": "objct"}}, "the JSON Schema is invalid at $.type: 'objct' is not valid"),
        ({"json_schema": {"properties": {"a": {"pattern": "("}}}}, "the JSON Schema is invalid at"),
        ({"json_schema": {"$ref": "https://example.org/schema"}}, "points outside itself: $ref 'https://example.org"),
        ({"json_schema": {"$ref": "#/$defs/absent"}}, "has no place for its $ref '#/$defs/absent'"),
        ({"json_schema": [1]}, "json_schema: input should be a valid dictionary"),
        ({"keys": ("a", "")}, "a key is empty"),
        ({"keys": ("a", "a")}, "the key 'a' is given twice"),
        ({"only_keys": True}, "only_keys is set, and no keys are given"),
    ],
)
def test_bad_fields(fields: dict[str, Any], cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a schema must never reach for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(InputError) as raised:
        JsonFormat(**fields)
    assert cause in raised.value.cause
    assert raised.value.cure


def test_a_string_that_never_ends_is_told_with_its_place_once() -> None:
    reason = JsonFormat().check('{"name": "Ann').reason
    assert reason.endswith("column 10: unterminated string")
