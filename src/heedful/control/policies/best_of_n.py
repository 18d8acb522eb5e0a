"""Draw several answers at once and take the best: no feedback needed, and the price of all of them.

As many at once as the loop draws at the same time; of a larger n the rest is drawn only where none of those passes.
"""

from __future__ import annotations

from heedful.control.policies.policy import Ask, Asked, Plan, counted, policy


@policy("best_of_n")
def best_of_n(asked: Asked, *, n: int = 4) -> Plan:
    """Draw n answers as a batch; the best is the one that satisfies most, then by mean score."""
    yield [Ask(asked.request(number)) for number in range(counted(n, "n"))]
