"""Draft, then one constraint at a time: a small model mends one thing more reliably than three."""

from __future__ import annotations

from heedful.control.policies.order import by_family, order_from_study
from heedful.control.policies.policy import Ask, Asked, Plan, counted, feedback, policy
from heedful.control.result import Attempt, best_of
from heedful.control.studied import skills_of, task_of


@policy("decompose")
def decompose(asked: Asked, *, rounds: int = 4, study: str = "") -> Plan:
    """Draft, then ask for one constraint at a time: by family, or as a study's dependencies suggest (study=FOLDER)."""
    counted(rounds, "rounds")
    places = (
        {name: place for place, name in enumerate(order_from_study(study))} if study else by_family(asked.constraints)
    )
    skills = skills_of(study) if study else ()
    tasks = {constraint.id: task_of(constraint, skills) for constraint in asked.constraints}
    seen: list[Attempt] = [*(yield [Ask(asked.request())])]
    tried: dict[tuple[str, str], int] = {}
    for number in range(1, rounds + 1):
        at = best_of(seen)
        best = None if at is None or not seen[at].whole else seen[at]
        failed = [] if best is None else [verdict for verdict in best.verdicts if verdict.outcome == "fail"]
        if best is None or not failed:
            [draft] = yield [Ask(asked.request(number))]
        else:
            # What was asked of this draft in vain goes to the end of the queue.
            def turn(constraint: str, text: str = best.text) -> tuple[int, int]:
                place = places.get(constraint, places.get(tasks[constraint], len(places)))
                return tried.get((text, constraint), 0), place

            first = min(failed, key=lambda verdict: turn(verdict.constraint))
            key = best.text, first.constraint
            asked_for = feedback([first], [verdict for verdict in best.verdicts if verdict.passed])
            request = asked.revision(number, best, asked_for, greedy=key not in tried)
            tried[key] = tried.get(key, 0) + 1
            [draft] = yield [Ask(request, f"revision for {first.constraint}")]
        seen.append(draft)
