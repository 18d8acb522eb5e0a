"""What policies buy on an embedded model, and what they cost; the figures of docs/control.md.

    python benchmarks/policies.py [--model pico-llama] [--n 240] [--seed 0] [--monitors DIR]

Instructions with three constraints, over base prompts that no embedded model was trained on. Prints what the control layer is
held to: compliance with all constraints, guarded against unguarded, at most at three times the tokens, as the guard's own
verifiers and as others judge; tokens of abort against best-of-n that draws all n, at equal compliance; and against
drawing until one passes.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict

from heedful.control.opening import open_upstream
from heedful.workbench.policies import Estimate, compare_policies


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="pico-llama")
    parser.add_argument("--n", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tries", type=int, default=4)
    parser.add_argument("--monitors", help="folder of probe monitors: abort stops on their forecasts, too")
    given = parser.parse_args()
    policies = [
        f"best_of_n:n={given.tries}",
        f"refine:rounds={given.tries - 1}",
        f"resample:tries={given.tries}",
        f"abort:tries={given.tries}",
        f"decompose:rounds={given.tries - 1}",
    ]
    found = asyncio.run(
        compare_policies(
            open_upstream(given.model, monitors=given.monitors),
            policies=policies,
            n=given.n,
            constraints=(3,),
            seed=given.seed,
            checks=True,
        )
    )
    print(f"{found.model}: {found.instructions} instructions with three constraints, {found.bases} base prompts")
    print(f"{'policy':20} {'all kept, %':>18} {'gain, points':>18} {'by others, points':>20} {'× tokens':>18} calls")
    for row in found.policies:
        others = row.others_gain or Estimate(float("nan"), float("nan"), float("nan"))
        shares = [_shown(each, 100) for each in (row.passed, row.gain, others)]
        price = _shown(row.price, 1, 2)
        print(f"{row.policy:20} {shares[0]:>18} {shares[1]:>18} {shares[2]:>20} {price:>18} {row.calls.estimate:.2f}")
    best, _, resample, abort, _ = policies
    for other in (best, resample):
        print(f"tokens that {abort} saves against {other}: {_shown(found.less(abort, other), 100)} %")
    print({row.policy: asdict(row)["false_stops"] for row in found.policies if row.aborted})


def _shown(value: Estimate, by: float, digits: int = 0) -> str:
    return f"{by * value.estimate:.{digits}f} [{by * value.low:.{digits}f}, {by * value.high:.{digits}f}]"


if __name__ == "__main__":
    main()
