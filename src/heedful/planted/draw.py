"""Rows and hidden states in which a mechanism is planted, shaped as a study's: the lenses cannot tell the difference.

What real states have and a textbook's have not is here as well: correlated features with a falling spectrum, two
massive-activation dimensions, traces of the base prompt, of each instruction, of each response and of its length. A
label's trace is given in whitened units, so that its strength says how well any linear probe could read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heedful.lenses import StudyData
from heedful.planted.mechanisms import FAMILIES, Bench, Mechanism
from heedful.prompts.squares import CELLS
from heedful.store import Table

_PROMPT_TOKENS = 24
_N_REFERENCE = 96


@dataclass(frozen=True)
class Size:
    """How much is drawn. The defaults are those of a study.

    Attributes:
        hidden: width of a state.
        squares, natural: contrast squares, and natural responses, a task.
        n_bases: base prompts.
        strength: d' of a label's trace at full strength, to the best linear probe.
    """

    hidden: int = 256
    squares: int = 200
    natural: int = 400
    n_bases: int = 120
    strength: float = 2.5
    n_folds: int = 5


class _Layout(NamedTuple):
    sites: tuple[str, ...]
    positions: tuple[str, ...]
    kinds: tuple[str, ...]


_LAYOUT: dict[Bench, _Layout] = {
    "structure": _Layout(("block.0.out",), ("eos",), ("contrast",)),
    "depth": _Layout(("embed", *(f"block.{i}.out" for i in range(8))), ("eos",), ("contrast",)),
    "time": _Layout(
        ("block.0.out",), ("prompt[-1]", "response[0]", "response[3]", "response[7]", "eos"), ("contrast", "natural")
    ),
}


class DrawnStates:
    """Hidden states in memory, where a study has them on disk."""

    def __init__(
        self,
        row_ids: Sequence[str],
        states: dict[tuple[str, str], Float[Tensor, "sample hidden"]],
        token_index: dict[str, Int[Tensor, " sample"]],
        log_p: Float[Tensor, " sample"],
    ) -> None:
        self.sites = tuple(dict.fromkeys(site for site, _ in states))
        self.positions = tuple(token_index)
        self._states, self._token_index, self._log_p = states, token_index, log_p
        self._index = {row: i for i, row in enumerate(row_ids)}

    def index(self, row_ids: Iterable[str]) -> Int[np.ndarray, " sample"]:
        return np.array([self._index[row] for row in row_ids], dtype=np.int64)

    def get(
        self, site: str, position: str, rows: Int[np.ndarray, " sample"] | None = None
    ) -> Float[Tensor, "sample hidden"]:
        states = self._states[site, position]
        return states.clone() if rows is None else states[torch.from_numpy(rows)]

    def valid(self, position: str, rows: Int[np.ndarray, " sample"] | None = None) -> Bool[Tensor, " sample"]:
        return self.token_index(position, rows) >= 0

    def token_index(self, position: str, rows: Int[np.ndarray, " sample"] | None = None) -> Int[Tensor, " sample"]:
        index = self._token_index[position]
        return index if rows is None else index[torch.from_numpy(rows)]

    def log_p(self) -> Float[Tensor, " sample"] | None:
        return self._log_p

    def max_softmax(self, *, last: bool = False) -> Float[Tensor, " sample"] | None:
        """Drawn states come of no model that was sure of anything."""
        return None


class World:
    """What stays the same from draw to draw of rows: the latent directions, the covariance, and every trace's own.

    Fresh rows of the same world are what an estimand's truth is measured on.
    """

    def __init__(self, mechanism: Mechanism, size: Size, seed: int) -> None:
        self.mechanism, self.size = mechanism, size
        generator = torch.Generator().manual_seed(seed)
        d = size.hidden
        latents = sorted({latent for task in FAMILIES for latent in mechanism.directions(task)})
        n_shared = len(_SHARED)
        basis = torch.linalg.qr(torch.randn(d, len(latents) + len(FAMILIES) + n_shared, generator=generator)).Q.T
        self.latent = dict(zip(latents, basis, strict=False))
        self.plan = dict(zip(FAMILIES, basis[len(latents) :], strict=False))
        self.shared = dict(zip(_SHARED, basis[-n_shared:], strict=True))
        """Whitened directions of what every row has: how probable, how long, how worded."""
        spectrum = torch.arange(1, d + 1).float().pow(-0.5)
        rotation = torch.linalg.qr(torch.randn(d, d, generator=generator)).Q
        self.mix = (rotation * spectrum) @ rotation.T
        """Square root of the covariance: whitened states to states."""
        self.massive = torch.randperm(d, generator=generator)[:2]

    def direction(self, task: str) -> Float[Tensor, " hidden"]:
        """Of the task's label, whitened, of unit length."""
        weights = self.mechanism.directions(task)
        along: Tensor = torch.stack([weight * self.latent[latent] for latent, weight in weights.items()]).sum(0)
        unit: Tensor = along / along.norm()
        return unit

    def transfer(self) -> Float[Tensor, "source target"]:
        """AUROC on each task of a probe that is exactly another task's direction: Φ(d′ cos / √2)."""
        along = torch.stack([self.direction(task) for task in FAMILIES])
        strength = torch.tensor([self.size.strength * self.mechanism.firmness(task) for task in FAMILIES])
        planted: Tensor = torch.special.ndtr(strength / _SPREAD * (along @ along.T) / 2**0.5)
        return planted

    def draw(self, bench: Bench, seed: int) -> StudyData:
        """A study of this world: fresh rows, the same truth."""
        layout = _LAYOUT[bench]
        rows = _rows(self, layout, seed)
        states = {
            (site, position): _states(self, rows, layout, s, p, seed)
            for s, site in enumerate(layout.sites)
            for p, position in enumerate(layout.positions)
        }
        length = torch.tensor(rows.columns["n_words"])
        index = {position: _token_index(position, length) for position in layout.positions}
        activations = DrawnStates(rows.columns["row_id"], states, index, rows.log_p)
        return StudyData(Table(rows.columns), activations, tasks=FAMILIES, n_folds=self.size.n_folds, seed=seed)

    def fresh(self, task: str, n: int, seed: int) -> tuple[Float[Tensor, "sample hidden"], Int[Tensor, " sample"]]:
        """Contrast rows of one task on the structure bench, each of a base prompt of its own, and their labels: a sample
        large enough to stand for the population."""
        generator = torch.Generator().manual_seed(2**41 + seed)
        labels = torch.arange(n) % 2
        x = _SPREAD * torch.randn(n, self.size.hidden, generator=generator)
        shared = torch.randn(n, 2, generator=generator)
        wording = torch.tensor(_WORDINGS)[torch.randint(len(_WORDINGS), (n,), generator=generator)]
        x = self.disturbed(x, length=shared[:, 0], log_p=shared[:, 1], wording=wording)
        x += self.trace(task, 2.0 * labels - 1)
        return self.emitted(x), labels

    def disturbed(
        self,
        x: Float[Tensor, "sample hidden"],
        length: Float[Tensor, " sample"],
        log_p: Float[Tensor, " sample"],
        wording: Float[Tensor, " sample"],
    ) -> Float[Tensor, "sample hidden"]:
        """Whitened states with what has nothing to do with compliance."""
        mechanism, along = self.mechanism, self.shared
        disturbance: Tensor = 2.0 * length[:, None] * along["length"]
        disturbance = disturbance + mechanism.surprise * log_p[:, None] * along["surprise"]
        disturbance = disturbance + (1.0 + mechanism.wording) * wording[:, None] * along["wording"]
        return x + disturbance

    def trace(
        self, task: str, sign: Float[Tensor, " sample"], depth: float = 1.0, when: float = 1.0
    ) -> Float[Tensor, "sample hidden"]:
        """What a label leaves, whitened."""
        m = self.mechanism
        strength = self.size.strength * m.firmness(task) * m.by_depth(task, depth) * m.by_time(when)
        trace: Tensor = 0.5 * strength * sign[:, None] * self.direction(task)
        return trace

    def emitted(self, x: Float[Tensor, "sample hidden"]) -> Float[Tensor, "sample hidden"]:
        """Whitened states as a model would emit them: correlated, and with massive dimensions."""
        mixed: Tensor = x @ self.mix
        mixed[:, self.massive] = 60.0 + 40.0 * mixed[:, self.massive]
        return mixed


