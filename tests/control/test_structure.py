"""JSON that decoding itself keeps to."""

from __future__ import annotations

import json

import pytest

from heedful.constraints import JsonFormat, WordCount
from heedful.control.guard import Guard
from heedful.control.policies.structure import schema_of
from heedful.control.upstream import Sampling
from heedful.errors import InputError

from .conftest import Scripted


def test_a_schema_says_what_the_constraint_asks() -> None:
    keys = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": True}
    assert schema_of([JsonFormat(keys="a")]) == keys
    assert schema_of([JsonFormat(keys="a", only_keys=True)]) == keys | {"additionalProperties": False}
    assert schema_of([JsonFormat()]) == {"type": "object"}
    assert schema_of([JsonFormat(json_schema={"type": "array"})]) == {"type": "array"}
    both = schema_of([JsonFormat(keys="a"), JsonFormat(keys="a", json_schema={"minProperties": 2})])
    assert both == {"allOf": [keys, {"allOf": [keys, {"minProperties": 2}]}]}
    assert schema_of([WordCount(at_most=3)]) is None


def test_a_small_model_writes_json_where_it_would_not() -> None:
    pytest.importorskip("llguidance")
    asked, wanted = "Write a note to a neighbour.", JsonFormat(keys=("zyzzyva",), only_keys=True)
    sampling = Sampling(seed=1, max_tokens=60)
    plain = Guard("pico-llama", [wanted], mode="shadow").generate(asked, sampling)
    assert not plain.passed
    held = Guard("pico-llama", [wanted], "structure").generate(asked, sampling)
    assert held.passed
    assert list(json.loads(held.text)) == ["zyzzyva"]


def test_where_there_is_no_structure_it_says_so() -> None:
    with pytest.raises(InputError, match="no constraint asks for JSON"):
        Guard(Scripted("Hi."), [WordCount(at_most=3)], "structure").generate("Say hi.")
    with pytest.raises(InputError, match="decoding cannot be held to a schema by scripted"):
        Guard(Scripted("Hi."), [JsonFormat()], "structure").generate("Say hi.")
