"""Tensors as a safetensors file, in pieces that need no copy: a header, then each tensor's own memory.

The library's `save` copies every tensor twice, which takes as long as the disk does. Reading is the library's. Knows nothing
of what the tensors hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from torch import Tensor

_NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


def tensor_pieces(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> list[memoryview]:
    """The bytes of a file, in order; equal tensors and metadata give equal bytes.

    The pieces are the memory of the tensors, where that is contiguous: write them before the tensors change.

    Args:
        tensors: on the CPU.
        metadata: text by name.
    """
    # Wide numbers first, as the format's own writer has it, so that every tensor begins at a multiple of its width.
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    offset, pieces = 0, []
    for name in order:
        tensor = tensors[name]
        data = tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else memoryview(b"")
        header[name] = {
            "dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, offset + data.nbytes]
        }  # fmt: skip
        offset += data.nbytes
        pieces.append(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return [memoryview(len(text).to_bytes(8, "little") + text), *pieces]
