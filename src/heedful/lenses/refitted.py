"""Probes fitted again on what erasers leave of their training rows: many erasers at once, on the rows' principal axes.

Knows folds and erasers; neither why something is erased nor what its control is.
"""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from heedful.erasure import Eraser
from heedful.lenses.cells import SharedFold
from heedful.probes import Change, LinearProbes, PrincipalRows, fit_logistic


def refitted_probes(fold: SharedFold, target: str, erasers: Eraser) -> LinearProbes:
    """[eraser, one problem]: probes fitted on the target's training rows as each eraser leaves them, and put before it, so
    that they read rows as they were.

    All share the target's rotated rows, each less what its eraser takes off; what an eraser writes outside of the rows' span
    gets axes of its own, on which no row had anything.
    """
    rotated = fold.rotated[target]
    # On the rows' axes; a constant is all that it leaves out, which is the intercept's.
    read = pad(erasers.read.mT @ rotated.axes, (0, erasers.rank)).mT
    within = erasers.write @ rotated.axes
    own = torch.linalg.qr((erasers.write - within @ rotated.axes.mT).mT)  # [eraser, hidden, rank]
    change = Change(read, torch.cat([within, own.R.mT], -1))
    z = pad(rotated.z, (0, erasers.rank))
    n_axes = rotated.z.shape[-1]
    plain = PrincipalRows(z, torch.eye(z.shape[-1]).to(z), z.new_zeros(1, z.shape[-1]))
    probes = fit_logistic(
        plain,
        fold.label[target].expand(len(read), -1),
        fold.weight[target][None],
        fold.C[target],
        start=_start(fold, target, len(read), erasers.rank),
        change=change,
        tol=1e-2,
    )
    coef = probes.coef[:, :n_axes] @ rotated.axes.mT + (own.Q @ probes.coef[:, n_axes:, None]).squeeze(-1)
    taken = (rotated.mean - erasers.center).unsqueeze(-2) @ erasers.read @ erasers.write  # of the rows' mean
    intercept = probes.intercept - ((rotated.mean - taken.squeeze(-2)) * coef).sum(-1)
    each = {name: getattr(probes, name)[:, None] for name in ("converged", "iterations", "degenerate")}
    return erasers.before(LinearProbes(coef[:, None], intercept[:, None], **each))


def _start(fold: SharedFold, target: str, n: int, rank: int) -> LinearProbes:
    """The probe as it was, on rotated axes, with nothing on those that erasers add: most erasers hardly change it."""
    probe = fold.probes[target]
    coef, intercept = fold.rotated[target].to_axes(probe.coef, probe.intercept)
    each = {name: getattr(probe, name).expand(n) for name in ("converged", "iterations", "degenerate")}
    return LinearProbes(pad(coef, (0, rank)).expand(n, -1), intercept.expand(n), **each)
