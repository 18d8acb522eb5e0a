"""What a study would take, before anything is loaded: `heedful study --dry-run`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from heedful.config import StudySettings
from heedful.models.cost import Cost, estimate
from heedful.models.language_model import BATCH_TOKENS, CPU_BATCH_TOKENS
from heedful.models.loading import choose_device, choose_dtype, find_source, load_config
from heedful.pipeline.instruct import recorded_responses, study_instructions
from heedful.prompts.tasks import tasks_named

_PROMPT_TOKENS = 48  # a base prompt, a clause and a chat template
_GIB = 2**30


@dataclass(frozen=True)
class StudyCost:
    """A study's size, and what a model of this configuration takes for it.

    Attributes:
        model: as it was asked for.
        dtype: of weights and stored hidden states.
        responses: to be generated at most; fewer where bare responses are enough for the squares.
        rows: to be read.
        sites, positions: to be kept of each row.
        cost: disk, memory and time.
    """

    model: str
    dtype: str
    responses: int
    rows: int
    sites: int
    positions: int
    cost: Cost

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        named = {name: getattr(self, name) for name in ("model", "dtype", "responses", "rows", "sites", "positions")}
        return named | self.cost.to_dict()

    def describe(self) -> str:
        """The same in a few lines."""
        cost = self.cost
        return "\n".join(
            (
                f"{self.model}: {cost.parameters / 1e6:,.1f} M parameters, {self.dtype}",
                f"  answers   up to {self.responses:,}",
                f"  rows      {self.rows:,} read at {self.sites} sites × {self.positions} positions",
                f"  tokens    up to {cost.tokens:,}",
                f"  disk      {cost.disk_bytes / _GIB:,.2f} GiB of hidden states",
                f"  memory    about {cost.memory_bytes / _GIB:,.2f} GiB",
                f"  time      {_duration(cost.seconds_low)} to {_duration(cost.seconds_high)} on this machine's processor "
                "(rough; answering and reading only)",
                "To take less: fewer --samples, --squares or --positions, or every other of the --sites.",
            )
        )


def study_cost(settings: StudySettings) -> StudyCost:
    """Estimate a study from its settings and the model's configuration alone.

    Raises:
        ModelError, InputError: the configuration cannot be found or read, or the user's files cannot be used.
    """
    source = find_source(settings.model)
    config = load_config(source.location, revision=settings.revision, trust_remote_code=settings.trust_remote_code)
    device = choose_device(settings.device)
    dtype = choose_dtype(settings.dtype, config, device, embedded=source.embedded)
    layers = config.get_text_config(decoder=True).num_hidden_layers
    sites = layers + 1 if settings.sites == "all" else len(settings.sites)
    if settings.responses_file:
        from pathlib import Path

        answers, natural, squares = 0, len(recorded_responses(Path(settings.responses_file), settings.tasks)), 0
    else:
        asked = study_instructions(settings)
        natural = sum(instruction.kind == "natural" for instruction in asked)
        answers, squares = len(asked), settings.squares * len(tasks_named(list(settings.tasks)))
    rows = natural + 4 * squares
    cost = estimate(
        config,
        n_generate=answers,
        n_rows=rows,
        mean_prompt_tokens=_PROMPT_TOKENS,
        max_new_tokens=settings.max_new_tokens,
        n_sites=sites,
        n_positions=len(settings.positions),
        dtype=dtype,
        batch_tokens=settings.batch_tokens or (CPU_BATCH_TOKENS if device.type == "cpu" else BATCH_TOKENS),
    )
    name = str(dtype).removeprefix("torch.")
    return StudyCost(settings.model, name, answers, rows, sites, len(settings.positions), cost)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
