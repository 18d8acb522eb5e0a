"""Monitors on states as they come: each row's scores, risks and alarms while it is written.

>>> live = LiveRisk(monitors, model.device)
>>> with model.watched(live.sites, live, live.prompt):
...     answers = model.generate(prompts, seeds)
>>> live.alarms(0)

Proposes, and stops nothing: who writes asks `alarms` after a token and decides. Rows come and go, each with a state of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from heedful.control.alarm import Alarm
from heedful.control.monitors.monitor import Monitors
from heedful.control.monitors.smoothing import Rolling
from heedful.errors import InputError

_PLACES = 8  # for rows, to begin with


class LiveRisk:
    """The state of some monitors over rows that are being written.

    Attributes:
        monitors: which.
        sites: what it wants to be shown, in this order.
    """

    def __init__(self, monitors: Monitors, device: torch.device | str = "cpu") -> None:
        """Before any row has begun; `device` is where states come from."""
        self.monitors, self.sites = monitors, monitors.sites
        self._coef = monitors.coef.flatten(1).mT.contiguous().to(device)
        self._intercept = monitors.intercept.to(device)
        self._rolling = Rolling(_PLACES, monitors.windows)
        # The prompt's part of every token's score.
        self._offset = np.zeros((_PLACES, len(monitors.each)), dtype=np.float32)
        self._thresholds = np.array([each.threshold.value for each in monitors.each], dtype=np.float32)
        self._place: dict[int, int] = {}
        self._alarms: dict[int, list[Alarm]] = {}
        self._free = list(range(_PLACES))
        self._prompt: dict[int, Float[np.ndarray, " monitor"]] = {}
        self._shown = False

    @torch.inference_mode()
    def prompt(self, rows: Sequence[int], states: Float[Tensor, "row site hidden"]) -> None:
        """The last prompt token of rows that are about to begin; a row that was begun begins anew."""
        self._shown = True
        for row, part in zip(rows, self.monitors.prompt_scores(states).cpu().numpy(), strict=True):
            self.forget(row)
            self._prompt[row] = part

    @torch.inference_mode()
    def __call__(
        self, rows: Sequence[int], states: Float[Tensor, "row site hidden"]
    ) -> Float[np.ndarray, "row monitor"]:
        """One more token of each of these rows; gives each monitor's largest score so far, −inf before its window is full.

        A row that has not been seen yet begins with it. One whose prompt was not shown, since it goes on from a prefix, has no
        finite score, and so neither risk nor alarm: where the response began is not known.

        Raises:
            InputError: no prompt was ever shown, and prompts have a part in the scores.
        """
        places = [self._place[row] if row in self._place else self._begin(row) for row in rows]
        scores = torch.addmm(self._intercept, states.flatten(1).to(self._coef), self._coef).cpu().numpy()
        before = self._rolling.peak[places]
        peak = self._rolling.add(places, scores + self._offset[places])
        fresh = (peak > self._thresholds) & (before <= self._thresholds)
        if fresh.any():
            for number, monitor in np.argwhere(fresh).tolist():
                self._raise(rows[number], monitor)
        return peak

    def risk(self, row: int) -> dict[str, float]:
        """By monitor, the risk that the finished response violates, as of the token read last; a monitor whose window is not
        full yet has none."""
        if row not in self._place:
            return {}
        place = self._place[row]
        read = int(self._rolling.read[place])
        return {
            monitor.name: monitor.forecast.of(peak, read)
            for monitor, peak in zip(self.monitors.each, self._rolling.peak[place].tolist(), strict=True)
            if math.isfinite(peak)
        }

    def alarms(self, row: int) -> tuple[Alarm, ...]:
        """Raised so far, in order; one a monitor."""
        return tuple(self._alarms.get(row, ()))

    def forget(self, row: int) -> None:
        """A row has ended: all that is known of it. Harmless for an unknown row."""
        self._prompt.pop(row, None)
        if row in self._place:
            self._free.append(self._place.pop(row))
            del self._alarms[row]

    def restart(self, row: int) -> None:
        """A row's thinking is over: its answer begins with the next token, and alarms over the thinking are void."""
        if row in self._place:
            self._alarms[row].clear()
            self._rolling.restart(self._place[row])

    def _begin(self, row: int) -> int:
        if not self._shown and self.monitors.read_prompts:
            raise InputError(
                f"response {row} began without its prompt, which these monitors read as well",
                "watch prompts too: model.watched(live.sites, live, live.prompt)",
            )
        if not self._free:
            self._free = list(range(len(self._rolling), 2 * len(self._rolling)))
            self._rolling.grow(len(self._rolling))
            self._offset = np.concatenate([self._offset, np.zeros_like(self._offset)])
        place = self._place[row] = self._free.pop()
        self._alarms[row] = []
        self._rolling.restart(place)
        unknown = np.nan if self._shown else 0.0
        self._offset[place] = self._prompt.pop(row) if row in self._prompt else unknown
        return place

    def _raise(self, row: int, index: int) -> None:
        monitor, place = self.monitors.each[index], self._place[row]
        peak, read = float(self._rolling.peak[place, index]), int(self._rolling.read[place])
        self._alarms[row].append(
            Alarm(
                name=monitor.name,
                score=peak,
                threshold=monitor.threshold.value,
                risk=monitor.forecast.of(peak, read),
                token=read - 1,
                false_alarms=monitor.threshold.rate,
                skill=next((skill for skill in self.monitors.skills if skill.name == monitor.name), None),
            )
        )
