"""Generate responses in batches whose rows come and go, so that no row waits for the longest.

Responses differ in length by a factor of five. Rows that have ended leave the batch, and rows that wait, or are added while
the others go on, take their places: transformers' own loop carries every row to the end of the longest. What a row draws
depends on its prompt and its seed alone, see `sampling`. Knows token ids and nothing of text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from heedful.errors import ModelError
from heedful.models.batching import with_less
from heedful.models.cache import RowCache
from heedful.models.forward import accepted
from heedful.models.parts import Part, reading
from heedful.models.sampling import Sampling, draw

_LEAVE_AT = 1 / 8  # share of a batch that has ended at which it leaves: leaving copies the cache
_JOIN_AT = 1 / 4  # share of places that are free at which waiting rows take them: that is a forward pass of its own


class Drawn(NamedTuple):
    """What one row drew: the tokens before the end, and the token that ended it (None if cut off)."""

    token_ids: tuple[int, ...]
    eos_id: int | None

    @classmethod
    def of(cls, ids: Sequence[int], eos_ids: Collection[int]) -> Drawn:
        """From all tokens of a row, the one that ended it included."""
        return cls(tuple(ids[:-1]), ids[-1]) if ids and ids[-1] in eos_ids else cls(tuple(ids), None)


@dataclass(frozen=True, eq=False)
class Row:
    """One response that is to be drawn.

    Attributes:
        index: by which its tokens are told from the others'.
        prompt: exact token ids, what has been drawn already among them.
        seed: any int (its lowest 64 bits count). Equal prompt and seed give an equal response.
        sampling: how; the limit is on what is drawn from here on.
        first: how many tokens of the response the prompt ends with, so that a response that is taken up again goes on with the
            draws that it would have had.
        allowed: asked before each draw, for the tokens that may come next; None allows all. What it raises ends this row and no
            other, see `Decoder.failed`.
    """

    index: int
    prompt: Sequence[int]
    seed: int
    sampling: Sampling
    first: int = 0
    allowed: Callable[[], Bool[Tensor, " vocabulary"]] | None = None


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
        seeds: one a prompt, see `Row`.
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
    decoder = Decoder(model, eos_ids=eos_ids, pad_id=pad_id, at_once=at_once)
    for row in range(len(prompts)) if rows is None else rows:
        decoder.add(Row(row, prompts[row], seeds[row], sampling))
    while decoder:
        yield decoder.step()


class Decoder:
    """Rows that are drawn together, a token each a step. True while there are any.

    Attributes:
        failed: rows that the last step ended without a token, with what their `allowed` raised.
    """

    def __init__(self, model: Any, *, eos_ids: Collection[int], pad_id: int, at_once: int) -> None:
        """Without rows as yet; arguments as of `sample` and `token_steps`."""
        self._model, self._eos_ids, self._pad_id, self._at_once = model, eos_ids, pad_id, at_once
        self._waiting: deque[Row] = deque()
        self._batch: _Batch | None = None
        self.failed: dict[int, Exception] = {}

    def add(self, row: Row) -> None:
        """A further row; it waits for a place, if need be. Where rows cannot join others (see `RowCache.joins`), it waits until
        all of those have ended."""
        self._waiting.append(row)

    def drop(self, index: int) -> None:
        """A row that is no longer wanted. The others draw what they would have drawn."""
        self._waiting = deque(row for row in self._waiting if row.index != index)
        if self._batch:
            rows = zip(self._batch.rows, self._batch.going, strict=True)
            self._batch.going = [going and row.index != index for row, going in rows]

    def __bool__(self) -> bool:
        return bool(self._waiting) or (self._batch is not None and any(self._batch.going))

    @torch.inference_mode()
    def step(self) -> list[tuple[int, int]]:
        """One forward pass: (row, token) of the rows that it read. Those that were waiting are read before the others go on."""
        self._tidy()
        fresh = self._fresh()
        read = fresh or self._batch
        assert read is not None
        logits = read.logits(self._model)
        self.failed = _mask(read, logits)
        taken = read.take(_draw(read, logits), self._eos_ids)
        if fresh and self._batch:
            self._batch.join(fresh)
        self._batch = self._batch or fresh
        self._tidy()
        return taken

    def _fresh(self) -> _Batch | None:
        """Rows that waited, where there are places."""
        batch = self._batch
        free = self._at_once - sum(batch.going) if batch else self._at_once
        if not self._waiting or (batch and not (batch.cache.joins and free >= _JOIN_AT * self._at_once)):
            return None
        return _Batch(
            self._model, [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))], self._pad_id
        )

    def _tidy(self) -> None:
        """Rows that have ended leave, unless others are about to take their places."""
        if self._batch is None:
            return
        ended = self._batch.going.count(False)
        if ended == len(self._batch.rows):
            self._batch = None
        elif ended >= _LEAVE_AT * len(self._batch.rows) and not (self._waiting and self._batch.cache.joins):
            self._batch.leave()


def _mask(batch: _Batch, logits: Float[Tensor, "row vocabulary"]) -> dict[int, Exception]:
    """Leave each row the tokens that it allows; by row, what was raised instead: such a row goes on no further."""
    failed: dict[int, Exception] = {}
    for place, (row, going) in enumerate(zip(batch.rows, batch.going, strict=True)):
        if going and row.allowed is not None:
            try:
                allowed = row.allowed()
            except Exception as error:  # whatever it is, the other rows have no part in it
                failed[row.index] = error
                batch.going[place] = False
            else:
                logits[place].masked_fill_(~allowed.to(logits.device), float("-inf"))
    return failed


def _draw(batch: _Batch, logits: Float[Tensor, "row vocabulary"]) -> Int[Tensor, " row"]:
    """The next token of each row, as its own settings want it."""
    draws = [(row.seed, step) for row, step in zip(batch.rows, batch.steps, strict=True)]
    alike: dict[tuple[float, float], list[int]] = {}
    for place, row in enumerate(batch.rows):
        alike.setdefault((row.sampling.temperature, row.sampling.top_p), []).append(place)
    if len(alike) == 1:
        return draw(logits, draws, batch.rows[0].sampling)
    tokens = torch.empty(len(batch.rows), dtype=torch.int64, device=logits.device)
    for places in alike.values():
        tokens[places] = draw(logits[places], [draws[place] for place in places], batch.rows[places[0]].sampling)
    return tokens


class _Batch:
    """Rows that are generated together.

    Attributes:
        rows: which.
        steps: how many tokens of its response each has.
        going: whether each goes on; one that does not draws on, unseen, until it leaves.
        cache: their keys and values.
    """

    def __init__(self, model: Any, rows: Sequence[Row], pad_id: int) -> None:
        prompts = [row.prompt for row in rows]
        device, width = model.get_input_embeddings().weight.device, max(map(len, prompts))
        self.rows, self.steps, self.going = list(rows), [row.first for row in rows], [True] * len(rows)
        self.cache = RowCache(model.config)
        self._part: Part = "prompt"
        self._ids = torch.tensor([[pad_id] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device)
        self._mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        # Padding on the left has no position; prompts begin at 0 whatever their width.
        self._positions = (self._mask.cumsum(-1) - 1).clamp_min(0)

    def logits(self, model: Any) -> Float[Tensor, "row vocabulary"]:
        """Read what has not been read yet: of the next token, in f32."""
        # A row that is taken up again begins in the middle of its response: its prompt's end is not what it reads last here.
        shown = self.going if self._part == "response" else [row.first == 0 for row in self.rows]
        with reading(self._part, [row.index for row in self.rows], shown):
            output = model(
                input_ids=self._ids, attention_mask=self._mask, past_key_values=self.cache.state, use_cache=True,
                **accepted(model, position_ids=self._positions, logits_to_keep=1),
            )  # fmt: skip
        self.cache.state, self._part = getattr(output, "past_key_values", None), "response"
        if self.cache.state is None:
            raise ModelError(
                f"{type(model).__name__} gives back no keys and values to go on from, so it cannot write here",
                "use another model, or give answers written elsewhere (heedful study --responses)",
            )
        return output.logits[:, -1].float()  # type: ignore[no-any-return]

    def take(self, tokens: Int[Tensor, " row"], eos_ids: Collection[int]) -> list[tuple[int, int]]:
        """Append a token to each row; gives (row, token) of those that went on until now."""
        ids = tokens.tolist()
        taken = [(row.index, token) for row, token, going in zip(self.rows, ids, self.going, strict=True) if going]
        self.steps = [step + 1 for step in self.steps]
        self.going = [
            going and token not in eos_ids and step < row.first + row.sampling.max_new_tokens
            for row, going, token, step in zip(self.rows, self.going, ids, self.steps, strict=True)
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
        """The other's rows in the places of rows that have ended, and in new ones where there are too few; all read as far."""
        self._widen(len(other.rows) - self.going.count(False))
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

    def _widen(self, missing: int) -> None:
        """So many more places: copies of the first row, ended."""
        if missing > 0:
            self.rows += [self.rows[0]] * missing
            self.steps += [self.steps[0]] * missing
            self.going += [False] * missing
            places = [*range(len(self.rows) - missing), *[0] * missing]
            self._keep(torch.tensor(places, device=self._mask.device), 0)

    def _keep(self, chosen: Int[Tensor, " kept"], first: int) -> None:
        self._ids, self._positions, self._mask = self._ids[chosen], self._positions[chosen], self._mask[chosen, first:]
        self.cache.keep(chosen, first)
