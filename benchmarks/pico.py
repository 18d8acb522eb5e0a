"""What an embedded model must show, measured, each target beside its result; the JSON goes into the model's card.

    python benchmarks/pico.py pico-llama [--json FILE] [--per-task 160] [--no-study] [--control FOLDER]

Pass rates, checks and revisions are of base prompts that training never saw, half of them in held-out paraphrases; contrast
AUROC is that of a default study (minutes). `--control` names a model of the same recipe trained on texts alone: its pass
rates and contrast AUROC are printed beside. Time a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import heedful
from heedful.errors import HeedfulError
from heedful.models import LanguageModel, load
from heedful.models.loading import find_source
from heedful.pico.evaluate import evaluate, follows_several, sampled_rates
from heedful.pico.pool import Pool, draw_pool
from heedful.pico.wishes import as_json, constraint_and_text, json_constraint
from heedful.prompts.base import base_prompts
from heedful.prompts.instructions import natural_instructions
from heedful.prompts.tasks import TASKS

POOL_SEED = 10_000


def contrast(model: str) -> dict[str, list[float]]:
    """AUROC of each task's specialist in a default study, with its interval; site and position chosen on inner folds."""
    with tempfile.TemporaryDirectory() as folder:
        tasks = heedful.study(model, out=Path(folder) / "run").summary()["tasks"]
    found = {name: task["contrast"]["specialist"] for name, task in tasks.items()}
    return {name: [each["value"], each["low"], each["high"]] for name, each in found.items()}


def agreement(pool: Pool, per_task: int) -> dict[str, float]:
    """How often the verifier says of a text what the grammar meant: judged traits before texts are left out for it, and
    bounds, words and JSON as checks draw them."""
    rng = random.Random(POOL_SEED)
    shares = dict(pool.agreement)
    for task in TASKS:
        right = []
        while task not in shares and len(right) < per_task:
            truth = rng.random() < 0.5
            if task == "json":
                text, keys = as_json(rng, rng.choice(pool.texts))
                right.append(json_constraint(rng, keys, truth).check(text).passed == truth)
            elif found := constraint_and_text(rng, pool, task, truth):
                right.append(found[0].check(found[1].text).passed == truth)
        shares.setdefault(task, sum(right) / max(len(right), 1))
    return {task: shares[task] for task in TASKS}


