"""What a guard promises: nothing lost, nothing exceeded, nothing out that is proved bad, nothing changed in the shadow."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import heedful
from heedful.constraints import Exclude, Include, Register, Sentiment, Topic, Verdict, WordCount, check, constraint
from heedful.constraints.custom import FunctionConstraint
from heedful.constraints.text import word_spans
from heedful.control.alarm import Alarm
from heedful.control.budget import Budget
from heedful.control.guard import Guard
from heedful.control.log import append, read_log
from heedful.control.loop import AT_ONCE
from heedful.control.policies import Ask, Asked, Plan, known_policies
from heedful.control.result import best_of, rank
from heedful.control.upstream import Request, Sampling
from heedful.control.watch import RiskLimit
from heedful.errors import InputError, StoreError, UpstreamError
from heedful.prompts.skills import Skill

from .conftest import PROMPT_TOKENS, Scripted, ScriptedStream

FEW, DAY = WordCount(at_most=4), Include(terms=("day",))
PROMPT = "Say something with at most 4 words, and use 'day'."
GOOD, LONG, DAYLESS, WORST = (
    "What a fine day",
    "What a very fine day it is",
    "What a fine night",
    "One two three four five six",
)
POLICIES = ("best_of_n", "refine", "resample", "abort", "decompose")

texts = st.lists(st.sampled_from((GOOD, LONG, DAYLESS, WORST)), min_size=1, max_size=6)
FULL = "It is a truly fine and sunny day or night, as far as anyone here can tell"
longer = st.lists(st.sampled_from((GOOD, LONG, WORST, FULL)), min_size=1, max_size=6)
policies = st.sampled_from(POLICIES)


@pytest.fixture(autouse=True)
def _registered() -> None:
    assert set(POLICIES) <= set(known_policies())


@pytest.mark.parametrize("policy", POLICIES)
def test_a_good_answer_is_reached_and_nothing_after_it_is_asked(policy: str) -> None:
    model = Scripted(LONG, DAYLESS, GOOD)
    result = Guard(model, [FEW, DAY], policy).generate(PROMPT)
    assert result.passed
    assert (result.text, result.released, result.stopped) == (GOOD, GOOD, "passed")
    assert len(model.requests) == (4 if policy == "best_of_n" else 3)
    assert sorted(model.closed) == list(range(len(model.requests)))


@settings(max_examples=60)
@given(texts, policies, st.integers(1, 200), st.integers(1, 5) | st.none())
def test_no_budget_is_exceeded_and_the_best_draft_is_what_is_given(
    answers: list[str], policy: str, tokens: int, calls: int | None
) -> None:
    model = Scripted(*answers)
    result = Guard(model, [FEW, DAY], policy, budget=Budget(tokens=tokens, calls=calls)).generate(PROMPT)
    drawn = sum(model.drawn.values()) + PROMPT_TOKENS * len(model.requests)
    assert result.usage.total == drawn <= tokens
    assert calls is None or len(model.requests) <= calls
    assert result.attempts == () or result.text == result.attempts[best_of(result.attempts)].text  # type: ignore[index]
    assert all(
        result.attempts[result.best].rank >= attempt.rank for attempt in result.attempts if result.best is not None
    )
    assert result.verdicts == (tuple(check(result.text, FEW, DAY)) if result.attempts else ())
    assert result.passed == (result.stopped == "passed")


FAILURES = (
    UpstreamError("gone", "try later", retry=False),
    UpstreamError("busy", "try later", retry=True),
    RuntimeError("out of memory"),
)


@settings(max_examples=80)
@given(
    st.lists(st.sampled_from((LONG, DAYLESS, WORST)), min_size=1, max_size=4),
    policies,
    st.integers(0, 30),
    st.sampled_from(FAILURES),
)
def test_the_best_draft_survives_any_failure(answers: list[str], policy: str, at: int, failure: Exception) -> None:
    model = Scripted(*answers, fails_at=at, failure=failure)
    guard = Guard(model, [FEW, DAY], policy)
    if at == 0:
        with pytest.raises(type(failure)):
            guard.generate(PROMPT)
        return
    result = guard.generate(PROMPT)
    whole = [attempt for attempt in result.attempts if attempt.ended == "finished"]
    assert result.text
    assert len(result.verdicts) == 2
    for attempt in whole:
        assert rank(result.verdicts, whole=result.attempts[result.best].whole) >= attempt.rank  # type: ignore[index]
    if result.stopped == "error":
        assert ("gone" in result.why) or ("busy" in result.why) or "out of memory" in result.why


@settings(max_examples=40)
@given(st.lists(st.sampled_from((LONG, DAYLESS)), min_size=1, max_size=4), policies, st.integers(0, 25))
def test_the_best_draft_survives_a_cancellation(answers: list[str], policy: str, at: int) -> None:
    async def cancelled() -> tuple[Scripted, object]:
        model = Scripted(*answers)
        answer = Guard(model, [FEW, DAY], policy).astream(PROMPT)

        async def collect() -> None:
            async for _ in answer:
                pass

        task = asyncio.create_task(collect())
        for _ in range(at):
            await asyncio.sleep(0)
        answer.cancel()
        await task
        return model, answer.result

    model, result = asyncio.run(cancelled())
    assert result.stopped in ("cancelled", "exhausted")  # type: ignore[attr-defined]
    if any(model.drawn.values()):
        assert result.text  # type: ignore[attr-defined]
        assert len(result.verdicts) == 2  # type: ignore[attr-defined]
    assert sorted(model.closed) == sorted(model.drawn)


def test_a_cancelled_task_leaves_its_draft_in_the_log_and_stays_cancelled(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"

    async def run() -> None:
        guard = Guard(Scripted(LONG, pause=0.01), [FEW], "resample", log=log)
        task = asyncio.create_task(guard.agenerate(PROMPT))
        await asyncio.sleep(0.035)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    [line] = read_log(log).lines
    assert line["stopped"] == "cancelled"
    assert LONG.startswith(line["text"])
    assert line["text"]


@settings(max_examples=60)
@given(
    longer,
    policies,
    st.sampled_from(("hold_all", "hold_window")),
    st.integers(1, 30),
    st.booleans(),
    st.integers(1, 5),
)
def test_nothing_goes_out_that_is_proved_violated(
    answers: list[str], policy: str, release: str, window: int, continues: bool, chunk: int
) -> None:
    watched = [FEW, Exclude(terms=("night",))]
    model = Scripted(*answers, continues=continues, chunk=chunk)
    stream = Guard(model, watched, policy, release=release, window=window).stream(PROMPT)  # type: ignore[arg-type]
    out = ""
    for piece in stream:
        out += piece
        for each in watched:
            monitor = each.monitor()
            assert monitor.feed(out).state != "violated"
    result = stream.result
    assert out == result.released
    assert (out == result.text) == (result.passed or out == result.text)
    assert out == "" or result.text.startswith(out)
    if release == "hold_all" and not result.passed:
        assert out == ""
    if result.passed:
        assert out == result.text


def test_a_window_repairs_from_what_has_gone_out() -> None:
    model = Scripted("It was a fine and sunny night or so it seemed", "sunny day")
    stream = Guard(model, [Exclude(terms=("night",))], release="hold_window", window=10).stream("Write.")
    pieces = list(stream)
    assert len(pieces) > 1
    assert model.requests[1].prefix == "It was a fine and"
    assert model.drawn[0] == 8  # and no further
    assert "".join(pieces) == stream.result.text == "It was a fine and sunny day"
    assert [attempt.what for attempt in stream.result.attempts] == ["draft", "continuation"]


def test_a_window_says_when_nothing_can_be_repaired_any_more() -> None:
    model = Scripted("It was a fine and sunny night or so", continues=False)
    result = Guard(model, [Exclude(terms=("night",))], release="hold_window", window=10).generate("Write.")
    assert result.released == "It was a fine and"
    assert (result.passed, result.stopped) == (False, "exhausted")
    assert "17 characters had gone out" in result.why
    model = Scripted("It was a fine and sunny night or so", "dark night")
    result = Guard(model, [Exclude(terms=("night",))], release="hold_window", window=10).generate("Write.")
    assert (result.passed, result.stopped) == (False, "exhausted")
    assert result.why == "nothing passed in 5 attempts; 17 characters had gone out, and the rest went on from them"


def test_a_guard_names_what_no_prefix_decides() -> None:
    assert Guard(Scripted(GOOD), [FEW, Sentiment(sentiment="positive")]).late == ("semantic/sentiment",)


@settings(max_examples=40)
@given(texts, policies, st.sampled_from(("hold_all", "hold_window")), st.integers(1, 60))
def test_sync_async_and_the_stream_collected_are_the_same(
    answers: list[str], policy: str, release: str, tokens: int
) -> None:
    def guard() -> Guard:
        return Guard(Scripted(*answers), [FEW, DAY], policy, Budget(tokens=tokens), release=release)  # type: ignore[arg-type]

    async def collected() -> tuple[str, object]:
        answer = guard().astream(PROMPT)
        return "".join([piece async for piece in answer]), answer.result

    stream = guard().stream(PROMPT)
    out = "".join(stream)
    aout, aresult = asyncio.run(collected())
    results = [guard().generate(PROMPT), asyncio.run(guard().agenerate(PROMPT)), stream.result, aresult]
    assert out == aout == results[0].released
    assert len({_timeless(result) for result in results}) == 1


def _timeless(result: object) -> str:
    from dataclasses import replace

    attempts = tuple(replace(attempt, seconds=0) for attempt in result.attempts)  # type: ignore[attr-defined]
    return repr(replace(result, seconds=0, attempts=attempts))  # type: ignore[type-var]


@settings(max_examples=40)
@given(texts, policies, st.sampled_from(("shadow", "warn")), st.integers(1, 8))
def test_the_shadow_changes_nothing(answers: list[str], policy: str, mode: str, most: int) -> None:
    model = Scripted(*answers)
    guard = Guard(model, [FEW, DAY], policy, Budget(tokens=1, seconds=0), mode=mode)  # type: ignore[arg-type]
    stream = guard.stream(PROMPT, Sampling(max_tokens=most, seed=3))
    pieces = list(stream)
    unguarded = " ".join(answers[0].split(" ")[:most])
    assert "".join(pieces) == stream.result.text == unguarded
    assert len(pieces) == len(unguarded.split(" "))
    assert [request.sampling for request in model.requests] == [Sampling(max_tokens=most, seed=3)]
    assert bool(stream.result.would) == (not stream.result.passed)


def test_the_shadow_says_what_it_would_have_done() -> None:
    result = Guard(Scripted(LONG), [FEW], mode="shadow").generate(PROMPT)
    assert result.stopped == "unguarded"
    assert result.would.startswith("stopped or repaired after 20 characters: proved violated by structural/word_count")


def test_stopping_stops_the_model_and_releases_nothing() -> None:
    model = Scripted("One two three four five six seven eight")
    result = Guard(model, [FEW], mode="stop").generate(PROMPT)
    assert (result.stopped, result.released, result.passed) == ("proved", "", False)
    assert model.drawn[0] == 5
    assert result.why.startswith("proved violated by structural/word_count")


def test_a_forecast_is_told_apart_from_a_proof() -> None:
    model = Scripted("One two three", GOOD, risk=lambda text: {"word_count": 0.9 if "two" in text else 0.1})
    guard = Guard(model, [FEW, DAY], "abort", monitors=[RiskLimit("word_count", 0.5)], run_on=True)
    result = guard.generate(PROMPT)
    first, second = result.attempts
    assert (first.ended, first.why) == ("forecast", "forecast by word_count: risk 0.90, alarm from 0.50")
    assert first.text == "One two"
    assert first.usage.completion == 2
    assert model.drawn[0] == 3  # it ran on, uncharged
    assert first.would_have_passed is False
    assert (second.ended, result.text) == ("finished", GOOD)


def test_forecasts_that_are_always_wrong_cost_no_answer() -> None:
    model = Scripted(GOOD, risk=lambda written: {"x": 1.0})
    guard = Guard(model, [FEW, DAY], "abort:tries=4,forecasts=2", monitors=[RiskLimit("x", 0.5)], run_on=True)
    result = guard.generate(PROMPT)
    assert [attempt.ended for attempt in result.attempts] == ["forecast", "forecast", "finished"]
    assert [attempt.would_have_passed for attempt in result.attempts] == [True, True, None]
    assert result.passed


def test_an_alarm_counts_where_its_task_was_asked_for() -> None:
    def alarm(name: str) -> Alarm:
        return Alarm(name, score=2.0, threshold=1.0, risk=0.8, token=1, false_alarms=0.05)

    def raised(written: str) -> tuple[Alarm, ...]:
        return (alarm("json"), alarm("word_count")) if written.startswith("One two") else ()

    result = Guard(Scripted("One two three", GOOD, alarms=raised), [FEW], "abort").generate(PROMPT)
    first, second = result.attempts
    assert (first.text, first.ended) == ("One two", "forecast")
    assert first.why.startswith("forecast by word_count: may end in a violation (risk 80%")
    assert [alert.by for alert in first.alerts] == ["word_count"]
    assert second.passed
    assert Guard(Scripted("One two three", alarms=raised), [FEW], "abort:forecasts=0").generate(PROMPT).passed


def test_an_alarm_of_a_skill_of_ones_own_counts_where_a_value_of_it_was_asked_for() -> None:
    clauses = {"clauses": ("a", "b"), "held_out": ("c", "d")}
    other = {"clauses": ("e", "f"), "held_out": ("g", "h")}

    def raised(most: int) -> Alarm:
        values = ({"constraint": {"id": "structural/word_count", "at_most": most}} | clauses,)
        values += ({"constraint": {"id": "structural/word_count", "at_least": 9}} | other,)
        skill = Skill.model_validate({"name": "brevity", "family": "structural", "values": values})
        return Alarm("brevity", score=2.0, threshold=1.0, risk=0.8, token=1, false_alarms=0.05, skill=skill)

    alarm = raised(FEW.at_most or 0)
    model = Scripted("One two three", GOOD, alarms=lambda text: (alarm,) if text.startswith("One two") else ())
    assert [alert.by for alert in Guard(model, [FEW], "abort").generate(PROMPT).attempts[0].alerts] == ["brevity"]
    assert not raised(77).concerns([FEW])


def test_an_abort_costs_what_it_used() -> None:
    model = Scripted("One two three four five six seven eight", GOOD)
    result = Guard(model, [FEW], "abort").generate(PROMPT)
    assert [attempt.ended for attempt in result.attempts] == ["proved", "finished"]
    assert result.usage.completion == 5 + 4
    assert result.usage.prompt == 2 * PROMPT_TOKENS


def test_a_text_stopped_by_a_forecast_is_never_a_pass() -> None:
    model = Scripted("One two three", risk=lambda text: {"x": 1.0})
    result = Guard(model, [FEW], "abort:tries=2,forecasts=2", monitors=[RiskLimit("x", 0.5)]).generate(PROMPT)
    assert result.text == "One"
    assert result.verdicts[0].passed
    assert not result.passed


def test_a_model_that_ignores_its_limit_is_stopped_at_it() -> None:
    model = Scripted(FULL, obeys=False)
    result = Guard(model, [DAY], budget=Budget(tokens=PROMPT_TOKENS + 16)).generate(PROMPT, Sampling(max_tokens=5))
    assert result.usage.total == PROMPT_TOKENS + 5
    assert (result.attempts[0].ended, result.attempts[0].why) == ("length", "cut off after 5 tokens")
    assert model.drawn == {0: 5}
    result = Guard(Scripted(FULL + " and more" * 9, obeys=False), [DAY], budget=Budget(tokens=30)).generate(PROMPT)
    assert (result.usage.total, result.attempts[0].ended, result.stopped) == (30, "budget", "budget")


def test_time_is_looked_at_while_an_answer_streams() -> None:
    began = time.monotonic()
    model = Scripted(" ".join(["word"] * 200), pause=0.02)
    result = Guard(model, [FEW], budget=Budget(seconds=0.15)).generate(PROMPT)
    assert time.monotonic() - began < 1.5
    assert (result.stopped, result.attempts[0].ended) == ("budget", "budget")
    assert result.text.startswith("word word")
    assert model.closed == [0]


@constraint("test/raises")
def raises(text: str) -> bool:
    "never decided"
    raise ValueError("no")


class Broken(FunctionConstraint):
    """Fails where a constraint of one's own could."""

    id = "test/broken"
    summary = "broken"

    def _verify(self, text: str) -> Verdict:
        raise RuntimeError("the verifier's own fault")


