"""Probe monitors from a finished study: learn on its responses, calibrate and judge on other base prompts.

Sites, penalty, window and weights are decided on training base prompts alone; thresholds and forecasts on calibration base
prompts; every figure of the card is of test base prompts, which decided nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from heedful.config import StudySettings
from heedful.control.monitors import (
    CARD_FILE,
    RESPONSES_FILE,
    WINDOWS,
    Monitors,
    fewest_units,
    measure_parity,
    save_monitors,
)
from heedful.errors import InputError, ModelError, StoreError
from heedful.models import LanguageModel, Replay
from heedful.models.identity import differing
from heedful.pipeline.progress import Progress, silent
from heedful.pipeline.respond import ROWS_FILE, SAMPLES_FILE
from heedful.pipeline.study import load_for
from heedful.pipeline.tables import replay_of
from heedful.report.monitors import monitor_page
from heedful.store import atomic_write, encode_table, read_manifest, read_table
from heedful.workbench.monitors.answers import LEAST_PROMPTS, collect
from heedful.workbench.monitors.calibrating import calibrate
from heedful.workbench.monitors.card import card, scored_table
from heedful.workbench.monitors.enough import none_possible, too_few_of_a_class, usable
from heedful.workbench.monitors.learning import learn

_PARITY_PROMPTS = 8


def train_monitors(
    run: Path | str,
    out: Path | str | None = None,
    *,
    false_alarms: float = 0.05,
    tasks: Sequence[str] | None = None,
    calibration_prompts: int | None = None,
    responses: int = 2,
    smoothing: str = "mean",
    loaded: LanguageModel | None = None,
    place: str | None = None,
    progress: Progress = silent,
) -> Monitors:
    """Make monitors of a study's model, and write them. Interrupted, the same call goes on from what the model had answered.

    Args:
        run: a study's run folder.
        out: the folder to write; `monitors` within the run folder by default.
        false_alarms: the share of compliant responses on which a monitor may raise an alarm.
        tasks: which of the study's; all by default.
        calibration_prompts: base prompts to calibrate on: 200 by default, of the user's own prompts 100. At least 100 of
            them must have a compliant response, unless fewer than 100 are asked for: then as many as the rate takes.
        responses: to each further base prompt and task.
        smoothing: how several tokens are to agree: by their 'mean', by a 'count' (k of the last m), or whichever of both is
            'best', on training folds; the window itself is chosen there, too.
        loaded: the study's model, if it is in memory already.
        place: where it lies now, if it has been moved.
        progress: told what is being done.

    Raises:
        InputError: too few base prompts, compliant responses or violations; a setting out of range.
        ModelError: the model is not the study's, or computes otherwise while it generates than on replay.
        StoreError: no such run; a folder that holds something else.
    """
    if responses < 1 or (calibration_prompts is not None and calibration_prompts < 2):
        raise InputError(
            f"{responses} responses to {calibration_prompts} calibration prompts leave nothing to calibrate on",
            "give at least 1 and 2, better 2 and 200",
        )
    if smoothing not in WINDOWS:
        raise InputError(f"smoothing is {smoothing!r}", f"choose among {', '.join(WINDOWS)}")
    fewest_units(false_alarms)
    run, out = Path(run), Path(out) if out is not None else Path(run) / "monitors"
    study = _open(run)
    wanted = _wanted(study.settings, tasks)
    hopeless = too_few_of_a_class(study.samples, wanted)
    if len(hopeless) == len(wanted) or (tasks is not None and hopeless):
        raise none_possible(hopeless)  # before anything is asked of the model
    wanted = tuple(task for task in wanted if task not in hopeless)
    model = loaded or load_for(study.settings, progress, place)
    _check_model(study.model, model, run)
    parts = out.with_name(f".{out.name}.parts")
    answers = collect(study.samples, study.settings, model, wanted, calibration_prompts, responses, progress, parts)
    said_less = calibration_prompts is not None and calibration_prompts < LEAST_PROMPTS
    least = fewest_units(false_alarms) if said_less else LEAST_PROMPTS
    makeable, lacking = usable(answers, wanted, least, false_alarms)
    lacking = hopeless | lacking
    if not makeable or (tasks is not None and lacking):
        raise none_possible(lacking)
    probes = learn(model, study.references, answers.training, makeable, study.settings.seed, smoothing, progress)
    monitors, scored = calibrate(model, probes, answers, makeable, false_alarms, progress)
    some = answers.training[:: max(1, len(answers.training) // _PARITY_PROMPTS)][:_PARITY_PROMPTS]
    parity = measure_parity(model, monitors, [answer.replay.prompt_ids for answer in some])
    told = card(monitors, scored, answers, probes, lacking, false_alarms, responses)
    own = tuple(skill for skill in study.settings.skills if skill.name in makeable)
    finished = replace(monitors, parity=parity, card=told, skills=own)
    save_monitors(out, finished)
    atomic_write(out / RESPONSES_FILE, encode_table(scored_table(scored)))
    atomic_write(out / CARD_FILE, monitor_page(finished))
    shutil.rmtree(parts, ignore_errors=True)
    return finished


class _Opened(NamedTuple):
    settings: StudySettings
    model: Mapping[str, Any]
    samples: list[dict[str, Any]]
    references: list[Replay]


def _open(path: Path) -> _Opened:
    manifest = read_manifest(path)
    respond = manifest.stages.get("respond")
    if respond is None or not respond.done:
        raise StoreError(f"the study in {path} has no responses yet", "run `heedful study` on that folder to its end")
    settings = StudySettings.model_validate(manifest.settings)
    rows = [row for row in read_table(path / ROWS_FILE).rows() if row["kind"] == "reference"]
    samples = list(read_table(path / SAMPLES_FILE).rows())
    return _Opened(settings, manifest.facts["model"], samples, [replay_of(row) for row in rows])


def _wanted(settings: StudySettings, tasks: Sequence[str] | None) -> tuple[str, ...]:
    unknown = [task for task in tasks or () if task not in settings.tasks]
    if unknown:
        raise InputError(f"the study has no task {unknown[0]!r}", f"choose among {', '.join(settings.tasks)}")
    return tuple(task for task in settings.tasks if tasks is None or task in tasks)


def _check_model(then: Mapping[str, Any], model: LanguageModel, run: Path) -> None:
    if changed := differing(then, model.identity()):
        raise ModelError(
            f"{run} is a study of {then.get('id')}, and {model.name} is not that model: {', '.join(changed)} differ",
            "load the study's own model, or study this one first",
        )
