"""The monitors of one model: a probe a task, all of them one matrix product a token, with thresholds and forecasts.

A value: made by training, kept in a folder (`folder`), used on live states (`live`) or replayed ones (`replay`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.control.monitors.conformal import Threshold
from heedful.control.monitors.forecast import Forecast
from heedful.control.monitors.smoothing import Window
from heedful.errors import ModelError
from heedful.models import LanguageModel
from heedful.models.identity import differing
from heedful.prompts.skills import Skill


class Monitor(NamedTuple):
    """One task's monitor, but for its weights.

    Attributes:
        name: the task.
        width: tokens in its window.
        threshold: beyond which it raises an alarm, and the rate that this holds.
        forecast: from its score to the risk of a violation.
        agree: how many of them must agree, by count; None for their mean.
    """

    name: str
    width: int
    threshold: Threshold
    forecast: Forecast
    agree: int | None = None

    @property
    def window(self) -> Window:
        """Both."""
        return Window(self.width, self.agree)


class Parity(NamedTuple):
    """How far live scores were from replayed ones, where both were measured.

    Attributes:
        error: the largest difference of a token's score, in standard deviations of its monitor's scores.
        tolerance: what is allowed in this dtype.
        tokens: how many were compared.
    """

    error: float
    tolerance: float
    tokens: int


@dataclass(frozen=True)
class Monitors:
    """Monitors that share their sites.

    Attributes:
        sites: where they read, in the order of `coef`.
        each: one a task.
        coef: on the newest token's hidden states, as the model gives them; f32.
        prompt_coef: on those of the prompt's last token, whose part of a score stays the same for a whole response.
        intercept: f32.
        model: identity of the model that they read (`LanguageModel.identity`).
        parity: measured when they were trained.
        card: how they were made and what they are worth, as JSON values.
        skills: those of the tasks that are skills of the user's own.
    """

    sites: tuple[str, ...]
    each: tuple[Monitor, ...]
    coef: Float[Tensor, "monitor site hidden"]
    prompt_coef: Float[Tensor, "monitor site hidden"]
    intercept: Float[Tensor, " monitor"]
    model: Mapping[str, Any]
    parity: Parity | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    skills: tuple[Skill, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks."""
        return tuple(monitor.name for monitor in self.each)

    @property
    def windows(self) -> tuple[Window, ...]:
        """Of tokens that are to agree."""
        return tuple(monitor.window for monitor in self.each)

    @property
    def read_prompts(self) -> bool:
        """Whether the prompt has a part in any score."""
        return bool(self.prompt_coef.any())

    def scores(self, states: Float[Tensor, "row site hidden"]) -> Float[Tensor, "row monitor"]:
        """One token's part of the log-odds of a violation; in f32, on the states' device."""
        coef, intercept = self.coef.to(states.device), self.intercept.to(states.device)
        return torch.addmm(intercept, states.flatten(1).float(), coef.flatten(1).mT)

    def prompt_scores(self, states: Float[Tensor, "row site hidden"]) -> Float[Tensor, "row monitor"]:
        """The prompt's part of them, by its last token."""
        return states.flatten(1).float() @ self.prompt_coef.to(states.device).flatten(1).mT

    def check_model(self, model: LanguageModel) -> None:
        """Raises `ModelError` where these are the monitors of another model."""
        now = model.identity()
        if changed := differing(self.model, now):
            what = ", ".join(f"{name} {self.model.get(name)} → {now.get(name)}" for name in changed)
            raise ModelError(
                f"these monitors were trained on {self.model.get('id')}, and {model.name} is not that model "
                f"(there → now): {what}",
                "load the model that they were trained on, or train monitors for this one: heedful monitor train RUN",
            )
