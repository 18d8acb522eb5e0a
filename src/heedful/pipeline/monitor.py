"""Probe monitors from a finished study: learn on its responses, calibrate and judge on other base prompts.

Sites, penalty, window and weights are decided on training base prompts alone; thresholds and forecasts on calibration base
prompts; every figure of the card is of test base prompts, which decided nothing.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

import heedful
from heedful.config import StudySettings
from heedful.control.monitors import (
    BOUND_TO,
    CARD_FILE,
    N_FOLDS,
    RESPONSES_FILE,
    WINDOWS,
    Chosen,
    Forecast,
    Monitor,
    Monitors,
    TaskTokens,
    Threshold,
    Weights,
    Window,
    choose,
    choose_window,
    conformal_threshold,
    fewest_units,
    fit_forecast,
    last,
    measure_parity,
    moments,
    peaks,
    save_monitors,
    token_scores,
    units,
    worth,
)
from heedful.errors import InputError, ModelError, StoreError
from heedful.models import LanguageModel, Replay
from heedful.pipeline.monitor_answers import LEAST_PROMPTS, Answer, Answers, collect
from heedful.pipeline.progress import Progress, silent
from heedful.pipeline.respond import ROWS_FILE, SAMPLES_FILE
from heedful.pipeline.study import load_for
from heedful.probes import FeatureScale, fit_scale, grouped_folds
from heedful.report.monitors import monitor_page
from heedful.store import atomic_write, encode_table, read_manifest, read_table

CANDIDATES = (
    8  # sites to choose from, evenly spaced: reading all of a deep model at every few tokens would fill its disk
)
MOST_SOURCES = 3  # a site at the newest token, or at the prompt's end, each
EVERY = 8  # tokens: how densely training responses are read
LEAST_OF_A_CLASS = 25  # training responses of either class
PARITY_PROMPTS = 8


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
    hopeless = _too_few_of_a_class(study.samples, wanted)
    if len(hopeless) == len(wanted) or (tasks is not None and hopeless):
        raise _none_possible(hopeless)  # before anything is asked of the model
    wanted = tuple(task for task in wanted if task not in hopeless)
    model = loaded or load_for(study.settings, progress)
    _check_model(study.model, model, run)
    parts = out.with_name(f".{out.name}.parts")
    answers = collect(study.samples, study.settings, model, wanted, calibration_prompts, responses, progress, parts)
    said_less = calibration_prompts is not None and calibration_prompts < LEAST_PROMPTS
    least = fewest_units(false_alarms) if said_less else LEAST_PROMPTS
    usable, reasons = _usable(answers, wanted, least, false_alarms)
    if not usable or (tasks is not None and reasons):
        raise _none_possible(hopeless | reasons)
    reasons = hopeless | reasons
    probes = _learn(model, study.references, answers.training, usable, study.settings.seed, smoothing, progress)
    monitors, scored = _calibrate(model, probes, answers, usable, false_alarms, progress)
    prompts = [
        answer.replay.prompt_ids for answer in answers.training[:: max(1, len(answers.training) // PARITY_PROMPTS)]
    ]
    parity = measure_parity(model, monitors, prompts[:PARITY_PROMPTS])
    card = _card(monitors, scored, answers, probes, reasons, false_alarms, responses)
    finished = Monitors(**{**vars(monitors), "parity": parity, "card": card})
    save_monitors(out, finished)
    atomic_write(out / RESPONSES_FILE, encode_table(_table(scored)))
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
    references = [Replay(row["prompt_ids"], row["response_ids"], row["eos_id"], row["answer_start"]) for row in rows]
    return _Opened(settings, manifest.facts["model"], samples, references)


def _wanted(settings: StudySettings, tasks: Sequence[str] | None) -> tuple[str, ...]:
    unknown = [task for task in tasks or () if task not in settings.tasks]
    if unknown:
        raise InputError(f"the study has no task {unknown[0]!r}", f"choose among {', '.join(settings.tasks)}")
    return tuple(task for task in settings.tasks if tasks is None or task in tasks)


def _check_model(then: Mapping[str, Any], model: LanguageModel, run: Path) -> None:
    now = model.identity()
    if changed := [name for name in BOUND_TO if then.get(name) != now.get(name)]:
        raise ModelError(
            f"{run} is a study of {then.get('id')}, and {model.name} is not that model: {', '.join(changed)} differ",
            "load the study's own model, or study this one first",
        )


class _Lack(NamedTuple):
    """Why a task has no monitor: how many of something there are, what of it there must be, and whether of the study's own."""

    found: str
    needed: str
    of_study: bool = False

    def __str__(self) -> str:
        return f"{self.found} {self.needed}"


