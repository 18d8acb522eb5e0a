"""Stage 3, read: every row is replayed through the model, and hidden states at the chosen sites and positions are kept.

Writes `activations/` shard by shard; a killed run goes on at the first shard that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heedful.config import StudySettings
from heedful.errors import InputError
from heedful.lenses.data import MIN_REFERENCE
from heedful.models import LanguageModel, Replay, resolve
from heedful.pipeline.progress import Progress
from heedful.pipeline.respond import ROWS_FILE, model_inputs
from heedful.pipeline.tables import replay_of
from heedful.store import ActivationWriter, RunFolder, read_table

SHARD_BYTES = 64 << 20
"""Size of a file of hidden states: what a kill loses at most. Which rows share one depends on it."""


def read(run: RunFolder, settings: StudySettings, model: LanguageModel, progress: Progress) -> None:
    """Read the hidden states of all rows."""
    sites = chosen_sites(settings, model.name, model.sites)
    inputs = {"sites": sites, "positions": settings.positions, "model": model_inputs(model)}
    stage = run.stage("read", inputs=inputs, reads=["respond"])
    if stage.done:
        return
    rows = read_table(run.path / ROWS_FILE)
    replays = {row["row_id"]: replay_of(row) for row in rows.rows()}
    row_bytes = len(sites) * len(settings.positions) * model.hidden_size * model.dtype.itemsize
    writer = ActivationWriter(stage, list(replays), row_bytes, shard_bytes=SHARD_BYTES)
    done = sum(len(shard.row_ids) for shard in writer.shards if stage.has(shard.name))
    for shard in writer.pending():
        progress("reading hidden states", done, len(replays))
        chosen = [replays[row_id] for row_id in shard.row_ids]
        writer.write(shard, model.read(chosen, sites, settings.positions, log_p=True))
        done += len(chosen)
    progress("reading hidden states", done, len(replays))
    stage.finish()


def chosen_sites(settings: StudySettings, name: str, known: Sequence[str]) -> tuple[str, ...]:
    """The sites to read, in the model's order; InputError for one that the model `name` lacks."""
    if settings.sites == "all":
        return tuple(known)
    unknown = [site for site in settings.sites if site not in known]
    if unknown:
        raise InputError(f"{name} has no site {', '.join(unknown)}", f"choose among {', '.join(known)}")
    return tuple(site for site in known if site in settings.sites)


def check_positions(settings: StudySettings, references: Sequence[Mapping[str, Any]]) -> None:
    """Raise InputError where too few of the neutral texts have any of the positions: features could not be scaled."""
    for position in settings.positions:
        if sum(_has(position, replay_of(row)) for row in references) >= MIN_REFERENCE:
            return
    raise InputError(
        f"the neutral texts that features are scaled by are too short for {', '.join(settings.positions)}",
        "read at an earlier position as well, such as response[-1]",
    )


def _has(position: str, row: Replay) -> bool:
    at = resolve(position, len(row.prompt_ids), len(row.response_ids), row.eos_id is not None, row.answer_start)
    return at is not None
