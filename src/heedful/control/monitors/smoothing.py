"""From a score a token to a score that may raise an alarm: of the last few tokens together, and its largest value so far.

One spike is no evidence, so several tokens are to agree: by their mean, or by a count: the k-th largest of the last m scores is
above a threshold just where k of these m tokens are. The largest so far never takes an alarm back. Before a window is full
there is no score (−inf). Two forms of the same: `peaks` of whole responses, `Rolling` token by token.
Knows scores and nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


class Window(NamedTuple):
    """How many tokens are to agree, and how.

    Attributes:
        width: the last so many.
        agree: so many of them, by count; None for their mean.
    """

    width: int
    agree: int | None = None

    def __str__(self) -> str:
        return f"mean of {self.width}" if self.agree is None else f"{self.agree} of {self.width}"


def peaks(scores: Float[Tensor, "*cell token"], width: int, agree: int | None = None) -> Float[Tensor, "*cell token"]:
    """The largest value of a window, up to each token.

    Args:
        scores: one a token; NaN after a response's last.
        width, agree: see `Window`.

    Returns:
        −inf before the window is full; NaN where `scores` are.
    """
    found = torch.full_like(scores, -torch.inf)
    if scores.shape[-1] >= width:
        given = scores.double().nan_to_num()
        if agree is None:
            sums = torch.nn.functional.pad(given, (1, 0)).cumsum(-1)
            values = (sums[..., width:] - sums[..., :-width]) / width
        else:
            values = given.unfold(-1, width, 1).sort(-1).values[..., width - agree]
        found[..., width - 1 :] = values.to(scores.dtype)
    highest = found.masked_fill(scores.isnan(), -torch.inf).cummax(-1).values
    return highest.masked_fill(scores.isnan(), torch.nan)


class Rolling:
    """The same token by token, of several monitors at once and of rows that come and go.

    In numpy: on a handful of numbers a call of its costs a quarter of one of torch's, and this runs for every token.

    Attributes:
        read: how many tokens each row has given.
        peak: the largest so far, −inf where there is none; NaN where a score was.
    """

    read: Int[np.ndarray, " row"]
    peak: Float[np.ndarray, "row monitor"]

    def __init__(self, rows: int, windows: Sequence[Window]) -> None:
        self._windows = tuple(windows)
        self._counts = [(i, each.width, each.agree) for i, each in enumerate(windows) if each.agree is not None]
        widths = [each.width for each in windows]
        self._widths = np.array(widths)
        ages = np.arange(max(widths), 0, -1)
        # Of each of the last scores, the newest at the end: [monitor, slot].
        self._share = ((ages <= self._widths[:, None]) / self._widths[:, None]).astype(np.float32)
        self._last = np.zeros((rows, len(widths), max(widths)), dtype=np.float32)
        self.read = np.zeros(rows, dtype=np.int64)
        self.peak = np.full((rows, len(widths)), -np.inf, dtype=np.float32)

    def add(self, rows: Sequence[int], scores: Float[np.ndarray, "row monitor"]) -> Float[np.ndarray, "row monitor"]:
        """One more token of each of these rows, which differ; gives their largest so far."""
        last = np.empty((len(rows), *self._share.shape), dtype=np.float32)
        last[:, :, :-1] = self._last[rows, :, 1:]
        last[:, :, -1] = scores
        read = self.read[rows] + 1
        means = np.einsum("rms,ms->rm", last, self._share)
        for monitor, width, agree in self._counts:
            means[:, monitor] = np.partition(last[:, monitor, -width:], width - agree, axis=-1)[:, width - agree]
        means[read[:, None] < self._widths] = -np.inf
        peak: Float[np.ndarray, "row monitor"] = np.maximum(self.peak[rows], means)
        self._last[rows], self.read[rows], self.peak[rows] = last, read, peak
        return peak

    def __len__(self) -> int:
        """How many rows there is place for."""
        return len(self.read)

    def grow(self, rows: int) -> None:
        """Places for so many more rows."""
        fresh = Rolling(rows, self._windows)
        self._last = np.concatenate([self._last, fresh._last])
        self.read = np.concatenate([self.read, fresh.read])
        self.peak = np.concatenate([self.peak, fresh.peak])

    def restart(self, row: int) -> None:
        """Forget what a row has given."""
        self._last[row], self.read[row], self.peak[row] = 0, 0, -np.inf
