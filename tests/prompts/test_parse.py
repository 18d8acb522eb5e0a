"""Reading undoes phrasing: every paraphrase of every task, the held-out ones too, gives its constraint back.

All but those that ask for politeness or rudeness: to a reader, these are more than no insult, and less than one.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.constraints import Toxicity
from heedful.constraints.words import parse
from heedful.prompts.base import BasePrompt, base_prompts
from heedful.prompts.tasks import TASKS
from heedful.prompts.templates import Template

MANNERS = {"toxicity-be", "toxicity-stay", "toxicity-keep"}
ALL = [(name, each) for name, task in TASKS.items() for each in task.templates if each.template_id not in MANNERS]


@pytest.mark.parametrize(("name", "template"), ALL, ids=[template.template_id for _, template in ALL])
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), base=st.sampled_from(base_prompts()))
def test_reading_undoes_phrasing(name: str, template: Template, seed: int, base: BasePrompt) -> None:
    constraint = TASKS[name].draw(Random(seed))
    parsed = parse(TASKS[name].phrase(constraint, template, base.text))
    assert parsed.constraints == (constraint,)
    assert parsed.understood


@pytest.mark.parametrize("toxic", [False, True])
def test_manners_are_left_unread(toxic: bool) -> None:
    manners = [each for each in TASKS["toxicity"].templates if each.template_id in MANNERS]
    for template in manners:
        said = TASKS["toxicity"].phrase(Toxicity(toxic=toxic), template, "Write a note to a colleague.")
        parsed = parse(said)
        assert parsed.constraints == (), said
        form = template.forms["toxic" if toxic else "clean"]
        assert [parsed.words(each.span) for each in parsed.unread] == [form.rstrip(".")]


def test_a_base_prompt_alone_asks_for_nothing() -> None:
    for base in base_prompts():
        assert parse(base.text).constraints == parse(base.text).unread == ()
