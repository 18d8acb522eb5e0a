"""Each of IFEval's types on texts that comply and do not, its quirks included; ids, kwargs, and bad input."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints import constraint_from, known_constraints, parse_constraint
from heedful.constraints.ifeval import check_loose, constraint_from_ifeval, known_ifeval_types, loose_variants
from heedful.errors import InputError

# (IFEval's id, kwargs, texts that pass, texts that fail); the last of each list shows a quirk that figures rest on.
TYPES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("keywords:existence", {"keywords": ["art", "dog"]}, ["Art and dogs", "a party, a dogma"], ["art", "ar t dog"]),
    ("keywords:frequency", {"keyword": "art", "frequency": 2, "relation": "at least"}, ["art ART", "party art"], ["art"]),
    ("keywords:frequency", {"keyword": "art", "frequency": 2, "relation": "less than"}, ["art"], ["art party"]),
    ("keywords:forbidden_words", {"forbidden_words": ["art"]}, ["party", "arts"], ["An Art.", "art-house"]),
    ("keywords:letter_frequency", {"letter": "Q", "let_frequency": 2, "let_relation": "at least"}, ["q Q"], ["q"]),
    ("keywords:letter_frequency", {"letter": "#", "let_frequency": 1, "let_relation": "less than"}, ["q"], ["#"]),
    ("length_constraints:number_words", {"num_words": 2, "relation": "at least"}, ["a b", "don't"], ["a!"]),
    ("length_constraints:number_words", {"num_words": 2, "relation": "less than"}, ["a ! ?"], ["a b", "well-known"]),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}, ["Go. Stop!"], ["Go\nStop"]),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, ['"Go."'], ["Mr. Fox ran."]),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, ["a\n***\nb", "***a***b"], ["a\n\nb", "a***\n***b"]),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Then"},
        ["a\n\nthen b", "a\n\n'\"Then! b"],
        ["a\n\nb", "then a\n\nb", "a\n\nthen\n\nc", "a\n\n\n\nthen b"],
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, ["[a] [b]", "[a](x) []"], ["[a]", "[a\nb] [c]"]),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, ["a\nP.S. b", "P.P.S. b"], ["PS b", "P.S b"]),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, ["a\nP.P.S b", "p. p. s"], ["P.S. b"]),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, ["* a\n- b", "* a\n---"], ["* a", "**a**\n* b"]),
    ("detectable_format:constrained_response", {}, ["My answer is no.", "So: My answer is no. Or"], ["my answer is no."]),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, ["*a* **b**", "2 * 3 * 4 *b*"], ["*a*"]),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        ["Section 1\na\nSection 2\nb", "see Section 1 and Section1"],
        ["Section 1\na", "section 1 section 2"],
    ),
    ("detectable_format:json_format", {}, ['{"a": 1}', '```json\n{"a": 1}\n```', "5"], ["{a: 1}", 'Here: {"a": 1}']),
    ("detectable_format:title", {}, ["<<a>>\nb", "so << a >> it"], ["<a>", "<< >>"]),
    ("combination:two_responses", {}, ["a\n******\nb", "******a******b"], ["a", "a******a", "a******b******c"]),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi"}, ["say HI: hi", " Say hi"], ["Hi. Say hi", "Say  hi"]),
    ("startend:end_checker", {"end_phrase": "The end."}, ["a the END. ", '"the end."'], ["The end", "The end. Bye"]),
    ("startend:quotation", {}, [' "a"\n', '"a" or "b"'], ['"a', '"', "“a”"]),
    ("change_case:english_capital", {}, ["THIS IS ALL VERY WELL AND THE SUN IS SHINING ON US"], ["This IS", "123"]),
    ("change_case:english_lowercase", {}, ["this is all very well and the sun is shining"], ["This is", "das ist gut so"]),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        ["A B", "I CAN'T.", "NASA's U.S."],
        ["NASA", "Nasa Usa"],
    ),
    ("punctuation:no_comma", {}, ["a; b", "a，b"], ["a, b"]),
    ("language:response_language", {"language": "de"}, ["Das ist ein schöner Tag, heute.", "123"], ["It is a fine day."]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs", "good", "bad"), TYPES)
def test_each_type_decides_as_published(name: str, kwargs: dict[str, Any], good: list[str], bad: list[str]) -> None:
    asked = constraint_from_ifeval(name, kwargs)
    assert [asked.check(text).outcome for text in good] == ["pass"] * len(good)
    for text in bad:
        verdict = asked.check(text)
        assert verdict.outcome == "fail", (text, verdict)
        assert verdict.reason
        assert verdict.hint


def test_there_are_25_types_and_each_is_tried() -> None:
    assert len(known_ifeval_types()) == 25
    assert {name for name, *_ in TYPES} == set(known_ifeval_types())
    registered = {cls.id for cls in known_constraints()}
    assert {f"ifeval/{name.replace(':', '_')}" for name in known_ifeval_types()} <= registered


@pytest.mark.parametrize(("name", "kwargs", "good", "bad"), TYPES)
def test_ids_and_kwargs_go_there_and_back(name: str, kwargs: dict[str, Any], good: list[str], bad: list[str]) -> None:
    asked = constraint_from_ifeval(name, kwargs)
    assert (asked.ifeval_id, asked.kwargs()) == (name, kwargs)
    assert constraint_from(asked.to_dict()) == asked == pickle.loads(pickle.dumps(asked))
    # As in the published rows, where each names the arguments of every type.
    absent = {field: None for cls in known_ifeval_types().values() for field in cls.model_fields}
    assert constraint_from_ifeval(name, absent | kwargs) == asked


def test_zero_is_a_value() -> None:
    none = constraint_from_ifeval("keywords:frequency", {"keyword": "a", "frequency": 0, "relation": "at least"})
    assert none.check("b").passed
    never = constraint_from_ifeval("length_constraints:number_words", {"num_words": 0, "relation": "less than"})
    assert never.check("a").outcome == "fail"
    assert constraint_from_ifeval("length_constraints:number_words", {"num_words": 3.0, "relation": "less than"})
    assert parse_constraint("ifeval/punctuation_no_comma").check("a").passed


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("keywords:existense", {}, "did you mean 'keywords:existence'"),
        ("nothing", {}, "neither IFEval nor IFBench has an instruction type 'nothing'"),
        ("punctuation:no_comma", {"num_words": 5}, "'num_words' is not a field"),
        ("punctuation:no_comma", {"foo": None}, "'foo' is not a field"),
        ("length_constraints:number_words", {"num_words": 5}, "'relation' is missing"),
        ("length_constraints:number_words", {"num_words": 5.5, "relation": "at least"}, "num_words: "),
        ("length_constraints:number_words", {"num_words": True, "relation": "at least"}, "num_words: "),
        ("length_constraints:number_words", {"num_words": 5, "relation": "at most"}, "'at least' or 'less than'"),
        ("language:response_language", {"language": "german"}, "none that can be detected"),
        ("keywords:existence", {"keywords": []}, "keywords: "),
        ("keywords:existence", {"keywords": ["c(+"]}, "takes a keyword for a regular expression"),
        ("keywords:letter_frequency", {"letter": "ab", "let_frequency": 1, "let_relation": "at least"}, "letter: "),
    ],
)
def test_bad_ids_and_kwargs_are_told(name: str, kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as told:
        constraint_from_ifeval(name, kwargs)
    assert said in str(told.value)


texts = st.text(alphabet='aAbQ .,!?*-#"[]<>\n1{}é', max_size=60) | st.text(max_size=30)
DECIDED = [each for each in TYPES if each[0].split(":")[0] not in ("language", "change_case")] + TYPES[-3:-2]


@given(texts, st.sampled_from(DECIDED))
def test_laws_of_a_verdict(text: str, row: tuple[str, dict[str, Any], list[str], list[str]]) -> None:
    asked = constraint_from_ifeval(row[0], row[1])
    strict = asked.check(text)
    assert strict.passed == (strict.score == 1.0)
    assert all(0 <= start <= end <= len(text) for start, end in strict.spans)
    assert bool(strict.hint) != strict.passed
    loose = check_loose(asked, text)
    assert loose.passed or not strict.passed  # loose forgives, and never accuses
    assert loose.passed == any(asked.check(variant).passed for variant in loose_variants(text))


@given(texts)
def test_variants_drop_lines_and_asterisks_and_nothing_else(text: str) -> None:
    variants = loose_variants(text)
    assert variants[0] == text
    assert len(variants) == len(set(variants)) <= 8
    assert all(variant.replace("*", "") in text.replace("*", "") for variant in variants)


def test_the_variants_of_a_text() -> None:
    assert set(loose_variants("Sure:\n*a*\nBye")) == {
        "Sure:\n*a*\nBye", "*a*\nBye", "Sure:\n*a*", "*a*", "Sure:\na\nBye", "a\nBye", "Sure:\na", "a"
    }  # fmt: skip
    title = constraint_from_ifeval("startend:quotation")
    assert check_loose(title, 'Sure:\n"a"').passed
    assert not check_loose(title, "").passed
