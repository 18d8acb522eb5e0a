"""Dialogues as padded batches of token ids, targets and loss weights. Knows no model."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from heedful.pico.dialogues import STRESS, Turn, draw_dialogue
from heedful.pico.pool import PoolText

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
    """Turns into ids; equal to the tokenizer's chat template, turn by turn (a test says so)."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._backend = tokenizer.backend_tokenizer
        self._bos = tokenizer.bos_token_id
        self._end = tokenizer.eos_token_id
        self._roles = {role: tokenizer.convert_tokens_to_ids(f"<|{role}|>") for role in ("user", "assistant")}
        self.pad = tokenizer.pad_token_id

    def __call__(self, turns: Sequence[Turn]) -> Encoded:
        ids, weights = [self._bos], [0.0]
        contents = self._backend.encode_batch([turn.content for turn in turns], add_special_tokens=False)
        for turn, content in zip(turns, contents, strict=True):
            ids += [self._roles[turn.role], *content.ids, self._end]
            weights += [0.0, *_token_weights(turn, content.offsets), turn.weight]
        return Encoded(ids, weights)


def _token_weights(turn: Turn, offsets: Sequence[tuple[int, int]]) -> list[float]:
    """The turn's weight for each token, more for those of its stressed words."""
    found = [
        match.span() for word in turn.stressed for match in re.finditer(rf"\b{re.escape(word)}\b", turn.content, re.I)
    ]
    return [turn.weight * (STRESS if any(start < b and a < end for a, b in found) else 1.0) for start, end in offsets]


def step_batches(
    encoder: Encoder, pool: Sequence[PoolText], seed: int, step: int, size: int, parts: int, check_weight: float
) -> list[Batch]:
    """The `size` dialogues of one step, sorted by length into `parts` batches; a function of seed and step."""
    rng = random.Random(f"{seed}/{step}")
    drawn = sorted((encoder(draw_dialogue(rng, pool, check_weight)) for _ in range(size)), key=lambda e: len(e.ids))
    per_part = -(-size // parts)
    return [_padded(drawn[i : i + per_part], encoder.pad) for i in range(0, size, per_part)]


def _padded(dialogues: Sequence[Encoded], pad: int) -> Batch:
    length = -(-len(dialogues[-1].ids) // _PAD_TO) * _PAD_TO
    ids = torch.full((len(dialogues), length), pad)
    weights = torch.zeros(len(dialogues), length)
    for row, dialogue in enumerate(dialogues):
        ids[row, : len(dialogue.ids)] = torch.tensor(dialogue.ids)
        weights[row, : len(dialogue.ids)] = torch.tensor(dialogue.weights)
    return Batch(ids, weights)
