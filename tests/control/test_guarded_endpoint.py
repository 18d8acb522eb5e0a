"""What a guard promises holds over an endpoint too, where tokens are an estimate until the server has counted them."""

from __future__ import annotations

import asyncio
import copy
import pickle
import time
from typing import Any

import pytest
from tests.control.server import DONE, Reply, chunk, events, serving, status

from heedful.constraints import Exclude, WordCount
from heedful.control.budget import Budget
from heedful.control.endpoint import Endpoint
from heedful.control.guard import Guard
from heedful.control.result import Guarded
from heedful.control.upstream import Sampling
from heedful.errors import UpstreamError

WORDS = [
    f"word{number:02} " for number in range(40)
]  # a server's tokens: seven bytes each, three tokens by the estimate
USAGE = {"prompt_tokens": 9, "completion_tokens": len(WORDS)}
TEXT = "".join(WORDS)
WHOLE = events(*[chunk(word) for word in WORDS], chunk(finish="stop"), chunk(usage=USAGE), DONE)


def guarded(*replies: Reply, most: int = len(WORDS), retries: int = 1, **settings: Any) -> tuple[Guarded, int]:
    """The result, and how often the server was asked."""

    async def run() -> tuple[Guarded, int]:
        async with serving(*replies) as server:
            endpoint = Endpoint(server.url, "m", patience=5, retries=retries)
            endpoint._pause = lambda tried: 0.01  # type: ignore[method-assign]
            guard = Guard(endpoint, **{"constraints": [WordCount(at_least=5)], **settings})
            result = await guard.agenerate("Write.", Sampling(max_tokens=most))
            return result, len(server.asked)

    return asyncio.run(asyncio.wait_for(run(), 30))


def test_an_answer_within_its_limit_is_never_cut_off_for_an_estimate() -> None:
    for mode in ("shadow", "warn", "stop", "repair"):
        result, _ = guarded(WHOLE, mode=mode)
        assert (result.text, result.attempts[0].ended) == (TEXT, "finished")
        assert (result.usage.completion, result.usage.estimated) == (len(WORDS), False)


def test_a_server_that_ignores_its_limit_is_left() -> None:
    endless = events(*[chunk(word) for word in WORDS * 50])
    began = time.monotonic()
    result, _ = guarded(endless, most=20, mode="shadow")
    assert time.monotonic() - began < 5
    assert result.attempts[0].ended == "length"
    assert len(result.text) < 20 * 13
    assert (result.usage.completion, result.usage.estimated) == (20, True)


def test_a_stopped_drafts_estimate_stays_within_the_budget() -> None:
    budget = Budget(tokens=120)
    result, _ = guarded(WHOLE, constraints=[Exclude(terms="word33")], policy="abort", budget=budget)
    assert result.attempts[0].ended == "proved"
    assert result.usage.estimated
    assert result.usage.total <= 120


def test_a_server_that_is_down_is_tried_again_once_and_not_by_every_draft() -> None:
    result, asked = guarded(WHOLE, status(503), constraints=[WordCount(at_most=5)], policy="refine", retries=2)
    assert (result.text, result.stopped) == (TEXT, "error")
    assert "answered with status 503" in result.why
    assert asked == 1 + 3


def test_a_guard_that_has_answered_can_be_copied_and_sent_to_another_process() -> None:
    async def run() -> list[str]:
        async with serving(WHOLE) as server:
            guard, texts = Guard(Endpoint(server.url, "m"), [WordCount(at_least=1)]), list[str]()
            for copied in (lambda: guard, lambda: copy.deepcopy(guard), lambda: pickle.loads(pickle.dumps(guard))):
                texts.append((await copied().agenerate("Write.", Sampling(max_tokens=len(WORDS)))).text)
            return texts

    assert asyncio.run(run()) == [TEXT] * 3


def test_a_budget_limits_the_field_that_the_server_takes() -> None:
    async def run() -> list[int]:
        async with serving(WHOLE) as server:
            endpoint = Endpoint(server.url, "m", tokens_field="max_completion_tokens")
            room = endpoint.count([{"role": "user", "content": "Write."}])
            await Guard(endpoint, [WordCount(at_least=1)], budget=Budget(tokens=room + 50)).agenerate("Write.")
            return [asked.body["max_completion_tokens"] for asked in server.asked]

    assert asyncio.run(run()) == [50]


def test_a_draft_that_has_no_time_to_be_asked_for_again_says_why_it_had_to() -> None:
    """Also where the budget's time is over and nothing was had, so that it is not the budget that is to be mended."""
    result, asked = guarded(status(429, "slow down", retry_after="60"), budget=Budget(seconds=0.4), policy="resample")
    assert (asked, result.stopped, result.best) == (1, "budget", None)
    assert "the 0.4 seconds are over, and before that m at 127.0.0.1" in result.why
    assert result.why.endswith("answered with status 429: slow down")


EMPTY = events(chunk(finish="stop", usage=USAGE), DONE)
FILTERED = events(chunk("Some "), chunk(finish="content_filter"), chunk(usage=USAGE), DONE)
MUTE = events(chunk(reasoning_content="hm"), chunk(finish="length"), DONE)


@pytest.mark.parametrize(
    ("fault", "said"),
    [(EMPTY, "empty answer (finish_reason 'stop')"), (FILTERED, "finish_reason 'content_filter'"), (MUTE, "'length'")],
    ids=["empty", "filtered", "all thought"],
)
@pytest.mark.parametrize("policy", ["resample:tries=4", "refine", "abort", "decompose", "best_of_n:n=4"])
def test_an_empty_or_filtered_draft_is_one_that_failed_and_another_is_drawn(
    fault: Reply, said: str, policy: str
) -> None:
    result, _ = guarded(fault, fault, WHOLE, policy=policy)
    assert (result.passed, result.text, result.stopped) == (True, TEXT, "passed")
    failed = [attempt for attempt in result.attempts if attempt.ended == "error"]
    assert len(failed) == 2
    assert all(said in attempt.why for attempt in failed)


def test_what_empty_and_filtered_drafts_took_is_paid_by_the_servers_own_count() -> None:
    result, asked = guarded(EMPTY, FILTERED, WHOLE, budget=Budget(calls=2), policy="resample")
    assert (asked, result.stopped, result.why) == (2, "budget", "2 calls of 2 are made")
    assert (result.text, result.passed) == ("Some ", False)
    assert [attempt.usage.completion for attempt in result.attempts] == [len(WORDS)] * 2
    assert result.usage.total == 2 * (9 + len(WORDS))


@pytest.mark.parametrize("mode", ["shadow", "stop", "repair"])
def test_where_nothing_but_empty_drafts_come_that_is_the_error(mode: str) -> None:
    with pytest.raises(UpstreamError, match=r"gave an empty answer \(finish_reason 'stop'\)\n  → ask in other words"):
        guarded(EMPTY, mode=mode, policy="resample:tries=3")


def test_a_best_draft_that_was_filtered_is_given_as_what_it_is() -> None:
    result, asked = guarded(FILTERED, policy="resample:tries=3")
    assert (asked, result.text, result.stopped) == (3, "Some ", "error")
    assert "of which 3 failed" in result.why
    assert "content_filter" in result.why


def test_an_answer_that_ends_in_a_call_of_a_tool_is_not_asked_for_again() -> None:
    result, asked = guarded(WHOLE, events(chunk(finish="tool_calls"), DONE), constraints=[WordCount(at_most=5)])
    assert (asked, result.text, result.stopped) == (2, TEXT, "error")
