"""Step the model towards what its draft failed, while it writes: for local models that were studied."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

from heedful.control.policies.policy import Ask, Asked, Plan, counted, policy
from heedful.control.result import best_of
from heedful.control.studied import skills_of, task_of
from heedful.errors import InputError

if TYPE_CHECKING:
    from heedful.control.local import LocalModel
    from heedful.control.steering import Direction, Steered

_MOST_KEPT = 32  # ways to steer one model

_kept: WeakKeyDictionary[LocalModel, dict[object, Steered]] = WeakKeyDictionary()
_lock = Lock()  # policies run in several threads


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
    from heedful.control.steering import check_studied, read_directions

    directions, local = read_directions(study), cast("LocalModel", asked.upstream)
    check_studied(study, local.model)
    skills = skills_of(study)
    seen = [*(yield [Ask(asked.request())])]
    for number in range(1, tries):
        at = best_of(seen)
        verdicts = () if at is None else seen[at].verdicts
        failed = [constraint for constraint, v in zip(asked.constraints, verdicts, strict=False) if not v.passed]
        tasks = sorted({task for each in failed if (task := task_of(each, skills)) in directions})
        if tasks:
            upstream = _steered(local, [directions[task] for task in tasks], strength)
            ask = Ask(asked.request(number), f"steered towards {', '.join(tasks)}", upstream=upstream)
        else:
            ask = Ask(asked.request(number))
        seen += yield [ask]


def _steered(local: LocalModel, directions: Sequence[Direction], strength: float) -> Steered:
    """Made once for a model and what it is stepped along, and kept as long as the model is."""
    from heedful.control.steering import Steered

    way = (strength, *((each.site, each.by.float().numpy().tobytes()) for each in directions))
    with _lock:
        kept = _kept.setdefault(local, {})
        if way not in kept:
            if len(kept) == _MOST_KEPT:
                del kept[next(iter(kept))]
            kept[way] = Steered(local, directions, strength)
        return kept[way]
