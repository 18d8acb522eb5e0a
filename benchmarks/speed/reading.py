"""Reading hidden states, 12 positions at all sites, against the bare forward pass and against what else reads them.

    python -m benchmarks reading [--shapes llama-0.5b qwen-1.5b] [--dtype float32] [--samples 24] [--device cuda]

Models with random weights in the shapes of 0.5B- and 1B-parameter Llama and Qwen, the larger two in bf16; ragged lengths.
Bare: the same padded batches through the decoder, nothing kept. `output_hidden_states=True`: all states of all tokens, then
the positions. nnsight and TransformerLens: in environments of their own, on the same batches, weights and threads.
Memory is the most that the tensors of a pass hold at once, beyond what they hold in the bare forward pass; for so many
samples, and for four times as many.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, Qwen2Config

from benchmarks.speed.peers import NNSIGHT, TRANSFORMER_LENS, Peer
from benchmarks.speed.results import Row, keep, positive, rounds, timed
from heedful.models import Replay
from heedful.models.batching import plan
from heedful.models.catalogue import EMBEDDED
from heedful.models.forward import model_inputs
from heedful.models.positions import POSITIONS
from heedful.models.reading import ReadBatch, read
from heedful.models.replay import pad, token_index
from heedful.models.sites import find_blocks, site_names

SHAPES: dict[str, Callable[[], PreTrainedConfig]] = {
    "tiny": lambda: LlamaConfig(hidden_size=128, intermediate_size=256, num_hidden_layers=4, num_attention_heads=4,
                                num_key_value_heads=2, vocab_size=1000),
    "llama-0.5b": lambda: LlamaConfig(hidden_size=1280, intermediate_size=3456, num_hidden_layers=22,
                                      num_attention_heads=20, num_key_value_heads=4, vocab_size=32000),
    "qwen-0.5b": lambda: Qwen2Config(hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
                                     num_key_value_heads=2, vocab_size=151936, tie_word_embeddings=True),
    "llama-1b": lambda: LlamaConfig(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
                                    num_key_value_heads=8, vocab_size=128256, tie_word_embeddings=True),
    "qwen-1.5b": lambda: Qwen2Config(hidden_size=1536, intermediate_size=8960, num_hidden_layers=28,
                                     num_attention_heads=12, num_key_value_heads=2, vocab_size=151936,
                                     tie_word_embeddings=True),
}  # fmt: skip
BATCH_TOKENS = 2048
PEERS: dict[str, Peer] = {"nnsight": NNSIGHT, "TransformerLens": TRANSFORMER_LENS}


def ragged(n: int) -> list[Replay]:
    """Prompts of 15 to 60 tokens, responses of 20 to 120."""
    chance = np.random.default_rng(0)
    return [
        Replay(tuple(chance.integers(5, 900, chance.integers(15, 60)).tolist()),
               tuple(chance.integers(5, 900, chance.integers(20, 120)).tolist()), 2, 0)
        for _ in range(n)
    ]  # fmt: skip


class Work:
    """The same rows through the same model, in three ways."""

    def __init__(self, model: Any, n: int) -> None:
        self.model, self.blocks, self.rows = model, find_blocks(model), ragged(n)
        self.sites = site_names(len(self.blocks))[1:]  # without the embedding, which the peers have no block for
        self.batches = [[self.rows[i] for i in part] for part in plan([len(row) for row in self.rows], BATCH_TOKENS)]
        self.padded = [
            (model_inputs(model, p.ids, p.mask), token_index(b, POSITIONS)) for b in self.batches for p in (pad(b),)
        ]

    @property
    def selected_bytes(self) -> int:
        """Of the largest batch's selected states."""
        values = len(self.sites) * len(POSITIONS) * max(map(len, self.batches)) * self.model.config.hidden_size
        return values * self.model.dtype.itemsize

    def read(self) -> None:
        """As a study does."""
        for _ in self._batches(self.rows, BATCH_TOKENS):
            pass

    def first(self) -> tuple[Tensor, Tensor]:
        """States and validity of the first batch, its rows in order."""
        found = next(self._batches(self.batches[0], 10**9))
        order = torch.tensor(found.rows).argsort()
        return found.states[:, :, order], found.valid[:, order]

    def _batches(self, rows: list[Replay], batch_tokens: int) -> Iterator[ReadBatch]:
        return read(self.model, self.blocks, rows, self.sites, POSITIONS, log_p=False, batch_tokens=batch_tokens)

    @torch.no_grad()
    def bare(self) -> None:
        """The forward passes alone."""
        for inputs, _ in self.padded:
            self.model.model(**inputs)

    @torch.no_grad()
    def whole(self) -> list[Tensor]:
        """All states, and then those of the positions."""
        found = []
        for inputs, index in self.padded:
            states = self.model.model(**inputs, output_hidden_states=True).hidden_states
            sample = torch.arange(index.shape[1])
            found.append(torch.stack([each[sample, index.clamp(min=0)].cpu() for each in states[1:]]))
        return found


