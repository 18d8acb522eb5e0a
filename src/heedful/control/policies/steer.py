"""Step the model towards what its draft failed, while it writes: for local models that were studied."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

from heedful.control.policies.policy import Ask, Asked, Plan, counted, policy
from heedful.control.result import best_of
from heedful.errors import InputError

if TYPE_CHECKING:
    from heedful.control.local import LocalModel
    from heedful.control.steering import Steered


@policy("steer")
def steer(asked: Asked, *, study: str = "", strength: float = 1.0, tries: int = 4) -> Plan:
    """Draft, then draw again stepped along the directions of what failed, by a study of this model (study=FOLDER)."""
    counted(tries, "tries")
    if not study:
        raise InputError("steering needs directions", "name a study of this model: steer:study=FOLDER")
    if not hasattr(asked.upstream, "model"):
        raise InputError(
            f"{asked.upstream.name} runs elsewhere and cannot be steered", "take a local model, or 'refine'"
        )
    from heedful.control.steering import check_studied, read_directions, task_of

    directions, local = read_directions(study), cast("LocalModel", asked.upstream)
    check_studied(study, local.model)
    seen = [*(yield [Ask(asked.request())])]
    for number in range(1, tries):
        at = best_of(seen)
        failed = [] if at is None else [v.constraint for v in seen[at].verdicts if not v.passed]
        tasks = sorted({task for each in failed if (task := task_of(each, directions))})
        if tasks:
            upstream = _steered(local, study, tuple(tasks), strength)
            ask = Ask(asked.request(number), f"steered towards {', '.join(tasks)}", upstream=upstream)
        else:
            ask = Ask(asked.request(number))
        seen += yield [ask]


@lru_cache(maxsize=32)
def _steered(local: LocalModel, study: str, tasks: tuple[str, ...], strength: float) -> Steered:
    from heedful.control.steering import Steered, read_directions

    directions = read_directions(study)
    return Steered(local, [directions[task] for task in tasks], strength)
