"""L2-regularised logistic regression, many problems on shared rows at once.

The objective is scikit-learn's, ½‖w‖² + C Σᵢ weightᵢ · log-loss(yᵢ, w·xᵢ + b) with b free, so values of C mean the
same. A site's folds, values of C and control labels share its rows, and so one rotation to principal axes and two
matrix products an iteration: all problems' directions to margins, all problems' residuals to gradients.

The solver is a preconditioned nonlinear conjugate gradient (Hager & Zhang 2005), measured against L-BFGS (as many
iterations here, plus the passes over its history); a Newton step would cost a d × d Hessian for every problem, as much
as some fifty of these iterations at d = 192. Its preconditioner begins as the diagonal bound Σᵢ C weightᵢ zᵢ²/4 + 1 on
the curvature, and becomes the curvature's own diagonal on the way: at a large C most rows are told with certainty and
bend next to nothing, which the bound does not know. (Rows that lost directions need more than a diagonal: see
`curvature`.) Margins move linearly along a direction, so a step costs no product; and the logistic loss is
self-concordant in Bach's sense (2010, |φ'''| ≤ M φ'' with M the largest change of a margin), so that log(1 + M t)/M,
with t the Newton step along the line, never passes the minimum: no line search, no loss is ever evaluated, and every step
descends. Problems leave the batch as they converge.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heedful.errors import InputError
from heedful.probes.curvature import Change, Preconditioner, preconditioner
from heedful.probes.principal import PrincipalRows
from heedful.probes.problems import pose
from heedful.probes.result import LinearProbes

_CHECK_EVERY = 2  # iterations between looks at which problems are done (each is one sync with the device)
_NARROWEST = 128  # problems in a tile on a CPU: with fewer, a product spends its time on reading the rows
_FIRST_REFRESH = 4  # iteration at which the preconditioner takes the curvature as it is; again at twice that, and so on


@torch.no_grad()
def fit_logistic(
    x: Float[Tensor, "*batch sample hidden"] | PrincipalRows,
    y: Tensor,
    weight: Tensor | None = None,
    C: Tensor | float = 1.0,
    *,
    start: LinearProbes | None = None,
    change: Change | None = None,
    tol: float = 1e-3,
    max_iter: int = 1000,
) -> LinearProbes:
    """Fit every problem at every batch entry.

    Args:
        x: rows [*batch, sample, hidden] in any floating dtype (fitted in f32, or in f64 if x is), or
            `principal_rows(x)` when several calls share it.
        y: labels in {0, 1}, broadcastable to [*batch, problem, sample]; [sample] is one problem.
        weight: ≥ 0, broadcastable to the same; 0 leaves the row out of the fit (it still has to be finite, and has its part in
            the rotation that all problems share). None: all rows.
        C: inverse strength of the penalty, broadcastable to [*batch, problem]. Beyond some 1,000 on separable rows,
            give x in f64: rounding in f32 then hides how far the optimum still is.
        start: probes to start from (same rows, same problems); the optimum does not depend on it.
        change: what each problem's rows lose, see `Change`, broadcastable to [*batch, problem, ...]; with `PrincipalRows` only,
            whose axes it is written in.
        tol: a problem is done when the estimated distance of its weights to the optimum is below tol · ‖w‖.
        max_iter: after which what is left is returned with `converged` false.

    Returns:
        Probes in the coordinates of x, coef [*batch, problem, hidden] with a problem axis always. A problem whose weighted
        rows hold one class only is `degenerate`: coef 0, intercept the log-odds with half a row added to each class; where
        there is but the one, [sample], that is an error.

    Raises:
        InputError: see `pose` and `principal_rows`; or a start or a change that does not fit, a change of rows that are not on
            axes yet, or a tolerance that nothing could meet.
    """
    if not tol > 0 or max_iter < 0:
        raise InputError(
            f"tol {tol} and max_iter {max_iter}", "give a tol above 0, such as 1e-3, and a max_iter of 0 or more"
        )
    if change is not None and not isinstance(x, PrincipalRows):
        raise InputError("a change of rows is written in their principal axes", "give principal_rows(x) in place of x")
    problems = pose(x, y, weight, C)
    rows, degenerate = problems.rows, problems.degenerate
    # Degenerate problems have no finite optimum: with C = 0 their solution is coef 0 at once.
    strength = problems.C * ~degenerate
    smooth = 0.5 * degenerate
    odds = torch.log((problems.positive + smooth) / (problems.negative + smooth))
    if start is None:
        theta = torch.cat([odds.new_zeros(*odds.shape, rows.z.shape[-1]), odds.unsqueeze(-1)], -1)
    else:
        hidden = rows.mean.shape[-1]
        if start.intercept.shape != odds.shape or start.coef.shape != (*odds.shape, hidden):
            raise InputError(
                f"a start of {tuple(start.coef.shape)} does not fit {tuple(odds.shape)} problems of {hidden} features",
                "start from probes of the same rows and problems, [*batch, problem, hidden]",
            )
        coef, intercept = rows.to_axes(start.coef.to(rows.z), start.intercept.to(rows.z))
        intercept = torch.where(degenerate, odds, intercept)
        theta = torch.cat([coef.masked_fill(degenerate.unsqueeze(-1), 0), intercept.unsqueeze(-1)], -1)

    solved = _solve_in_tiles(
        rows.z.reshape(-1, *rows.z.shape[-2:]),
        _flat(problems.y),
        _flat(problems.weight),
        _flat(strength.unsqueeze(-1)),
        _flat(theta),
        None if change is None else _posed(change, degenerate.shape, rows.z),
        tol,
        max_iter,
    )
    theta = solved.theta.reshape(theta.shape)
    coef, intercept = rows.to_hidden(theta[..., :-1], theta[..., -1])
    return LinearProbes(
        coef=coef,
        intercept=intercept,
        converged=solved.converged.reshape(degenerate.shape),
        iterations=solved.iterations.reshape(degenerate.shape),
        degenerate=degenerate,
    )


def _flat(t: Tensor) -> Tensor:
    """All batch axes as one (a view, where the tensor was only broadcast over one of them)."""
    return t.reshape(-1, *t.shape[-2:])


def _posed(change: Change, problems: torch.Size, z: Float[Tensor, "*batch sample axis"]) -> Change:
    """[entry, problem, ...] of a change that may lack batch axes, or be one for all problems."""
    read, write = (torch.as_tensor(t).to(z) for t in change)
    try:
        axes, rank = read.shape[-2:]
        if axes != z.shape[-1]:
            raise ValueError(axes)
        read, write = read.expand(*problems, axes, rank), write.expand(*problems, rank, axes)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"a change that reads {tuple(change.read.shape)} and writes {tuple(change.write.shape)} does not fit "
            f"{tuple(problems)} problems on {z.shape[-1]} axes",
            "it reads [*batch, problem, axis, rank] and writes [*batch, problem, rank, axis]",
        ) from error
    return Change(*(t.unsqueeze(0).flatten(0, -4) for t in (read, write)))


class _Solved(NamedTuple):
    """Theta = (w, b): `unknown` is axis + 1."""

    theta: Float[Tensor, "entry problem unknown"]
    converged: Bool[Tensor, "entry problem"]
    iterations: Int[Tensor, "entry problem"]


def _solve_in_tiles(
    z: Float[Tensor, "entry sample axis"],
    y: Float[Tensor, "entry problem sample"],
    weight: Float[Tensor, "entry problem sample"],
    strength: Float[Tensor, "entry problem 1"],
    theta: Float[Tensor, "entry problem unknown"],
    change: Change | None,
    tol: float,
    max_iter: int,
) -> _Solved:
    """Batch entries and problems a tile at a time: on a CPU what stays in cache, elsewhere what fits in memory."""
    (n_entries, n_problems), n_rows = theta.shape[:2], z.shape[1]
    on_cpu = z.device.type == "cpu"
    budget = 2**18 if on_cpu else 2**26
    each = n_rows if change is None else n_rows + change.read[0, 0].numel()
    width = min(n_problems, max(budget // each, _NARROWEST if on_cpu else 1))
    height = max(1, budget // (each * width))
    shape = (n_entries, n_problems)
    result = _Solved(
        torch.empty_like(theta),
        torch.empty(shape, dtype=torch.bool, device=z.device),
        torch.empty(shape, dtype=torch.long, device=z.device),
    )
    for e in range(0, n_entries, height):
        for k in range(0, n_problems, width):
            tile = (slice(e, e + height), slice(k, k + width))
            part_change = None if change is None else Change(*(t[tile] for t in change))
            cost = strength[tile] * weight[tile]
            part = _solve(z[tile[0]], y[tile], cost, theta[tile], part_change, tol, max_iter)
            for whole, piece in zip(result, part, strict=True):
                whole[tile] = piece
    return result


def _solve(
    z: Float[Tensor, "entry sample axis"],
    y: Float[Tensor, "entry problem sample"],
    cost: Float[Tensor, "entry problem sample"],
    theta: Float[Tensor, "entry problem unknown"],
    change: Change | None,
    tol: float,
    max_iter: int,
) -> _Solved:
    """Minimise over theta = (w, b), from the given start. `cost` is C · weight."""
    tiny = torch.finfo(z.dtype).tiny
    x = torch.cat([z, z.new_ones(*z.shape[:-1], 1)], -1)  # the intercept is one more column, unpenalised
    xt = x.mT.contiguous()
    penalty = torch.ones_like(x[0, 0])
    penalty[-1] = 0
    cost = cost.contiguous()
    cost_y, counts = cost * y, (cost > 0).to(cost)
    # Below this the decrement is rounding noise: what ends problems whose optimum itself is coef = 0.
    floor = 64 * torch.finfo(z.dtype).eps ** 2 * cost.sum(-1)
    squares = x * x

    def inverted(curvature: Float[Tensor, "entry problem sample"]) -> Preconditioner:
        return preconditioner(curvature @ squares, change)

    def derive(gradient: Tensor) -> Tensor:
        """Gradient of the objective, and in `curvature` the loss's second derivative in each margin: C weight p (1 − p)."""
        torch.sigmoid(margins, out=curvature)
        torch.mul(cost, curvature, out=spare)
        torch.addcmul(spare, spare, curvature, value=-1, out=curvature)
        spare.sub_(cost_y)
        torch.bmm(spare, x, out=gradient)
        if change is not None:
            gradient[..., :-1] -= change.of_gradient(gradient[..., :-1])
        return gradient.addcmul_(theta, penalty)

    inverse, refresh = inverted(0.25 * cost), _FIRST_REFRESH

    result = _Solved(theta.clone(), torch.zeros_like(floor, dtype=torch.bool), torch.zeros_like(floor).long())
    live = torch.arange(floor.shape[1], device=z.device).expand(floor.shape)  # which problem each column is
    theta, margins = theta.clone(), _margins(theta, xt, change)
    curvature, spare, shift = (torch.empty_like(margins) for _ in range(3))  # written over in every iteration
    gradient, previous = derive(torch.empty_like(theta)), torch.empty_like(theta)
    direction = -inverse(gradient)
    slope, decrement = -_dot(gradient, direction), torch.full_like(floor, torch.inf)

    for iteration in itertools.count():
        _margins(direction, xt, change, out=shift)
        bend = torch.mul(torch.mul(curvature, shift, out=spare), shift, out=spare).sum(-1)
        bend += _dot(direction * penalty, direction)
        newton = slope / bend.clamp_min_(tiny)
        last, decrement = decrement, slope * newton  # the squared Newton decrement along the direction
        if iteration % _CHECK_EVERY == 0 or iteration >= max_iter:
            # F is 1-strongly convex in w, so ‖w − w*‖² ≤ 2 (F − F*); and that is the sum of the squared decrements
            # still to come, taken as a geometric series with the ratio just seen.
            ratio = (decrement / last.clamp_min(tiny)).clamp(max=0.99)
            worst = torch.maximum(decrement, last)
            done = (worst / (1 - ratio) <= tol**2 * _dot(theta * penalty, theta)) | (worst <= floor)
            keep = int((~done).sum(-1).max())
            if keep == 0 or iteration >= max_iter:
                _put(result, live, theta, done, iteration)
                return result
            if keep <= 0.8 * done.shape[1]:
                _put(result, live, theta, done, iteration)
                kept = torch.argsort(done.to(torch.int8), dim=-1, stable=True)[:, :keep]
                kept += done.shape[1] * torch.arange(len(kept), device=kept.device).unsqueeze(-1)
                live, slope, newton, decrement, floor = _picked(kept, live, slope, newton, decrement, floor)
                theta, gradient, direction = _picked(kept, theta, gradient, direction)
                margins, curvature, shift = _picked(kept, margins, curvature, shift)
                cost, cost_y, counts = _picked(kept, cost, cost_y, counts)
                inverse = Preconditioner(*_picked(kept, *(t for t in inverse if t is not None)))
                change = None if change is None else Change(*_picked(kept, *change))
                spare, previous = torch.empty_like(shift), torch.empty_like(gradient)
        # Of rows that count: what is left out moves as far as it likes.
        reach = torch.mul(shift, counts, out=spare).abs_().amax(-1).clamp_min_(tiny**0.5)
        step = (torch.log1p(reach * newton) / reach).unsqueeze(-1)
        theta.addcmul_(step, direction)
        margins.addcmul_(step, shift)
        gradient, previous = derive(previous), gradient
        if iteration == refresh:
            inverse, refresh = inverted(curvature), 2 * refresh
        direction, slope = _conjugate(direction, gradient, previous, inverse)
    raise AssertionError("unreachable")


