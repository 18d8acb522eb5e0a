"""Thresholds and forecasts of monitors, by calibration base prompts; and the scores of test base prompts beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int

from heedful.control.monitors import (
    Forecast,
    Monitor,
    Monitors,
    Threshold,
    conformal_threshold,
    fit_forecast,
    last,
    moments,
    peaks,
    token_scores,
    units,
)
from heedful.models import LanguageModel
from heedful.pipeline.progress import Progress
from heedful.workbench.monitors.answers import Answer, Answers
from heedful.workbench.monitors.learning import Probes


class Scored(NamedTuple):
    """Responses of one part and task, scored token by token by the finished probe."""

    part: str
    answers: list[Answer]
    peak: Float[Tensor, "sample token"]
    prompt: Float[Tensor, " sample"]
    violates: Int[Tensor, " sample"]
    base: Int[Tensor, " sample"]


def calibrate(
    model: LanguageModel,
    probes: Probes,
    answers: Answers,
    tasks: Sequence[str],
    false_alarms: float,
    progress: Progress,
) -> tuple[Monitors, dict[tuple[str, str], Scored]]:
    """Thresholds and forecasts, by calibration base prompts."""
    scored: dict[tuple[str, str], Scored] = {}
    for part, given in (("calibration", answers.calibration), ("test", answers.test)):
        known = [answer for answer in given if answer.task in tasks]
        probe = torch.tensor([tasks.index(answer.task) for answer in known])
        scores = token_scores(
            model,
            [answer.replay for answer in known],
            probes.sites,
            probes.weights,
            probe,
            lambda done, of, part=part: progress(f"scoring {part} responses", done, of),  # type: ignore[misc]
        )
        for number, task in enumerate(tasks):
            rows = (probe == number).nonzero().squeeze(-1)
            mine = [known[i] for i in rows.tolist()]
            scored[part, task] = Scored(
                part,
                mine,
                peaks(scores.token[rows], *probes.windows[task]),
                scores.prompt[rows],
                torch.tensor([answer.violates for answer in mine], dtype=torch.int64),
                torch.tensor([answer.base for answer in mine], dtype=torch.int64),
            )
    each = []
    for task in tasks:
        told = scored["calibration", task]
        final = last(told.peak)[units(told.violates, told.base)]
        threshold: Threshold = conformal_threshold(final.tolist(), false_alarms)
        forecast: Forecast = fit_forecast(moments(told.peak, told.violates, told.base))
        window = probes.windows[task]
        each.append(Monitor(task, window.width, threshold, forecast, window.agree))
    return Monitors(probes.sites, tuple(each), *probes.weights, model.identity()), scored
