"""Comparing policies: the instructions, and the arithmetic of a comparison. A real one is in `tests/cli/test_guard.py`."""

from __future__ import annotations

import torch

from heedful.constraints import Exclude, Include, Verdict
from heedful.control.result import Guarded
from heedful.control.upstream import Usage
from heedful.pipeline.policies import LABELS, Comparison, Run, instructions
from heedful.prompts.base import base_prompts


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


def _result(tokens: int) -> Guarded:
    verdict = Verdict(outcome="pass", score=1.0, reason="")
    return Guarded("text", (verdict,), True, (), 0, Usage(0, tokens), 1.0, "passed")


def test_what_one_policy_saves_against_another_is_paired_by_base_prompt() -> None:
    group = torch.tensor([4, 4, 7, 9])
    few, many = ([_result(tokens) for tokens in counts] for counts in ((10, 20, 30, 40), (20, 40, 60, 80)))
    found = Comparison("m", 4, 3, (1,), 0, (), (), {"few": Run(few, group, None), "many": Run(many, group, None)}).less(
        "few", "many"
    )
    assert found.estimate == 0.5
    assert found.low == found.high == 0.5
