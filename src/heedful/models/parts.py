"""What a forward pass of generation reads: the prompts, or a token of each response, and of which rows. So that a change of
hidden states can be kept to one part, and what is watched can be told by row.

Whoever runs the model says so (`reading`): generation as it goes; a pass of `read` reads whole rows, whose parts cannot be
told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heedful.errors import InputError
from heedful.models.sites import Change

Part = Literal["all", "prompt", "response"]


class Pass(NamedTuple):
    """What one forward pass reads.

    Attributes:
        part: the prompts, or a token of each response; 'all' where whole rows are read.
        rows: which, along the axis `sample`; of generation, indices of prompts.
        going: whether each row is wanted: one that has ended is read along, and so is one that is taken up in the middle of its
            response, where prompts are read.
    """

    part: Part
    rows: Sequence[int] = ()
    going: Sequence[bool] = ()


OnToken = Callable[[tuple[int, ...], Float[Tensor, "row site hidden"]], object]
"""(rows, states of the token that each has just read), see `LanguageModel.watched`."""

_WHOLE = Pass("all")
_now: ContextVar[Pass] = ContextVar("pass", default=_WHOLE)


@contextmanager
def reading(part: Part, rows: Sequence[int] = (), going: Sequence[bool] = ()) -> Iterator[None]:
    """Say what the forward passes inside it read."""
    before = _now.set(Pass(part, rows, going))
    try:
        yield
    finally:
        _now.reset(before)


class LastToken:
    """Gathers, over one forward pass of generation, the states of each row's newest token at some sites, and hands them on once
    the topmost has been seen: of the response, or the last of the prompt. Passes that read whole rows go by."""

    def __init__(self, sites: Sequence[str], topmost: str, on_token: OnToken, on_prompt: OnToken | None) -> None:
        """`sites` in the order in which they are to be handed on; `topmost` is the last of them to be computed."""
        self._place = {site: index for index, site in enumerate(sites)}
        self._topmost = topmost
        self._wanted: dict[Part, OnToken | None] = {"response": on_token, "prompt": on_prompt}
        self._seen: list[Tensor] = [torch.empty(0)] * len(sites)

    def __call__(self, site: str, hidden: Float[Tensor, "sample token hidden"]) -> None:
        now = _now.get()
        hand_on = self._wanted.get(now.part)
        if hand_on is None:
            return
        # Prompts are padded on the left. A copy, since a view would hold the states of whole prompts until the next pass.
        self._seen[self._place[site]] = hidden[:, -1].clone()
        if site == self._topmost:
            self._hand_on(now, hand_on)

    def _hand_on(self, now: Pass, hand_on: OnToken) -> None:
        states = torch.stack([seen.to(self._seen[0].device) for seen in self._seen], 1)
        if all(now.going):
            hand_on(tuple(now.rows), states)
            return
        kept = [index for index, going in enumerate(now.going) if going]
        hand_on(tuple(now.rows[index] for index in kept), states[kept])


def in_part(change: Change, part: Part) -> Change:
    """The change where its part is read, and nothing elsewhere."""
    if part == "all":
        return change

    def only_there(hidden: Tensor) -> Tensor:
        now = _now.get().part
        if now == "all":
            raise InputError(
                f"a change of the {part} alone was met by a pass that reads prompt and response together",
                "generate with it, or change all tokens",
            )
        return change(hidden) if now == part else hidden

    return only_there


def by_row(changes: Sequence[Mapping[str, Change]]) -> dict[str, Change]:
    """One change a site that treats each row as its own mapping says. Rows that share a change are changed together."""

    def at(site: str) -> Change:
        @lru_cache(maxsize=1)  # for as long as the rows are the same; a copy to a GPU waits for what it is doing
        def sharing(rows: tuple[int, ...], device: torch.device) -> list[tuple[Change, Int[Tensor, " place"]]]:
            found: dict[int, tuple[Change, list[int]]] = {}
            for place, row in enumerate(rows):
                if change := changes[row].get(site):
                    found.setdefault(id(change), (change, []))[1].append(place)
            return [(change, torch.tensor(places, device=device)) for change, places in found.values()]

        def each_its_own(hidden: Float[Tensor, "sample token hidden"]) -> Float[Tensor, "sample token hidden"]:
            rows = tuple(_now.get().rows)
            if len(rows) != len(hidden) or max(rows) >= len(changes):
                raise InputError(
                    f"changes were given for {len(changes)} rows, and there is a row that is none of them",
                    "give one mapping a row, and generate, read or replay these rows",
                )
            changed = hidden.clone()
            for change, places in sharing(rows, hidden.device):
                changed[places] = change(hidden[places]).to(hidden.dtype)
            return changed

        return each_its_own

    return {site: at(site) for site in dict.fromkeys(site for each in changes for site in each)}
