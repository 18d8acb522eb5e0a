"""How well the offline verifiers judge texts that were written by someone who had not seen their lexicons.

`python benchmarks/verifiers/evaluate.py` evaluates both halves and writes README.md beside this file; `--half tune` or
`--half frozen` prints that half only. The frozen half is never to be looked at while tuning, not even through this script:
the table gives its aggregates, never its texts; what is weak is told from the tune half. Knows nothing of how a verifier works.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from heedful.constraints.classification import TASKS, get_classifier
from heedful.constraints.ifeval.accuracy import wilson
from heedful.errors import InputError

HERE = Path(__file__).parent
TEXTS = HERE / "texts"
VADER = "sentiment, plain VADER"
NO_ANSWER = "no answer"
NO_TOPIC = "none of the 32"


class Judged(NamedTuple):
    """One text's label and what a verifier made of it."""

    label: str
    answer: str
    genre: str


class Estimate(NamedTuple):
    """Balanced accuracy and its 95 % interval."""

    value: float
    low: float
    high: float


def read_half(name: str) -> list[dict[str, str | None]]:
    """The texts of a half."""
    lines = (TEXTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def check_frozen() -> None:
    """Refuse to measure on a frozen half that is not the one that was frozen."""
    expected = (TEXTS / "frozen.sha256").read_text().split()[0]
    found = hashlib.sha256((TEXTS / "frozen.jsonl").read_bytes()).hexdigest()
    if found != expected:
        raise InputError(f"frozen.jsonl has SHA-256 {found}, not {expected}", "restore the file that was committed")


def plain_vader(text: str) -> str:
    """VADER as its authors use it: the whole text at once, neutral between −0.05 and 0.05."""
    compound = _vader.polarity_scores(text)["compound"]
    return "positive" if compound >= 0.05 else "negative" if compound <= -0.05 else "neutral"


_vader = SentimentIntensityAnalyzer()


def offline(task: str) -> Callable[[str], str]:
    return lambda text: get_classifier(task)(text).label or NO_ANSWER


VERIFIERS: dict[str, tuple[str, Callable[[str], str]]] = {task: (task, offline(task)) for task in TASKS} | {
    VADER: ("sentiment", plain_vader)
}
"""Name in the table → (the field that holds the label, the verifier)."""


def judge(rows: Sequence[dict[str, str | None]], verifier: str) -> list[Judged]:
    """Every text of a half by one verifier."""
    field, answer = VERIFIERS[verifier]
    return [Judged(row[field] or NO_TOPIC, answer(row["text"] or ""), row["genre"] or "") for row in rows]


def labelled(judged: Sequence[Judged]) -> list[Judged]:
    """Those that have a right answer: a text about no listed topic has none."""
    return [each for each in judged if each.label != NO_TOPIC]


def recalls(judged: Sequence[Judged]) -> dict[str, tuple[int, int]]:
    """(right, all) by class; no answer is not right."""
    total = Counter(each.label for each in judged)
    right = Counter(each.label for each in judged if each.answer == each.label)
    return {label: (right[label], total[label]) for label in sorted(total)}


def balanced_accuracy(judged: Sequence[Judged]) -> Estimate:
    """Mean recall over the classes, with Wilson's interval for its effective size n = p (1 − p) / v.

    v is the sum over classes of recall (1 − recall) / (texts − 1), over the square of their number: unbiased, however few
    texts a class has, if it has two. n is at most that of all texts; that of the smallest class where nothing varies.
    """
    counts = recalls(judged).values()
    shares = [right / total for right, total in counts]
    value = sum(shares) / len(shares)
    spread = sum(p * (1 - p) / max(n - 1, 1) for p, (_, n) in zip(shares, counts, strict=True)) / len(shares) ** 2
    size = min(value * (1 - value) / spread, len(judged)) if spread else min(n for _, n in counts)
    return Estimate(value, *wilson(value, size))


def main_table(halves: dict[str, list[dict[str, str | None]]]) -> str:
    lines = ["| verifier | half | n | classes | balanced accuracy | 95 % interval | coverage |", "|" + "---|" * 7]
    for verifier in VERIFIERS:
        for half, rows in halves.items():
            judged = labelled(judge(rows, verifier))
            value, low, high = balanced_accuracy(judged)
            coverage = np.mean([each.answer != NO_ANSWER for each in judged])
            classes = len({each.label for each in judged})
            lines.append(
                f"| {verifier} | {half} | {len(judged)} | {classes} | {value:.3f} | {low:.3f}–{high:.3f} | {coverage:.3f} |"
            )
    return "\n".join(lines)


def recall_table(halves: dict[str, list[dict[str, str | None]]], verifiers: Sequence[str]) -> str:
    lines = [f"| verifier | class |{''.join(f' {half} |' for half in halves)}", "|---|---|" + "---|" * len(halves)]
    for verifier in verifiers:
        by_half = [recalls(labelled(judge(rows, verifier))) for rows in halves.values()]
        for label in sorted({label for each in by_half for label in each}):
            cells = (f"{right}/{total}" for right, total in (each.get(label, (0, 0)) for each in by_half))
            lines.append(f"| {verifier} | {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def false_topics(halves: dict[str, list[dict[str, str | None]]]) -> str:
    """How often a text about none of the topics is given one all the same."""
    lines = []
    for half, rows in halves.items():
        answers = [each.answer for each in judge(rows, "topic") if each.label == NO_TOPIC]
        given = sum(answer != NO_ANSWER for answer in answers)
        lines.append(f"- {half}: {given} of {len(answers)} texts about none of the topics were given one all the same.")
    return "\n".join(lines)


def weaknesses(rows: list[dict[str, str | None]]) -> str:
    """What goes wrong in this half: the commonest confusions, and the genres in which most is wrong."""
    lines = [
        "| verifier | commonest errors (label → answer, count) | genres with most errors (wrong of all) |",
        "|---|---|---|",
    ]
    for verifier in TASKS:
        judged = labelled(judge(rows, verifier))
        wrong = [each for each in judged if each.answer != each.label]
        confusions = Counter(f"{each.label} → {each.answer}" for each in wrong).most_common(5)
        by_genre: dict[str, list[bool]] = defaultdict(list)
        for each in judged:
            by_genre[each.genre].append(each.answer != each.label)
        worst = sorted(by_genre.items(), key=lambda item: (-sum(item[1]), item[0]))[:4]
        lines.append(
            f"| {verifier} | {'; '.join(f'{pair} ({count})' for pair, count in confusions)} | "
            + "; ".join(f"{genre} {sum(errors)}/{len(errors)}" for genre, errors in worst if any(errors))
            + " |"
        )
    return "\n".join(lines)


def least_recalled(rows: list[dict[str, str | None]]) -> str:
    """The classes that a verifier misses most, from aggregates alone: fit for the frozen half."""
    lines = []
    for verifier, count in (("topic", 8), ("sentiment", 3)):
        found = recalls(labelled(judge(rows, verifier)))
        worst = sorted(found.items(), key=lambda item: (item[1][0] / item[1][1], item[0]))[:count]
        lines.append(f"- {verifier}: " + ", ".join(f"{label} {right}/{total}" for label, (right, total) in worst))
    return "\n".join(lines)


README = """# The offline verifiers, measured

Written by `python benchmarks/verifiers/evaluate.py`; run it again after any change to a lexicon. The texts, how they
were written and what their labels mean: [texts/README.md](texts/README.md).

**Read the frozen rows.** The lexicons were extended after reading the tune half, in part with words that its texts
use, so its rows flatter them: the gap between the halves shows by how much, and is widest for topic. The frozen half
was first evaluated after the last change to a verifier. One language model wrote all texts and gave all labels: one author,
one style and no second annotator, in both halves, so that even the frozen one is easier than texts from elsewhere.

{main}

Balanced accuracy is the mean recall over the classes. A text that a verifier leaves unscored counts as wrong in it;
coverage is the share that is not left unscored. Intervals: Wilson's, of the size that the spread within the classes
leaves; they speak of more texts by the same author. Chance is 0.5 for register and toxicity, 0.33 for sentiment, 0.03
for topic. *Plain VADER* is the vaderSentiment package on the whole text, with its authors' thresholds.

{none}

## Recall by class

{recall}

## Recall by topic

{topics}

## Where they are weak

Least recalled on the frozen half, of which only such counts are looked at:

{least}

From the tune half, whose errors may be looked at:

{weak}

- **Sentiment reads words, not situations.** A mood that is only implied (a crop lost, a view that stopped someone, a
  short note of thanks), irony, and a sad thing calmly told are mostly read as neutral. About two in five glad and
  two in five bitter texts of the frozen half are missed. Use it to tell clearly glad from clearly bitter texts; for
  anything finer name a model with `verifier="hf:ID"`.
- **Topic needs the topic's own vocabulary.** Short messages between people who know what they talk about are left
  unscored. It knows 32 topics; others are unscored, but a text about something else that borrows their words may be
  given one of them.
- **Register is weakest on short, plain notes**: a catalogue line or a dedication without a formal word, a text
  message without slang.
- **Toxicity knows words and whom they are pointed at.** Contempt in clean words, irony, new insults and other
  languages pass. Mild insults between friends count as insults; quoted ones are let off only after such words as
  'called', 'described as'.
- All are for English, and were tried mostly on British English by one author. They knew no model and no prompt set.
"""


def report(halves: dict[str, list[dict[str, str | None]]]) -> str:
    """The README's text."""
    return README.format(
        main=main_table(halves),
        none=false_topics(halves),
        recall=recall_table(halves, ["sentiment", "register", "toxicity", VADER]),
        topics=recall_table(halves, ["topic"]),
        least=least_recalled(halves["frozen"]),
        weak=weaknesses(halves["tune"]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the offline verifiers on labelled texts.")
    parser.add_argument("--half", choices=["tune", "frozen", "both"], default="both", help="both also writes README.md")
    half = parser.parse_args().half
    check_frozen()
    halves = {name: read_half(name) for name in (["tune", "frozen"] if half == "both" else [half])}
    if half == "both":
        text = report(halves)
        (HERE / "README.md").write_text(text, encoding="utf-8")
        print(text)
        return
    print(main_table(halves), false_topics(halves), recall_table(halves, list(VERIFIERS)), sep="\n\n")
    if half == "tune":
        print("\n" + weaknesses(halves["tune"]))


if __name__ == "__main__":
    main()
