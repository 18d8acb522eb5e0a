"""What erasing while writing costs: the grid, the sentence and the summary say what was planted."""

from __future__ import annotations

from pathlib import Path

import pytest

from heedful.report.behaviour import in_the_model
from heedful.report.run import Run
from heedful.report.summary import summarise


def test_planted_losses_are_told_and_own_tasks_are_shown(run: Run, ordinary_run: Path) -> None:
    found = in_the_model(run.behaviour, run.transfer)
    assert found is not None
    hurt = {(a, b) for a, b, _ in found.hurt}
    assert {(a, b) for a, b in hurt if a != b} == {("topic", "sentiment")}
    assert {a for a, b in hurt if a == b} == {each.task for each in found.effects}
    assert all(each.erased.value < -0.5 and each.away.value < -0.5 for each in found.effects)
    assert all(each.towards.value == 0 for each in found.effects)
    told = summarise(ordinary_run)["behaviour"]
    assert told["prompts"] == 30
    assert {"erased", "target", "change"} == {*told["lost"][0]}
    assert told["own"]["json"]["erased"]["value"] == pytest.approx(-told["own"]["json"]["undisturbed"]["value"])


def test_nothing_is_drawn_where_nothing_was_tried(run: Run) -> None:
    assert in_the_model(run.behaviour.isel(how=slice(0)), run.transfer) is None
