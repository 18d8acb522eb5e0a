"""What every probe fitter returns: many linear probes at once, in the coordinates of the rows they were fitted on.

Knows nothing of how a probe is fitted, of folds, or of what a row stands for.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class LinearProbes:
    """Linear classifiers, `problem` of them for each entry of the batch (a site and position, say)."""

    coef: Float[Tensor, "*batch problem hidden"]
    """Normal of the decision plane, in the units of log-odds per unit of x (for logistic regression)."""
    intercept: Float[Tensor, "*batch problem"]
    converged: Bool[Tensor, "*batch problem"]
    """The solver met its tolerance; always true of closed forms."""
    iterations: Int[Tensor, "*batch problem"]
    degenerate: Bool[Tensor, "*batch problem"]
    """The rows of positive weight held fewer than two classes: coef is 0 and the scores are constant."""

    def scores(self, x: Float[Tensor, "*batch sample hidden"]) -> Float[Tensor, "*batch problem sample"]:
        """Signed scores of rows; above 0 means class 1. NaN for degenerate probes: a constant is not an opinion."""
        out = self.coef @ x.to(self.coef.dtype).mT + self.intercept.unsqueeze(-1)
        return out.masked_fill(self.degenerate.unsqueeze(-1), float("nan"))
