"""The estimate agrees with what is then loaded, read and stored, and needs no weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.conftest import ARCHITECTURES, make_model
from transformers import AutoConfig, MambaConfig, RwkvConfig

from heedful.models import POSITIONS, LanguageModel, Replay, memory
from heedful.models import cost as cost_module
from heedful.models.cost import Cost, MachineRate, estimate, measure_rate
from heedful.models.memory import BatchTokens, batch_budget, cache_bytes

RATE = MachineRate(flops=1e12, bytes=1e10)
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 64}


def cost(config: Any, **changes: Any) -> Cost:
    sizes = {
        "n_generate": 10,
        "n_rows": 6,
        "mean_prompt_tokens": 20,
        "max_new_tokens": 30,
        "n_sites": 4,
        "n_positions": 12,
    }
    return estimate(config, **{**sizes, "dtype": torch.float32, "rate": RATE, **changes})


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_parameters_and_disk_are_exact(language_model: Callable[..., LanguageModel], architecture: str) -> None:
    model = language_model(architecture)
    rows = [Replay([1] * 20, [5] * 30, 2)] * 6
    states = model.read_all(rows, model.sites, POSITIONS).states
    found = cost(model.config)
    assert found.parameters == model.identity()["parameters"]
    assert found.disk_bytes == states.nbytes
    assert found.tokens == 16 * 50
    assert found.flops == 2 * found.parameters * found.tokens
    assert found.memory_bytes > 4 * found.parameters
    assert cost(model.config, dtype=torch.bfloat16).disk_bytes == found.disk_bytes // 2


def test_an_8b_model_is_estimated_without_its_weights() -> None:
    llama = AutoConfig.for_model(
        "llama", vocab_size=128256, hidden_size=4096, intermediate_size=14336,
        num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8,
    )  # fmt: skip
    sizes = {"n_generate": 1000, "n_rows": 1000, "n_sites": 33, "dtype": torch.bfloat16}
    found = cost(llama, **sizes, n_positions=8)
    assert found.parameters == 8_030_261_248
    assert found.disk_bytes == 2_162_688_000  # eight chosen positions: 2.2 GB
    assert cost(llama, **sizes, n_positions=512).disk_bytes == pytest.approx(138e9, rel=0.01)  # every token: 138 GB
    assert 16e9 < found.memory_bytes < 24e9
    assert 0 < found.seconds_low < found.seconds_high
    assert set(found.to_dict()) >= {"disk_bytes", "memory_bytes", "seconds_low", "seconds_high"}


def test_time_grows_with_the_work_and_shrinks_with_the_machine() -> None:
    config = make_model("llama").config
    base = cost(config)
    assert cost(config, n_rows=60).seconds_low > base.seconds_low
    assert cost(config, n_generate=0).seconds_high < base.seconds_high
    assert cost(config, rate=MachineRate(2e12, 2e10)).seconds_low == pytest.approx(base.seconds_low / 2)


@pytest.mark.parametrize("asked", [None, 700])
def test_batches_are_those_that_the_loaded_model_and_its_copies_take(
    language_model: Callable[..., LanguageModel], asked: int | None
) -> None:
    model = language_model(batch_tokens=asked)
    budget = batch_budget(model.config, model.dtype, model.device, asked)
    assert budget == ((2048, 65536) if asked is None else (700, 700))
    for each in (model, model.twin(), model.untrained()):
        assert (each.batch_tokens, each.generation_tokens) == budget
    assert batch_budget(model.config, model.dtype, torch.device("cuda")) == (16384, 16384)


def test_larger_batches_of_responses_take_fewer_steps_and_more_memory() -> None:
    config = make_model("llama").config
    small, usual, large = (
        cost(config, n_generate=10_000, batch=BatchTokens(2048, generate)) for generate in (2048, 65536, 131072)
    )
    assert cost(config, n_generate=10_000) == usual  # what a CPU takes
    assert small.seconds_low > usual.seconds_low > large.seconds_low
    assert small.memory_bytes < usual.memory_bytes < large.memory_bytes
    a_row = 50 * cache_bytes(config, torch.float32) + 20 * 8 * 32 * 4  # keys and values; states of its prompt
    assert large.memory_bytes - usual.memory_bytes == (131072 // 50 - 65536 // 50) * a_row


def test_the_rate_of_this_machine_is_measured() -> None:
    rate = measure_rate(torch.device("cpu"), torch.float32, seconds=0.01)
    assert 1e8 < rate.flops < 1e16
    assert 1e7 < rate.bytes < 1e14


@pytest.mark.parametrize("version", [1, 2])
def test_a_containers_limit_counts_and_pages_of_files_that_were_read_do_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: int
) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory._left_in_container() is None
    folder, limit, used, cached = (
        (tmp_path / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        if version == 1
        else (tmp_path, "memory.max", "memory.current", "inactive_file")
    )
    folder.mkdir(exist_ok=True)
    for name, text in ((limit, "max\n"), (used, "900\n"), ("memory.stat", f"anon 100\n{cached} 700\n")):
        (folder / name).write_text(text)
    assert memory._left_in_container() is None
    (folder / limit).write_text("1000\n")
    assert memory._left_in_container() == 800
    assert memory.free_bytes(torch.device("cpu")) == 800


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_device_is_waited_for_before_its_time_is_taken(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    waited: list[str] = []
    for name in ("cuda", "mps"):
        monkeypatch.setattr(getattr(torch, name), "synchronize", lambda *_, name=name: waited.append(name))
    assert cost_module._per_second(lambda: None, torch.device(kind), 1e-5) > 0
    assert waited == [kind] * 3


@pytest.mark.parametrize("config", [MambaConfig(**TINY), RwkvConfig(**TINY)], ids=["mamba", "rwkv"])
def test_a_model_without_attention_keeps_no_keys_and_values(config: Any) -> None:
    assert cache_bytes(config, torch.float32) == 0
    assert batch_budget(config, torch.float32, torch.device("cpu")) == (2048, 65536)
    assert cost(config).memory_bytes > 0
