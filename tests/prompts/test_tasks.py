"""Tasks: every constraint can be put into words, every pair tells its two texts apart, paraphrases are enough."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest

from heedful.constraints import JsonFormat
from heedful.errors import InputError
from heedful.pico.grammar import draw_text, draw_traits
from heedful.prompts.tasks import FAMILIES, TASKS, tasks_named
from heedful.prompts.templates import templates

ALL = list(TASKS)


def text(rng: Random) -> str:
    return draw_text(rng, draw_traits(rng), rng.randint(1, 4))


@pytest.mark.parametrize("name", ALL)
def test_each_task_has_six_paraphrases_or_more_and_two_held_out(name: str) -> None:
    found = templates(name)
    assert len(found) >= 6
    assert sum(template.held_out for template in found) == 2
    assert len({tuple(sorted(template.forms.values())) for template in found}) == len(found)


def test_template_ids_are_unique_over_tasks() -> None:
    ids = Counter(template.template_id for name in ALL for template in templates(name))
    assert set(ids.values()) == {1}


@pytest.mark.parametrize("name", ALL)
def test_paraphrases_of_a_task_offer_the_same_forms(name: str) -> None:
    assert len({frozenset(template.forms) for template in templates(name)}) == 1


@pytest.mark.parametrize("name", ALL)
def test_every_drawn_constraint_can_be_put_into_words_in_every_paraphrase(name: str) -> None:
    task, rng = TASKS[name], Random(0)
    for _ in range(60):
        constraint = task.draw(rng)
        for template in task.templates:
            prompt = task.phrase(constraint, template, "Write a note.")
            assert "Write a note." in prompt
            assert "{" not in prompt
            for slot in task.wording(constraint).slots.values():
                assert str(slot) in prompt


@pytest.mark.parametrize("name", ALL)
def test_a_pair_is_met_by_its_own_text_only(name: str) -> None:
    task, rng, found = TASKS[name], Random(1), 0
    for _ in range(60):
        first, second = text(rng), text(rng)
        if name == "json":
            first = json.dumps({"title": first, "mood": "fine", "place": "here"})
            second = json.dumps({"title": second, "note": "none", "reason": "why"})
        pair = task.pair(rng, first, second)
        if pair is None:
            continue
        found += 1
        outcomes = [[c.check(t).outcome for t in (first, second)] for c in pair]
        assert outcomes == [["pass", "fail"], ["fail", "pass"]]
        forms = {frozenset(template.forms) for template in task.templates}
        assert {task.wording(c).form for c in pair} <= next(iter(forms))
    assert found >= 20


@pytest.mark.parametrize(
    "answer",
    [
        '[{"title": 1}, {"mood": 2}]',
        "[1, 2]",
        '["a", "b"]',
        '"words"',
        "12",
        "null",
        "[" * 3000,
        '{"": 1, "x": 2}',
        '{"a": 1, "a": 2}',
        '{"\\ud83d": 1, "x": 2}',
    ],
)
def test_json_that_is_no_object_with_keys_to_ask_for_has_no_pair(answer: str) -> None:
    usual = '{"title": 1, "mood": 2, "place": 3}'
    for texts in ((answer, usual), (usual, answer), (answer, "[]")):
        assert TASKS["json"].pair(Random(0), *texts) is None


def test_pairs_of_objects_are_drawn_from_their_keys() -> None:
    first, second = '{"title": 1, "mood": 2, "place": 3}', '{"title": 1, "note": 2, "reason": 3}'

    def asked(*texts: str) -> list[tuple[str, ...]]:
        pair = TASKS["json"].pair(Random(5), *texts)
        return [] if pair is None else [c.keys for c in pair if isinstance(c, JsonFormat)]

    assert asked(first, second) == [("place", "title"), ("note",)]
    assert asked(f"```json\n{first}\n```", second) == asked(first, second)  # the verifier takes the fence off
    assert asked(first[:-1] + ', "": 4, "\\udc00": 5}', second) == asked(first, second)


def test_two_equal_texts_have_no_pair() -> None:
    for task in TASKS.values():
        assert task.pair(Random(0), "The same words here.", "The same words here.") is None


def test_the_nine_tasks_stand_in_the_order_of_their_families() -> None:
    families = [task.family for task in TASKS.values()]
    assert families == sorted(families, key=FAMILIES.index)
    assert len(TASKS) == 9


def test_tasks_are_found_by_name_in_the_standard_order() -> None:
    assert [task.name for task in tasks_named(["topic", "json"])] == ["json", "topic"]
    assert len(tasks_named(None)) == 9


def test_an_unknown_task_is_named_beside_those_that_exist() -> None:
    with pytest.raises(InputError, match=r"unknown task 'rhyme'\n.*choose among word_count, char_count"):
        tasks_named(["topic", "rhyme"])
