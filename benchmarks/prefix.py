"""How early a violation can be proved from the text alone, and what watching costs.

    python benchmarks/prefix.py FOLDER              # with inputs.jsonl and recorded.jsonl of IFEval
    python benchmarks/prefix.py FOLDER --others 5   # each constraint also watches five responses to other prompts

For each type: how many responses violate it, the share of these violations that is proved before the text ends, at which share
of the text the middle one is proved, and the time a token takes. 'proved' leaves out what only the end decides: too short, no
ending, a keyword that never came. Without a FOLDER only the time is printed, on a text of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

import heedful
from heedful.constraints import Constraint
from heedful.constraints.ifeval import constraint_from_ifeval

TOKEN = re.compile(r"\s?\w{1,5}|\s+|\W")  # about what a model writes at a time
NINE = (
    heedful.WordCount(at_most=100_000),
    heedful.CharCount(at_most=1_000_000),
    heedful.JsonFormat(keys=("name", "age"), only_keys=True),
    heedful.Include(terms=("harbour", "new york"), at_least=10_000),
    heedful.Exclude(terms=("cat", "dog", "horse")),
    heedful.Topic(topic="travel"),
    heedful.Sentiment(sentiment="positive"),
    heedful.Register(level="formal"),
    heedful.Toxicity(),
)
"""The nine tasks, with bounds that stay open, so that every token is worked on."""


class Watched(NamedTuple):
    """How one violation went: the share of the text after which it was proved; None if only the end showed it."""

    type: str
    proved_at: float | None


def watch(constraint: Constraint, text: str) -> tuple[Watched | None, float, int]:
    """The violation, if it is one; the seconds that feeding took, and the number of feeds."""
    monitor = constraint.monitor()
    deltas = TOKEN.findall(text)
    proved_at, length, feeds = None, 0, 0
    start = time.perf_counter()
    for delta in deltas:
        length += len(delta)
        feeds += 1
        if monitor.feed(delta).state == "violated":
            proved_at = length / len(text)
            break
    seconds = time.perf_counter() - start
    failed = monitor.constraint.check(text).outcome == "fail"
    return Watched(constraint.id, proved_at) if failed else None, seconds, feeds


def pairs(folder: Path, others: int) -> list[tuple[Constraint, str]]:
    """Each constraint with the response to its prompt, and with `others` responses to other prompts."""
    inputs = {row["key"]: row for row in _lines(folder / "inputs.jsonl")}
    rows = _lines(folder / "recorded.jsonl")
    return [
        (constraint_from_ifeval(name, kwargs), rows[(number + 7 * other) % len(rows)]["response"])
        for number, row in enumerate(rows)
        for name, kwargs in zip(inputs[row["key"]]["instruction_id_list"], inputs[row["key"]]["kwargs"], strict=True)
        for other in range(others + 1)
    ]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def table_of_types(watched: list[tuple[Constraint, str]]) -> Table:
    violations: dict[str, list[Watched]] = defaultdict(list)
    cost: dict[str, list[float]] = defaultdict(list)
    for constraint, text in watched:
        violation, seconds, feeds = watch(constraint, text)
        cost[constraint.id].append(seconds / max(feeds, 1))
        violations[constraint.id] += [violation] if violation else []
    table = Table("type of IFEval", "violations", "proved", "at", "µs a token")
    table.columns[0].no_wrap = True
    total = [violation for found in violations.values() for violation in found]
    for name, found in [*sorted(violations.items()), ("all", total)]:
        places = [violation.proved_at for violation in found if violation.proved_at is not None]
        share = f"{len(places) / len(found):.0%}" if found else "–"
        middle = f"{statistics.median(places):.0%}" if places else "–"
        micros = statistics.median(cost[name]) * 1e6 if name in cost else None
        table.add_row(name.removeprefix("ifeval/"), str(len(found)), share, middle, f"{micros:.1f}" if micros else "")
    table.caption = "at: the median share of the text after which it is proved; µs: the median over texts"
    return table


def table_of_nine() -> Table:
    table = Table("task", "µs a token", "µs to close")
    value = {"name": "The harbour of New York, seen by a catalogue of 12 dogmatic travellers. " * 500, "age": 3}
    deltas = TOKEN.findall(json.dumps(value))
    monitors = [constraint.monitor() for constraint in NINE]
    total = 0.0
    for monitor in monitors:
        start = time.perf_counter()
        for delta in deltas:
            monitor.feed(delta)
        feeding = (time.perf_counter() - start) / len(deltas)
        assert not monitor.verdict.decided, monitor.verdict
        total += feeding
        start = time.perf_counter()
        monitor.close()
        table.add_row(monitor.constraint.id, f"{feeding * 1e6:.1f}", f"{(time.perf_counter() - start) * 1e6:,.0f}")
    table.add_row("all nine", f"{total * 1e6:.1f}", "")
    table.caption = f"over {len(deltas):,} tokens"
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, help="IFEval's inputs.jsonl and recorded.jsonl")
    parser.add_argument(
        "--others", type=int, default=0, help="responses to other prompts that each constraint watches too"
    )
    options = parser.parse_args()
    console = Console()
    if options.folder is not None:
        console.print(table_of_types(pairs(options.folder, options.others)))
    console.print(table_of_nine())


if __name__ == "__main__":
    main()