class Slow(FunctionConstraint):
    """Takes its time."""

    id = "test/slow"
    summary = "slow"
    seconds: float = 0.3

    def _verify(self, text: str) -> Verdict:
        time.sleep(self.seconds)
        return self._verdict(True, score=1.0, reason="slow and sure")


def test_a_verifier_that_raises_is_an_error_and_no_pass() -> None:
    result = Guard(Scripted(GOOD), [FEW, Broken(), raises()], "resample:tries=2").generate(PROMPT)
    assert [verdict.outcome for verdict in result.verdicts] == ["pass", "error", "error"]
    assert "the verifier failed: RuntimeError: the verifier's own fault" in result.verdicts[1].reason
    assert (result.passed, result.released, result.text) == (False, "", GOOD)


@pytest.mark.parametrize(
    ("policy", "drawn"), [("resample", 2), ("refine", 2), ("abort", 2), ("decompose", 2), ("best_of_n:n=100", AT_ONCE)]
)
def test_a_verifier_that_fails_each_time_is_not_paid_for_by_every_draft(policy: str, drawn: int) -> None:
    model = Scripted(GOOD)
    result = Guard(model, [FEW, Broken()], policy).generate(PROMPT)
    assert (len(model.requests), result.stopped, result.text) == (drawn, "error", GOOD)
    assert result.why.startswith("test/broken could not be judged, twice in a row where all else holds")
    assert "RuntimeError: the verifier's own fault" in result.why


