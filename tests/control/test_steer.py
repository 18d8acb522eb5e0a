"""Steering changes the twin and not the model, in the direction that the study says."""

from __future__ import annotations

import gc
from pathlib import Path
from weakref import ref

import pytest
import torch

from heedful.constraints import Include, Register
from heedful.control.guard import Guard
from heedful.control.local import LocalModel
from heedful.control.policies.steer import _kept
from heedful.control.steering import Steered, read_directions
from heedful.control.upstream import Sampling
from heedful.erasure import Step
from heedful.errors import InputError, ModelError
from heedful.lenses.arms import Arm
from heedful.models import LanguageModel, load
from heedful.pipeline.intervene import arms_bytes
from heedful.store import RunFolder

from .conftest import Scripted

ASK = "Write a note to a neighbour. Write formally."


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return load("pico-llama")


@pytest.fixture
def study(tmp_path: Path, model: LanguageModel) -> str:
    """Steps of three folds, two of them at one site; and an arm that is none."""
    with RunFolder.open(tmp_path, {}) as run:
        run.note(model=model.identity())
    write_arms(tmp_path, model)
    return str(tmp_path)


def write_arms(run: str | Path, model: LanguageModel, task: str = "register", times: float = 1.0) -> None:
    steps = [Step(torch.full((model.hidden_size,), times * size)) for size in (0.5, 9.0, 1.5)]
    sites = (model.sites[2], model.sites[1], model.sites[2])
    arms = [
        Arm("step", "chosen", task, variant, sites, tuple(Step(sign * step.by) for step in steps))
        for variant, sign in (("away", -1), ("towards", 1))
    ]
    (Path(run) / "arms.safetensors").write_bytes(arms_bytes(arms))


def test_directions_are_the_mean_where_most_folds_step(study: str, model: LanguageModel) -> None:
    found = read_directions(study)
    assert list(found) == ["register"]
    assert found["register"].site == model.sites[2]
    torch.testing.assert_close(found["register"].by, torch.ones(model.hidden_size))


def test_a_twin_shares_the_weights_and_no_changes(model: LanguageModel) -> None:
    twin, prompt = model.twin(), model.encode(ASK)
    assert {each.data_ptr() for each in twin._model.parameters()} == {
        each.data_ptr() for each in model._model.parameters()
    }
    before = model.generate([prompt], [0], max_new_tokens=12)
    assert twin.generate([prompt], [0], max_new_tokens=12) == before
    with twin.changed({model.sites[1]: lambda hidden: hidden + 3.0}):
        assert model.generate([prompt], [0], max_new_tokens=12) == before
        assert twin.generate([prompt], [0], max_new_tokens=12) != before
    assert twin.generate([prompt], [0], max_new_tokens=12) == before


def test_what_failed_is_stepped_towards_and_the_model_is_left_as_it_was(study: str, model: LanguageModel) -> None:
    local = LocalModel(model)
    guard = Guard(local, [Register(level="formal"), Include(terms=("zyzzyva",))], f"steer:study={study},tries=3")
    result = guard.generate(ASK, Sampling(seed=4, max_tokens=40))
    [plain] = model.generate([model.encode(ASK)], [4], max_new_tokens=40)
    assert result.attempts[0].text == plain.text
    failed = {v.constraint for v in result.attempts[0].verdicts if not v.passed}
    expected = "steered towards register" if "stylistic/register" in failed else "draft"
    assert result.attempts[1].what == expected
    assert model.generate([model.encode(ASK)], [4], max_new_tokens=40) == [plain]


def test_a_step_changes_what_is_written(study: str, model: LanguageModel) -> None:
    local = LocalModel(model)
    direction = read_directions(study)["register"]
    texts = [
        Guard(upstream, [Register(level="formal")], mode="shadow")
        .generate(ASK, Sampling(temperature=0, max_tokens=30))
        .text
        for upstream in (local, Steered(local, [direction], 0.0), Steered(local, [direction], 4.0))
    ]
    assert texts[0] == texts[1] != texts[2]


def steered(local: LocalModel, study: str) -> str:
    """What is drawn after the first draft, which fails for certain."""
    guard = Guard(local, [Include(terms=("zyzzyva",))], f"steer:study={study},tries=2")
    attempt = guard.generate(ASK, Sampling(seed=4, max_tokens=30)).attempts[1]
    assert attempt.what == "steered towards include"
    return attempt.text


def test_a_study_that_was_run_again_is_read_again(study: str, model: LanguageModel) -> None:
    local, texts = LocalModel(model), []
    for times in (1.0, -4.0, 1.0):
        write_arms(study, model, "include", times)
        texts.append(steered(local, study))
    assert texts[0] == texts[2] != texts[1]


def test_a_model_that_nobody_needs_any_more_is_let_go(study: str, model: LanguageModel) -> None:
    write_arms(study, model, "include")
    local = LocalModel(model.twin())
    steered(local, study)
    [kept] = _kept[local].values()
    twins = [ref(local.model), ref(kept)]
    steered(local, study)
    assert [*_kept[local].values()] == [kept]  # and until then it is made once
    del local, kept
    gc.collect()
    assert [twin() for twin in twins] == [None, None]


def test_what_cannot_be_steered_says_why(study: str, model: LanguageModel, tmp_path: Path) -> None:
    formal = [Register(level="formal")]
    for upstream, policy, cause in (
        (Scripted("Hi."), f"steer:study={study}", "scripted runs elsewhere and cannot be steered"),
        (LocalModel(model), "steer", "steering needs directions"),
        (LocalModel(model), f"steer:study={tmp_path / 'no'}", "has no arms.safetensors"),
    ):
        with pytest.raises(InputError, match=cause):
            Guard(upstream, formal, policy).generate(ASK)


def test_a_study_of_another_model_of_the_same_width_is_refused(study: str) -> None:
    other = LocalModel("pico-qwen")
    with pytest.raises(ModelError, match=r"is a study of pico-llama, and pico-qwen is not that model: revision"):
        Guard(other, [Register(level="formal")], f"steer:study={study}").generate(ASK)
