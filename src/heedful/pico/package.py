"""Puts a trained model into the package: `python -m heedful.pico.package RUN NAME`.

Measures it first (`evaluate`), so that its card says what this very checkpoint can do; writes weights in bf16, tokenizer,
card.json and SHA256SUMS under `heedful/models/embedded/NAME`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from heedful.models import load
from heedful.models.catalogue import CHECKSUMS, EMBEDDED
from heedful.pico.evaluate import TaskScore, evaluate
from heedful.pico.train import recipe


def package(run: Path, name: str, per_task: int, note: str = "") -> Path:
    """Copy a training run's model into the package, with its card and checksums; returns its folder."""
    source = run / "model"
    scores = evaluate(load(str(source)), per_task)
    target = EMBEDDED / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    (target / "card.json").write_text(
        json.dumps(card(run, scores) | ({"note": note} if note else {}), indent=2) + "\n", encoding="utf-8"
    )
    sums = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}"
        for file in sorted(target.iterdir())
        if file.name != CHECKSUMS
    ]
    (target / CHECKSUMS).write_text("\n".join(sums) + "\n", encoding="utf-8")
    return target


def card(run: Path, scores: dict[str, TaskScore]) -> dict[str, Any]:
    """What a reader should know of a model: what it is, how it was made, what it can do as measured."""
    log = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    settings = recipe()
    size = (run / "model" / "model.safetensors").stat().st_size
    checks = [score.check for score in scores.values()]
    sampled = [score.sampled.share for score in scores.values()]
    return {
        "summary": "A small Llama trained from scratch on the project's grammar: follows nine kinds of instruction, checks.",
        "facts": [
            f"{size / 1e6:.1f} MB of bf16 weights, {settings['model']['num_hidden_layers']} blocks of width "
            f"{settings['model']['hidden_size']}; {log[-1]['step']} steps of {settings['optimizer']['batch']} dialogues",
            f"pass rates sampled at temperature 1: {min(sampled):.2f} to {max(sampled):.2f} over the nine tasks",
            f"checks of its instruction: balanced accuracy {sum(checks) / len(checks):.2f} on average",
        ],
        "license": "Apache-2.0",
        "recipe": settings,
        "steps": log[-1]["step"],
        "scores": {name: score._asdict() for name, score in scores.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the --out folder of heedful.pico.train")
    parser.add_argument("name", help="the model's name, e.g. pico-llama")
    parser.add_argument("--per-task", type=int, default=240, help="instructions a task to measure it on")
    parser.add_argument("--note", default="", help="what the recipe does not tell of this run, for the card")
    arguments = parser.parse_args()
    print(package(arguments.run, arguments.name, arguments.per_task, arguments.note))


if __name__ == "__main__":
    main()
