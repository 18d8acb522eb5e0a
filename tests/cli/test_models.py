"""`heedful models`: what comes with the package."""

from __future__ import annotations

import json

import pytest

from heedful.cli import main
from heedful.models import embedded_models


def test_models_are_listed_with_what_their_cards_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    shown = capsys.readouterr().out
    for card in embedded_models():
        assert card.name in shown
        assert card.about["summary"] in shown
    assert "pico-llama" in shown
    assert "heedful study NAME" in shown


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [model["name"] for model in found["models"]] == [card.name for card in embedded_models()]
    assert found["models"][0]["summary"] == embedded_models()[0].about["summary"]