_SHARED = ("surprise", "length", "wording")


class _Rows(NamedTuple):
    columns: dict[str, list[Any]]
    task: Int[Tensor, " sample"]
    """Index into `FAMILIES`; −1 for reference rows."""
    sign: Float[Tensor, " sample"]
    """±1 by label, 0 for reference rows."""
    is_contrast: Bool[Tensor, " sample"]
    parts: Int[Tensor, "sample part"]
    """Which base prompt, instruction and response a row has: each leaves a trace of its own."""
    log_p: Float[Tensor, " sample"]
    wording: Float[Tensor, " sample"]
    expected: Float[Tensor, " sample"]
    """What the model foresees of its own answer, standard normal."""


class _Row(NamedTuple):
    """One row as it is drawn; the defaults are those of a reference row."""

    n_words: int
    wording: int
    instruction: int
    response: int
    log_p: float
    kind: str = "reference"
    task: str = ""
    base: int = -1
    label: int = -1
    square: str | None = None
    held_out: bool = False
    expected: float = 0.0
    response_ids: list[int] | None = None

    def record(self, number: int) -> dict[str, Any]:
        """As the study's table of rows has it."""
        form, value = _worded(self.wording, self.instruction)
        return {
            "row_id": f"r{number}", "kind": self.kind, "task": self.task, "family": FAMILIES.get(self.task, ""),
            "base_id": self.base, "square_id": self.square, "template_id": f"{self.task}-{self.wording}",
            "held_out": self.held_out, "constraint": json.dumps({"id": f"planted/{self.task}", form: value}),
            "label": self.label, "prompt_text": f"{self.task} base{self.base} {form} number{value}",
            "response_text": "word " * self.n_words, "prompt_ids": [1] * _PROMPT_TOKENS,
            "response_ids": self.response_ids or [2] * self.n_words, "finish_reason": "stop",
            "n_words": self.n_words, "n_chars": 5 * self.n_words, "bare_id": None,
        }  # fmt: skip