def _none_possible(lacks: Mapping[str, _Lack]) -> InputError:
    tasks: dict[str, list[str]] = {}  # by what they lack, so that it is said once
    for task, lack in lacks.items():
        tasks.setdefault(lack.needed, []).append(f"{task} {lack.found}")
    own = {lack.of_study for lack in lacks.values()}
    cures = ["study again with more --samples (a default study has 400)"] if True in own else []
    if False in own:
        cures.append(
            "raise --responses, allow more --false-alarms, or give --calibration-prompts N (fewer than 100 hold the rate less "
            "closely)"
        )
    told = "; ".join(f"{', '.join(those)} {needed}" for needed, those in tasks.items())
    return InputError(f"no monitor can be made: {told}", "; ".join(cures))


def _too_few_of_a_class(samples: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> dict[str, _Lack]:
    """Tasks of which the study itself has too few answers of a class to learn from, whatever else is asked."""
    reasons = {}
    for task in wanted:
        judged = [each["outcome"] for each in samples if each["kind"] == "natural" and each["task"] == task]
        failed, passed = judged.count("fail"), judged.count("pass")
        if min(failed, passed) < LEAST_OF_A_CLASS:
            reasons[task] = _taught(failed, failed + passed)
    return reasons


def _taught(violate: int, of: int) -> _Lack:
    needed = f"training responses violate; it takes {LEAST_OF_A_CLASS} of either class"
    return _Lack(f"{violate} of {of}", needed, of_study=True)


def _usable(
    answers: Answers, wanted: Sequence[str], least: int, false_alarms: float
) -> tuple[tuple[str, ...], dict[str, _Lack]]:
    """Tasks that a monitor can be made for, and why it cannot for the others."""
    reasons, needed = {}, max(least, fewest_units(false_alarms))
    for task in wanted:
        taught = [answer.violates for answer in answers.training if answer.task == task]
        calibration = [answer for answer in answers.calibration if answer.task == task]
        compliant = len({answer.base for answer in calibration if not answer.violates})
        violations = sum(answer.violates for answer in calibration)
        if min(sum(taught), len(taught) - sum(taught)) < LEAST_OF_A_CLASS:
            reasons[task] = _taught(sum(taught), len(taught))
        elif compliant < needed:
            rule = f"calibration base prompts have a compliant response; it takes {needed}"
            reasons[task] = _Lack(str(compliant), rule)
        elif violations == 0:
            reasons[task] = _Lack("0", "calibration responses violate, so the risk has no scale")
    return tuple(task for task in wanted if task not in reasons), reasons


class _Source(NamedTuple):
    """Where states come from: a site at the newest token, or at the prompt's end."""

    site: str
    at_prompt: bool


class _Probes(NamedTuple):
    """What was learned, a probe a task."""

    sites: tuple[str, ...]
    sources: list[_Source]
    chosen: Chosen
    weights: Weights
    windows: dict[str, Window]


def _learn(
    model: LanguageModel,
    references: Sequence[Replay],
    training: Sequence[Answer],
    tasks: Sequence[str],
    seed: int,
    smoothing: str,
    progress: Progress,
) -> _Probes:
    """Everything that is decided on training base prompts."""
    candidates = candidate_sites(model.sites)
    sources = [_Source(site, at_prompt) for at_prompt in (False, True) for site in candidates]
    longest = max(len(answer.replay.response_ids) - answer.replay.answer_start for answer in training)
    scale = _scale(model, references, candidates)
    folds = grouped_folds([answer.base for answer in training], N_FOLDS, seed)
    mine = {task: [i for i, answer in enumerate(training) if answer.task == task] for task in tasks}
    tokens = {}
    for number, (task, rows) in enumerate(mine.items()):
        progress("reading training responses", number, len(mine))
        tokens[task] = _tokens(model, [training[i] for i in rows], folds[rows], candidates, longest, scale)
    progress("reading training responses", len(mine), len(mine))
    chosen = choose(tokens, len(sources), MOST_SOURCES, lambda done, of: progress("choosing sites", done, of))
    picked = [sources[index] for index in chosen.sources]
    sites = tuple(site for site in candidates if any(source.site == site for source in picked))
    own = list(chosen.sources)
    spread = FeatureScale(*(part[own].flatten() for part in (scale.center, scale.spread, scale.massive)))

    # A window is chosen on scores of every token, each by the probe that its fold had no part in.
    fold_coef = torch.cat([chosen.probes[task].fold_coef for task in tasks])
    fold_intercept = torch.cat([chosen.probes[task].fold_intercept for task in tasks])
    without = _weights(fold_coef, fold_intercept, spread, picked, sites)
    windows = {}
    for number, (task, rows) in enumerate(mine.items()):
        progress("choosing windows", number, len(mine))
        replays, probe = [training[i].replay for i in rows], number * N_FOLDS + folds[rows]
        scores = token_scores(model, replays, sites, without, probe).token
        violates = torch.tensor([training[i].violates for i in rows])
        windows[task] = choose_window(scores, violates, folds[rows], WINDOWS[smoothing])
    progress("choosing windows", len(mine), len(mine))
    coef = torch.stack([chosen.probes[task].coef for task in tasks])
    intercept = torch.stack([chosen.probes[task].intercept for task in tasks])
    return _Probes(sites, picked, chosen, _weights(coef, intercept, spread, picked, sites), windows)


def candidate_sites(sites: Sequence[str]) -> tuple[str, ...]:
    """Sites to choose from: blocks, evenly spaced, the last among them."""
    blocks = list(sites[1:])
    step = len(blocks) / min(CANDIDATES, len(blocks))
    return tuple(blocks[math.ceil((index + 1) * step) - 1] for index in range(min(CANDIDATES, len(blocks))))


def _positions(longest: int) -> list[str]:
    """Every few tokens of the longest response, by absolute position; the first early, for short ones."""
    return [f"response[{index}]" for index in range(EVERY // 2 - 1, max(longest, EVERY // 2), EVERY)]


def _scale(model: LanguageModel, references: Sequence[Replay], sites: Sequence[str]) -> FeatureScale:
    """The study's feature scale, on its neutral reference texts: over all their positions, and at the end of their prompts."""
    longest = max(len(row.response_ids) for row in references)
    read = model.read_all(references, sites, _positions(longest))
    prompts = model.read_all(references, sites, ["prompt[-1]"]).states[:, 0]
    parts = [fit_scale(read.states[:, read.valid].float()), fit_scale(prompts.float())]
    return FeatureScale(
        *(torch.cat([getattr(part, name) for part in parts]) for name in ("center", "spread", "massive"))
    )


def _tokens(
    model: LanguageModel,
    answers: Sequence[Answer],
    fold: Int[Tensor, " sample"],
    sites: Sequence[str],
    longest: int,
    scale: FeatureScale,
) -> TaskTokens:
    """States of every few tokens, and of the last one, beside those of the prompt."""
    states, response = [], []
    names = [*_positions(longest), "response[-1]", "prompt[-1]"]
    for batch in model.read([answer.replay for answer in answers], sites, names):
        kept = batch.valid.clone()
        kept[-1] = False
        kept[-2] &= ~(batch.token_index[:-2] == batch.token_index[-2]).any(0)  # it may be one of the others
        sample = torch.arange(len(batch.rows)).expand(len(names), -1)[kept]
        both = torch.cat([batch.states[:, kept], batch.states[:, -1][:, sample]])
        states.append(scale(both))
        response.append(torch.tensor(batch.rows)[sample])
    index = torch.cat(response)
    violates = torch.tensor([answer.violates for answer in answers])
    return TaskTokens(torch.cat(states, 1), violates[index], index, fold[index])


def _weights(
    coef: Float[Tensor, "probe features"],
    intercept: Float[Tensor, " probe"],
    scale: FeatureScale,
    sources: Sequence[_Source],
    sites: Sequence[str],
) -> Weights:
    """Probes on the scaled features of some sources as probes on the raw states of their sites, in f32."""
    raw = coef.double() / scale.spread.double()
    shift = intercept.double() - raw @ scale.center.double()
    by_source = raw.float().reshape(len(raw), len(sources), -1)
    parts = [by_source.new_zeros(len(raw), len(sites), by_source.shape[-1]) for _ in range(2)]
    for number, source in enumerate(sources):
        parts[source.at_prompt][:, sites.index(source.site)] = by_source[:, number]
    return Weights(parts[0], parts[1], shift.float())


class _Scored(NamedTuple):
    """Responses of one part and task, scored token by token by the finished probe."""

    part: str
    answers: list[Answer]
    peak: Float[Tensor, "sample token"]
    prompt: Float[Tensor, " sample"]
    violates: Int[Tensor, " sample"]
    base: Int[Tensor, " sample"]


def _calibrate(
    model: LanguageModel,
    probes: _Probes,
    answers: Answers,
    tasks: Sequence[str],
    false_alarms: float,
    progress: Progress,
) -> tuple[Monitors, dict[tuple[str, str], _Scored]]:
    """Thresholds and forecasts, by calibration base prompts."""
    scored: dict[tuple[str, str], _Scored] = {}
    for part, given in (("calibration", answers.calibration), ("test", answers.test)):
        known = [answer for answer in given if answer.task in tasks]
        probe = torch.tensor([tasks.index(answer.task) for answer in known])
        scores = token_scores(
            model,
            [answer.replay for answer in known],
            probes.sites,
            probes.weights,
            probe,
            lambda done, of, part=part: progress(f"scoring {part} responses", done, of),  # type: ignore[misc]
        )
        for number, task in enumerate(tasks):
            rows = (probe == number).nonzero().squeeze(-1)
            mine = [known[i] for i in rows.tolist()]
            scored[part, task] = _Scored(
                part,
                mine,
                peaks(scores.token[rows], *probes.windows[task]),
                scores.prompt[rows],
                torch.tensor([answer.violates for answer in mine], dtype=torch.int64),
                torch.tensor([answer.base for answer in mine], dtype=torch.int64),
            )
    each = []
    for task in tasks:
        told = scored["calibration", task]
        final = last(told.peak)[units(told.violates, told.base)]
        threshold: Threshold = conformal_threshold(final.tolist(), false_alarms)
        forecast: Forecast = fit_forecast(moments(told.peak, told.violates, told.base))
        window = probes.windows[task]
        each.append(Monitor(task, window.width, threshold, forecast, window.agree))
    return Monitors(probes.sites, tuple(each), *probes.weights, model.identity()), scored


def _card(
    monitors: Monitors,
    scored: Mapping[tuple[str, str], _Scored],
    answers: Answers,
    probes: _Probes,
    reasons: Mapping[str, _Lack],
    false_alarms: float,
    responses: int,
) -> dict[str, Any]:
    found = {}
    for monitor in monitors.each:
        test = scored["test", monitor.name]
        measured = worth(test.peak, test.violates, test.base, monitor.threshold, monitor.forecast, test.prompt)
        probe = probes.chosen.probes[monitor.name]
        found[monitor.name] = measured.to_dict() | {"C": probe.C, "training_auroc": probe.auroc}
    parts = {"training": answers.training, "calibration": answers.calibration, "test": answers.test}
    return {
        "heedful": heedful.__version__,
        "false_alarms": false_alarms,
        "sources": [source._asdict() for source in probes.sources],
        "fresh": answers.fresh,
        "responses_each": responses if answers.fresh else None,
        "base_prompts": {name: len({answer.base for answer in part}) for name, part in parts.items()},
        "responses": {name: len(part) for name, part in parts.items()},
        "left_out": answers.left_out,
        "without_monitor": {task: str(lack) for task, lack in reasons.items()},
        "tasks": found,
    }


def _table(scored: Mapping[tuple[str, str], _Scored]) -> dict[str, list[Any]]:
    """Every scored response: what it is of, how long, its largest score, and that of its tokens."""
    rows: list[dict[str, Any]] = []
    for (part, task), mine in scored.items():
        for answer, peak in zip(mine.answers, mine.peak, strict=True):
            kept = peak[~peak.isnan()]
            rows.append(
                {
                    "part": part, "task": task, "base_id": answer.base, "constraint": answer.constraint,
                    "measured": answer.measured, "violates": answer.violates, "tokens": len(kept),
                    "peak": [float(value) for value in kept],
                }
            )  # fmt: skip
    return {name: [row[name] for row in rows] for name in rows[0]}