class Reading(FunctionConstraint):
    """Fails on texts that it was not made for."""

    id = "test/reading"
    summary = "reads"

    def _verify(self, text: str) -> Verdict:
        if "night" in text:
            raise ValueError("no night here")
        return self._verdict("fine" in text, score=1.0, reason="read")


def test_a_verifier_that_fails_on_some_drafts_ends_nothing() -> None:
    """Where something else is to be mended, or another draft was judged in between."""
    dark = "What a night, what a long day"
    for drafts in ((dark, dark, dark, GOOD), ("Day and night", "Day and day", "Day and night", GOOD)):
        result = Guard(Scripted(*drafts), [FEW, DAY, Reading()], "resample:tries=5").generate(PROMPT)
        assert (result.passed, len(result.attempts)) == (True, 4)


class Raising(FunctionConstraint):
    """Ends as no verifier should."""

    id = "test/raising"
    summary = "raises"
    how: str = ""

    def _verify(self, text: str) -> Verdict:
        raise {
            "exit": SystemExit(3), "stop": StopIteration(), "cancel": asyncio.CancelledError(), "time": TimeoutError("slow"),
        }[self.how]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("exit", "SystemExit: 3"),
        ("stop", "StopIteration"),
        ("cancel", "CancelledError"),
        ("time", "TimeoutError: slow"),
    ],
)
def test_a_verifier_that_ends_its_thread_is_an_error_at_once(how: str, said: str) -> None:
    began = time.monotonic()
    result = Guard(Scripted(GOOD), [Raising(how=how)], "resample:tries=1", verifier_seconds=5).generate(PROMPT)
    assert time.monotonic() - began < 2
    assert (result.verdicts[0].outcome, result.stopped) == ("error", "exhausted")
    assert f"the verifier failed: {said}" in result.verdicts[0].reason


