"""Monitors come back as they went; damaged ones, and those of another model, are refused with cause and cure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from heedful.control.monitors import JSON_FILE, LiveRisk, Monitors, Parity, load_monitors, save_monitors
from heedful.errors import ModelError, StoreError
from heedful.models import LanguageModel
from heedful.prompts.skills import Skill


@pytest.fixture
def model(tiny_model: Callable[..., LanguageModel]) -> LanguageModel:
    return tiny_model()


@pytest.fixture
def saved(tmp_path: Path, model: LanguageModel, random_monitors: Callable[..., Monitors]) -> Path:
    made = replace(random_monitors(model), parity=Parity(0.001, 0.01, 55), card={"tasks": {"a": 1}})
    return save_monitors(tmp_path / "monitors", made)


def test_a_round_trip_keeps_everything(
    saved: Path, model: LanguageModel, random_monitors: Callable[..., Monitors]
) -> None:
    found, made = load_monitors(saved, model), random_monitors(model)
    assert (found.sites, found.each) == (made.sites, made.each)
    assert torch.equal(found.coef, made.coef)
    assert found.parity == Parity(0.001, 0.01, 55)
    assert found.card == {"tasks": {"a": 1}}
    never = random_monitors(model, threshold=-torch.inf)
    assert load_monitors(save_monitors(saved, never)).each == never.each


def test_monitors_of_own_skills_keep_them_and_say_whose_alarm_it_is(
    tmp_path: Path, model: LanguageModel, random_monitors: Callable[..., Monitors]
) -> None:
    word = {"clauses": ("a", "b"), "held_out": ("c", "d")}
    other = {"clauses": ("e", "f"), "held_out": ("g", "h")}
    values = ({"constraint": {"id": "lexical/include", "terms": ["I"]}} | word,)
    values += ({"constraint": {"id": "lexical/exclude", "terms": ["I"]}} | other,)
    skill = Skill.model_validate({"name": "task_0", "family": "lexical", "values": values})
    made = replace(random_monitors(model, threshold=-torch.inf), skills=(skill,))
    found = load_monitors(save_monitors(tmp_path / "own", made))
    assert found.skills == (skill,)
    assert "skills" not in json.loads(
        (save_monitors(tmp_path / "none", random_monitors(model)) / JSON_FILE).read_text()
    )
    live, raised = LiveRisk(found), {}
    with model.watched(live.sites, live, live.prompt):
        for _ in model.stream([5, 6, 7], max_new_tokens=20):
            raised |= {alarm.name: alarm.skill for alarm in live.alarms(0)}
    assert raised.pop("task_0") == skill
    assert set(raised.values()) <= {None}


@pytest.mark.parametrize("what", ["architecture", "dtype", "revision", "chat template", "tokenizer"])
def test_another_model_is_refused(
    saved: Path, what: str, tiny_model: Callable[..., LanguageModel], model: LanguageModel
) -> None:
    other = tiny_model(
        "qwen2" if what == "architecture" else "llama", torch.bfloat16 if what == "dtype" else torch.float32
    )
    if what == "revision":
        other.revision = "another"
    if what == "chat template":
        other.chat.template = "another"
    if what == "tokenizer":
        other._tokenizer.add_tokens(["another"])
    with pytest.raises(ModelError, match=r"trained on llama.*there → now.*\n.*heedful monitor train"):
        load_monitors(saved, other)


def test_monitors_of_the_first_schema_knew_means_alone(saved: Path) -> None:
    described = json.loads((saved / JSON_FILE).read_text())
    assert [each.pop("agree") for each in described["monitors"]] == [None, None, 3]
    (saved / JSON_FILE).write_text(json.dumps(described | {"schema_version": 1}))
    assert [each.window for each in load_monitors(saved).each] == [(1, None), (3, None), (4, None)]


def test_damage_is_told(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"has no monitors\.json"):
        load_monitors(tmp_path / "nowhere")
    described = json.loads((saved / JSON_FILE).read_text())
    (saved / JSON_FILE).write_text(json.dumps(described | {"schema_version": 99}))
    with pytest.raises(StoreError, match=r"schema version 99, this is 2\n.*train them again"):
        load_monitors(saved)
    (saved / JSON_FILE).write_text(json.dumps(described))
    weights = saved / "monitors.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(StoreError, match="is not the file that"):
        load_monitors(saved)
    (saved / JSON_FILE).write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        load_monitors(saved)


def test_a_folder_of_something_else_is_left_alone(
    tmp_path: Path, model: LanguageModel, random_monitors: Callable[..., Monitors]
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StoreError, match="holds no monitors"):
        save_monitors(tmp_path, random_monitors(model))
