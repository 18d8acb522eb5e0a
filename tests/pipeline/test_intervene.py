"""What the model wrote is kept: undisturbed to every prompt, and of each arm the first answers that changed and did not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import heedful
from heedful.constraints import constraint_from
from heedful.lenses.arms import Arm
from heedful.models import LanguageModel
from heedful.pipeline.intervene import _to_keep, _Trial
from heedful.store import read_table

SETTINGS: dict[str, Any] = {
    "base_prompts": 40,
    "samples": 6,
    "squares": 30,
    "erasers": ("leace",),
    "tasks": ("word_count", "register"),
    "max_new_tokens": 48,
    "sites": ("block.1.out", "block.7.out"),
    "positions": ("response[-1]", "eos"),
    "behaviour_prompts": 4,
}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory, model: LanguageModel) -> heedful.Study:
    return heedful.study(
        "pico-llama",
        out=tmp_path_factory.mktemp("tried") / "run",
        loaded=model,
        **SETTINGS,
    )


def test_answers_are_kept_with_their_verdicts_and_make_the_compliance(tried: heedful.Study) -> None:
    samples = {sample["sample_id"]: sample for sample in tried.samples.rows()}
    kept = list(read_table(tried.path / "disturbed.parquet").rows())
    for one in kept:
        verdict = constraint_from(json.loads(samples[one["sample_id"]]["constraint"])).check(one["text"])
        assert (one["outcome"], one["reason"]) == (verdict.outcome, verdict.reason)
        assert json.loads(one["spans"]) == [list(span) for span in verdict.spans]
        assert one["task"] == samples[one["sample_id"]]["task"]
    plain = [one for one in kept if one["variant"] == "undisturbed"]
    assert len(plain) == 8
    for task in ("word_count", "register"):
        passed = [one["outcome"] == "pass" for one in plain if one["task"] == task]
        assert float(tried.behaviour["undisturbed"].sel(target=task)) == pytest.approx(sum(passed) / len(passed))
    arms = {(one["how"], one["variant"], one["erased"]) for one in kept} - {("", "undisturbed", "")}
    assert {how for how, *_ in arms} == {"leace", "step"}
    for arm in arms:
        mine = [one for one in kept if (one["how"], one["variant"], one["erased"]) == arm]
        assert {one["task"] for one in mine} == ({arm[2]} if arm[0] == "step" else {"word_count", "register"})
        assert len(mine) <= 4
    page = Path(tried.report).read_text(encoding="utf-8")
    assert 'id="acts-word_count-register"' in page
    assert not (tried.path / "parts/intervene").exists() or not any((tried.path / "parts/intervene").iterdir())


def test_arms_tried_together_come_to_what_each_comes_to_alone(
    tried: heedful.Study, model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(tried.path, alone)
    manifest = json.loads((alone / "manifest.json").read_text(encoding="utf-8"))
    del manifest["stages"]["intervene"]
    (alone / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    tries: list[int] = []

    def one_at_a_time(trial: _Trial, arms: Sequence[Arm], *rest: Any) -> list[dict[str, list[Any]]]:
        tries.append(len(arms))
        return whole(trial, arms, *rest)

    whole = _Trial.__call__
    monkeypatch.setattr(_Trial, "arms_at_once", lambda trial, limit: 1)
    monkeypatch.setattr(_Trial, "__call__", one_at_a_time)
    again = heedful.study("pico-llama", out=alone, loaded=model, **SETTINGS)
    assert set(tries) == {1}
    assert len(tries) > 2
    xr.testing.assert_allclose(again.behaviour, tried.behaviour, rtol=1e-3, atol=1e-3)
    texts = [[row["text"] for row in read_table(s.path / "disturbed.parquet").rows()] for s in (again, tried)]
    assert texts[0] == texts[1]


def test_the_first_that_changed_and_the_first_that_did_not_are_kept() -> None:
    def said(task: str, outcomes: str) -> list[dict[str, str]]:
        return [{"task": task, "outcome": outcome, "text": f"{task}{i}"} for i, outcome in enumerate(outcomes)]

    undisturbed = [*said("a", "ppf"), *said("b", "pp")]
    disturbed = [*said("a", "pfp"), None, said("b", "pp")[1]]
    assert [one["text"] for one in _to_keep(disturbed, undisturbed)] == ["a0", "a1", "b1"]
