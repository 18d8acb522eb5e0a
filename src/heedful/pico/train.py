"""Trains an embedded model from a seed: `python -m heedful.pico.train --family llama`; stopped, the same command goes on.

One recipe (`recipe.yaml`), one loop for every family: draw dialogues ahead of the step in other processes, weigh each
token's loss, step Muon (matrices) and AdamW (the rest) on a warm-up–stable–decay schedule, in bf16 autocast. On a GPU
where there is one, else on the CPU. What the model can do is measured on the way.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedTokenizerFast

from heedful.errors import InputError
from heedful.models import load
from heedful.pico.dialogues import Mixture, draw_dialogue, draw_text_only
from heedful.pico.encoding import Batch, Encoder, padded_batches
from heedful.pico.evaluate import evaluate
from heedful.pico.families import FAMILIES, new_model
from heedful.pico.pool import Pool, draw_pool
from heedful.pico.tokenizer import BOS, USER, train_tokenizer

_CHECKPOINT = "checkpoint.pt"
_LEARNT_MULTIPLE = 256


def recipe() -> dict[str, Any]:
    """The settings of `recipe.yaml`."""
    settings: dict[str, Any] = yaml.safe_load(files(__package__).joinpath("recipe.yaml").read_text(encoding="utf-8"))
    return settings


class Steps(Dataset[list[Batch]]):
    """The batches of each step, a function of seed and step alone: whichever process draws them, and in any order."""

    def __init__(
        self, settings: dict[str, Any], tokenizer: PreTrainedTokenizerFast, pool: Pool, text_only: bool = False
    ) -> None:
        self._settings, self._encoder, self._pool, self._text_only = settings, Encoder(tokenizer), pool, text_only

    def __getitem__(self, step: int) -> list[Batch]:
        rng = random.Random(f"{self._settings['seed']}/{step}")
        optimizer, mixture = self._settings["optimizer"], mixture_at(step, self._settings["stages"])
        draw = draw_text_only if self._text_only else draw_dialogue
        dialogues = [draw(rng, self._pool, mixture) for _ in range(optimizer["batch"])]
        return padded_batches(self._encoder, dialogues, optimizer["microbatches"])


def mixture_at(step: int, stages: Sequence[dict[str, Any]]) -> Mixture:
    """What the dialogues of a step are made of: the stages' mixtures follow one another, each from its own step on."""
    stage = max((each for each in stages if each["from"] <= step), key=lambda each: each["from"])
    return Mixture(**{name: value for name, value in stage.items() if name != "from"})


def learning_rate(step: int, optimizer: dict[str, Any]) -> float:
    """Warm up linearly, stay, then decay linearly to zero over the last `decay` share of the steps."""
    left = (optimizer["steps"] - step) / (optimizer["decay"] * optimizer["steps"])
    return float(optimizer["lr"] * min(1.0, (step + 1) / optimizer["warmup"], max(0.0, left)))


def weighted_loss(
    backbone: Callable[..., Any], head: Callable[[Tensor], Tensor], batch: Batch, outcomes: Sequence[int] = ()
) -> tuple[Tensor, dict[str, Tensor]]:
    """Sum over tokens of weight × cross-entropy [nats], and the mean by kind of token.

    Only hidden states whose next token has a weight go through the output matrix: less than half of them.

    Args:
        backbone, head: ids → hidden states → logits.
        batch: ids and weights.
        outcomes: ids whose prediction tells whether a conversation goes on; a kind of their own.
    """
    weights, targets = batch.weights[:, 1:].flatten(), batch.ids[:, 1:].flatten()
    learnt = weights.nonzero().squeeze(-1)
    # Few different shapes: a matrix product of a new shape is compiled anew. The padding has no weight.
    learnt = nn.functional.pad(learnt, (0, -len(learnt) % _LEARNT_MULTIPLE), value=0)
    weights, targets = weights[learnt], targets[learnt]
    hidden = backbone(input_ids=batch.ids, use_cache=False).last_hidden_state[:, :-1].flatten(0, 1)[learnt]
    losses = nn.functional.cross_entropy(head(hidden).float(), targets, reduction="none")
    outcome = torch.isin(targets, targets.new_tensor(outcomes)) & (weights > 0)
    kinds = {"response": weights == 1, "check": (weights > 1) & ~outcome, "outcome": outcome}
    return (losses * weights).sum(), {name: losses[chosen].detach().mean() for name, chosen in kinds.items()}


