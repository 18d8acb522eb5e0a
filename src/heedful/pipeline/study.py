"""One study from end to end, and what it leaves for a reader: `heedful.study("pico-llama").specialists`.

Runs the five stages over a run folder, skips those that stand, and opens the results. Knows every room below; draws
nothing and prints nothing.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr

import heedful
from heedful.config import StudySettings, study_settings
from heedful.errors import InputError
from heedful.lenses import LENSES, StudyData, fit_probes
from heedful.models import LanguageModel, load
from heedful.pipeline.instruct import instruct
from heedful.pipeline.progress import Progress, silent
from heedful.pipeline.read import read
from heedful.pipeline.respond import ROWS_FILE, SAMPLES_FILE, respond
from heedful.prompts.tasks import tasks_named
from heedful.report import render_report, summarise
from heedful.store import Activations, RunFolder, Table, encode_results, read_results, read_table

REPORT_FILE = "report.html"
STAGES = ("instruct", "respond", "read", "probe", "report")


class Study:
    """A finished study.

    Attributes:
        path: its run folder.
        manifest: settings, model identity, versions, stages with their timings.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with RunFolder.open(self.path, None) as run:
            missing = [name for name in STAGES if name not in run.manifest.stages or not run.manifest.stages[name].done]
            if missing:
                raise InputError(
                    f"the study in {self.path} is not finished: {', '.join(missing)} still to do",
                    "run `heedful study` with the same settings and --out: it goes on where it stopped",
                )
            self.manifest = run.manifest

    @cached_property
    def samples(self) -> Table:
        """One row a response: instruction, constraint, text, token ids, verdict."""
        return read_table(self.path / SAMPLES_FILE)

    @cached_property
    def data(self) -> StudyData:
        """Rows, labels, folds and hidden states, as a lens sees them."""
        with RunFolder.open(self.path, None) as run:
            return read_data(run, StudySettings.model_validate(self.manifest.settings))

    @property
    def report(self) -> Path:
        """The page that a person opens."""
        return self.path / REPORT_FILE

    def result(self, lens: str) -> xr.Dataset:
        """What a lens found; InputError for a lens that there is not."""
        if lens not in LENSES:
            raise InputError(f"there is no lens {lens!r}", f"choose among {', '.join(LENSES)}")
        return read_results(self.path / "results" / f"{lens}.nc")

    @cached_property
    def specialists(self) -> xr.Dataset:
        """Specialist against general probes, by task, site and position."""
        return self.result("specialists")

    @cached_property
    def baselines(self) -> xr.Dataset:
        """What prompt words, response words, length and log p alone tell, by task."""
        return self.result("baselines")

    @cached_property
    def depth(self) -> xr.Dataset:
        """At which depth each task's signal stands, and whether families differ."""
        return self.result("depth")

    def summary(self) -> dict[str, Any]:
        """The study in one JSON object: pass rates, specialists, baselines, depth, timings."""
        return summarise(self.path)


def study(
    model: str = "pico-llama",
    *,
    out: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
    loaded: LanguageModel | None = None,
    **settings: Any,
) -> Study:
    """Run the whole study of a model; stages that stand are skipped, a killed run goes on.

    Args:
        model: a hub id, a folder, or an embedded model's name.
        out: the run folder; `runs/<model>` by default.
        overwrite: forget what an earlier study left in that folder.
        progress: told what is being done.
        loaded: the model, if it is in memory already.
        settings: see `heedful.config.StudySettings`; `quick=True` for a small study.

    Raises:
        InputError, ModelError, StoreError: each names its cause and its cure, and keeps what was finished.
    """
    chosen = study_settings(model, **settings)
    folder = Path(out) if out is not None else Path("runs") / chosen.model.strip("/").replace("/", "--")
    with RunFolder.open(folder, chosen.model_dump(mode="json"), overwrite=overwrite) as run:
        instruct(run, chosen)
        ready = loaded or load_for(chosen)
        run.note(heedful=heedful.__version__, model=ready.identity())
        respond(run, chosen, ready, progress)
        read(run, chosen, ready, progress)
        probe(run, chosen, progress)
        progress("writing the report", 0, 1)
        write_report(run)
        progress("writing the report", 1, 1)
    return Study(folder)


def load_for(settings: StudySettings) -> LanguageModel:
    """The model of a study, as its settings ask for it."""
    return load(
        settings.model,
        device=settings.device,
        dtype=settings.dtype,
        device_map=settings.device_map,
        revision=settings.revision,
        trust_remote_code=settings.trust_remote_code,
        batch_tokens=settings.batch_tokens,
    )


def probe(run: RunFolder, settings: StudySettings, progress: Progress) -> None:
    """Stage 4: put every lens to the hidden states. Writes `results/`, a file a lens."""
    inputs = settings.model_dump(include={"folds", "seed"})
    stage = run.stage("probe", inputs=inputs | {"lenses": list(LENSES)}, reads=["respond", "read"])
    if stage.done:
        return
    data = read_data(run, settings)
    fits = fit_probes(data, lambda what, done, total: progress("fitting probes", done, total))
    for number, (name, lens) in enumerate(LENSES.items()):
        progress("measuring", number, len(LENSES))
        stage.write(f"results/{name}.nc", encode_results(lens(data, fits)))
    progress("measuring", len(LENSES), len(LENSES))
    stage.finish()


def read_data(run: RunFolder, settings: StudySettings) -> StudyData:
    """Rows, labels, folds and hidden states of a run whose read stage is done, as a lens sees them."""
    return StudyData(
        read_table(run.path / ROWS_FILE),
        Activations(run.files("read", "activations/")),
        tasks={task.name: task.family for task in tasks_named(list(settings.tasks))},
        n_folds=settings.folds,
        seed=settings.seed,
    )


def write_report(run: RunFolder) -> None:
    """Stage 5: the page that a person opens. Written anew whenever a stage before it ran."""
    stage = run.stage("report", inputs={"heedful": heedful.__version__}, reads=["respond", "read", "probe"])
    if not stage.done:
        stage.write(REPORT_FILE, render_report(run.path))
        stage.finish()


def open_study(path: Path | str) -> Study:
    """A finished study from its run folder.

    Raises:
        StoreError: not a run folder, or one of another version.
        InputError: the study is not finished.
    """
    return Study(path)
