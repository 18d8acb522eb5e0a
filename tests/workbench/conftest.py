"""The embedded model, loaded once."""

from __future__ import annotations

import pytest

import heedful
from heedful.models import LanguageModel


@pytest.fixture(scope="session")
def model() -> LanguageModel:
    """On the CPU, whatever the machine has."""
    return heedful.load("pico-llama", device="cpu")
