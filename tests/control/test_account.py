"""What verifiers ask of models is paid by the request whose drafts they judge: counted, and stopped before it is too much."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.control.server import serving, status

from heedful.constraints import Include, Register, Sentiment, WordCount, constraint
from heedful.constraints.classification import Classifier, get_classifier, register_classifier
from heedful.control.budget import Budget, Judged
from heedful.control.endpoint import Endpoint
from heedful.control.guard import Guard
from heedful.control.judge import Judge
from heedful.control.result import Guarded
from heedful.control.upstream import Usage
from heedful.control.verify import LAST_LOOK

from .conftest import PROMPT_TOKENS, Scripted

PROMPT = "Say something positive."
JUDGED = Sentiment(sentiment="positive", verifier="scripted")
FORMAL = Register(level="formal", verifier="scripted")
A_QUESTION = PROMPT_TOKENS + 1  # tokens: a word is its answer


@pytest.fixture
def judges() -> Iterator[dict[str, Scripted]]:
    """By task, the model that judges; set before it is asked."""
    found = {"sentiment": Scripted("positive"), "register": Scripted("formal")}

    def factory(task: str, rest: str) -> Classifier:
        return Judge(found[task], task, max_tokens=64)

    register_classifier("scripted", factory)
    yield found
    get_classifier.cache_clear()


def test_a_judge_is_counted_and_told_apart(judges: dict[str, Scripted], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    result = Guard(Scripted("What a fine day"), [JUDGED], budget=Budget(calls=3), log=log).generate(PROMPT)
    assert result.passed
    assert result.judged == Judged(2, Usage(2 * PROMPT_TOKENS, 2))
    assert result.attempts[0].usage == Usage(PROMPT_TOKENS, 4)
    assert result.usage == Usage(3 * PROMPT_TOKENS, 6)
    assert json.loads(log.read_text())["judged"] == {"calls": 2, "prompt": 2 * PROMPT_TOKENS, "completion": 2}


def test_a_judge_that_the_budget_does_not_admit_is_not_asked_and_the_draft_is_no_pass(
    judges: dict[str, Scripted],
) -> None:
    result = Guard(Scripted("What a fine day"), [JUDGED], budget=Budget(calls=2)).generate(PROMPT)
    assert len(judges["sentiment"].requests) == 1
    assert (result.passed, result.text, result.stopped) == (False, "What a fine day", "budget")
    [verdict] = result.verdicts
    assert verdict.outcome == "unscored"
    assert "scripted was not asked to the end: 2 calls of 2 are made" in verdict.reason


@settings(max_examples=40)
@given(st.integers(10, 160), st.integers(1, 6) | st.none(), st.sampled_from(("best_of_n", "refine", "resample")))
def test_drafts_and_judges_together_never_exceed_a_budget(tokens: int, calls: int | None, policy: str) -> None:
    judge = Scripted("negative")
    register_classifier("scripted", lambda task, rest: Judge(judge, task, max_tokens=64))
    model = Scripted("What a fine day", "A fine day")
    result = Guard(model, [JUDGED], policy, budget=Budget(tokens=tokens, calls=calls)).generate(PROMPT)
    drawn = [sum(each.drawn.values()) + PROMPT_TOKENS * len(each.requests) for each in (model, judge)]
    assert result.usage.total == sum(drawn) <= tokens
    assert result.judged.usage.total == drawn[1]
    assert calls is None or len(model.requests) + len(judge.requests) <= calls
    assert not result.passed


def test_judges_of_one_draft_wait_for_each_other_where_tokens_are_few(judges: dict[str, Scripted]) -> None:
    """Each may write 64 tokens and writes one: what the first one holds comes back, and is enough for the second."""
    for each in judges.values():
        each.pause = 0.05
    budget = Budget(tokens=PROMPT_TOKENS + 4 + 4 * A_QUESTION + 40)
    result = Guard(Scripted("What a fine day"), [JUDGED, FORMAL], budget=budget).generate(PROMPT)
    assert result.passed
    assert result.judged.calls == 4


def test_a_judge_is_stopped_when_the_time_is_over(judges: dict[str, Scripted]) -> None:
    judges["sentiment"].pause = 30.0
    began = time.monotonic()
    result = Guard(Scripted("What a fine day"), [JUDGED], budget=Budget(seconds=0.3)).generate(PROMPT)
    assert time.monotonic() - began < 0.3 + LAST_LOOK
    assert result.seconds < 0.3 + LAST_LOOK
    assert (result.text, result.stopped) == ("What a fine day", "budget")
    assert result.verdicts[0].outcome == "unscored"
    assert "its time was over before its answer" in result.verdicts[0].reason
    assert result.judged == Judged(1, Usage(PROMPT_TOKENS, 0))
    assert judges["sentiment"].closed == [0]


@constraint("test/hangs")
def hangs(text: str) -> bool:
    "decided after a while"
    time.sleep(4)
    return True


def test_a_verifier_that_hangs_is_left_a_second_after_the_time_is_over_and_others_still_judge() -> None:
    began = time.monotonic()
    asked = [hangs(), WordCount(at_most=4), Include(terms=("day",))]
    result = Guard(Scripted("What a fine day"), asked, budget=Budget(seconds=0.2)).generate(PROMPT)
    assert time.monotonic() - began < 0.2 + LAST_LOOK + 0.5
    assert [verdict.outcome for verdict in result.verdicts] == ["unscored", "pass", "pass"]
    assert "was not done when the 0.2 seconds of the budget were over" in result.verdicts[0].reason
    assert (result.passed, result.stopped) == (False, "budget")


async def _ask_a_busy_judge(budget: Budget, verifier_seconds: float) -> tuple[Guarded, int]:
    """A judge whose server is busy, which it will ask again in a minute."""
    async with serving(status(503, "busy", retry_after="60")) as server:
        register_classifier("scripted", lambda task, rest: Judge(Endpoint(server.url, "m"), task))
        guard = Guard(
            Scripted("What a fine day"), [JUDGED], "resample", budget=budget, verifier_seconds=verifier_seconds
        )
        return await guard.agenerate(PROMPT), len(server.asked)


@pytest.mark.parametrize(
    ("budget", "seconds", "stopped"), [(Budget(), 0.4, "error"), (Budget(seconds=0.4), 9, "budget")]
)
def test_a_judge_that_has_no_time_to_ask_again_says_why_it_had_to(
    judges: dict[str, Scripted], budget: Budget, seconds: float, stopped: str
) -> None:
    result, asked = asyncio.run(_ask_a_busy_judge(budget, seconds))
    [verdict] = result.verdicts
    assert verdict.outcome == "error"
    assert "answered with status 503: busy" in verdict.reason
    assert (result.stopped, asked) == (stopped, len(result.attempts))
    assert len(result.attempts) == (2 if stopped == "error" else 1)


def test_outside_of_a_guard_nobody_counts(judges: dict[str, Scripted]) -> None:
    assert JUDGED.check("What a fine day").passed