def test_slow_verifiers_run_side_by_side_and_one_that_hangs_is_an_error() -> None:
    began = time.monotonic()
    result = Guard(Scripted(GOOD), [Slow(seconds=0.3 + i / 1000) for i in range(6)]).generate(PROMPT)
    assert result.passed
    assert time.monotonic() - began < 1.2  # and not 1.8
    result = Guard(Scripted(GOOD), [Slow(seconds=5)], "resample:tries=1", verifier_seconds=0.05).generate(PROMPT)
    assert result.verdicts[0].outcome == "error"
    assert "took longer than 0.05 seconds" in result.verdicts[0].reason


def test_slow_verifiers_do_not_block_other_requests() -> None:
    async def both() -> float:
        slow = asyncio.create_task(Guard(Scripted(GOOD), [Slow(seconds=0.5)]).agenerate(PROMPT))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await Guard(Scripted(GOOD), [FEW]).agenerate(PROMPT)
        took = time.monotonic() - began
        await slow
        return took

    assert asyncio.run(both()) < 0.3


def test_a_regressing_edit_is_rolled_back_and_the_best_draft_revised() -> None:
    half = "What a fine day it really is"  # has the day; too long
    model = Scripted(half, WORST, WORST, GOOD)
    result = Guard(model, [FEW, DAY], "refine").generate(PROMPT)
    assert result.passed
    draft, feedback = model.requests[2].messages[-2:]
    assert draft["content"] == half
    assert feedback["content"] == "Keep: use “day”. Revise: 7 words, at most 4: cut 3."
    assert Guard(Scripted(half, WORST), [FEW, DAY], "refine").generate(PROMPT).text == half


