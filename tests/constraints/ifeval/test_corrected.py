"""What is corrected, on texts where the reference is wrong; and contradictions, which no text can resolve."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.constraints import constraint_from
from heedful.constraints.ifeval import (
    CORRECTED,
    constraint_from_ifeval,
    contradictions,
    corrected,
    correction_of,
    known_ifeval_types,
)
from heedful.constraints.ifeval.contradictions import Unmeetable, without_contradictions

# (IFEval's id, kwargs, a text, the reference's verdict); the corrected verdict is the other one.
WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("keywords:existence", {"keywords": ["art"]}, "a party", "pass"),
    ("keywords:existence", {"keywords": ["U.S."]}, "UKSA", "pass"),
    ("keywords:frequency", {"keyword": "art", "frequency": 1, "relation": "less than"}, "a party", "fail"),
    ("keywords:forbidden_words", {"forbidden_words": ["don't"]}, "I don’t", "pass"),
    ("length_constraints:number_words", {"num_words": 2, "relation": "less than"}, "हिन्दी", "fail"),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, "Mr. Fox ran.", "fail"),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, "It ran.\n\nBest wishes", "fail"),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}, "Wait... Go now.", "fail"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a***b", "pass"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n***\n\n***\nb", "fail"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Then"},
        "a\n \n**Then** b",
        "fail",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 1}, "see [this](https://a.b) [x] []", "pass"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "b\nP.P.S. c", "pass"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "the word P.S. stands here", "pass"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "* a\n---", "fail"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "*so* it is", "pass"),
    ("detectable_format:constrained_response", {}, "My answer is yes. My answer is no.", "pass"),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 1}, "2 * 3 * 4", "pass"),
    ("detectable_format:multiple_sections", {"section_spliter": "Section", "num_sections": 1}, "see Section 1", "pass"),
    ("detectable_format:multiple_sections", {"section_spliter": "SECTION", "num_sections": 1}, '"Section 1\na"', "fail"),
    ("detectable_format:json_format", {}, "NaN", "pass"),
    ("detectable_format:json_format", {}, '"a"', "pass"),
    ("combination:two_responses", {}, "a\n************\nb", "fail"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say \"hi\" to 'em"}, "Say “hi”\nto ’em: hi", "fail"),
    ("startend:end_checker", {"end_phrase": "That's all."}, "So it is. **That’s all.**", "fail"),
    ("startend:quotation", {}, "“a”", "fail"),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "less than"},
        "CAN'T",
        "fail",
    ),
    ("punctuation:no_comma", {}, "a，b", "pass"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs", "text", "reference"), WRONG)
def test_corrected_is_the_other_verdict(name: str, kwargs: dict[str, Any], text: str, reference: str) -> None:
    asked = constraint_from_ifeval(name, kwargs)
    assert asked.check(text).outcome == reference
    assert corrected(asked).check(text).outcome == {"pass": "fail", "fail": "pass"}[reference]


@pytest.mark.parametrize(
    ("name", "kwargs", "text"),
    [
        ("language:response_language", {"language": "de"}, "123 456"),
        ("language:response_language", {"language": "de"}, "!!!"),
    ],
)
def test_an_undetected_language_is_no_pass(name: str, kwargs: dict[str, Any], text: str) -> None:
    asked = constraint_from_ifeval(name, kwargs)
    assert asked.check(text).outcome == "pass"
    assert corrected(asked).check(text).outcome == "unscored"


def test_every_correction_is_tried_and_says_why() -> None:
    tried = {name for name, *_ in WRONG} | {"language:response_language", "change_case:english_capital"}
    # The one that is left differs only where nothing is detected.
    assert set(CORRECTED) & set(known_ifeval_types()) - tried == {"change_case:english_lowercase"}
    for name in known_ifeval_types():
        assert bool(correction_of(name)) == (name in CORRECTED)


@pytest.mark.parametrize(("name", "kwargs", "text", "reference"), WRONG)
def test_a_corrected_constraint_is_a_value_too(name: str, kwargs: dict[str, Any], text: str, reference: str) -> None:
    own = corrected(constraint_from_ifeval(name, kwargs))
    assert own.id == f"ifeval-corrected/{name.replace(':', '_')}"
    assert constraint_from(own.to_dict()) == own == corrected(own)
    verdict = own.check(text)
    assert all(0 <= start <= end <= len(text) for start, end in verdict.spans)


REPEAT = ("combination:repeat_prompt", {"prompt_to_repeat": "Write a poem, now, about rock music."})


@pytest.mark.parametrize(
    ("first", "second", "contradict"),
    [
        (REPEAT, ("punctuation:no_comma", {}), True),
        (REPEAT, ("startend:quotation", {}), True),
        (REPEAT, ("detectable_format:json_format", {}), True),
        (REPEAT, ("keywords:forbidden_words", {"forbidden_words": ["rock"]}), True),
        (REPEAT, ("keywords:forbidden_words", {"forbidden_words": ["write"]}), False),  # 'Write' may become 'Rewrite'
        (REPEAT, ("keywords:letter_frequency", {"letter": "o", "let_frequency": 2, "let_relation": "less than"}), True),
        (REPEAT, ("keywords:letter_frequency", {"letter": "o", "let_frequency": 2, "let_relation": "at least"}), False),
        (REPEAT, ("length_constraints:number_words", {"num_words": 7, "relation": "less than"}), True),
        (REPEAT, ("length_constraints:number_words", {"num_words": 8, "relation": "less than"}), False),
        (("startend:end_checker", {"end_phrase": "So, no."}), ("punctuation:no_comma", {}), True),
        (("startend:end_checker", {"end_phrase": "So no."}), ("punctuation:no_comma", {}), False),
    ],
)  # fmt: skip
def test_contradictions(first: Any, second: Any, contradict: bool) -> None:
    asked = [constraint_from_ifeval(*first), constraint_from_ifeval(*second)]
    assert bool(contradictions(asked)) == bool(contradictions(asked[::-1])) == contradict
    kept = without_contradictions(asked)
    assert [isinstance(each, Unmeetable) for each in kept] == [contradict] * 2
    assert [each.check("a").outcome == "unscored" for each in kept] == [contradict] * 2
