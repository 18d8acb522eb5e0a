"""Draw answers one after another until one passes: the plainest policy, and what the others must beat."""

from __future__ import annotations

from heedful.control.policies.policy import Ask, Asked, Plan, counted, policy


@policy("resample")
def resample(asked: Asked, *, tries: int = 8) -> Plan:
    """Draw one answer at a time, each to its end, until one passes."""
    for number in range(counted(tries, "tries")):
        yield [Ask(asked.request(number))]
