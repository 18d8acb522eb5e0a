"""The nine verifiers on 10,000 texts, and the reference IFEval code where it has the type.

    python -m benchmarks verifying [--texts 10000]

Texts of 50 to 300 words, made of the sentences of `benchmarks/verifiers/texts/tune.jsonl`; one core each.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import tempfile
from pathlib import Path

import heedful
from benchmarks.speed.peers import LM_EVAL
from benchmarks.speed.results import Row, keep, positive, timed
from heedful.constraints import Constraint

ROOT = Path(__file__).parents[1]
NINE: dict[str, Constraint] = {
    "word count": heedful.WordCount(at_most=120),
    "character count": heedful.CharCount(at_most=700),
    "JSON": heedful.JsonFormat(),
    "inclusion": heedful.Include(terms=("meeting", "week")),
    "exclusion": heedful.Exclude(terms=("please", "invoice", "weather")),
    "topic": heedful.Topic(topic="business"),
    "sentiment": heedful.Sentiment(sentiment="positive"),
    "register": heedful.Register(level="formal"),
    "toxicity": heedful.Toxicity(),
}
REFERENCE = {
    "word count": ("length_constraints:number_words", {"num_words": 121, "relation": "less than"}),
    "JSON": ("detectable_format:json_format", {}),
    "inclusion": ("keywords:existence", {"keywords": ["meeting", "week"]}),
    "exclusion": ("keywords:forbidden_words", {"forbidden_words": ["please", "invoice", "weather"]}),
}


def texts(n: int) -> list[str]:
    """Every twentieth is a JSON object."""
    lines = (ROOT / "verifiers" / "texts" / "tune.jsonl").read_text(encoding="utf-8").splitlines()
    sentences = [s for line in lines for s in re.split(r"(?<=[.!?])\s+", json.loads(line)["text"])]
    chance = random.Random(0)
    made = []
    for number in range(n):
        text, length = [], chance.randint(50, 300)
        while sum(len(s.split()) for s in text) < length:
            text.append(chance.choice(sentences))
        made.append(json.dumps({"note": " ".join(text)}) if number % 20 == 0 else " ".join(text))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=positive, default=10_000)
    parser.add_argument("--rounds", type=positive, default=3)
    args = parser.parse_args()
    given = texts(args.texts)
    for constraint in NINE.values():
        constraint.check(given[0])  # lexicons are loaded
    ours: dict[str, list[float]] = {name: [] for name in NINE}
    theirs: dict[str, list[float]] = {name: [] for name in REFERENCE}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "texts.json").write_text(json.dumps(given), encoding="utf-8")
        (Path(folder) / "checks.json").write_text(json.dumps(list(REFERENCE.values())), encoding="utf-8")
        for _ in range(args.rounds):
            for name, constraint in NINE.items():
                ours[name].append(timed(lambda: [constraint.check(text).passed for text in given]))  # noqa: B023
            found = LM_EVAL.run("lm_eval_ifeval.py", Path(folder))
            for name, seconds in zip(REFERENCE, found["seconds"], strict=True):
                theirs[name].append(seconds)
    rows = []
    for name, follows in zip(REFERENCE, found["found"], strict=True):
        passed = [NINE[name].check(text).outcome == "pass" for text in given]
        same = sum(a == b for a, b in zip(passed, follows, strict=True))
        ratios = tuple(b / a for a, b in zip(ours[name], theirs[name], strict=True))
        rows.append(Row(f"{name}, {len(given):,} texts", "lm-eval's IFEval", "faster", 5, ratios,
                        statistics.median(ours[name]), f"{same:,} verdicts of {len(given):,}"))  # fmt: skip
    each = ", ".join(f"{name} {1e6 * statistics.median(taken) / len(given):.0f}" for name, taken in ours.items())
    differ = "Where inclusion differs, the reference found a term within another word: “week” in “weeks”."
    keep("verifying", rows, notes=(f"Microseconds a text: {each}. {differ}",))


if __name__ == "__main__":
    main()
