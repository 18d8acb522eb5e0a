"""Baselines: neither words alone can tell the cells of a square apart, and each finds what it can see."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from heedful.lenses import StudyData, baselines
from heedful.lenses.baselines import prompt_words, response_words
from heedful.pico.grammar import draw_text, draw_traits
from heedful.probes import Rows, fold_auroc, out_of_fold
from heedful.prompts.base import base_prompts
from heedful.prompts.squares import PoolResponse, Square, make_squares
from heedful.prompts.tasks import TASKS

REAL = ("word_count", "include", "exclude", "sentiment", "toxicity")


@cache
def real_squares(task: str) -> list[Square]:
    rng = random.Random(7)
    pool = [
        PoolResponse(f"p{base.base_id}-{i}", base.base_id, base.text, "", None, draw_text(rng, draw_traits(rng), 2))
        for base in base_prompts()[:24]
        for i in range(10)
    ]
    return make_squares(TASKS[task], pool, 48, seed=1)


def real_texts(task: str, square: int) -> Sequence[tuple[str, str]]:
    one = real_squares(task)[square]
    return [(prompt, response.text) for prompt in one.prompts for response in one.responses]


@pytest.fixture(scope="module")
def real(write_study: Callable[..., StudyData], planted: Any) -> StudyData:
    squares = {task: len(real_squares(task)) for task in REAL}
    assert min(squares.values()) >= 40
    data = write_study(planted(tasks=REAL, squares=squares, texts=real_texts))
    for task in REAL:
        rows = data.examples("contrast", task)
        # Squares were drawn base by base in rounds; their own base prompt is the group.
        bases = [real_squares(task)[int(s.split("-")[1])].responses[0].base_id for s in data.column("square_id", rows)]
        assert bases == [b % 24 for b in bases]
    return data


@pytest.mark.parametrize("features", [prompt_words, response_words])
@pytest.mark.parametrize("task", REAL)
def test_in_no_fold_does_one_side_of_a_square_tell_its_label(real: StudyData, task: str, features: Any) -> None:
    rows = real.examples("contrast", task)
    x = features(real, rows)
    fitted = out_of_fold(Rows(x, rows.label[None], rows.fold, rows.weight[None]), (0.1,))
    np.testing.assert_allclose(fold_auroc(fitted.scores[0], rows.label, rows.fold), 0.5, atol=0.005)


def test_both_sides_together_could_tell_it(real: StudyData) -> None:
    """The test above can fail: with the label written into the prompt, the same probe finds it."""
    rows = real.examples("contrast", "include")
    x = torch.cat([prompt_words(real, rows), rows.label[:, None].float()], 1)
    fitted = out_of_fold(Rows(x, rows.label[None], rows.fold, rows.weight[None]), (1.0,))
    assert float(fold_auroc(fitted.scores[0], rows.label, rows.fold).min()) > 0.9


def test_contrast_squares_leave_the_baselines_at_chance(real: StudyData) -> None:
    result = baselines(real).sel(kind="contrast")
    for name in ("prompt words", "response words", "length"):
        assert (abs(result.auroc.sel(baseline=name) - 0.5) < 0.01).all(), name


def confounded(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
    """Short responses comply, with their own word on each side; log p follows the length."""
    for row in rows:
        if row["kind"] == "natural":
            n = 8 if row["label"] else 30
            row["response_text"] = "word " * n + ("yes" if row["label"] else "no")
            row["prompt_text"] = "please" if row["label"] else "do"
            row["response_ids"], row["n_words"] = [2] * n, n


def test_each_baseline_finds_what_it_can_see(write_study: Callable[..., StudyData], planted: Any) -> None:
    told: list[tuple[str, int, int]] = []
    data = write_study(planted(tasks=("topic", "include"), squares=0, natural=160, edit=confounded))
    result = baselines(data, lambda *step: told.append(step))
    natural = result.sel(kind="natural")
    assert (natural.auroc > 0.99).all()
    assert (natural.low > 0.8).all()
    assert result.sel(kind="contrast").auroc.isnull().all()  # too few rows: listed as NaN
    assert result.baseline.values.tolist() == ["prompt words", "response words", "length", "log p"]
    assert told[-1] == ("natural baselines, topic", 4, 4)


def test_without_confounds_they_are_at_chance(write_study: Callable[..., StudyData], planted: Any) -> None:
    result: xr.Dataset = baselines(write_study(planted(squares=0, natural=240, seed=5))).sel(kind="natural")
    assert (abs(result.auroc - 0.5) < 0.2).all()
    assert abs(float(result.auroc.mean()) - 0.5) < 0.05


def test_log_p_that_was_not_read_is_nan(write_study: Callable[..., StudyData], planted: Any) -> None:
    data = write_study(planted(tasks=("topic",), squares=0, natural=160))
    data.activations.log_p = lambda *, eos=False: None  # type: ignore[method-assign]
    assert baselines(data).auroc.sel(kind="natural", baseline="log p").isnull().all()
