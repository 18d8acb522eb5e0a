"""What is corrected in IFBench's types, on texts where the reference is wrong."""

from __future__ import annotations

import string
from typing import Any

import pytest

from heedful.constraints.ifbench import known_ifbench_types
from heedful.constraints.ifbench.corrected import CAPITALS
from heedful.constraints.ifeval import CORRECTED, constraint_from_ifeval, corrected, correction_of

FIVE = {"keyword2": "tea", "keyword3": "cat", "keyword4": "dog", "keyword5": "elk"}
FIVE_TEXT = "C++ " + "tea " * 2 + "cat " * 3 + "dog " * 5 + "elk " * 7
STORY = " ".join(f"{letter}nd so it was." for letter in string.ascii_uppercase)
CITIES = "ID,Country,City,Year,Count" + "\n1,France,Paris,2020,3" * 7
PRODUCTS = "ProductID,Category,Brand,Price,Stock" + "\n1,a,b,2,3" * 13 + '\n2,a,"b & c",2,3'
STUDENTS = "\n".join(['"StudentID"\t"Subject"\t"Grade"\t"Semester"\t"Score"', *['"1"\t"a"\t"b"\t"c"\t"5"'] * 3])
REQUEST = {"prompt_to_repeat": "Write a big poem"}
WITH_KYIV = ", ".join(CAPITALS)
ODD_ROW = PRODUCTS.replace("\n1,a,b,2,3", '\n1,a,"b!",2,3', 1).replace('"b & c",2,3', "b")

# (IFBench's id, kwargs, a text, the reference's verdict); the corrected verdict is the other one.
WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("count:word_count_range", {"min_words": 1, "max_words": 1}, "हिन्दी", "fail"),
    ("count:unique_word_count", {"N": 2}, "word -", "pass"),
    ("count:conjunctions", {"small_n": 2}, "And this and that", "pass"),
    ("count:numbers", {"N": 2}, "3-5", "fail"),
    ("count:keywords_multiple", FIVE | {"keyword1": "C++"}, FIVE_TEXT, "fail"),
    ("ratio:sentence_type", {}, "hm", "pass"),
    ("ratio:sentence_type", {}, '"Yes." "No." Why?', "fail"),
    ("ratio:sentence_balance", {}, "hm", "pass"),
    ("ratio:sentence_balance", {}, "Yes. Why? (Oh!)", "fail"),
    ("ratio:sentence_words", {}, "Mr. Fox ran. He eats you. Cats so big.", "fail"),
    ("words:alphabet", {}, "a — big", "fail"),
    ("words:consonants", {}, "5 strong – plants", "fail"),
    ("words:palindrome", {}, "12321 " * 10, "pass"),
    ("words:prime_lengths", {}, "it — was", "fail"),
    ("words:no_consecutive", {}, "the “tea", "pass"),
    ("words:repeats", {"small_n": 1}, "don't don’t", "pass"),
    ("words:last_first", {}, "One sentence.", "pass"),
    ("words:last_first", {}, "I like “cats”. Cats ran.", "fail"),
    ("words:paragraph_last_first", {}, "cats, they are cats", "fail"),
    ("words:words_position", {"keyword": "tea"}, "don't tea now, tea please", "fail"),
    ("words:keywords_specific_position", {"keyword": "tea", "n": 1, "m": 3}, "Mr. Fox' tea.", "fail"),
    ("sentence:alliteration_increment", {}, "Big bad bats. Cool cats make many nice new things.", "pass"),
    ("sentence:increment", {"small_n": 2}, "Mr. Fox ran. He ran so far away.", "fail"),
    ("sentence:keyword", {"word": "tea", "N": 2}, "Dr. Who likes tea. No.", "pass"),
    ("format:parentheses", {}, "((((( a )", "pass"),
    ("format:quotes", {}, "“a ‘b “c” d’ e”", "fail"),
    ("format:quotes", {}, "I don't \"say 'it' now\", don't I", "pass"),
    ("format:quote_unquote", {}, "“a” “b” c", "pass"),
    ("format:list", {"sep": "-"}, "a well-known, hard-won fact", "pass"),
    ("format:thesis", {}, "<em></em>", "pass"),
    ("format:sub-bullets", {}, "none at all", "pass"),
    ("format:sub-bullets", {}, "**Well**\n* a\n- b", "fail"),
    ("format:no_bullets_bullets", {}, "One.\n\nTwo.\n\n* a\n\n* b\n\nThree.", "fail"),
    ("format:no_bullets_bullets", {}, "One\nTwo\n* a\n* b", "pass"),
    ("format:options", {"options": "north, south"}, "South", "fail"),
    ("format:options", {"options": "a), b), c)"}, "b)\n", "fail"),
    ("format:newline", {}, "a b\n \nc", "pass"),
    ("format:emoji", {}, "Hi 🇺🇸.", "fail"),
    ("format:line_indent", {}, "a\n\n\n b", "fail"),
    ("format:line_indent", {}, "one", "pass"),
    ("format:title_case", {}, "The End of the Day", "fail"),
    ("format:title_case", {}, "Don't Go", "fail"),
    ("format:output_template", {}, "Future Outlook:My Conclusion:My Answer:", "pass"),
    ("repeat:repeat_change", REQUEST, "Write  a big poem", "pass"),
    ("repeat:repeat_span", REQUEST | {"n_start": 1, "n_end": 2}, "a\nbig", "fail"),
    ("custom:sentence_alphabet", {}, "“" + STORY, "fail"),
    ("custom:european_capitals_sort", {}, WITH_KYIV, "fail"),
    ("custom:european_capitals_sort", {}, WITH_KYIV.replace(" Kyiv,", ""), "pass"),
    ("custom:csv_city", {}, f"```csv\n{CITIES}\n```", "fail"),
    ("custom:csv_special_character", {}, f"```\n{PRODUCTS}\n\n```", "fail"),
    ("custom:csv_special_character", {}, ODD_ROW, "pass"),
    ("custom:csv_quotes", {}, f"```\n{STUDENTS}\n```", "fail"),
    ("custom:date_format_list", {}, "1805-00-00", "pass"),
]


