"""Hidden states on disk: safetensors shards of rows, one contiguous tensor a site and position, and the rows' labels.

A shard holds `state|SITE|POSITION` [sample, hidden] in the model's own dtype, and for each position
`token_index|POSITION` and `token_id|POSITION` [sample]: which token each row's state belongs to, -1 where the row has
no such position (its state is then NaN). Reading one site and position touches only its own bytes. Knows no model:
batches come in, in any order within a shard, and go out in the order of the row ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError, safe_open
from torch import Tensor

from heedful.errors import StoreError
from heedful.store.stages import MADE_ANEW, Stage
from heedful.store.tensors import tensor_pieces

_HEADER = "heedful"
_OF_ROWS = ("log_p", "log_p_eos", "max_softmax", "max_softmax_last")


@runtime_checkable
class Batch(Protocol):
    """Some rows' hidden states, as a model reads them (`heedful.models.ReadBatch` is one).

    `rows` are indices into the shard's rows; `states` is [site, position, sample, hidden]; `token_index` and
    `token_ids` are [position, sample]; the others, which are numbers of a row, are [sample] or None.
    """

    @property
    def rows(self) -> tuple[int, ...]: ...
    @property
    def sites(self) -> tuple[str, ...]: ...
    @property
    def positions(self) -> tuple[str, ...]: ...
    @property
    def states(self) -> Tensor: ...
    @property
    def token_index(self) -> Tensor: ...
    @property
    def token_ids(self) -> Tensor: ...
    @property
    def log_p(self) -> Tensor | None: ...
    @property
    def log_p_eos(self) -> Tensor | None: ...
    @property
    def max_softmax(self) -> Tensor | None: ...
    @property
    def max_softmax_last(self) -> Tensor | None: ...


@dataclass(frozen=True)
class Shard:
    """A run of rows that share a file."""

    name: str
    row_ids: tuple[str, ...]


class ActivationWriter:
    """Writes rows shard by shard into a stage; finished shards are skipped when a killed run resumes.

    Which rows share a shard depends on the arguments alone, and never on how the model batches them. One shard is
    in memory.

    Args:
        stage: the stage whose files the shards are.
        row_ids: every row of the run, in the order to keep.
        row_bytes: size of one row over all sites and positions: sites × positions × hidden × bytes a number.
        shard_bytes: the size that a shard should not exceed (it holds at least one row).
        folder: where the shards go, relative to the run folder.
    """

    def __init__(
        self,
        stage: Stage,
        row_ids: Sequence[str],
        row_bytes: int,
        *,
        shard_bytes: int = 64 << 20,
        folder: str = "activations",
    ) -> None:
        if len(set(row_ids)) != len(row_ids):
            raise ValueError("row ids must differ from each other")
        self._stage = stage
        rows = max(1, shard_bytes // max(1, row_bytes))
        self.shards = tuple(
            Shard(f"{folder}/{number:06d}.safetensors", tuple(row_ids[start : start + rows]))
            for number, start in enumerate(range(0, len(row_ids), rows))
        )

    def pending(self) -> Iterator[Shard]:
        """The shards that are not on disk yet."""
        return (shard for shard in self.shards if not self._stage.has(shard.name))

    def write(self, shard: Shard, batches: Iterable[Batch]) -> Path:
        """Collect the shard's rows from `batches` and write it.

        Raises:
            ValueError: a row is missing, comes twice or is none of the shard's; or batches differ in their labels.
            StoreError: the disk is full or cannot be written; the shards before are kept.
        """
        seen = torch.zeros(len(shard.row_ids), dtype=torch.bool)
        tensors: dict[str, Tensor] = {}
        layout: dict[str, tuple[str, ...]] = {}
        for batch in batches:
            at = torch.tensor(batch.rows, dtype=torch.long)
            strangers = not all(0 <= row < len(seen) for row in batch.rows)
            if strangers or len(set(batch.rows)) != len(batch.rows) or seen[at].any():
                raise ValueError(f"{shard.name}: a row came twice, or is none of this shard's")
            seen[at] = True
            layout = layout or {"sites": batch.sites, "positions": batch.positions}
            found = _named(batch)
            if not tensors:
                tensors = {name: values.new_empty((len(seen), *values.shape[1:])) for name, values in found.items()}
            if _types(found) != _types(tensors) or layout != {"sites": batch.sites, "positions": batch.positions}:
                raise ValueError(f"{shard.name}: batches differ in sites, positions or dtype")
            for name, values in found.items():
                tensors[name].index_copy_(0, at, values)
        if not seen.all():
            missing = shard.row_ids[int(seen.logical_not().nonzero()[0])]
            raise ValueError(f"{shard.name}: {int((~seen).sum())} rows never came, {missing!r} among them")
        header = json.dumps({"row_ids": shard.row_ids, **layout})
        return self._stage.write(shard.name, tensor_pieces(tensors, {_HEADER: header}))


class Activations:
    """Hidden states of a run, read lazily from memory-mapped shards.

    Attributes:
        row_ids: the rows, in order.
        sites, positions: what was read, in the order in which the model gave them.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """Open shards in the order given (`RunFolder.files(stage, 'activations/')` gives it).

        Raises:
            StoreError: a shard is missing, damaged or not one of ours, or shards do not belong together.
        """
        if not paths:
            raise StoreError("there are no activation shards", "run the study's read stage first")
        self._folder = paths[0].parent
        self._shards = [_open_shard(path) for path in paths]
        for path, shard in zip(paths, self._shards, strict=True):
            if shard.names != self._shards[0].names:
                raise StoreError(f"{path} holds other sites or positions than {paths[0].name}", MADE_ANEW)
        self.sites = tuple(self._shards[0].sites)
        self.positions = tuple(self._shards[0].positions)
        self.row_ids = tuple(row for shard in self._shards for row in shard.row_ids)
        self._starts = np.cumsum([0] + [len(shard.row_ids) for shard in self._shards])
        self._index = {row: index for index, row in enumerate(self.row_ids)}
        if len(self._index) != len(self.row_ids):
            raise StoreError(f"shards in {self._folder} hold a row twice", MADE_ANEW)

    def __len__(self) -> int:
        return len(self.row_ids)

    def index(self, row_ids: Iterable[str]) -> Int[np.ndarray, " sample"]:
        """Row numbers of `row_ids`, for `get`. Raises KeyError for an unknown row."""
        return np.array([self._index[row] for row in row_ids], dtype=np.int64)

    def get(
        self, site: str, position: str, rows: Int[np.ndarray, " sample"] | None = None
    ) -> Float[Tensor, "sample hidden"]:
        """States at one site and position, in the dtype in which they were read; a copy.

        Args:
            rows: row numbers, in the order wanted; all if None.

        Returns:
            NaN in the rows that lack the position: see `valid`.
        """
        return self._collect(f"state|{site}|{position}", rows)

    def valid(self, position: str, rows: Int[np.ndarray, " sample"] | None = None) -> Bool[Tensor, " sample"]:
        """Which rows have the position."""
        return self.token_index(position, rows) >= 0

    def token_index(self, position: str, rows: Int[np.ndarray, " sample"] | None = None) -> Int[Tensor, " sample"]:
        """Index into the row's token ids of the token that its state belongs to, or -1."""
        return self._collect(f"token_index|{position}", rows)

    def token_id(self, position: str, rows: Int[np.ndarray, " sample"] | None = None) -> Int[Tensor, " sample"]:
        """Id of the token that each row's state belongs to, or -1."""
        return self._collect(f"token_id|{position}", rows)

    def log_p(self, *, eos: bool = False) -> Float[Tensor, " sample"] | None:
        """Log p of each row's response, or of its EOS, in nats; None if it was not read."""
        return self._of_rows("log_p_eos" if eos else "log_p")

    def max_softmax(self, *, last: bool = False) -> Float[Tensor, " sample"] | None:
        """The model's greatest next-token probability, mean over each row's response, or at the last of its predictions;
        NaN where there are none; None if it was not read."""
        return self._of_rows("max_softmax_last" if last else "max_softmax")

    def check_rows(self, token_ids: Mapping[str, Sequence[int]]) -> None:
        """Verify that the rows are those of `token_ids`, and that every state belongs to the token that it claims.

        Args:
            token_ids: row id → all ids that were replayed: prompt, response, EOS.

        Raises:
            StoreError: the activations are of other rows or tokens.
        """
        if strangers := sorted(set(self.row_ids) ^ token_ids.keys()):
            side = "have no states" if strangers[0] in token_ids else "are unknown"
            raise StoreError(f"{self._folder}: {len(strangers)} rows {side}, {strangers[0]!r} among them", MADE_ANEW)
        for position in self.positions:
            claims = zip(
                self.row_ids, self.token_index(position).tolist(), self.token_id(position).tolist(), strict=True
            )
            for row, index, token in claims:
                if index >= 0 and (index >= len(token_ids[row]) or token_ids[row][index] != token):
                    raise StoreError(
                        f"{self._folder}: the state of row {row!r} at {position} claims token {token} at index "
                        f"{index}, which is not what the row has there",
                        MADE_ANEW,
                    )

    def _of_rows(self, name: str) -> Float[Tensor, " sample"] | None:
        return self._collect(name, None) if name in self._shards[0].names else None

    def _collect(self, name: str, rows: Int[np.ndarray, " sample"] | None) -> Tensor:
        if name not in self._shards[0].names:
            raise KeyError(f"{name!r} was not read; there are sites {self.sites} and positions {self.positions}")
        if rows is None:
            # The copy matters: a tensor that still pointed into the file would follow the file's fate.
            return torch.cat([shard.file.get_tensor(name) for shard in self._shards])
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows must be within 0 … {len(self) - 1}")
        first: Tensor = self._shards[0].file.get_tensor(name)
        out = first.new_empty((len(rows), *first.shape[1:]))
        owner = np.searchsorted(self._starts, rows, side="right") - 1
        for shard in np.unique(owner):
            (mine,) = np.nonzero(owner == shard)
            within = torch.from_numpy(rows[mine] - self._starts[shard])
            out[torch.from_numpy(mine)] = self._shards[shard].file.get_tensor(name)[within]
        return out


