"""Studies with planted mechanisms, written to disk and read back as a real run is."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from heedful.lenses import Fits, StudyData, fit_probes
from heedful.store import Activations, ActivationWriter, RunFolder, read_table, write_table

FAMILIES = {
    "word_count": "structural",
    "include": "lexical",
    "topic": "semantic",
    "register": "stylistic",
}
FAMILY_OF = {**FAMILIES, "exclude": "lexical", "sentiment": "semantic", "toxicity": "stylistic"}
RESPONSE = ("response_text", "response_ids", "n_words", "n_chars")
LABEL = {"I1R1": 1, "I1R2": 0, "I2R1": 0, "I2R2": 1}


@dataclass(frozen=True)
class Read:
    """All rows' states, as a model gives them."""

    rows: tuple[int, ...]
    sites: tuple[str, ...]
    positions: tuple[str, ...]
    states: Tensor
    token_index: Tensor
    token_ids: Tensor
    log_p: Tensor | None = None
    log_p_eos: Tensor | None = None
    max_softmax: Tensor | None = None
    max_softmax_last: Tensor | None = None


FEW_CELLS: dict[str, Any] = {"sites": ("embed", "block.0.out"), "positions": ("prompt[-1]", "eos")}
"""Of a `Planted` study, where one that shows what it is about at a single cell is enough."""

Signal = Callable[[str, int, int], float]
"""Strength of the label's trace at (task, site index, position index)."""


@dataclass(frozen=True)
class Planted:
    """A synthetic study: `strength` of each task's label along its direction, which tasks may share."""

    strength: Signal = lambda task, site, position: 0.0
    shared: bool = False
    axis: Callable[[str], tuple[str, float]] = lambda task: (task, 1.0)
    """The task along whose direction a task's label lies, and its cosine there; `shared` makes it one for all."""
    squares: dict[str, int] | int = 48
    natural: dict[str, int] | int = 0
    tasks: tuple[str, ...] = tuple(FAMILIES)
    n_bases: int = 24
    hidden: int = 24
    sites: tuple[str, ...] = ("embed", "block.0.out", "block.1.out")
    positions: tuple[str, ...] = ("prompt[-1]", "response[7]", "eos")
    n_reference: int = 30
    texts: Callable[[str, int], Sequence[tuple[str, str]]] | None = None
    """task, square → prompt and response of the four cells."""
    edit: Callable[[list[dict[str, Any]], Tensor], None] = lambda rows, index: None
    """May change rows and token_index [position, sample] (-1: the row lacks the position)."""
    sureness: Callable[[list[dict[str, Any]]], Tensor] | None = None
    """The model's greatest next-token probability in each row; not read by default."""
    seed: int = 0


def rows_of(planted: Planted) -> list[dict[str, Any]]:
    rng = np.random.default_rng(planted.seed)

    def row(kind: str, task: str, base: int, **more: Any) -> dict[str, Any]:
        words = int(rng.integers(5, 40))
        held_out = bool(rng.random() < 0.2)
        return {
            "kind": kind, "task": task, "family": FAMILY_OF.get(task, ""), "base_id": base, "square_id": None,
            "cell": None, "template_id": f"{task}-{int(rng.integers(2)) + 4 * held_out}", "held_out": held_out,
            "constraint": json.dumps({"id": f"some/{task}", "at_most": int(rng.integers(4))}),
            "prompt_text": f"{task} {int(rng.integers(9))}", "response_text": "word " * words,
            "prompt_ids": [int(rng.integers(9999))], "response_ids": [2] * words, "finish_reason": "stop", "n_words": words,
            "n_chars": 5 * words, "origin": "model", "bare_id": None,
            **more,
        }  # fmt: skip

    rows = []
    for task in planted.tasks:
        wanted = planted.squares if isinstance(planted.squares, int) else planted.squares[task]
        for square in range(wanted):
            texts = planted.texts(task, square) if planted.texts else None
            template = row("contrast", task, square % planted.n_bases)
            shared = {key: template[key] for key in ("template_id", "held_out")}
            response = [{k: one[k] for k in RESPONSE} for one in (template, row("contrast", task, 0))]
            for c, (cell, label) in enumerate(LABEL.items()):
                written = {} if texts is None else {"prompt_text": texts[c][0], "response_text": texts[c][1]}
                rows.append(
                    row(
                        "contrast", task, square % planted.n_bases, square_id=f"{task}-{square}", cell=cell, label=label
                    )
                    | shared
                    | response[c % 2]
                    | written
                )
        wanted = planted.natural if isinstance(planted.natural, int) else planted.natural[task]
        rows += [row("natural", task, i % planted.n_bases, label=int(rng.random() < 0.6)) for i in range(wanted)]
    rows += [row("reference", "", -1, label=-1) for _ in range(planted.n_reference)]
    return [{"row_id": f"r{i}", **one} for i, one in enumerate(rows)]


