"""Settings: what is refused, in which words, and what is kept."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from heedful.config import QUICK, StudySettings, study_settings
from heedful.errors import InputError
from heedful.lenses.ablation import ERASERS, HEADLINE


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({"base_prompts": 3}, "base_prompts should be greater than or equal to 10 (given 3)"),
        ({"base_prompts": 500}, "base_prompts should be less than or equal to 120 (given 500)"),
        ({"base_prompts": 12, "folds": 20}, "12 base prompts cannot fill 20 folds"),
        ({"folds": 2}, "folds should be greater than or equal to 3 (given 2)"),
        ({"samples": -1}, "samples should be greater than or equal to 0 (given -1)"),
        ({"samples": "many"}, "samples should be a valid integer, unable to parse string as an integer (given 'many')"),
        ({"samples": 0, "squares": 0}, "0 samples and 0 squares leave nothing to study"),
        ({"temperature": float("nan")}, "temperature should be a finite number (given nan)"),
        ({"temperature": float("inf")}, "temperature should be a finite number (given inf)"),
        ({"top_p": 0}, "top_p should be greater than 0 (given 0)"),
        ({"max_new_tokens": 0}, "max_new_tokens should be greater than or equal to 1 (given 0)"),
        ({"seed": -1}, "seed should be greater than or equal to 0 (given -1)"),
        ({"tasks": ["topci"]}, "unknown task 'topci'"),
        ({"tasks": 3}, "tasks should be a valid tuple (given 3)"),
        ({"positions": ["response[-"]}, "unknown position 'response[-'"),
        ({"positions": ["eos", "eos"]}, "the position 'eos' is named twice"),
        ({"positions": []}, "no position is left to read at"),
        ({"sites": ["embed", "embed"]}, "the site 'embed' is named twice"),
        ({"sites": 3}, "sites should be 'all' or a tuple of names (given 3)"),
        ({"sampels": 3}, "there is no setting 'sampels'"),
        ({"prompts_file": "absent.jsonl"}, "absent.jsonl cannot be read: No such file or directory"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(given: dict[str, Any], cause: str) -> None:
    with pytest.raises(InputError) as caught:
        study_settings("m", **given)
    assert caught.value.cause == cause
    assert caught.value.cure


def test_cures_name_what_exists() -> None:
    with pytest.raises(InputError, match=r"did you mean 'samples'\? the settings are model, revision, "):
        study_settings("m", sampels=3)
    with pytest.raises(InputError, match="change top_p: nucleus sampling"):
        study_settings("m", top_p=2)
    with pytest.raises(InputError, match="choose among word_count, char_count, json"):
        study_settings("m", tasks=["x"])


def test_tasks_come_as_list_or_tuple_in_any_order() -> None:
    assert study_settings("m", tasks=["topic", "json"]).tasks == ("json", "topic")
    assert study_settings("m", tasks=("topic", "json")).tasks == ("json", "topic")
    assert len(study_settings("m").tasks) == 9


def test_erasers_are_those_of_the_lens_and_the_one_that_decides_is_among_them() -> None:
    assert study_settings("m").erasers == tuple(ERASERS)
    assert study_settings("m", quick=True).erasers[0] == HEADLINE
    with pytest.raises(InputError, match="leace is not among the erasers"):
        study_settings("m", erasers=("inlp",))
    with pytest.raises(InputError, match="erasers"):
        study_settings("m", erasers=("leace", "lace"))


def test_what_is_given_beats_quick_and_none_keeps_the_default() -> None:
    settings = study_settings("m", quick=True, samples=7, squares=None)
    assert (settings.samples, settings.squares, settings.folds) == (7, QUICK["squares"], 5)


def test_a_users_file_is_known_by_its_contents(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"prompt": "x"}')
    settings = study_settings("m", prompts_file=path)
    assert settings.prompts_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    path.unlink()  # a finished study outlives the file
    assert StudySettings.model_validate(settings.model_dump(mode="json")) == settings


def test_prompts_and_responses_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text("{}")
    with pytest.raises(InputError, match="prompts and responses are both given"):
        study_settings("m", prompts_file=path, responses_file=path)


@pytest.mark.parametrize(
    "name", ["samples", "squares", "base_prompts", "pool", "temperature", "top_p", "max_new_tokens"]
)
def test_what_asks_for_answers_says_nothing_where_they_are_given(tmp_path: Path, name: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text("{}")
    flag = f"--{name.replace('_', '-')}"
    with pytest.raises(InputError, match=f"^{flag} says nothing where --responses gives the answers"):
        study_settings("m", responses_file=path, **{name: 1})
    settings = study_settings("m", responses_file=path, quick=True)
    assert settings.positions == QUICK["positions"]


def test_one_name_may_stand_for_several() -> None:
    settings = study_settings("m", tasks="word_count", positions="eos", sites="embed", erasers="leace")
    assert (settings.tasks, settings.positions, settings.sites) == (("word_count",), ("eos",), ("embed",))
    assert settings.erasers == ("leace",)
    assert study_settings("m", sites="all").sites == "all"
