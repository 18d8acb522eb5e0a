"""What to do about a draft that fails: a file a policy, found by name. See `policy` for how to write one."""

from __future__ import annotations

from heedful.control.policies.policy import Ask, Asked, Plan, Policy, feedback, get_policy, known_policies, policy

__all__ = ["Ask", "Asked", "Plan", "Policy", "feedback", "get_policy", "known_policies", "policy"]
