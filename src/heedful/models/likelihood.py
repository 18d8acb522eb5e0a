"""log p of responses, and how sure the model was, from the same forward pass that reads hidden states, without ever
holding the prompt's logits.

Knows rows of token ids and the model's output head; no sites, no text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from heedful.models.replay import Replay

LOGITS_BUDGET = 2**28
"""The most logits (response tokens × vocabulary) in one batch: 1 GiB in f32."""

_CHUNK = 256  # tokens whose logits are raised to f32 at a time


class Likelihood(NamedTuple):
    """f32; log-probabilities in nats.

    Attributes:
        answer: log p, the sum over the response's tokens from `answer_start` on, EOS not among them.
        eos: log p of EOS after all before it; NaN for a row without EOS.
        max_softmax: the greatest next-token probability, whichever token it was of: its mean over the predictions of the
            same tokens and of EOS; NaN where there are none.
        max_softmax_last: the same at the last of those predictions.
    """

    answer: Float[Tensor, " sample"]
    eos: Float[Tensor, " sample"]
    max_softmax: Float[Tensor, " sample"]
    max_softmax_last: Float[Tensor, " sample"]


def likelihood(model: Any, inputs: dict[str, Any], rows: Sequence[Replay]) -> Likelihood:
    """Run the model on a padded batch, and tell how likely it found the answers, and how sure it was of what comes."""
    found = predictions(model, inputs, rows)
    parts = zip(torch.split(found.logits, _CHUNK), torch.split(found.targets, _CHUNK), strict=True)
    token_log_p, top = torch.cat([_log_p_and_top(*part) for part in parts], 1).cpu()
    answer = torch.zeros(len(rows), dtype=torch.float64)
    answer.index_add_(0, found.sample, token_log_p.double().masked_fill(found.is_eos, 0.0))
    eos = torch.full((len(rows),), torch.nan)
    eos[found.sample[found.is_eos]] = token_log_p[found.is_eos]
    sums = torch.zeros(len(rows), dtype=torch.float64).index_add_(0, found.sample, top.double())
    count = torch.bincount(found.sample, minlength=len(rows))
    # Predictions stand row by row, in the order of the text: a row's last one is where the next row's begin.
    last = torch.cat([torch.full((1,), torch.nan), top])[count.cumsum(0).masked_fill(count == 0, 0)]
    return Likelihood(answer.float(), eos, (sums / count).float(), last)


def _log_p_and_top(
    logits: Float[Tensor, "token vocabulary"], target: Int[Tensor, " token"]
) -> Float[Tensor, "2 token"]:
    """log p of the tokens that came, and the greatest probability of any: one more pass over logits that are there."""
    logits = logits.float()
    log_p = -nn.functional.cross_entropy(logits, target, reduction="none")
    log_sum = logits.gather(-1, target[:, None])[:, 0] - log_p
    return torch.stack([log_p, (logits.amax(-1) - log_sum).exp()])


class Predictions(NamedTuple):
    """What the model says before each token of the answers and their EOS, all rows in one line."""

    logits: Float[Tensor, "token vocabulary"]
    """In the model's own dtype, where its head is."""
    targets: Int[Tensor, " token"]
    """The token that came."""
    sample: Int[Tensor, " token"]
    """Which row it is of."""
    is_eos: Bool[Tensor, " token"]


def predictions(model: Any, inputs: dict[str, Any], rows: Sequence[Replay]) -> Predictions:
    """Run the model on a padded batch.

    Only the hidden states that predict such a token reach the output head: as one long row of tokens, which an
    architecture's own soft-capping or scaling of logits then treats as it treats every row.
    """
    predicted = [
        (index, len(row.prompt_ids) + offset)
        for index, row in enumerate(rows)
        for offset in range(row.answer_start, len(row) - len(row.prompt_ids))
    ]
    # Where nothing is predicted, one token is scored all the same and dropped: the forward pass stays an ordinary one.
    sample, token = torch.tensor(predicted or [(0, 0)]).unbind(1)
    narrowed = False

    def at(values: Tensor, token: Tensor) -> Tensor:
        return values[sample.to(values.device), token.to(values.device)]

    def narrow(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor]:
        nonlocal narrowed
        narrowed = True
        return (at(args[0], (token - 1).clamp(min=0))[None],)

    with _before(model.get_output_embeddings(), narrow):
        logits = model(**inputs).logits
    # A head that is not a module of its own gives every token's logits, and they are selected here.
    logits = logits[0] if narrowed else at(logits, (token - 1).clamp(min=0))
    targets = at(inputs["input_ids"], token).to(logits.device)
    n = len(predicted)
    is_eos = token == torch.tensor([len(row.prompt_ids) + len(row.response_ids) for row in rows])[sample]
    return Predictions(logits[:n], targets[:n], sample[:n], is_eos[:n])


@contextmanager
def _before(module: nn.Module | None, hook: Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor]]) -> Iterator[None]:
    handle = module.register_forward_pre_hook(hook) if module is not None else None
    try:
        yield
    finally:
        if handle is not None:
            handle.remove()
