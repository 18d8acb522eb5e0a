"""Skills of a user's own: both ways to write one down, what its task does, and what is refused in which words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from heedful.constraints import Include, WordCount, base, constraint, known_constraints, language
from heedful.errors import InputError
from heedful.prompts.skill_files import skills_from
from heedful.prompts.skills import Skill
from heedful.prompts.tasks import TASKS, tasks_named

BRIEF: dict[str, Any] = {
    "name": "brevity",
    "family": "structural",
    "templates": ["Write {clause}.", "In {clause}: {base}"],
    "held_out": ["{base} Give {clause}.", "It must be {clause}."],
    "values": [
        {"clause": "five words or fewer", "constraint": {"structural/word_count": {"at_most": 5}}},
        {"clause": "six words or more", "constraint": {"id": "structural/word_count", "at_least": 6}},
    ],
}
WORDED: dict[str, Any] = {
    "name": "first_person",
    "family": "stylistic",
    "values": [
        {
            "constraint": {"lexical/include": {"terms": ["I"]}},
            "clauses": ["Write as I.", "As {myself}: {base}"],
            "held_out": ["Speak of yourself.", "Say I."],
        },
        {
            "constraint": {"lexical/exclude": {"terms": ["I"]}},
            "clauses": ["Do not write as I.", "As nobody: {base}"],
            "held_out": ["Do not speak of yourself.", "Never say I."],
        },
    ],
}
THIRD = {"clause": "exactly three words", "constraint": {"structural/word_count": {"exactly": 3}}}


def changed(skill: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {key: value for key, value in (skill | fields).items() if value is not None}


def revalued(skill: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The skill with fields of its second value changed; None takes one away."""
    return changed(skill, values=[skill["values"][0], changed(skill["values"][1], **fields)])


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for the test alone; families that are loaded late are loaded before, or they would be lost with it."""
    known_constraints()
    monkeypatch.setattr(base, "_registry", dict(base._registry))


def test_templates_and_whole_wordings_ask_alike() -> None:
    brief, worded = (skill.task() for skill in skills_from([BRIEF, WORDED]))
    short, long = WordCount(at_most=5), WordCount(at_least=6)
    asked = [brief.phrase(short, template, "Write a note.") for template in brief.templates]
    assert asked == [
        "Write a note. Write five words or fewer.",
        "In five words or fewer: Write a note.",
        "Write a note. Give five words or fewer.",
        "Write a note. It must be five words or fewer.",
    ]
    assert brief.phrase(long, brief.templates[1], "Write a note.") == "In six words or more: Write a note."
    assert [template.held_out for template in brief.templates] == [False, False, True, True]
    assert len({template.template_id for task in (brief, worded) for template in task.templates}) == 8
    said = worded.phrase(Include(terms=("I",)), worded.templates[1], "Write a note.")
    assert said == "As {myself}: Write a note."  # braces of the user's own stand for themselves


def test_a_pair_is_met_by_its_own_text_only_and_there_is_none_for_like_texts() -> None:
    (task,) = (skill.task() for skill in skills_from(BRIEF))
    pair = task.pair(Random(0), "Much too long for a short note.", "Short enough.")
    assert pair is not None
    assert (pair.first, pair.second) == (WordCount(at_least=6), WordCount(at_most=5))
    assert task.pair(Random(0), "Short enough.", "As short.") is None


def test_values_that_no_text_tells_apart_give_no_pair() -> None:
    values = [BRIEF["values"][0], changed(BRIEF["values"][0], clause="nine", constraint="structural/word_count: 9")]
    values[1]["constraint"] = {"structural/word_count": {"at_most": 9}}
    (task,) = (skill.task() for skill in skills_from(changed(BRIEF, values=values)))
    assert all(task.pair(Random(0), a, b) is None for a, b in (("One.", "a b c d e f g."), ("a b c d e f g.", "One.")))


def test_responses_are_elicited_under_a_third_value_only() -> None:
    def elicit(skill: dict[str, Any]) -> Callable[[Random], Any] | None:
        return skills_from(skill)[0].task().elicit

    assert elicit(BRIEF) is None
    third = elicit(changed(BRIEF, values=[*BRIEF["values"], THIRD]))
    assert third is not None
    assert {third(Random(i)) for i in range(30)} == {
        WordCount(at_most=5), WordCount(at_least=6), WordCount(exactly=3)
    }  # fmt: skip
    given = changed(BRIEF, elicit=[THIRD])
    only = elicit(given)
    assert only is not None
    assert {only(Random(i)) for i in range(9)} == {WordCount(exactly=3)}
    task = skills_from(given)[0].task()
    assert {task.draw(Random(i)) for i in range(30)} == {WordCount(at_most=5), WordCount(at_least=6)}
    assert task.phrase(WordCount(exactly=3), task.templates[0], "Hi.") == "Hi. Write exactly three words."
    asked = [skills_from(given)[0].asks_for(each) for each in (WordCount(at_most=5), WordCount(exactly=3))]
    assert asked == [True, False]


def test_a_pair_is_of_values_that_neither_text_was_written_under() -> None:
    implied = {"clause": "eight words or more", "constraint": {"structural/word_count": {"at_least": 8}}}
    (task,) = (skill.task() for skill in skills_from(changed(BRIEF, values=[*BRIEF["values"], implied])))
    long, short = "This one has nine words or more, so many.", "Short enough."
    for other, barred in ((6, 8), (8, 6)):
        found = {task.pair(Random(i), long, short, under=[WordCount(at_least=barred)]) for i in range(20)}
        assert found == {(WordCount(at_least=other), WordCount(at_most=5))}
    assert task.pair(Random(0), long, short, under=[WordCount(at_most=5)]) is None


def test_yaml_json_and_python_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "skills.yaml").write_text(yaml.safe_dump([BRIEF, WORDED]))
    (tmp_path / "skills.json").write_text(json.dumps([BRIEF, WORDED]))
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(BRIEF))
    skills = skills_from([BRIEF, WORDED])
    assert skills_from(tmp_path / "skills.yaml") == skills_from(str(tmp_path / "skills.json")) == skills
    assert skills_from(tmp_path / "one.yaml") == skills[:1]
    assert skills_from(skills) == skills
    assert [Skill.model_validate(skill.model_dump(mode="json")) for skill in skills] == [*skills]


def test_own_tasks_stand_after_the_nine_in_their_own_order() -> None:
    own = [skill.task() for skill in skills_from([WORDED, BRIEF])]
    assert [task.name for task in tasks_named(None, own)] == [*TASKS, "first_person", "brevity"]
    assert [task.name for task in tasks_named(["brevity", "topic"], own)] == ["topic", "brevity"]
    with pytest.raises(InputError, match="--skills FILE"):
        tasks_named(["brevity"])


@pytest.mark.parametrize(
    ("skill", "cause"),
    [
        ("brevity", "'brevity' is not a skill"),
        (changed(BRIEF, family="structual"), "the family of 'brevity' is 'structual'"),
        (changed(BRIEF, family=None), "it lacks 'family'"),
        (changed(BRIEF, famly="x"), "a skill has no 'famly'"),
        (changed(BRIEF, name="word_count"), "'word_count' is one of the nine tasks already"),
        (changed(BRIEF, name="bullet points"), "'bullet points' cannot be the name of a skill"),
        (changed(BRIEF, name="../x"), "'../x' cannot be the name of a skill"),
        (changed(BRIEF, name="a" * 21), "cannot be the name of a skill"),
        (changed(BRIEF, name=3), "the name 3 is no text"),
        (changed(BRIEF, values=BRIEF["values"][:1]), "the skill 'brevity' has 1 value, and two responses"),
        (changed(BRIEF, values=[]), "the skill 'brevity' has no values"),
        (changed(BRIEF, values={"a": 1}), "values of the skill 'brevity' is no list"),
        (changed(BRIEF, values=[*BRIEF["values"], BRIEF["values"][0]]), "has the constraint"),
        (changed(BRIEF, values=["x", "y"]), "values of the skill 'brevity', entry 1: 'x' is not a value"),
        (revalued(BRIEF, constraint=None), "values of the skill 'brevity', entry 2: it lacks 'constraint'"),
        (revalued(BRIEF, constraint={"structural/word_cuont": {}}), "there is no constraint 'structural/word_cuont'"),
        (revalued(BRIEF, constraint={"structural/word_count": {"atmost": 3}}), "'atmost' is not a field"),
        (revalued(BRIEF, constraint=5), "5 is not a constraint"),
        (revalued(BRIEF, clause=None), "entry 2: it lacks 'clause'"),
        (revalued(BRIEF, clause=" "), "its clause is ' '"),
        (revalued(BRIEF, clause="{base} short"), "its clause is '{base} short'"),
        (revalued(BRIEF, clause="{clause} short"), "its clause is '{clause} short'"),
        (revalued(BRIEF, clause="short \ud800"), r"the wording 'Write short \ud800.' holds a half of a surrogate pair"),
        (revalued(BRIEF, clause="five words or fewer"), "values 1 and 2 of the skill 'brevity' are both asked for by"),
        (revalued(BRIEF, clauses=["x"]), "entry 2: it has 'clauses' beside the skill's templates"),
        (changed(BRIEF, templates=None, held_out=None), "'clause' and the skill has no templates to put it into"),
        (changed(BRIEF, templates=None), "has held_out templates and no others"),
        (changed(BRIEF, templates=["Write {clause}."]), "the skill 'brevity' has 1 of at least 2 templates"),
        (changed(BRIEF, held_out=None), "the skill 'brevity' has 0 of at least 2 held_out"),
        (changed(BRIEF, templates=["Write.", "Write {clause}."]), "the template 'Write.' of the skill 'brevity' has no"),
        (changed(BRIEF, templates=["{clause} {n}", "Write {clause}."]), "has the slot {n}"),
        (changed(BRIEF, templates="Write {clause}."), "the skill 'brevity' has 'templates' that is no list of texts"),
        (changed(BRIEF, templates=["Give {clause}.", "Write {clause}."]), "is worded 'Give five words or fewer.' twice"),
        (changed(BRIEF, templates=["As {base} in {clause}.", "Write {clause}."]), "{base} is in the midst of"),
        (revalued(WORDED, held_out=["Nobody."]), "value 2 of the skill 'first_person' has 1 of at least 2 wordings held"),
        (revalued(WORDED, clauses=["a", "b", "c"]), "has 3 clauses and 2 held out, the first value 2 and 2"),
        (revalued(WORDED, clauses=["a", "b"]), "are one paraphrase, and only one of them stands ahead"),
        (revalued(WORDED, clauses=["{base} Write as I.", "As nobody: {base}"]), "both asked for by 'Write as I.'"),
        (revalued(WORDED, held_out=["Write as I.", "Never say I so."]), "both asked for by 'Write as I.'"),
        (revalued(WORDED, clauses=["a", "{base}"]), "the wording '{base}' has no clause"),
        (revalued(BRIEF, constraint="ifbench/words_start_verb"), "ifbench/words_start_verb needs a part-of-speech"),
        (revalued(BRIEF, constraint={"semantic/topic": {"topic": "zymurgy"}}), "does not know 'zymurgy'"),
        (
            revalued(BRIEF, constraint={"stylistic/register": {"level": "formal", "verifier": "judge:http://x#y"}}),
            "stylistic/register is decided by 'judge:http://x#y', which is asked over the net",
        ),
        (revalued(BRIEF, constraint={"stylistic/register": {"level": "formal", "verifier": "ofline"}}), "ofline"),
        (revalued(BRIEF, constraint={"lexical/include": {"terms": ["\ud800"]}}), "has a constraint that cannot be kept"),
        (revalued(BRIEF, constraint={"test/longer": {"than": float("inf")}}), "has a constraint that cannot be kept"),
        (revalued(BRIEF, constraint="test/broken"), "test/broken cannot be decided of any text here"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("registry")
def test_what_cannot_be_studied_is_named(skill: Any, cause: str) -> None:
    @constraint("test/broken")
    def broken(text: str) -> bool:
        raise ValueError(text[:3])

    @constraint("test/longer")
    def longer(text: str, than: float) -> bool:
        return len(text) > than

    with pytest.raises(InputError) as caught:
        skills_from([WORDED | {"name": "another"}, skill])
    assert caught.value.cause.startswith("skill 2: ")
    assert cause in caught.value.cause
    assert caught.value.cure


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "{path}, no skill is there"),
        ("[a", "{path} is not YAML"),
        ("- a\n- b", "{path}, skill 1: 'a' is not a skill"),
        ("word", "{path}, skill 1: 'word' is not a skill"),
        (yaml.safe_dump([BRIEF, BRIEF]), "{path}, skill 2: 'brevity' is the name of another one"),
        ("- name: a\n  name: b", "{path} is not YAML: line 2, column 3: the key 'name' stands twice"),
    ],
)
def test_a_file_that_is_none_of_skills_is_named(tmp_path: Path, text: str, cause: str) -> None:
    path = tmp_path / "skills.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        skills_from(path)
    assert caught.value.cause.startswith(cause.format(path=path))
    with pytest.raises(InputError, match=r"absent\.yaml"):
        skills_from(tmp_path / "absent.yaml")


def test_a_missing_detector_is_said_before_anything_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    language.detect_language.cache_clear()
    monkeypatch.setattr(language, "_factory", lambda: None)
    skill = revalued(BRIEF, constraint={"ifeval/language_response_language": {"language": "de"}})
    with pytest.raises(InputError, match="no language detector is installed"):
        skills_from(skill)
    language.detect_language.cache_clear()


@pytest.mark.usefixtures("registry")
def test_a_constraint_of_ones_own_is_a_value_like_any_other() -> None:
    @constraint("test/asks")
    def asks(text: str, so: bool = True) -> bool:
        return text.rstrip().endswith("?") == so

    values = [{"clause": "with a question", "constraint": "test/asks"}]
    values.append({"clause": "with no question", "constraint": {"test/asks": {"so": False}}})  # type: ignore[dict-item]
    (task,) = (skill.task() for skill in skills_from(changed(BRIEF, name="question", values=values)))
    pair = task.pair(Random(0), "Are you there?", "I am here.")
    assert pair is not None
    assert [one.to_dict() for one in pair] == [{"id": "test/asks"}, {"id": "test/asks", "so": False}]
