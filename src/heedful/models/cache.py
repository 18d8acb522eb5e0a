"""Keys and values of rows that come and go while responses are generated.

transformers' own cache copies all that it holds for every token, and no row can join it. Here a token is written in place,
rows leave, and others take their places, aligned at the last column. Knows tensors and nothing of tokens.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Float, Int
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

_SPARE = 32  # columns to grow into, at the least


class Columns:
    """A tensor that grows along its columns, at the front of a buffer with room for more.

    Attributes:
        filled: [row, head, column, dimension], a view of the buffer.
    """

    filled: Tensor
    _buffer: Tensor

    def __init__(self, states: Float[Tensor, "row head column dimension"]) -> None:
        self._move(states, before=0, after=_SPARE)

    def append(self, states: Float[Tensor, "row head new dimension"]) -> None:
        """Further columns, in place; where the buffer is full, into one half as large again."""
        start, new = self.filled.shape[2], states.shape[2]
        if start + new > self._buffer.shape[2]:
            self._move(self.filled, before=0, after=max(new, start // 2))
        self.filled = self._buffer[:, :, : start + new]
        self.filled[:, :, start:] = states

    def keep(self, rows: Int[Tensor, " kept"], first: int) -> None:
        """Only these rows, and no column before the first."""
        columns = self.filled.shape[2] - first
        self._buffer = self._buffer[:, :, first:].index_select(0, rows.to(self._buffer.device))
        self.filled = self._buffer[:, :, :columns]

    def replace(self, rows: Int[Tensor, " replaced"], others: Columns) -> None:
        """The others' columns as these rows' last, in place; what stands before them must be masked."""
        new = others.filled
        missing = new.shape[2] - self.filled.shape[2]
        if missing > 0:
            self._move(self.filled, before=missing, after=_SPARE)
        self.filled[:, :, self.filled.shape[2] - new.shape[2] :].index_copy_(0, rows.to(new.device), new)

    def _move(self, states: Tensor, before: int, after: int) -> None:
        """Into a new buffer, with so many columns of zeros before and room for so many after."""
        rows, heads, columns, width = states.shape
        self._buffer = states.new_empty(rows, heads, before + columns + after, width)
        self._buffer[:, :, :before] = 0
        self.filled = self._buffer[:, :, : before + columns]
        self.filled[:, :, before:] = states


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values.

    It holds what is beyond a sliding window too, which the mask hides: more memory, and rows of any age fit together.
    """

    held: tuple[Columns, Columns]

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append columns; gives all keys and all values, as the attention wants them."""
        if self.is_initialized:
            for columns, states in zip(self.held, (key_states, value_states), strict=True):
                columns.append(states)
        else:
            self.lazy_initialization(key_states, value_states)
            self.held = Columns(key_states), Columns(value_states)
        return self._show()

    def keep(self, rows: Int[Tensor, " kept"], first: int) -> None:
        """See `Columns.keep`."""
        for columns in self.held:
            columns.keep(rows, first)
        self._show()

    def replace(self, rows: Int[Tensor, " replaced"], other: GrowingLayer) -> None:
        """See `Columns.replace`."""
        for columns, others in zip(self.held, other.held, strict=True):
            columns.replace(rows, others)
        self._show()

    def _show(self) -> tuple[Tensor, Tensor]:
        """What transformers reads of a layer: `keys` and `values`."""
        self.keys, self.values = (columns.filled for columns in self.held)
        return self.keys, self.values


class RowCache:
    """A model's cache for rows that come and go.

    Attributes:
        state: what the model takes as `past_key_values`; None where it makes its own.
        joins: whether other rows can take the place of these. A model with other than full and sliding attention keeps
            its own kind of cache, whose rows can only leave.
    """

    def __init__(self, config: Any) -> None:
        """Still empty, for a model with this configuration."""
        layers = DynamicCache(config=config).layers
        kinds = getattr(config.get_text_config(decoder=True), "layer_types", None) or ()
        known = all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)
        self.joins = bool(layers) and known and set(kinds) <= {"full_attention", "sliding_attention"}
        self.state: Any = None
        if self.joins:
            self.state = DynamicCache(config=config)
            self.state.layers = [GrowingLayer() for _ in layers]  # type: ignore[no-untyped-call]

    def keep(self, rows: Int[Tensor, " kept"], first: int) -> None:
        """Only these rows, and, where others can join, no column before the first."""
        if self.joins:
            for layer in self._layers:
                layer.keep(rows, first)
        else:
            self.state.reorder_cache(rows)  # every kind of layer has it; most, but not all, can select rows

    def replace(self, rows: Int[Tensor, " replaced"], other: RowCache) -> None:
        """The other's rows in the place of these, aligned at the last column."""
        for layer, others in zip(self._layers, other._layers, strict=True):
            layer.replace(rows, others)

    @property
    def _layers(self) -> list[GrowingLayer]:
        """Those in use: layers that share another's keys and values have none."""
        return [layer for layer in self.state.layers if layer.is_initialized]
