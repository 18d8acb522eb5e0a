"""What erasing while writing costs: the grid, the sentence and the summary say what was planted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from heedful.report.behaviour import in_the_model
from heedful.report.run import Run, read_run
from heedful.report.summary import summarise
from heedful.store import encode_results


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


def test_a_change_is_painted_where_its_interval_leaves_out_nothing(run: Run) -> None:
    unsure = run.behaviour.copy(deep=True)
    at = {"variant": "erased", "erased": "topic", "target": "sentiment"}
    assert float(unsure["change_high"].sel(at).max()) < 0
    unsure["change_high"].loc[at] = 0.1
    shades = []
    for behaviour in (run.behaviour, unsure):
        found = in_the_model(behaviour, run.transfer)
        assert found is not None
        cell = found.grid.cells[
            len(found.grid.tasks) * found.grid.tasks.index("topic") + found.grid.tasks.index("sentiment")
        ]
        assert cell.value < -0.5
        shades.append(cell.shade)
    assert shades[0] > 5
    assert shades[1] == 0


def test_the_summary_says_which_losses_may_be_damage(make_run: Callable[..., Path], ordinary_run: Path) -> None:
    def summary(path: Path) -> str:
        return str(summarise(path)["summary"])

    care = "the erasure moves the model more than twice as far as its control does"
    assert care not in summary(ordinary_run)
    path = make_run()
    found = read_run(path).behaviour.load()
    kl = found["kl"].dims
    assert "variant" in kl
    for name, value in (("kl", 1.0), ("kl_low", 0.9), ("kl_high", 1.1)):
        found[name].loc[{"variant": "erased"}] = value
        found[name].loc[{"variant": "random"}] = value / 10
    (path / "results" / "behaviour.nc").write_bytes(encode_results(found))
    assert f"in all of them {care}" in summary(path)
    found["kl_low"].loc[{"variant": "erased", "erased": [t for t in found["erased"].values if t != "json"]}] = 0.0
    (path / "results" / "behaviour.nc").write_bytes(encode_results(found))
    assert f"in one of them {care}" in summary(path)


def test_the_page_says_of_a_list_that_is_cut_that_it_is(ordinary_page: str, run: Run) -> None:
    found = in_the_model(run.behaviour, run.transfer)
    assert found is not None
    assert len(found.hurt) > 6
    assert f"in <b>{len(found.hurt)}</b> pairs, most of all " in ordinary_page


def test_nothing_is_drawn_where_nothing_was_tried(run: Run) -> None:
    assert in_the_model(run.behaviour.isel(how=slice(0)), run.transfer) is None
