"""Tell the model what is wrong, in numbers, and what holds and must stay; always from the best draft so far.

A revision that is worse than its draft is dropped, and the draft is revised again. Where revisions do not help, a new draft is
drawn instead: some cannot be mended.
"""

from __future__ import annotations

from heedful.control.policies.policy import Ask, Asked, Plan, counted, feedback, policy
from heedful.control.result import Attempt, best_of


@policy("refine")
def refine(asked: Asked, *, rounds: int = 4, patience: int = 2) -> Plan:
    """Draft, then revise by measured feedback; what got worse is rolled back, what does not help is drawn anew."""
    counted(rounds, "rounds")
    counted(patience, "patience")
    seen: list[Attempt] = [*(yield [Ask(asked.request())])]
    idle = 0
    for number in range(1, rounds + 1):
        at = best_of(seen)
        best = None if at is None else seen[at]
        changes = [] if best is None else [verdict for verdict in best.verdicts if verdict.outcome == "fail"]
        if best is None or not best.whole or not changes or idle >= patience:
            ask, idle = Ask(asked.request(number)), 0
        else:
            # The likeliest revision first; a second one of the same draft would be the same, so it is drawn.
            asked_for = feedback(changes, [verdict for verdict in best.verdicts if verdict.passed])
            ask = Ask(asked.revision(number, best, asked_for, greedy=idle == 0), "revision")
        [draft] = yield [ask]
        seen.append(draft)
        idle = 0 if best is None or draft.rank > best.rank else idle + 1
