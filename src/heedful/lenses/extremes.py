"""Extremes: the rows that each task's probe scores highest and lowest, of either class, so that a person can read them.

Hits, misses, false alarms and rightly low ones. Scores are out of fold and compare within a fold only; so a row is placed
among the rows of the other class of its fold, as AUROC does it: the mean placement of complying rows is the fold's AUROC.
Names rows and places them; the texts are in the table of rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from heedful.lenses.cells import Candidates, candidates, nested_cells
from heedful.lenses.data import KINDS, Examples, StudyData
from heedful.lenses.fits import Fits, TaskFits
from heedful.lenses.result import canvases, coordinates, sizes, variable, words

LABELS = ("violates", "complies")
"""By label, 0 and 1."""
ENDS = ("highest", "lowest")
N_SHOWN = 2
"""Rows at each end, of different base prompts."""

_ROW = ("kind", "task", "label", "end", "rank")
_PLACEMENT = "share of the other class's rows of its fold that score below it, ties half"
_ABOUT = {
    "placement": (
        _ROW,
        f"{_PLACEMENT}; at the cell that its fold chose",
        "share; its mean over complying rows is AUROC",
    ),
    "by_site": ((*_ROW, "site"), f"{_PLACEMENT}; at every site, at the position that its fold chose", "share"),
    "by_position": ((*_ROW, "position"), f"{_PLACEMENT}; at every position, at the site that its fold chose", "share"),
}


def extremes(data: StudyData, fits: Fits) -> xr.Dataset:
    """The rows at both ends of the specialist's scores, at the site and position that inner folds choose.

    `row_id` is '' and placements are NaN where a task has too few rows, and where a row lacks a position.
    """
    n = sizes(data, label=len(LABELS), end=len(ENDS), rank=N_SHOWN)
    canvas = canvases(_ABOUT, n)
    shape = [n[name] for name in _ROW]
    text = {name: torch.empty(shape).numpy().astype(object) for name in ("row_id", "site", "position")}
    for each in text.values():
        each[...] = ""
    ids = data.rows["row_id"]
    for k, kind in enumerate(KINDS):
        for t, task in enumerate(data.tasks):
            f = fits.tasks.get((kind, task))
            if f is None:
                continue
            able = candidates(data, f, kind)
            if not able.positions or not f.examples.take(able.rows).enough:
                continue
            cell_of, placement = _placed(f, able)
            for label in range(len(LABELS)):
                for end, name in enumerate(ENDS):
                    for rank, i in enumerate(_at_end(f.examples, placement, label, name)):
                        at = (k, t, label, end, rank)
                        s, p = cell_of[int(f.examples.fold[i])]
                        canvas["placement"][at] = placement[i, 0]
                        canvas["by_site"][at] = _placement(f, f.scores[0, :, p], i)
                        canvas["by_position"][at] = _placement(f, f.scores[0, s], i)
                        text["row_id"][at] = ids[int(f.examples.row[i])]
                        text["site"][at], text["position"][at] = data.sites[s], data.positions[p]
    variables = {name: variable(canvas[name], *about) for name, (_, *about) in _ABOUT.items()}
    said = {"row_id": "row of rows.parquet", "site": "site its fold chose", "position": "position its fold chose"}
    variables |= {f"of_{name}" if name != "row_id" else name: words(_ROW, text[name], said[name]) for name in text}
    return xr.Dataset(
        variables,
        coordinates(data, label=LABELS, end=ENDS) | {"rank": list(range(N_SHOWN))},
        {"scores": "out of fold, by the specialist; a row is placed among rows of its own fold"},
    )


def _placed(f: TaskFits, able: Candidates) -> tuple[list[tuple[int, int]], Float[Tensor, "sample key"]]:
    """The cell (site, position) of each fold; and of each row its placement there and, to break ties, its score in units of its
    fold's spread. NaN for rows that do not take part."""
    cells = nested_cells(f, able).cells
    found = torch.full((len(able.rows), 2), torch.nan, dtype=torch.float64)
    for fold in {*f.examples.fold[able.rows].tolist()}:
        s, p = cells[fold]
        mine = able.rows & (f.examples.fold == fold)
        here = f.scores[0, s, p].double()
        within = here[mine]
        for i in mine.nonzero().squeeze(-1).tolist():
            found[i, 0] = _placement(f, f.scores[0, s, p], i)
            found[i, 1] = (here[i] - within.mean()) / within.std().clamp_min(1e-12)
    return cells, found


def _placement(f: TaskFits, scores: Float[Tensor, "*cell sample"], i: int) -> Float[Tensor, "*cell"]:
    """Where row `i` stands among the rows of the other class of its fold that have a score; NaN if it has none itself."""
    others = scores[..., (f.examples.fold == f.examples.fold[i]) & (f.examples.label != f.examples.label[i])]
    mine = scores[..., i].unsqueeze(-1)
    below = (others < mine).double() + 0.5 * (others == mine)
    known = ~others.isnan()
    share = (below * known).sum(-1) / known.sum(-1)  # NaN where there is no other
    return torch.where(mine.squeeze(-1).isnan(), torch.nan, share)


def _at_end(examples: Examples, placement: Float[Tensor, "sample key"], label: int, end: str) -> Iterator[int]:
    """The first rows of a class from one end, each of another base prompt."""
    sign = -1 if end == ENDS[0] else 1
    mine = [i for i in (examples.label == label).nonzero().squeeze(-1).tolist() if not bool(placement[i].isnan().any())]
    seen: set[int] = set()
    for i in sorted(mine, key=lambda i: (*(sign * placement[i]).tolist(), i)):
        base = int(examples.base[i])
        if base not in seen:
            seen.add(base)
            yield i
        if len(seen) == N_SHOWN:
            return
