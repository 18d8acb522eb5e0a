"""Everything about monitors that is decided on training base prompts: sites, penalties, weights and windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int

from heedful.control.monitors import (
    N_FOLDS,
    WINDOWS,
    Chosen,
    TaskTokens,
    Weights,
    Window,
    choose,
    choose_window,
    token_scores,
)
from heedful.models import LanguageModel, Replay
from heedful.pipeline.progress import Progress
from heedful.probes import FeatureScale, fit_scale, grouped_folds
from heedful.workbench.monitors.answers import Answer

_CANDIDATES = 8
"""Sites to choose from, evenly spaced: reading all of a deep model at every few tokens would fill its disk."""
_MOST_SOURCES = 3
"""A site at the newest token, or at the prompt's end, each."""
_EVERY = 8
"""Tokens: how densely training responses are read."""


class Source(NamedTuple):
    """Where states come from: a site at the newest token, or at the prompt's end."""

    site: str
    at_prompt: bool


class Probes(NamedTuple):
    """What was learned, a probe a task."""

    sites: tuple[str, ...]
    sources: list[Source]
    chosen: Chosen
    weights: Weights
    windows: dict[str, Window]


def learn(
    model: LanguageModel,
    references: Sequence[Replay],
    training: Sequence[Answer],
    tasks: Sequence[str],
    seed: int,
    smoothing: str,
    progress: Progress,
) -> Probes:
    """Everything that is decided on training base prompts."""
    candidates = candidate_sites(model.sites)
    sources = [Source(site, at_prompt) for at_prompt in (False, True) for site in candidates]
    longest = max(len(answer.replay.response_ids) - answer.replay.answer_start for answer in training)
    scale = _scale(model, references, candidates)
    folds = grouped_folds([answer.base for answer in training], N_FOLDS, seed)
    mine = {task: [i for i, answer in enumerate(training) if answer.task == task] for task in tasks}
    tokens = {}
    for number, (task, rows) in enumerate(mine.items()):
        progress("reading training responses", number, len(mine))
        tokens[task] = _tokens(model, [training[i] for i in rows], folds[rows], candidates, longest, scale)
    progress("reading training responses", len(mine), len(mine))
    chosen = choose(tokens, len(sources), _MOST_SOURCES, lambda done, of: progress("choosing sites", done, of))
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
    return Probes(sites, picked, chosen, _weights(coef, intercept, spread, picked, sites), windows)


def candidate_sites(sites: Sequence[str]) -> tuple[str, ...]:
    """Sites to choose from: blocks, evenly spaced, the last among them."""
    blocks = list(sites[1:])
    step = len(blocks) / min(_CANDIDATES, len(blocks))
    return tuple(blocks[math.ceil((index + 1) * step) - 1] for index in range(min(_CANDIDATES, len(blocks))))


def _positions(longest: int) -> list[str]:
    """Every few tokens of the longest response, by absolute position; the first early, for short ones."""
    return [f"response[{index}]" for index in range(_EVERY // 2 - 1, max(longest, _EVERY // 2), _EVERY)]


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
    sources: Sequence[Source],
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
