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

    def scores(self, x: Float[Tensor, "*rows sample hidden"]) -> Float[Tensor, "*batch problem sample"]:
        """Signed scores of rows, of the probes' batch or of one that broadcasts against it; above 0 means class 1. NaN for
        degenerate probes: a constant is not an opinion."""
        coef, rows = self.coef, x.to(self.coef.dtype)
        if rows.ndim == 2:  # one product, where every entry of the batch reads the same rows
            out = (coef.reshape(-1, coef.shape[-1]) @ rows.mT).reshape(*coef.shape[:-1], len(rows))
        else:
            out = coef @ rows.mT
        scores: Tensor = (out + self.intercept.unsqueeze(-1)).masked_fill(self.degenerate.unsqueeze(-1), float("nan"))
        return scores
