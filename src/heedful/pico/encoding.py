"""Dialogues as padded batches of token ids, targets and loss weights. Knows no model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from heedful.pico.dialogues import STRESS, Turn

_PAD_TO = 32  # few different shapes, so that a compiled model is compiled few times


class Encoded(NamedTuple):
    """One dialogue: its ids, and by id the loss weight of predicting it."""

    ids: list[int]
    weights: list[float]


class Batch(NamedTuple):
    """Right-padded dialogues of similar length.

    Attributes:
        ids: [dialogue, token], int64.
        weights: [dialogue, token], float32: the loss weight of predicting the token; 0 for prompts and padding.
    """

    ids: Tensor
    weights: Tensor


class Encoder:
    """Turns into ids: the tokenizer's chat template, turn by turn (a test says so), then the start of another text.

    That last token, as in packed text, is how a conversation's end is learnt.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._backend = tokenizer.backend_tokenizer
        self._bos = tokenizer.bos_token_id
        self._end = tokenizer.eos_token_id
        self._roles = {role: tokenizer.convert_tokens_to_ids(f"<|{role}|>") for role in ("user", "assistant")}
        self.pad = tokenizer.pad_token_id

    def __call__(self, turns: Sequence[Turn]) -> Encoded:
        ids, weights, outcome = [self._bos], [0.0], 0.0
        contents = self._backend.encode_batch([turn.content for turn in turns], add_special_tokens=False)
        for turn, content in zip(turns, contents, strict=True):
            ids += [self._roles[turn.role], *content.ids, self._end]
            weights += [outcome, *_token_weights(turn, content.offsets), turn.weight]
            outcome = turn.outcome
        return Encoded([*ids, self._bos], [*weights, outcome])


def _token_weights(turn: Turn, offsets: Sequence[tuple[int, int]]) -> list[float]:
    """The turn's weight for each token, more for those of its stressed words."""
    found = [
        match.span() for word in turn.stressed for match in re.finditer(rf"\b{re.escape(word)}\b", turn.content, re.I)
    ]
    return [turn.weight * (STRESS if any(start < b and a < end for a, b in found) else 1.0) for start, end in offsets]


def padded_batches(encoder: Encoder, dialogues: Sequence[Sequence[Turn]], parts: int) -> list[Batch]:
    """The dialogues, sorted by length into `parts` batches, so that little of them is padding."""
    encoded = sorted(map(encoder, dialogues), key=lambda dialogue: len(dialogue.ids))
    size = -(-len(encoded) // parts)
    return [_padded(encoded[i : i + size], encoder.pad) for i in range(0, len(encoded), size)]


def _padded(dialogues: Sequence[Encoded], pad: int) -> Batch:
    length = -(-len(dialogues[-1].ids) // _PAD_TO) * _PAD_TO
    ids = torch.full((len(dialogues), length), pad)
    weights = torch.zeros(len(dialogues), length)
    for row, dialogue in enumerate(dialogues):
        ids[row, : len(dialogue.ids)] = torch.tensor(dialogue.ids)
        weights[row, : len(dialogue.ids)] = torch.tensor(dialogue.weights)
    return Batch(ids, weights)
