"""The dependency graph: tasks on a circle, an arrow from an erased task to each that loses by it.

Numbers in, SVG coordinates out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin
from typing import NamedTuple

from heedful.report.matrix import Edge
from heedful.report.wording import task_name, with_interval

_WIDTH, _HEIGHT, _RADIUS = 560.0, 400.0, 135.0
_GAP = 13.0
_BEND = 0.16


class Node(NamedTuple):
    """A task: its place, and where its name stands."""

    task: str
    x: float
    y: float
    name_x: float
    name_y: float
    anchor: str


class Arrow(NamedTuple):
    """A dependency: `width` tells how much is lost."""

    path: str
    width: float
    text: str


@dataclass(frozen=True)
class Graph:
    """Nodes and arrows, in SVG units."""

    nodes: list[Node]
    arrows: list[Arrow]
    width: float = _WIDTH
    height: float = _HEIGHT


def graph(tasks: Sequence[str], edges: Sequence[Edge]) -> Graph | None:
    """None where there is nothing to draw an arrow between."""
    if not edges:
        return None
    nodes = {task: _node(task, i, len(tasks)) for i, task in enumerate(tasks)}
    most = max(edge.drop.value for edge in edges)
    arrows = [
        Arrow(
            _path(nodes[edge.erased], nodes[edge.target]),
            round(0.8 + 3.2 * max(edge.drop.value, 0) / most, 2),
            f"{task_name(edge.erased)} erased: {task_name(edge.target)} loses {with_interval(edge.drop)}",
        )
        for edge in sorted(edges, key=lambda edge: edge.drop.value)
    ]
    return Graph(list(nodes.values()), arrows)


def _node(task: str, i: int, n: int) -> Node:
    angle = 2 * pi * i / n - pi / 2
    across, down = cos(angle), sin(angle)
    x, y = _WIDTH / 2 + _RADIUS * across, _HEIGHT / 2 + _RADIUS * down
    anchor = "mid" if abs(across) < 0.2 else "start" if across > 0 else "end"
    return Node(task, round(x, 1), round(y, 1), round(x + 14 * across, 1), round(y + 4 + 16 * down, 1), anchor)


def _path(start: Node, end: Node) -> str:
    """A bow to the right of the line, so that an arrow and its reverse do not lie on each other; short of both nodes."""
    dx, dy = end.x - start.x, end.y - start.y
    length = hypot(dx, dy)
    bow_x, bow_y = (start.x + end.x) / 2 - _BEND * dy, (start.y + end.y) / 2 + _BEND * dx
    from_x, from_y = start.x + dx / length * _GAP, start.y + dy / length * _GAP
    into = hypot(end.x - bow_x, end.y - bow_y)
    to_x, to_y = end.x - (end.x - bow_x) / into * _GAP, end.y - (end.y - bow_y) / into * _GAP
    return f"M{from_x:.1f},{from_y:.1f}Q{bow_x:.1f},{bow_y:.1f} {to_x:.1f},{to_y:.1f}"
