"""The labelled rows and hidden states of a run, as a lens sees them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from heedful.config import StudySettings
from heedful.lenses import StudyData
from heedful.pipeline.instruct import FILE as INSTRUCTIONS_FILE
from heedful.pipeline.respond import ROWS_FILE
from heedful.store import Activations, Table, read_table, stage_files
from heedful.store.manifest import Manifest


def read_data(path: Path, manifest: Manifest, activations: Activations | None = None) -> StudyData:
    """Rows, labels, folds and hidden states of a run whose read stage is done, as a lens sees them. Locks nothing.

    Args:
        path: the run folder.
        manifest: what it records.
        activations: other states of the same rows, or of some; those that the read stage wrote by default.
    """
    settings = StudySettings.model_validate(manifest.settings)
    asked = set(read_table(path / INSTRUCTIONS_FILE)["base_id"])
    rows = read_table(path / ROWS_FILE)
    if activations is not None:
        known = {*activations.row_ids}
        kept = [row for row in rows.rows() if row["row_id"] in known]
        rows = Table({name: [row[name] for row in kept] for name in rows.columns}, rows.metadata)
    return StudyData(
        _with_every_base(rows, asked),
        activations or Activations(stage_files(path, manifest, "read", "activations/")),
        tasks={task.name: task.family for task in settings.studied},
        n_folds=settings.folds,
        seed=settings.seed,
    )


def fold_of_base(path: Path, manifest: Manifest) -> dict[int, int]:
    """Base prompt → the fold that holds it, of a run whose read stage is done."""
    data = read_data(path, manifest)
    return {int(str(base)): fold for base, fold in zip(data.bases, data.fold_of(data.bases).tolist(), strict=True)}


def _with_every_base(rows: Table, asked: Iterable[int]) -> Table:
    """`rows`, and an unlabelled one for each base prompt of which no response could be a row.

    So folds are over the base prompts that were asked, whatever the model made of them, and a model none of whose
    responses can be used has a result as well: that there are too few. Nothing is fitted on a row without a label; it
    borrows the hidden states of a neutral text.
    """
    records = list(rows.rows())
    neutral = next(record for record in records if record["kind"] == "reference")
    found = {record["base_id"] for record in records}
    records += [neutral | {"kind": "natural", "base_id": base} for base in sorted(set(asked) - found)]
    return Table({name: [record[name] for record in records] for name in rows.columns}, rows.metadata)
