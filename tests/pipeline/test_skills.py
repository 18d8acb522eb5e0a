"""Skills of a user's own through a whole study: settings, rows, lenses, page, and going on where it stopped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import heedful
from heedful.config import StudySettings, study_settings
from heedful.constraints import constraint_from
from heedful.errors import InputError, StoreError
from heedful.models import LanguageModel
from heedful.pipeline.instruct import study_instructions
from heedful.pipeline.own import recorded_responses
from heedful.pipeline.study import check_folder
from heedful.prompts.tasks import TASKS
from heedful.store import read_manifest

SENTENCES = "ifeval/length_constraints_number_sentences"
SKILLS: list[dict[str, Any]] = [
    {
        "name": "some_sentences",
        "family": "structural",
        "templates": ["Write {clause}.", "In {clause}: {base}"],
        "held_out": ["Make it {clause}.", "The text is to have {clause}."],
        "values": [
            {"clause": "one sentence", "constraint": {SENTENCES: {"relation": "less than", "num_sentences": 2}}},
            {"clause": "two sentences or more", "constraint": {SENTENCES: {"relation": "at least", "num_sentences": 2}}},
            {"clause": "three or more", "constraint": {SENTENCES: {"relation": "at least", "num_sentences": 3}}},
        ],
    },
    {
        "name": "first_person",
        "family": "stylistic",
        "templates": ["{clause}", "Mind this: {clause}"],
        "held_out": ["Please: {clause}", "Note: {clause}"],
        "values": [
            {"clause": "write as I.", "constraint": {"lexical/include": {"terms": ["I"]}}},
            {"clause": "do not write as I.", "constraint": {"lexical/exclude": {"terms": ["I"]}}},
        ],
    },
]  # fmt: skip
NAMES = ("some_sentences", "first_person")
SMALL: dict[str, Any] = {
    "base_prompts": 20,
    "folds": 3,
    "samples": 2,
    "squares": 25,
    "pool": 6,
    "max_new_tokens": 48,
    "sites": ("block.1.out", "block.7.out"),
    "positions": ("response[-1]", "eos"),
    "behaviour_prompts": 1,
    "erasers": ("leace",),
    "tasks": NAMES,
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("skills") / "skills.yaml"
    path.write_text(yaml.safe_dump(SKILLS))
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, model: LanguageModel, file: Path) -> heedful.Study:
    return heedful.study("pico-llama", out=tmp_path_factory.mktemp("own") / "run", loaded=model, skills=file, **SMALL)


def test_own_skills_stand_beside_the_nine_and_a_choice_of_tasks_stands_for_both(file: Path) -> None:
    assert study_settings("m", skills=file).tasks == (*TASKS, *NAMES)
    assert study_settings("m", skills=file, tasks=["first_person", "topic"]).tasks == ("topic", "first_person")
    with pytest.raises(InputError, match="some_sentences"):
        study_settings("m", skills=file, tasks=["some_sentence"])
    with pytest.raises(InputError, match="--skills FILE"):
        study_settings("m", tasks=["some_sentences"])


def test_settings_are_kept_with_their_skills_and_as_ever_without(file: Path) -> None:
    settings = study_settings("m", skills=file)
    kept = json.loads(json.dumps(settings.model_dump(mode="json")))
    assert StudySettings.model_validate(kept) == settings
    assert "skills" not in study_settings("m").model_dump(mode="json")
    one, other = (
        study_settings("m", skills=each) for each in (SKILLS, [SKILLS[0] | {"family": "semantic"}, SKILLS[1]])
    )
    assert one == settings  # by what the file says, wherever it lies
    assert one.model_dump(include={"skills"}) != other.model_dump(include={"skills"})


def test_instructions_are_asked_in_all_paraphrases_and_elicited_where_there_is_a_third_value(file: Path) -> None:
    asked = study_instructions(study_settings("m", skills=file, **SMALL | {"samples": 60}))
    natural = [record for record in asked if record["kind"] == "natural"]
    assert Counter(record["task"] for record in natural) == {"some_sentences": 60, "first_person": 60}
    held_out = {record["template_id"] for record in natural if record["held_out"]}
    assert held_out == {f"{name}-{number}" for name in NAMES for number in (3, 4)}
    assert {record["task"] for record in asked if record["kind"] == "pool"} == {"", "some_sentences"}


def test_squares_are_told_apart_by_the_verifiers_and_every_lens_knows_the_skills(done: heedful.Study) -> None:
    assert done.data.tasks == NAMES
    assert done.data.families == ("structural", "stylistic")
    rows = [row for row in done.data.rows.rows() if row["kind"] == "contrast"]
    assert Counter(row["task"] for row in rows) == {"some_sentences": 100, "first_person": 100}
    for row in rows:
        assert constraint_from(json.loads(row["constraint"])).passes(row["response_text"]) == (row["label"] == 1)
    for lens in ("specialists", "baselines", "depth", "transfer", "ablation", "temporal", "specificity", "behaviour"):
        found = done.result(lens)
        named = next(found[name].values for name in ("task", "target", "erased") if name in found.coords)
        assert tuple(named) == NAMES, lens
    auroc = done.specialists["best_auroc"].sel(probe="specialist", kind="contrast")
    assert bool(auroc.notnull().all())


def test_page_and_summary_call_them_by_name(done: heedful.Study) -> None:
    page = done.report.read_text(encoding="utf-8")
    assert "some sentences" in page
    assert "fam-stylistic" in page
    told = done.summary()["tasks"]
    assert list(told) == list(NAMES)
    assert [told[name]["family"] for name in NAMES] == ["structural", "stylistic"]
    assert told["first_person"]["squares"] == 25


def test_a_study_goes_on_with_its_skills_and_says_so_without(
    done: heedful.Study, model: LanguageModel, file: Path, tmp_path: Path
) -> None:
    before = done.manifest.updated
    moved = tmp_path / "elsewhere.json"
    moved.write_text(json.dumps(SKILLS))
    again = heedful.study("pico-llama", out=done.path, loaded=model, skills=moved, **SMALL)
    assert {name: stage.seconds for name, stage in again.manifest.stages.items()} == {
        name: stage.seconds for name, stage in done.manifest.stages.items()
    }
    assert read_manifest(done.path).stages["respond"] == done.manifest.stages["respond"]
    assert before <= again.manifest.updated
    less = {name: value for name, value in SMALL.items() if name != "tasks"}
    with pytest.raises(StoreError, match="skills of your own that are not given now: some_sentences, first_person"):
        heedful.study("pico-llama", out=done.path, loaded=model, **less)
    changed = study_settings("pico-llama", skills=[SKILLS[0], SKILLS[1] | {"family": "semantic"}], **SMALL)
    with pytest.raises(StoreError, match="that read otherwise now: first_person"):
        check_folder(done.path, changed)
    check_folder(done.path, changed, overwrite=True)


def test_recorded_answers_are_of_the_skill_whose_value_they_were_asked(file: Path, jsonl: Callable[..., Path]) -> None:
    settings = study_settings("m", skills=file)
    asked = [
        {"id": "lexical/include", "terms": ["I"]},
        {"id": "lexical/include", "terms": ["salt"]},
        {"id": SENTENCES, "relation": "at least", "num_sentences": 2},
    ]
    path = jsonl([{"prompt": f"p{i}", "response": "x", "constraints": [one]} for i, one in enumerate(asked)])
    found = recorded_responses(path, settings.studied, settings.skills)
    assert [each.instruction.task for each in found] == ["first_person", "include", "some_sentences"]
    path = jsonl([{"prompt": "p", "response": "x", "constraint": asked[2] | {"num_sentences": 9}}])
    with pytest.raises(InputError, match="is no value of some_sentences, first_person"):
        recorded_responses(path, settings.studied, settings.skills)
