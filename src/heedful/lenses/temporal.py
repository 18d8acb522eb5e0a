"""Time: when can compliance be read, is it the same reading throughout, and does it go beyond what the text so far tells?

A probe is fitted at every position, and each is put to every other position as well (King & Dehaene 2014): a code that
stays fills the whole square of train × test positions, one that changes only its diagonal. Planning and monitoring are
told apart by the labels that can tell them apart. Before the response, natural labels between prompts: what the state adds to
what the prompt's own words, and the constraint that they state, give away. While it is written, contrast squares, in which the
words alone give nothing away. Says when something can be read, and nothing of what it does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from heedful.lenses.cells import at_position, own_site
from heedful.lenses.data import KINDS, Examples, StudyData
from heedful.lenses.fits import Fits, TaskFits
from heedful.lenses.result import LEVEL, Canvas, bounded, canvases, coordinates, put, sizes, variable
from heedful.probes import Jackknife, Rows, bag_of_words, combine, fit_logistic, out_of_fold

GRID = (1e-2, 1e-1, 1.0)
MAX_WORDS = 512
SHARES = (0.0, 0.1, 0.3, 1.0)
"""Scales of the states beside the words, of which inner folds choose one: 0 is words alone."""
END = "eos"
_MARKS = re.compile(r'(, |: |[\[\]{}"\\ ])|\W')  # JSON's own; any other
_fit = partial(fit_logistic, tol=1e-2)

_AUROC = "probability; 0.5 is chance"
_AT = ("kind", "task", "position")
_ABOUT = bounded(
    {
        "auroc": (_AT, "AUROC of a probe fitted at the position, at the site that inner folds choose there", _AUROC),
        "from_end": (_AT, "AUROC of the probe fitted at the end, put to the position", _AUROC),
        "matrix": (("kind", "task", "train", "test"), "AUROC of the probe of one position, put to another", _AUROC),
        "prefix": (_AT, "AUROC of the words of the prompt and of the response so far", _AUROC),
        "beyond_prefix": (_AT, "AUROC of the probe − that of the words so far", "difference in AUROC"),
        "with_words": (
            ("kind", "task"),
            "AUROC of the prompt's words, its constraint and the state at its end together; natural labels only",
            _AUROC,
        ),
        "planning": (
            ("kind",),
            "Σ (with_words − AUROC of words and constraint alone) / Σ (1 − the latter), readable tasks; natural labels only",
            "share of what the words leave open",
        ),
        "monitoring": (
            ("kind",),
            "mean over readable tasks and absolute positions after the first of AUROC − 0.5 (natural: beyond the words)",
            "difference in AUROC",
        ),
        "rise": (("kind",), "mean over readable tasks of AUROC at the end − at the first token", "difference in AUROC"),
        "peak": (
            ("kind",),
            "mean over readable tasks of AUROC at the end − mean over absolute positions",
            "difference in AUROC",
        ),
    }
)


def temporal(data: StudyData, fits: Fits, *, square: bool = True) -> xr.Dataset:
    """Lens 4: curves over positions, the train × test square of positions, the prefix-text baseline, and the estimands
    of planning and monitoring.

    The square is read at one site for each outer fold, which inner folds choose at the end of the response; states at
    the test position are scaled as at the training position, as the probe that reads them was trained to. Without the
    square all else stands.
    """
    n = sizes(data, train=len(data.positions), test=len(data.positions))
    canvas = canvases(_ABOUT, n)
    canvas["n_rows"] = Canvas(n, _AT, torch.long)
    canvas["n_tasks"] = Canvas(n, ("kind",), torch.long)
    canvas["n_planning"] = Canvas(n, ("kind",), torch.long)
    for k, kind in enumerate(KINDS):
        mine = {task: fits.tasks[kind, task] for task in data.tasks if (kind, task) in fits.tasks}
        curves: dict[str, dict[str, Jackknife]] = {}
        words: dict[str, dict[str, Jackknife]] = {}
        for task, f in mine.items():
            t = data.tasks.index(task)
            canvas["n_rows"][k, t] = f.valid.sum(-1)
            able = [p for p in range(len(data.positions)) if not f.inner_auroc[:, p].isnan().all()]  # fitted there
            curves[task] = {data.positions[p]: _own(data, f, p) for p in able}
            words[task] = {data.positions[p]: _prefix(data, f, p) for p in able} if kind == "natural" else {}
            for p in able:
                position = data.positions[p]
                put(canvas, "auroc", (k, t, p), curves[task][position], "logit")
                if position in words[task]:
                    put(canvas, "prefix", (k, t, p), words[task][position], "logit")
                    beyond = combine(torch.sub, curves[task][position], words[task][position])
                    put(canvas, "beyond_prefix", (k, t, p), beyond)
            if square and END in curves[task]:
                found = _square(data, f, able)
                cells = torch.tensor(able)
                put(canvas, "matrix", (k, t, cells.unsqueeze(1), cells), found, "logit")
                end = able.index(data.positions.index(END))
                put(canvas, "from_end", (k, t, cells), combine(lambda m, e=end: m[e], found), "logit")
        readable = _readable(curves)
        before = [p for p in data.positions if p.startswith("prompt")][-1:]
        both: dict[str, Jackknife] = {}
        for task in mine if kind == "natural" else ():
            if before and before[0] in curves[task]:
                both[task] = _with_words(data, mine[task], data.positions.index(before[0]))
                put(canvas, "with_words", (k, data.tasks.index(task)), both[task], "logit")
        planned = [t for t in readable if t in both]
        if planned:
            together, alone = _mean([both[t] for t in planned]), _mean([words[t][before[0]] for t in planned])
            put(canvas, "planning", k, combine(lambda a, b: (a - b) / (1 - b), together, alone))
        for name, one in _estimands(data, curves, words).items():
            put(canvas, name, k, one)
        canvas["n_tasks"][k], canvas["n_planning"][k] = len(readable), len(planned)
    variables = {name: variable(canvas[name], *about) for name, (_, *about) in _ABOUT.items()}
    variables["n_rows"] = variable(canvas["n_rows"], "rows that have the position", "rows")
    variables["n_tasks"] = variable(canvas["n_tasks"], "readable tasks in the means over tasks", "tasks")
    variables["n_planning"] = variable(canvas["n_planning"], "readable tasks in the mean before the response", "tasks")
    attrs = {
        "level": LEVEL,
        "interval": "cluster jackknife over base prompts, Student's t; logit scale for AUROC, plain for differences",
        "prefix": "which words the prompt has, its constraint's fields and values, and which tokens the response so far; "
        "natural labels only, since in contrast squares none tells anything by design",
        "end": END,
        "readable": "the probe at the end is above chance, beyond its interval",
        "seed": data.seed,
    }
    return xr.Dataset(variables, coordinates(data, train=data.positions, test=data.positions), attrs)


def _estimands(
    data: StudyData, curves: Mapping[str, Mapping[str, Jackknife]], words: Mapping[str, Mapping[str, Jackknife]]
) -> dict[str, Jackknife]:
    """Monitoring, rise and peak, as far as the positions allow: means over tasks of differences within each."""
    found: dict[str, Jackknife] = {}
    tasks = _readable(curves)
    absolute = [p for p in _absolute(data.positions) if tasks and all(p in curves[t] for t in tasks)]
    if len(absolute) > 1:
        first, *later = absolute
        found["monitoring"] = _mean([_beyond(curves[t], words[t], p) for t in tasks for p in later])
        found["rise"] = _mean([combine(torch.sub, curves[t][END], curves[t][first]) for t in tasks])
        found["peak"] = _mean(
            [combine(torch.sub, curves[t][END], _mean([curves[t][p] for p in absolute])) for t in tasks]
        )
    return found


def _absolute(positions: Sequence[str]) -> list[str]:
    """Positions that a live monitor knows: counted from the response's start."""
    return [p for p in positions if p.startswith("response[") and "%" not in p and "-" not in p]


