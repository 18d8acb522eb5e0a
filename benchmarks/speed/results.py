"""What a benchmark of speed found: rows of ratios, printed, kept as JSON, and gathered into one table.

A ratio is of two times that were taken right after one another on the same work, so that a machine that slows down slows both.
Knows nothing of what was timed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import torch

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".bench" / "results"
TABLE = ROOT / "benchmarks" / "RESULTS.md"

_ABOUT = """# Speed, beside the peers

Written by `python -m benchmarks results` from what `python -m benchmarks NAME` measured, or by `… all` (`make bench`), which
measures every row again. A ratio is the median over rounds, with the least and the greatest; in a round, heedful and the
peer run one after the other on the same work, but for nnsight, TransformerLens and IFEval's code, whose rounds come in one
process, heedful's right before or after it. *faster*: the peer's time over heedful's. *costs*: heedful's over that of the bare
work beside it. Where the peer does a sample of the work, its time is scaled to all of it. *~*: the rounds lie on both sides
of the target. The last column says how both were shown to have computed the same.
"""


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        work: what was done.
        peer: who did it beside heedful.
        kind: 'faster' (peer's time / heedful's, to be large) or 'costs' (heedful's / the peer's, to be small).
        target: what the ratio should reach, or stay below; None where it is reported only.
        ratios: one a round.
        seconds: heedful's median time.
        agreement: how it was shown that both did the same.
        takes: what heedful takes, in words, where that is not time.
    """

    work: str
    peer: str
    kind: Literal["faster", "costs"]
    target: float | None
    ratios: tuple[float, ...]
    seconds: float
    agreement: str = ""
    takes: str = ""

    @property
    def ratio(self) -> float:
        """The median."""
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the target."""
        if self.target is None:
            return None
        return self.ratio >= self.target if self.kind == "faster" else self.ratio <= self.target


@dataclass(frozen=True)
class Found:
    """All that one benchmark found, with the machine and versions that it was found on.

    Attributes:
        notes: further sentences for the table.
        day: of the first of its rows and, where another run added some, of the last: 'first to last'.
    """

    name: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    machine: str = field(default_factory=lambda: machine())
    versions: dict[str, str] = field(default_factory=dict)
    day: str = field(default_factory=lambda: time.strftime("%Y-%m-%d"))

    def after(self, kept: Found) -> Found:
        """With the rows of an earlier run that this one did not measure again; none of those of another machine or other
        versions."""
        if (kept.machine, kept.versions) != (self.machine, self.versions):
            return self
        measured = {(row.work, row.peer): row for row in self.rows}
        before = [(row.work, row.peer) for row in kept.rows]
        rows = [measured.pop(key, row) for key, row in zip(before, kept.rows, strict=True)] + [*measured.values()]
        first = kept.day.split(" to ")[0] if len(rows) > len(self.rows) else self.day
        return replace(self, rows=tuple(rows), day=self.day if first == self.day else f"{first} to {self.day}")


def machine() -> str:
    """The processor and its cores, in a few words."""
    info = Path("/proc/cpuinfo")
    models = (
        [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if (info.is_file())
        else []
    )
    name = models[0] if models else platform.processor() or platform.machine()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{os.cpu_count()} cores, {name}{gpu}, torch {torch.__version__}"


def rounds(
    ours: Callable[[], float], theirs: Callable[[], float], n: int, kind: Literal["faster", "costs"]
) -> tuple[tuple[float, ...], float]:
    """Ratios of `n` rounds, and heedful's median seconds. Which goes first alternates."""
    ratios, taken = [], []
    for number in range(n):
        if number % 2:
            b, a = theirs(), ours()
        else:
            a, b = ours(), theirs()
        ratios.append(b / a if kind == "faster" else a / b)
        taken.append(a)
    return tuple(ratios), statistics.median(taken)


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call; a GPU is waited for."""
    began = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def positive(text: str) -> int:
    """A number of rounds, rows or the like on the command line."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return value


def keep(name: str, rows: Sequence[Row], *, notes: Sequence[str] = (), packages: Sequence[str] = ()) -> None:
    """Print the rows, and keep them for the table, beside those that another run with other options left there."""
    found = Found(name, tuple(rows), tuple(notes), versions={package: version(package) for package in packages})
    print(_section(found))
    KEPT.mkdir(parents=True, exist_ok=True)
    place = KEPT / f"{name}.json"
    whole = found.after(_read(place)) if place.is_file() else found
    place.write_text(json.dumps(asdict(whole), indent=1), encoding="utf-8")


def kept(name: str) -> bool:
    """Whether something was found by this benchmark."""
    return (KEPT / f"{name}.json").is_file()


def forget(name: str) -> None:
    """What was found by it."""
    (KEPT / f"{name}.json").unlink(missing_ok=True)


def write_table(peers: Sequence[str]) -> str:
    """Gather what was kept, and name the peers with their versions; gives the table's path in words."""
    found = [_read(file) for file in sorted(KEPT.glob("*.json"))]
    last = "\n".join(["## The peers", "", *(f"- {peer}" for peer in peers), ""])
    TABLE.write_text("\n".join([_ABOUT, *map(_section, found), last]), encoding="utf-8")
    return f"{TABLE.relative_to(ROOT)}: {len(found)} benchmarks"


def _read(file: Path) -> Found:
    plain = json.loads(file.read_text(encoding="utf-8"))
    rows = tuple(Row(**{**row, "ratios": tuple(row["ratios"])}) for row in plain.pop("rows"))
    return Found(rows=rows, **{**plain, "notes": tuple(plain["notes"])})


def _section(found: Found) -> str:
    lines = [
        f"## {found.name}",
        "",
        "| work | beside | ratio | target | heedful takes | same result |",
        "|---|---|---|---|---|---|",
    ]
    for row in found.rows:
        spread = f" [{_number(min(row.ratios))}, {_number(max(row.ratios))}]" if len(row.ratios) > 1 else ""
        target = "–" if row.target is None else f"{'≥' if row.kind == 'faster' else '≤'} {row.target:.3g} ×"
        verdict = {True: ", met", False: ", **missed**", None: ""}[row.met]
        if row.target is not None and min(row.ratios) < row.target < max(row.ratios):
            verdict += " ~"
        ratio = f"{row.kind} {_number(row.ratio)} ×{spread}"
        cells = (row.work, row.peer, ratio, target + verdict, row.takes or _time(row.seconds), row.agreement)
        lines.append(f"| {' | '.join(cells)} |")
    packages = ", ".join(f"{name} {number}" for name, number in found.versions.items())
    about = f"{found.day}; {found.machine}" + (f"; {packages}" if packages else "")
    return "\n".join([*lines, "", *found.notes, *([""] if found.notes else []), f"*{about}.*", ""])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _time(seconds: float) -> str:
    return (
        f"{seconds:.2f} s"
        if seconds >= 1
        else f"{1e3 * seconds:.3g} ms"
        if seconds >= 1e-3
        else f"{1e6 * seconds:.3g} µs"
    )
