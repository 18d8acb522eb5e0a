"""Draws of planted mechanisms, the lenses put to them, and a record of each.

A draw gives one record, a line of JSON in the folder of the calibration; a run that was stopped goes on with the records
that are missing. Draws are independent, so they share out over processes, one core each.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heedful.erasure import fit_leace, stacked
from heedful.errors import InputError
from heedful.lenses import (
    Fits,
    Kind,
    Progress,
    StudyData,
    ablation,
    depth,
    fit_probes,
    specialists,
    temporal,
    transfer,
    verdict,
)
from heedful.lenses.ablation import HEADLINE, READINGS
from heedful.lenses.cells import shared_cells, shared_folds
from heedful.lenses.refitted import refitted_probes
from heedful.lenses.temporal import END
from heedful.lenses.transfer import named_pairs, share_of_own, sign_of
from heedful.planted.calibration import Calibration, Record
from heedful.planted.draw import Size, World
from heedful.planted.mechanisms import CLAIMS, FAMILIES, MECHANISMS, Bench, Mechanism
from heedful.probes import auroc

FILE = "draws.jsonl"
FDR = 0.05
N_FRESH = 10_000
"""Rows a task on which the truth of an interval is measured."""

Draw = tuple[str, Bench, int]
"""Mechanism, bench, number."""


def calibrate(
    out: Path,
    n_draws: int,
    *,
    mechanisms: Sequence[str] = tuple(MECHANISMS),
    size: Size | None = None,
    coverage: bool = True,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Calibration:
    """Draw each mechanism `n_draws` times, put the lenses to it, and keep a record of each; what is there is kept.

    Args:
        out: the folder of the records.
        n_draws: of each mechanism and bench.
        coverage: whether to measure the truth of intervals as well.
        jobs: processes, one core each; 1 draws in this process, with all its threads.
        progress: told how many there are, before the first draw and after each.

    Raises:
        InputError: a mechanism is unknown, or the folder holds draws of another size.
    """
    size = Size() if size is None else size
    if unknown := [name for name in mechanisms if name not in MECHANISMS]:
        raise InputError(f"there is no mechanism {unknown[0]!r}", f"choose among {', '.join(MECHANISMS)}")
    out.mkdir(parents=True, exist_ok=True)
    known = {(r["mechanism"], r["bench"], r["draw"]) for r in read_records(out, size)}
    wanted = [(name, bench, draw) for draw in range(n_draws) for name in mechanisms for bench in MECHANISMS[name].truth]
    left = [each for each in wanted if each not in known]
    make = partial(_record, size=size, coverage=coverage)
    if progress is not None:
        progress("draws", len(wanted) - len(left), len(wanted))
    with (out / FILE).open("a", encoding="utf-8") as lines:
        if left and lines.tell():
            lines.write("\n")  # ends a line that a kill cut off, so that it takes no other with it
        for done, record in enumerate(_made(make, left, jobs), len(wanted) - len(left) + 1):
            print(json.dumps(record), file=lines, flush=True)
            if progress is not None:
                progress("draws", done, len(wanted))
    asked = set(wanted)
    return Calibration([r for r in read_records(out, size) if (r["mechanism"], r["bench"], r["draw"]) in asked])


def _record(draw: Draw, size: Size, coverage: bool) -> Record:
    name, bench, number = draw
    return one_draw(MECHANISMS[name], bench, size, number, coverage=coverage) | {"size": asdict(size)}


def _made(make: Callable[[Draw], Record], draws: Sequence[Draw], jobs: int) -> Iterator[Record]:
    """Records as they are done, in any order."""
    if jobs == 1 or len(draws) < 2:
        yield from map(make, draws)
        return
    # Spawned, not forked: a fork of a process whose torch has threads may hang.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(draws)), spawn, initializer=_one_core) as pool:
        try:
            for future in as_completed([pool.submit(make, draw) for draw in draws]):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _one_core() -> None:
    """Set up a process of its own: one thread, and no life after its parent's."""
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave_with_it() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave_with_it, daemon=True).start()


