"""How large a model is, how much memory there is, and so how much goes into a batch, before a single weight is loaded.

Knows configurations and devices, and nothing of weights.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM

from heedful.errors import ModelError

BATCH_TOKENS = 16384
CPU_ROOM = 65536  # tokens of a batch that is generated on a CPU: a step costs little more for more rows
CPU_CACHE = 2**31  # bytes of keys and values in such a batch at the most
CPU_BATCH_TOKENS = 2048  # what stays in a CPU's caches is read 1.7 times as fast as batches of 16,384 tokens
_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)
_BITS = {"bitsandbytes": 8, "gptq": 4, "awq": 4, "fp8": 8, "compressed-tensors": 8, "mxfp4": 4}


def parameter_count(config: Any, *, trust_remote_code: bool = False) -> int:
    """Parameters of the causal LM that a configuration describes, tied ones counted once; built on the meta device."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)  # type: ignore[no-untyped-call]
    return sum(parameter.numel() for parameter in model.parameters())


def weight_bytes(config: Any, dtype: torch.dtype, *, trust_remote_code: bool = False) -> int:
    """Bytes that the weights take in memory: by dtype, or by the bits of a quantised checkpoint."""
    parameters = parameter_count(config, trust_remote_code=trust_remote_code)
    quantisation = quantisation_of(config)
    if quantisation is None:
        return parameters * dtype.itemsize
    settings = config.quantization_config
    settings = settings if isinstance(settings, dict) else settings.to_dict()
    bits = 4 if settings.get("load_in_4bit") else settings.get("bits") or _BITS.get(quantisation, 8)
    return parameters * int(bits) // 8


def cache_bytes(config: Any, dtype: torch.dtype) -> int:
    """Bytes of keys and values that one token takes in a cache, over all layers, as if each attended.

    0 where none does: the state of a recurrent model (Mamba, RWKV) does not grow with the text.
    """
    text = config.get_text_config(decoder=True)
    queries = getattr(text, "num_attention_heads", None)
    if not queries:
        return 0
    heads = getattr(text, "num_key_value_heads", None) or queries
    width = getattr(text, "head_dim", None) or text.hidden_size // queries
    return int(2 * text.num_hidden_layers * heads * width * dtype.itemsize)


class BatchTokens(NamedTuple):
    """The most tokens, padding included, in one batch."""

    read: int
    generate: int
    """With room for the responses."""


def batch_budget(config: Any, dtype: torch.dtype, device: torch.device, batch_tokens: int | None = None) -> BatchTokens:
    """What a model of this configuration takes into a batch on a device: what was asked for, where anything was."""
    if batch_tokens is not None:
        return BatchTokens(batch_tokens, batch_tokens)
    if device.type == "cpu":
        return BatchTokens(CPU_BATCH_TOKENS, min(CPU_ROOM, CPU_CACHE // max(1, cache_bytes(config, dtype))))
    return BatchTokens(BATCH_TOKENS, BATCH_TOKENS)


def quantisation_of(config: Any) -> str | None:
    """The method that a checkpoint is quantised with; None if it is not."""
    settings = getattr(config, "quantization_config", None)
    if settings is None:
        return None
    settings = settings if isinstance(settings, dict) else settings.to_dict()
    return str(getattr(settings.get("quant_method"), "value", settings.get("quant_method")) or "bitsandbytes")


def free_bytes(device: torch.device) -> int | None:
    """Memory that a device, or the host with its container's limit, has left; None if that cannot be known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    candidates = []
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        candidates.append(int(fields["MemAvailable"].split()[0]) * 1024)
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        candidates.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    if (left := _left_in_container()) is not None:
        candidates.append(left)
    return min(candidates) if candidates else None


def _left_in_container() -> int | None:
    """What a control group's limit leaves, of either version; pages of files that were read, such as weights, count as free:
    they are given up when memory is asked for."""
    for limit, used, cached in _LIMITS:
        try:
            most, taken = int((_CGROUP / limit).read_text()), int((_CGROUP / used).read_text())
            stat = dict(line.split() for line in (_CGROUP / used).with_name("memory.stat").read_text().splitlines())
        except (OSError, ValueError):  # not of this version, or without a limit ('max')
            continue
        return most - taken + int(stat.get(cached, 0))
    return None


def check_fits(name: str, needed: int, device: torch.device, dtype: torch.dtype) -> None:
    """Raises `ModelError` if a model's weights are larger than the device's free memory."""
    free = free_bytes(device)
    if free is not None and needed > free:
        smaller = "--dtype bfloat16 (half the size), " if dtype == torch.float32 else ""
        raise ModelError(
            f"{name} needs {needed / 2**30:.1f} GiB for its weights, and {device} has {free / 2**30:.1f} GiB free",
            f"use {smaller}--device-map auto (spreads it over devices), a quantised checkpoint or a smaller model",
        )