def head_of(model: Any) -> Callable[[Tensor], Tensor]:
    """Hidden states → logits as the model's own forward pass gives them, Gemma's soft cap included."""
    cap = getattr(model.config, "final_logit_softcapping", None)
    return model.lm_head if cap is None else lambda hidden: cap * torch.tanh(model.lm_head(hidden) / cap)


def optimizers(model: Any, settings: dict[str, Any]) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for embeddings, norms and biases; one learning rate fits both."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "layers." in name]
    chosen = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": settings["weight_decay"]},
        {"params": [p for p in rest if p.ndim == 1], "weight_decay": 0.0},
    ]
    return [
        torch.optim.Muon(matrices, weight_decay=settings["weight_decay"], adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(groups, betas=(0.9, settings["beta2"]), fused=True),
    ]


def train(
    out: Path,
    settings: dict[str, Any],
    family: str = "llama",
    *,
    data: Path | None = None,
    text_only: bool = False,
    stop_at: int | None = None,
) -> None:
    """Train to the recipe's last step, or to `stop_at`, with checkpoints under `out`; a run found there goes on.

    Args:
        out: folder of the run. The model as it stands is under `out/model`, measurements in `out/log.jsonl`.
        settings: those of `recipe`.
        family: one of `FAMILIES`.
        data: folder of tokenizer and texts, drawn there once and shared between runs; `out/data` by default.
        text_only: the control: no instructions and no checks, only texts.
        stop_at: an earlier last step, of the same schedule.
    """
    out.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    asked = settings["optimizer"]
    tokenizer, pool = _data(data or out / "data", settings)
    torch.manual_seed(settings["seed"])
    model: Any = new_model(family, settings["model"], tokenizer)
    model.to(device)
    # The fused kernel's backward pass is the slowest thing in the step on a CPU, at these short lengths.
    model.set_attn_implementation("eager" if device == "cpu" else "sdpa")
    stepped = optimizers(model, asked)
    step = _taken_up(out, family, model, stepped)
    # A third faster on two cores, after a minute of compiling.
    backbone = torch.compile(model.model, dynamic=True) if settings["compile"] else model.model
    head, outcomes = head_of(model), [tokenizer.get_vocab()[token] for token in (BOS, USER)]
    last = min(stop_at or asked["steps"], asked["steps"])
    if step >= last:
        print(f"{out} has {step} steps already: nothing to do up to step {last}")
        return
    steps = Steps(settings, tokenizer, pool, text_only)
    workers = min(12, max(1, (os.cpu_count() or 1) - 1))
    loader = DataLoader(steps, batch_size=None, sampler=range(step, last), num_workers=workers, prefetch_factor=16)
    started, seen = time.monotonic(), 0
    with (out / "log.jsonl").open("a", encoding="utf-8") as log:
        for parts in loader:
            for group in (group for optimizer in stepped for group in optimizer.param_groups):
                group["lr"] = learning_rate(step, asked)
            losses = _add_gradients(backbone, head, parts, outcomes, device)
            nn.utils.clip_grad_norm_(model.parameters(), asked["clip"])
            for optimizer in stepped:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            step += 1
            seen += sum(int((part.ids != tokenizer.pad_token_id).sum()) for part in parts)
            if step % 25 == 0:
                kinds = {kind: sum(float(each[kind]) / len(losses) for each in losses) for kind in losses[0]}
                line = json.dumps({"step": step, **kinds, "tokens_per_s": round(seen / (time.monotonic() - started))})
                print(line, file=log, flush=True)
                print(line, flush=True)
            if step % 100 == 0 or step == last:
                _keep(out, family, model, stepped, step)
            if step % settings["evaluate"]["every"] == 0 or step == asked["steps"]:
                save(model, tokenizer, out / "model")
                if not text_only:
                    measured = _measured(out / "model", pool, settings["evaluate"]["per_task"])
                    print(json.dumps({"step": step, **measured}), file=log, flush=True)


def _add_gradients(
    backbone: Any, head: Callable[[Tensor], Tensor], parts: Sequence[Batch], outcomes: list[int], device: str
) -> list[dict[str, Tensor]]:
    """Of a step's batches, as of one; gives each batch's losses by kind."""
    total_weight = float(sum(part.weights[:, 1:].sum() for part in parts))
    kinds = []
    for part in parts:
        on_device = Batch(part.ids.to(device), part.weights.to(device))
        with torch.autocast(device, dtype=torch.bfloat16):
            loss, part_kinds = weighted_loss(backbone, head, on_device, outcomes)
        (loss / total_weight).backward()
        kinds.append(part_kinds)
    return kinds


def _taken_up(out: Path, family: str, model: Any, stepped: Sequence[torch.optim.Optimizer]) -> int:
    """The step that a run found there came to, with model and optimizers as it left them; 0 if there is none."""
    if not (out / _CHECKPOINT).exists():
        return 0
    state = torch.load(out / _CHECKPOINT, map_location=model.device, weights_only=True)
    if state.get("family", family) != family:
        raise InputError(f"{out} holds a run of {state['family']}", "give this family an --out of its own")
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(stepped, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"])


def _keep(out: Path, family: str, model: Any, stepped: Sequence[torch.optim.Optimizer], step: int) -> None:
    saved = {"model": model.state_dict(), "optimizers": [each.state_dict() for each in stepped]}
    torch.save(saved | {"step": step, "family": family}, out / "checkpoint.tmp")
    os.replace(out / "checkpoint.tmp", out / _CHECKPOINT)


def _measured(folder: Path, pool: Pool, per_task: int) -> dict[str, Any]:
    """What the model that was saved there can do, for the log."""
    scores, revised = evaluate(load(str(folder)), pool, per_task)
    shares = {task: [round(float(rate), 3) for rate in score] for task, score in scores.items()}
    return {"sampled, greedy, check": shares, "revised": float(revised.greedy.revised)}


def save(model: Any, tokenizer: PreTrainedTokenizerFast, path: Path) -> None:
    """Write the model in bf16, with its tokenizer, as `from_pretrained` reads it."""
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(path)
    tokenizer.save_pretrained(path)


def _data(folder: Path, settings: dict[str, Any]) -> tuple[PreTrainedTokenizerFast, Pool]:
    """Tokenizer and texts, from the folder if they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    texts, seed = folder / "pool.jsonl", settings["seed"]
    if not texts.exists():
        draw_pool(seed, settings["data"]["pool"], os.cpu_count() or 1).save(folder / "pool.tmp")
        os.replace(folder / "pool.tmp", texts)
    pool = Pool.read(texts)
    if not (folder / "tokenizer").exists():
        asked = settings["tokenizer"]
        mixture = mixture_at(0, settings["stages"])
        train_tokenizer(pool, mixture, asked["vocab_size"], asked["texts"], seed).save_pretrained(folder / "tokenizer")
    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")
    return tokenizer, pool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", choices=FAMILIES, default="llama", help="architecture")
    parser.add_argument(
        "--out", type=Path, help="folder of the run (default: runs/train/FAMILY); one found there goes on"
    )
    parser.add_argument(
        "--data", type=Path, help="folder of tokenizer and texts, shared between runs (default: OUT/data)"
    )
    parser.add_argument("--steps", type=int, help="fewer or more than the recipe's (the schedule scales with them)")
    parser.add_argument("--stop-at", type=int, help="stop early, with the schedule as it is")
    parser.add_argument("--text-only", action="store_true", help="the control: texts without instructions and checks")
    arguments = parser.parse_args()
    for option, given in (("--steps", arguments.steps), ("--stop-at", arguments.stop_at)):
        if given is not None and given < 1:
            parser.error(f"{option} is {given}: give 1 or more")
    # Gradients that underflow to denormals cost a CPU a hundredfold; threads made later inherit the setting. It holds for
    # the whole process, so it is this command's to make, not `train`'s.
    torch.set_flush_denormal(True)
    settings = recipe()
    if arguments.steps:
        settings["optimizer"]["steps"] = arguments.steps
    name = f"{arguments.family}-text" if arguments.text_only else arguments.family
    out = arguments.out or Path("runs/train") / name
    try:
        train(
            out,
            settings,
            arguments.family,
            data=arguments.data,
            text_only=arguments.text_only,
            stop_at=arguments.stop_at,
        )
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
