"""Monitors on states as they come: each row's scores, risks and alarms while it is written.

>>> live = LiveRisk(monitors, model.device)
>>> with model.watched(live.sites, live, live.prompt):
...     answers = model.generate(prompts, seeds)
>>> live.alarms(0)

Proposes, and stops nothing: who writes asks `alarms` after a token and decides. Rows come and go, each with a state of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

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
        self._rolling = Rolling(_PLACES, monitors.widths, device)
        self._offset = torch.zeros(
            _PLACES, len(monitors.each), device=device
        )  # the prompt's part of every token's score
        self._thresholds = torch.tensor([each.threshold.value for each in monitors.each], device=device)
        self._place: dict[int, int] = {}
        self._alarms: dict[int, list[Alarm]] = {}
        self._free = list(range(_PLACES))
        self._prompt: dict[int, Tensor] = {}

    @torch.inference_mode()
    def prompt(self, rows: Sequence[int], states: Float[Tensor, "row site hidden"]) -> None:
        """The last prompt token of rows that are about to begin; a row that was begun begins anew."""
        for row, part in zip(rows, self.monitors.prompt_scores(states.to(self._coef.device)), strict=True):
            self.forget(row)
            self._prompt[row] = part

    @torch.inference_mode()
    def __call__(self, rows: Sequence[int], states: Float[Tensor, "row site hidden"]) -> Float[Tensor, "row monitor"]:
        """One more token of each of these rows; gives each monitor's largest score so far, −inf before its window is full.

        A row that has not been seen yet begins with it.

        Raises:
            InputError: its prompt has not been seen, and has a part in the scores.
        """
        places = [self._place[row] if row in self._place else self._begin(row) for row in rows]
        index = torch.tensor(places, device=self._coef.device)
        scores = torch.addmm(self._intercept, states.flatten(1).to(self._coef), self._coef) + self._offset[index]
        before = self._rolling.peak[index]
        peak = self._rolling.add(index, scores)
        fresh = (peak > self._thresholds) & (before <= self._thresholds)
        if bool(fresh.any()):
            for number, monitor in fresh.nonzero().tolist():
                self._raise(rows[number], monitor)
        return peak

    def risk(self, row: int) -> dict[str, float]:
        """By monitor, the risk that the finished response violates, as of the token read last; a monitor whose window is not
        full yet has none."""
        if row not in self._place:
            return {}
        peaks, read = self._rolling.peak[self._place[row]].cpu(), self._rolling.read[self._place[row]].cpu()
        return {
            monitor.name: float(monitor.forecast(peak, read))
            for monitor, peak in zip(self.monitors.each, peaks, strict=True)
            if bool(peak.isfinite())
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
        if row not in self._prompt and self.monitors.read_prompts:
            raise InputError(
                f"response {row} began without its prompt, which these monitors read as well",
                "watch prompts too: model.watched(live.sites, live, live.prompt)",
            )
        if not self._free:
            self._free = list(range(len(self._rolling), 2 * len(self._rolling)))
            self._rolling.grow(len(self._rolling))
            self._offset = torch.cat([self._offset, torch.zeros_like(self._offset)])
        place = self._place[row] = self._free.pop()
        self._alarms[row] = []
        self._rolling.restart(place)
        self._offset[place] = self._prompt.pop(row) if row in self._prompt else 0.0
        return place

    def _raise(self, row: int, index: int) -> None:
        monitor, place = self.monitors.each[index], self._place[row]
        peak, read = self._rolling.peak[place, index], self._rolling.read[place]
        self._alarms[row].append(
            Alarm(
                name=monitor.name,
                score=float(peak),
                threshold=monitor.threshold.value,
                risk=float(monitor.forecast(peak, read)),
                token=int(read) - 1,
                false_alarms=monitor.threshold.rate,
            )
        )
