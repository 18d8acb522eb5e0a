"""Arms are fitted without what they are tried on, and outcomes become differences beside their controls."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from heedful.erasure import Eraser, Step
from heedful.lenses import fit_probes
from heedful.lenses.arms import DIRECTIONS, STEP, VARIANTS, Arm, fit_arms
from heedful.lenses.behaviour import Asked, Outcome, behaviour, spread_of_draws
from heedful.planted import MECHANISMS, Size, World
from heedful.probes import auroc

SMALL = Size(hidden=32, squares=60, natural=100, n_bases=30, strength=4.0)
TASKS = ("json", "topic", "register")


@pytest.fixture(scope="module")
def data():
    return World(MECHANISMS["independent"], SMALL, 1).draw("time", 1)


@pytest.fixture(scope="module")
def arms(data):
    return fit_arms(data, fit_probes(data, general=False, controls=False))


def test_each_task_has_an_eraser_its_controls_and_two_steps_and_nothing_is_fitted_at_the_end(data, arms):
    assert {(a.how, a.variant) for a in arms} == {*(("leace", v) for v in VARIANTS), *((STEP, d) for d in DIRECTIONS)}
    assert len(arms) == len({a.name for a in arms}) == 5 * len(data.tasks)
    assert all(len(a.sites) == len(a.changes) == data.n_folds for a in arms)


def test_an_eraser_takes_the_trace_off_raw_states_of_the_fold_it_has_not_seen(data, arms):
    rows = data.examples("contrast", "topic")
    [arm] = [a for a in arms if a.task == "topic" and a.variant == "erased"]
    position = "response[7]"  # where inner folds choose in this draw: the last token before the end
    x = data.raw("block.0.out", position, rows)
    direction = x[rows.label == 1].mean(0) - x[rows.label == 0].mean(0)
    for fold, change in enumerate(arm.changes):
        assert isinstance(change, Eraser)
        here = rows.fold == fold
        before, after = auroc(x[here] @ change.read[:, 0], rows.label[here]), change(x[here])
        assert float(before) > 0.6
        # What the eraser reads is gone; what is left along the classes' difference is not more than chance allows.
        left = (after - change.center) @ change.read
        assert float(left.abs().max()) < 1e-2 * float(((x[here] - change.center) @ change.read).abs().max())
    steps = {a.variant: a.changes[0] for a in arms if a.task == "topic" and a.how == STEP}
    towards, away = (steps[d] for d in DIRECTIONS)
    assert isinstance(towards, Step)
    assert isinstance(away, Step)
    torch.testing.assert_close(towards.by, -away.by)
    assert float(towards.by @ direction) > 0


def outcome(complies: torch.Tensor) -> Outcome:
    return Outcome(complies.double(), torch.full((6,), 10), torch.full((6,), 2.0), torch.full((6,), 5.0))


def test_losses_are_told_from_those_of_the_controls():
    n = 24
    task, base = torch.arange(3).repeat_interleave(n), torch.arange(n).repeat(3)
    plain = torch.ones(3 * n)
    arms = [
        Arm(how, "chosen", name, variant, ("block.0.out",), ())
        for name in TASKS
        for how, variants in (("leace", VARIANTS), (STEP, DIRECTIONS))
        for variant in variants
    ]
    outcomes = {}
    for arm in arms:
        complies, own = plain.clone(), task == TASKS.index(arm.task)
        if arm.task == "json" and arm.variant in VARIANTS:
            complies[own & (base % 2 == 0)] = 0  # the controls cost as much: no evidence
        if arm.task == "topic" and arm.variant == "erased":
            complies[own & (base % 4 != 0)] = 0
            complies[(task == 2) & (base == 3)] = torch.nan  # one that could not be scored
        if arm.how == STEP:
            complies[~own] = torch.nan
        outcomes[arm.name] = outcome(complies)
    found = behaviour(TASKS, Asked(task, base, base // 6), plain.double(), outcomes, arms).isel(how=0, where=0)
    change = found["change"].sel(variant="erased")
    assert float(change.sel(erased="topic", target="topic")) == -0.75
    assert float(change.sel(erased="json", target="json")) == -0.5
    assert float(found["q_value"].sel(erased="topic", target="topic")) == pytest.approx(
        9 / 2**18
    )  # 18 prompts, all lost
    assert float(found["q_value"].sel(erased="json", target="json")) > 0.5
    assert float(found["change"].sel(variant="erased", erased="topic", target="register")) == 0
    unchanged = found.sel(variant="erased", erased="topic", target="json")
    assert -0.2 < float(unchanged["change_low"]) < 0 < float(unchanged["change_high"]) < 0.2  # none of 24 is not never
    np.testing.assert_allclose(found["kl"].values, 0.5)
    np.testing.assert_allclose(found["nll"].values, 0.2)
    assert not found["step_change"].isnull().any()


def test_a_change_of_shares_is_never_bounded_beyond_one():
    arms = [Arm("leace", "chosen", "json", variant, ("block.0.out",), ()) for variant in VARIANTS]
    complies = {"erased": [0, 0, 1], "permuted": [1, 1, 1], "random": [1, 1, 1]}
    outcomes = {arm.name: outcome(torch.tensor(complies[arm.variant])) for arm in arms}
    asked = Asked(torch.zeros(3, dtype=torch.long), torch.arange(3), torch.zeros(3, dtype=torch.long))
    found = behaviour(["json"], asked, torch.ones(3, dtype=torch.float64), outcomes, arms)
    change = found.sel(how="leace", where="chosen", erased="json", target="json")
    assert float(change["change_low"].sel(variant="erased")) == -1.0  # the plain interval of (−1, −1, 0) ends at −2.1
    assert float(change["change_high"].sel(variant="erased")) < 1.0
    assert float(change["change"].sel(variant="random")) == 0.0


def test_three_prompts_that_are_all_lost_show_what_three_prompts_can():
    arms = [Arm("leace", "chosen", "json", variant, ("block.0.out",), ()) for variant in VARIANTS]
    outcomes = {a.name: outcome(torch.zeros(3) if a.variant == "erased" else torch.ones(3)) for a in arms}
    asked = Asked(torch.zeros(3, dtype=torch.long), torch.arange(3), torch.zeros(3, dtype=torch.long))
    found = behaviour(["json"], asked, torch.ones(3, dtype=torch.float64), outcomes, arms).squeeze()
    assert float(found["p_value"]) == float(found["q_value"]) == 1 / 8
    for control in ("permuted", "random"):
        assert float(found[f"beyond_{control}"]) == float(found[f"beyond_{control}_high"]) == 1
        assert 0.25 < float(found[f"beyond_{control}_low"]) < 0.35


@pytest.mark.parametrize("uneven", [False, True])
def test_a_loss_counts_beyond_what_one_draw_of_a_control_costs_more_than_another(uneven: bool):
    n, n_folds = 40, 5
    task, base = torch.arange(3).repeat_interleave(n), torch.arange(n).repeat(3)
    fold = base % n_folds
    arms = [Arm("leace", "chosen", name, variant, ("block.0.out",), ()) for name in TASKS for variant in VARIANTS]
    outcomes = {}
    for arm in arms:
        complies, e = torch.ones(3 * n), TASKS.index(arm.task)
        if arm.variant == "random":  # one draw in five costs every answer of its fold, or each draw one answer in eight
            complies[fold == e if uneven else base // n_folds == fold] = 0
        if arm.variant == "erased":
            complies[base % 2 == 0] = 0
        outcomes[arm.name] = outcome(complies)
    found = behaviour(TASKS, Asked(task, base, fold), torch.ones(3 * n).double(), outcomes, arms).isel(how=0, where=0)
    own = found.sel(erased="topic", target="topic")
    assert abs(float(own["draws_random"]) - (0.45 if uneven else 0.0)) < 0.05
    assert float(own["draws_permuted"]) == 0
    assert float(own["beyond_permuted_low"]) > 0.3
    assert (float(own["p_value"]) < 0.002) != uneven
    assert (float(own["beyond_random_low"]) > 0) != uneven


@pytest.mark.parametrize("folds", [1, 2, 5])
def test_the_spread_of_draws_is_that_of_the_draws_and_not_of_the_prompts(folds: int):
    generator = torch.Generator().manual_seed(folds)
    base = torch.arange(60)
    fold, fragile = base % folds, 0.4 + 0.6 * torch.rand(60, generator=generator)
    whole = (
        0.3 * (folds > 1) * (torch.arange(6) % 2 - 0.5).unsqueeze(1)
    )  # some tasks' controls cost more than others' do
    for spread in (0.0, 0.2):
        found = []
        for _ in range(150):
            draws = spread * (2 * torch.randint(2, (6, folds), generator=generator) - 1)
            site = 0.2 * (torch.rand(folds, generator=generator) - 0.5)  # chosen by fold, for all tasks
            rate = (0.5 + whole + site + draws)[:, fold] * fragile
            lost = torch.rand(6, 60, generator=generator) < rate
            found.append(spread_of_draws(lost.double(), base, fold))
        variance = torch.tensor([one.variance for one in found]).mean()
        assert abs(float(variance) - float((spread * fragile.mean()) ** 2)) < 0.004
        assert {one.df for one in found} == {5 * max(folds - 1, 1)}
