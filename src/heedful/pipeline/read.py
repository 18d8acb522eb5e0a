"""Stage 3, read: every row is replayed through the model, and hidden states at the chosen sites and positions are kept.

Writes `activations/` shard by shard; a killed run goes on at the first shard that is missing.
"""

from __future__ import annotations

from heedful.config import StudySettings
from heedful.errors import InputError
from heedful.models import LanguageModel, Replay
from heedful.pipeline.progress import Progress
from heedful.pipeline.respond import ROWS_FILE, model_inputs
from heedful.store import ActivationWriter, RunFolder, read_table


def read(run: RunFolder, settings: StudySettings, model: LanguageModel, progress: Progress) -> None:
    """Read the hidden states of all rows."""
    sites = chosen_sites(settings, model)
    inputs = {"sites": sites, "positions": settings.positions, "model": model_inputs(model)}
    stage = run.stage("read", inputs=inputs, reads=["respond"])
    if stage.done:
        return
    rows = read_table(run.path / ROWS_FILE)
    replays = {
        row["row_id"]: Replay(row["prompt_ids"], row["response_ids"], row["eos_id"], row["answer_start"])
        for row in rows.rows()
    }
    row_bytes = len(sites) * len(settings.positions) * model.hidden_size * model.dtype.itemsize
    writer = ActivationWriter(stage, list(replays), row_bytes)
    done = sum(len(shard.row_ids) for shard in writer.shards if stage.has(shard.name))
    for shard in writer.pending():
        progress("reading hidden states", done, len(replays))
        chosen = [replays[row_id] for row_id in shard.row_ids]
        writer.write(shard, model.read(chosen, sites, settings.positions, log_p=True))
        done += len(chosen)
    progress("reading hidden states", done, len(replays))
    stage.finish()


def chosen_sites(settings: StudySettings, model: LanguageModel) -> tuple[str, ...]:
    """The sites to read, in the model's order; InputError for one that the model lacks."""
    if settings.sites == "all":
        return model.sites
    unknown = [site for site in settings.sites if site not in model.sites]
    if unknown:
        raise InputError(f"{model.name} has no site {', '.join(unknown)}", f"choose among {', '.join(model.sites)}")
    return tuple(site for site in model.sites if site in settings.sites)