def _readable(curves: Mapping[str, Mapping[str, Jackknife]]) -> list[str]:
    """Tasks whose probe at the end beats chance, beyond its interval."""
    return [t for t, curve in curves.items() if END in curve and bool(curve[END].interval(LEVEL, "logit").low > 0.5)]


def _beyond(curve: Mapping[str, Jackknife], words: Mapping[str, Jackknife], position: str) -> Jackknife:
    """AUROC beyond that of the words so far, or beyond 0.5 where the design leaves the words nothing."""
    if position in words:
        return combine(torch.sub, curve[position], words[position])
    return combine(lambda a: a - 0.5, curve[position])


def _mean(parts: Sequence[Jackknife]) -> Jackknife:
    return combine(lambda *each: torch.stack(each).mean(0), *parts)


def _auroc(
    data: StudyData, scores: Float[Tensor, "*cell sample"], rows: Examples, noise: Float[Tensor, "*#cell"] | float = 1.0
) -> Jackknife:
    return data.auroc(scores, rows).cross_fitted(noise)


def _own(data: StudyData, f: TaskFits, p: int) -> Jackknife:
    """The specialist fitted at the position, each fold at the site that its inner folds chose."""
    rows, scores, noise = at_position(f, p)
    return _auroc(data, scores, rows, noise)


def _prefix(data: StudyData, f: TaskFits, p: int) -> Jackknife:
    """What the words so far tell, in the same folds."""
    rows = f.examples.take(f.valid[p])
    x = _words_so_far(data, rows, data.positions[p])
    fitted = out_of_fold(Rows(x, rows.label[None], rows.fold, rows.weight[None]), GRID, n_folds=data.n_folds, fit=_fit)
    return _auroc(data, fitted.scores[0], rows, fitted.noise[0])


