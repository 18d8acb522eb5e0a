"""Files are what xarray itself would read and write: its own netCDF engine is the oracle."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.store.netcdf import from_netcdf, to_netcdf

AXES = {"task": 3, "site": 2, "none": 0, "one": 1}
TYPES = (np.float32, np.float64, np.int64, np.int8, np.bool_, np.str_)
NAMES = st.text("abcxyz_", min_size=1, max_size=4).filter(lambda name: name not in AXES and not name.startswith("_"))
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)


@st.composite
def datasets(draw: st.DrawFn) -> xr.Dataset:
    def variable(dims: tuple[str, ...]) -> xr.Variable:
        rng, shape = np.random.default_rng(draw(st.integers(0, 99))), tuple(AXES[dim] for dim in dims)
        dtype = draw(st.sampled_from(TYPES))
        if dtype is np.str_:
            values = np.array(draw(st.lists(TEXT, min_size=7, max_size=7)))[rng.integers(7, size=shape)]
        else:
            values = np.asarray(rng.normal(size=shape) * 3).astype(dtype)
        if dtype in (np.float32, np.float64) and draw(st.booleans()):
            values = np.where(rng.random(shape) < 0.5, dtype("nan"), values)
        return xr.Variable(dims, values, draw(st.dictionaries(NAMES, TEXT, max_size=4)))

    along = st.lists(st.sampled_from([*AXES]), unique=True, max_size=4).map(tuple)
    made = {name: variable(draw(along)) for name in draw(st.lists(NAMES, unique=True, max_size=6))}
    indexed = {axis: variable((axis,)) for axis in AXES if draw(st.booleans())}
    apart = [name for name in made if draw(st.booleans())]
    found = xr.Dataset({**indexed, **made}, attrs=draw(st.dictionaries(NAMES, TEXT, max_size=12)))
    return found.set_coords(apart)


def same(found: xr.Dataset, expected: xr.Dataset) -> None:
    xr.testing.assert_identical(found, expected)
    kinds = [{name: v.dtype.kind for name, v in ds.variables.items() if v.size} for ds in (found, expected)]
    assert kinds[0] == kinds[1]


@settings(max_examples=40, deadline=None)
@given(datasets())
def test_what_is_written_is_read_by_us_and_by_xarray(tmp_path_factory: Any, dataset: xr.Dataset) -> None:
    path = tmp_path_factory.getbasetemp() / "drawn.nc"
    path.write_bytes(to_netcdf(dataset))
    same(from_netcdf(path), dataset)
    same(xr.load_dataset(path, engine="h5netcdf"), dataset)
    assert [*from_netcdf(path).variables] == [*dataset.variables]
    assert bytes(to_netcdf(from_netcdf(path))) == path.read_bytes()


def test_files_know_no_time_of_day() -> None:
    dataset = xr.Dataset({"auroc": ("task", [0.5, 1.0])}, coords={"task": ["json", "topic"]})
    first, second = bytes(to_netcdf(dataset)), int(time.time())
    while int(time.time()) == second:  # HDF5 knows whole seconds
        time.sleep(0.05)
    assert bytes(to_netcdf(dataset)) == first


def test_more_attributes_than_a_compact_header_holds(tmp_path: Path) -> None:
    attrs = {f"a{i}": "x" * 9000 for i in range(20)}
    dataset = xr.Dataset({"auroc": ("task", [0.5], attrs)}, attrs=attrs)
    (tmp_path / "r.nc").write_bytes(to_netcdf(dataset))
    same(from_netcdf(tmp_path / "r.nc"), dataset)


@settings(max_examples=20, deadline=None)
@given(datasets())
def test_what_xarray_writes_is_read(tmp_path_factory: Any, dataset: xr.Dataset) -> None:
    path = tmp_path_factory.getbasetemp() / "theirs.nc"
    path.write_bytes(dataset.to_netcdf(engine="h5netcdf"))
    same(from_netcdf(path), xr.load_dataset(io.BytesIO(path.read_bytes()), engine="h5netcdf"))


@pytest.mark.parametrize(
    "values", [np.array(["2026-01-01"], "datetime64[ns]"), np.array([1j]), np.array([b"a"]), np.array([{}])]
)
def test_what_a_file_cannot_keep_is_named(values: np.ndarray) -> None:
    with pytest.raises(TypeError, match="variable 'when' holds what a netCDF file cannot keep: "):
        to_netcdf(xr.Dataset({"when": ("task", values)}))


def test_a_name_that_would_be_lost_is_refused() -> None:
    with pytest.raises(ValueError, match=r"variable 'a/b' along .* has no place in a flat netCDF file"):
        to_netcdf(xr.Dataset({"a/b": ("task", [1.0])}))


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        from_netcdf(tmp_path / "none.nc")
