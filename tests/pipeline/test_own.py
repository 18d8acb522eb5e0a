"""Files of the user's own: what is understood, and what is refused by file and record before anything is generated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heedful.config import study_settings
from heedful.constraints import Include, WordCount, base, constraint, known_constraints
from heedful.errors import InputError
from heedful.pipeline.instruct import study_instructions
from heedful.pipeline.own import own_prompts, recorded_responses
from heedful.prompts.tasks import TASKS

Jsonl = Callable[..., Path]
ALL = tuple(TASKS.values())
SALT = {"id": "lexical/include", "terms": ["salt"]}
SHORT = {"id": "structural/word_count", "at_most": 5}


def test_prompts_without_constraints_are_base_prompts_and_others_are_ready(jsonl: Jsonl) -> None:
    own = own_prompts(
        jsonl(
            [
                {"prompt": "Describe a sea.", "group": "water"},
                {"prompt": "Describe a lake.", "group": "water"},
                {"prompt": "Describe a hill.", "group": 0},
                {"prompt": "Describe a hill.", "group": 0},
                {"prompt": "Name a sea in 5 words, with 'salt'.", "constraints": [SHORT, SALT]},
                {"prompt": "Name a hill in 5 words.", "constraint": SHORT, "group": 0},
            ]
        ),
        ALL,
    )  # fmt: skip
    assert [each.text for each in own.bases] == ["Describe a sea.", "Describe a lake.", "Describe a hill."]
    assert [each.base_id for each in own.bases] == [0, 1, 2]
    assert own.group_of == [0, 0, 1]
    assert [(i.task, i.base_id, i.constraint) for i in own.ready] == [
        ("word_count", 2, WordCount(at_most=5)),
        ("include", 2, Include(terms=("salt",))),
        ("word_count", 1, WordCount(at_most=5)),
    ]
    assert own.ready[0].prompt == "Name a sea in 5 words, with 'salt'."


def test_base_prompts_of_one_group_keep_their_own_instructions(jsonl: Jsonl) -> None:
    records = [{"prompt": f"Describe place {i}.", "group": i // 2} for i in range(12)]
    settings = study_settings("m", prompts_file=jsonl(records), tasks=["topic"], samples=12, squares=5, pool=2)
    asked = study_instructions(settings)
    assert max(Counter(record["instruction_id"] for record in asked).values()) == 1
    assert {(record["base"], record["base_id"]) for record in asked} == {
        (record["prompt"], record["group"]) for record in records
    }


def test_parquet_and_json_text_say_the_same_as_jsonl(tmp_path: Path, jsonl: Jsonl) -> None:
    records: list[dict[str, Any]] = [
        {"prompt": "a", "response": "x", "constraints": [SHORT]},
        {"prompt": "b", "response": "", "constraints": [SALT]},
    ]
    expected = recorded_responses(jsonl(records), ALL)
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "nulls.parquet")  # every field in every constraint
    assert recorded_responses(tmp_path / "nulls.parquet", ALL) == expected
    text = [
        {"prompt": "a", "response": "x", "constraint": '{"id": "structural/word_count", "at_most": 5}'},
        {"prompt": "b", "response": "", "constraint": '[{"id": "lexical/include", "terms": ["salt"]}]'},
    ]
    assert recorded_responses(jsonl(text), ALL) == expected
    assert [answer.response for answer in expected] == ["x", ""]


@pytest.mark.parametrize(
    ("record", "cause"),
    [
        ({"text": "x"}, "has no 'prompt'"),
        ({"prompt": None}, "has no 'prompt'"),
        ({"prompt": "  "}, ": its 'prompt' is empty"),
        ({"prompt": 3}, ": its 'prompt' is not a text: 3"),
        ({"prompt": "b \ud83d"}, ": its 'prompt' holds a half of a surrogate pair"),
        ({"constraint": {"id": "structural/word_cuont"}}, ": there is no constraint 'structural/word_cuont'"),
        ({"constraint": {"at_most": 5}}, ": a constraint needs an id"),
        ({"constraint": SHORT | {"at_least": 9}}, ": structural/word_count: the bounds are reversed"),
        ({"constraint": {"id": "lexical/include", "terms": [""]}}, ": lexical/include: "),
        ({"constraint": {"id": "structural/json", "json_schema": {"type": "x"}}}, ": the JSON Schema is invalid"),
        ({"constraint": "{at_most"}, ": the constraint is not JSON"),
        ({"constraints": 5}, ": 5 is not a constraint"),
        ({"constraints": ["structural/json"]}, ': ["structural/json"] is not a constraint'),
        ({"constraint": {"id": "test/own_rule"}}, ": 'test/own_rule' belongs to none of the nine tasks"),
        ({"prompt": "a", "group": "other"}, ": its prompt stands in another group as well"),
    ],
)
@pytest.mark.usefixtures("own_rule")
def test_a_bad_record_is_named(jsonl: Jsonl, record: dict[str, Any], cause: str) -> None:
    path = jsonl([{"prompt": "a"}, record if "text" in record else {"prompt": "b"} | record])
    with pytest.raises(InputError) as caught:
        own_prompts(path, ALL)
    assert caught.value.cause.startswith(f"{path}, record 2")
    assert cause in caught.value.cause
    assert caught.value.cure


@pytest.fixture
def own_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    known_constraints()  # families that are loaded late, or they would be lost with this registry
    monkeypatch.setattr(base, "_registry", dict(base._registry))

    @constraint("test/own_rule")
    def own_rule(text: str) -> bool:
        return bool(text)


@pytest.mark.parametrize(
    ("record", "cause"),
    [
        ({"prompt": "a", "constraint": SHORT}, "record 1 has no 'response'"),
        ({"prompt": "a", "constraint": SHORT, "response": 5}, "record 1: its 'response' is not a text: 5"),
        ({"prompt": "a", "response": "x"}, "record 1 has no constraint"),
        (
            {"prompt": "a", "constraint": SHORT, "response": "\udc80"},
            "record 1: its 'response' holds a half of a surrogate pair, which is no character",
        ),
    ],
)
def test_a_recorded_answer_needs_its_answer_and_its_constraint(
    jsonl: Jsonl, record: dict[str, Any], cause: str
) -> None:
    path = jsonl([record])
    with pytest.raises(InputError) as caught:
        recorded_responses(path, ALL)
    assert caught.value.cause == f"{path}, {cause}"


def test_the_names_that_a_record_has_are_said_beside_the_one_that_it_lacks(jsonl: Jsonl) -> None:
    with pytest.raises(InputError) as caught:
        own_prompts(jsonl([{"id": "a", "instruction": "Write."}]), ALL)
    assert caught.value.cure == 'give each record a text under "prompt"; this one has id, instruction'


def test_a_file_for_other_tasks_is_refused(jsonl: Jsonl) -> None:
    path = jsonl([{"prompt": "a", "response": "x", "constraint": SHORT}])
    with pytest.raises(InputError, match=r"own\.jsonl has no response for the tasks topic"):
        recorded_responses(path, (TASKS["topic"],))
    with pytest.raises(InputError, match=r"own\.jsonl has no prompt for the tasks topic"):
        own_prompts(path, (TASKS["topic"],))


def test_too_few_groups_for_the_folds_are_refused_before_anything_is_asked(jsonl: Jsonl) -> None:
    prompts = jsonl([{"prompt": f"Describe place {i}.", "group": i % 4} for i in range(20)])
    with pytest.raises(InputError, match=r"own\.jsonl has 4 groups of prompts, too few to fill 5 folds"):
        study_instructions(study_settings("m", prompts_file=prompts))
    assert study_instructions(study_settings("m", prompts_file=prompts, folds=4))
    answers = jsonl([{"prompt": "a", "response": "x", "constraint": SHORT}] * 30)
    with pytest.raises(InputError, match="has 1 group of prompts, too few to fill 5 folds"):
        study_instructions(study_settings("m", responses_file=answers))


def test_prompts_of_which_nothing_is_asked_are_refused(jsonl: Jsonl) -> None:
    prompts = jsonl([{"prompt": f"Describe place {i}."} for i in range(9)])
    with pytest.raises(InputError, match="leaves nothing to study with 0 samples and 0 squares"):
        study_instructions(study_settings("m", prompts_file=prompts, samples=0, squares=0))
