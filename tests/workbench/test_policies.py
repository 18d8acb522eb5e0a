"""Comparing policies: the instructions, and the arithmetic of a comparison. A real one is in `tests/cli/test_guard.py`."""

from __future__ import annotations

import asyncio

import pytest
import torch
from tests.control.conftest import Scripted

from heedful.constraints import Exclude, Include, Verdict
from heedful.control.result import Guarded
from heedful.control.upstream import Usage
from heedful.errors import InputError
from heedful.prompts.base import base_prompts
from heedful.workbench.policies import compare_policies
from heedful.workbench.policies.comparison import Comparison, Run, row_of
from heedful.workbench.policies.instructions import LABELS, instructions


def test_instructions_are_the_seeds_and_cover_all_tasks_evenly() -> None:
    drawn = instructions(360, (1, 2, 3), 5)
    assert drawn == instructions(360, (1, 2, 3), 5)
    assert drawn != instructions(360, (1, 2, 3), 6)
    assert [len(each.wishes) for each in drawn[:6]] == [1, 2, 3, 1, 2, 3]
    assert {each.base_id for each in drawn} == {base.base_id for base in base_prompts()}
    tasks = [{task for task, _ in each.wishes} for each in drawn]
    assert len(set().union(*tasks)) == 9
    for each, these in zip(drawn, tasks, strict=True):
        assert not {"word_count", "char_count"} <= these
        assert "json" not in these or these <= {"json", *LABELS}
        terms = [wish.terms for wish in each.constraints if isinstance(wish, Include | Exclude)]
        assert len(terms) == len(set(terms))


def test_a_comparison_of_nothing_is_refused_before_anything_is_asked() -> None:
    model = Scripted("Hi.")
    with pytest.raises(InputError, match=r"no policy is given to compare\n  → name one or more: best_of_n, refine"):
        asyncio.run(compare_policies(model, policies=(), n=2))
    assert model.requests == []


def _result(tokens: int, passed: bool = True) -> Guarded:
    verdict = Verdict(outcome="pass" if passed else "fail", score=float(passed), reason="")
    return Guarded("text", (verdict,), passed, (), 0, Usage(0, tokens), 1.0, "passed")


def test_what_one_policy_saves_against_another_is_paired_by_base_prompt() -> None:
    group = torch.tensor([4, 4, 7, 9])
    few, many = ([_result(tokens) for tokens in counts] for counts in ((10, 20, 30, 40), (20, 40, 60, 80)))
    found = Comparison("m", 4, 3, (1,), 0, (), (), {"few": Run(few, group, None), "many": Run(many, group, None)}).less(
        "few", "many"
    )
    assert found.estimate == 0.5
    assert found.low == found.high == 0.5


def test_three_base_prompts_prove_no_gain_to_the_last_point() -> None:
    kept, failed = (Run([_result(10, passed)] * 3, torch.tensor([4, 7, 9]), [passed] * 3) for passed in (True, False))
    asked = instructions(3, (1,), 0)
    row = row_of("refine", kept, failed, asked)
    for gain in (row.gain, row.others_gain):
        assert gain is not None
        assert (gain.estimate, gain.high) == (1.0, 1.0)
        assert 0.25 < gain.low < 0.35  # Clopper and Pearson's for three of three
    over_itself = row_of("unguarded", failed, failed, asked).gain
    assert (over_itself.estimate, over_itself.low, over_itself.high) == (0.0, 0.0, 0.0)