def read_records(out: Path, size: Size) -> list[Record]:
    """The records of a calibration's folder; a last line that was cut off is left out.

    Raises:
        InputError: they are of draws of another size.
    """
    file = out / FILE
    records: list[Record] = []
    for line in filter(None, file.read_text(encoding="utf-8").splitlines() if file.is_file() else ()):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    if any(record["size"] != asdict(size) for record in records):
        raise InputError(f"{file} holds draws of another size", "give this calibration an --out of its own")
    return records


def one_draw(mechanism: Mechanism, bench: Bench, size: Size, draw: int, *, coverage: bool = True) -> Record:
    """One draw of a mechanism, seen through the lenses that its bench is for."""
    started = time.monotonic()
    seed = draw * len(MECHANISMS) + list(MECHANISMS).index(mechanism.name)  # no two mechanisms share their noise
    world = World(mechanism, size, seed)
    data = world.draw(bench, seed)
    fits = fit_probes(data, general=bench == "structure", controls=False, wanted=_decides if bench == "time" else _all)
    results = _results(bench, data, fits)
    found = verdict(results)
    record: Record = {
        "mechanism": mechanism.name,
        "bench": bench,
        "draw": draw,
        "verdicts": {claim: str(found["outcome"].sel(claim=claim).item()) for claim in CLAIMS[bench]},
        "parts": _parts(found, bench),
    }
    if bench == "structure":
        record |= _transfer_record(world, results["transfer"]) | _edges(mechanism, results["ablation"])
        record["seconds"] = time.monotonic() - started
        if coverage:
            record["covered"] = _covered(world, data, fits, results, seed)
    record.setdefault("seconds", time.monotonic() - started)
    return record


def _all(kind: Kind, position: str) -> bool:
    return True


def _decides(kind: Kind, position: str) -> bool:
    """Where the claim on time is decided: natural labels before the response and at its end, contrast labels in it."""
    return position == END or position.startswith("prompt") == (kind == "natural")


def _results(bench: Bench, data: StudyData, fits: Fits) -> dict[str, xr.Dataset]:
    if bench == "structure":
        return {
            "specialists": specialists(data, fits, n_permutations=0),
            "transfer": transfer(data, fits),
            "ablation": ablation(data, fits, erasers=(HEADLINE,)),
        }
    return {"depth": depth(data, fits)} if bench == "depth" else {"temporal": temporal(data, fits, square=False)}


def _parts(found: xr.Dataset, bench: Bench) -> dict[str, list[float | None]]:
    """Estimate and bounds of each part of the bench's claims."""
    return {
        str(part): [_or_null(float(found[name][i])) for name in ("estimate", "estimate_low", "estimate_high")]
        for i, part in enumerate(found["part"].values)
        if str(found["part_claim"].values[i]) in CLAIMS[bench]
    }


def _or_null(value: float) -> float | None:
    """JSON has no NaN."""
    return None if np.isnan(value) else value


def _transfer_record(world: World, found: xr.Dataset) -> Record:
    """How well the matrix found goes with the one planted, and how many pairs were told from chance."""
    here = found.sel(kind="contrast")
    planted, matrix = world.transfer().numpy(), here["auroc"].values
    off = ~np.eye(len(planted), dtype=bool)
    varied = planted[off].std() > 1e-3
    return {
        "transfer_correlation": float(np.corrcoef(planted.ravel(), matrix.ravel())[0, 1]) if varied else None,
        "readable": int((np.diag(here["auroc_low"].values) > 0.5).sum()),
        "told": int((here["q_value"].values[off] <= FDR).sum()),
    }


def _edges(mechanism: Mechanism, found: xr.Dataset) -> Record:
    here = found.sel(kind="contrast", eraser=HEADLINE, reading=READINGS[0])
    q = here["q_value"]
    edges = {
        (a, b) for a in FAMILIES for b in FAMILIES if a != b and float(q.sel(erased=a, target=b)) <= FDR
    }  # NaN is none
    planted = mechanism.edges()
    return {"edges_planted": len(planted), "edges_found": len(edges), "edges_hit": len(edges & planted)}