class _OpenShard(NamedTuple):
    file: Any
    """What safetensors gives: `get_tensor` and the like."""
    names: frozenset[str]
    row_ids: list[str]
    sites: list[str]
    positions: list[str]


def _open_shard(path: Path) -> _OpenShard:
    try:
        file: Any = safe_open(path, framework="pt")
        names = frozenset(file.keys())
        shard = _OpenShard(file, names, **json.loads((file.metadata() or {})[_HEADER]))
        expected = {f"state|{site}|{position}" for site in shard.sites for position in shard.positions}
        expected |= {f"token_{what}|{position}" for what in ("index", "id") for position in shard.positions}
        if names - {*_OF_ROWS} != expected:
            raise ValueError("its tensors are not those that its header names")
        if any(file.get_slice(name).get_shape()[0] != len(shard.row_ids) for name in names):
            raise ValueError("its tensors have not one row for each row id")
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is not a readable shard of activations: {error}", MADE_ANEW) from error
    return shard


def _named(batch: Batch) -> dict[str, Tensor]:
    """A batch's tensors by their names in the file, each [sample, …]."""
    named = {
        f"state|{site}|{position}": batch.states[s, p]
        for s, site in enumerate(batch.sites)
        for p, position in enumerate(batch.positions)
    }
    for p, position in enumerate(batch.positions):
        named[f"token_index|{position}"] = batch.token_index[p]
        named[f"token_id|{position}"] = batch.token_ids[p]
    extra = {name: getattr(batch, name) for name in _OF_ROWS}
    return named | {name: values for name, values in extra.items() if values is not None}


def _types(tensors: Mapping[str, Tensor]) -> dict[str, torch.dtype]:
    return {name: values.dtype for name, values in tensors.items()}