def throughput(model: LanguageModel, prompts: int = 64) -> dict[str, float]:
    """Greedy tokens a second in batches of 32 and of 1, best of two rounds, the same prompts each time."""
    asked = natural_instructions(list(TASKS.values()), base_prompts(), prompts // len(TASKS) + 1, POOL_SEED)[:prompts]
    encoded = [model.encode(each.prompt) for each in asked]

    def speed(size: int) -> float:
        started, tokens = time.perf_counter(), 0
        for i in range(0, prompts, size):
            answers = model.generate(encoded[i : i + size], [0] * size, temperature=0.0, max_new_tokens=160)
            tokens += sum(len(answer.token_ids) + (answer.eos_id is not None) for answer in answers)
        return tokens / (time.perf_counter() - started)

    speed(32)
    return {"batch_1": max(speed(1) for _ in range(2)), "batch_32": max(speed(32) for _ in range(2))}


def measure(name: str, per_task: int, study: bool) -> dict[str, Any]:
    """Everything that the table says of one model."""
    model = load(name)
    pool = draw_pool(POOL_SEED, 1000)
    tasks, revisions = evaluate(model, pool, per_task)
    return {
        "agreement": agreement(pool, per_task),
        "threads": torch.get_num_threads(),
        "tasks": {task: score._asdict() for task, score in tasks.items()},
        "several": {str(n): follows_several(model, n, per_task) for n in (2, 3)},
        "revisions": revisions.to_dict(),
        "weights_bytes": (Path(find_source(name).location) / "model.safetensors").stat().st_size,
        "tokens_per_second": throughput(model),
        "contrast": contrast(name) if study else {},
    }


def table(measured: Mapping[str, Any], control: Mapping[str, Any] | None = None) -> str:
    """The measurements as Markdown: one row a task, then the targets."""
    columns = ["task", "sampled at temperature 1", "greedy", "check", "contrast AUROC", "grammar agrees with verifier"]
    columns += ["control: sampled", "control: AUROC"] if control else []
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, score in measured["tasks"].items():
        cells = [name, *(_interval(score[kind]) for kind in ("sampled", "greedy", "check"))]
        cells += [_interval(measured["contrast"].get(name)), f"{measured['agreement'][name]:.2f}"]
        if control:
            cells += [_interval(control["sampled"].get(name)), _interval(control["contrast"].get(name))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", "| measure | target | result |", "|---|---|---|", *_targets(measured)])


def _targets(measured: Mapping[str, Any]) -> list[str]:
    tasks = measured["tasks"].values()
    sampled, greedy, checks = ([task[kind][0] for task in tasks] for kind in ("sampled", "greedy", "check"))
    speed, found = measured["tokens_per_second"], [value for value, *_ in measured["contrast"].values()]
    return [
        f"| sampled pass rates | 0.35 to 0.95 | {min(sampled):.2f} to {max(sampled):.2f} |",
        f"| greedy above sampled, mean | ≥ 0.10 | {(sum(greedy) - sum(sampled)) / len(sampled):+.2f} |",
        f"| check: balanced accuracy, mean | ≥ 0.85 | {sum(checks) / len(checks):.2f} |",
        *(row for decoding, revision in measured["revisions"].items() for row in _revision(decoding, revision)),
        *(f"| greedy: all of {n} constraints | | {_interval(rate)} |" for n, rate in measured["several"].items()),
        f"| contrast AUROC ≥ 0.80 | 7 of 9 tasks | {sum(a >= 0.8 for a in found)} of {len(found)} |",
        f"| weights | ≤ 10 MB | {measured['weights_bytes'] / 1e6:.2f} MB |",
        f"| generation, batch 32 against 1, {measured['threads']} threads | ≥ 10 × | "
        f"{speed['batch_32'] / speed['batch_1']:.1f} × ({speed['batch_32']:,.0f} against {speed['batch_1']:,.0f} tokens/s) |",
    ]


def _revision(decoding: str, revision: Mapping[str, Any]) -> list[str]:
    """Failed drafts that are revised, beside new answers by the same decoding; the target is of greedy revisions."""
    target = "≥ 0.60" if decoding == "greedy" else ""
    revised, anew, gain = (_interval(revision[kind]) for kind in ("revised", "drawn_anew", "gain"))
    return [
        f"| failed drafts that comply after one revision, {decoding} | {target} | {revised} |",
        f"| … answered anew, {decoding}; the difference | | {anew}; {gain} |",
        f"| … words of the draft that are kept (answered anew) | | {revision['kept']:.2f} ({revision['kept_anew']:.2f}) |",
    ]


def _interval(rate: Any) -> str:
    return f"{rate[0]:.2f} [{rate[1]:.2f}, {rate[2]:.2f}]" if rate and rate[0] is not None else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="an embedded model's name, or a folder")
    parser.add_argument("--per-task", type=int, default=160, help="instructions, and checks, a task")
    parser.add_argument("--no-study", action="store_true", help="leave the contrast AUROC out")
    parser.add_argument("--control", help="a model trained on texts alone")
    parser.add_argument("--json", type=Path, help="write the measurements there, for `python -m heedful.pico.package`")
    arguments = parser.parse_args()
    if arguments.per_task < 2:
        parser.error(f"--per-task is {arguments.per_task}: give 2 or more")
    try:
        measured = measure(arguments.model, arguments.per_task, not arguments.no_study)
    except HeedfulError as error:
        parser.error(str(error))
    control = None
    if arguments.control:
        control = {
            "sampled": sampled_rates(load(arguments.control), arguments.per_task),
            "contrast": {} if arguments.no_study else contrast(arguments.control),
        }
    print(table(measured, control))
    if arguments.json:
        arguments.json.write_text(json.dumps(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
