"""What is told of finished monitors: their card, of test base prompts, and every response that was scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import heedful
from heedful.control.monitors import Monitors, worth
from heedful.workbench.monitors.answers import Answers
from heedful.workbench.monitors.calibrating import Scored
from heedful.workbench.monitors.enough import Lack
from heedful.workbench.monitors.learning import Probes


def card(
    monitors: Monitors,
    scored: Mapping[tuple[str, str], Scored],
    answers: Answers,
    probes: Probes,
    reasons: Mapping[str, Lack],
    false_alarms: float,
    responses: int,
) -> dict[str, Any]:
    found = {}
    for monitor in monitors.each:
        test = scored["test", monitor.name]
        measured = worth(test.peak, test.violates, test.base, monitor.threshold, monitor.forecast, test.prompt)
        probe = probes.chosen.probes[monitor.name]
        found[monitor.name] = measured.to_dict() | {"C": probe.C, "training_auroc": probe.auroc}
    parts = {"training": answers.training, "calibration": answers.calibration, "test": answers.test}
    return {
        "heedful": heedful.__version__,
        "false_alarms": false_alarms,
        "sources": [source._asdict() for source in probes.sources],
        "fresh": answers.fresh,
        "responses_each": responses if answers.fresh else None,
        "base_prompts": {name: len({answer.base for answer in part}) for name, part in parts.items()},
        "responses": {name: len(part) for name, part in parts.items()},
        "left_out": answers.left_out,
        "without_monitor": {task: str(lack) for task, lack in reasons.items()},
        "tasks": found,
    }


def scored_table(scored: Mapping[tuple[str, str], Scored]) -> dict[str, list[Any]]:
    """Every scored response: what it is of, how long, its largest score, and that of its tokens."""
    rows: list[dict[str, Any]] = []
    for (part, task), mine in scored.items():
        for answer, peak in zip(mine.answers, mine.peak, strict=True):
            kept = peak[~peak.isnan()]
            rows.append(
                {
                    "part": part, "task": task, "base_id": answer.base, "constraint": answer.constraint,
                    "measured": answer.measured, "violates": answer.violates, "tokens": len(kept),
                    "peak": [float(value) for value in kept],
                }
            )  # fmt: skip
    return {name: [row[name] for row in rows] for name in rows[0]}