def _rows(world: World, layout: _Layout, seed: int) -> _Rows:
    rng, size = np.random.default_rng([seed, 1]), world.size
    own = count()  # numbers of instructions and responses: what has a trace of its own
    drawn: list[_Row] = []
    for task in FAMILIES:
        for i in range(size.squares if "contrast" in layout.kinds else 0):
            drawn += _square(task, i, i % size.n_bases, (next(own), next(own)), rng)
        for i in range(size.natural if "natural" in layout.kinds else 0):
            drawn.append(_natural(world.mechanism, task, i % size.n_bases, next(own), rng))
    drawn += [_reference(next(own), rng) for _ in range(_N_REFERENCE)]
    records = [row.record(i) for i, row in enumerate(drawn)]
    labels, tasks = torch.tensor([row.label for row in drawn]), list(FAMILIES)
    return _Rows(
        columns={name: [record[name] for record in records] for name in records[0]},
        task=torch.tensor([tasks.index(row.task) if row.task else -1 for row in drawn]),
        sign=(2.0 * labels - 1) * (labels >= 0),
        is_contrast=torch.tensor([row.kind == "contrast" for row in drawn]),
        # Base prompts count from −1.
        parts=torch.tensor([(row.base + 1, row.instruction, row.response) for row in drawn]),
        log_p=torch.tensor([row.log_p for row in drawn]),
        wording=torch.tensor([_WORDINGS[row.wording] for row in drawn]),
        expected=torch.tensor([row.expected for row in drawn]),
    )


def _square(task: str, number: int, base: int, own: tuple[int, int], rng: np.random.Generator) -> list[_Row]:
    """Two instructions with two responses, each of which is in both classes."""
    held_out, wording = bool(rng.random() < 0.2), int(rng.integers(len(_WORDINGS)))
    words = rng.integers(12, 40, 2).tolist()
    probable = rng.normal(size=4).tolist()  # of each cell, whatever its label: origins are balanced
    rows = []
    for cell, log_p in zip(CELLS, probable, strict=True):
        i, r = int(cell[1]) - 1, int(cell[3]) - 1
        where = ("contrast", task, base, int(i == r), f"{task}-{number}", held_out)
        rows.append(_Row(words[r], wording, own[i], own[r], log_p, *where))
    return rows


