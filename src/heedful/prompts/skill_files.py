"""Skills as a user writes them down, in YAML or JSON or as Python's own dicts, and whether each can be studied.

A file is a list of skills. Where the values differ in a few words, templates have the rest:

    - name: opening
      family: lexical
      templates: ["Begin with the word {clause}.", "{clause} must be the first word."]
      held_out: ["Start with {clause}.", "With {clause} as its first word: {base}"]
      values:
        - {clause: '"We"', constraint: house/opens: {word: we}}
        - {clause: '"I"', constraint: house/opens: {word: i}}

Where they do not, each value has wordings of its own, `clauses` and `held_out`; the k-th of all values are one paraphrase.
Every error names the file and the skill.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from heedful.constraints import Constraint, get_classifier, read_json_file, read_text
from heedful.constraints.judging import Judged
from heedful.constraints.loading import constraint_from_entry, read_yaml
from heedful.errors import InputError
from heedful.prompts.skills import BASE, MIN_HELD_OUT, MIN_TRAINED, Skill, Value
from heedful.prompts.tasks import FAMILIES

CLAUSE = "{clause}"
"""Where a value's clause stands in a template."""

_FORM = "name: …, family: …, values: [{constraint: …, clauses: […], held_out: […]}, …]"
_SLOT = re.compile(r"\{[A-Za-z_]*\}")
_MADE_ELSEWHERE = ("hf", "judge")
"""Classifiers that are loaded or asked when they are first needed."""


def skills_from(given: object) -> tuple[Skill, ...]:
    """Skills from a YAML or JSON file (a path), or from mappings as such a file has them, one or several.

    Raises:
        InputError: the file cannot be read, a skill is not one, two have one name, or a constraint cannot be decided.
    """
    if isinstance(given, str | Path):
        entries, source = _entries(Path(given)), f"{given}, "
    else:
        entries = list(given) if isinstance(given, Sequence) else [given]
        source = ""
    if not entries:
        raise InputError(f"{source}no skill is there".removesuffix(", "), f"describe one at least: {_FORM}")
    skills: list[Skill] = []
    for number, entry in enumerate(entries, start=1):
        try:
            skill = entry if isinstance(entry, Skill) else _skill(entry)
            for value in (*skill.values, *skill.elicit):
                _check_decidable(constraint_from_entry(value.constraint))
        except InputError as error:
            raise InputError(f"{source}skill {number}: {error.cause}", error.cure) from error
        if any(skill.name == other.name for other in skills):
            raise InputError(f"{source}skill {number}: {skill.name!r} is the name of another one", "rename one of them")
        skills.append(skill)
    return tuple(skills)


def _entries(path: Path) -> list[Any]:
    if path.suffix == ".json":
        found = read_json_file(path)
    else:
        text = read_text(path)
        try:
            found = read_yaml(text)
        except InputError as error:
            raise InputError(f"{path} is not YAML: {error.cause}", error.cure) from error
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _skill(entry: object) -> Skill:
    fields = _fields(entry, "a skill", ("name", "family", "values"), ("templates", "held_out", "elicit"))
    name, family = fields["name"], fields["family"]
    if not isinstance(name, str):
        raise InputError(f"the name {name!r} is no text", "name it as tasks are named: bullet_points")
    if family not in FAMILIES:
        raise InputError(f"the family of {name!r} is {family!r}", f"choose among {', '.join(FAMILIES)}")
    templates, held_out = (_texts(fields, key, f"the skill {name!r}") for key in ("templates", "held_out"))
    if held_out and not templates:
        raise InputError(
            f"the skill {name!r} has held_out templates and no others",
            f"add {MIN_TRAINED} templates or more to train on",
        )
    for what, found, least in (("templates", templates, MIN_TRAINED), ("held_out", held_out, MIN_HELD_OUT)):
        if templates and len(found) < least:
            raise InputError(
                f"the skill {name!r} has {len(found)} of at least {least} {what}",
                f'word {what} in other ways, e.g. {what}: ["Use {CLAUSE}.", "{CLAUSE} must be in it."]',
            )
    for template in (*templates, *held_out):
        _check_template(template, name)
    made: dict[str, list[Value]] = {"values": [], "elicit": []}
    for key, values in made.items():
        given = fields.get(key) or []
        if not isinstance(given, list | tuple):
            raise InputError(
                f"{key} of the skill {name!r} is no list", f"write {key}: [{{constraint: …}}, {{constraint: …}}]"
            )
        for number, one in enumerate(given, start=1):
            try:
                values.append(_value(one, templates, held_out))
            except InputError as error:
                raise InputError(f"{key} of the skill {name!r}, entry {number}: {error.cause}", error.cure) from error
    return Skill(name=name, family=family, values=tuple(made["values"]), elicit=tuple(made["elicit"]))