def states_of(planted: Planted, rows: list[dict[str, Any]]) -> Tensor:
    """[site, position, sample, hidden]: noise, what the instruction and the response leave, and the label's trace."""
    generator = torch.Generator().manual_seed(planted.seed + 1)
    n, d = len(rows), planted.hidden
    x = torch.randn(len(planted.sites), len(planted.positions), n, d, generator=generator)
    basis = torch.linalg.qr(torch.randn(d, d, generator=generator)).Q
    number = {task: 0 if planted.shared else t for t, task in enumerate(planted.tasks)}
    direction = {}
    for task in planted.tasks:
        along, cosine = planted.axis(task)
        direction[task] = cosine * basis[number[along]] + (1 - cosine**2) ** 0.5 * basis[number[task]]
    cells: dict[tuple[Any, str], Tensor] = {}
    for i, one in enumerate(rows):
        for part in (one["cell"] or "")[:2], (one["cell"] or "")[2:]:
            # Each instruction and each response leaves a trace of its own: it must not help.
            if part:
                key = (one["square_id"], part)
                x[:, :, i] += cells.setdefault(key, 0.5 * torch.randn(d, generator=generator))
        if one["label"] in (0, 1):
            for s in range(len(planted.sites)):
                for p in range(len(planted.positions)):
                    before = planted.positions[p].startswith("prompt")
                    amount = 0.0 if before and one["kind"] == "contrast" else planted.strength(one["task"], s, p)
                    x[s, p, i] += amount * (2 * one["label"] - 1) * direction[one["task"]]
    return x


@dataclass(frozen=True)
class Study:
    data: StudyData
    fits: Fits


@pytest.fixture(scope="session")
def write_study(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Planted], StudyData]:
    def write(planted: Planted, **options: Any) -> StudyData:
        path: Path = tmp_path_factory.mktemp("study")
        rows = rows_of(planted)
        index = torch.tensor([[0, 8, 20][: len(planted.positions)]] * len(rows)).T.contiguous()
        states = states_of(planted, rows)
        planted.edit(rows, index)
        states[:, index < 0] = torch.nan
        read = Read(
            rows=tuple(range(len(rows))),
            sites=planted.sites,
            positions=planted.positions,
            states=states,
            token_index=index,
            token_ids=torch.where(index < 0, -1, 7),
            log_p=-torch.tensor([float(one["n_words"]) for one in rows]),
            max_softmax=planted.sureness(rows) if planted.sureness else None,
            max_softmax_last=planted.sureness(rows) if planted.sureness else None,
        )
        write_table(path / "rows.parquet", {key: [one[key] for one in rows] for key in rows[0]})
        with RunFolder.open(path / "run", {}) as run:
            stage = run.stage("read")
            writer = ActivationWriter(stage, [one["row_id"] for one in rows], row_bytes=1, shard_bytes=len(rows))
            for shard in writer.pending():
                writer.write(shard, [read])
            stage.finish()
            activations = Activations(run.files("read", "activations/"))
        return StudyData(read_table(path / "rows.parquet"), activations, n_folds=4, **options)

    return write


@pytest.fixture(scope="session")
def study(write_study: Callable[..., StudyData]) -> Callable[..., Study]:
    def make(planted: Planted, *, controls: bool = True, **options: Any) -> Study:
        data = write_study(planted, **options)
        return Study(data, fit_probes(data, controls=controls))

    return make


@pytest.fixture(scope="session")
def planted() -> type[Planted]:
    return Planted
