"""JSON read strictly, keys and schemas: verdicts, scores, places, and bad schemas."""

from __future__ import annotations

import json
import socket
import time
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
    [("1e400", 0.01), ("-1e400", float("inf")), ("1" * 5000, 0.01)],
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


@pytest.mark.parametrize(
    ("text", "divisor", "divides"),
    [("19.99", 0.01, True), ("4.35", 0.01, True), ("4.355", 0.01, False), ("1e-7", 1e-8, True), ("7.0", 3.5, True),
     ("0.3", 0.1, True), ("0.35", 0.1, False), ("1e308", 1e-300, True), ("1" * 400, 0.01, True), ("9007199254740993", 2, False),
     ("7.5", 2, False), ("8.0", 2, True), ("-0.0", 7, True)],
    ids=lambda value: str(value)[:8],
)  # fmt: skip
def test_a_multiple_is_one_by_the_decimals_that_are_written(text: str, divisor: float, divides: bool) -> None:
    """In check and monitor alike, and also where the schema, or a part of it, names its draft and is referred to."""
    number: dict[str, Any] = {"properties": {"a": {"multipleOf": divisor}, "inner": {"$ref": "#"}}}
    drafts = ("https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-04/schema#")
    named = [number | {"$schema": draft} for draft in drafts]
    parts = [
        {"$ref": "#/$defs/n", "$defs": {"n": each | {"properties": number["properties"] | {"inner": number}}}}
        for each in named
    ]
    for schema in (number, *named, *parts):
        for written in (f'{{"a": {text}}}', f'{{"inner": {{"a": {text}}}}}'):
            asked = JsonFormat(json_schema=schema)
            found = asked.check(written)
            assert found.passed == asked.passes(written) == divides
            assert asked.monitor().feed(written).state == ("open" if divides else "violated")
            assert divides or f"is not a multiple of {divisor!r}" in found.hint


def test_every_price_is_a_multiple_of_a_cent_and_no_other_number_is() -> None:
    cents = JsonFormat(json_schema={"multipleOf": 0.01})
    assert all(cents.passes(f"{n / 100:.2f}") for n in range(1, 3000))
    assert not any(cents.passes(f"{n / 100:.2f}5") for n in range(1, 300))


ALIKE = st.recursive(  # few values, so that many are equal
    st.sampled_from([None, True, False, 0, 1, 1.0, 0.0, -0.0, 2**53, 2.0**53, 2**53 + 1, 1e300, 0.1, "1", "true", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


def same(one: Any, other: Any) -> bool:
    """As JSON Schema has it: by kind and value, whatever the order of keys; 1 and 1.0 are one number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


@given(st.lists(ALIKE, max_size=6))
def test_items_are_unique_as_every_pair_says(items: list[Any]) -> None:
    """The slow way: each with each."""
    unique = not any(same(one, other) for place, one in enumerate(items) for other in items[:place])
    assert JsonFormat(json_schema={"uniqueItems": True}).passes(json.dumps(items)) == unique
    assert JsonFormat(json_schema={"uniqueItems": False}).passes(json.dumps(items))


def test_many_objects_are_compared_in_no_time() -> None:
    """Each with each, these take most of a minute; by what they are, a few hundredths of a second."""
    unique, begun = JsonFormat(json_schema={"uniqueItems": True}), time.process_time()
    items = [{"a": n} for n in range(2500)]
    assert unique.passes(json.dumps(items))
    assert not unique.passes(json.dumps([*items, {"a": 7.0}]))
    assert time.process_time() - begun < 5


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