def _value(entry: object, templates: Sequence[str], held_out: Sequence[str]) -> Value:
    worded = ("clause",) if templates else ("clauses", "held_out")
    other = ("clauses", "held_out") if templates else ("clause",)
    if isinstance(entry, Mapping) and (there := [key for key in other if key in entry]):
        raise InputError(
            f"it has {there[0]!r} "
            + ("beside the skill's templates" if templates else "and the skill has no templates to put it into"),
            f"give one {'clause' if templates else 'list of clauses'} a value; or "
            + (
                "leave the skill's templates out"
                if templates
                else f'add templates: ["Use {CLAUSE}.", …] and held_out: […]'
            ),
        )
    fields = _fields(entry, "a value", ("constraint", *worded))
    constraint = constraint_from_entry(fields["constraint"]).to_dict()
    if not templates:
        clauses, held = (_texts(fields, key, "it") for key in worded)
        return Value(constraint=constraint, clauses=clauses, held_out=held)
    clause = fields["clause"]
    if not isinstance(clause, str) or not clause.strip() or BASE in clause or CLAUSE in clause:
        raise InputError(f"its clause is {clause!r}", f"give the words that stand at {CLAUSE} in the skill's templates")
    filled = [[one.replace(CLAUSE, clause.strip()) for one in texts] for texts in (templates, held_out)]
    return Value(constraint=constraint, clauses=tuple(filled[0]), held_out=tuple(filled[1]))


def _fields(entry: object, what: str, needed: Sequence[str], others: Sequence[str] = ()) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping):
        raise InputError(f"{entry!r} is not {what}", f"write a mapping: {_FORM}")
    known = (*needed, *others)
    for key in entry:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            raise InputError(
                f"{what} has no {key!r}",
                (f"did you mean {near[0]!r}? " if near else "") + f"it takes {', '.join(known)}",
            )
    if missing := [key for key in needed if entry.get(key) is None]:
        raise InputError(f"it lacks {', '.join(map(repr, missing))}", f"write {_FORM}")
    return entry


def _texts(fields: Mapping[str, Any], key: str, what: str) -> tuple[str, ...]:
    found = fields.get(key) or []
    if not isinstance(found, list | tuple) or not all(isinstance(one, str) and one.strip() for one in found):
        raise InputError(f"{what} has {key!r} that is no list of texts", f'write {key}: ["…", "…"], each in quotes')
    return tuple(found)


def _check_template(template: str, name: str) -> None:
    slots = _SLOT.findall(template)
    if slots.count(CLAUSE) != 1:
        raise InputError(
            f"the template {template!r} of the skill {name!r} has {slots.count(CLAUSE) or 'no'} {CLAUSE}",
            f"write {CLAUSE} once, where a value's own words belong: Use {CLAUSE}.",
        )
    if unknown := [slot for slot in slots if slot not in (CLAUSE, BASE)]:
        raise InputError(
            f"the template {template!r} of the skill {name!r} has the slot {unknown[0]}",
            f"slots are {CLAUSE} and {BASE}",
        )


def _check_decidable(constraint: Constraint) -> None:
    """See that responses can be labelled by it, here and again: as far as plain texts tell."""
    constraint.check_scorable()
    if isinstance(constraint, Judged):
        kind = constraint.verifier.partition(":")[0]
        if kind == "judge":
            raise InputError(
                f"{constraint.id} is decided by {constraint.verifier!r}, which is asked over the net: thousands of times, and "
                "not alike each time",
                "take the built-in verifier, a classifier (verifier: hf:ID), or a constraint of your own",
            )
        if kind not in _MADE_ELSEWHERE:
            get_classifier(constraint.task, constraint.verifier)  # says so if there is none of that name
        return
    verdicts = [constraint.check(text) for text in _plain_texts()]
    if all(verdict.outcome in ("unscored", "error") for verdict in verdicts):
        raise InputError(
            f"{constraint.id} cannot be decided of any text here: {verdicts[0].reason}",
            "mend that, or take another constraint",
        )


@cache
def _plain_texts() -> tuple[str, ...]:
    return tuple(files("heedful.prompts").joinpath("reference.txt").read_text(encoding="utf-8").splitlines()[:3])
