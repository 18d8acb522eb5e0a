"""Results on disk: an xarray Dataset a lens, as netCDF 4.

Attributes may be any JSON value; labels and flags come back as they went. Knows nothing of what is measured.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr

from heedful.errors import StoreError
from heedful.store.atomic import atomic_write
from heedful.store.netcdf import from_netcdf, to_netcdf
from heedful.store.stages import MADE_ANEW


def encode_results(dataset: xr.Dataset) -> memoryview:
    """A Dataset as the bytes of a netCDF file; the same Dataset gives the same bytes.

    Raises:
        TypeError: a variable holds objects that are neither all text, all flags nor all numbers.
    """
    plain = dataset.map(_plain, keep_attrs=True).assign_coords({k: _plain(v) for k, v in dataset.coords.items()})
    plain.attrs = {name: json.dumps(value) for name, value in dataset.attrs.items()}
    for name, variable in dataset.variables.items():
        plain[name].attrs = {key: json.dumps(value) for key, value in variable.attrs.items()}
    # What an earlier file used (a fill value, chunks) must not leak into this one.
    return to_netcdf(plain)


def write_results(path: Path | str, dataset: xr.Dataset) -> Path:
    """Write a Dataset outside a stage, wholly or not at all; see `encode_results`."""
    return atomic_write(path, encode_results(dataset))


def read_results(path: Path | str) -> xr.Dataset:
    """Read a Dataset that heedful wrote, wholly into memory.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        dataset = from_netcdf(path)
        for attrs in (dataset.attrs, *(variable.attrs for variable in dataset.variables.values())):
            attrs.update({name: json.loads(value) for name, value in attrs.items()})
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise StoreError(
            f"{path} cannot be read: {error}",
            MADE_ANEW,
        ) from error
    return dataset


def _plain(array: xr.DataArray) -> xr.DataArray:
    """Object arrays (lists of str or bool, often from pandas) as arrays of the type that they hold."""
    if array.dtype != object:
        return array
    kinds = {type(value) for value in array.values.flat}
    if len(kinds) > 1 or not kinds <= {str, bool, int, float}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TypeError(f"variable {array.name!r} mixes or holds what a result cannot keep: {names}")
    values = np.array(array.values.tolist(), dtype=str if not kinds else None).reshape(array.shape)
    return array.copy(data=values)