def test_one_constraint_at_a_time_and_what_holds_is_named() -> None:
    model = Scripted(WORST, "What a fine night", GOOD)
    result = Guard(model, [DAY, FEW], "decompose").generate(PROMPT)
    assert result.passed
    asked = [request.messages[-1]["content"] for request in model.requests[1:]]
    assert asked == ["Revise: 6 words, at most 4: cut 2.", "Keep: at most 4 words. Revise: use “day” once."]


def test_a_policy_of_ones_own_that_fails_loses_no_draft() -> None:
    def faulty(asked: Asked) -> Plan:
        yield [Ask(asked.request())]
        raise ZeroDivisionError("in the policy")

    result = Guard(Scripted(DAYLESS), [FEW, DAY], faulty).generate(PROMPT)
    assert (result.text, result.stopped) == (DAYLESS, "error")
    assert "ZeroDivisionError: in the policy" in result.why


def test_a_greedy_model_is_drawn_from_where_it_is_asked_again() -> None:
    model = Scripted(LONG)
    Guard(model, [FEW], "resample:tries=3").generate(PROMPT, Sampling(temperature=0, seed=5))
    assert [request.sampling.temperature for request in model.requests] == [0, 0.7, 0.7]
    assert len({request.sampling.seed for request in model.requests}) == 3


def test_the_log_is_a_line_a_request_without_texts_where_none_are_wanted(tmp_path: Path) -> None:
    log = tmp_path / "guard.jsonl"
    for texts in (True, False):
        Guard(Scripted(LONG, GOOD), [FEW, DAY], log=log, log_texts=texts).generate(PROMPT)
    first, second = read_log(log).lines
    assert first["schema_version"] == 1
    assert (first["text"], first["messages"][0]["content"]) == (GOOD, PROMPT)
    assert [attempt["ended"] for attempt in first["attempts"]] == ["finished", "finished"]
    assert first["tokens"] == {"prompt": 2 * PROMPT_TOKENS, "completion": 11}
    assert not any(word in json.dumps(second) for word in ("a fine", "Say something", "so far"))
    assert second["passed"]


def test_what_no_encoding_holds_is_logged_all_the_same(tmp_path: Path) -> None:
    log, odd = tmp_path / "log.jsonl", "What a \ud83d \\\udc80 day"
    for prompt in (PROMPT, odd):
        assert Guard(Scripted(odd), [DAY], log=log).generate(prompt).text == odd
    first, second = read_log(log).lines
    assert (first["text"], first["messages"][0]["content"]) == (odd, PROMPT)
    assert second["messages"][0]["content"] == odd


def test_a_log_that_cannot_be_written_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    model = Scripted(GOOD)
    with pytest.raises(StoreError, match="cannot write the log"):
        Guard(model, [FEW], log=tmp_path / "file" / "log").generate(PROMPT)
    with pytest.raises(StoreError, match=r"there is no folder .*\n  → mkdir -p .*a/b"):
        Guard(model, [FEW], log=tmp_path / "a" / "b" / "log").generate(PROMPT)
    assert model.requests == []
    assert not (tmp_path / "a").exists()


def test_a_log_that_cannot_be_written_any_more_loses_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "log"

    def spoil(alert: object) -> None:
        log.unlink()
        log.mkdir()

    result = Guard(Scripted(LONG, GOOD), [FEW], log=log, on_alert=spoil).generate(PROMPT)
    assert result.passed
    assert "cannot write the log" in caplog.text


