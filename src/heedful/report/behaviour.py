"""Where the matrix of compliance goes: what every task loses when another's trace is erased while the model writes.

Numbers in, a grid and a table out; the grid is laid out as the ablation of states is, so that the two can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from heedful.lenses.arms import ERASED, VARIANTS
from heedful.report.findings import LEVEL, Cell, by_pair, estimate
from heedful.report.matrix import DARK, REACH, Grid, MatrixCell, grid, leaf_order, q_text
from heedful.report.wording import Estimate, task_name, with_interval


@dataclass(frozen=True)
class Effects:
    """What was done about one task: to its own compliance, and to the model.

    `towards` and `away`: change of its compliance when stepped along its direction. `kl`: in nats a token on neutral text,
    and the same under a random direction of the same energy.
    """

    task: str
    undisturbed: Estimate
    erased: Estimate
    towards: Estimate
    away: Estimate
    kl: Estimate
    kl_random: Estimate


@dataclass(frozen=True)
class Behaviour:
    """The figure, and the numbers that its caption says."""

    grid: Grid
    effects: list[Effects]
    hurt: list[tuple[str, str, Estimate]]
    """Erased, target, change of compliance: those lost beyond both controls."""
    rough: list[str]
    """Tasks whose erasure moves the model more than twice as far as its random control."""
    how: str
    where: str
    n_prompts: int
    """Of a task, at most."""


def in_the_model(found: xr.Dataset, transfer: xr.Dataset) -> Behaviour | None:
    """The figure of the eraser and site that come first; None where nothing was tried."""
    if not found.sizes["how"]:
        return None
    here = found.isel(how=0, where=0)
    erased = here.sel(variant=ERASED)

    def tried(task: str) -> bool:
        return bool(erased["change"].sel(erased=task, target=task).notnull())

    contrast = leaf_order(transfer.sel(kind="contrast"), "auroc")
    order = [task for task in contrast if tried(task)]
    if not order:
        return None

    undone = {variant: by_pair(here.sel(variant=variant), "erased", "target") for variant in VARIANTS}
    told = by_pair(here, "erased", "target")

    def cell(a: str, b: str, x: float, y: float) -> MatrixCell:
        return _cell([undone[variant](a, b) for variant in VARIANTS], told(a, b)["q_value"], a, b, x, y)

    hurt = [
        (a, b, estimate(undone[ERASED](a, b), "change")) for a in order for b in order if told(a, b)["q_value"] <= LEVEL
    ]
    effects = [_effects(here, task) for task in order]
    return Behaviour(
        grid=grid(order, cell, []),
        effects=effects,
        hurt=sorted(hurt, key=lambda each: each[2].value),
        rough=[each.task for each in effects if each.kl.low > 2 * each.kl_random.high],
        how=str(here["how"].item()),
        where=", ".join(str(site) for site in found.attrs["sites"]).removeprefix("chosen: "),
        n_prompts=int(found["n_prompts"].max()),
    )


def _cell(variants: list[Cell], q: float, a: str, b: str, x: float, y: float) -> MatrixCell:
    """`variants`: the pair's numbers in the order of `VARIANTS`. White where the interval holds 0: a third of three prompts is
    no loss yet."""
    change, permuted, random = (estimate(each, "change") for each in variants)
    lost = -change.value
    sure = change.bounded and not change.low <= 0 <= change.high
    shade = max(-10, min(10, round(lost / REACH * 10))) if sure else 0
    text = (
        f"{task_name(a)} erased while writing: compliance with {task_name(b)} changes by {with_interval(change)}; under "
        f"permuted labels {with_interval(permuted)}, under a random direction {with_interval(random)}; {q_text(q)}"
    )
    return MatrixCell(x, y, shade, change.value, q <= LEVEL, abs(shade) >= DARK, text)


def _effects(here: xr.Dataset, task: str) -> Effects:
    own, moved = here.sel(target=task), here.sel(erased=task)
    return Effects(
        task,
        estimate(own, "undisturbed"),
        estimate(moved.sel(target=task, variant="erased"), "change"),
        *(estimate(own.sel(direction=direction), "step_change") for direction in ("towards", "away")),
        *(estimate(moved.sel(variant=variant), "kl") for variant in ("erased", "random")),
    )
