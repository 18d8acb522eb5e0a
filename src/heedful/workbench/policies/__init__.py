"""Policies beside each other on one model: how many answers they make comply, and at what price. `compare_policies` is the way
in.
"""

from heedful.workbench.policies.compare import POLICIES, compare_policies
from heedful.workbench.policies.comparison import Comparison, Estimate

__all__ = ["POLICIES", "Comparison", "Estimate", "compare_policies"]
