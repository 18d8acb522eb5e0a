"""Results on disk: an xarray Dataset a lens, as netCDF through xarray and SciPy.

Attributes may be any JSON value; labels and flags come back as they went. In this format an axis of length 0 would be one
without an end, so variables along one are kept as an attribute that tells their shape. Knows nothing of what is measured.
"""

from __future__ import annotations

import io
import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from heedful.errors import StoreError
from heedful.store.atomic import atomic_write
from heedful.store.stages import MADE_ANEW

_EMPTY = "empty variables"


def encode_results(dataset: xr.Dataset) -> memoryview:
    """A Dataset as the bytes of a netCDF file; the same Dataset gives the same bytes.

    Raises:
        TypeError: a variable holds objects that are neither all text, all flags nor all numbers.
    """
    plain = _all_plain(dataset)
    empty = [name for name, variable in plain.variables.items() if variable.size == 0]
    plain.attrs = {**dataset.attrs, **({_EMPTY: [_shape(plain, name) for name in empty]} if empty else {})}
    plain = plain.drop_vars(empty)
    plain.attrs = {name: json.dumps(value) for name, value in plain.attrs.items()}
    for variable in plain.variables.values():
        variable.attrs = {name: json.dumps(value) for name, value in variable.attrs.items()}
    # What an earlier file used (a fill value, chunks) must not leak into this one.
    return memoryview(plain.drop_encoding().to_netcdf(engine="scipy", format="NETCDF3_64BIT"))


def write_results(path: Path | str, dataset: xr.Dataset) -> Path:
    """Write a Dataset outside a stage, wholly or not at all; see `encode_results`."""
    return atomic_write(path, encode_results(dataset))


def read_results(path: Path | str) -> xr.Dataset:
    """Read a Dataset that heedful wrote, wholly into memory.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}", MADE_ANEW) from error
    try:
        dataset = _all_plain(xr.load_dataset(io.BytesIO(data), engine="scipy"))
        for attrs in (dataset.attrs, *(variable.attrs for variable in dataset.variables.values())):
            attrs.update({name: json.loads(value) for name, value in attrs.items()})
        for shape in dataset.attrs.pop(_EMPTY, []):
            dataset = _with_empty(dataset, **shape)
    except (OSError, ValueError, LookupError, RuntimeError, TypeError, EOFError) as error:
        # What xarray says of it is many lines, with advice that does not help.
        raise StoreError(f"{path} cannot be read: it is damaged, or no netCDF file", MADE_ANEW) from error
    return dataset


def _shape(dataset: xr.Dataset, name: Hashable) -> dict[str, Any]:
    """An empty variable as JSON; `_with_empty` is the inverse."""
    one = dataset[name]
    about = {"dims": list(one.dims), "sizes": list(one.shape), "dtype": one.dtype.str, "attrs": one.attrs}
    return {"name": name, "is_coordinate": name in dataset.coords, **about}


def _with_empty(
    dataset: xr.Dataset, name: str, is_coordinate: bool, dims: list[str], sizes: list[int], dtype: str, attrs: Any
) -> xr.Dataset:
    variable = xr.Variable(dims, np.empty(sizes, dtype), attrs)
    return dataset.assign_coords({name: variable}) if is_coordinate else dataset.assign({name: variable})


def _all_plain(dataset: xr.Dataset) -> xr.Dataset:
    """A copy whose variables may be given other attributes; the values are shared."""
    plain = {name: _plain(dataset[name]) for name, held in dataset.variables.items() if held.dtype == object}
    coords = {name: array for name, array in plain.items() if name in dataset.coords}
    return (
        dataset.copy()
        .assign({name: array for name, array in plain.items() if name not in coords})
        .assign_coords(coords)
    )


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