def _covered(
    world: World, data: StudyData, fits: Fits, results: Mapping[str, xr.Dataset], seed: int
) -> dict[str, list[int]]:
    """Of the intervals of AUROC, transfer, its shares of d′ and dependency: how many hold the truth, and of how many.

    The truth is the fitted probes' value on fresh rows of the same world, averaged over folds as the estimate is.
    """
    shared = shared_cells(data, fits, "contrast")
    if shared is None:
        return {}
    names, n = list(shared.examples), len(shared.examples)
    scale = data.scale(data.sites[0], data.positions[0])
    fresh = {t: world.fresh(t, N_FRESH, 16 * seed + i) for i, t in enumerate(names)}
    x = {t: scale(states) for t, (states, _) in fresh.items()}
    label = {t: labels for t, (_, labels) in fresh.items()}
    matrix, d_prime, after = torch.zeros(n, n), torch.zeros(n, n), torch.zeros(n, n)
    for fold in shared_folds(data, shared):
        erasers = stacked([fit_leace(fold.trained[t], fold.label[t], fold.weight[t]) for t in names])
        for j, target in enumerate(names):
            own = torch.cat([fold.probes[source].scores(x[target]) for source in names])
            matrix[:, j] += auroc(own, label[target]) / data.n_folds
            d_prime[:, j] += _d_prime(own, label[target]) / data.n_folds
            left = refitted_probes(fold, target, erasers).scores(x[target])[:, 0]
            after[:, j] += auroc(left, label[target]) / data.n_folds
    found, drops = results["transfer"].sel(kind="contrast"), results["ablation"]
    lost = drops.sel(kind="contrast", eraser=HEADLINE, reading=READINGS[0])
    holds = _holds(matrix, found["auroc_low"].values, found["auroc_high"].values)
    drop_holds = _holds(matrix.diagonal() - after, lost["drop_low"].values, lost["drop_high"].values)
    own_cells = torch.eye(n, dtype=torch.bool)
    return {
        "AUROC": _tally(holds[own_cells]),
        "transfer": _tally(holds[~own_cells]),
        "shares of d′": _tally(_shares_hold(d_prime, found, names)),
        "dependency": _tally(drop_holds[~own_cells]),
    }


def _d_prime(scores: Float[Tensor, "source sample"], labels: Int[Tensor, " sample"]) -> Float[Tensor, " source"]:
    """The difference of the classes' means over the root of their mean variance."""
    keeps, breaks = scores[:, labels == 1], scores[:, labels == 0]
    d_prime: Tensor = (keeps.mean(1) - breaks.mean(1)) / ((keeps.var(1) + breaks.var(1)) / 2).sqrt()
    return d_prime


def _shares_hold(
    d_prime: Float[Tensor, "source target"], found: xr.Dataset, names: list[str]
) -> Bool[Tensor, " share"]:
    """Whether the planned contrasts and the mean share hold what they are of the truth; of those that have an interval."""
    here = found.sel(source=names, target=names)
    auroc, q, low = (torch.from_numpy(here[name].values) for name in ("auroc", "q_value", "auroc_low"))
    readable = low.diagonal() > 0.5
    *named, others = (pairs & readable.outer(readable) for pairs in named_pairs(names))
    strength = sign_of(auroc, q) * d_prime
    mean = share_of_own(strength, others)
    truth = torch.stack([*(share_of_own(strength, pair) - mean for pair in named), mean])
    bounds = (np.append(found[f"planned_{end}"].values, found[f"mean_share_{end}"].values) for end in ("low", "high"))
    return _holds(truth, *bounds)[~truth.isnan()]


def _holds(truth: Float[Tensor, "*cell"], low: np.ndarray, high: np.ndarray) -> Bool[Tensor, "*cell"]:
    return (torch.from_numpy(low) <= truth) & (truth <= torch.from_numpy(high))


def _tally(holds: Bool[Tensor, " cell"]) -> list[int]:
    return [int(holds.sum()), holds.numel()]
