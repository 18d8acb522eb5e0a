"""How far a changed model has moved from itself: perplexity before and after, and KL(before ‖ after), on given texts.

By replay: all read the same tokens. Knows rows of token ids; what changes the model is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heedful.models.batching import in_halves, plan
from heedful.models.forward import model_inputs
from heedful.models.likelihood import Predictions, predictions
from heedful.models.parts import reading
from heedful.models.replay import Replay, pad

_LOGITS_BUDGET = 2**26
"""The most logits (tokens × vocabulary) that are held twice: 256 MiB each in f32."""
_CHUNK = 256


class Divergence(NamedTuple):
    """Sums over the tokens of each row's response and EOS, in nats."""

    n_tokens: Int[Tensor, " sample"]
    nll_before: Float[Tensor, " sample"]
    nll_after: Float[Tensor, " sample"]
    kl: Float[Tensor, " sample"]
    """Σ KL(before ‖ after) of the next token."""


def divergence(
    model: Any,
    rows: Sequence[Replay],
    variants: Sequence[Callable[[], AbstractContextManager[None]]],
    batch_tokens: int,
) -> list[Divergence]:
    """Replay rows as the model is, once, and within each of `variants`: one result a variant.

    Raises:
        ModelError: not even one row fits into memory.
    """
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    batches = plan(
        [len(row) for row in rows],
        batch_tokens,
        costs=[(len(row.response_ids) + 1) * vocabulary for row in rows],
        cost_budget=_LOGITS_BUDGET,
    )
    found = torch.zeros(len(variants), 4, len(rows), dtype=torch.float64)

    def run(part: Sequence[int]) -> None:
        chosen = [rows[index] for index in part]
        padded = pad(chosen)
        inputs = model_inputs(model, padded.ids, padded.mask)
        with torch.inference_mode(), reading("all", part):
            before = predictions(model, inputs, chosen)
            for number, changed in enumerate(variants):
                with changed():
                    after = predictions(model, inputs, chosen)
                found[number][:, list(part)] = _moved(before, after, len(chosen))

    for batch in batches:
        for _ in in_halves(batch, run):
            pass
    return [Divergence(each[0].long(), *each[1:]) for each in found]


def _moved(before: Predictions, after: Predictions, n_rows: int) -> Float[Tensor, "4 sample"]:
    """The fields of a `Divergence`."""
    chunks = zip(*(torch.split(each, _CHUNK) for each in (before.logits, after.logits, before.targets)), strict=True)
    # On the model's device: only a few numbers of each token leave it, and not its whole vocabulary.
    each = torch.cat([_of_tokens(*chunk) for chunk in chunks], 1).cpu()
    return torch.zeros(4, n_rows, dtype=torch.float64).index_add_(1, before.sample, each.double())


def _of_tokens(
    before: Float[Tensor, "token vocabulary"], after: Float[Tensor, "token vocabulary"], target: Int[Tensor, " token"]
) -> Float[Tensor, "4 token"]:
    """1, both negative log-likelihoods of the token that came, and KL(before ‖ after)."""
    p, q = (logits.float().log_softmax(-1) for logits in (before, after))
    nll = [-each.gather(-1, target.unsqueeze(-1))[:, 0] for each in (p, q)]
    return torch.stack([torch.ones_like(nll[0]), *nll, _kl(p, q)])


def _kl(p: Float[Tensor, "token vocabulary"], q: Float[Tensor, "token vocabulary"]) -> Float[Tensor, " token"]:
    """Of log-probabilities; a token that p rules out adds nothing."""
    kl: Tensor = torch.where(p > -torch.inf, p.exp() * (p - q), 0.0).sum(-1)
    return kl
