"""A stage on request, `extras`: the rows once more through the same architecture with random weights, and what stands beside
the specialists.

Writes `results/extras.nc`. States with random weights are scaffolding: kept shard by shard for a killed run, at the positions
that the specialists' inner folds choose, and dropped at the end; a seed gives them back. To know every fold's position, the
specialists are fitted once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from heedful.config import StudySettings
from heedful.lenses.data import KINDS, StudyData
from heedful.lenses.extras import chosen_positions, extras
from heedful.lenses.fits import fit_probes
from heedful.models import LanguageModel
from heedful.pipeline.progress import Progress
from heedful.pipeline.read import SHARD_BYTES
from heedful.pipeline.respond import ROWS_FILE, model_inputs
from heedful.pipeline.tables import replay_of
from heedful.store import Activations, ActivationWriter, RunFolder, Stage, encode_results, read_table

FILE = "results/extras.nc"
_STATES = "parts/extras/random"
_KINDS = (*KINDS, "reference")  # a response under its bare base prompt has no part in this


def beside(
    run: RunFolder,
    settings: StudySettings,
    model: LanguageModel,
    data_of: Callable[[Activations | None], StudyData],
    progress: Progress,
) -> None:
    """Read the random weights' states, and put the lens to both.

    Args:
        data_of: the study's data with these states in place of those that were read; with those for None.
    """
    inputs = settings.model_dump(include={"folds", "seed"}) | {"model": model_inputs(model)}
    stage = run.stage("extras", inputs=inputs, reads=["respond", "read", "probe"])
    if stage.done:
        return
    data = data_of(None)
    fits = fit_probes(
        data,
        lambda what, done, total: progress("fitting probes", done, total),
        general=False,
        controls=False,
        wanted=lambda kind, position: "%" not in position and not data.is_leak_check(kind, position),
    )
    chosen = {position for one in chosen_positions(data, fits).values() for position in one.by_fold}
    lenders = {b.lender for b in data.borrowed if b.position in chosen}
    positions = [position for position in data.positions if position in chosen | lenders]
    states = _random_states(run, stage, settings, model, data.sites, positions, progress) if positions else None
    progress("measuring extras", 0, 1)
    twin = None if states is None else data_of(states)
    stage.write(FILE, encode_results(extras(data, twin, fits)))
    stage.finish()
    progress("measuring extras", 1, 1)


def _random_states(
    run: RunFolder,
    stage: Stage,
    settings: StudySettings,
    model: LanguageModel,
    sites: Sequence[str],
    positions: Sequence[str],
    progress: Progress,
) -> Activations:
    rows: dict[str, Any] = {
        row["row_id"]: replay_of(row) for row in read_table(run.path / ROWS_FILE).rows() if row["kind"] in _KINDS
    }
    row_bytes = len(sites) * len(positions) * model.hidden_size * model.dtype.itemsize
    writer = ActivationWriter(stage, list(rows), row_bytes, shard_bytes=SHARD_BYTES, folder=_STATES)
    pending = list(writer.pending())
    fresh = model.untrained(settings.seed) if pending else model
    for shard in pending:
        progress("reading random weights", writer.shards.index(shard), len(writer.shards))
        writer.write(shard, fresh.read([rows[row_id] for row_id in shard.row_ids], sites, positions))
    progress("reading random weights", len(writer.shards), len(writer.shards))
    return Activations([stage.path(shard.name) for shard in writer.shards])
