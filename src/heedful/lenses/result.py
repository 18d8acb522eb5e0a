"""How a lens writes its result down: variables that name themselves, over coordinates that all lenses share.

Knows nothing of what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from heedful.lenses.data import KINDS, StudyData
from heedful.probes import Jackknife

LEVEL = 0.95
SHARE_FROM = 0.6
"""A target's own AUROC, by its lower bound, from which a share of it means something."""
"""Of every interval in a result."""

About = tuple[tuple[str, ...], str, str]
"""Dimensions, long name and units of a variable."""


class Canvas:
    """An array of NaN over named dimensions, filled cell by cell."""

    def __init__(self, sizes: Mapping[str, int], dims: Sequence[str], dtype: torch.dtype = torch.float64) -> None:
        self.dims = tuple(dims)
        empty = torch.nan if dtype.is_floating_point else 0
        self.values = torch.full([sizes[d] for d in dims], empty, dtype=dtype)

    def __setitem__(self, at: Any, value: Tensor | float | int | bool) -> None:
        self.values[at] = torch.as_tensor(value).to(self.values.dtype)


def bounded(about: Mapping[str, About]) -> dict[str, About]:
    """Each variable with its two bounds: `name`, `name_low`, `name_high`."""
    ends = {"": "", "_low": "lower bound of: ", "_high": "upper bound of: "}
    return {
        f"{name}{end}": (dims, prefix + long_name, units)
        for name, (dims, long_name, units) in about.items()
        for end, prefix in ends.items()
    }


def canvases(about: Mapping[str, About], sizes: Mapping[str, int]) -> dict[str, Canvas]:
    """An empty canvas for each described variable."""
    return {name: Canvas(sizes, dims) for name, (dims, *_) in about.items()}


def put(
    canvas: Mapping[str, Canvas], name: str, at: Any, one: Jackknife, scale: Literal["plain", "logit"] = "plain"
) -> None:
    """Write an estimate and its bounds into the canvases that `bounded` names."""
    interval = one.interval(LEVEL, scale)
    canvas[name][at], canvas[f"{name}_low"][at], canvas[f"{name}_high"][at] = interval[:3]


def variable(canvas: Canvas, long_name: str, units: str) -> xr.Variable:
    """A filled canvas as a variable of a Dataset."""
    return xr.Variable(canvas.dims, canvas.values.numpy(), {"long_name": long_name, "units": units})


def words(dims: Sequence[str], values: Any, long_name: str) -> xr.Variable:
    """Text as a variable of a Dataset."""
    return xr.Variable(tuple(dims), np.array(values, dtype=str), {"long_name": long_name})


def coordinates(data: StudyData, **more: Sequence[str]) -> dict[str, Any]:
    """Kind, task (with its family), site (with its relative depth) and position, and any others by name."""
    depth = {"long_name": "relative depth", "units": "0 = embedding, 1 = last block"}
    return {
        "kind": list(KINDS),
        "task": list(data.tasks),
        "family": ("task", list(data.families)),
        "site": list(data.sites),
        "relative_depth": ("site", list(data.relative_depth), depth),
        "position": list(data.positions),
        **{name: list(values) for name, values in more.items()},
    }


def sizes(data: StudyData, **more: int) -> dict[str, int]:
    """The length of each shared dimension, and of others by name."""
    shared = {"kind": KINDS, "task": data.tasks, "site": data.sites, "position": data.positions}
    return {name: len(values) for name, values in shared.items()} | more
