"""What a study would take, before anything is loaded: `heedful study --dry-run`.

Counts instructions, and asks the models room what a model of that configuration takes for them. How long answers will be
nobody knows before they are given, so tokens and time are ranges, and `assumes` says between what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from heedful.config import StudySettings
from heedful.lenses.ablation import ERASERS
from heedful.lenses.arms import DIRECTIONS, VARIANTS, thirds
from heedful.lenses.data import MIN_NATURAL, MIN_SQUARES
from heedful.lenses.verdict import MIN_TASKS
from heedful.models.cost import Cost, estimate, measure_rate
from heedful.models.loading import choose_device, choose_dtype, find_source, load_config
from heedful.models.memory import batch_budget, weight_bytes
from heedful.models.positions import parse_position
from heedful.models.sites import site_names
from heedful.pipeline.instruct import study_instructions
from heedful.pipeline.read import chosen_sites
from heedful.pipeline.respond import is_elicited

_CHARACTERS_A_TOKEN = 4
_TEMPLATE_TOKENS = 16
_GIB = 2**30
_ERASED = "while traces are erased (--behaviour-prompts)"


@dataclass(frozen=True)
class StudyCost:
    """A study's size, and what a model of this configuration takes for it.

    Attributes:
        model: as it was asked for.
        dtype: of weights and stored hidden states.
        device: that it would run on, and whose speed was measured.
        parameters: of the model.
        responses_low, responses_high: to be generated.
        interventions: answers while traces are erased, at most.
        rows: to be read, at most.
        sites, positions: to be kept of each row.
        tokens_low, tokens_high: that pass through the model, prompts included.
        disk_bytes: of hidden states.
        memory_bytes: of weights and a full batch.
        seconds_low, seconds_high: of answering and reading.
        assumes: what low and high stand for.
        recorded: whether answers were given elsewhere.
        cannot_tell: what a study of these settings will not say, each in a sentence, with how much more it would need.
    """

    model: str
    dtype: str
    device: str
    parameters: int
    responses_low: int
    responses_high: int
    interventions: int
    rows: int
    sites: int
    positions: int
    tokens_low: int
    tokens_high: int
    disk_bytes: int
    memory_bytes: int
    seconds_low: float
    seconds_high: float
    assumes: str
    recorded: bool
    cannot_tell: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def describe(self) -> str:
        """The same in a few lines."""
        responses = _range(f"{self.responses_low:,}", f"{self.responses_high:,}")
        tokens = _range(f"{self.tokens_low:,}", f"{self.tokens_high:,}")
        time = _range(_duration(self.seconds_low), _duration(self.seconds_high))
        less = "--positions" if self.recorded else "--samples, --squares or --positions"
        return "\n".join(
            (
                f"{self.model}: {self.parameters / 1e6:,.1f} M parameters, {self.dtype} on {self.device}",
                f"  answers   {responses}",
                *([] if self.recorded else [f"  erased    {self.interventions:,} more answers {_ERASED}"]),
                f"  rows      up to {self.rows:,}, read at {self.sites} sites × {self.positions} positions",
                f"  tokens    {tokens}",
                f"  disk      {self.disk_bytes / _GIB:,.2f} GiB of hidden states",
                f"  memory    about {self.memory_bytes / _GIB:,.2f} GiB for weights and a batch; libraries and rows 0.7 more",
                f"  time      {time} for answering and reading (rough; probes come on top)",
                f"  assumed   {self.assumes}",
                *(f"  too few   {each}" for each in self.cannot_tell),
                f"To take less: fewer {less}, or every other one of the --sites.",
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
    known = site_names(config.get_text_config(decoder=True).num_hidden_layers)
    n_sites, n_positions = len(chosen_sites(settings, settings.model, known)), len(settings.positions)
    asked = study_instructions(settings)
    rows = _most_rows(settings, asked)
    responses, new_tokens, assumes = _answers(settings, asked)
    prompt = _TEMPLATE_TOKENS + _mean_tokens([f"{settings.system or ''}{record['prompt']}" for record in asked])
    rate = measure_rate(device, dtype)

    replayed = 2 * rows if settings.extras else rows  # once more with random weights

    def cost(n_generate: int, longest: int) -> Cost:
        return estimate(
            config,
            n_generate=n_generate,
            n_rows=replayed,
            mean_prompt_tokens=prompt,
            max_new_tokens=longest,
            n_sites=n_sites,
            n_positions=n_positions,
            dtype=dtype,
            batch=batch_budget(config, dtype, device, settings.batch_tokens),
            rate=rate,
        )

    # The low estimate of a cost is for answers of half the longest length.
    erased = _interventions(settings, known, sum(record["kind"] == "natural" for record in asked))
    low, high = (
        cost(n + erased, longest) for n, longest in zip(responses, (2 * new_tokens[0], new_tokens[1]), strict=True)
    )
    kept = high.disk_bytes * rows // max(replayed, 1)
    return StudyCost(
        model=settings.model,
        dtype=str(dtype).removeprefix("torch."),
        device=str(device),
        parameters=high.parameters,
        responses_low=responses[0],
        responses_high=responses[1],
        interventions=erased,
        rows=rows,
        sites=n_sites,
        positions=n_positions,
        tokens_low=(responses[0] + erased + replayed) * (prompt + new_tokens[0]),
        tokens_high=high.tokens,
        disk_bytes=2 * kept if settings.extras else kept,  # of random weights for a time, at most at all positions
        memory_bytes=high.memory_bytes + (weight_bytes(config, dtype) if settings.extras else 0),
        seconds_low=low.seconds_low,
        seconds_high=high.seconds_high,
        assumes=assumes,
        recorded=settings.responses_file is not None,
        cannot_tell=tuple(_cannot_tell(settings, asked)),
    )


def _most_rows(settings: StudySettings, asked: Sequence[Mapping[str, Any]]) -> int:
    """Natural answers, with the instruction and without; and where squares are made, their four cells, and every answer that
    they are made of under its bare prompt."""
    natural = [record for record in asked if record["kind"] == "natural"]
    without = [record for record in natural if record["base"] != record["prompt"]]
    pooled = len(asked) - len(natural)
    squares = pooled + 4 * settings.squares * len(settings.tasks) if pooled else 0
    return len(natural) + len(without) + squares


class _Answers(NamedTuple):
    """Low and high: how many, and of how many tokens."""

    responses: tuple[int, int]
    new_tokens: tuple[int, int]
    assumes: str


def _answers(settings: StudySettings, asked: Sequence[Mapping[str, Any]]) -> _Answers:
    if settings.responses_file:
        length = _mean_tokens([record["response"] for record in asked])
        return _Answers((0, 0), (length, length), f"answers of {length} tokens, as the file has them")
    responses = sum(not is_elicited(record) for record in asked), len(asked)
    new_tokens = -(-settings.max_new_tokens // 4), settings.max_new_tokens
    assumes = f"low: answers end after {new_tokens[0]} tokens (a quarter of --max-new-tokens)"
    assumes += " and squares need no answers made for them" if responses[0] < responses[1] else ""
    assumes += f", matrix products at full speed; high: answers take all {new_tokens[1]}, at an eighth of it"
    return _Answers(responses, new_tokens, assumes)


def _cannot_tell(settings: StudySettings, asked: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    by_task = Counter(record["task"] for record in asked if record["kind"] == "natural")
    least = min((by_task[task] for task in settings.tasks), default=0)
    if least < 2 * MIN_NATURAL:
        yield (
            f"{least} natural answers of a task: {MIN_NATURAL} that comply and {MIN_NATURAL} that do not are needed to probe "
            "it on natural labels"
        )
    if any(record["kind"] != "natural" for record in asked) and settings.squares < MIN_SQUARES:
        yield f"{settings.squares} contrast squares a task: {MIN_SQUARES} are needed to probe it on contrast labels"
    if len(settings.tasks) < MIN_TASKS:
        yield f"tasks asked for: {len(settings.tasks)}, and no claim is decided with fewer than {MIN_TASKS} that can be read"
    for name in () if settings.responses_file else settings.positions:
        position = parse_position(name)
        first = position.offset + 1 if position.offset >= 0 else -position.offset
        if position.part == "response" and position.quantile is None and first > settings.max_new_tokens:
            yield f"{name}: no answer of at most {settings.max_new_tokens} tokens (--max-new-tokens) has it"


def _interventions(settings: StudySettings, sites: Sequence[str], natural: int) -> int:
    """The prompts of all tasks undisturbed and under each eraser with its controls; a task's own ones under its two steps."""
    if not settings.intervenes or len(settings.tasks) < 2:
        return 0
    n_erasers, n_places = (len(ERASERS), 1 + len(thirds(sites))) if settings.full else (1, 1)
    prompts = min(settings.behaviour_prompts * len(settings.tasks), natural)
    return prompts * (1 + n_places * (len(VARIANTS) * n_erasers * len(settings.tasks) + len(DIRECTIONS)))


def _mean_tokens(texts: list[str]) -> int:
    return 1 + sum(map(len, texts)) // (_CHARACTERS_A_TOKEN * len(texts))


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"
