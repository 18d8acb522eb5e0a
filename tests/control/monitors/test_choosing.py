"""What was planted is chosen, by training rows alone; a window asks as many tokens as the noise demands."""

from __future__ import annotations

import torch

from heedful.control.monitors import WINDOWS, TaskTokens, choose, choose_window, last, peaks


def tokens(signal: float, source: int, seed: int = 0, n: int = 200, each: int = 4) -> TaskTokens:
    """n responses of a few tokens each; in one of three sources, violations lie `signal` further along one direction."""
    generator = torch.Generator().manual_seed(seed)
    violates = torch.arange(n) % 2
    response = torch.arange(n).repeat_interleave(each)
    states = torch.randn(3, n * each, 6, generator=generator)
    states[source, :, 0] += signal * violates[response]
    return TaskTokens(states, violates[response], response, (torch.arange(n) // 4 % 5)[response])


def test_the_source_that_knows_is_chosen_and_no_other_that_adds_nothing() -> None:
    found = choose({"a": tokens(2.0, 1), "b": tokens(2.0, 1, seed=1)}, 3, 3)
    assert found.sources == (1,)
    assert all(probe.auroc > 0.85 for probe in found.probes.values())
    assert all(int(probe.coef.abs().argmax()) == 0 for probe in found.probes.values())


def test_sources_that_each_know_one_task_are_both_chosen() -> None:
    assert choose({"a": tokens(2.0, 0), "b": tokens(2.0, 2)}, 3, 3).sources == (0, 2)
    assert len(choose({"a": tokens(2.0, 0), "b": tokens(2.0, 2)}, 3, 1).sources) == 1


def test_where_nothing_is_planted_held_out_tokens_are_at_chance() -> None:
    aurocs = [choose({"a": tokens(0.0, 0, seed)}, 1, 1).probes["a"].auroc for seed in range(8)]
    assert abs(sum(aurocs) / 8 - 0.5) < 0.06


def test_each_response_weighs_the_same_and_so_do_the_classes() -> None:
    response = torch.tensor([0, 0, 0, 1, 2, 2])
    made = TaskTokens(torch.zeros(1, 6, 2), torch.tensor([0, 0, 0, 1, 0, 0]), response, torch.zeros(6).long())
    by_response = torch.zeros(3).index_add_(0, response, made.weight)
    torch.testing.assert_close(by_response, torch.tensor([0.75, 1.5, 0.75]))


def test_noisy_tokens_want_a_wide_window_and_a_short_burst_a_narrow_one() -> None:
    generator = torch.Generator().manual_seed(0)
    violates, fold = torch.arange(300) % 2, torch.arange(300) // 2 % 5
    steady = torch.randn(300, 60, generator=generator) + 0.5 * violates[:, None]
    assert choose_window(steady, violates, fold).width >= 8
    burst = 0.3 * torch.randn(300, 60, generator=generator)
    burst[violates == 1, 20] += 1.2
    assert choose_window(burst, violates, fold) == (1, None)


def test_a_count_is_chosen_where_single_tokens_are_wild() -> None:
    """One wild token carries a mean away, and counts as one."""
    generator = torch.Generator().manual_seed(0)
    violates, fold = torch.arange(300) % 2, torch.arange(300) // 2 % 5
    calm = 0.3 * torch.randn(300, 60, generator=generator) + 0.5 * violates[:, None]
    wild = torch.where(
        torch.rand(300, 60, generator=generator) < 0.04, 40.0 * torch.rand(300, 60, generator=generator), 0.0
    )
    assert choose_window(calm + wild, violates, fold, WINDOWS["best"]).agree is not None
    assert choose_window(calm, violates, fold, WINDOWS["best"]).agree is None


def test_the_last_value_is_that_of_the_last_token() -> None:
    scores = torch.tensor([[1.0, 3.0, 2.0], [5.0, torch.nan, torch.nan]])
    assert last(peaks(scores, 1)).tolist() == [3.0, 5.0]
    assert last(peaks(scores, 2)).tolist() == [2.5, -torch.inf]
