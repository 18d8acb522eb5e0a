"""Generate responses in batches, each row with its own seed, so that a row's response does not depend on its
neighbours.

Sampling is the Gumbel-max trick (Gumbel 1954; Maddison, Tarlow & Minka 2014): adding Gumbel noise to the
log-probabilities and taking the largest draws exactly from the softmax. The noise comes from a counter-based
generator keyed by (seed, step, token id), so that it is the same in any batch and on any device. Two batches then differ
by the rounding of the logits alone.

The loop is our own for one reason: finished rows leave the batch. Responses differ in length by a factor of five, and
transformers' own loop carries every row to the end of the longest. Knows token ids and nothing of text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heedful.errors import InputError
from heedful.models.batching import in_halves, plan


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


class Drawn(NamedTuple):
    """What one row drew: the tokens before the end, and the token that ended it (None if cut off)."""

    token_ids: tuple[int, ...]
    eos_id: int | None


_MASK = (1 << 64) - 1
_COMPACT_AT = 7 / 8  # share of a batch still going at which the finished rows leave it: leaving copies the cache


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
    seeds: Sequence[int], step: int, vocabulary: int, device: torch.device | str = "cpu"
) -> Float[Tensor, "sample vocabulary"]:
    """Standard Gumbel noise in f32, a pure function of (seed, step, token id).

    On 32-bit integers, which CPUs have vector instructions for: this runs for every token of the vocabulary at
    every step.
    """
    keys = torch.tensor([[_signed(key) for key in _row_key(seed, step)] for seed in seeds], dtype=torch.int32)
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


def sample(
    model: Any,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    sampling: Sampling,
    *,
    eos_ids: Sequence[int],
    pad_id: int,
    batch_tokens: int,
) -> list[Drawn]:
    """Draw one response a prompt, in the prompts' order.

    Args:
        model: a transformers causal LM.
        prompts: exact token ids; shorter ones are padded on the left, with mask and position ids.
        seeds: one a prompt; any int (its lowest 64 bits count). Equal prompt and seed give an equal response.
        eos_ids: tokens that end a response.
        pad_id: any token id; what is padded is masked.
        batch_tokens: the most tokens, padding and room for the response included, in one batch.
    """
    drawn: dict[int, Drawn] = {}

    def run(rows: Sequence[int]) -> list[Drawn]:
        ids: list[list[int]] = [[] for _ in rows]
        steps = token_steps(model, [prompts[r] for r in rows], [seeds[r] for r in rows], sampling, eos_ids, pad_id)
        for row, token in (pair for step in steps for pair in step):
            ids[row].append(token)
        return [cut(row, eos_ids) for row in ids]

    for batch in plan([len(prompt) + sampling.max_new_tokens for prompt in prompts], batch_tokens):
        for part, results in in_halves(batch, run):
            drawn.update(zip(part, results, strict=True))
    return [drawn[row] for row in range(len(prompts))]


@torch.inference_mode()
def token_steps(
    model: Any,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    sampling: Sampling,
    eos_ids: Sequence[int],
    pad_id: int,
) -> Iterator[list[tuple[int, int]]]:
    """One batch, step by step: each step gives (row, token) of the rows that still go on, and perhaps of a few finished.

    What a row has drawn after its end token is to be ignored: `cut` does so. Arguments as of `sample`.
    """
    device = model.get_input_embeddings().weight.device
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), pad_id, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    ids, mask, ends = ids.to(device), mask.to(device), torch.tensor(eos_ids, device=device)
    # Padding on the left has no position; prompts begin at 0 whatever their width.
    positions = (mask.cumsum(-1) - 1).clamp_min(0)
    rows, cache = list(range(len(prompts))), None
    going = torch.ones(len(prompts), dtype=torch.bool, device=device)
    for step in range(sampling.max_new_tokens):
        output = model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        cache = output.past_key_values
        tokens = _draw(output.logits[:, -1].float(), [seeds[row] for row in rows], step, sampling)
        yield list(zip(rows, tokens.tolist(), strict=True))
        going &= ~torch.isin(tokens, ends)
        left = int(going.sum())
        if not left:
            return
        ids, positions = tokens[:, None], positions[:, -1:] + 1
        if left <= _COMPACT_AT * len(rows):
            kept = going.nonzero().squeeze(-1)
            rows = [rows[index] for index in kept.tolist()]
            ids, positions, mask, going = ids[kept], positions[kept], mask[kept], going[kept]
            cache.batch_select_indices(kept)
        mask = torch.nn.functional.pad(mask, (0, 1), value=1)


def _draw(
    logits: Float[Tensor, "sample vocabulary"], seeds: Sequence[int], step: int, sampling: Sampling
) -> Int[Tensor, " sample"]:
    """The next token of each row."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    scores = logits / sampling.temperature
    if sampling.top_p < 1:
        scores = nucleus(scores, sampling.top_p)
    return (scores + gumbel(seeds, step, scores.shape[1], scores.device)).argmax(-1)


def cut(ids: Sequence[int], eos_ids: Sequence[int]) -> Drawn:
    """The tokens up to the first that ends a response."""
    for index, token in enumerate(ids):
        if token in eos_ids:
            return Drawn(tuple(ids[:index]), token)
    return Drawn(tuple(ids), None)
