"""What a report is made of: a finished run, read from its folder.

Takes no lock, so that a study can write its own report while it holds the folder. Draws nothing and judges nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from heedful.errors import StoreError
from heedful.lenses import RESULTS_VERSION
from heedful.report.wording import KIND_NAMES
from heedful.store import read_manifest, read_results, read_table
from heedful.store.manifest import Manifest

Record = Mapping[str, Any]

_TO_ITS_END = "run `heedful study` on that folder to its end, then ask for the report again"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        manifest: settings, facts and stages.
        samples: one record a response.
        rows: one record a replay: an instruction with a response and its label.
        disturbed: one record an answer of the behavioural experiment that was kept.
        specialists, baselines, depth, transfer, mapped, ablation, temporal, specificity, extremes, behaviour, verdict:
            the lenses' results.
        extras: of that lens; None in a study without `--extras`.
    """

    path: Path
    manifest: Manifest
    samples: Sequence[Record]
    rows: Sequence[Record]
    disturbed: Sequence[Record]
    specialists: xr.Dataset
    baselines: xr.Dataset
    depth: xr.Dataset
    transfer: xr.Dataset
    mapped: xr.Dataset
    ablation: xr.Dataset
    temporal: xr.Dataset
    specificity: xr.Dataset
    extremes: xr.Dataset
    behaviour: xr.Dataset
    verdict: xr.Dataset
    extras: xr.Dataset | None = None

    @property
    def model(self) -> str:
        """The model as the user named it; of a folder, its last part."""
        identity = self.manifest.facts.get("model")
        name = identity.get("id") if isinstance(identity, Mapping) else identity
        name = str(name or self.manifest.settings.get("model") or "an unnamed model")
        return Path(name).name if Path(name).is_absolute() or name.startswith((".", "~")) else name

    @property
    def answers_file(self) -> str | None:
        """The name of the file that the answers came from; None where the model gave them itself."""
        path = self.manifest.settings.get("responses_file")
        return Path(str(path)).name if path else None

    @property
    def kind_names(self) -> Mapping[str, str]:
        """Kinds of labels as a reader sees them: answers that were given elsewhere are not the model's own."""
        return KIND_NAMES | {"natural": "the answers given"} if self.answers_file else KIND_NAMES

    @property
    def tasks(self) -> list[str]:
        """The study's tasks, in the standard order; of a file of answers, those that it holds answers to."""
        studied = [str(task) for task in self.specialists["task"].values]
        if self.answers_file is None:
            return studied
        answered = {sample["task"] for sample in self.samples}
        return [task for task in studied if task in answered]

    @property
    def own_skills(self) -> list[str]:
        """Those of the tasks that are skills of the user's own."""
        own = {skill["name"] for skill in self.manifest.settings.get("skills", ())}
        return [task for task in self.tasks if task in own]

    def family(self, task: str) -> str:
        """The family that a task belongs to."""
        return str(self.specialists["family"].sel(task=task).item())


_LENSES = (
    "specialists",
    "baselines",
    "depth",
    "transfer",
    "mapped",
    "ablation",
    "temporal",
    "specificity",
    "extremes",
    "behaviour",
    "verdict",
)


def read_run(path: Path | str) -> Run:
    """Read a run folder.

    Raises:
        StoreError: not a run folder, one of another version, or one whose study has not come to its end.
    """
    path = Path(path)
    manifest = read_manifest(path)
    tables = ("samples.parquet", "rows.parquet", "disturbed.parquet")
    names = (*_LENSES, "extras") if manifest.settings.get("extras") else _LENSES
    lenses = tuple(f"results/{name}.nc" for name in names)
    missing = [name for name in (*tables, *lenses) if not (path / name).is_file()]
    if missing:
        raise StoreError(f"the study in {path} is not finished: {', '.join(missing)} still to come", _TO_ITS_END)
    if manifest.stages["probe"].inputs.get("results") != RESULTS_VERSION:
        raise StoreError(
            f"the results in {path} are of another version of heedful",
            "run `heedful study` with the same settings and --out: they are made anew from the answers and hidden states there",
        )
    samples, rows, disturbed = (list(read_table(path / name).rows()) for name in tables)
    return Run(path, manifest, samples, rows, disturbed, *(read_results(path / name) for name in lenses))
