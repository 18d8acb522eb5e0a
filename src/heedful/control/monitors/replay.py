"""Scores of finished responses, token by token, by replay; and whether live scores equal them.

Only scores leave a batch: hidden states of every token of every response would fill a disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heedful.control.monitors.monitor import Monitors, Parity
from heedful.errors import ModelError
from heedful.models import LanguageModel, Replay

TOLERANCE = {torch.float64: 1e-4, torch.float32: 0.01, torch.bfloat16: 0.25, torch.float16: 0.1}
"""By dtype, the largest difference allowed between a live and a replayed score, in standard deviations of its monitor's scores:
prefill and decoding use different kernels, which differ by 1e-2 of a state in bfloat16."""
_CHUNK = 256
"""Rows read in one go, so that progress shows."""


class Weights(NamedTuple):
    """Of several probes, on raw states, see `Monitors`; f32."""

    coef: Float[Tensor, "probe site hidden"]
    prompt_coef: Float[Tensor, "probe site hidden"]
    intercept: Float[Tensor, " probe"]


class Scores(NamedTuple):
    """Of finished responses.

    Attributes:
        token: at each token of the answer, the prompt's part included; NaN after the last.
        prompt: the prompt's part alone.
    """

    token: Float[Tensor, "sample token"]
    prompt: Float[Tensor, " sample"]


@torch.inference_mode()
def token_scores(
    model: LanguageModel,
    rows: Sequence[Replay],
    sites: Sequence[str],
    weights: Weights,
    probe: Int[Tensor, " sample"],
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Scores:
    """Each row's score at each token of its answer, by its own probe.

    Args:
        weights: on raw states of `sites`.
        probe: which of the probes each row is scored by.
        tell: told how many rows of how many are done.
    """
    longest = max((len(row.response_ids) - row.answer_start for row in rows), default=0)
    out, prompts = torch.full((len(rows), longest), torch.nan), torch.full((len(rows),), torch.nan)
    for start in range(0, len(rows), _CHUNK):
        tell(start, len(rows))
        part = rows[start : start + _CHUNK]
        most = max(len(row.response_ids) - row.answer_start for row in part)
        names = ["prompt[-1]", *(f"response[{index}]" for index in range(most))]
        for batch in model.read(part, sites, names):
            here = torch.tensor(batch.rows) + start
            own = probe[here]
            states = batch.states.permute(2, 1, 0, 3).float()  # [sample, position, site, hidden]
            prompts[here] = torch.einsum("sxh,sxh->s", states[:, 0], weights.prompt_coef[own])
            constant = weights.intercept[own] + prompts[here]
            out[here, :most] = torch.einsum("spxh,sxh->sp", states[:, 1:], weights.coef[own]) + constant[:, None]
    tell(len(rows), len(rows))
    return Scores(out, prompts)


def measure_parity(
    model: LanguageModel,
    monitors: Monitors,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int = 48,
) -> Parity:
    """Generate greedily with every token's scores kept, replay what was drawn, and compare.

    Raises:
        ModelError: they differ by more than `TOLERANCE`.
    """
    seen: list[list[Tensor]] = [[] for _ in prompts]
    begun: dict[int, Tensor] = {}

    def begin(rows: tuple[int, ...], states: Tensor) -> None:
        begun.update(zip(rows, monitors.prompt_scores(states).cpu(), strict=True))

    def keep(rows: tuple[int, ...], states: Tensor) -> None:
        for row, scores in zip(rows, monitors.scores(states).cpu(), strict=True):
            seen[row].append(scores + begun[row])

    with model.watched(monitors.sites, keep, begin):
        drawn = model.generate(prompts, [0] * len(prompts), temperature=0.0, max_new_tokens=max_new_tokens)
    tolerance = TOLERANCE.get(model.dtype, 0.25)
    pairs = []
    for prompt, answer, live in zip(prompts, drawn, seen, strict=True):
        if not live:
            continue
        row = Replay(prompt, answer.token_ids[: len(live)])
        names = ["prompt[-1]", *(f"response[{index}]" for index in range(len(live)))]
        states = model.read_all([row], monitors.sites, names).states[:, :, 0].transpose(0, 1)
        pairs.append((torch.stack(live), monitors.scores(states[1:]) + monitors.prompt_scores(states[:1])))
    if not pairs:
        raise ModelError("the model wrote nothing, so live scores could not be compared", "give other prompts")
    live_scores, replayed = (torch.cat(side) for side in zip(*pairs, strict=True))
    spread = replayed.std(0).clamp_min(1e-6)
    error = float(((live_scores - replayed) / spread).abs().max())
    if not error <= tolerance:
        raise ModelError(
            f"scores while generating differ from replayed ones by {error:.2g} standard deviations (allowed "
            f"{tolerance:.2g}): thresholds set on replay would not hold",
            "load the model in float32, or with another attention kernel",
        )
    return Parity(error, tolerance, len(replayed))
