"""What is written in pieces is what safetensors reads."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open

from heedful.store import atomic_write
from heedful.store.tensors import tensor_pieces


def test_the_library_reads_back_every_dtype_and_shape(tmp_path: Path) -> None:
    dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
              torch.int8, torch.uint8, torch.bool]  # fmt: skip
    tensors = {str(dtype): (torch.arange(7 * 3).reshape(7, 3) % 2).to(dtype) for dtype in dtypes}
    tensors |= {
        "turned": torch.randn(4, 5).T,
        "empty": torch.empty(0, 3),
        "ünïcode|é": torch.tensor([1.5, float("nan")]),
    }
    path = atomic_write(tmp_path / "x.safetensors", tensor_pieces(tensors, {"about": "ä\n"}))
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"about": "ä\n"}
        assert {*file.keys()} == {*tensors}
        for name, tensor in tensors.items():
            found = file.get_tensor(name)
            assert found.dtype == tensor.dtype
            torch.testing.assert_close(found, tensor, rtol=0, atol=0, equal_nan=True)


def test_equal_tensors_give_equal_bytes_in_any_order() -> None:
    tensors = {"b": torch.ones(3), "c": torch.ones(2), "a": torch.zeros(2, dtype=torch.int64)}
    once = b"".join(tensor_pieces(tensors, {"k": "v"}))
    assert once == b"".join(tensor_pieces(dict(reversed(tensors.items())), {"k": "v"}))
