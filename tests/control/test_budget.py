"""A budget is never exceeded, whatever is asked and in whatever order calls end."""

from __future__ import annotations

from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.control.budget import SENSIBLE, Budget, Judged, Spent
from heedful.control.upstream import Usage
from heedful.errors import InputError


@given(
    st.integers(1, 400),
    st.integers(1, 8) | st.none(),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 100), st.floats(0, 1), st.integers(0, 3)), max_size=12),
)
def test_never_exceeded(tokens: int, calls: int | None, asked: list[tuple[int, int, float, int]]) -> None:
    ledger = Budget(tokens=tokens, calls=calls).start()
    flying: list[tuple[object, int]] = []
    admitted = 0
    for prompt, wanted, share, landing in asked:
        try:
            grant = ledger.admit(prompt, wanted)
        except Spent:
            pass
        else:
            admitted += 1
            assert min(SENSIBLE, wanted) <= grant.max_tokens <= wanted
            flying.append((grant, round(share * grant.max_tokens)))
        for grant, used in flying[:landing]:
            grant.settle(Usage(grant.prompt, used))
            grant.settle(Usage(grant.prompt, used))  # once
        flying = flying[landing:]
        worst = ledger.used.total + sum(grant.prompt + grant.max_tokens for grant, _ in flying)
        assert worst <= tokens
        assert ledger.tokens_left == tokens - worst
    assert calls is None or admitted <= calls
    assert ledger.calls == admitted


def test_what_is_left_limits_the_next_call_and_says_so() -> None:
    ledger = Budget(tokens=100).start()
    assert ledger.admit(20, 500).max_tokens == 80
    with pytest.raises(
        Spent,
        match="0 of 100 tokens are left beside 100 held for calls in flight, and the next call needs 20 for its prompt and 16",
    ):
        ledger.admit(20, 500)


def test_time_and_calls() -> None:
    now = [0.0]
    ledger = Budget(calls=1, seconds=2).start(lambda: now[0])
    ledger.admit(1, 1)
    with pytest.raises(Spent, match="1 calls of 1"):
        ledger.admit(1, 1)
    ledger = Budget(seconds=2).start(lambda: now[0])
    now[0] = 2.5
    assert ledger.seconds_left == -0.5
    with pytest.raises(Spent, match="the 2 seconds are over"):
        ledger.admit(1, 1)


def test_nothing_can_be_had_for_nothing() -> None:
    with pytest.raises(InputError, match="a budget of 0 tokens"):
        Budget(tokens=0)
    with pytest.raises(InputError, match="a budget of nan seconds"):
        Budget(seconds=float("nan"))


def test_what_calls_in_flight_hold_may_yet_be_had_and_what_judges_took_is_told_apart() -> None:
    ledger = Budget(tokens=100).start()
    grant = ledger.admit(20, 80)
    with pytest.raises(Spent) as refused:
        ledger.admit(20, 20, judge=True)
    assert refused.value.held
    grant.settle(Usage(20, 10))
    ledger.admit(20, 20, judge=True).settle(Usage(20, 2))
    assert (ledger.calls, ledger.used) == (2, Usage(40, 12))
    assert ledger.judged == Judged(1, Usage(20, 2))
    with pytest.raises(Spent) as refused:
        ledger.admit(60, 20)
    assert not refused.value.held


def test_calls_from_many_threads_are_all_counted() -> None:
    ledger = Budget(tokens=100_000).start()

    def ask() -> None:
        for _ in range(200):
            ledger.admit(1, 1, judge=True).settle(Usage(1, 1))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (ledger.calls, ledger.used.total, ledger.tokens_left) == (1600, 3200, 96_800)