def test_what_a_killed_writer_left_is_left_out_and_what_is_whole_is_read(tmp_path: Path) -> None:
    whole, log = tmp_path / "whole.jsonl", tmp_path / "log.jsonl"
    Guard(Scripted("What a fine dáy"), [FEW], log=whole).generate(PROMPT)
    line = whole.read_bytes()
    for cut in range(len(line) - 1):
        log.write_bytes(line + line[:cut])
        found = read_log(log)
        assert len(found.lines) == 1
        assert found.torn == ((2,) if cut else ())
    log.write_bytes(line + line[:200] + bytes(30))  # a power cut may leave zeros
    append(log, json.loads(line))
    found = read_log(log)
    assert (len(found.lines), found.torn) == (2, (2,))
    log.write_bytes(line + b"hello")
    with pytest.raises(InputError, match="line 2, is no guarded request"):
        read_log(log)


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"constraints": []}, "a guard without constraints guards nothing"),
        ({"mode": "fix"}, "mode is 'fix'"),
        ({"release": "now"}, "release is 'now'"),
        ({"release": "pass_through"}, "a text that has gone out at once cannot be repaired"),
        ({"mode": "shadow", "release": "hold_all"}, "changes nothing, and 'hold_all' would hold text back"),
        ({"policy": "refin"}, "there is no policy 'refin'\n  → did you mean 'refine'"),
        ({"policy": "refine:tries=3"}, "cannot read 'tries=3' in the policy 'refine'"),
        (
            {"policy": "refine:rounds=["},
            "cannot read 'rounds=[' in the policy 'refine'\n  → give a whole number, such as 4",
        ),
        ({"policy": "refine:rounds=2024-99-99"}, "cannot read 'rounds=2024-99-99' in the policy 'refine'"),
        ({"policy": "refine:rounds=" + "[" * 3000}, "in the policy 'refine'\n  → give a whole number, such as 4"),
        ({"policy": "refine:rounds=true"}, "cannot read 'rounds=true' in the policy 'refine'"),
        ({"policy": "abort:forecasts=few"}, "cannot read 'forecasts=few' in the policy 'abort'"),
        (
            {"policy": "steer:strength=much"},
            "cannot read 'strength=much' in the policy 'steer'\n  → give a number, such as 1.0",
        ),
        ({"policy": "steer:strength=.nan"}, "cannot read 'strength=.nan' in the policy 'steer'"),
        ({"window": 0}, "window is 0"),
        ({"constraints": FEW}, "give a list of constraints"),
        ({"constraints": ["x"]}, "'x' is not a constraint"),
        ({"constraints": 3}, "constraints is 3"),
        ({"constraints": (each for each in [FEW])}, "give a list of constraints"),  # the first look would use it up
        (
            {"constraints": heedful.parse("at most 4 words")},
            "a Parsed is no list of constraints\n  → give its .constraints",
        ),
        ({"constraints": [FEW, Topic(topic="quidditch")]}, "does not know 'quidditch', so no text can be scored"),
        (
            {"constraints": [WordCount(at_most=4), WordCount(at_least=9)]},
            "no text can pass: at least 9 and at most 4 words exclude each other",
        ),
        ({"budget": 5}, "budget is 5"),
        ({"policy": 3}, "policy is 3"),
        ({"monitors": "run/monitors"}, "probe monitors: open_upstream(model, monitors=FOLDER)"),
        ({"monitors": 3}, "monitors is 3"),
    ],
)
def test_what_cannot_be_is_said_at_once(settings: dict[str, object], cause: str) -> None:
    with pytest.raises(InputError) as error:
        Guard(**({"model": Scripted(GOOD), "constraints": [FEW]} | settings))  # type: ignore[arg-type]
    assert cause in str(error.value)


@pytest.mark.parametrize(
    "policy",
    ["refine:rounds=0", "refine:patience=0", "resample:tries=0", "abort:tries=0", "best_of_n:n=0", "decompose:rounds=-1",
     "steer:study=x,tries=0", "decompose:study=12", "decompose:study=2024-99-99"],
)  # fmt: skip
def test_an_option_that_cannot_be_is_said_before_anything_is_asked(policy: str) -> None:
    model = Scripted(LONG)
    with pytest.raises(InputError, match=r"give 1 or more|(12|2024-99-99) has no results/behaviour\.nc"):
        Guard(model, [FEW], policy).generate(PROMPT)
    assert model.requests == []


@pytest.mark.parametrize("prompt", [3, None, [], ["a", "b"], [{"content": "x"}], {"role": "user", "content": "x"}])
def test_what_is_no_prompt_is_said(prompt: object) -> None:
    with pytest.raises(InputError, match="is no prompt\n  → give a text, or a list of messages"):
        Guard(Scripted(GOOD), [FEW]).generate(prompt)  # type: ignore[arg-type]


def test_a_constraint_whose_classifier_only_shows_what_it_knows_is_not_refused() -> None:
    Guard(Scripted(GOOD), [Topic(topic="quidditch", verifier="judge:http://localhost:1/v1#model")])


def test_more_draws_than_anybody_means_are_refused() -> None:
    model = Scripted(LONG)
    with pytest.raises(
        InputError, match=r"n is 100,000, and a request may draw 1,000 times at the most\n  → give 1000"
    ):
        Guard(model, [FEW], "best_of_n:n=100000").generate(PROMPT)
    assert model.requests == []


