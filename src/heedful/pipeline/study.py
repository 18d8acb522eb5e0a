"""One study from end to end: `heedful.study("pico-llama")` runs the stages over a run folder, skips those that stand, and opens
the results. Knows every room below; draws nothing and prints nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import heedful
from heedful.config import StudySettings, study_settings
from heedful.errors import StoreError
from heedful.models import LanguageModel, load
from heedful.models.loading import find_source, fingerprint, is_own_folder
from heedful.pipeline.beside import beside
from heedful.pipeline.data import fold_of_base, read_data
from heedful.pipeline.finished import Study
from heedful.pipeline.instruct import instruct
from heedful.pipeline.intervene import intervene
from heedful.pipeline.probe import probe
from heedful.pipeline.progress import Progress, silent
from heedful.pipeline.read import check_positions, chosen_sites, read
from heedful.pipeline.respond import model_inputs, reference_rows, respond
from heedful.report import render_report
from heedful.report.page import REPORT_FILE
from heedful.store import RunFolder, check_place, read_manifest
from heedful.store.manifest import differences


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
    place = chosen.model
    if loaded is None:
        chosen = _as_begun(folder, chosen)
    kept = chosen.model_dump(mode="json")
    with RunFolder.open(folder, kept, overwrite=_anew(folder, kept, overwrite)) as run:
        instruct(run, chosen)
        ready = loaded or load_for(chosen, progress, place)
        chosen_sites(chosen, ready.name, ready.sites)
        check_positions(chosen, reference_rows(ready, chosen))
        if chosen.extras:
            ready.check_can_forget()
        _note_model(run, ready)
        respond(run, chosen, ready, progress)
        read(run, chosen, ready, progress)
        probe(run, chosen, progress)
        intervene(run, chosen, ready, partial(fold_of_base, run.path, run.manifest), progress)
        if chosen.extras:
            beside(run, chosen, ready, partial(read_data, run.path, run.manifest), progress)
        write_report(run, progress)
    return Study(folder)


def check_folder(folder: Path, settings: StudySettings, *, overwrite: bool = False) -> None:
    """Raise what a study of these settings would of its folder, and touch nothing.

    Raises:
        StoreError: the folder holds something else or another study, or cannot be written.
    """
    kept = _as_begun(folder, settings).model_dump(mode="json")
    check_place(folder, kept, overwrite=_anew(folder, kept, overwrite))


def folder_of(model: str, under: Path | str = "runs") -> Path:
    """Where a model's study goes if nothing else is said: by its id, or by the last two names of its folder's whole path."""
    names = model.strip("/").split("/")
    if is_own_folder(model):
        names = [name.lstrip(".") for name in Path(model).expanduser().resolve().parts[1:][-2:]]
    return Path(under) / "--".join(names)


def _as_begun(folder: Path, settings: StudySettings) -> StudySettings:
    """These settings, with the model called what the run there calls it, if it is the same one: a folder of weights has many
    spellings, and may be moved or copied, and what it holds tells which model it is."""
    try:
        there = read_manifest(folder)
    except StoreError:  # no run, or none that can be read: who opens it says so
        return settings
    known = there.facts.get("model") or {}
    if is_own_folder(settings.model) and known.get("revision") == fingerprint(Path(settings.model).expanduser()):
        return settings.model_copy(update={"model": there.settings["model"]})
    return settings


def _came_to_nothing(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Whether a run of other settings never came so far as to answer: nothing is lost then if these take its place, such
    as the smaller dtype of a second try."""
    try:
        there = read_manifest(folder)
    except StoreError:  # no run, or none that can be read: who opens it says so
        return False
    respond = there.stages.get("respond")
    return there.settings != settings and (respond is None or not respond.files)


def _anew(folder: Path, settings: Mapping[str, Any], overwrite: bool) -> bool:
    """Whether the study begins anew there; StoreError where it would go on without the skills of the one that it finds."""
    if overwrite or _came_to_nothing(folder, settings):
        return True
    _check_skills(folder, settings)
    return False


def _check_skills(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raise StoreError where the run there has skills of the user's own that these settings lack or have otherwise: said by
    name, since the difference of two descriptions tells nobody which file to give."""
    try:
        there = read_manifest(folder).settings.get("skills", [])
    except StoreError:  # no run, or none that can be read: who opens it says so
        return
    given = settings.get("skills", [])
    if lacking := [skill["name"] for skill in there if skill not in given]:
        named = {skill["name"] for skill in given}
        what = "that read otherwise now" if named.issuperset(lacking) else "that are not given now"
        raise StoreError(
            f"{folder} holds a study of skills of your own {what}: {', '.join(lacking)}",
            "give their file again as it was, --skills FILE; or choose another --out, or start this one anew with "
            "--overwrite (what it holds is lost)",
        )


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


def load_for(settings: StudySettings, progress: Progress, place: str | None = None) -> LanguageModel:
    """The model of a study, as its settings ask for it and call it; from another place, if one is given."""
    progress("loading the model", 0, 1)
    model = load(
        place or settings.model,
        device=settings.device,
        dtype=settings.dtype,
        device_map=settings.device_map,
        revision=settings.revision,
        trust_remote_code=settings.trust_remote_code,
        batch_tokens=settings.batch_tokens,
    )
    model.name = settings.model
    progress("loading the model", 1, 1)
    return model


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
