"""While a model writes: scores equal replayed ones, each row has its own state, alarms are first crossings and no verdicts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.models.conftest import ARCHITECTURES

from heedful.constraints import Verdict
from heedful.control.monitors import (
    Alarm,
    LiveRisk,
    Monitors,
    Weights,
    first_alarm,
    measure_parity,
    peaks,
    token_scores,
)
from heedful.errors import InputError, ModelError
from heedful.models import LanguageModel, Replay

PROMPTS = [[9, 10], [5, 6, 7, 8], [11, 12, 13, 14, 15, 16], [17, 18, 19], [20, 21, 22, 23, 24]]


def replayed(model: LanguageModel, monitors: Monitors, rows: list[Replay]) -> list[torch.Tensor]:
    """Peaks of each row, [monitor, token], up to its last token."""
    found, weights = [], Weights(monitors.coef, monitors.prompt_coef, monitors.intercept)
    for row in rows:
        scores = [
            token_scores(model, [row], monitors.sites, weights, torch.tensor([index])).token
            for index in range(len(monitors.each))
        ]
        found.append(torch.cat([peaks(s, *m.window) for s, m in zip(scores, monitors.each, strict=True)]))
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_live_scores_and_alarms_equal_replayed_ones(
    architecture: str, tiny_model: Callable[..., LanguageModel], random_monitors: Callable[..., Monitors]
) -> None:
    model = tiny_model(architecture)
    monitors = random_monitors(model)
    model.generation_tokens = 3 * (6 + 24)  # three at once: rows end, leave, and others take their places
    live, trail = LiveRisk(monitors), [[] for _ in PROMPTS]

    def keep(rows: tuple[int, ...], states: torch.Tensor) -> None:
        for row, peak in zip(rows, live(rows, states), strict=True):
            trail[row].append(torch.from_numpy(peak))

    with model.watched(live.sites, keep, live.prompt):
        drawn = model.generate(PROMPTS, list(range(5)), max_new_tokens=24)
    rows = [Replay(prompt, answer.token_ids) for prompt, answer in zip(PROMPTS, drawn, strict=True)]
    raised = 0
    for number, (expected, seen) in enumerate(zip(replayed(model, monitors, rows), trail, strict=True)):
        if not seen:
            continue
        torch.testing.assert_close(torch.stack(seen, 1), expected[:, : len(seen)], atol=2e-4, rtol=1e-4)
        crossed = [
            int(first_alarm(expected[index : index + 1, : len(seen)], monitor.threshold.value))
            for index, monitor in enumerate(monitors.each)
        ]
        alarms = {alarm.name: alarm.token for alarm in live.alarms(number)}
        assert alarms == {f"task_{i}": token for i, token in enumerate(crossed) if token >= 0}
        raised += len(alarms)
    assert raised > 0


def test_a_row_in_a_batch_scores_as_it_does_alone_and_many_rows_find_places(
    tiny_model: Callable[..., LanguageModel], random_monitors: Callable[..., Monitors]
) -> None:
    model = tiny_model()
    monitors = random_monitors(model)
    prompts = [prompt for prompt in PROMPTS for _ in range(4)]
    together = LiveRisk(monitors)
    with model.watched(together.sites, together, together.prompt):
        model.generate(prompts, list(range(len(prompts))), max_new_tokens=16)
    for row in (0, 7, 19):
        alone = LiveRisk(monitors)
        with model.watched(alone.sites, alone, alone.prompt):
            model.generate([prompts[row]], [row], max_new_tokens=16)
        assert together.risk(row) == pytest.approx(alone.risk(0), abs=1e-4)
        assert [a.token for a in together.alarms(row)] == [a.token for a in alone.alarms(0)]


def test_forgetting_a_row_begins_it_anew_and_leaves_the_others(
    tiny_model: Callable[..., LanguageModel], random_monitors: Callable[..., Monitors]
) -> None:
    monitors = random_monitors(tiny_model())
    live, states = LiveRisk(monitors), torch.randn(2, 2, 32, generator=torch.Generator().manual_seed(0))
    live.prompt((4, 9), states + 1)
    for _ in range(6):
        live((4, 9), states)
    kept = live.risk(9)
    first = live.risk(4)
    live.forget(4)
    live.forget(77)
    assert live.risk(4) == {}
    assert live.alarms(4) == ()
    assert live.risk(9) == kept
    live((4,), states[:1])  # goes on from a prefix: nothing is said of it
    for _ in range(6):
        assert not np.isfinite(live((4,), states[:1])).any()
    assert live.risk(4) == {}
    assert live.alarms(4) == ()
    live.prompt((4,), states[:1] + 1)
    for _ in range(6):
        live((4,), states[:1])
    assert live.risk(4) == pytest.approx(first)
    live.restart(4)
    assert live.risk(4) == {}
    for _ in range(6):
        live((4,), states[:1])
    assert live.risk(4) == pytest.approx(first)


def test_prompts_that_are_never_shown_are_missed(
    tiny_model: Callable[..., LanguageModel], random_monitors: Callable[..., Monitors]
) -> None:
    live = LiveRisk(random_monitors(tiny_model()))
    with pytest.raises(InputError, match=r"response 4 began without its prompt.*\n.*live\.prompt"):
        live((4,), torch.zeros(1, 2, 32))


def test_an_alarm_is_a_proposal_and_no_verdict(
    tiny_model: Callable[..., LanguageModel], random_monitors: Callable[..., Monitors]
) -> None:
    live = LiveRisk(random_monitors(tiny_model(), threshold=-100.0))
    live.prompt((0,), torch.zeros(1, 2, 32))
    for _ in range(5):
        live((0,), torch.zeros(1, 2, 32))
    alarms = live.alarms(0)
    assert [alarm.token for alarm in alarms] == [0, 2, 3]  # where each window is first full
    assert [alarm.position for alarm in alarms] == ["response[0]", "response[2]", "response[3]"]
    assert all(isinstance(alarm, Alarm) and not isinstance(alarm, Verdict) for alarm in alarms)
    assert not {"outcome", "passed"} & set(dir(alarms[0]))
    assert "may end in a violation" in str(alarms[0])


@pytest.mark.parametrize("architecture", ["llama", "gemma3_text", "gpt2"])
def test_parity_is_measured_and_refused_where_it_fails(
    architecture: str,
    tiny_model: Callable[..., LanguageModel],
    random_monitors: Callable[..., Monitors],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tiny_model(architecture)
    model.eos_ids = ()
    monitors = random_monitors(model)
    found = measure_parity(model, monitors, PROMPTS, max_new_tokens=12)
    assert found.error <= found.tolerance == 0.01
    assert found.tokens == 5 * 11
    read = model.read_all
    monkeypatch.setattr(model, "read_all", lambda rows, *args: read([Replay([7], r.response_ids) for r in rows], *args))
    with pytest.raises(ModelError, match=r"differ from replayed ones.*\n.*float32"):
        measure_parity(model, monitors, PROMPTS, max_new_tokens=12)
