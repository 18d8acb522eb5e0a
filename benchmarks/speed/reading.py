"""Reading hidden states, 12 positions at all sites, against the bare forward pass and against what else reads them.

    python -m benchmarks reading [--shapes llama-0.5b qwen-0.5b] [--dtype float32] [--samples 32] [--device cuda]

Models with random weights in the shapes of 0.5B- and 1B-parameter Llama and Qwen; ragged lengths. Bare: the same padded
batches through the decoder, nothing kept. `output_hidden_states=True`: all states of all tokens, then the positions.
nnsight and TransformerLens: in environments of their own, on the same batches, weights and threads.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, Qwen2Config

from benchmarks.speed.peers import NNSIGHT, TRANSFORMER_LENS, Peer
from benchmarks.speed.results import Row, keep, rounds, timed
from heedful.models import Replay
from heedful.models.batching import plan
from heedful.models.catalogue import EMBEDDED
from heedful.models.positions import POSITIONS
from heedful.models.reading import model_inputs, read
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


def compare(shape: str, dtype: torch.dtype, device: str, n: int, n_rounds: int, peers: list[str]) -> list[Row]:
    """All rows of the table for one model."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(SHAPES[shape](), dtype=dtype).to(device).eval()
    blocks, rows = find_blocks(model), ragged(n)
    sites = site_names(len(blocks))[1:]  # without the embedding, which the peers have no block for
    batches = [[rows[i] for i in part] for part in plan([len(row) for row in rows], BATCH_TOKENS)]
    padded = [(model_inputs(model, p.ids, p.mask), token_index(b, POSITIONS)) for b in batches for p in (pad(b),)]

    def ours() -> None:
        for _ in read(model, blocks, rows, sites, POSITIONS, log_p=False, batch_tokens=BATCH_TOKENS):
            pass

    @torch.no_grad()
    def bare() -> None:
        for inputs, _ in padded:
            model.model(**inputs)

    @torch.no_grad()
    def whole() -> list[torch.Tensor]:
        found = []
        for inputs, index in padded:
            states = model.model(**inputs, output_hidden_states=True).hidden_states
            sample = torch.arange(index.shape[1])
            found.append(torch.stack([each[sample, index.clamp(min=0)].cpu() for each in states[1:]]))
        return found

    bare()
    mine = next(iter(read(model, blocks, batches[0], sites, POSITIONS, log_p=False, batch_tokens=10**9)))
    order = torch.tensor(mine.rows).argsort()
    there = mine.states[:, :, order], mine.valid[:, order]
    name = f"{shape}, {str(dtype).removeprefix('torch.')}, {device}: {n} rows of {sum(map(len, rows)):,} tokens"

    def row(peer: str, kind: str, target: float, ratios: tuple[float, ...], seconds: float, same: str) -> Row:
        return Row(name, peer, kind, target, ratios, seconds, same)  # type: ignore[arg-type]

    costs, seconds = rounds(lambda: timed(ours), lambda: timed(bare), n_rounds, "costs")
    table = [row("the bare forward", "costs", 1.10, costs, seconds, "its own hooks")]
    gap = _gap(there, whole()[0][:-1], last=1)  # transformers' last hidden state is normed
    faster, seconds = rounds(lambda: timed(ours), lambda: timed(whole), n_rounds, "faster")
    table.append(row("output_hidden_states", "faster", 1, faster, seconds, gap))
    if device != "cpu":
        return table
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model.save_pretrained(folder)
        for file in (EMBEDDED / "pico-llama").glob("tokenizer*"):  # TransformerLens wants one; no text is tokenized
            shutil.copy(file, folder)
        arrays = {}
        for i, (inputs, index) in enumerate(padded):
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
            mine_seconds = [timed(ours) for _ in range(n_rounds)]
            first = torch.from_numpy(np.load(folder / "outputs.npz")["first"])
            ratios = tuple(b / a for a, b in zip(mine_seconds, found["seconds"], strict=True))
            table.append(row(peer, "faster", 1, ratios, statistics.median(mine_seconds), _gap(there, first)))
    return table


def _gap(mine: tuple[torch.Tensor, torch.Tensor], theirs: torch.Tensor, last: int = 0) -> str:
    """Relative error of their states from heedful's, where a row has the position."""
    states, valid = mine[0][: len(mine[0]) - last].float(), mine[1]
    theirs = theirs.float()
    away = float((states - theirs)[:, valid].norm() / theirs[:, valid].norm())
    return f"states within {away:.0e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["llama-0.5b", "qwen-0.5b"], choices=list(SHAPES))
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    args = parser.parse_args()
    table = [
        row
        for shape in args.shapes
        for row in compare(shape, getattr(torch, args.dtype), args.device, args.samples, args.rounds, args.peers)
    ]
    keep("reading", table, packages=("torch", "transformers"))


if __name__ == "__main__":
    main()
