"""How a token is drawn: greedily, or exactly from the softmax with a seed for each row.

Sampling is the Gumbel-max trick (Gumbel 1954; Maddison, Tarlow & Minka 2014): adding Gumbel noise to the
log-probabilities and taking the largest draws exactly from the softmax. The noise comes from a counter-based
generator keyed by (seed, step, token id), so that it is the same in any batch and on any device. Two batches then differ
by the rounding of the logits alone. Knows logits and nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heedful.errors import InputError


class Sampling(NamedTuple):
    """How tokens are drawn.

    Attributes:
        temperature: logits are divided by it; 0 takes the likeliest token.
        top_p: draw from the smallest set of likeliest tokens that together have at least this probability.
        max_new_tokens: a response that has not ended after so many tokens is cut off.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 256

    def check(self) -> None:
        """Raises `InputError` for a value out of its range."""
        if not 0 <= self.temperature < float("inf"):
            raise InputError(f"temperature is {self.temperature}", "give 0 (greedy) or more; 1 is the model's own")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p is {self.top_p}", "give a probability above 0 and up to 1")
        if self.max_new_tokens < 1:
            raise InputError(f"max_new_tokens is {self.max_new_tokens}", "give 1 or more")


_MASK = (1 << 64) - 1


def _row_key(seed: int, step: int) -> tuple[int, int]:
    """Two 32-bit keys of a row at a step: SplitMix64 (Steele, Lea & Flood 2014), seeded by SplitMix64 of the seed."""
    key = 0
    for value in (seed, step):
        key = (key ^ value) + 0x9E3779B97F4A7C15 & _MASK
        key = (key ^ key >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        key = (key ^ key >> 27) * 0x94D049BB133111EB & _MASK
        key ^= key >> 31
    return key >> 32, key & 0xFFFFFFFF | 1


def _signed(value: int) -> int:
    """A 32-bit number as the int32 of the same bits."""
    return value - (1 << 32) if value >> 31 else value


def _mix(x: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Wellons' 'lowbias32' in place, on int32: products wrap, and shifts are masked, since they keep the sign."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= (x >> shift).bitwise_and_(0xFFFFFFFF >> shift)
        x *= _signed(factor)
    x ^= (x >> 16).bitwise_and_(0xFFFF)
    return x


def gumbel(
    draws: Sequence[tuple[int, int]], vocabulary: int, device: torch.device | str = "cpu"
) -> Float[Tensor, "sample vocabulary"]:
    """Standard Gumbel noise in f32 for each (seed, step), a pure function of seed, step and token id.

    On 32-bit integers, which CPUs have vector instructions for: this runs for every token of the vocabulary at
    every step.
    """
    keys = torch.tensor([[_signed(key) for key in _row_key(seed, step)] for seed, step in draws], dtype=torch.int32)
    first, second = keys.to(device)[:, :, None].unbind(1)
    tokens = _mix(torch.arange(1, vocabulary + 1, dtype=torch.int32, device=device))
    bits = _mix((tokens ^ first).mul_(second)).bitwise_and_(0x7FFFFFFF)
    # 31 bits as u in (0, 1); log1p(-u) keeps f32's precision where it counts, at the small u of the large noise values.
    uniform = bits.to(torch.float32).add_(0.5).mul_(2.0**-31).clamp_(max=1 - 2**-24)
    return uniform.neg_().log1p_().neg_().log_().neg_()


def nucleus(scores: Float[Tensor, "sample vocabulary"], top_p: float) -> Float[Tensor, "sample vocabulary"]:
    """Scores with -inf outside the smallest set of likeliest tokens that holds `top_p` (Holtzman et al. 2020)."""
    ordered, order = scores.sort(dim=-1, descending=True)
    before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)
    outside = torch.empty_like(before, dtype=torch.bool).scatter_(-1, order, before >= top_p)
    return scores.masked_fill(outside, float("-inf"))


def draw(
    logits: Float[Tensor, "sample vocabulary"], draws: Sequence[tuple[int, int]], sampling: Sampling
) -> Int[Tensor, " sample"]:
    """The next token of each row, by its (seed, step)."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    scores = logits / sampling.temperature
    if sampling.top_p < 1:
        scores = nucleus(scores, sampling.top_p)
    return (scores + gumbel(draws, scores.shape[1], scores.device)).argmax(-1)
