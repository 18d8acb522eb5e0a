"""What holds of every monitor: it never claims what a completion undoes, and ends with what `check` says.

A case is a constraint and the pieces that its texts and their completions are drawn from: those that its monitor would
stumble over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints import CharCount, Constraint, Exclude, Include, JsonFormat, WordCount
from heedful.constraints.ifeval import constraint_from_ifeval, known_ifeval_types
from heedful.constraints.prefix import PrefixVerdict

NAME = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name"]}
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {"type": "object", "properties": {"next": {"items": {"$ref": "#/$defs/node"}}, "a": {"type": "null"}}}
    },
}
MIXED = {
    "allOf": [{"patternProperties": {"^a": {"maxLength": 1}}}, {"propertyNames": {"maxLength": 4}}],
    "additionalProperties": {
        "anyOf": [{"type": "array", "prefixItems": [{"type": "string"}], "items": {"minimum": 3}}, {}]
    },
    "minProperties": 1,
}

LETTERS = [
    "a",
    "cat",
    " ",
    "\n",
    ".",
    "\u0301",
    "\u200d",
    "\u200b",
    "\u00ad",
    "\uffff",
    "É",
    "ß",
    "\U00010400",
    "_",
    "\u00a0",
]
TERMS = [
    "cat",
    "Cat",
    "cats",
    "c",
    "at",
    "c++",
    "C+",
    "+",
    "é",
    "e",
    "\u0301",
    "\u0316",
    "\u0345",
    "new",
    "York",
    "new york",
]
TERMS += [
    " ",
    "\t",
    "\n",
    "\u00ad",
    "\u200b",
    ".",
    "’",
    "-",
    "ß",
    "s",
    "İ",
    "\u0307",
    "Ω",
    "\u2126",
    "한",
    "\u1112",
    "\u11ab",
]
TOKENS = [
    '{"name": ',
    '"',
    "name",
    "age",
    "a",
    "next",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\n",
    "\u00a0",
    "1",
    "0",
    "-",
    ".5",
]
TOKENS += [
    "e",
    "E+2",
    "true",
    "fal",
    "null",
    "NaN",
    "-Infinity",
    "\\",
    "\\u",
    "00e",
    "9",
    "\\ud83d",
    "\\ude00",
    "```",
    "`",
    "json",
]
TOKENS += [
    "```json\n",
    "```JſON \n",
    "\t",
    "x",
    "\x00",
    '{"name": "x"}',
    '"name": "x"',
    '{"a": 1}',
    '{"name": "x", "age": 3}',
]


STARS = [
    "*",
    "**",
    "***",
    "******",
    "-",
    "a",
    "b",
    " ",
    "\n",
    "\n\n",
    "\u00a0",
    "**a**",
    "* a",
    "<<",
    ">>",
    "<",
    ">",
    "[",
    "]",
]
WORDS = [
    "cat",
    "CAT",
    "ca",
    "t",
    "a.b",
    "K",
    "\u212a",
    "ſ",
    "İ",
    "Σ",
    "ς",
    "P.",
    "p.s.",
    "P",
    "S",
    ".",
    "Section 1",
    "Section",
    "1",
]
WORDS += [" ", "\n", "\n\n", ",", "'", '"', "!", "_", "\u0301", "My answer is ", "yes.", "no", "E", "e", "É", "ǅ", "#"]
SENTENCES = [
    "He",
    "went",
    "J",
    "NO",
    "no",
    "5",
    " ",
    "  ",
    "\n",
    ".",
    ". ",
    "..",
    "?",
    "!",
    '"',
    "'",
    ")",
    "(",
    "]",
    ":",
    ",",
    "--",
    "*",
    "[a",
]
SENTENCES += [
    "CAN'T",
    "CANNOT",
    "'TIS",
    "A.B.",
    "x,Y",
    "1,2",
    "...",
    "one. Two",
    "\u00a0",
    "“",
    "”",
    "É",
    "D'YE",
    "WANNA",
]

IFEVAL: list[tuple[str, dict[str, Any], list[str]]] = [
    ("keywords:existence", {"keywords": ["cat", "a.b", "ß"]}, WORDS),
    ("keywords:existence", {"keywords": ["cat", "(?=a)"]}, WORDS),
    ("keywords:frequency", {"keyword": "ca", "frequency": 2, "relation": "at least"}, WORDS),
    ("keywords:frequency", {"keyword": "K", "frequency": 2, "relation": "less than"}, WORDS),
    ("keywords:frequency", {"keyword": "cat$", "frequency": 1, "relation": "less than"}, WORDS),
    ("keywords:forbidden_words", {"forbidden_words": ["cat", "a.b", "cat.", "t,", "x|y"]}, WORDS),
    ("keywords:letter_frequency", {"letter": "e", "let_frequency": 2, "let_relation": "less than"}, WORDS),
    ("keywords:letter_frequency", {"letter": "#", "let_frequency": 1, "let_relation": "at least"}, WORDS),
    ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, LETTERS),
    ("length_constraints:number_words", {"num_words": 3, "relation": "at least"}, LETTERS),
    ("length_constraints:number_words", {"num_words": 0, "relation": "at least"}, LETTERS),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, SENTENCES),
    ("length_constraints:number_sentences", {"num_sentences": 3, "relation": "at least"}, SENTENCES),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "at least"}, SENTENCES),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "less than"}, SENTENCES),
    ("change_case:english_capital", {}, WORDS),
    ("change_case:english_lowercase", {}, WORDS),
    ("detectable_format:number_bullet_lists", {"num_bullets": 1}, STARS),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, STARS),
    ("detectable_format:multiple_sections", {"section_spliter": "Section", "num_sections": 2}, WORDS),
    ("detectable_format:multiple_sections", {"section_spliter": "1", "num_sections": 1}, WORDS),
    ("detectable_format:title", {}, STARS),
    ("detectable_format:json_format", {}, TOKENS),
    ("detectable_format:constrained_response", {}, WORDS),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, STARS),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, WORDS),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, WORDS),
    ("detectable_content:postscript", {"postscript_marker": "cat Σ"}, WORDS),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, STARS),
    (
        "length_constraints:nth_paragraph_first_word",
        {"first_word": "cat", "num_paragraphs": 2, "nth_paragraph": 2},
        WORDS,
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"first_word": "Σς", "num_paragraphs": 1, "nth_paragraph": 1},
        WORDS,
    ),
    ("combination:two_responses", {}, STARS),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Cat ca\n"}, WORDS),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Σςi̇"}, WORDS),
    # Few pieces, so that what is rare among many comes up.
    ("combination:repeat_prompt", {"prompt_to_repeat": "Σς"}, ["Σ", "ς", "σ", ".", "a"]),
    ("combination:repeat_prompt", {"prompt_to_repeat": "aΣ"}, ["A", "Σ", "ς", ".", "a"]),
    ("detectable_content:postscript", {"postscript_marker": "aΣ"}, ["aΣ", "a", "Σ", "ς", " "]),
    ("detectable_format:multiple_sections", {"section_spliter": "1", "num_sections": 2}, ["1", "11", " ", "2"]),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": "less than"},
        ["a?)b. ", ")", ' "', "!", " a"],
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 3, "relation": "at least"},
        ["! ", "a. ", '"', ") ", "J. ", "A"],
    ),
    ("startend:quotation", {}, WORDS),
    ("punctuation:no_comma", {}, WORDS),
    ("startend:end_checker", {"end_phrase": "cat"}, WORDS),
    ("language:response_language", {"language": "en"}, WORDS),
]


class Case(NamedTuple):
    constraint: Constraint
    pieces: list[str]


CASES = [
    *(Case(WordCount(**bounds), LETTERS) for bounds in ({"at_most": 3}, {"at_least": 3}, {"exactly": 2})),
    *(
        Case(CharCount(**bounds), LETTERS)
        for bounds in ({"at_most": 5}, {"at_least": 5}, {"at_least": 2, "at_most": 6})
    ),
    Case(Include(terms=("cat", "é")), TERMS),
    Case(Include(terms="cat", at_least=2, case_sensitive=True), TERMS),
    Case(Exclude(terms=("cat", "new york", "c++", "é", "ß")), TERMS),
    Case(Exclude(terms=("한", "i", "Ω", "e"), at_most=1), TERMS),
    Case(JsonFormat(), TOKENS),
    Case(JsonFormat(keys=("name",)), TOKENS),
    Case(JsonFormat(keys=("name", "age"), only_keys=True), TOKENS),
    Case(JsonFormat(json_schema=NAME), TOKENS),
    Case(JsonFormat(json_schema=TREE), TOKENS),
    Case(JsonFormat(json_schema=MIXED), TOKENS),
    Case(JsonFormat(json_schema={"type": ["integer", "array"]}), TOKENS),
    *(Case(constraint_from_ifeval(name, kwargs), pieces) for name, kwargs, pieces in IFEVAL),
]
"""Every constraint that has a monitor of its own, more than once where its fields change what can be proved."""

every_case = pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.constraint.id}:{case.constraint.describe()}"[:60]
)


def states(constraint: Constraint, deltas: Iterable[str]) -> list[PrefixVerdict]:
    monitor = constraint.monitor()
    return [monitor.verdict, *(monitor.feed(delta) for delta in deltas)]


def assert_sound(constraint: Constraint, text: str, completions: Iterable[str]) -> str:
    """Feeds the text by characters; what is claimed first must hold of that prefix with each completion. Gives the claim."""
    for place, verdict in enumerate(states(constraint, text)):
        if verdict.decided:
            known = {"violated": "fail", "satisfied": "pass"}[verdict.state]
            for completion in ["", *(text[place:end] for end in range(place + 1, len(text) + 1)), *completions]:
                found = constraint.check(text[:place] + completion)
                assert found.outcome == known, (verdict, text[:place], completion, found)
            return verdict.state
    return "open"


def texts(pieces: list[str]) -> st.SearchStrategy[str]:
    """Mostly of the pieces, which a few characters of any kind disturb."""
    few = st.lists(st.sampled_from(pieces), max_size=12)
    mixed = st.lists(st.sampled_from(pieces) | st.characters(exclude_categories=()), max_size=12)
    return (few | few | mixed).map("".join)


@every_case
@given(data=st.data())
def test_no_claim_can_be_undone(case: Case, data: st.DataObject) -> None:
    text = data.draw(texts(case.pieces))
    assert_sound(case.constraint, text, data.draw(st.lists(texts(case.pieces), max_size=4)))


@every_case
@given(data=st.data())
def test_however_the_text_is_split_closing_and_passing_are_checking(case: Case, data: st.DataObject) -> None:
    text = data.draw(texts(case.pieces))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    deltas = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    by_characters = states(case.constraint, text)
    monitor = case.constraint.monitor()
    split = [monitor.feed(delta) for delta in deltas]
    assert [verdict.state for verdict in split] == [by_characters[end].state for end in [*cuts, len(text)]]
    if split[-1].state == "open":
        assert split[-1] == by_characters[-1]
    checked = case.constraint.check(text)
    assert monitor.close() == checked
    assert monitor.close() is monitor.close()
    assert case.constraint.passes(text) == checked.passed


def test_every_type_of_ifeval_is_among_the_cases() -> None:
    assert {name for name, _, _ in IFEVAL} == set(known_ifeval_types())


@every_case
def test_an_empty_text_is_never_satisfied(case: Case) -> None:
    assert {verdict.state for verdict in states(case.constraint, ["", " ", "\n\u00a0"])} == {"open"}
    assert case.constraint.monitor().close() == case.constraint.check("")


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 20) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "age", "a", "next", "abcde"]) | st.text(max_size=3), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case.constraint, JsonFormat)], ids=str)
@given(VALUES, st.booleans(), st.sampled_from(["", " ", "```json\n", "```\n"]), st.integers(0, 300), st.data())
def test_what_complies_is_never_called_violated(
    case: Case, value: Any, escaped: bool, before: str, cut: int, data: st.DataObject
) -> None:
    text = (
        before
        + json.dumps(value, ensure_ascii=escaped, indent=2 if escaped else None)
        + ("```" if "```" in before else "\u00a0")
    )
    assert_sound(case.constraint, text, ())
    # And the same text spoilt in one place, so that much of it is right.
    spoilt = text[:cut] + data.draw(texts(case.pieces)) + text[cut + 1 :]
    assert_sound(case.constraint, spoilt, [text[cut:], text])


@pytest.mark.parametrize(
    ("constraint", "text", "state"),
    [
        (WordCount(at_most=2), "one two|", "open"),
        (WordCount(at_most=2), "one two t|", "violated"),
        (WordCount(at_least=2), "one t|", "satisfied"),
        (WordCount(exactly=1), "one|", "open"),
        (CharCount(at_most=3), " abc \n|", "open"),
        (CharCount(at_most=3), "abc d|", "violated"),
        (CharCount(at_least=3), "ab |", "open"),
        (CharCount(at_least=3), "ab c|", "satisfied"),
        (Exclude(terms="cat"), "a cat|", "open"),
        (Exclude(terms="cat"), "a cat |", "violated"),
        (Exclude(terms="cat"), "a cat”|", "violated"),
        (Exclude(terms="c++"), "c++|", "violated"),
        (Exclude(terms="cafe"), "cafe\u0301 |", "open"),
        (Exclude(terms="café"), "cafe\u0301 |", "violated"),
        (Exclude(terms="new york", at_most=1), "new York, New\n\nYork.|", "violated"),
        (Include(terms=("a", "b"), at_least=2), "a b a b|", "open"),
        (Include(terms=("a", "b"), at_least=2), "a b a b.|", "satisfied"),
        (JsonFormat(), " Sure|", "violated"),
        (JsonFormat(), "[|", "violated"),
        (JsonFormat(), "``` js|", "open"),
        (JsonFormat(), "``` yaml|", "violated"),
        (JsonFormat(), '{"a": 01|', "violated"),
        (JsonFormat(), '{"a": N|', "violated"),
        (JsonFormat(), '{"a": "\n|', "violated"),
        (JsonFormat(), '{"a": 1, "\\u0061"|', "violated"),
        (JsonFormat(), "{}```|", "violated"),
        (JsonFormat(), "{}\u00a0|", "open"),
        (JsonFormat(), "```\n{} ```\n\n|", "open"),
        (JsonFormat(), "```\n{} ``` x|", "violated"),
        (JsonFormat(keys="name"), '{"nam": 1}|', "violated"),
        (JsonFormat(keys="name", only_keys=True), '{"nam|', "open"),
        (JsonFormat(keys="name", only_keys=True), '{"namf|', "violated"),
        (JsonFormat(keys="name", only_keys=True), '{"name": 1, "|', "violated"),
        (JsonFormat(json_schema=NAME), '{"name": "|', "open"),
        (JsonFormat(json_schema=NAME), '{"name": [|', "violated"),
        (JsonFormat(json_schema=NAME), '{"name": 7,|', "violated"),
        (JsonFormat(json_schema=NAME), '{"age": 7}|', "violated"),
        (JsonFormat(json_schema=TREE), '{"next": [{}, {"a": 0,|', "violated"),
        (JsonFormat(json_schema=MIXED), '{"abcde|', "open"),
        (JsonFormat(json_schema=MIXED), '{"abcde": 1,|', "violated"),
        (JsonFormat(json_schema=MIXED), '{"b": ["", 1|', "open"),
        (JsonFormat(json_schema={"type": "array"}), "[1, 2]|", "open"),
    ],
)
def test_what_can_be_proved(constraint: Constraint, text: str, state: str) -> None:
    """Soundness alone would be met by a monitor that says nothing."""
    verdict = states(constraint, [text.removesuffix("|")])[-1]
    assert verdict.state == state, verdict


@pytest.mark.parametrize(
    ("name", "kwargs", "text", "state"),
    [
        ("keywords:existence", {"keywords": ["art", "P.S"]}, "a party, p-s", "satisfied"),
        ("keywords:frequency", {"keyword": "art", "frequency": 2, "relation": "less than"}, "art, part", "violated"),
        ("keywords:frequency", {"keyword": "a+", "frequency": 2, "relation": "less than"}, "a a a a", "open"),
        ("keywords:forbidden_words", {"forbidden_words": ["art"]}, "party art", "open"),
        ("keywords:forbidden_words", {"forbidden_words": ["art"]}, "party Art,", "violated"),
        (
            "keywords:letter_frequency",
            {"letter": "e", "let_frequency": 2, "let_relation": "at least"},
            "Ee",
            "satisfied",
        ),
        ("length_constraints:number_words", {"num_words": 2, "relation": "less than"}, "a b", "violated"),
        ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, "He did. ", "open"),
        (
            "length_constraints:number_sentences",
            {"num_sentences": 2, "relation": "less than"},
            "He did. So",
            "open",
        ),
        (
            "length_constraints:number_sentences",
            {"num_sentences": 2, "relation": "less than"},
            "He did. So ",
            "violated",
        ),
        (
            "length_constraints:number_sentences",
            {"num_sentences": 2, "relation": "at least"},
            "J. Smith did. \n",
            "open",
        ),
        (
            "change_case:capital_word_frequency",
            {"capital_frequency": 2, "capital_relation": "less than"},
            "A, B",
            "open",
        ),
        (
            "change_case:capital_word_frequency",
            {"capital_frequency": 2, "capital_relation": "less than"},
            "A, B ",
            "violated",
        ),
        ("change_case:english_capital", {}, "NO n", "violated"),
        ("change_case:english_lowercase", {}, "no N", "violated"),
        ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "* a\n*", "open"),
        ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "* a\n  - ", "violated"),
        ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* **b**", "satisfied"),
        ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "***a**", "satisfied"),
        (
            "detectable_format:multiple_sections",
            {"section_spliter": "Part", "num_sections": 2},
            "Part 1 Part2",
            "satisfied",
        ),
        ("detectable_format:title", {}, "<<>> <<a>>", "satisfied"),
        ("detectable_format:json_format", {}, "```json```NaN", "open"),
        ("detectable_format:json_format", {}, "Here is", "violated"),
        ("detectable_format:json_format", {}, "```json {} ```.", "violated"),
        ("detectable_format:constrained_response", {}, "So: My answer is maybe.", "satisfied"),
        ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a] [\n] [b]", "satisfied"),
        ("detectable_content:postscript", {"postscript_marker": "P.S."}, "p. s.", "satisfied"),
        ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "P.P. S", "satisfied"),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 1}, "a\n***\n* ", "violated"),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 9}, "a *** \n ***", "violated"),
        (
            "length_constraints:nth_paragraph_first_word",
            {"first_word": "so", "num_paragraphs": 2, "nth_paragraph": 2},
            'a\n\n"Som',
            "open",
        ),
        (
            "length_constraints:nth_paragraph_first_word",
            {"first_word": "so", "num_paragraphs": 2, "nth_paragraph": 2},
            'a\n\n"Some ',
            "violated",
        ),
        ("combination:two_responses", {}, "a ****** b ****** c", "violated"),
        ("combination:repeat_prompt", {"prompt_to_repeat": "Do it."}, " do it.", "satisfied"),
        ("combination:repeat_prompt", {"prompt_to_repeat": "Do it."}, "Do  ", "violated"),
        ("startend:quotation", {}, ' "a" b', "open"),
        ("startend:quotation", {}, "a", "violated"),
        ("punctuation:no_comma", {}, "a,", "violated"),
    ],
)
def test_what_can_be_proved_of_ifeval(name: str, kwargs: dict[str, Any], text: str, state: str) -> None:
    verdict = states(constraint_from_ifeval(name, kwargs), list(text))[-1]
    assert verdict.state == state, verdict


@pytest.mark.parametrize("text", ["\n?? no", "\xa0.? He ", " .'?\xa0...a..\n"])
def test_white_space_at_the_start_makes_no_sentence_more(text: str) -> None:
    """It is part of the first word, in which two marks end one sentence."""
    asked = {"num_sentences": 3, "relation": "at least"}
    assert assert_sound(constraint_from_ifeval("length_constraints:number_sentences", asked), text, []) == "open"


def test_a_stop_within_the_last_word_is_not_settled() -> None:
    """'a?)b.' is two sentences at the end of a text, and one if a bracket closes behind it."""
    asked = {"num_sentences": 3, "relation": "at least"}
    constraint = constraint_from_ifeval("length_constraints:number_sentences", asked)
    assert constraint.check("Yes. a?)b.").passed
    assert not constraint.check("Yes. a?)b. )").passed
    assert assert_sound(constraint, "Yes. a?)b. ", [")"]) == "open"