@pytest.mark.parametrize(("name", "kwargs", "text", "reference"), WRONG)
def test_corrected_is_the_other_verdict(name: str, kwargs: dict[str, Any], text: str, reference: str) -> None:
    asked = constraint_from_ifeval(name, kwargs)
    assert asked.check(text).outcome == reference
    verdict = corrected(asked).check(text)
    assert verdict.outcome == {"pass": "fail", "fail": "pass"}[reference], verdict
    assert verdict.constraint == f"ifbench-corrected/{name.replace(':', '_')}"


def test_every_correction_is_tried_and_says_why() -> None:
    known = set(known_ifbench_types())
    assert {name for name, *_ in WRONG} == set(CORRECTED) & known
    assert all(bool(correction_of(name)) == (name in CORRECTED) for name in known)


@pytest.mark.parametrize(
    ("name", "kwargs", "text"),
    [
        ("ratio:sentence_type", {}, 'He came. "She went." 😀 Why? 🇺🇸'),
        ("format:parentheses", {}, "see (a [b {c (d [e])}])"),
        ("format:quotes", {}, "He said \"I don't 'hear “it” now', you know\"."),
        ("format:emoji", {}, "Hi. 👍🏽 Bye! ❤️"),
        ("format:emoji", {}, "One 1️⃣. Two 👩‍👩‍👧"),
        ("format:thesis", {}, "<em>So it is.</em> And why?"),
        ("format:sub-bullets", {}, "Look:\n* a\n  - b\n* c\n  - d\n  - e"),
        ("format:output_template", {}, "**My Answer:** a\n\n**My Conclusion:** b\n\n**Future Outlook:** c"),
        ("format:options", {"options": "I know or I don't know"}, "I don't know."),
        ("words:words_position", {"keyword": "tea"}, "“The tea” is tea, please"),
        ("custom:csv_city", {}, CITIES.replace("\n", "\r\n")),
        ("custom:european_capitals_sort", {}, WITH_KYIV.replace("Kyiv", "Kiev") + "."),
    ],
)
def test_what_a_reader_would_let_pass(name: str, kwargs: dict[str, Any], text: str) -> None:
    assert corrected(constraint_from_ifeval(name, kwargs)).check(text).passed