def _with_words(data: StudyData, f: TaskFits, p: int) -> Jackknife:
    """What the words and the state tell together, each fold at the site and with the scale that its inner folds chose.

    The difference of two probes' AUROC, of states and of words, would be no measure of what the states add: a state that holds
    both the words and more can be worse than the words alone at telling what these tell.
    """
    rows = f.examples.take(f.valid[p])
    words = _words_so_far(data, rows, data.positions[p])
    site_of = own_site(f.inner_auroc[:, p], f.scores[0, :, p, f.valid[p]], rows.fold).cell[0].tolist()
    scores, noise = torch.full((len(rows),), torch.nan), []
    for s in sorted({*site_of}):
        states = data.states((data.sites[s],), data.positions[p], rows)[0]
        x = torch.stack([torch.cat([words, share * states], -1) for share in SHARES])
        fitted = out_of_fold(
            Rows(x, rows.label[None], rows.fold, rows.weight[None]), GRID, n_folds=data.n_folds, fit=_fit
        )
        best = own_site(fitted.inner_auroc[:, 0], fitted.scores[:, 0], rows.fold)
        for fold, chosen in enumerate(site_of):
            if chosen == s:
                held = rows.fold == fold
                scores[held] = best.scores[0, held]
                noise.append(fitted.noise[int(best.cell[0, fold]), 0])
    return _auroc(data, scores, rows, torch.stack(noise).mean())


def _words_so_far(data: StudyData, rows: Examples, position: str) -> Float[Tensor, "sample word"]:
    """Which words the prompt has, what its constraint sets, field by field, and which tokens the response has by then.

    'At most 8' and 'at least 36' are hard and 'at most 36' and 'at least 8' are not: no sum over words says so, a constraint's
    field and value together do. Where a skill's constraints are of several sorts, to use a word and not to, so does the sort.
    """
    prompts, ids = data.column("prompt_text", rows), data.column("response_ids", rows)
    lengths = [len(each) for each in data.column("prompt_ids", rows)]
    ends = data.activations.token_index(position, rows.state.numpy()).tolist()
    so_far = [
        " ".join(f"token{token}" for token in response[: max(end + 1 - start, 0)])
        for response, start, end in zip(ids, lengths, ends, strict=True)
    ]
    asked = [json.loads(constraint) if constraint else {} for constraint in data.column("constraint", rows)]
    if len({each.get("id") for each in asked}) == 1:
        asked = [{name: value for name, value in each.items() if name != "id"} for each in asked]
    set_by = [_fields(each) for each in asked]
    texts = [" ".join(each) for each in zip(prompts, set_by, so_far, strict=True)]
    return bag_of_words(texts, max_words=MAX_WORDS).features


def _fields(asked: Mapping[str, Any]) -> str:
    """A word for each field that a constraint sets, and one for each with its value."""
    said = [(name, json.dumps(value)) for name, value in sorted(asked.items())]
    return " ".join(f"field_{name} {_word(f'field_{name}_{value}')}" for name, value in said)


def _word(text: str) -> str:
    """JSON as one word: of its own marks nothing is kept, and of any other which one it is, since '!' is not '?'."""
    return _MARKS.sub(lambda mark: "_" * len(mark[1]) if mark[1] else f"_{ord(mark[0]):x}_", text)


def _square(data: StudyData, f: TaskFits, able: Sequence[int]) -> Jackknife:
    """AUROC [train, test] over the positions given, out of fold."""
    rows = f.examples
    valid = f.valid[list(able)]
    scores = torch.full((len(able), len(able), len(rows)), torch.nan)
    site_of = f.inner_auroc[:, data.positions.index(END)].nan_to_num(-1).argmax(0).tolist()
    for s in sorted({*site_of}):
        x = torch.zeros(len(able), len(rows), data.hidden)
        for i, p in enumerate(able):
            x[i, valid[i]] = data.raw(data.sites[s], data.positions[p], rows.take(valid[i]))
        scale = [data.scale(data.sites[s], data.positions[p]) for p in able]
        scaled = torch.stack([to(each) for to, each in zip(scale, x, strict=True)]) * valid.unsqueeze(-1)
        folds = [fold for fold, chosen in enumerate(site_of) if chosen == s and bool((rows.fold == fold).any())]
        if not folds:
            continue
        held = torch.stack([rows.fold == fold for fold in folds])
        weight = (rows.weight * ~held).unsqueeze(0) * valid.unsqueeze(1)
        probes = _fit(scaled, rows.label[None], weight, f.C[s, list(able)][:, folds])
        for i, to in enumerate(scale):
            # The probe in the coordinates of unscaled states reads any position's.
            coef = probes.coef[i] / to.spread
            intercept = probes.intercept[i] - coef @ to.center
            for j, here in enumerate(held):
                scores[i][:, here] = x[:, here] @ coef[j] + intercept[j]
    scores = scores.masked_fill(~valid, torch.nan)
    return _auroc(data, scores, rows)
