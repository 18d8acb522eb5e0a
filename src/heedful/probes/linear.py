"""Probes in closed form, with the signature and result of `fit_logistic`: ridge regression and difference in means.

Ridge is what logistic regression becomes if errors are squared; the difference in means ignores covariance altogether,
and is the direction that steering and mean projection use.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.probes.principal import PrincipalRows
from heedful.probes.problems import Problems, pose
from heedful.probes.result import LinearProbes


def fit_ridge(
    x: Float[Tensor, "*batch sample hidden"] | PrincipalRows,
    y: Tensor,
    weight: Tensor | None = None,
    C: Tensor | float = 1.0,
) -> LinearProbes:
    """Least squares on targets ±1: minimise ‖w‖² + C Σᵢ weightᵢ (tᵢ − w·xᵢ − b)², b free (scikit-learn's Ridge at
    alpha = 1/C). Arguments and errors as `fit_logistic`; one r × r system a problem."""
    problems = pose(x, y, weight, C)
    z, weight = problems.rows.z, problems.weight
    total = weight.sum(-1, keepdim=True).clamp_min(torch.finfo(z.dtype).tiny)
    share = weight / total
    target = 2 * problems.y - 1
    z_mean = share @ z  # [*batch, problem, axis]
    t_mean = (share * target).sum(-1, keepdim=True)
    moment = (weight * (target - t_mean)) @ z  # z' W (t − t̄): centring one side centres the product
    eye = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    coef = torch.empty_like(moment)
    for k in range(moment.shape[-2]):  # a problem at a time, over all batch entries: the systems are r × r each
        w = weight[..., k, :, None]
        mean = z_mean[..., k : k + 1, :]
        covariance = z.mT @ (w * z) - total[..., k, :, None] * (mean.mT @ mean)
        system = covariance + eye / problems.C[..., k, None, None]
        coef[..., k, :] = torch.linalg.solve(system, moment[..., k, :, None]).squeeze(-1)
    return _finish(problems, coef, t_mean.squeeze(-1) - (coef * z_mean).sum(-1))


def fit_mean_difference(
    x: Float[Tensor, "*batch sample hidden"] | PrincipalRows,
    y: Tensor,
    weight: Tensor | None = None,
    C: Tensor | float = 1.0,
) -> LinearProbes:
    """The direction from the weighted mean of class 0 to that of class 1, the boundary half way.

    Arguments and errors as `fit_logistic`; C is accepted and changes nothing."""
    problems = pose(x, y, weight, C)
    z, tiny = problems.rows.z, torch.finfo(problems.rows.z.dtype).tiny
    ones = (problems.weight * problems.y) @ z / problems.positive.unsqueeze(-1).clamp_min(tiny)
    zeros = (problems.weight * (1 - problems.y)) @ z / problems.negative.unsqueeze(-1).clamp_min(tiny)
    coef = ones - zeros
    return _finish(problems, coef, -0.5 * (coef * (ones + zeros)).sum(-1))


def _finish(problems: Problems, coef: Tensor, intercept: Tensor) -> LinearProbes:
    """Back to the coordinates of x; one-class problems become coef 0 and the sign of their class."""
    degenerate = problems.degenerate
    sign = torch.sign(problems.positive - problems.negative)
    coef, intercept = problems.rows.to_hidden(
        coef.masked_fill(degenerate.unsqueeze(-1), 0), torch.where(degenerate, sign, intercept)
    )
    return LinearProbes(
        coef=coef,
        intercept=intercept,
        converged=torch.ones_like(degenerate),
        iterations=torch.zeros_like(degenerate, dtype=torch.long),
        degenerate=degenerate,
    )
