"""Draw answers until one passes, and waste no token on one that cannot: it is stopped as soon as that is known.

A prefix monitor's proof is certain; a probe monitor's forecast is a guess that may stop an answer that would have complied.
The log tells the two apart, and `heedful policies` counts the false stops.
"""

from __future__ import annotations

from heedful.control.policies.policy import Ask, Asked, Kind, Plan, counted, policy


@policy("abort")
def abort(asked: Asked, *, tries: int = 8, forecasts: bool = True) -> Plan:
    """Draw until one passes; a draft is stopped once a violation is proved, or (forecasts) expected."""
    stop_on: tuple[Kind, ...] = ("proved", "forecast") if forecasts else ("proved",)
    for number in range(counted(tries, "tries")):
        yield [Ask(asked.request(number), stop_on=stop_on)]
