"""Which part of a row a forward pass reads: the prompt, or a token of the response. So that a change of hidden states can be
kept to one of them.

Generation says so as it goes (`reading`); where nobody does, a pass reads both, and cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from torch import Tensor

from heedful.errors import InputError
from heedful.models.sites import Change

Part = Literal["all", "prompt", "response"]

_now: ContextVar[Part] = ContextVar("part", default="all")


@contextmanager
def reading(part: Part) -> Iterator[None]:
    """Say what the forward passes inside it read."""
    before = _now.set(part)
    try:
        yield
    finally:
        _now.reset(before)


def in_part(change: Change, part: Part) -> Change:
    """The change where its part is read, and nothing elsewhere."""
    if part == "all":
        return change

    def only_there(hidden: Tensor) -> Tensor:
        if _now.get() == "all":
            raise InputError(
                f"a change of the {part} alone was met by a pass that reads prompt and response together",
                "generate with it, or change all tokens",
            )
        return change(hidden) if _now.get() == part else hidden

    return only_there
