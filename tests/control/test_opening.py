"""What a user gives is opened as what it is, or refused where its parts do not go together."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from heedful.control.endpoint import Endpoint
from heedful.control.opening import open_upstream
from heedful.control.options import OPTIONS, read_options
from heedful.errors import InputError

from .conftest import Scripted

URL, DIR = "http://localhost:1/v1", Path("monitors")


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (Scripted(""), {"name": "big"}, r"scripted is an upstream already.*\n  → leave them out, or give the model"),
        (Scripted(""), {"monitors": DIR}, r"scripted is an upstream already, and takes neither a name nor monitors"),
        (URL, {}, rf"which model at {URL}\?\n  → name it, --at MODEL"),
        (URL, {"name": ""}, r"which model at"),
        (URL, {"monitors": DIR}, rf"{URL} runs elsewhere, and its hidden states cannot be watched"),
        (URL, {"name": "big", "monitors": DIR}, r"its hidden states cannot be watched\n  → take a local model"),
        ("pico-llama", {"name": "big"}, r"'big' names a model at a URL, and the model given runs here\n  → leave"),
        ("pico-llama", {"name": ""}, r"'' names a model at a URL"),
        ("pico-llama", {"name": "big", "monitors": DIR}, r"'big' names a model at a URL"),
        (
            "pico-llama",
            {"options": {"thinking": True}},
            r"thinking: of an endpoint, and the model given runs here\n  → leave",
        ),
        (
            Scripted(""),
            {"options": {"thinking": True}},
            r"scripted is an upstream already, and takes neither a name nor",
        ),
        (
            "localhost:18082/v1",
            {"name": "big"},
            r"looks like a URL without its beginning\n  → write http://localhost:18082/v1",
        ),
        ("localhost:8000", {}, r"looks like a URL without its beginning"),
        ("10.0.0.7:8000/v1", {"options": {"thinking": True}}, r"looks like a URL without its beginning"),
        ("localhost/v1", {}, r"looks like a URL without its beginning"),
        ("api.openai.com/v1", {"name": "big"}, r"write http://api.openai.com/v1, or https:// before it"),
        ("Qwen/Qwen2.5-0.5B", {"name": "big"}, r"'big' names a model at a URL"),  # a name of the hub
    ],
    ids=lambda value: None,
)
def test_what_does_not_go_together_is_said(model: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_upstream(model, **given)


def test_an_upstream_alone_stays_as_it_is() -> None:
    scripted = Scripted("")
    assert open_upstream(scripted) is scripted


def test_options_of_an_endpoint_are_read_by_name_and_kind() -> None:
    found = read_options(
        [
            "thinking=true",
            "retries=0",
            "patience=5",
            "tokens_field=max_output_tokens",
            'body={"a": {"b": "c=d"}, "seed": null}',
        ]
    )
    assert found == {
        "thinking": True, "retries": 0, "patience": 5.0, "tokens_field": "max_output_tokens",
        "body": {"a": {"b": "c=d"}, "seed": None},
    }  # fmt: skip
    endpoint = open_upstream(URL, name="big", options=found)
    assert (endpoint.name, endpoint.continues) == ("big at localhost:1", False)
    assert open_upstream(URL, name="big", options={"continues": True}).continues


def test_the_options_that_can_be_written_are_all_of_an_endpoints_but_its_key() -> None:
    hints = get_type_hints(Endpoint.__init__)
    parameters = inspect.signature(Endpoint).parameters.values()
    known = {each.name: hints[each.name] for each in parameters if each.kind is each.KEYWORD_ONLY}
    del known["api_key"]
    assert known.keys() == OPTIONS.keys()
    for name, kind in OPTIONS.items():
        taken = [get_origin(each) or each for each in get_args(known[name]) or [known[name]]]
        assert any(issubclass(kind, each) for each in taken)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ["think=true"],
            r"'think=true' is no option of an endpoint\n  → write name=value, of stream, continues, .*body",
        ),
        (["api_key=secret"], r"is no option"),
        (["thinking"], r"'thinking' is no option"),
        (["thinking=yes"], r"thinking is 'yes'\n  → give true or false"),
        (["retries=1.5"], r"retries is '1.5'\n  → give a whole number"),
        (["retries=true"], r"give a whole number"),
        (["patience=NaN"], r"patience is 'NaN'\n  → give a number"),
        (["body=[]"], r"give a JSON object, such as"),
        (["stream=true", "stream=false"], r"the option stream of an endpoint is given twice"),
    ],
)
def test_an_option_that_is_none_is_said_with_those_there_are(given: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_options(given)
