"""A finished study, and what it leaves for a reader: `open_study("runs/pico-llama").specialists`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr

from heedful.errors import InputError
from heedful.lenses import LENSES, StudyData
from heedful.pipeline.data import read_data
from heedful.pipeline.respond import SAMPLES_FILE
from heedful.report import summarise
from heedful.report.page import REPORT_FILE
from heedful.store import Table, read_manifest, read_results, read_table

STAGES = ("instruct", "respond", "read", "probe", "intervene", "report")
"""Of every study; one with `extras` has a stage of that name as well, before the report."""
_OTHERS = ("verdict", "behaviour", "extras")


class Study:
    """A finished study.

    Attributes:
        path: its run folder.
        manifest: settings, model identity, versions, stages with their timings.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.manifest = read_manifest(self.path)
        stages = (*STAGES, "extras") if self.manifest.settings.get("extras") else STAGES
        missing = [name for name in stages if name not in self.manifest.stages or not self.manifest.stages[name].done]
        if missing:
            raise InputError(
                f"the study in {self.path} is not finished: {', '.join(missing)} still to do",
                "run `heedful study` with the same settings and --out: it goes on where it stopped",
            )

    def __repr__(self) -> str:
        return f"Study({str(self.path)!r})"

    @cached_property
    def samples(self) -> Table:
        """One row a response: instruction, constraint, text, token ids, verdict."""
        return read_table(self.path / SAMPLES_FILE)

    @cached_property
    def data(self) -> StudyData:
        """Rows, labels, folds and hidden states, as a lens sees them."""
        return read_data(self.path, self.manifest)

    @property
    def report(self) -> Path:
        """The page that a person opens."""
        return self.path / REPORT_FILE

    def result(self, lens: str) -> xr.Dataset:
        """What a lens found; InputError for a lens that there is not, or that was not asked for."""
        if lens not in (*LENSES, *_OTHERS):
            raise InputError(f"there is no lens {lens!r}", f"choose among {', '.join((*LENSES, *_OTHERS))}")
        if lens == "extras" and not self.manifest.settings.get("extras"):
            raise InputError(f"the study in {self.path} was run without extras", "study the model with --extras")
        found = read_results(self.path / "results" / f"{lens}.nc")
        if lens == "behaviour" and not found.sizes["how"]:
            raise InputError(
                f"in the study in {self.path} no trace was erased while the model wrote",
                "let it answer by itself, --behaviour-prompts above 0, two tasks or more with 25 contrast squares each",
            )
        return found

    @cached_property
    def specialists(self) -> xr.Dataset:
        """Specialist against general probes, by task, site and position."""
        return self.result("specialists")

    @cached_property
    def baselines(self) -> xr.Dataset:
        """What prompt words, response words, length and log p alone tell, by task."""
        return self.result("baselines")

    @cached_property
    def extras(self) -> xr.Dataset:
        """What length and format, sureness, norm and random weights account for; InputError unless asked for."""
        return self.result("extras")

    @cached_property
    def transfer(self) -> xr.Dataset:
        """What the probe of each task says of every other."""
        return self.result("transfer")

    @cached_property
    def mapped(self) -> xr.Dataset:
        """Transfer between the tasks' best sites, by how the target's states are mapped into the source's."""
        return self.result("mapped")

    @cached_property
    def ablation(self) -> xr.Dataset:
        """What every task's probe loses when another task is erased, beside both controls."""
        return self.result("ablation")

    @cached_property
    def behaviour(self) -> xr.Dataset:
        """What every task's compliance loses when another task's trace is erased while the model writes; InputError where none
        was."""
        return self.result("behaviour")

    @cached_property
    def temporal(self) -> xr.Dataset:
        """When each task can be read, and whether beyond the words so far."""
        return self.result("temporal")

    @cached_property
    def specificity(self) -> xr.Dataset:
        """What the probes read without the instruction in context."""
        return self.result("specificity")

    @cached_property
    def verdict(self) -> xr.Dataset:
        """The outcome of every claim, with the estimates that made it."""
        return self.result("verdict")

    @cached_property
    def depth(self) -> xr.Dataset:
        """At which depth each task's signal stands, and whether families differ."""
        return self.result("depth")

    def summary(self) -> dict[str, Any]:
        """The study in one JSON object: pass rates, specialists, baselines, transfer, ablation, depth, timings."""
        return summarise(self.path)


def open_study(path: Path | str) -> Study:
    """A finished study from its run folder.

    Raises:
        StoreError: not a run folder, or one of another version.
        InputError: the study is not finished.
    """
    return Study(path)
