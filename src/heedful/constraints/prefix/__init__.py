"""What can be said of a text while it is still being written. Knows no particular constraint.

>>> from heedful.constraints import Exclude
>>> monitor = Exclude(terms="cat").monitor()
>>> [monitor.feed(delta).state for delta in ("A ", "cat", "alogue ", "of one cat", ".")]
['open', 'open', 'open', 'open', 'violated']
"""

from __future__ import annotations

from heedful.constraints.prefix.monitor import Left, PrefixMonitor, PrefixVerdict, State
from heedful.constraints.prefix.utf8 import Utf8Decoder

__all__ = ["Left", "PrefixMonitor", "PrefixVerdict", "State", "Utf8Decoder"]
