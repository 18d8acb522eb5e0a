"""Puts a trained model into the package: `python -m heedful.pico.package RUN NAME --measured FILE`.

FILE is what `benchmarks/pico.py RUN/model --json FILE` measured of this very checkpoint. Writes weights in bf16, tokenizer,
card.json and SHA256SUMS under `heedful/models/embedded/NAME`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heedful.errors import InputError
from heedful.models.catalogue import CHECKSUMS, EMBEDDED
from heedful.pico.train import recipe


def package(run: Path, name: str, measured: Mapping[str, Any], note: str = "", root: Path = EMBEDDED) -> Path:
    """Copy a training run's model into the package, with its card and checksums; returns its folder.

    Raises:
        InputError: the run has no finished model.
    """
    source = run / "model"
    if not (source / "model.safetensors").is_file():
        raise InputError(f"{run} has no model", "train one there first: python -m heedful.pico.train --out FOLDER")
    about = card(run, measured) | ({"note": note} if note else {})
    target = root / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    (target / "card.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    sums = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}"
        for file in sorted(target.iterdir())
        if file.name != CHECKSUMS
    ]
    (target / CHECKSUMS).write_text("\n".join(sums) + "\n", encoding="utf-8")
    return target


def card(run: Path, measured: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader should know of a model: what it is, how it was made, what it can do as measured."""
    log = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    config = json.loads((run / "model" / "config.json").read_text(encoding="utf-8"))
    settings = recipe()
    steps, batch = log[-1]["step"], settings["optimizer"]["batch"]
    tasks = measured["tasks"].values()
    sampled, greedy, checks = ([task[kind][0] for task in tasks] for kind in ("sampled", "greedy", "check"))
    revised, anew = (measured["revisions"]["greedy"][kind][0] for kind in ("revised", "drawn_anew"))
    found = [value for value, *_ in measured["contrast"].values()]
    return {
        "summary": f"A small {config['architectures'][0]} that follows nine kinds of instruction, checks and revises.",
        "facts": [
            f"{measured['weights_bytes'] / 1e6:.1f} MB of bf16 weights, {config['num_hidden_layers']} blocks of width "
            f"{config['hidden_size']}; trained from scratch, {steps:,} steps of {batch} dialogues of the project's grammar",
            f"follows: {min(sampled):.2f} to {max(sampled):.2f} of sampled answers comply, by task; greedy "
            f"{sum(greedy) / len(greedy):.2f} on average",
            f"checks: balanced accuracy {sum(checks) / len(checks):.2f} on average, {min(checks):.2f} at worst",
            f"revises: {revised:.2f} of failed drafts comply after one greedy revision ({anew:.2f} when answered anew, "
            "greedily too)",
            f"specialist probes on contrast squares: AUROC ≥ 0.80 in {sum(a >= 0.8 for a in found)} of {len(found)} tasks",
        ],
        "license": "Apache-2.0",
        "recipe": settings,
        "steps": steps,
        "measured": dict(measured),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the --out folder of heedful.pico.train")
    parser.add_argument("name", help="the model's name, e.g. pico-llama")
    parser.add_argument("--measured", type=Path, required=True, help="what benchmarks/pico.py --json wrote of it")
    parser.add_argument("--note", default="", help="what the recipe does not tell of this run, for the card")
    arguments = parser.parse_args()
    try:
        measured = json.loads(arguments.measured.read_text(encoding="utf-8"))
        print(package(arguments.run, arguments.name, measured, arguments.note))
    except (InputError, OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
