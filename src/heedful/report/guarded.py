"""Pages of the control layer: a guard's log, and policies beside each other. Numbers in, a file that opens offline out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heedful.report.rendering import rendered

_NO_CHOICE: dict[str, Any] = {"kinds": [], "positions": [], "depth_positions": []}
"""Nothing is selected on these pages: for the style sheet."""


def log_page(lines: Sequence[Mapping[str, Any]], totals: Mapping[str, Any], name: str) -> str:
    """The page of a guard's log.

    Args:
        lines: requests as the log holds them.
        totals: over them, and `in_log`, how many requests the log has.
        name: of the log.
    """
    most = max((a["tokens"]["completion"] for line in lines for a in line["attempts"]), default=1) or 1
    return rendered("log.html.jinja", _NO_CHOICE | {"lines": lines, "totals": totals, "name": name, "most": most})


def policies_page(found: Mapping[str, Any]) -> str:
    """The page that compares policies.

    Args:
        found: as `Comparison.to_dict` gives it.
    """
    return rendered("policies.html.jinja", _NO_CHOICE | {"found": found, "figure": _points(found)})


_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 640, 300, 50, 40, 14, 110


def _points(found: Mapping[str, Any]) -> dict[str, Any]:
    """Compliance over tokens a request, each with its interval, in pixels."""
    most = max(row["tokens"]["estimate"] for row in found["policies"]) * 1.1 or 1.0

    def x(value: float) -> float:
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * value / most, 1)

    def y(value: float) -> float:
        return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value), 1)

    step = next(s for s in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10**9) if most / s <= 6)
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "left": _LEFT,
        "right": _WIDTH - _RIGHT,
        "bottom": _HEIGHT - _BOTTOM,
        "x": [(x(v), f"{v:,}") for v in range(0, int(most) + 1, step)],
        "y": [(y(v / 4), f"{25 * v} %") for v in range(5)],
        "marks": [
            {
                "name": row["policy"],
                "x": x(row["tokens"]["estimate"]),
                "y": y(row["passed"]["estimate"]),
                "low": y(row["passed"]["low"]),
                "high": y(row["passed"]["high"]),
            }
            for row in found["policies"]
        ],
    }
