"""What probe monitors are worth on an embedded model, and what they cost.

    python benchmarks/monitors.py RUN [--monitors DIR] [--json FILE]

RUN is a finished study of an embedded model; monitors are trained (minutes) where DIR, by default RUN/monitors, holds none.
Four measures. False alarms on test base prompts, beside the band that a threshold which does what it states would keep to.
The share of test violations that some prefix of the text proves. The share caught before the last quarter, of all violations
and of those that no prefix can prove (a missing term, too short, topic, sentiment, register), beside chance, which catches as
many as it raises false alarms. And the time that all monitors together add to greedy decoding: the median over interleaved
pairs of runs, with and without.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from heedful.control.monitors import RESPONSES_FILE, LiveRisk, Monitors, load_monitors
from heedful.control.monitors.choosing import IN_TIME
from heedful.control.monitors.conformal import alarm_band
from heedful.errors import StoreError
from heedful.models import LanguageModel, load
from heedful.probes import index_groups, jackknife_mean
from heedful.prompts.base import base_prompts
from heedful.store import read_table
from heedful.workbench.monitors import train_monitors

UNPROVABLE = ("include", "topic", "sentiment", "register")
PAIRS = 15


def unprovable(row: Mapping[str, Any]) -> bool:
    """Whether no beginning of a violating text can prove the violation: more text could have mended it."""
    if row["task"] in UNPROVABLE:
        return True
    if row["task"] not in ("word_count", "char_count"):
        return False
    asked = json.loads(row["constraint"])
    least = max(int(asked.get(name) or 0) for name in ("at_least", "exactly"))
    return int(row["measured"]) < least


def violations(monitors: Monitors, folder: Path) -> Iterator[tuple[dict[str, Any], bool]]:
    """Test responses that violate, and whether each was caught before its last quarter."""
    threshold = {each.name: each.threshold.value for each in monitors.each}
    for row in read_table(folder / RESPONSES_FILE).rows():
        if row["part"] == "test" and row["violates"]:
            at = next((i for i, peak in enumerate(row["peak"]) if peak > threshold[row["task"]]), None)
            yield row, at is not None and at + 1 <= IN_TIME * row["tokens"]


def shares(rows: Iterable[tuple[dict[str, Any], bool]]) -> dict[str, dict[str, Any]]:
    """By task, and of all together: how many responses, and of how many something holds."""
    found: dict[str, list[tuple[int, bool]]] = {}
    for row, holds in rows:
        for name in (row["task"], "all"):
            found.setdefault(name, []).append((row["base_id"], holds))
    return {name: _share(each) for name, each in found.items()}


def _share(rows: list[tuple[int, bool]]) -> dict[str, Any]:
    group = index_groups([base for base, _ in rows]).number
    hits = torch.tensor([float(hit) for _, hit in rows])
    made = jackknife_mean(hits, group).interval(scale="logit")
    return {"share": float(made.estimate), "low": float(made.low), "high": float(made.high), "violations": len(rows)}


def false_alarms(monitors: Monitors) -> dict[str, dict[str, Any]]:
    """By task, the share on test base prompts and its band, without and with correction for as many tasks."""
    found = {}
    for each in monitors.each:
        rate = monitors.card["tasks"][each.name]["alarm_rate"]
        band, wide = (alarm_band(each.threshold, rate["n"], 1 - 0.05 / n) for n in (1, len(monitors.each)))
        inside = [bool(b.low <= rate["value"] <= b.high) for b in (band, wide)]
        found[each.name] = {"share": rate["value"], "units": rate["n"], "band": list(band), "within": inside[0]}
        found[each.name] |= {"within_corrected": inside[1]}
    return found


def overhead(model: LanguageModel, monitors: Monitors, rows: int, tokens: int = 96) -> float:
    """Share of time added to greedy decoding of so many rows at once."""
    prompts = [model.encode(f"{base.text} Use at least 200 words.") for base in base_prompts()[:rows]]

    @contextmanager
    def watching(watched: bool) -> Iterator[None]:
        if not watched:
            yield
            return
        live = LiveRisk(monitors, model.device)
        with model.watched(live.sites, live, live.prompt):
            yield

    def run(watched: bool) -> float:
        started = time.process_time()
        with watching(watched):
            model.generate(prompts, [0] * rows, temperature=0.0, max_new_tokens=tokens)
        return time.process_time() - started

    eos, model.eos_ids = model.eos_ids, ()  # every run is as long as the others
    try:
        run(True), run(False)
        ratios = []
        for pair in range(PAIRS):
            first = run(pair % 2 == 0)
            second = run(pair % 2 == 1)
            ratios.append(first / second if pair % 2 == 0 else second / first)
    finally:
        model.eos_ids = eos
    return statistics.median(ratios) - 1


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--monitors", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    folder = given.monitors or given.run / "monitors"
    try:
        monitors = load_monitors(folder)
    except StoreError:
        monitors = train_monitors(given.run, folder, progress=lambda what, done, of: print(what, done, of, flush=True))
    model = load(str(monitors.model["id"]), device="cpu")
    monitors.check_model(model)
    found = list(violations(monitors, folder))
    result = {
        "model": model.name,
        "sites": list(monitors.sites),
        "false_alarms": false_alarms(monitors),
        "provable": shares((row, not unprovable(row)) for row, _ in found),
        "caught_in_time": shares(found),
        "caught_in_time_of_unprovable": shares((row, hit) for row, hit in found if unprovable(row)),
        "chance": monitors.card["false_alarms"],
        "overhead": {f"{rows} rows": overhead(model, monitors, rows) for rows in (1, 8)},
    }
    print(json.dumps(result, indent=1))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
