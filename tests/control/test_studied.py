"""Which task of a study a constraint belongs to, where the study has skills of its own."""

from __future__ import annotations

from pathlib import Path

from heedful.constraints import Include, WordCount, constraint_from
from heedful.control.studied import skills_of, task_of
from heedful.prompts.skill_files import skills_from
from heedful.store import RunFolder

SKILLS = skills_from(
    [
        {
            "name": name,
            "family": "lexical",
            "templates": ["{clause}", "Now, {clause}"],
            "held_out": ["Please {clause}", "Well, {clause}"],
            "values": [
                {"clause": "say I", "constraint": {"lexical/include": {"terms": [term]}}},
                {"clause": "say no I", "constraint": {"lexical/exclude": {"terms": [term]}}},
            ],
        }
        for name, term in (("first_person", "I"), ("json_words", "key"))
    ]
)


def test_a_value_of_a_skill_is_the_skills_and_others_are_of_the_task_of_their_type() -> None:
    assert task_of(Include(terms=("I",)), SKILLS) == "first_person"
    assert task_of(Include(terms=("dog",)), SKILLS) == "include"
    assert task_of(Include(terms=("I",))) == "include"
    assert task_of(WordCount(at_most=3), SKILLS) == "word_count"


def test_a_constraint_that_has_a_skills_name_alone_is_not_the_skills() -> None:
    [skill] = (skill.model_copy(update={"name": "no_comma"}) for skill in SKILLS[:1])
    assert task_of(constraint_from({"id": "ifeval/punctuation_no_comma"}), [skill]) == "punctuation_no_comma"
    renamed = skill.model_copy(update={"name": "punctuation_no_comma"})
    assert task_of(constraint_from({"id": "ifeval/punctuation_no_comma"}), [renamed]) == ""


def test_skills_are_read_from_a_studys_settings(tmp_path: Path) -> None:
    settings = {"model": "m", "skills": [skill.model_dump(mode="json") for skill in SKILLS]}
    RunFolder.open(tmp_path / "run", settings).close()
    assert skills_of(tmp_path / "run") == SKILLS
    assert skills_of(tmp_path / "absent") == ()
