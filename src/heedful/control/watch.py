"""Watching one answer while it is written: what prefix monitors prove, and what probe monitors forecast.

The two are told apart everywhere: a proof says that no completion can comply, a forecast only that one is unlikely to.
Draws nothing and stops nothing: who draws asks, and decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from heedful.constraints import Constraint, PrefixMonitor
from heedful.control.result import Alert
from heedful.control.upstream import Delta
from heedful.errors import InputError


class RiskMonitor(Protocol):
    """What forecasts: reads the risk that an upstream's deltas carry, and says when it is too high."""

    @property
    def name(self) -> str:
        """As in `Delta.risk`."""
        ...

    def alarm(self, risk: float) -> str | None:
        """Why to stop at this risk; None to go on."""
        ...


class RiskLimit:
    """The plainest risk monitor: an alarm as soon as the risk reaches a limit."""

    def __init__(self, name: str, limit: float) -> None:
        """Take the name in `Delta.risk` and the limit, on the scale of those scores."""
        if limit != limit:
            raise InputError(
                f"the limit of the monitor {name!r} is not a number", "give the score from which it alarms"
            )
        self.name, self.limit = name, limit

    def alarm(self, risk: float) -> str | None:
        return f"risk {risk:.2f}, alarm from {self.limit:.2f}" if risk >= self.limit else None


class Watch:
    """Of one answer.

    Attributes:
        alerts: raised so far, one a constraint and one a monitor.
    """

    def __init__(
        self, constraints: Sequence[Constraint], monitors: Sequence[RiskMonitor] = (), prefix: str = ""
    ) -> None:
        """Begin with what the answer begins with."""
        self.alerts: list[Alert] = []
        self._open: list[PrefixMonitor] = [constraint.monitor() for constraint in constraints]
        self._waiting = list(monitors)
        self._constraints = tuple(constraints)
        self._alarmed: set[str] = set()
        self._length = 0
        self._feed(prefix)

    def feed(self, delta: Delta) -> list[Alert]:
        """The alerts that this delta raises."""
        before = len(self.alerts)
        self._feed(delta.text)
        for alarm in delta.alarms:  # those of tasks that were not asked for say nothing of this answer
            if alarm.name not in self._alarmed and alarm.concerns(self._constraints):
                self._alarmed.add(alarm.name)
                self.alerts.append(
                    Alert("forecast", alarm.name, str(alarm).removeprefix(f"{alarm.name}: "), self._length)
                )
        for monitor in list(self._waiting):
            risk = delta.risk.get(monitor.name)
            reason = None if risk is None else monitor.alarm(risk)
            if reason is not None:
                self._waiting.remove(monitor)
                self.alerts.append(Alert("forecast", monitor.name, reason, self._length))
        return self.alerts[before:]

    @property
    def proved(self) -> Alert | None:
        """The first violation that is proved; None while there is none."""
        return next((alert for alert in self.alerts if alert.kind == "proved"), None)

    def _feed(self, text: str) -> None:
        self._length += len(text)
        if not text:
            return
        for monitor in list(self._open):
            try:
                now = monitor.feed(text)
            except (
                Exception
            ):  # a user's monitor may fail in any way: it proves nothing from there on, and the verdict decides
                self._open.remove(monitor)
                continue
            if now.decided:
                self._open.remove(monitor)
            if now.state == "violated":
                self.alerts.append(Alert("proved", now.constraint, now.reason, self._length))
