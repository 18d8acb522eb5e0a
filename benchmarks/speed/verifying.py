"""The nine verifiers on 10,000 texts, and the reference IFEval code where it has the type.

    python -m benchmarks verifying [--texts 10000]

Texts of 50 to 300 words, made of the sentences of `benchmarks/verifiers/texts/tune.jsonl`; for JSON, every second is one. One
core each. IFEval's code says whether a text follows and no more, as `passes` does; `check` says why and what to change too.
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
from heedful.constraints.text import term_spans

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
    lines = (ROOT / "verifiers" / "texts" / "tune.jsonl").read_text(encoding="utf-8").splitlines()
    sentences = [s for line in lines for s in re.split(r"(?<=[.!?])\s+", json.loads(line)["text"])]
    chance = random.Random(0)
    made = []
    for _ in range(n):
        text, length = [], chance.randint(50, 300)
        while sum(len(s.split()) for s in text) < length:
            text.append(chance.choice(sentences))
        made.append(" ".join(text))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=positive, default=10_000)
    parser.add_argument("--rounds", type=positive, default=3)
    args = parser.parse_args()
    plain = texts(args.texts)
    given = dict.fromkeys(NINE, plain)
    given["JSON"] = [json.dumps({"note": text}) if number % 2 else text for number, text in enumerate(plain)]
    for constraint in NINE.values():
        constraint.check(plain[0])  # lexicons are loaded
    passing: dict[str, list[float]] = {name: [] for name in NINE}
    checking: dict[str, list[float]] = {name: [] for name in NINE}
    theirs: dict[str, list[float]] = {name: [] for name in REFERENCE}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "checks.json").write_text(
            json.dumps([[*REFERENCE[name], given[name]] for name in REFERENCE]), encoding="utf-8"
        )
        for _ in range(args.rounds):
            for name, constraint in NINE.items():
                some = given[name]
                passing[name].append(timed(lambda: [constraint.passes(text) for text in some]))  # noqa: B023
                checking[name].append(timed(lambda: [constraint.check(text).passed for text in some]))  # noqa: B023
            found = LM_EVAL.run("lm_eval_ifeval.py", Path(folder))
            for name, seconds in zip(REFERENCE, found["seconds"], strict=True):
                theirs[name].append(seconds)
    rows = []
    for name, follows in zip(REFERENCE, found["found"], strict=True):
        agreement = _agreement(NINE[name], given[name], follows)
        for how, taken in (("passes or not", passing[name]), ("verdicts", checking[name])):
            ratios = tuple(b / a for a, b in zip(taken, theirs[name], strict=True))
            rows.append(Row(f"{name}, {args.texts:,} texts: {how}", "lm-eval's IFEval: follows or not", "faster", 5,
                            ratios, statistics.median(taken), agreement))  # fmt: skip
    each = ", ".join(
        f"{name} {1e6 * statistics.median(passing[name]) / args.texts:.0f} and "
        f"{1e6 * statistics.median(checking[name]) / args.texts:.0f}"
        for name in NINE
    )
    keep("verifying", rows, notes=(f"Microseconds a text, for whether it passes and for the verdict: {each}.",))


def _agreement(constraint: Constraint, given: list[str], follows: list[bool]) -> str:
    """How many texts both judge alike; and of the others, in how many the reference took part of a word for a term."""
    passed = [constraint.passes(text) for text in given]
    assert passed == [constraint.check(text).passed for text in given]
    differ = [text for text, a, b in zip(given, passed, follows, strict=True) if a != b]
    alike = f"{len(given) - len(differ):,} of {len(given):,} alike"
    terms = getattr(constraint, "terms", ())
    if not differ or not terms:
        return alike
    within = [t for t in differ if any(term in t.lower() and not term_spans(t, term) for term in terms)]
    return f"{alike}; of the rest the reference found a term within another word in {len(within)}"


if __name__ == "__main__":
    main()