def _margins(
    theta: Float[Tensor, "entry problem unknown"],
    xt: Float[Tensor, "entry unknown sample"],
    change: Change | None,
    *,
    out: Tensor | None = None,
) -> Float[Tensor, "entry problem sample"]:
    if change is not None:
        theta = torch.cat([theta[..., :-1] - change.of_plane(theta[..., :-1]), theta[..., -1:]], -1)
    return torch.matmul(theta, xt, out=out)


def _conjugate(
    direction: Float[Tensor, "entry problem unknown"],
    gradient: Float[Tensor, "entry problem unknown"],
    previous: Float[Tensor, "entry problem unknown"],
    inverse: Preconditioner,
) -> tuple[Float[Tensor, "entry problem unknown"], Float[Tensor, "entry problem"]]:
    """Next direction: Hager & Zhang 2005, eq. 1.2–1.3 (without truncation), preconditioned; and how steeply it descends."""
    turn = gradient - previous
    scaled = inverse(turn)
    downhill = _dot(direction, gradient)
    along = _dot(direction, turn)
    # > 0, since F is strictly convex; next to what it is the difference of, it is rounding alone.
    certain = along > 8 * torch.finfo(turn.dtype).eps * (downhill.abs() + (along - downhill).abs())
    along = along.clamp_min(torch.finfo(turn.dtype).tiny ** 0.5)
    beta = (_dot(scaled, gradient) - _dot(scaled, turn) * downhill / along) / along
    steepest = inverse(gradient).neg_()
    steep = _dot(steepest, gradient)
    # Descent is a theorem in exact arithmetic; at the rounding floor a restart takes its place.
    beta = torch.where(certain & (steep + beta * downhill < 0), beta, 0)
    return torch.addcmul(steepest, beta.unsqueeze(-1), direction), -(steep + beta * downhill)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    product: Tensor = torch.linalg.vecdot(a, b)
    return product


def _picked(kept: Int[Tensor, "entry kept"], *tensors: Tensor) -> list[Tensor]:
    """Of tensors [entry, problem, ...], the problems of these numbers, counted through all entries.

    A gather, which looks every element up, takes 15 times as long.
    """
    at = kept.flatten()
    return [t.flatten(0, 1).index_select(0, at).reshape(*kept.shape, *t.shape[2:]) for t in tensors]


def _put(result: _Solved, live: Tensor, theta: Tensor, done: Tensor, iteration: int) -> None:
    """Write the problems still in the batch back to their places; a later call overwrites those that went on."""
    result.theta.scatter_(1, live.unsqueeze(-1).expand_as(theta), theta)
    result.converged.scatter_(1, live, done)
    result.iterations.scatter_(1, live, torch.full_like(live, iteration))
