"""From a score a token to a score that may raise an alarm: the mean over the last few tokens, and its largest value so far.

One spike is no evidence: a rolling mean asks several tokens to agree, and the largest so far never takes an alarm back. Before
a window is full there is no score (−inf). Two forms of the same: `peaks` of whole responses, `Rolling` token by token.
Knows scores and nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor


def peaks(scores: Float[Tensor, "*cell token"], width: int) -> Float[Tensor, "*cell token"]:
    """The largest mean over `width` tokens in a row, up to each token.

    Args:
        scores: one a token; NaN after a response's last.
        width: of the window.

    Returns:
        −inf before the window is full; NaN where `scores` are.
    """
    padded = torch.nn.functional.pad(scores.double().nan_to_num(), (1, 0))
    sums = padded.cumsum(-1)
    found = torch.full_like(scores, -torch.inf)
    if scores.shape[-1] >= width:
        found[..., width - 1 :] = ((sums[..., width:] - sums[..., :-width]) / width).to(scores.dtype)
    highest = found.masked_fill(scores.isnan(), -torch.inf).cummax(-1).values
    return highest.masked_fill(scores.isnan(), torch.nan)


class Rolling:
    """The same token by token, of several monitors at once and of rows that come and go.

    Attributes:
        read: how many tokens each row has given.
        peak: the largest so far, −inf where there is none.
    """

    read: Int[Tensor, " row"]
    peak: Float[Tensor, "row monitor"]

    def __init__(self, rows: int, widths: Sequence[int], device: torch.device | str = "cpu") -> None:
        self._widths = torch.tensor(widths, device=device)
        ages = torch.arange(max(widths), 0, -1, device=device)
        self._share = (ages <= self._widths[:, None]) / self._widths[
            :, None
        ]  # of each of the last scores: [monitor, slot]
        self._last = torch.zeros(rows, len(widths), max(widths), device=device)  # the newest at the end
        self.read = torch.zeros(rows, dtype=torch.int64, device=device)
        self.peak = torch.full((rows, len(widths)), -torch.inf, device=device)

    def add(self, rows: Int[Tensor, " row"], scores: Float[Tensor, "row monitor"]) -> Float[Tensor, "row monitor"]:
        """One more token of each of these rows; gives their largest so far."""
        last = torch.cat([self._last[rows][..., 1:], scores.unsqueeze(-1)], -1)
        read = self.read[rows] + 1
        means = (last * self._share).sum(-1).masked_fill(read.unsqueeze(-1) < self._widths, -torch.inf)
        peak = torch.maximum(self.peak[rows], means)
        self._last[rows], self.read[rows], self.peak[rows] = last, read, peak
        return peak

    def __len__(self) -> int:
        """How many rows there is place for."""
        return len(self.read)

    def grow(self, rows: int) -> None:
        """Places for so many more rows."""
        fresh = Rolling(rows, self._widths.tolist(), self.peak.device)
        self._last = torch.cat([self._last, fresh._last])
        self.read = torch.cat([self.read, fresh.read])
        self.peak = torch.cat([self.peak, fresh.peak])

    def restart(self, row: int) -> None:
        """Forget what a row has given."""
        self._last[row], self.read[row], self.peak[row] = 0, 0, -torch.inf
