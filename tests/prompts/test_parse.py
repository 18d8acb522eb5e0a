"""Reading undoes phrasing: every paraphrase of every task, the held-out ones too, gives its constraint back."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.constraints.words import parse
from heedful.prompts.base import BasePrompt, base_prompts
from heedful.prompts.tasks import TASKS
from heedful.prompts.templates import Template

ALL = [(name, template) for name, task in TASKS.items() for template in task.templates]


@pytest.mark.parametrize(("name", "template"), ALL, ids=[template.template_id for _, template in ALL])
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), base=st.sampled_from(base_prompts()))
def test_reading_undoes_phrasing(name: str, template: Template, seed: int, base: BasePrompt) -> None:
    constraint = TASKS[name].draw(Random(seed))
    parsed = parse(TASKS[name].phrase(constraint, template, base.text))
    assert parsed.constraints == (constraint,)
    assert parsed.understood


def test_a_base_prompt_alone_asks_for_nothing() -> None:
    for base in base_prompts():
        assert parse(base.text).constraints == parse(base.text).unread == ()