def _natural(mechanism: Mechanism, task: str, base: int, own: int, rng: np.random.Generator) -> _Row:
    """A response that complies as the model foresees, and as the instruction's wording makes easy."""
    wording, foreseen = int(rng.integers(len(_WORDINGS))), float(rng.normal())
    logit = 2.0 * mechanism.planned * foreseen + 1.5 * mechanism.wording * _WORDINGS[wording]
    label, held_out = int(rng.random() < 1 / (1 + np.exp(-logit))), bool(rng.random() < 0.2)
    n_words, log_p = int(rng.integers(12, 40)), float(rng.normal()) + 0.5 * (2 * label - 1)
    return _Row(n_words, wording, own, own, log_p, "natural", task, base, label, held_out=held_out, expected=foreseen)


def _reference(own: int, rng: np.random.Generator) -> _Row:
    """A text by no model, that nothing was asked of."""
    wording, n_words = int(rng.integers(len(_WORDINGS))), int(rng.integers(12, 40))
    ids = rng.integers(3, 999, n_words).tolist()
    return _Row(n_words, wording, own, own, float(rng.normal()), response_ids=ids)


_WORDINGS = (-1.2, -0.4, 0.4, 1.2)


def _worded(worded: int, instruction: int) -> tuple[str, int]:
    """A wording in two words, neither of which tells it alone: at most few and at least many are the hard ones."""
    return ("at_most", worded) if instruction % 2 else ("at_least", len(_WORDINGS) - 1 - worded)


_TRACE = (0.5, 0.3, 0.3)
"""Norm, in whitened units a dimension, of what a base prompt, an instruction and a response leave."""
_SPREAD = (1 + sum(share**2 for share in _TRACE)) ** 0.5
"""Of a whitened dimension over rows, with those traces."""


def _states(world: World, rows: _Rows, layout: _Layout, s: int, p: int, seed: int) -> Float[Tensor, "sample hidden"]:
    """States at one site and position."""
    mechanism, size, n = world.mechanism, world.size, len(rows.task)
    position = layout.positions[p]
    before = position.startswith("prompt")
    depth = s / max(len(layout.sites) - 1, 1)
    when = _when(layout, p)
    generator = torch.Generator().manual_seed((seed * 64 + s) * 64 + p)
    x = torch.randn(n, size.hidden, generator=generator)
    if before:
        x = x[rows.parts[:, 1]]  # rows of one instruction share their prompt, and so its state
    for part, share in enumerate(_TRACE):
        if before and part == 2:
            continue  # nothing of the response is there yet
        x += share * _trace(rows.parts[:, part], size.hidden, seed, part)
    length = torch.tensor(rows.columns["n_words"]).float()
    length = (length - length.mean()) / length.std()
    # Before the response there is no length and no surprise yet.
    here = 0.0 if before else 1.0
    x = world.disturbed(x, here * length, here * rows.log_p, rows.wording)
    for t, task in enumerate(FAMILIES):
        mine = rows.task == t
        if not before:
            x[mine] += world.trace(task, rows.sign[mine], depth, when)
        natural = mine & ~rows.is_contrast
        foreseen = 0.5 * mechanism.planned * size.strength * rows.expected[natural, None]
        x[natural] += foreseen * world.plan[task]
    return world.emitted(x)


def _trace(which: Int[Tensor, " sample"], hidden: int, seed: int, part: int) -> Float[Tensor, "sample hidden"]:
    """A vector of its own for each number, the same at every site and position."""
    generator = torch.Generator().manual_seed(2**40 + seed * 8 + part)
    return torch.randn(int(which.max()) + 1, hidden, generator=generator)[which]


def _when(layout: _Layout, p: int) -> float:
    """0 for the first token of the response, 1 for its end; 1 where only the end is drawn."""
    written = [i for i, position in enumerate(layout.positions) if not position.startswith("prompt")]
    return written.index(p) / (len(written) - 1) if p in written and len(written) > 1 else 1.0


def _token_index(position: str, length: Int[Tensor, " sample"]) -> Int[Tensor, " sample"]:
    if position.startswith("prompt"):
        return torch.full_like(length, _PROMPT_TOKENS - 1)
    if position == "eos":
        return _PROMPT_TOKENS + length
    return torch.full_like(length, _PROMPT_TOKENS + int(position[len("response[") : -1]))
