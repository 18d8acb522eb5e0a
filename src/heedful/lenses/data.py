"""What every lens reads: labelled rows, their hidden states on one scale, and folds that all lenses share.

A row is an instruction with a response, replayed. This file decides which rows take part: rows cut off by the length
limit never do, and at a position only rows that have it; a contrast square takes part whole or not at all, since half
a square would tell the label from the instruction or the response alone. Knows no probe and no statistic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heedful.errors import InputError
from heedful.probes import (
    FeatureScale,
    Jackknife,
    fit_scale,
    grouped_folds,
    index_groups,
    jackknife_auroc,
    jackknife_d_prime,
    permute_within_groups,
    swap_squares,
)
from heedful.prompts.tasks import TASKS
from heedful.store import Table

Kind = Literal["contrast", "natural"]
KINDS: tuple[Kind, ...] = ("contrast", "natural")

MIN_SQUARES = 25
MIN_NATURAL = 50
"""Rows of either class that a natural task needs."""
MIN_REFERENCE = 8
"""Reference rows that a feature scale needs, each of another text up to the position."""


@runtime_checkable
class HiddenStates(Protocol):
    """Where hidden states come from: `heedful.store.Activations`, or states that were made for the purpose."""

    @property
    def sites(self) -> tuple[str, ...]: ...
    @property
    def positions(self) -> tuple[str, ...]: ...
    def index(self, row_ids: Iterable[str]) -> Int[np.ndarray, " sample"]:
        """Row numbers; KeyError for an unknown row."""

    def get(
        self, site: str, position: str, rows: Int[np.ndarray, " sample"] | None = None
    ) -> Float[Tensor, "sample hidden"]:
        """States of rows, all if None; NaN in those that lack the position."""

    def valid(self, position: str, rows: Int[np.ndarray, " sample"] | None = None) -> Bool[Tensor, " sample"]:
        """Which rows have the position."""

    def token_index(self, position: str, rows: Int[np.ndarray, " sample"] | None = None) -> Int[Tensor, " sample"]:
        """Index into the row's tokens, prompt first; −1 where it lacks the position."""

    def log_p(self) -> Float[Tensor, " sample"] | None:
        """Log p of each row's response [nats]; None if it was not read."""

    def max_softmax(self, *, last: bool = False) -> Float[Tensor, " sample"] | None:
        """The greatest next-token probability, mean over each row's response or at its end; None if it was not read."""


@dataclass(frozen=True)
class Examples:
    """Rows of one kind, of one task or several. Every array has one entry a row."""

    kind: Kind
    row: Int[Tensor, " sample"]
    """Index into the table of rows."""
    state: Int[Tensor, " sample"]
    """Index into the activations."""
    task: Int[Tensor, " sample"]
    """Index into `StudyData.tasks`."""
    label: Int[Tensor, " sample"]
    """1 where the response complies with the instruction."""
    base: Int[Tensor, " sample"]
    """The base prompt's index in the universe of base prompts: the group."""
    unit: Int[Tensor, " sample"]
    """What stays together when rows are drawn: the contrast square; for natural rows the row itself."""
    fold: Int[Tensor, " sample"]
    held_out: Bool[Tensor, " sample"]
    """Phrased by a held-out template: scored, never trained on."""

    def __len__(self) -> int:
        return len(self.row)

    def take(self, which: Tensor) -> Examples:
        """The rows of a mask or of indices."""
        arrays = {f.name: getattr(self, f.name)[which] for f in fields(self) if f.name != "kind"}
        return Examples(kind=self.kind, **arrays)

    @property
    def enough(self) -> bool:
        """Whether the rows of one task carry a result: 25 squares, or 50 natural rows of either class."""
        smaller = min(int((self.label == value).sum()) for value in (0, 1))
        return smaller >= (2 * MIN_SQUARES if self.kind == "contrast" else MIN_NATURAL)

    def permuted(self, n: int, seed: int) -> Int[Tensor, "draw sample"]:
        """Labels as they would be with nothing to find: whole squares flipped, or labels shuffled within base prompts.

        A row that is alone in its base prompt has nobody to change labels with there, and changes them with the other such
        rows of its fold: else the labels of prompts that were answered once would never move, and nothing could be told
        from chance. Each fold keeps its number of positives either way.
        """
        if self.kind == "contrast":
            return swap_squares(self.label, self.unit, n, seed)
        alone = self.base.bincount()[self.base] == 1
        return permute_within_groups(self.label, torch.where(alone, -1 - self.fold, self.base), n, seed)

    @property
    def weight(self) -> Float[Tensor, " sample"]:
        """Training weights: both classes of a task weigh half of its rows that may be trained on; 0 for the others."""
        weight = torch.zeros(len(self))
        for t in {*self.task.tolist()}:
            mine = (self.task == t) & ~self.held_out
            for value in (0, 1):
                side = mine & (self.label == value)
                weight[side] = mine.sum() / (2 * side.sum().clamp_min(1))
        return weight