class Counting(Scripted):
    """Knows how many streams it was asked for at once."""

    def streams(self, requests: Sequence[Request]) -> Sequence[ScriptedStream]:
        self.batches = [*getattr(self, "batches", []), len(requests)]
        return super().streams(requests)


def test_many_draws_are_drawn_a_few_at_once_until_one_passes() -> None:
    model = Counting(*[LONG] * 40, GOOD)
    result = Guard(model, [FEW], "best_of_n:n=1000").generate(PROMPT)
    assert (result.passed, result.text) == (True, GOOD)
    assert model.batches == [AT_ONCE, AT_ONCE]


def test_many_draws_keep_to_the_budget() -> None:
    model = Counting(LONG)
    result = Guard(model, [FEW], "best_of_n:n=1000", budget=Budget(calls=50)).generate(PROMPT)
    assert (result.stopped, result.why) == ("budget", "50 calls of 50 are made")
    assert model.batches == [AT_ONCE, 50 - AT_ONCE]
    model = Counting(UpstreamError("busy", "try later", retry=True))
    with pytest.raises(UpstreamError):
        Guard(model, [FEW], "best_of_n:n=1000").generate(PROMPT)
    assert model.batches == [AT_ONCE]


@pytest.mark.parametrize("policy", ["refine", "resample", "abort", "best_of_n", "decompose"])
def test_an_upstream_that_gives_nothing_is_not_asked_in_vain_again(policy: str) -> None:
    model = Scripted(LONG, UpstreamError("busy", "try later", retry=True))
    result = Guard(model, [FEW], policy).generate(PROMPT)
    assert LONG.startswith(result.text or "nothing")
    assert result.stopped == ("exhausted" if policy == "best_of_n" else "error")
    assert "busy" in result.why
    assert len(model.requests) == (4 if policy == "best_of_n" else 2)


def test_an_answer_that_broke_off_is_asked_for_again() -> None:
    model = Scripted(LONG, fails_at=2, failure=UpstreamError("gone", "try later", retry=True))
    result = Guard(model, [FEW], "resample:tries=3").generate(PROMPT)
    assert len(model.requests) > 1
    assert result.attempts[0].ended == "error"
    assert result.text


def test_a_batch_that_the_budget_cut_ends_by_the_budget() -> None:
    result = Guard(Scripted(LONG), [FEW], "best_of_n:n=4", budget=Budget(calls=3)).generate(PROMPT)
    assert len(result.attempts) == 3
    assert (result.stopped, result.why) == ("budget", "3 calls of 3 are made")


def test_drafts_wait_for_tokens_that_others_hold_and_may_give_back() -> None:
    """Each may write 40 and writes 6: two at once are what 100 tokens can promise, and five what they suffice for."""
    model = Counting(WORST)
    result = Guard(model, [FEW], "best_of_n:n=10", Budget(tokens=100)).generate(PROMPT, Sampling(max_tokens=40))
    assert model.batches == [2, 1, 1, 1]
    assert (result.stopped, result.usage.total) == ("budget", 5 * (PROMPT_TOKENS + 6))
    assert result.why == "20 of 100 tokens are left, and the next call needs 10 for its prompt and 16 for an answer"
    assert {attempt.ended for attempt in result.attempts} == {"finished"}


def test_a_draft_waits_rather_than_be_cut_short_for_what_others_give_back() -> None:
    model = Counting(" ".join(["word"] * 30))
    result = Guard(model, [FEW], "best_of_n:n=10", Budget(tokens=130)).generate(PROMPT, Sampling(max_tokens=40))
    assert model.batches == [2, 1]
    assert [attempt.ended for attempt in result.attempts] == ["finished"] * 3
    assert result.why.startswith("10 of 130 tokens are left")


def test_what_waits_for_tokens_is_not_asked_once_one_passes() -> None:
    model = Counting(WORST, GOOD)
    result = Guard(model, [FEW], "best_of_n:n=10", Budget(tokens=100)).generate(PROMPT, Sampling(max_tokens=40))
    assert (result.passed, model.batches) == (True, [2])


@pytest.mark.parametrize("first", [True, False])
def test_a_policy_that_asks_for_nothing_is_told_so_and_holds_up_nobody(first: bool) -> None:
    def idle(asked: Asked) -> Plan:
        if not first:
            yield [Ask(asked.request())]
        while True:
            yield []

    guard = Guard(Scripted(LONG), [FEW], idle)
    if first:
        with pytest.raises(InputError, match="the policy asks for nothing: it yielded no Ask\n  → yield one or more"):
            guard.generate(PROMPT)
    else:
        result = guard.generate(PROMPT)
        assert (result.text, result.stopped) == (LONG, "error")
        assert result.why == "the policy asks for nothing: it yielded no Ask"


def test_a_model_that_takes_no_heed_of_the_temperature_is_found_out() -> None:
    long = "One and the same text, which is drawn again and again whatever the seed."
    found = [
        Guard(Scripted(*texts), [FEW], "resample:tries=3").generate(PROMPT).why
        for texts in ((long,), (long, long + " So."))
    ]
    assert "its 3 drafts are the same text" in found[0]
    assert found[1] == "nothing passed in 3 attempts"


