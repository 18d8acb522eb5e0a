"""Datasets come back identical, from equal bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from heedful.errors import StoreError
from heedful.store import encode_results, read_results, write_results


def dataset() -> xr.Dataset:
    return xr.Dataset(
        {
            "auroc": (
                ("task", "site"),
                np.array([[0.5, np.nan], [1.0, 0.25]], np.float32),
                {"unit": ["AUROC"], "n": 3},
            ),
            "n": ("task", [0, 2**31 - 1]),
            "decided": ("task", [True, False]),
            "reason": ("task", ["", "zu früh …"]),
            "scalar": ((), 0.5),
        },
        coords={
            "task": ["word_count", "größe"],
            "site": ["embed", "block.0.out"],
            "held_out": ("site", [True, False]),
            "family": ("task", ["structural", "lexical"]),
        },
        attrs={"settings": {"C": [0.1, None], "fold": "base"}, "empty": "", "seed": 1, "flag": True},
    )


def test_round_trip_is_identical_and_bytes_are_equal(tmp_path: Path) -> None:
    path = write_results(tmp_path / "r.nc", dataset())
    back = read_results(path)
    assert back.identical(dataset())
    assert back.attrs == dataset().attrs
    assert {name: v.dtype.kind for name, v in back.variables.items()} == {
        name: v.dtype.kind for name, v in dataset().variables.items()
    }
    assert bytes(encode_results(dataset())) == path.read_bytes()
    assert read_results(write_results(tmp_path / "again.nc", back)).identical(dataset())


def test_object_arrays_are_kept_as_what_they_hold(tmp_path: Path) -> None:
    objects = xr.Dataset(
        {"ok": ("task", np.array([True, False], object)), "why": (("task", "k"), np.array([["a"], ["bé"]], object))},
        coords={"task": np.array(["x", "y"], object), "flag": ("task", np.array([False, True], object))},
    )
    back = read_results(write_results(tmp_path / "r.nc", objects))
    assert back["ok"].dtype == bool
    assert back["flag"].dtype == bool
    assert back["why"].values.tolist() == [["a"], ["bé"]]
    assert back["task"].values.tolist() == ["x", "y"]


def test_empty_axes(tmp_path: Path) -> None:
    values = {
        "auroc": (("task", "site"), np.zeros((0, 2))),
        "drop": (("site", "how", "task"), np.zeros((2, 0, 0))),
        "reason": (("site", "task"), np.zeros((2, 0), str)),
        "n": ("site", [1, 2]),
    }
    empty = xr.Dataset(values, coords={"site": ["a", "b"], "how": np.zeros(0, str)})
    assert read_results(write_results(tmp_path / "r.nc", empty)).identical(empty)


def test_a_user_opens_the_file_with_xarray_alone(tmp_path: Path) -> None:
    with xr.open_dataset(write_results(tmp_path / "r.nc", dataset())) as found:
        assert found["auroc"].sel(task="größe", site="embed").item() == 1.0
        assert found["reason"].values.tolist() == ["", "zu früh …"]


def test_a_number_too_large_for_the_file_is_refused() -> None:
    with pytest.raises(ValueError, match="could not safely cast"):
        encode_results(xr.Dataset({"n": ("task", [2**40])}))


def test_what_a_result_cannot_keep_is_named() -> None:
    mixed = xr.Dataset({"reason": ("task", np.array(["a", {}], object))})
    with pytest.raises(TypeError, match="variable 'reason' mixes or holds what a result cannot keep: dict, str"):
        encode_results(mixed)


def test_a_damaged_file_is_a_store_error(tmp_path: Path) -> None:
    path = write_results(tmp_path / "r.nc", dataset())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(StoreError, match=r"r\.nc cannot be read"):
        read_results(path)
    whole = write_results(path, dataset()).read_bytes()
    for kept in range(100, len(whole), 100):  # wherever it was cut off
        path.write_bytes(whole[:kept])
        with pytest.raises(StoreError, match=r"r\.nc cannot be read"):
            read_results(path)
    path.write_bytes(b"")
    with pytest.raises(StoreError, match=r"r\.nc cannot be read"):
        read_results(path)
    path.write_bytes(b"no netCDF at all")
    with pytest.raises(StoreError) as error:
        read_results(path)
    assert error.value.cause == f"{path} cannot be read: it is damaged, or no netCDF file"
    with pytest.raises(StoreError, match="No such file"):
        read_results(tmp_path / "none.nc")
