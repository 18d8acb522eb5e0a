"""Generate responses in batches whose rows come and go, so that no row waits for the longest.

Responses differ in length by a factor of five. Rows that have ended leave the batch, and prompts that wait take their
places: transformers' own loop carries every row to the end of the longest. What a row draws depends on its prompt and its
seed alone, see `sampling`. Knows token ids and nothing of text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from heedful.models.batching import with_less
from heedful.models.cache import RowCache
from heedful.models.parts import reading
from heedful.models.sampling import Sampling, draw

_LEAVE_AT = 1 / 8  # share of a batch that has ended at which it leaves: leaving copies the cache
_JOIN_AT = 1 / 4  # share of places that are free at which waiting prompts take them: that is a forward pass of its own


class Drawn(NamedTuple):
    """What one row drew: the tokens before the end, and the token that ended it (None if cut off)."""

    token_ids: tuple[int, ...]
    eos_id: int | None

    @classmethod
    def of(cls, ids: Sequence[int], eos_ids: Collection[int]) -> Drawn:
        """From all tokens of a row, the one that ended it included."""
        return cls(tuple(ids[:-1]), ids[-1]) if ids and ids[-1] in eos_ids else cls(tuple(ids), None)


def sample(
    model: Any,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    sampling: Sampling,
    *,
    eos_ids: Collection[int],
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

    def run(at_once: int) -> None:
        left = [row for row in longest_first if row not in drawn]
        ids: dict[int, list[int]] = {row: [] for row in left}
        steps = token_steps(model, prompts, seeds, sampling, eos_ids, pad_id, at_once, rows=left)
        for row, token in (pair for step in steps for pair in step):
            ids[row].append(token)
            if token in eos_ids or len(ids[row]) == sampling.max_new_tokens:
                drawn[row] = Drawn.of(ids[row], eos_ids)

    if prompts:
        # Longest first, so that a batch that does not fit fails at once.
        longest_first = sorted(range(len(prompts)), key=lambda row: -len(prompts[row]))
        room = len(prompts[longest_first[0]]) + sampling.max_new_tokens
        with_less(min(len(prompts), max(1, batch_tokens // room)), run)
    return [drawn[row] for row in range(len(prompts))]


@torch.inference_mode()
def token_steps(
    model: Any,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    sampling: Sampling,
    eos_ids: Collection[int],
    pad_id: int,
    at_once: int,
    rows: Sequence[int] | None = None,
) -> Iterator[list[tuple[int, int]]]:
    """Step by step, (row, token) of the rows that were read: each row's tokens up to the one that ends it, or to the limit.

    Args:
        at_once: the most rows in a batch; the others wait for a place.
        rows: which of the prompts, in the order in which they get a place; all by default.
        others: as of `sample`.
    """
    waiting, batch = deque(range(len(prompts)) if rows is None else rows), None
    while batch or waiting:
        free = at_once - sum(batch.going) if batch else at_once
        fresh = None
        if waiting and (batch is None or (batch.cache.joins and free >= _JOIN_AT * at_once)):
            begun = [waiting.popleft() for _ in range(min(free, len(waiting)))]
            fresh = _Batch(model, begun, [prompts[row] for row in begun], pad_id)
        read = fresh or batch
        assert read is not None
        draws = [(seeds[row], step) for row, step in zip(read.rows, read.steps, strict=True)]
        tokens = draw(read.logits(model), draws, sampling)
        yield read.take(tokens, eos_ids, sampling.max_new_tokens)
        if fresh and batch:
            batch.join(fresh)
        batch = batch or fresh
        assert batch is not None
        ended = batch.going.count(False)
        if ended == len(batch.rows):
            batch = None
        elif ended >= _LEAVE_AT * len(batch.rows) and not (waiting and batch.cache.joins):
            batch.leave()


class _Batch:
    """Rows that are generated together.

    Attributes:
        rows: which prompts.
        steps: how many tokens each has drawn.
        going: whether each goes on; one that does not draws on, unseen, until it leaves.
        cache: their keys and values.
    """

    def __init__(self, model: Any, rows: Sequence[int], prompts: Sequence[Sequence[int]], pad_id: int) -> None:
        device, width = model.get_input_embeddings().weight.device, max(map(len, prompts))
        self.rows, self.steps, self.going = list(rows), [0] * len(rows), [True] * len(rows)
        self.cache = RowCache(model.config)
        self._ids = torch.tensor([[pad_id] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device)
        self._mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        # Padding on the left has no position; prompts begin at 0 whatever their width.
        self._positions = (self._mask.cumsum(-1) - 1).clamp_min(0)

    def logits(self, model: Any) -> Float[Tensor, "row vocabulary"]:
        """Read what has not been read yet: of the next token, in f32."""
        with reading("response" if self.steps[0] else "prompt", self.rows, self.going):
            output = model(
                input_ids=self._ids, attention_mask=self._mask, position_ids=self._positions,
                past_key_values=self.cache.state, use_cache=True, logits_to_keep=1,
            )  # fmt: skip
        self.cache.state = output.past_key_values
        return output.logits[:, -1].float()  # type: ignore[no-any-return]

    def take(self, tokens: Int[Tensor, " row"], eos_ids: Collection[int], most: int) -> list[tuple[int, int]]:
        """Append a token to each row; gives (row, token) of those that went on until now."""
        ids = tokens.tolist()
        taken = [(row, token) for row, token, going in zip(self.rows, ids, self.going, strict=True) if going]
        self.steps = [step + 1 for step in self.steps]
        self.going = [
            going and token not in eos_ids and step < most
            for going, token, step in zip(self.going, ids, self.steps, strict=True)
        ]
        self._ids, self._mask = tokens[:, None], pad(self._mask, (0, 1), value=1)
        # A row that has ended stays where it is: there may be no position beyond.
        self._positions = self._positions[:, -1:] + tokens.new_tensor(self.going)[:, None]
        return taken

    def leave(self) -> None:
        """Drop the rows that have ended, and columns that no other row has."""
        kept = [index for index, going in enumerate(self.going) if going]
        self.rows, self.steps = [self.rows[index] for index in kept], [self.steps[index] for index in kept]
        self.going = [True] * len(kept)
        chosen = torch.tensor(kept, device=self._mask.device)
        self._keep(chosen, int(self._mask[chosen].argmax(-1).min()) if self.cache.joins else 0)

    def join(self, other: _Batch) -> None:
        """The other's rows in the places of rows that have ended, all read as far."""
        places = [index for index, going in enumerate(self.going) if not going][: len(other.rows)]
        for place, row, step, going in zip(places, other.rows, other.steps, other.going, strict=True):
            self.rows[place], self.steps[place], self.going[place] = row, step, going
        width = max(self._mask.shape[1], other._mask.shape[1])
        self._mask, others = (pad(each._mask, (width - each._mask.shape[1], 0)) for each in (self, other))
        chosen = torch.tensor(places, device=self._mask.device)
        for mine, its in ((self._mask, others), (self._ids, other._ids), (self._positions, other._positions)):
            mine[chosen] = its
        self.cache.replace(chosen, other.cache)
        first = int(self._mask.argmax(-1).min())
        if first > width // 2:
            self._keep(torch.arange(len(self.rows), device=chosen.device), first)

    def _keep(self, chosen: Int[Tensor, " kept"], first: int) -> None:
        self._ids, self._positions, self._mask = self._ids[chosen], self._positions[chosen], self._mask[chosen, first:]
        self.cache.keep(chosen, first)
