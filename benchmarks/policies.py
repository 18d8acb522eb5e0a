"""What policies buy on an embedded model, and what they cost; the figures of docs/control.md.

    python benchmarks/policies.py [--model pico-llama] [--n 240] [--seed 0] [--constraints 3] [--monitors DIR]

Instructions with so many constraints each, over base prompts that no embedded model was trained on. Prints what the control
layer is held to: compliance with all constraints, guarded against unguarded, at most at three times the tokens, as the guard's
own verifiers and as others judge; tokens of abort against best-of-n that draws all n, at equal compliance; and against
drawing until one passes. With `--monitors`, what their forecasts do to abort instead: none, one draft that may fall to a
forecast, every draft, and the drafts that were stopped though they would have complied.
"""

from __future__ import annotations

import argparse
import asyncio

from heedful.control.opening import open_upstream
from heedful.workbench.policies import Estimate, compare_policies


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="pico-llama")
    parser.add_argument("--n", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tries", type=int, default=4)
    parser.add_argument("--constraints", type=int, default=3, help="of each instruction, 1 to 3")
    parser.add_argument(
        "--monitors", help="folder of probe monitors: abort with and without their forecasts, and no other"
    )
    given = parser.parse_args()
    policies = [
        f"best_of_n:n={given.tries}",
        f"refine:rounds={given.tries - 1}",
        f"resample:tries={given.tries}",
        f"abort:tries={given.tries}",
        f"decompose:rounds={given.tries - 1}",
    ]
    compared = [(policies[3], policies[0]), (policies[3], policies[2])]
    if given.monitors:
        policies = [f"abort:tries={given.tries},forecasts={forecasts}" for forecasts in (0, 1, given.tries)]
        compared = [(other, policies[0]) for other in policies[1:]]
    found = asyncio.run(
        compare_policies(
            open_upstream(given.model, monitors=given.monitors),
            policies=policies,
            n=given.n,
            constraints=(given.constraints,),
            seed=given.seed,
            checks=True,
        )
    )
    print(
        f"{found.model}: {found.instructions} instructions, constraints {given.constraints}, {found.bases} base prompts"
    )
    wide = max(len(policy) for policy in policies)
    print(
        f"{'policy':{wide}} {'all kept, %':>18} {'gain, points':>18} {'by others, points':>20} {'× tokens':>18} calls"
    )
    for row in found.policies:
        others = row.others_gain or Estimate(float("nan"), float("nan"), float("nan"))
        shares = [_shown(each, 100) for each in (row.passed, row.gain, others)]
        price = _shown(row.price, 1, 2)
        print(
            f"{row.policy:{wide}} {shares[0]:>18} {shares[1]:>18} {shares[2]:>20} {price:>18} {row.calls.estimate:.2f}"
        )
    for policy, other in compared:
        print(f"tokens that {policy} saves against {other}: {_shown(found.less(policy, other), 100)} %")
    for row in found.policies:
        if row.aborted:
            kinds = [attempt.ended for result in found.runs[row.policy].results for attempt in result.attempts]
            forecast = kinds.count("forecast")
            print(
                f"{row.policy}: {row.aborted} drafts stopped, {forecast} by forecast; {row.false_stops} would have complied"
            )


def _shown(value: Estimate, by: float, digits: int = 0) -> str:
    return f"{by * value.estimate:.{digits}f} [{by * value.low:.{digits}f}, {by * value.high:.{digits}f}]"


if __name__ == "__main__":
    main()
