"""What a user gives is opened as what it is, or refused where its parts do not go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful.control.opening import open_upstream
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
    ],
    ids=lambda value: None,
)
def test_what_does_not_go_together_is_said(model: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_upstream(model, **given)


def test_an_upstream_alone_stays_as_it_is() -> None:
    scripted = Scripted("")
    assert open_upstream(scripted) is scripted
