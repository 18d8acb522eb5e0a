"""The measurements of an embedded model: balanced, on prompts never trained on, honest where nothing can be told."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import InputError
from heedful.models import LanguageModel, load
from heedful.models.catalogue import verify_checksums
from heedful.pico.evaluate import (
    Rate,
    _answers,
    _asked,
    _rate,
    check_accuracy,
    evaluate,
    follows_several,
    revisions,
    sampled_rates,
)
from heedful.pico.package import package
from heedful.pico.pool import Pool
from heedful.prompts.tasks import TASKS


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return load("pico-llama")


@pytest.fixture(scope="module")
def measured(model: LanguageModel, pool: Pool) -> Any:
    return evaluate(model, pool, per_task=4)


def test_every_task_is_measured_on_as_many_cases_as_asked(measured: Any) -> None:
    tasks, revised = measured
    assert list(tasks) == list(TASKS)
    for score in tasks.values():
        for rate in score:
            assert rate.n == 4
            assert 0 <= rate.low <= rate.share <= rate.high <= 1
    for revision in revised:
        assert 0 < revision.revised.n == revision.drawn_anew.n <= 36
        assert revision.gain.share == pytest.approx(revision.revised.share - revision.drawn_anew.share)
        assert revision.kept > revision.kept_anew


def test_a_revision_and_a_new_answer_are_decoded_alike_and_no_draft_is_drawn_again(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[float, list[int]]] = []
    generate = LanguageModel.generate

    def noted(self: LanguageModel, prompts: Any, seeds: Any, **how: Any) -> Any:
        calls.append((how["temperature"], list(seeds)))
        return generate(self, prompts, seeds, **how)

    monkeypatch.setattr(LanguageModel, "generate", noted)
    asked = _asked(2)
    drafts = _answers(model, asked, 1.0)
    found = revisions(model, asked, drafts)
    n = found.sampled.revised.n
    assert [(temperature, len(seeds)) for temperature, seeds in calls[1:]] == [(0.0, n), (0.0, n), (1.0, n), (1.0, n)]
    drawn = [seed for _, seeds in (calls[0], *calls[3:]) for seed in seeds]
    assert len({*drawn}) == len(drawn) == len(asked) + 2 * n


def test_the_same_model_measures_the_same(model: LanguageModel, measured: Any) -> None:
    tasks, _ = measured
    again = sampled_rates(model, 4)
    assert {name: score.sampled for name, score in tasks.items()} == again


def test_a_check_that_always_says_yes_has_an_accuracy_of_a_half(
    model: LanguageModel, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heedful.pico.evaluate.says", lambda answer, task: True)
    assert check_accuracy(model, pool, TASKS["word_count"], 8).share == 0.5


def test_several_constraints_are_all_to_be_kept(model: LanguageModel) -> None:
    assert follows_several(model, 3, 24).share <= follows_several(model, 1, 24).share


def test_what_one_base_prompt_cannot_tell_is_nan() -> None:
    rate = _rate([(True, 1), (False, 1)])
    assert (rate.share, rate.n) == (0.5, 2)
    assert math.isnan(rate.low)
    assert float(Rate(0.25, 0.1, 0.5, 8)) == 0.25


def scored(measured: Any) -> dict[str, Any]:
    tasks, revised = measured
    return {
        "tasks": {name: score._asdict() for name, score in tasks.items()},
        "revisions": revised.to_dict(),
        "weights_bytes": 9_000_000,
        "contrast": {"topic": [0.9, 0.8, 0.95], "json": [0.6, 0.5, 0.7]},
    }


def test_a_run_becomes_a_model_with_card_and_checksums(measured: Any, model: LanguageModel, tmp_path: Path) -> None:
    from heedful.models import embedded_models

    [shipped] = [card.path for card in embedded_models() if card.name == "pico-llama"]
    run = tmp_path / "run"
    run.mkdir()
    (run / "model").symlink_to(shipped)
    (run / "log.jsonl").write_text(json.dumps({"step": 40}) + "\n")
    folder = package(run, "pico-new", scored(measured), note="A try.", root=tmp_path / "embedded")
    assert len(verify_checksums(folder)) == 64
    [card] = embedded_models(tmp_path / "embedded")
    assert card.name == "pico-new"
    assert card.about["note"] == "A try."
    assert card.about["steps"] == 40
    assert "AUROC ≥ 0.80 in 1 of 2 tasks" in card.about["facts"][-1]
    greedy = measured[1].greedy
    told = (
        f"{greedy.revised.share:.2f} of failed drafts comply after one greedy revision ({greedy.drawn_anew.share:.2f}"
    )
    assert told in card.about["facts"][-2]
    assert load(str(folder)).generate([[1, 2]], [0], max_new_tokens=3)


def test_a_run_without_a_model_is_refused(tmp_path: Path, measured: Any) -> None:
    with pytest.raises(InputError, match=r"has no model\n  → train one there first"):
        package(tmp_path, "pico-new", scored(measured), root=tmp_path)
