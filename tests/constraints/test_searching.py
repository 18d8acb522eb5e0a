"""Users' patterns on models' texts: found as `re` finds them, and given up where they could be searched for ever."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints import Constraint, JsonFormat, searching
from heedful.constraints.ifeval import (
    ForbiddenWords,
    KeywordsExistence,
    KeywordsFrequency,
    MultipleSections,
    Postscript,
)
from heedful.constraints.searching import TooSlowError, find_spans, may_explode, occurs
from heedful.errors import InputError

BACKTRACKS = "^(a|a)*$"  # `re` needs twice as long with each further character
LONG = "a" * 60 + "b"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SECONDS", 0.05)
    searching._compiled.cache_clear()


def test_a_search_that_does_not_end_is_given_up() -> None:
    for search in (find_spans, occurs):
        with pytest.raises(TooSlowError, match="too long"):
            search(BACKTRACKS, LONG)


@pytest.mark.parametrize(
    ("constraint", "text"),
    [
        (JsonFormat(json_schema={"pattern": BACKTRACKS}), json.dumps(LONG)),
        (JsonFormat(json_schema={"items": {"patternProperties": {BACKTRACKS: {}}}}), json.dumps([{LONG: 1}])),
        (
            JsonFormat(json_schema={"patternProperties": {BACKTRACKS: {}}, "additionalProperties": False}),
            json.dumps({LONG: 1}),
        ),
        (  # the way back to the whole, which names its draft
            JsonFormat(
                json_schema={
                    "$schema": "http://json-schema.org/draft-07/schema#",
                    "pattern": BACKTRACKS,
                    "items": {"$ref": "#"},
                }
            ),
            json.dumps([LONG]),
        ),
        (KeywordsExistence(keywords=(BACKTRACKS,)), LONG),
        (KeywordsFrequency(keyword=BACKTRACKS, frequency=1, relation="at least"), LONG),
        (ForbiddenWords(forbidden_words=("(a|aa)+c",)), LONG),
        (MultipleSections(section_spliter="(a|aa)+c", num_sections=1), LONG),
        (Postscript(postscript_marker="(a|aa)+c"), LONG),
    ],
)
def test_what_cannot_be_searched_in_time_is_unscored(constraint: Constraint, text: str) -> None:
    verdict = constraint.check(text)
    assert (verdict.outcome, verdict.score) == ("unscored", None)
    assert "took too long" in verdict.reason
    assert not constraint.passes(text)
    monitor = constraint.monitor()
    for char in text:
        assert monitor.feed(char).state != "violated"
    assert monitor.close() == verdict


def test_a_monitor_does_not_wait_at_each_value(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []

    def slow(pattern: str, text: str) -> bool:
        searched.append(text)
        raise TooSlowError(text)

    monkeypatch.setattr("heedful.constraints.schema_keywords.occurs", slow)
    monitor = JsonFormat(json_schema={"items": {"pattern": "^a+$"}}).monitor()
    monitor.feed('["b", "c", "d"')
    assert len(searched) == 1


@given(
    st.sampled_from(["ab", r"a\.b", "a+", "(a|b)c", "^b", "[ab]{2}", r"\bab?\b", "a*?b", "(?:ab)+", r"(a)\1", ""]),
    st.text(alphabet="abc. é\nA", max_size=12),
)
def test_places_are_those_of_re(pattern: str, text: str) -> None:
    found = find_spans(pattern, text, re.IGNORECASE)
    assert found == [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]
    assert occurs(pattern, text) == bool(re.search(pattern, text))


@given(st.dictionaries(st.sampled_from(["x-1", "x-", "id", "n"]), st.sampled_from([1, "a"])))
def test_a_schema_with_patterns_decides_as_the_library_does(value: dict[str, Any]) -> None:
    import jsonschema

    for allowed in (False, {"type": "integer"}, True):
        schema = {
            "properties": {"id": {"pattern": "^a+$"}},
            "patternProperties": {"^x-.+": {"type": "string"}},
            "additionalProperties": allowed,
        }
        expected = jsonschema.Draft202012Validator(schema).is_valid(value)
        assert JsonFormat(json_schema=schema).passes(json.dumps(value)) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^x-.*", False),
        ("^(foo|bar)$", False),
        (r"\*\+\{", False),
        ("(a+)+", True),
        ("(a|a)*", True),
        ("(a{9}){9}", True),
    ],
)
def test_what_may_explode(pattern: str, expected: bool) -> None:
    assert may_explode(pattern) == expected


def test_where_the_library_searches_itself_such_a_pattern_is_refused() -> None:
    schema = {"patternProperties": {BACKTRACKS: {}}, "unevaluatedProperties": False}
    with pytest.raises(InputError, match="for ever"):
        JsonFormat(json_schema=schema)
    fine = JsonFormat(json_schema={"patternProperties": {"^x-.*": {}}, "unevaluatedProperties": False})
    assert fine.passes('{"x-a": 1}')
    assert not fine.passes('{"y": 1}')
