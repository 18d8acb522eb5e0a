"""Monitors with random weights on tiny models of every architecture."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.models.conftest import make_model, make_tokenizer

from heedful.control.monitors import Forecast, Monitor, Monitors, Threshold
from heedful.models import LanguageModel

SITES = ("block.0.out", "block.2.out")
WINDOWS = ((1, None), (3, None), (4, 3))


@pytest.fixture(scope="package")
def tiny_model() -> Callable[..., LanguageModel]:
    """Makes a tiny `LanguageModel` of an architecture, whose responses end at different lengths."""

    def make(architecture: str = "llama", dtype: torch.dtype = torch.float32) -> LanguageModel:
        model = LanguageModel(make_model(architecture, dtype), make_tokenizer(), name=architecture)
        model.eos_ids = tuple(range(0, 320, 12))
        return model

    return make


@pytest.fixture
def random_monitors() -> Callable[..., Monitors]:
    """Makes monitors for a model; every token's score is of the order of 1."""

    def make(model: LanguageModel, threshold: float = 0.5) -> Monitors:
        generator = torch.Generator().manual_seed(3)
        coef = torch.randn(len(WINDOWS), len(SITES), model.hidden_size, generator=generator) / 20
        each = tuple(
            Monitor(f"task_{i}", width, Threshold(threshold, 96, 100, 0.05), Forecast(-1.0, 0.7, 0.1), agree)
            for i, (width, agree) in enumerate(WINDOWS)
        )
        prompt_coef = torch.randn(coef.shape, generator=generator) / 20
        return Monitors(SITES, each, coef, prompt_coef, torch.zeros(len(WINDOWS)), model.identity())

    return make
