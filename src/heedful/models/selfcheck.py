"""Is what we read what the model computes? Checked at load on a few tokens of the loaded model itself.

Four comparisons, each a law of a causal decoder that some architecture, version, kernel or dtype has been seen to
break:

- *batched*: states of a padded, ragged batch equal those of the single, unpadded row;
- *hooks*: what our hooks see equals transformers' own `hidden_states` (all but the last block, whose are normed);
- *causal*: a row's states do not change with the tokens that come after it (an encoder's do);
- *log_p*: the log-probabilities that we compute equal those from the whole row's logits (nats, per token).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from heedful.errors import ModelError
from heedful.models.forward import model_inputs
from heedful.models.reading import in_order, read
from heedful.models.replay import Replay
from heedful.models.sites import site_names, watching

TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-3, torch.bfloat16: 0.08, torch.float16: 0.02}
"""Relative error allowed, by dtype: well above rounding over a hundred layers, well below the errors of wrong
padding, mask or positions, which begin at 0.17."""

QUANTISED_TOLERANCE = 0.1
"""Quantised kernels choose outliers, and so round, by batch."""

_TEXT = (
    "A ferry left the harbour before dawn, and seven people stood on the pier to see it go. "
    "Nobody spoke until the lights had gone, and then everybody did."
)
_POSITIONS = ("prompt[0]", "prompt[-1]", "response[0]", "response[50%]", "response[-1]", "eos")


@dataclass(frozen=True)
class SelfCheck:
    """The largest errors found (relative for states, nats per token for log p), and what was allowed."""

    batched: float
    hooks: float
    causal: float
    log_p: float
    tolerance: float
    seconds: float

    def to_dict(self) -> dict[str, float]:
        """For a manifest."""
        return asdict(self)


def self_check(model: Any, blocks: nn.ModuleList, tokenizer: Any, *, quantised: bool = False) -> SelfCheck:
    """Check a loaded model.

    Raises:
        ModelError: a comparison fails (the message says which and what it means), or the tokenizer is another model's.
    """
    started = time.perf_counter()
    ids = tokenizer(_TEXT, add_special_tokens=False)["input_ids"][:32]
    ids = ids if len(ids) >= 16 else [1 + index % 7 for index in range(16)]  # a tokenizer that knows no such text
    if max(ids) >= (vocabulary := model.get_input_embeddings().weight.shape[0]):
        raise ModelError(
            f"the tokenizer makes tokens up to {max(ids)} of plain text, and the model's vocabulary ends at {vocabulary - 1}",
            "put the tokenizer that the model was trained with beside the weights",
        )
    # The shorter rows are prefixes of the longest, so that one single pass is the reference for all of them.
    rows = [_row(ids[:length]) for length in (len(ids), len(ids) // 2, 5)]
    sites = site_names(len(blocks))
    with torch.no_grad():
        alone = _alone(model, blocks, ids)
        prefix = _alone(model, blocks, ids[: len(ids) // 2])
        batch = in_order(read(model, blocks, rows, sites, _POSITIONS, log_p=True, batch_tokens=3 * len(ids)))
    reference = torch.stack([alone.seen[site][batch.token_index] for site in sites])
    if not (alone.finite and batch.states.isfinite().all() and reference.isfinite().all()):
        raise ModelError(
            f"the model overflows in {_name(model.dtype)}: its hidden states are not finite",
            "load it in another dtype: --dtype bfloat16, or float32",
        )
    tolerance = QUANTISED_TOLERANCE if quantised else TOLERANCE.get(model.dtype, 0.1)
    errors = [
        abs(float(batch.log_p[i]) - float(alone.log_p[len(row.prompt_ids) : len(row) - 1].sum()))
        / len(row.response_ids)
        for i, row in enumerate(rows)
        if batch.log_p is not None
    ]
    half = len(ids) // 2
    check = SelfCheck(
        batched=max(_error(batch.states[:, :, i], reference[:, :, i]) for i in range(len(rows))),
        hooks=max(_error(alone.seen[site], alone.hidden[index]) for index, site in enumerate(sites[:-1])),
        causal=max(_error(alone.seen[site][:half], prefix.seen[site]) for site in sites),
        log_p=max(errors),
        tolerance=tolerance,
        seconds=time.perf_counter() - started,
    )
    _judge(check, type(model).__name__)
    return check


def _judge(check: SelfCheck, architecture: str) -> None:
    meanings = {
        "hooks": "what hooks on its blocks see is not what transformers calls its hidden states",
        "causal": "its hidden states depend on later tokens: it is not a causal language model",
        "batched": "hidden states of a padded batch differ from those of a single row",
        "log_p": "log-probabilities of a padded batch differ from those of a single row",
    }
    for name, meaning in meanings.items():
        error = getattr(check, name)
        if error > check.tolerance:
            raise ModelError(
                f"self-check failed for {architecture}: {meaning} (error {error:.2g}, allowed {check.tolerance:.2g})",
                "its states cannot be trusted; try --dtype float32 and the newest transformers, or another model",
            )


def _row(ids: Sequence[int]) -> Replay:
    third = len(ids) // 3
    return Replay(prompt_ids=ids[:third], response_ids=ids[third:-1], eos_id=ids[-1])


@dataclass(frozen=True)
class _Alone:
    """One unpadded row: what hooks saw by site, transformers' hidden states, and log p of each token (0 for the
    first)."""

    seen: dict[str, Float[Tensor, "token hidden"]]
    hidden: list[Float[Tensor, "token hidden"]]
    log_p: Float[Tensor, " token"]
    finite: bool


def _alone(model: Any, blocks: nn.ModuleList, ids: Sequence[int]) -> _Alone:
    seen: dict[str, Tensor] = {}
    tokens = torch.tensor([list(ids)])
    with watching(
        blocks, site_names(len(blocks)), lambda site, hidden: seen.update({site: hidden[0].cpu()}), stop=False
    ):
        output = model(**model_inputs(model, tokens), output_hidden_states=True)
    log_probs = output.logits[0, :-1].float().log_softmax(-1).cpu()
    log_p = log_probs.gather(1, tokens[0, 1:, None])[:, 0]
    return _Alone(
        seen=seen,
        hidden=[state[0].cpu() for state in output.hidden_states],
        log_p=torch.cat([torch.zeros(1), log_p]),
        finite=bool(output.logits.isfinite().all()),
    )


def _error(found: Float[Tensor, "*axes hidden"], expected: Float[Tensor, "*axes hidden"]) -> float:
    """Relative error of a token's state, averaged over the tokens of the worst site.

    Averaged, since in bf16 a single token may be routed to another expert by rounding alone.
    """
    found, expected = found.double(), expected.double()
    relative = (found - expected).norm(dim=-1) / expected.norm(dim=-1).clamp(min=1e-12)
    return float(relative.mean(-1).max())


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
