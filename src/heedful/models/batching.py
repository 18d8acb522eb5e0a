"""How rows of different lengths share a forward pass: by token budget, and in halves when memory runs out.

Knows lengths only: no model and no tokens. A plan is a function of its arguments alone, so that a run that is repeated
does the same arithmetic.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from heedful.errors import ModelError

A = TypeVar("A")
T = TypeVar("T")


def plan(lengths: Sequence[int], budget: int, *, costs: Sequence[int] = (), cost_budget: int = 0) -> list[list[int]]:
    """Group rows of similar length into batches.

    Args:
        lengths: tokens of each row.
        budget: the most tokens, padding included, in one batch; a longer row makes a batch of its own.
        costs: what each row takes of a second resource that padding does not touch (logits, say); none if empty.
        cost_budget: the most of it in one batch.

    Returns:
        Indices of rows, each exactly once, longest first (so that a batch that does not fit fails at once).
    """
    batches: list[list[int]] = []
    longest = spent = 0
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        cost = costs[row] if costs else 0
        full = not batches or longest * (len(batches[-1]) + 1) > budget or spent + cost > cost_budget
        if full:
            batches.append([])
            longest, spent = lengths[row], 0
        batches[-1].append(row)
        spent += cost
    return batches


def in_halves(batch: Sequence[int], run: Callable[[Sequence[int]], T]) -> Iterator[tuple[Sequence[int], T]]:
    """Run a batch; where memory does not suffice, run its two halves instead, and so on.

    Yields:
        (rows of the part, what `run` gave for them), in order.

    Raises:
        ModelError: not even one row fits.
    """
    waiting = [batch]
    while waiting:
        part = waiting.pop()
        result = _attempt(part, run)
        if result is not None:
            yield part, result[0]
        else:
            _make_room(len(part))
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]]


def with_less(rows: int, run: Callable[[int], T]) -> T:
    """`run(rows)`, the most rows at once; where memory does not suffice, with half as many, and so on.

    Raises:
        ModelError: not even one row fits.
    """
    while True:
        result = _attempt(rows, run)
        if result is not None:
            return result[0]
        _make_room(rows)
        rows //= 2


def _make_room(rows: int) -> None:
    """Memory ran out: give back what can be; with a single row there is nothing left to try."""
    if rows == 1:
        raise ModelError(
            "out of memory with a single row in the batch",
            "use a smaller dtype (--dtype bfloat16), shorter texts (--max-new-tokens) or a larger device",
        )
    release_memory()


def _attempt(part: A, run: Callable[[A], T]) -> tuple[T] | None:
    """`run(part)`, or None if memory ran out; returning from here drops the traceback, which holds tensors."""
    try:
        return (run(part),)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that a device's or the host's memory ran out."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    )


def release_memory() -> None:
    """Give back what is cached and no longer used."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
