"""What a study of a model would take in disk, memory and time, told from its configuration before anything is loaded.

Bytes are arithmetic. Time is rough: operations over this machine's measured rate of matrix products, given as a range.
Knows sizes, and nothing of tasks, prompts or weights.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import torch

from heedful.models.memory import BatchTokens, batch_budget, cache_bytes, parameter_count, weight_bytes


@dataclass(frozen=True)
class Cost:
    """What it would take.

    Attributes:
        parameters: of the model.
        tokens: that pass through the model, generated ones and replayed ones.
        flops: floating-point operations, two a parameter and token.
        disk_bytes: hidden states as they are stored.
        memory_bytes: weights, and what the larger of two full batches holds: one that is generated, one that is read.
        seconds_low: if matrix products run at their measured rate, and responses end at half their limit.
        seconds_high: if they run at an eighth of it, as small or badly filled batches do, and no response ends early.
    """

    parameters: int
    tokens: int
    flops: float
    disk_bytes: int
    memory_bytes: int
    seconds_low: float
    seconds_high: float

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


@dataclass(frozen=True)
class MachineRate:
    """How fast a device is: operations a second in matrix products, and bytes a second read from memory."""

    flops: float
    bytes: float


def estimate(
    config: Any,
    *,
    n_generate: int,
    n_rows: int,
    mean_prompt_tokens: int,
    max_new_tokens: int,
    n_sites: int,
    n_positions: int,
    dtype: torch.dtype,
    batch: BatchTokens | None = None,
    rate: MachineRate | None = None,
) -> Cost:
    """What it would take to generate responses, and to read hidden states.

    Args:
        config: a transformers configuration (`loading.load_config`, or `LanguageModel.config`).
        n_generate: responses to generate.
        n_rows: rows to replay.
        mean_prompt_tokens: tokens of a prompt, on average.
        max_new_tokens: the most tokens of a response.
        n_sites: sites to read.
        n_positions: positions to read at each.
        dtype: of weights and stored states.
        batch: the most tokens in one; what a CPU takes if not given.
        rate: of the machine; measured on the CPU (a tenth of a second) if not given.
    """
    text = config.get_text_config(decoder=True)
    cpu = torch.device("cpu")
    rate, batch = rate or measure_rate(cpu, dtype), batch or batch_budget(config, dtype, cpu)
    parameters, weights = parameter_count(config), weight_bytes(config, dtype)
    row = mean_prompt_tokens + max_new_tokens
    tokens = (n_generate + n_rows) * row
    # A forward pass holds a few copies of one layer's states; the feed-forward part's are some four times as wide.
    state = 8 * text.hidden_size * dtype.itemsize
    logits = min(batch.read, 2**28 // text.vocab_size) * text.vocab_size * (dtype.itemsize + 4)
    n_rows_at_once = min(n_generate, max(1, batch.generate // row))
    generating = n_rows_at_once * (row * cache_bytes(config, dtype) + mean_prompt_tokens * state)

    def seconds(new_tokens: float, efficiency: float) -> float:
        operations = 2.0 * parameters * (n_generate + n_rows) * (mean_prompt_tokens + new_tokens)
        batches = max(1.0, n_generate * row / batch.generate) if n_generate else 0.0
        steps = batches * new_tokens  # each step of each batch reads all weights once, however few rows it has
        return operations / (rate.flops * efficiency) + steps * weights / rate.bytes

    return Cost(
        parameters=parameters,
        tokens=tokens,
        flops=2.0 * parameters * tokens,
        disk_bytes=n_rows * n_sites * n_positions * text.hidden_size * dtype.itemsize,
        memory_bytes=weights + max(generating, batch.read * state + logits),
        seconds_low=seconds(max_new_tokens / 2, 1.0),
        seconds_high=seconds(float(max_new_tokens), 1 / 8),
    )


def measure_rate(device: torch.device, dtype: torch.dtype, *, seconds: float = 0.05) -> MachineRate:
    """Measure a device: products of square matrices, and a sum over memory, each repeated for about `seconds`."""
    side = 4096 if device.type == "cuda" else 512
    square = torch.ones(side, side, device=device, dtype=dtype)
    flat = torch.ones(1 << 24, device=device, dtype=torch.float32)
    return MachineRate(
        flops=2.0 * side**3 * _per_second(lambda: square @ square, device, seconds),
        bytes=float(flat.nbytes) * _per_second(flat.sum, device, seconds),
    )


def _per_second(run: Any, device: torch.device, seconds: float) -> float:
    def timed(repeats: int) -> float:
        started = time.perf_counter()
        for _ in range(repeats):
            run()
        _wait(device)
        return time.perf_counter() - started

    timed(1)  # the first call sets things up
    repeats = max(1, int(seconds / max(timed(1), 1e-6)))
    return repeats / timed(repeats)


def _wait(device: torch.device) -> None:
    """Until a device that is only told what to do has done it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