class BorrowedScale(NamedTuple):
    """A position at which too few reference texts differ, and the position whose scale it uses."""

    position: str
    lender: str
    n_reference: int


class StudyData:
    """A study's rows and hidden states.

    Attributes:
        tasks: names in the standard order, with tasks that have no rows if they were asked for.
        families: the family of each task.
        sites, positions: as read.
        n_folds, seed: of the folds over base prompts.
        borrowed: positions whose feature scale is another's.
    """

    def __init__(
        self,
        rows: Table,
        activations: HiddenStates,
        *,
        tasks: Mapping[str, str] | None = None,
        n_folds: int = 5,
        seed: int = 0,
    ) -> None:
        """
        Args:
            rows: the study's table of rows; its columns are described where the study writes it.
            activations: states of the same rows, in any order.
            tasks: task → family, to list, those beside the nine in this order; by default the tasks that have rows, by name.

        Raises:
            InputError: the table lacks a column or a row's states, there are fewer base prompts than folds, or too few
                reference rows to scale features by.
        """
        if missing := sorted(_COLUMNS - set(rows.columns)):
            raise InputError(f"the table of rows lacks {', '.join(missing)}", "run the study's read stage again")
        self.rows, self.activations = rows, activations
        self.sites, self.positions = activations.sites, activations.positions
        self.n_folds, self.seed = n_folds, seed
        found = dict(sorted(zip(rows["task"], rows["family"], strict=True))) if tasks is None else dict(tasks)
        standard = {name: i for i, name in enumerate(TASKS)}
        self.tasks = tuple(sorted((t for t in found if t), key=lambda t: standard.get(t, len(standard))))
        self.families = tuple(found[t] for t in self.tasks)
        try:
            self._state = activations.index(rows["row_id"])
        except KeyError as error:
            raise InputError(f"row {error} has no hidden states", "run the study's read stage again") from error
        kind = np.array(rows["kind"])
        (self._reference_rows,) = np.nonzero(kind == "reference")
        base = [b for b, k in zip(rows["base_id"], rows["kind"], strict=True) if k in KINDS]
        self.bases = index_groups(base).names
        """The universe of base prompts, sorted."""
        self._examples = {k: self._select(k) for k in KINDS}
        self.borrowed = tuple(self._borrow())
        self._scales: dict[tuple[str, str], FeatureScale] = {}

    @property
    def n_bases(self) -> int:
        """Size of the universe of base prompts."""
        return len(self.bases)

    @cached_property
    def relative_depth(self) -> tuple[float, ...]:
        """Of each site: 0 for the first, 1 for the last."""
        return tuple(i / max(len(self.sites) - 1, 1) for i in range(len(self.sites)))

    def fold_of(self, bases: Sequence[Any]) -> Int[Tensor, " base"]:
        """The fold of base prompts, by their ids in the table."""
        return grouped_folds(np.array(bases), self.n_folds, self.seed, universe=self.bases)

    def examples(self, kind: Kind, task: str | None = None) -> Examples:
        """The rows of a kind that take part, of all tasks (in their order) or of one.

        Raises:
            InputError: no such kind, or no such task in the study.
        """
        if kind not in self._examples:
            raise InputError(f"there are no rows of kind {kind!r}", f"choose among {', '.join(KINDS)}")
        if task is not None and task not in self.tasks:
            raise InputError(f"the study has no task {task!r}", f"choose among {', '.join(self.tasks)}")
        union = self._examples[kind]
        return union if task is None else union.take(union.task == self.tasks.index(task))

    def column(self, name: str, examples: Examples) -> list[Any]:
        """A column of the table, for these rows."""
        values = self.rows[name]
        return [values[i] for i in examples.row.tolist()]

    def auroc(
        self,
        scores: Float[Tensor, "*cell sample"],
        examples: Examples,
        weight: Float[Tensor, " sample"] | None = None,
        labels: Int[Tensor, "*#cell sample"] | None = None,
    ) -> Jackknife:
        """AUROC of scores of these rows, within folds and averaged, with its replicates over all base prompts of the study:
        so those of different tasks can be set against each other. Of the rows' own labels, or of others."""
        labels = examples.label if labels is None else labels
        return jackknife_auroc(scores, labels, examples.base, examples.fold, n_groups=self.n_bases, weight=weight)

    def d_prime(self, scores: Float[Tensor, "*cell sample"], examples: Examples) -> Jackknife:
        """The same of d′."""
        return jackknife_d_prime(scores, examples.label, examples.base, examples.fold, n_groups=self.n_bases)

    def bare(self, examples: Examples) -> Int[Tensor, " sample"]:
        """Index into the activations of the same response under the bare base prompt; −1 where there is none."""
        ids = self.column("bare_id", examples)
        known = [row_id for row_id in ids if row_id is not None]
        found = torch.full((len(ids),), -1)
        found[torch.tensor([row_id is not None for row_id in ids], dtype=torch.bool)] = torch.from_numpy(
            self.activations.index(known)
        )
        return found

    def log_p(self, examples: Examples) -> Float[Tensor, " sample"] | None:
        """Log p of each response given its prompt, in nats; None if it was not read."""
        values = self.activations.log_p()
        return None if values is None else values[examples.state].float()

    def max_softmax(self, examples: Examples, *, last: bool = False) -> Float[Tensor, " sample"] | None:
        """The greatest next-token probability, mean over each response or at its end; None if it was not read."""
        values = self.activations.max_softmax(last=last)
        return None if values is None else values[examples.state].float()

    def valid(self, position: str, examples: Examples) -> Bool[Tensor, " sample"]:
        """Which rows take part at a position: those that have it, squares whole."""
        return _whole(self.activations.valid(position, examples.state.numpy()), examples.unit)

    def is_leak_check(self, kind: Kind, position: str) -> bool:
        """Whether the design makes AUROC 0.5 there: before the response, a square's two labels share their state."""
        return kind == "contrast" and position.startswith("prompt")

    def states(self, sites: Sequence[str], position: str, examples: Examples) -> Float[Tensor, "site sample hidden"]:
        """Scaled hidden states in f32, of rows that have the position.

        Raises:
            InputError: a site or position that was not read; or one site, where several are named.
        """
        if isinstance(sites, str):
            raise InputError(f"{sites!r} is one site, and states are of several", f"give ({sites!r},)")
        for what, names, known in (("site", sites, self.sites), ("position", (position,), self.positions)):
            if strangers := [name for name in names if name not in known]:
                raise InputError(f"{what} {strangers[0]!r} was not read", f"choose among {', '.join(known)}")
        return torch.stack([self.scale(site, position)(self.raw(site, position, examples)) for site in sites])

    def raw(self, site: str, position: str, examples: Examples) -> Float[Tensor, "sample hidden"]:
        """Hidden states in f32 as they were read, of rows that have the position."""
        return self.activations.get(site, position, examples.state.numpy()).float()

    @cached_property
    def hidden(self) -> int:
        """Width of a hidden state."""
        none = np.zeros(0, dtype=np.int64)
        return self.activations.get(self.sites[0], self.positions[0], none).shape[1]

    def scale(self, site: str, position: str) -> FeatureScale:
        """The spread of each dimension on the reference rows, at this position or at the one it borrows from."""
        at = site, next((b.lender for b in self.borrowed if b.position == position), position)
        if at not in self._scales:
            reference = self._state[self._reference_rows]
            rows = reference[self.activations.valid(at[1], reference).numpy()]
            self._scales[at] = fit_scale(self.activations.get(*at, rows))
        return self._scales[at]

    def _select(self, kind: Kind) -> Examples:
        columns = self.rows.columns
        order = {task: i for i, task in enumerate(self.tasks)}
        row = np.array(
            [
                i
                for i, (k, task, label) in enumerate(
                    zip(columns["kind"], columns["task"], columns["label"], strict=True)
                )
                if k == kind and task in order and label in (0, 1)
            ],
            dtype=np.int64,
        )
        task = np.array([order[columns["task"][i]] for i in row], dtype=np.int64)
        row = row[np.argsort(task, kind="stable")]
        base = [columns["base_id"][i] for i in row]
        unit = [columns["square_id"][i] if kind == "contrast" else int(i) for i in row]
        if None in unit:
            raise InputError("a contrast row belongs to no square", "run the study's read stage again")
        examples = Examples(
            kind=kind,
            row=torch.from_numpy(row),
            state=torch.from_numpy(self._state[row]),
            task=torch.tensor([order[columns["task"][i]] for i in row], dtype=torch.long),
            label=torch.tensor([columns["label"][i] for i in row], dtype=torch.long),
            base=index_groups(base, self.bases).number,
            unit=index_groups(unit).number,
            fold=grouped_folds(base, self.n_folds, self.seed, universe=self.bases),
            held_out=torch.tensor([bool(columns["held_out"][i]) for i in row], dtype=torch.bool),
        )
        complete = torch.tensor([columns["finish_reason"][i] != "length" for i in row], dtype=torch.bool)
        return examples.take(_whole(complete, examples.unit))

    def _borrow(self) -> list[BorrowedScale]:
        """The nearest position with enough reference rows, for each that has too few; earlier ones first."""
        count = [self._distinct_references(p) for p in self.positions]
        lenders = [i for i, n in enumerate(count) if n >= MIN_REFERENCE]
        if not lenders:
            raise InputError(
                f"{max(count, default=0)} reference rows are too few to scale features by",
                f"give at least {MIN_REFERENCE} neutral reference texts",
            )
        return [
            BorrowedScale(p, self.positions[min(lenders, key=lambda j: (abs(j - i), j))], count[i])
            for i, p in enumerate(self.positions)
            if i not in lenders
        ]

    def _distinct_references(self, position: str) -> int:
        """Reference rows that have the position, counted once where they agree up to it.

        Texts that share their prompt share the state at its end, up to rounding: a spread measured there would be
        rounding noise, and to divide by it would blow every other row up.
        """
        at = self.activations.token_index(position, self._state[self._reference_rows]).tolist()
        ids = [self.rows["prompt_ids"][row] + self.rows["response_ids"][row] for row in self._reference_rows.tolist()]
        return len({tuple(all_ids[: end + 1]) for all_ids, end in zip(ids, at, strict=True) if end >= 0})


_COLUMNS = {
    "row_id", "kind", "task", "family", "base_id", "square_id", "template_id", "held_out", "constraint", "label",
    "prompt_text", "response_text", "prompt_ids", "response_ids", "finish_reason", "n_words", "n_chars", "bare_id",
}  # fmt: skip


def _whole(kept: Bool[Tensor, " sample"], unit: Int[Tensor, " sample"]) -> Bool[Tensor, " sample"]:
    """`kept`, less every row whose unit lost a row."""
    n_units = int(unit.max()) + 1 if len(unit) else 0
    return torch.bincount(unit[~kept], minlength=n_units)[unit] == 0
