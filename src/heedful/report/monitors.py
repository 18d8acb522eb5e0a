"""The card of trained monitors as a page: what they are worth, and whether their forecasts come true.

Takes monitors and gives HTML; reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from heedful.control.monitors import Monitors
from heedful.report.rendering import rendered
from heedful.report.wording import task_name

_SIZE, _LEFT, _TOP = 150.0, 34.0, 8.0


class Point(NamedTuple):
    """One bin of a reliability curve in SVG units, with its whisker and the words for it."""

    x: float
    y: float
    low: float
    high: float
    text: str


class Panel(NamedTuple):
    """One task's reliability curve; `line` joins the points."""

    name: str
    points: list[Point]
    line: str


def monitor_page(monitors: Monitors) -> str:
    """The page, complete in itself; it needs no connection and runs no script."""
    return rendered(
        "monitors.html.jinja",
        {
            "monitors": monitors,
            "card": monitors.card,
            "tasks": monitors.card["tasks"],
            "panels": [panel(name, found) for name, found in monitors.card["tasks"].items()],
            "positions": (),  # of the study's report, whose style sheet this page shares
            "counts": shown_positions(monitors.card["tasks"]),
            "size": _SIZE,
            "left": _LEFT,
            "top": _TOP,
            "sources": sources(monitors.card),
            "shown": plain,
            "share": share,
            "kinds": (),
            "depth_positions": (),
        },
    )


def panel(task: str, found: Mapping[str, Any]) -> Panel:
    """A task's curve, drawn."""
    points = [
        Point(
            _x(each["predicted"]),
            _y(each["observed"]),
            _y(each["low"]),
            _y(each["high"]),
            f"predicted {each['predicted']:.0%}, observed {each['observed']:.0%} "
            f"[{each['low']:.0%}, {each['high']:.0%}], {each['forecasts']} forecasts",
        )
        for each in found["reliability"]
    ]
    return Panel(task_name(task), points, "M" + "L".join(f"{p.x:.1f},{p.y:.1f}" for p in points) if points else "")


def sources(card: Mapping[str, Any]) -> str:
    """'block.6.out, and block.5.out at the end of the prompt'."""
    newest = [each["site"] for each in card["sources"] if not each["at_prompt"]]
    prompt = [f"{each['site']} at the end of the prompt" for each in card["sources"] if each["at_prompt"]]
    return ", ".join(newest) + (" and " if newest and prompt else "") + ", ".join(prompt)


def shown_positions(tasks: Mapping[str, Any]) -> list[str]:
    """Token counts at which any task has an AUROC, the whole response ('0') last."""
    counts = {int(count) for found in tasks.values() for count in found["auroc"]} & {0, 8, 16, 32, 64, 128, 256}
    return [str(count) for count in sorted(counts, key=lambda count: (count == 0, count))]


def plain(found: Mapping[str, Any] | None) -> str:
    """'0.81 [0.76, 0.85]'; '–' for what could not be measured."""
    return _with_interval(found, lambda value: f"{value:.2f}")


def share(found: Mapping[str, Any] | None) -> str:
    """'41 % [30, 52]'."""
    if found is None or found["value"] is None:
        return "–"
    text = f"{found['value']:.0%}".replace("%", " %")
    return text if found["low"] is None else f"{text} [{100 * found['low']:.0f}, {100 * found['high']:.0f}]"


def _with_interval(found: Mapping[str, Any] | None, show: Any) -> str:
    if found is None or found["value"] is None:
        return "–"
    text: str = show(found["value"])
    return text if found["low"] is None else f"{text} [{show(found['low'])}, {show(found['high'])}]"


def _x(value: float) -> float:
    return _LEFT + _SIZE * value


def _y(value: float) -> float:
    return _TOP + _SIZE * (1 - value)
