"""What is replayed through a model: rows of exact token ids, and how a batch of them is padded.

Knows token ids and lengths; nothing of text, hidden states or devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from heedful.errors import InputError
from heedful.models.positions import resolve


@dataclass(frozen=True)
class Replay:
    """One row to read.

    Attributes:
        prompt_ids: as the model saw them, at least one.
        response_ids: as the model, or anyone, wrote them; without the end-of-sequence token.
        eos_id: the token that ended the response; None if it was cut off.
        answer_start: how many of the response's tokens are thinking: positions in the response, and log p, start
            after them.
    """

    prompt_ids: Sequence[int]
    response_ids: Sequence[int]
    eos_id: int | None = None
    answer_start: int = 0

    @property
    def ids(self) -> list[int]:
        """All of the row's tokens."""
        return [*self.prompt_ids, *self.response_ids, *([] if self.eos_id is None else [self.eos_id])]

    def __len__(self) -> int:
        """How many tokens the row has."""
        return len(self.prompt_ids) + len(self.response_ids) + (self.eos_id is not None)


class Padded(NamedTuple):
    """A batch of rows, padded on the right, so that every token stands at its own position. Mask: 1 is a token."""

    ids: Int[Tensor, "sample token"]
    mask: Int[Tensor, "sample token"]


def pad(rows: Sequence[Replay]) -> Padded:
    """Pad rows on the right, with id 0, to the longest."""
    ids = torch.zeros(len(rows), max(len(row) for row in rows), dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row.ids)
        mask[index, : len(row)] = 1
    return Padded(ids, mask)


def token_index(rows: Sequence[Replay], positions: Sequence[str]) -> Int[Tensor, "position sample"]:
    """Where each named position is in each row; -1 where the row has no such token."""
    found = [
        resolve(name, len(row.prompt_ids), len(row.response_ids), row.eos_id is not None, row.answer_start)
        for name in positions
        for row in rows
    ]
    flat = torch.tensor([-1 if index is None else index for index in found], dtype=torch.int64)
    return flat.reshape(len(positions), len(rows))


def check_rows(rows: Sequence[Replay], context: int | None, vocabulary: int) -> None:
    """Raises `InputError` for a row without prompt, with an impossible `answer_start`, beyond the context, or with a token that
    is none of the vocabulary's."""
    for index, row in enumerate(rows):
        if len(row.prompt_ids) == 0:
            raise InputError(f"row {index} has no prompt", "give at least one token (BOS) before the response")
        if not 0 <= row.answer_start <= len(row.response_ids):
            raise InputError(
                f"row {index} says that its answer starts at token {row.answer_start} of {len(row.response_ids)}",
                "answer_start counts the response's own tokens that are thinking",
            )
        check_tokens(f"row {index}", row.ids, vocabulary)
        if context is not None and len(row) > context:
            raise InputError(
                f"row {index} has {len(row)} tokens, and the model's context ends at {context}",
                "leave the row out, or use a model with a longer context",
            )


def check_tokens(what: str, ids: Sequence[int], vocabulary: int) -> None:
    """Raises `InputError` for a token that is none of the vocabulary's: on a GPU, it would take the whole process down."""
    if strangers := [token for token in ids if not 0 <= token < vocabulary]:
        raise InputError(
            f"{what} has token {strangers[0]}, and the model's vocabulary ends at {vocabulary - 1}",
            "encode texts with the model's own tokenizer: model.encode and model.tokens",
        )
