"""The 58 instruction types of IFBench as constraints, two of them never scored. See `base` for what they have in common.

>>> from heedful.constraints.ifeval import constraint_from_ifeval
>>> constraint_from_ifeval("count:numbers", {"N": 2}).check("1 and 2 and 3").hint
'3 numbers, exactly 2: cut 1'
"""

from __future__ import annotations

from heedful.constraints.ifbench import (  # noqa: F401  (each registers its types)
    corrected,
    corrected_formats,
    counts,
    layout,
    letters,
    marks,
    order,
    questions,
    ratios,
    repeats,
    sentences,
    tables,
    unscored,
)
from heedful.constraints.ifbench.base import IFBenchConstraint, known_ifbench_types

__all__ = ["IFBenchConstraint", "known_ifbench_types"]