def peak_bytes(work: Callable[[], object], device: str) -> int:
    """The most bytes of tensors that `work` held at once, beyond those that were there."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    assert profile.profiler is not None
    events = profile.profiler.kineto_results.events()  # type: ignore[union-attr]
    taken = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return max(itertools.accumulate(size for _, size in taken))


def memory(model: Any, name: str, n: int, device: str) -> Row:
    """Whether it stays the same, whatever the number of samples."""
    ratios, takes = [], []
    for work in (Work(model, n), Work(model, 4 * n)):
        peak = peak_bytes(work.read, device)
        ratios.append((peak - peak_bytes(work.bare, device)) / work.selected_bytes)
        takes.append(f"{peak / 1e6:.0f} MB with the forward pass of {max(map(len, work.batches))} rows")
    return Row(
        f"{name}, and four times as many",
        "one batch's selected states, in memory",
        "costs",
        2,
        tuple(ratios),
        0.0,
        "bytes of tensors beyond those of the bare forward",
        takes=", ".join(takes),
    )


def beside_transformers(work: Work, name: str, n: int, n_rounds: int, device: str) -> list[Row]:
    """The bare forward, memory, and all hidden states."""
    costs, seconds = rounds(lambda: timed(work.read), lambda: timed(work.bare), n_rounds, "costs")
    table = [Row(name, "the bare forward", "costs", 1.10, costs, seconds, "the same passes")]
    table.append(memory(work.model, name, n, device))
    gap = _gap(work.first(), work.whole()[0][:-1], last=1)  # transformers' last hidden state is normed
    faster, seconds = rounds(lambda: timed(work.read), lambda: timed(work.whole), n_rounds, "faster")
    return [*table, Row(name, "output_hidden_states", "faster", 1, faster, seconds, gap)]


def beside_libraries(work: Work, name: str, n_rounds: int, peers: list[str]) -> list[Row]:
    """Each library's rounds in a process of its own, and heedful's right after them."""
    table: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        work.model.save_pretrained(folder)
        for file in (EMBEDDED / "pico-llama").glob("tokenizer*"):  # TransformerLens wants one; no text is tokenized
            shutil.copy(file, folder)
        arrays = {}
        for i, (inputs, index) in enumerate(work.padded):
            arrays |= {
                f"ids{i}": inputs["input_ids"],
                f"mask{i}": inputs["attention_mask"],
                f"at{i}": index.clamp(min=0),
            }
        np.savez(folder / "batches.npz", **arrays)
        for peer in peers:
            try:
                found = PEERS[peer].run("hidden_states.py", folder, peer, str(n_rounds))
            except RuntimeError as error:
                print(error)
                continue
            mine = [timed(work.read) for _ in range(n_rounds)]
            first = torch.from_numpy(np.load(folder / "outputs.npz")["first"])
            ratios = tuple(b / a for a, b in zip(mine, found["seconds"], strict=True))
            table.append(Row(name, peer, "faster", 1, ratios, statistics.median(mine), _gap(work.first(), first)))
    return table


def compare(shape: str, dtype: torch.dtype, device: str, n: int, n_rounds: int, beside: list[str]) -> list[Row]:
    """The rows of the table for one model."""
    torch.manual_seed(0)
    work = Work(AutoModelForCausalLM.from_config(SHAPES[shape](), dtype=dtype).to(device).eval(), n)
    work.bare()
    n_tokens = sum(map(len, work.rows))
    name = f"{shape}, {str(dtype).removeprefix('torch.')}, {device}: {n} rows of {n_tokens:,} tokens"
    table = beside_transformers(work, name, n, n_rounds, device) if "transformers" in beside else []
    libraries = [peer for peer in PEERS if peer in beside] if device == "cpu" else []
    return [*table, *(beside_libraries(work, name, n_rounds, libraries) if libraries else [])]


def _gap(mine: tuple[Tensor, Tensor], theirs: Tensor, last: int = 0) -> str:
    """Relative error of their states from heedful's, where a row has the position."""
    states, valid = mine[0][: len(mine[0]) - last].float(), mine[1]
    theirs = theirs.float()
    away = float((states - theirs)[:, valid].norm() / theirs[:, valid].norm())
    return f"states within {away:.0e}"


def _dtype(shape: str) -> str:
    return "bfloat16" if shape.endswith(("-1b", "-1.5b")) else "float32"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES)[1:], choices=list(SHAPES))
    parser.add_argument(
        "--dtype", choices=["float32", "bfloat16"], help="else float32 below 1B parameters, bfloat16 from there on"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--samples", type=positive, default=24)
    parser.add_argument("--rounds", type=positive, default=3)
    every = ["transformers", *PEERS]
    parser.add_argument("--beside", nargs="+", default=every, choices=every)
    args = parser.parse_args()
    table = [
        row
        for shape in args.shapes
        for row in compare(
            shape, getattr(torch, args.dtype or _dtype(shape)), args.device, args.samples, args.rounds, args.beside
        )
    ]
    keep("reading", table, packages=("torch", "transformers"))


if __name__ == "__main__":
    main()
