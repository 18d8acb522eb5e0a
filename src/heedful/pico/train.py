"""Trains an embedded model from a seed: `python -m heedful.pico.train --out DIR`; stopped, the same command goes on.

One recipe (`recipe.yaml`), one loop: draw dialogues ahead of the step in a second process, weigh each token's loss, step
AdamW on a warm-up–stable–decay schedule, in bf16 autocast. On a GPU where there is one, else on the CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from heedful.pico.encoding import Batch, Encoder, step_batches
from heedful.pico.pool import draw_pool
from heedful.pico.tokenizer import train_tokenizer

_LEARNT_MULTIPLE = 256


def recipe() -> dict[str, Any]:
    """The settings of `recipe.yaml`."""
    settings: dict[str, Any] = yaml.safe_load(files(__package__).joinpath("recipe.yaml").read_text(encoding="utf-8"))
    return settings


class _Steps(IterableDataset[list[Batch]]):
    """The training data from a step on: each stretch of `refresh_steps` steps has a pool of its own."""

    def __init__(self, settings: dict[str, Any], tokenizer: PreTrainedTokenizerFast, start: int) -> None:
        self._settings, self._tokenizer, self._start = settings, tokenizer, start

    def __iter__(self) -> Iterator[list[Batch]]:
        data, optimizer = self._settings["data"], self._settings["optimizer"]
        step, encoder = self._start, Encoder(self._tokenizer)
        while True:
            stretch = step // data["refresh_steps"]
            pool = draw_pool(self._settings["seed"] + 1 + stretch, data["pool"]).texts
            while step // data["refresh_steps"] == stretch:
                yield step_batches(
                    encoder, pool, self._settings["seed"], step, optimizer["batch"], optimizer["microbatches"],
                    data["check_weight"],
                )  # fmt: skip
                step += 1


def learning_rate(step: int, optimizer: dict[str, Any]) -> float:
    """Warm up linearly, stay, then decay linearly to zero over the last `decay` share of the steps."""
    left = (optimizer["steps"] - step) / (optimizer["decay"] * optimizer["steps"])
    return float(optimizer["lr"] * min(1.0, (step + 1) / optimizer["warmup"], max(0.0, left)))


def weighted_loss(backbone: Callable[..., Any], head: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Sum over tokens of weight × cross-entropy [nats], and the mean of plain and of up-weighted tokens.

    Only hidden states whose next token has a weight go through the output matrix: less than half of them.
    """
    weights, targets = batch.weights[:, 1:].flatten(), batch.ids[:, 1:].flatten()
    learnt = weights.nonzero().squeeze(-1)
    # Few different shapes: a matrix product of a new shape is compiled anew. The padding has no weight.
    learnt = nn.functional.pad(learnt, (0, -len(learnt) % _LEARNT_MULTIPLE), value=0)
    weights = weights[learnt]
    hidden = backbone(input_ids=batch.ids, use_cache=False).last_hidden_state[:, :-1].flatten(0, 1)[learnt]
    losses = nn.functional.cross_entropy(head(hidden).float(), targets[learnt], reduction="none")
    kinds = torch.stack([losses[weights == 1].detach().mean(), losses[weights > 1].detach().mean()])
    return (losses * weights).sum(), kinds


def train(out: Path, settings: dict[str, Any], *, stop_at: int | None = None) -> None:
    """Train to the recipe's last step, or to `stop_at`, with checkpoints under `out`; a run found there goes on.

    The finished model and its tokenizer are saved under `out/model`.
    """
    out.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    optimizer_settings = settings["optimizer"]
    # Gradients that underflow to denormals cost a CPU a hundredfold; threads made later inherit the setting.
    torch.set_flush_denormal(True)
    tokenizer = _tokenizer(out, settings)
    torch.manual_seed(settings["seed"])
    model: Any = LlamaForCausalLM(
        LlamaConfig(
            **settings["model"],
            vocab_size=len(tokenizer),
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.to(device)
    # The fused kernel's backward pass is the slowest thing in the step on a CPU, at these short lengths.
    model.set_attn_implementation("eager" if device == "cpu" else "sdpa")
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": optimizer_settings["weight_decay"]},
            {"params": vectors, "weight_decay": 0.0},
        ],
        betas=(0.9, optimizer_settings["beta2"]),
        fused=True,
    )
    checkpoint, step = out / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    # A third faster on two cores, after a minute of compiling.
    backbone = torch.compile(model.model, dynamic=True) if settings["compile"] else model.model
    loader = DataLoader(_Steps(settings, tokenizer, step), batch_size=None, num_workers=1, prefetch_factor=16)
    started, seen = time.monotonic(), 0
    last = min(stop_at or optimizer_settings["steps"], optimizer_settings["steps"])
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:
        for parts in loader if step < last else ():
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, optimizer_settings)
            total_weight = float(sum(part.weights[:, 1:].sum() for part in parts))
            kinds = torch.zeros(2, device=device)
            for part in parts:
                on_device = Batch(part.ids.to(device), part.weights.to(device))
                with torch.autocast(device, dtype=torch.bfloat16):
                    loss, part_kinds = weighted_loss(backbone, model.lm_head, on_device)
                (loss / total_weight).backward()
                kinds += part_kinds / len(parts)
                seen += int((part.ids != tokenizer.pad_token_id).sum())
            nn.utils.clip_grad_norm_(model.parameters(), optimizer_settings["clip"])
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            if step % 25 == 0:
                seconds = time.monotonic() - started
                row = {"step": step, "response": kinds[0].item(), "check": kinds[1].item()}
                row |= {"lr": learning_rate(step, optimizer_settings), "tokens_per_s": round(seen / seconds)}
                print(json.dumps(row), file=log, flush=True)
            if step % 100 == 0 or step == last:
                state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
                torch.save(state, out / "checkpoint.tmp")
                os.replace(out / "checkpoint.tmp", checkpoint)
            if step == last:
                break
    if step == optimizer_settings["steps"]:
        save(model, tokenizer, out / "model")


def save(model: Any, tokenizer: PreTrainedTokenizerFast, path: Path) -> None:
    """Write the model in bf16, with its tokenizer, as `from_pretrained` reads it."""
    model.to(torch.bfloat16).save_pretrained(path)
    tokenizer.save_pretrained(path)


def _tokenizer(out: Path, settings: dict[str, Any]) -> PreTrainedTokenizerFast:
    path = out / "tokenizer"
    if not path.exists():
        asked = settings["tokenizer"]
        pool = draw_pool(settings["seed"], asked["texts"] // 4).texts
        train_tokenizer(pool, asked["vocab_size"], asked["texts"], settings["seed"]).save_pretrained(path)
    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(path)
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of checkpoints; an interrupted run there goes on"
    )
    parser.add_argument(
        "--steps", type=int, help="fewer or more steps than the recipe's (the schedule scales with them)"
    )
    arguments = parser.parse_args()
    settings = recipe()
    if arguments.steps:
        settings["optimizer"]["steps"] = arguments.steps
    train(arguments.out, settings)


if __name__ == "__main__":
    main()