def test_a_notebook_has_an_event_loop_already() -> None:
    async def cell() -> str:
        return Guard(Scripted(GOOD), [FEW]).generate(PROMPT).text

    assert asyncio.run(cell()) == GOOD


def test_a_real_model_is_stopped_in_the_middle_and_asked_again() -> None:
    asked = "Write a blog post for new readers. Stay formal."  # of the limit it is not told
    guard = Guard("pico-llama", [WordCount(at_most=12), Register(level="formal")], "abort:tries=6")
    results = [guard.generate(asked, Sampling(seed=seed, max_tokens=120)) for seed in range(4)]
    attempts = [attempt for result in results for attempt in result.attempts]
    assert any(attempt.ended == "proved" for attempt in attempts)
    for attempt in attempts:
        if attempt.ended == "proved":
            assert len(word_spans(attempt.text)) in (12, 13, 14)
    assert any(result.passed for result in results)
    shadow = Guard(guard.upstream, guard.constraints, mode="shadow").generate(asked, Sampling(seed=0, max_tokens=120))
    model = guard.upstream.model  # type: ignore[attr-defined]
    [unguarded] = model.generate([model.encode(asked)], [0], max_new_tokens=120)
    assert shadow.text == shadow.released == unguarded.text


def test_constraints_that_hardly_go_together_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    Guard(Scripted(GOOD), [Register(level="formal"), Register(level="informal", verifier="hf:other")])
    assert "hardly a text can pass: formal and informal exclude each other" in caplog.text


def test_a_result_is_one_line_in_a_notebook() -> None:
    result = Guard(Scripted(LONG, GOOD), [FEW, DAY]).generate(PROMPT)
    assert repr(result) == f"<Guarded passed: 2 of 2 pass, 2 drafts, {result.usage.total} tokens, {GOOD!r}>"
    long = Guard(Scripted("word " * 500), [FEW], "resample:tries=1").generate(PROMPT)
    assert repr(long).startswith("<Guarded exhausted: 0 of 1 pass, 1 draft, ")
    assert len(repr(long)) < 160


def test_messages_may_have_any_of_openais_forms_that_are_text() -> None:
    model = Scripted(GOOD)
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    Guard(model, [FEW]).generate(
        [
            {"role": "user", "content": [{"type": "text", "text": "Write."}, {"type": "text", "text": "Be brief."}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "rain", "tool_call_id": "c"},
        ]
    )
    [request] = model.requests
    assert [message["content"] for message in request.messages] == ["Write.\nBe brief.", "", "rain"]
    assert request.messages[1]["tool_calls"] == [call]
    assert request.messages[2]["tool_call_id"] == "c"


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ({"role": "user", "content": [{"type": "image_url"}]}, r"holds a part that is no text: 'image_url'"),
        ({"role": "user", "content": ["Write."]}, r"holds a part that is no text: 'Write.'"),
        ({"role": "user", "content": [{"type": "text"}]}, r"holds a part that is no text: 'text'"),
        ({"role": "assistant", "content": None}, r"a message of role 'assistant' has no content\n  → give its text"),
        ({"role": "user"}, r"a message of role 'user' has no content"),
        ({"role": "user", "content": 3}, r"the content of a message of role 'user' is 3\n  → give its text"),
    ],
)
def test_a_message_that_is_no_text_is_said_with_its_role(message: dict[str, object], cause: str) -> None:
    with pytest.raises(InputError, match=cause):
        Guard(Scripted(GOOD), [FEW]).generate([message])


def test_a_setting_that_is_no_number_is_said() -> None:
    for wrong, cause in (
        (lambda: Budget(tokens="100"), "a budget's tokens is '100'\n  → give a whole number"),
        (lambda: Budget(calls=1.5), "a budget's calls is 1.5\n  → give a whole number"),
        (lambda: Budget(seconds="1"), "a budget's seconds is '1'\n  → give a number"),
        (lambda: Sampling(temperature="1"), "temperature is '1'"),
        (lambda: Sampling(seed=True), "seed is True"),
        (lambda: Guard(Scripted(GOOD), [FEW], window="10"), "window is '10'\n  → give a whole number"),
        (lambda: Guard(Scripted(GOOD), [FEW], verifier_seconds=None), "verifier_seconds is None"),
    ):
        with pytest.raises(InputError, match=cause):
            wrong()


def test_a_result_is_json_as_the_log_has_it(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    found = Guard(Scripted(LONG, GOOD), [FEW], log=log).generate(PROMPT).to_dict()
    assert json.loads(json.dumps(found)).items() <= read_log(log).lines[0].items()
    assert (found["text"], found["passed"], len(found["attempts"])) == (GOOD, True, 2)
    assert "text" not in Guard(Scripted(GOOD), [FEW]).generate(PROMPT).to_dict(texts=False)


def test_a_list_that_is_changed_afterwards_changes_no_guard() -> None:
    asked = [FEW]
    guard = Guard(Scripted(GOOD), asked)
    asked.append(Include(terms=("night",)))
    assert guard.generate(PROMPT).passed
