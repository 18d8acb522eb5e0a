"""Nine probe monitors at eight sites, and nine prefix monitors, against the same greedy decoding bare.

    python -m benchmarks monitoring [--shape llama-0.5b] [--rows 1 16] [--tokens 48]

A 0.5B-parameter Llama shape with random weights, and pico-llama with the nine prefix monitors on its text as well; every run
decodes the same tokens. Monitors have random weights and thresholds that are never reached: what is timed is the watching.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.prefix import NINE
from benchmarks.speed.reading import SHAPES
from benchmarks.speed.results import Row, keep, positive, rounds, timed
from heedful.control.monitors import LiveRisk, Monitor, Monitors
from heedful.control.monitors.conformal import Threshold
from heedful.control.monitors.forecast import Forecast
from heedful.models import LanguageModel, load
from heedful.models.catalogue import EMBEDDED

N_MONITORS, N_SITES, WIDTH = 9, 8, 4


def random_monitors(model: LanguageModel) -> Monitors:
    """Of eight sites spread over the model."""
    blocks = model.sites[1:]
    n_sites = min(N_SITES, len(blocks))
    sites = tuple(blocks[round(i * (len(blocks) - 1) / max(1, n_sites - 1))] for i in range(n_sites))
    generator = torch.Generator().manual_seed(0)
    coef = torch.randn(N_MONITORS, n_sites, model.hidden_size, generator=generator)
    each = tuple(
        Monitor(f"task {i}", WIDTH, Threshold(float("inf"), 95, 100, 0.05), Forecast(-1.0, 0.7, 0.1))
        for i in range(N_MONITORS)
    )
    return Monitors(sites, each, coef, coef.flip(0), torch.zeros(N_MONITORS), model.identity())


def probes_alone(model: LanguageModel, n_rows: int, n_tokens: int, n_rounds: int) -> Row:
    """Batches of so many rows."""
    monitors = random_monitors(model)
    prompts = [list(range(5 + i, 45 + i)) for i in range(n_rows)]

    def bare() -> list[tuple[int, ...]]:
        answers = model.generate(prompts, [0] * n_rows, temperature=0.0, max_new_tokens=n_tokens)
        return [answer.token_ids for answer in answers]

    def watched() -> list[tuple[int, ...]]:
        live = LiveRisk(monitors, model.device)
        with model.watched(live.sites, live, live.prompt):
            return bare()

    what = (
        f"{N_MONITORS} probe monitors at {len(monitors.sites)} sites, {model.name}, batch {n_rows}, {n_tokens} tokens"
    )
    return _row(what, "the same decoding bare", 1.03, watched, bare, n_rounds)


def with_prefixes(model: LanguageModel, n_tokens: int, n_rounds: int) -> Row:
    """One row, whose text is watched as it grows."""
    monitors = random_monitors(model)
    prompt = model.encode("Describe a morning at the harbour. Use at least 200 words.")

    def texts(heard: Callable[[str], None]) -> str:
        said = ""
        for answer in model.stream(prompt, temperature=0.0, max_new_tokens=n_tokens):
            heard(answer.text[len(said) :])
            said = answer.text
        return said

    def bare() -> str:
        return texts(lambda delta: None)

    def watched() -> str:
        live, prefixes = LiveRisk(monitors, model.device), [constraint.monitor() for constraint in NINE]

        def hear(delta: str) -> None:
            for prefix in prefixes:
                prefix.feed(delta)

        with model.watched(live.sites, live, live.prompt):
            return texts(hear)

    what = f"{N_MONITORS} probe monitors and {len(NINE)} prefix monitors, {model.name}, batch 1, {n_tokens} tokens"
    return _row(what, "the same stream bare", 1.05, watched, bare, n_rounds)


def _row(
    what: str, peer: str, target: float, watched: Callable[[], object], bare: Callable[[], object], n_rounds: int
) -> Row:
    same = watched() == bare()
    costs, seconds = rounds(lambda: timed(watched), lambda: timed(bare), n_rounds, "costs")
    return Row(what, peer, "costs", target, costs, seconds, "same tokens" if same else "OTHER TOKENS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="llama-0.5b", choices=list(SHAPES))
    parser.add_argument("--rows", type=positive, nargs="+", default=[1, 16])
    parser.add_argument("--tokens", type=positive, default=48)
    parser.add_argument("--rounds", type=positive, default=7)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.manual_seed(0)
    weights = AutoModelForCausalLM.from_config(SHAPES[args.shape](), dtype=torch.float32).to(args.device)
    big = LanguageModel(weights, AutoTokenizer.from_pretrained(EMBEDDED / "pico-llama"), name=args.shape, check=False)
    small = load("pico-llama", device=args.device)
    for model in (big, small):
        model.eos_ids = ()  # every run is as long as the others
    table = [probes_alone(big, n, args.tokens, args.rounds) for n in args.rows]
    table.append(with_prefixes(small, 2 * args.tokens, 3 * args.rounds))
    keep("monitoring", table, packages=("torch", "transformers"))


if __name__ == "__main__":
    main()
