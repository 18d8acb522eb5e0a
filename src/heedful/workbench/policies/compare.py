"""Every policy put to the same instructions.

Beside the guard's own verifiers, which it optimises and so flatters, stand others that it never saw. Knows policies by name
only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import torch

from heedful.control.budget import Budget
from heedful.control.guard import Guard
from heedful.control.policies import Asked, get_policy
from heedful.control.result import Guarded
from heedful.control.upstream import Sampling, Upstream
from heedful.control.watch import RiskMonitor
from heedful.errors import InputError
from heedful.prompts.tasks import TASKS
from heedful.workbench.policies.comparison import Comparison, Run, row_of
from heedful.workbench.policies.instructions import Instruction, instructions
from heedful.workbench.policies.others import judged_by_others

UNGUARDED = "unguarded"
POLICIES = ("best_of_n", "refine", "resample", "abort", "decompose")
_MAX_TOKENS = 160


async def compare_policies(
    upstream: Upstream,
    *,
    policies: Sequence[str] = POLICIES,
    n: int = 120,
    constraints: Sequence[int] = (1, 2, 3),
    seed: int = 0,
    sampling: Sampling | None = None,
    budget: Budget | None = None,
    monitors: Sequence[RiskMonitor] = (),
    at_once: int = 32,
    checks: bool = False,
    progress: Callable[[str, int, int], None] = lambda policy, done, of: None,
) -> Comparison:
    """Put every policy to the same instructions.

    Args:
        policies: names, with options as 'best_of_n:n=8'; unguarded is always among them.
        n: instructions, at least as many as to have two base prompts.
        sampling: of first drafts; its seed is each instruction's own.
        budget: of each request.
        at_once: requests that are answered at the same time.
        checks: judge topic, register and toxicity by the model's own check turn, which embedded models were trained to give.
        progress: told of each request that is done.

    Raises:
        InputError: too few instructions, an impossible number of constraints, or an unknown policy, or none.
    """
    if n < 2 or not constraints or not all(1 <= count <= 3 for count in constraints):
        raise InputError(
            f"{n} instructions of {list(constraints)} constraints", "give 2 or more, of 1 to 3 constraints"
        )
    if not policies:
        raise InputError("no policy is given to compare", f"name one or more: {', '.join(POLICIES)}")
    asked = instructions(n, constraints, seed)
    sampling = sampling or Sampling(max_tokens=_MAX_TOKENS)
    group = torch.tensor([instruction.base_id for instruction in asked])
    for policy in policies:
        _check_policy(policy, upstream, asked, sampling)
    runs: dict[str, Run] = {}
    for policy in (UNGUARDED, *policies):
        gate, done = asyncio.Semaphore(at_once), 0

        async def answer(instruction: Instruction, policy: str = policy, gate: asyncio.Semaphore = gate) -> Guarded:
            nonlocal done
            guard = Guard(
                upstream,
                instruction.constraints,
                policy=policies[0] if policy == UNGUARDED else policy,
                budget=budget or Budget(),
                monitors=monitors,
                mode="shadow" if policy == UNGUARDED else "repair",
                run_on=True,
            )
            async with gate:
                result = await guard.agenerate(
                    instruction.prompt,
                    Sampling(sampling.temperature, sampling.top_p, sampling.max_tokens, instruction.seed),
                )
            done += 1
            progress(policy, done, n)
            return result

        results = await asyncio.gather(*map(answer, asked))
        others = await judged_by_others(upstream, asked, [result.text for result in results]) if checks else None
        runs[policy] = Run(results, group, others)
    rows = tuple(row_of(policy, run, runs[UNGUARDED], asked) for policy, run in runs.items())
    bases = len({instruction.base_id for instruction in asked})
    return Comparison(upstream.name, n, bases, tuple(sorted({*constraints})), seed, tuple(TASKS), rows, runs)


def _check_policy(name: str, upstream: Upstream, asked: Sequence[Instruction], sampling: Sampling) -> None:
    """Raises what a policy that cannot work with these says before its first draft, so that none is drawn in vain."""
    for instruction in asked:
        messages = ({"role": "user", "content": instruction.prompt},)
        plan = get_policy(name)(Asked(messages, sampling, tuple(instruction.constraints), upstream))
        next(plan, None)
        plan.close()
