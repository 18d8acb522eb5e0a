"""Draw answers until one passes, and waste no token on one that cannot: it is stopped as soon as that is known.

A prefix monitor's proof is certain; a probe monitor's forecast is a guess that may stop an answer that would have complied.
So only some drafts may fall to forecasts: monitors that are wrong about a kind of prompt cost some tokens, and not the answer.
The log tells the two apart, and `heedful policies` counts the false stops.
"""

from __future__ import annotations

from heedful.control.policies.policy import Ask, Asked, Kind, Plan, counted, policy


@policy("abort")
def abort(asked: Asked, *, tries: int = 8, forecasts: int = 1) -> Plan:
    """Draw until one passes; a draft is stopped once a violation is proved, or (at most so many forecasts) expected."""
    for number in range(counted(tries, "tries")):
        stop_on: tuple[Kind, ...] = ("proved", "forecast") if forecasts > 0 else ("proved",)
        [draft] = yield [Ask(asked.request(number), stop_on=stop_on)]
        forecasts -= draft.ended == "forecast"
