"""A Dataset as the bytes of a netCDF 4 file, and back: variables on shared axes, with text attributes, through h5py.

xarray's own way asks the file for every axis of every variable again and again, which for a study's hundreds of small
variables takes many times as long as writing them. Any netCDF reader opens what is written here. The rules: an axis is an
HDF5 dimension scale, a variable is attached to those of its axes; flags are bytes marked as bool, and coordinates are named
in attributes, as xarray has it (CF). Knows nothing of what a variable means, nor of groups, dates and unlimited axes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable."
_DIMENSION = "_Netcdf4Dimid"
_RESERVED = {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_NCProperties", "_Netcdf4Coordinates", _DIMENSION}


def to_netcdf(dataset: xr.Dataset) -> memoryview:
    """The bytes of a netCDF 4 file; equal Datasets give equal bytes.

    Args:
        dataset: of numbers, flags and text, whose attributes are text.

    Raises:
        TypeError: a variable holds something else.
        ValueError: a name has no place in a flat file, or an axis's own variable lies along others too.
    """
    for name, variable in dataset.variables.items():
        if "/" in str(name) or (name in dataset.sizes and variable.dims != (name,)):
            raise ValueError(f"variable {name!r} along {variable.dims} has no place in a flat netCDF file")
    variables, attributes = xr.conventions.encode_dataset_coordinates(dataset)
    with _in_memory() as file:
        made = {str(name): _create(file, str(name), variable) for name, variable in variables.items()}
        axes = {str(name): _axis(file, str(name), size, i) for i, (name, size) in enumerate(dataset.sizes.items())}
        for name, variable in variables.items():
            if name not in axes:
                for place, axis in enumerate(variable.dims):
                    made[str(name)].dims[place].attach_scale(axes[str(axis)])
        file.attrs.update(sorted(attributes.items()))
        file.flush()
        return memoryview(file.id.get_file_image())


def from_netcdf(path: Path | str) -> xr.Dataset:
    """Read a netCDF 4 file wholly into memory.

    Raises:
        OSError, RuntimeError, KeyError, ValueError: it is missing or damaged.
    """
    with h5py.File(io.BytesIO(Path(path).read_bytes()), "r", track_order=True) as file:
        found = {name: item for name, item in file.items() if isinstance(item, h5py.Dataset)}
        axes = {h5py.h5o.get_info(item.id).addr: name for name, item in found.items() if item.is_scale}
        raw = {
            name: xr.Variable([axes[each] for each in _axes(file, item)], _values(item), _attributes(item))
            for name, item in found.items()
            if not item.attrs.get("NAME", b"").startswith(_NO_VARIABLE.encode())
        }
        return xr.decode_cf(xr.Dataset(raw, attrs=_attributes(file)), decode_times=False)


def _in_memory() -> h5py.File:
    """An empty file that keeps the order of its variables, and no time of day: that would differ in equal files."""
    access, creation = h5py.h5p.create(h5py.h5p.FILE_ACCESS), h5py.h5p.create(h5py.h5p.FILE_CREATE)
    access.set_fapl_core(backing_store=False)
    creation.set_link_creation_order(h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED)
    creation.set_obj_track_times(False)
    return h5py.File(h5py.h5f.create(b"results.nc", h5py.h5f.ACC_TRUNC, fapl=access, fcpl=creation))


def _create(file: h5py.File, name: str, variable: xr.Variable) -> h5py.Dataset:
    values, attributes = variable.values, dict(variable.attrs)
    if values.dtype.kind == "b":
        values, attributes = values.astype(np.int8), attributes | {"dtype": "bool"}
    if values.dtype.kind not in "fiuU":
        raise TypeError(f"variable {name!r} holds what a netCDF file cannot keep: {values.dtype}")
    if values.dtype.kind == "U":
        made = file.create_dataset(name, data=values.astype(object), dtype=h5py.string_dtype())
    else:
        made = file.create_dataset(name, data=values)
    made.attrs.update(sorted(attributes.items()))
    return made


def _axis(file: h5py.File, name: str, size: int, number: int) -> h5py.Dataset:
    """The scale of an axis: its coordinate variable, or else a data set that only has its length."""
    if name in file:
        axis, shown = file[name], name
    else:
        axis, shown = file.create_dataset(name, (size,), ">f4"), f"{_NO_VARIABLE}{size:10}"
    axis.make_scale(shown)
    axis.attrs[_DIMENSION] = np.int32(number)
    return axis


def _axes(file: h5py.File, item: h5py.Dataset) -> Iterator[int]:
    """Where in the file the scales of a variable's axes stand."""
    if item.is_scale:
        yield h5py.h5o.get_info(item.id).addr
    elif item.ndim:
        for (reference,) in item.attrs["DIMENSION_LIST"]:
            yield h5py.h5o.get_info(h5py.h5r.dereference(reference, file.id)).addr


def _values(item: h5py.Dataset) -> np.ndarray:
    if h5py.check_string_dtype(item.dtype):
        return np.asarray(item.asstr()[()], dtype=np.str_)
    return np.asarray(item[()])


def _attributes(item: h5py.Dataset | h5py.File) -> dict[str, object]:
    return {name: value for name, value in item.attrs.items() if name not in _RESERVED}
