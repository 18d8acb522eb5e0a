"""Positions by name: the index a person would count to, or None where there is no such token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.errors import InputError
from heedful.models import POSITIONS, resolve
from heedful.models.batching import plan


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("prompt[0]", 0),
        ("prompt[-1]", 4),
        ("prompt[-5]", 0),
        ("prompt[-6]", None),
        ("response[0]", 5),
        ("response[3]", 8),
        ("response[4]", None),
        ("response[-1]", 8),
        ("response[-4]", 5),
        ("response[-5]", None),
        ("response[0%]", 5),
        ("response[25%]", 6),  # 0.75 of a token on
        ("response[50%]", 7),  # halves go up
        ("response[99.5%]", 8),
        ("response[100%]", 8),
        ("eos", 9),
    ],
)
def test_positions_of_five_prompt_and_four_response_tokens(name: str, index: int | None) -> None:
    assert resolve(name, 5, 4, has_eos=True) == index


def test_what_a_row_lacks_is_none() -> None:
    assert resolve("eos", 5, 4, has_eos=False) is None
    for name in ("response[0]", "response[50%]", "response[-1]"):
        assert resolve(name, 5, 0, has_eos=True) is None
        assert resolve(name, 5, 4, has_eos=True, answer_start=4) is None
    assert resolve("eos", 5, 0, has_eos=True) == 5


@given(st.integers(1, 50), st.integers(0, 50), st.booleans(), st.data())
def test_every_position_is_a_token_of_its_part(prompt: int, response: int, has_eos: bool, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, response))
    for name in POSITIONS:
        index = resolve(name, prompt, response, has_eos, start)
        first, last = {
            "prompt": (0, prompt),
            "response": (prompt + start, prompt + response),
            "eos": (prompt + response, prompt + response + has_eos),
        }[name.split("[")[0]]
        assert index is None or first <= index < last
        assert (
            index is not None
            or name not in ("prompt[-1]", "response[-1]")
            or (start == response and name != "prompt[-1]")
        )


@pytest.mark.parametrize(
    "name", ["", "response", "response[]", "response[101%]", "response[-5%]", "answer[0]", "eos ", "eos[0]"]
)
def test_an_unknown_position_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match=r"unknown position[\s\S]*prompt\[-1\], response\[0\]"):
        resolve(name, 5, 4, has_eos=True)


@given(st.lists(st.integers(1, 40), max_size=40), st.integers(1, 200), st.integers(1, 60))
def test_a_plan_holds_each_row_once_within_both_budgets(lengths: list[int], budget: int, cost_budget: int) -> None:
    batches = plan(lengths, budget, costs=lengths, cost_budget=cost_budget)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(
        len(batch) == 1
        or (
            max(lengths[row] for row in batch) * len(batch) <= budget
            and sum(lengths[row] for row in batch) <= cost_budget
        )
        for batch in batches
    )
    alone = plan(lengths, budget)
    assert len(alone) <= len(batches)
