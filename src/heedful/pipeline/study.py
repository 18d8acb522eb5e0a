"""One study from end to end, and what it leaves for a reader: `heedful.study("pico-llama").specialists`.

Runs the stages over a run folder, skips those that stand, and opens the results. Knows every room below; draws
nothing and prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import xarray as xr

import heedful
from heedful.config import StudySettings, study_settings
from heedful.errors import InputError, StoreError
from heedful.lenses import LENSES, RESULTS_VERSION, StudyData, ablation, fit_probes, verdict
from heedful.lenses.ablation import ERASERS, HEADLINE
from heedful.lenses.arms import fit_arms, thirds
from heedful.models import LanguageModel, load
from heedful.models.loading import find_source
from heedful.pipeline.beside import beside
from heedful.pipeline.instruct import FILE as INSTRUCTIONS_FILE
from heedful.pipeline.instruct import instruct
from heedful.pipeline.intervene import ARMS_FILE, arms_bytes, intervene
from heedful.pipeline.progress import Progress, silent
from heedful.pipeline.read import check_positions, chosen_sites, read
from heedful.pipeline.respond import ROWS_FILE, SAMPLES_FILE, model_inputs, reference_rows, respond
from heedful.prompts.tasks import tasks_named
from heedful.report import render_report, summarise
from heedful.store import (
    Activations,
    RunFolder,
    Table,
    check_place,
    encode_results,
    read_manifest,
    read_results,
    read_table,
    stage_files,
)
from heedful.store.manifest import Manifest, differences

REPORT_FILE = "report.html"
_OTHERS = ("verdict", "behaviour", "extras")
STAGES = ("instruct", "respond", "read", "probe", "intervene", "report")
"""Of every study; one with `extras` has a stage of that name as well, before the report."""


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
        """What every task's compliance loses when another task's trace is erased while the model writes."""
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


def study(
    model: str | Path = "pico-llama",
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
    chosen = study_settings(str(model), **settings)
    if loaded is None:
        find_source(chosen.model)  # a name that is none should leave no folder behind
    folder = Path(out) if out is not None else folder_of(chosen.model)
    kept = chosen.model_dump(mode="json")
    with RunFolder.open(folder, kept, overwrite=overwrite or _came_to_nothing(folder, kept)) as run:
        instruct(run, chosen)
        ready = loaded or load_for(chosen, progress)
        chosen_sites(chosen, ready.name, ready.sites)
        check_positions(chosen, reference_rows(ready, chosen))
        if chosen.extras:
            ready.check_can_forget()
        _note_model(run, ready)
        respond(run, chosen, ready, progress)
        read(run, chosen, ready, progress)
        probe(run, chosen, progress)
        intervene(run, chosen, ready, lambda: _folds(run), progress)
        if chosen.extras:
            beside(run, chosen, ready, partial(read_data, run.path, run.manifest), progress)
        write_report(run, progress)
    return Study(folder)


def check_folder(folder: Path, settings: StudySettings, *, overwrite: bool = False) -> None:
    """Raise what a study of these settings would of its folder, and touch nothing.

    Raises:
        StoreError: the folder holds something else or another study, or cannot be written.
    """
    kept = settings.model_dump(mode="json")
    check_place(folder, kept, overwrite=overwrite or _came_to_nothing(folder, kept))


def folder_of(model: str, under: Path | str = "runs") -> Path:
    """Where a model's study goes if nothing else is said."""
    return Path(under) / model.strip("/").replace("/", "--")


def _came_to_nothing(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Whether a run of other settings never came so far as to answer: nothing is lost then if these take its place, such
    as the smaller dtype of a second try."""
    try:
        there = read_manifest(folder)
    except StoreError:  # no run, or none that can be read: who opens it says so
        return False
    respond = there.stages.get("respond")
    return there.settings != settings and (respond is None or not respond.files)


def _note_model(run: RunFolder, model: LanguageModel) -> None:
    """Keep the model's identity, once; refuse to go on with another one where rows of the first are kept.

    Settings say 'auto' and the name of a model: equal settings may find another device, other weights under the same
    name, or another version of torch, and the store would begin anew what those decide.
    """
    begun = run.manifest.stages.get("respond")
    now = model_inputs(model)
    if begun is not None and begun.files and (changed := differences(begun.inputs["model"], now)):
        raise StoreError(
            f"{run.path} holds answers of another model, device or version (there → now): {changed}",
            "go on where it was begun, choose another --out, or start it anew with --overwrite (what it holds is lost)",
        )
    if begun is None or not begun.files:
        run.note(heedful=heedful.__version__, model=model.identity())


def load_for(settings: StudySettings, progress: Progress) -> LanguageModel:
    """The model of a study, as its settings ask for it."""
    progress("loading the model", 0, 1)
    model = load(
        settings.model,
        device=settings.device,
        dtype=settings.dtype,
        device_map=settings.device_map,
        revision=settings.revision,
        trust_remote_code=settings.trust_remote_code,
        batch_tokens=settings.batch_tokens,
    )
    progress("loading the model", 1, 1)
    return model


def probe(run: RunFolder, settings: StudySettings, progress: Progress) -> None:
    """Stage 4: put every lens to the hidden states. Writes `results/`, a file a lens."""
    inputs = settings.model_dump(include={"folds", "seed", "erasers", "full"}) | {"arms": settings.intervenes}
    inputs |= {"lenses": list(LENSES), "results": RESULTS_VERSION}
    stage = run.stage("probe", inputs=inputs, reads=["respond", "read"])
    if stage.done:
        return
    data = read_data(run.path, run.manifest)
    fits = fit_probes(data, lambda what, done, total: progress("fitting probes", done, total))
    results: dict[str, xr.Dataset] = {}
    lenses = LENSES | {"ablation": partial(ablation, erasers=settings.erasers)}
    for number, (name, lens) in enumerate(lenses.items()):
        progress("measuring", number, len(LENSES))
        results[name] = lens(data, fits)
        stage.write(f"results/{name}.nc", encode_results(results[name]))
    stage.write("results/verdict.nc", encode_results(verdict(results)))
    erasers, sites = (tuple(ERASERS), thirds(data.sites)) if settings.full else ((HEADLINE,), ())
    arms = fit_arms(data, fits, erasers=erasers, sites=sites) if settings.intervenes else []
    stage.write(ARMS_FILE, arms_bytes(arms))
    progress("measuring", len(LENSES), len(LENSES))
    stage.finish()


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
        tasks={task.name: task.family for task in tasks_named(list(settings.tasks))},
        n_folds=settings.folds,
        seed=settings.seed,
    )


def _folds(run: RunFolder) -> dict[int, int]:
    """Base prompt → the fold that holds it."""
    data = read_data(run.path, run.manifest)
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


def write_report(run: RunFolder, progress: Progress = silent) -> None:
    """The last stage: the page that a person opens. Written anew whenever a stage before it ran."""
    reads = ["respond", "read", "probe", "intervene"]
    if run.manifest.settings.get("extras"):
        reads.append("extras")
    stage = run.stage("report", inputs={"heedful": heedful.__version__}, reads=reads)
    if not stage.done:
        progress("writing the report", 0, 1)
        stage.write(REPORT_FILE, render_report(run.path))
        stage.finish()
        progress("writing the report", 1, 1)


def open_study(path: Path | str) -> Study:
    """A finished study from its run folder.

    Raises:
        StoreError: not a run folder, or one of another version.
        InputError: the study is not finished.
    """
    return Study(path)
