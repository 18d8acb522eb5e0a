"""Read hidden states by replay: the exact prompt and response ids once more, selected positions at selected sites.

Rows are padded on the right with mask and position ids (exact to rounding for rotary and absolute positions alike), and
positions are selected inside the hook, on the device: only what is asked for ever leaves it. Knows token ids and no
text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from heedful.errors import InputError
from heedful.models.batching import in_halves, plan
from heedful.models.forward import model_inputs
from heedful.models.likelihood import LOGITS_BUDGET, likelihood
from heedful.models.parts import reading
from heedful.models.positions import parse_position
from heedful.models.replay import Replay, check_rows, pad, token_index
from heedful.models.sites import check_sites, site_names, watching


@dataclass(frozen=True)
class ReadBatch:
    """Hidden states of some rows, on the CPU, labelled.

    Attributes:
        rows: which of the given rows these are, along the axis `sample`.
        sites: names along the axis `site`.
        positions: names along the axis `position`.
        states: in the model's own dtype; NaN where `valid` is false.
        valid: whether the row has a token at the position.
        token_index: the token's index in the row (prompt, response, EOS); -1 where `valid` is false.
        token_ids: the token there; -1 where `valid` is false.
        log_p: log p(answer | what stands before it) in nats, the sum over the response's tokens from `answer_start` on,
            EOS not among them; None if not asked for.
        log_p_eos: log p(EOS | all before it) in nats; NaN for a row without EOS; None if not asked for.
        max_softmax: the greatest next-token probability, mean over the predictions of the answer's tokens and of EOS; NaN
            where there are none; None unless log p is asked for.
        max_softmax_last: the same at the last of those predictions.
    """

    rows: tuple[int, ...]
    sites: tuple[str, ...]
    positions: tuple[str, ...]
    states: Float[Tensor, "site position sample hidden"]
    valid: Bool[Tensor, "position sample"]
    token_index: Int[Tensor, "position sample"]
    token_ids: Int[Tensor, "position sample"]
    log_p: Float[Tensor, " sample"] | None
    log_p_eos: Float[Tensor, " sample"] | None
    max_softmax: Float[Tensor, " sample"] | None = None
    max_softmax_last: Float[Tensor, " sample"] | None = None


def read(
    model: Any,
    blocks: nn.ModuleList,
    rows: Sequence[Replay],
    sites: Sequence[str],
    positions: Sequence[str],
    *,
    log_p: bool,
    batch_tokens: int,
) -> Iterator[ReadBatch]:
    """Read rows batch by batch, longest first; each row comes exactly once, and `ReadBatch.rows` says which it is.

    The batches are a function of the arguments alone. Without `log_p` the forward pass ends at the topmost site.
    Beyond the model, memory holds one batch's forward pass and what was selected from it.

    Args:
        model: a transformers causal LM.
        blocks: its blocks, see `find_blocks`.
        rows: what to replay.
        sites: names, see `site_names`.
        positions: names, see `positions.POSITIONS`.
        log_p: whether to compute the log-probabilities of the responses, and the greatest ones, in f32.
        batch_tokens: the most tokens, padding included, in one batch.

    Raises:
        InputError: an unknown site or position, or a row without prompt, beyond the model's context or with an unknown token.
        ModelError: not even one row fits into memory.
    """
    text_config = model.config.get_text_config(decoder=True)
    check_sites(sites, site_names(len(blocks)))
    for position in positions:
        parse_position(position)
    if not sites or not positions:
        raise InputError("nothing to read", "name at least one site and one position")
    vocabulary = model.get_input_embeddings().weight.shape[0]
    check_rows(rows, getattr(text_config, "max_position_embeddings", None), vocabulary)
    batches = plan(
        [len(row) for row in rows],
        batch_tokens,
        costs=[(len(row.response_ids) + 1) * text_config.vocab_size for row in rows] if log_p else (),
        cost_budget=LOGITS_BUDGET,
    )

    def run(part: Sequence[int]) -> ReadBatch:
        return _read_batch(model, blocks, rows, tuple(part), tuple(sites), tuple(positions), log_p)

    return (result for batch in batches for _, result in in_halves(batch, run))


def _read_batch(
    model: Any,
    blocks: nn.ModuleList,
    rows: Sequence[Replay],
    part: tuple[int, ...],
    sites: tuple[str, ...],
    positions: tuple[str, ...],
    log_p: bool,
) -> ReadBatch:
    chosen = [rows[index] for index in part]
    padded = pad(chosen)
    index = token_index(chosen, positions)
    valid = index >= 0
    at = torch.arange(len(chosen)), index.clamp(min=0)  # [sample], [position, sample]
    selected: dict[str, Tensor] = {}

    @cache  # a copy to a GPU waits for what it is doing: once a batch, and not at every site
    def at_on(device: torch.device) -> tuple[Tensor, Tensor]:
        return at[0].to(device), at[1].to(device)

    def select(site: str, hidden: Float[Tensor, "sample token hidden"]) -> None:
        selected[site] = hidden[at_on(hidden.device)]

    inputs = model_inputs(model, padded.ids, padded.mask)
    found = None
    with reading("all", part), watching(blocks, sites, select, stop=not log_p):
        if log_p:
            found = likelihood(model, inputs, chosen)
        else:
            model(**inputs)
    states = torch.stack([selected[site].cpu() for site in sites])
    states[:, ~valid] = torch.nan
    return ReadBatch(
        rows=part,
        sites=sites,
        positions=positions,
        states=states,
        valid=valid,
        token_index=index,
        token_ids=padded.ids[at].masked_fill(~valid, -1),
        log_p=found.answer if found else None,
        log_p_eos=found.eos if found else None,
        max_softmax=found.max_softmax if found else None,
        max_softmax_last=found.max_softmax_last if found else None,
    )


def in_order(batches: Iterable[ReadBatch]) -> ReadBatch:
    """All batches of one `read` as one, its rows in the order in which they were given.

    Raises:
        InputError: there are no batches.
    """
    parts = list(batches)
    if not parts:
        raise InputError("there are no rows to read", "give at least one row")
    order = torch.tensor([row for part in parts for row in part.rows]).argsort()

    def joined(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else torch.cat(values, -1)[..., order]

    return ReadBatch(
        rows=tuple(sorted(row for part in parts for row in part.rows)),
        sites=parts[0].sites,
        positions=parts[0].positions,
        states=torch.cat([part.states for part in parts], 2)[:, :, order],
        valid=joined("valid"),
        token_index=joined("token_index"),
        token_ids=joined("token_ids"),
        log_p=joined("log_p"),
        log_p_eos=joined("log_p_eos"),
        max_softmax=joined("max_softmax"),
        max_softmax_last=joined("max_softmax_last"),
    )
