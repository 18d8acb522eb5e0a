"""No unsound claim on recorded IFEval responses, cut anywhere. Skipped where those are not at hand.

Every constraint watches the response to its own prompt and to two others, which break it more often.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from heedful.constraints import Constraint
from heedful.constraints.ifeval import constraint_from_ifeval

FOLDER = Path(os.environ.get("HEEDFUL_IFEVAL", Path(__file__).parents[3].parent / "shared" / "ifeval"))
TOKEN = re.compile(r"\s?\w{1,5}|\s+|\W")  # about what a model writes at a time

pytestmark = pytest.mark.skipif(not (FOLDER / "recorded.jsonl").exists(), reason="IFEval's recordings are not here")


class Watched(NamedTuple):
    constraint: Constraint
    text: str
    own: bool


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def watched() -> list[Watched]:
    inputs = {row["key"]: row for row in _lines("inputs.jsonl")}
    rows = _lines("recorded.jsonl")
    return [
        Watched(constraint_from_ifeval(name, kwargs), rows[(number + other) % len(rows)]["response"], other == 0)
        for number, row in enumerate(rows)
        for name, kwargs in zip(inputs[row["key"]]["instruction_id_list"], inputs[row["key"]]["kwargs"], strict=True)
        for other in (0, 1, 17)
    ]


def unsound(constraint: Constraint, text: str, deltas: list[str], later: int) -> Iterator[str]:
    """What is claimed of a prefix and does not hold of a longer one; `later` says how many of those are checked."""
    monitor = constraint.monitor()
    length = 0
    for delta in deltas:
        length += len(delta)
        verdict = monitor.feed(delta)
        if verdict.decided:
            known = {"violated": "fail", "satisfied": "pass"}[verdict.state]
            step = max(1, (len(text) - length) // later)
            for end in [*range(length, len(text), step), len(text)]:
                found = constraint.check(text[:end])
                if found.outcome != known:
                    yield f"{verdict} after {length} characters, and after {end}: {found.reason}"
            return


def test_nothing_is_claimed_that_more_tokens_undo(watched: list[Watched]) -> None:
    assert len(watched) > 2000
    wrong = [
        claim for item in watched for claim in unsound(item.constraint, item.text, TOKEN.findall(item.text), later=8)
    ]
    assert wrong == []


def test_nothing_is_claimed_that_more_characters_undo(watched: list[Watched]) -> None:
    wrong = [
        claim for item in watched[::9] for claim in unsound(item.constraint, item.text, list(item.text), later=100)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["ifeval/punctuation_no_comma", "ifeval/keywords_forbidden_words"])
def test_every_comma_and_forbidden_word_is_proved(watched: list[Watched], name: str) -> None:
    """Except a forbidden word that the text ends with: it could still have grown."""
    for item in (item for item in watched if item.constraint.id == name):
        monitor = item.constraint.monitor()
        state = monitor.feed(item.text + "\n").state
        assert (state == "violated") == (item.constraint.check(item.text).outcome == "fail"), item


def test_closing_is_checking(watched: list[Watched]) -> None:
    for item in watched[::5]:
        monitor = item.constraint.monitor()
        for delta in TOKEN.findall(item.text):
            monitor.feed(delta)
        assert monitor.close() == item.constraint.check(item.text)
