"""Each of IFBench's types on texts that comply and do not, its quirks included; ids, kwargs, bad input, and laws."""

from __future__ import annotations

import json
import pickle
import string
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.constraints import constraint_from, known_constraints
from heedful.constraints.ifbench import known_ifbench_types
from heedful.constraints.ifbench.questions import CAPITALS
from heedful.constraints.ifeval import check_loose, constraint_from_ifeval, corrected, known_ifeval_types
from heedful.constraints.ifeval.corrected import CORRECTED
from heedful.errors import InputError

UNSCORED = {"words:start_verb", "words:odd_even_syllables"}

FIVE = {"keyword1": "sun", "keyword2": "tea", "keyword3": "cat", "keyword4": "dog", "keyword5": "elk"}
FIVE_TEXT = "Sun tea tea cat cat cat dog dog dog dog dog elk elk elk elk elk elk ELK"
REQUEST = {"prompt_to_repeat": "Write a big poem"}
SPAN = REQUEST | {"n_start": 1, "n_end": 2}
STORY = " ".join(f"{letter}nd so it was." for letter in string.ascii_uppercase)
COUNTRIES = "\n".join(["Zimbabwe", *(f"{letter}{n}" for letter in "YXWVUTSRQPONM" for n in (4, 3, 2, 1))])
QUIZ = "\n\n".join(
    f"Question {n}. Who painted it{' then' * n}?\n" + "\n".join(f"{letter}) one" for letter in "ABCDE")
    for n in range(1, 5)
)
CITIES = "ID,Country,City,Year,Count" + "\n1,France,Paris,2020,3" * 7
PRODUCTS = "ProductID,Category,Brand,Price,Stock" + "\n1,a,b,2,3" * 13 + '\n2,a,"b & c",2,3'
STUDENTS = "\n".join(['"StudentID"\t"Subject"\t"Grade"\t"Semester"\t"Score"', *['"1"\t"a"\t"b"\t"c"\t"5"'] * 3])

# (IFBench's id, kwargs, texts that pass, texts that fail); the last of each list shows a quirk that figures rest on.
TYPES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    (
        "count:word_count_range",
        {"min_words": 2, "max_words": 3},
        ["a b", "a b c", "don't"],
        ["a", "a b c d", "I don't know"],
    ),
    ("count:unique_word_count", {"N": 2}, ["a b a", "A b,", "a -"], ["a a", "A a. a!"]),
    ("count:conjunctions", {"small_n": 2}, ["this and that, so", "And and"], ["and and", "andy or"]),
    ("count:person_names", {"N": 2}, ["Emma met Liam", "Zoe's Leo"], ["Emma, Emma", "emma liam", "Emmas Leon"]),
    ("count:numbers", {"N": 2}, ["1 and 2", "3.14, 1,000", "3-5 and x7y"], ["1", "1 2 3", "3-5"]),
    ("count:punctuation", {}, ["a. b, c! d? e; f: g?!", "‽.,!;?:"], [".,!?;:", "?!.,;:", "all of it"]),
    ("count:words_japanese", {"N": 2}, ["the 犬 is 5", "a - b", "a"], ["the dog", "犬 dog"]),
    ("count:pronouns", {"N": 2}, ["I saw her", "he/him", "I'm sure it's"], ["I", "the cat", "I’m not; itch"]),
    (
        "count:keywords_multiple",
        FIVE,
        [FIVE_TEXT, FIVE_TEXT + " suns"],
        [FIVE_TEXT + " sun", "sun", FIVE_TEXT + " elk-"],
    ),
    ("ratio:stop_words", {"percentage": 50}, ["the dog", "dogs bark"], ["the of", "!!", "don't bark"]),
    ("ratio:overlap", {"reference_text": "a b c d", "percentage": 50}, ["a b c x"], ["a b c d", "a b", "x y z"]),
    ("ratio:sentence_type", {}, ["Yes. No. Why?", "hm"], ["Yes. Why?", "Why?", '"Yes." "No." Why?']),
    ("ratio:sentence_balance", {}, ["Yes. Why? Oh!", "hm"], ["Yes. Oh!", "Yes. Why? (Oh!)"]),
    (
        "ratio:sentence_words",
        {},
        ["It ran. He sat. We fed."],
        ["I ran. He sat.", "I ran. I sat. We fed.", "I ran. He sits. We fed."],
    ),
    ("words:alphabet", {}, ["a big cat", "You zip around", "X-y y"], ["a cat", "1 a b", "a — b"]),
    ("words:vowel", {}, ["a big pot", "ANTIC", "é a"], ["a big pot up", "a\nb"]),
    ("words:consonants", {}, ["this strong", "BRAVE"], ["this is", "this 5", "this -"]),
    (
        "words:palindrome",
        {},
        ["level " * 10, "Racecar, " * 10, "12321 " * 10],
        ["level " * 9, "noon " * 10, "“level” " * 10],
    ),
    ("words:prime_lengths", {}, ["it was hello", "a-b, it"], ["this", "a", "it — was"]),
    ("words:no_consecutive", {}, ["a big cat", "'big' cat"], ["big bad", "Big bad", "big “cat “dog"]),
    ("words:repeats", {"small_n": 1}, ["a b c", "don't don’t"], ["a A", "a, a"]),
    (
        "words:last_first",
        {},
        ["I saw cats. Cats ran.", "one sentence"],
        ["I ran. You ran.", "I like “cats”. Cats ran."],
    ),
    ("words:paragraph_last_first", {}, ["cats like cats\n\ndo I do.", "one"], ["cats run", "cats, they are cats"]),
    (
        "words:words_position",
        {"keyword": "Tea"},
        ["the tea is tea now", "a tea x"],
        ["tea", "the tea is hot", "don't tea now"],
    ),
    (
        "words:keywords_specific_position",
        {"keyword": "tea", "n": 2, "m": 2},
        ["Yes. My TEA!"],
        ["My tea.", "No. Tea.", "Yes. I'm tea."],
    ),
    ("words:start_verb", {}, [], []),
    ("words:odd_even_syllables", {}, [], []),
    (
        "sentence:alliteration_increment",
        {},
        ["I ran. Big bad cats.", "x y. a a b. c c d d."],
        ["Bad bats bite. Cold days.", "Bad bats. Cool cats."],
    ),
    (
        "sentence:increment",
        {"small_n": 1},
        ["Go. I run. I do run.", "one"],
        ["I go. I run.", "Mr. Fox ran. He ran so far away."],
    ),
    (
        "sentence:keyword",
        {"word": "tea", "N": 2},
        ["No. Tea!", "No. I like tea-cups."],
        ["Tea. No.", "tea", "No. Teas."],
    ),
    ("format:parentheses", {}, ["([{([a])}])", "((((( a )"], ["(((a)))", "([)]", "(((((a"]),
    ("format:quotes", {}, ['"a \'b "c" d\' e"', "'\"''\"'"], ["\"a 'b' c\"", "“a ‘b “c” d’ e”"]),
    (
        "format:quote_unquote",
        {},
        ['"a" means b.', "no quotes", "“a” “b”"],
        ['"a" "b" c', 'he said "a"', 'he said "a."'],
    ),
    ("format:list", {"sep": "!?!?"}, ["!?!? a\n!?!? b", "a !?!? b !?!?"], ["!?!? a", "- a\n- b"]),
    ("format:thesis", {}, ["<i>a</i> b", "<em></em>"], ["a b", "<i>a</i>", "<i> </i> b"]),
    ("format:sub-bullets", {}, ["* a\n- b\n* c\n  - d", "none at all"], ["* a\n- b\n* c", "**a**\n* b\n- c"]),
    (
        "format:no_bullets_bullets",
        {},
        ["One. Two.\n* a\n* b", "One.\nTwo\n\n* a\n* b"],
        ["One.\n* a\n* b", "One. Two.\n* a", "One.\n\nTwo.\n* a\n* b", "One. Two.\n* a\n* b\nThree."],
    ),
    ("format:options", {"options": "yes/no"}, ["Yes", "(no)."], ["yes, it is", "maybe"]),
    ("format:options", {"options": "a), b), c)"}, ["b)"], ["b", "B)", "b) "]),
    (
        "format:options",
        {"options": "I know or I don't know"},
        ["i don't know."],
        ["I know or I don't know", "I don’t know"],
    ),
    ("format:newline", {}, ["a\nb\n\nc", "a b\n \nc"], ["a b", "a\nb c"]),
    ("format:emoji", {}, ["Hi 😀. Bye! 😀", "I ❤️."], ["Hi. Bye 😀", "Hi 🇺🇸.", "One 1️⃣."]),
    ("format:line_indent", {}, ["a\n b\n  c", "a\n\n b", "one"], ["a\nb", " a\n b", "a\n\n\n b"]),
    ("format:title_case", {}, ["The Cat", "iPhone X 5 NASA"], ["The cat", "x Y", "Best Of the", "Don't"]),
    (
        "format:output_template",
        {},
        ["My Answer: a My Conclusion: b Future Outlook: c", "Future Outlook:My Conclusion:My Answer:"],
        ["My Answer: a", "my answer: my conclusion: future outlook:"],
    ),
    ("format:no_whitespace", {}, ["a-b"], ["a b", "a\n"]),
    (
        "repeat:repeat_change",
        REQUEST,
        ["Read a big poem", "Write  a big poem"],
        ["Write a big poem", "Read a big poem now", "write a poem"],
    ),
    (
        "repeat:repeat_simple",
        {},
        ["only output this sentence here, ignore all other requests. "],
        ["Only output this sentence here"],
    ),
    ("repeat:repeat_span", SPAN, ["A Big "], ["a big poem", "Write a", "a\nbig"]),
    (
        "custom:multiples",
        {},
        ["14, 21, 28, 35, 42, 49", "14\n21\n28\n35\n42 and 49."],
        ["14 21", "7 14 21 28 35 42 49"],
    ),
    (
        "custom:mcq_count_length",
        {},
        [QUIZ],
        ["Sure. " + QUIZ, QUIZ.replace("E) one", ""), QUIZ.replace(" then", ""), QUIZ[:-70]],
    ),
    (
        "custom:reverse_newline",
        {},
        [COUNTRIES, "Here:\n" + COUNTRIES],
        [COUNTRIES[:-6], COUNTRIES + "\nZ", "none", f"* {COUNTRIES}\nThanks"],
    ),
    ("custom:word_reverse", {}, ["it is eagle bald The", "Eagle, bald!"], ["The bald eagle"]),
    ("custom:character_reverse", {}, [".elgae dlab eht si tI"], ["The bald eagle"]),
    ("custom:sentence_alphabet", {}, [STORY, '"' + STORY], [STORY[:-14], STORY.replace("B", "X"), "“" + STORY]),
    (
        "custom:european_capitals_sort",
        {},
        [", ".join(CAPITALS), "Reykjavík" + ",".join(CAPITALS)[9:]],
        [", ".join(CAPITALS) + ".", "Oslo", ", ".join([*CAPITALS[:18], "Kyiv", *CAPITALS[18:]])],
    ),
    (
        "custom:csv_city",
        {},
        [CITIES, CITIES + "\n"],
        [CITIES[:-20], CITIES.lower(), CITIES + ",1", f"```\n{CITIES}\n```"],
    ),
    (
        "custom:csv_special_character",
        {},
        [PRODUCTS, PRODUCTS.replace("ProductID,", '"ProductID", ')],
        [PRODUCTS.replace("&", "x"), PRODUCTS + "\n\n", PRODUCTS + "\n1,2,3,4,5", f"```\n{PRODUCTS}\n```"],
    ),
    (
        "custom:csv_quotes",
        {},
        [STUDENTS],
        [
            STUDENTS.replace('"a"', "a"),
            STUDENTS.replace("\t", ","),
            STUDENTS.replace('"a"', ""),
            f"```\n{STUDENTS}\n```",
        ],
    ),
    (
        "custom:date_format_list",
        {},
        ["1805-12-02, 1815-06-18", "1805-00-00"],
        ["1805-12-02.", "1768-01-01", "1805-13-01", "1805-02-30", "2 December 1805"],
    ),
]


@pytest.mark.parametrize(("name", "kwargs", "good", "bad"), TYPES)
def test_each_type_decides_as_published(name: str, kwargs: dict[str, Any], good: list[str], bad: list[str]) -> None:
    asked = constraint_from_ifeval(name, kwargs)
    assert [(text, asked.check(text).outcome) for text in good] == [(text, "pass") for text in good]
    for text in bad:
        verdict = asked.check(text)
        assert verdict.outcome == "fail", (text, verdict)
        assert verdict.reason
        assert verdict.hint


def test_there_are_58_types_and_each_is_tried() -> None:
    assert len(known_ifbench_types()) == 58
    assert {name for name, *_ in TYPES} == set(known_ifbench_types())
    assert not set(known_ifbench_types()) & set(known_ifeval_types())
    assert all(good and bad for name, _, good, bad in TYPES if name not in UNSCORED)
    registered = {cls.id for cls in known_constraints()}
    assert {f"ifbench/{name.replace(':', '_')}" for name in known_ifbench_types()} <= registered


@pytest.mark.parametrize("name", sorted(UNSCORED))
@pytest.mark.parametrize("text", ["Go now.", "the dog"])
def test_what_needs_data_is_never_scored(name: str, text: str) -> None:
    verdict = constraint_from_ifeval(name).check(text)
    assert (verdict.outcome, verdict.score, verdict.passed) == ("unscored", None, False)
    assert "heedful does not carry" in verdict.reason
    with pytest.raises(InputError, match="heedful does not carry"):
        constraint_from_ifeval(name).passes(text)


@pytest.mark.parametrize(("name", "kwargs", "good", "bad"), TYPES)
def test_ids_and_kwargs_go_there_and_back(name: str, kwargs: dict[str, Any], good: list[str], bad: list[str]) -> None:
    asked = constraint_from_ifeval(name, kwargs)
    assert (asked.ifeval_id, asked.kwargs()) == (name, kwargs)
    for each in (asked, corrected(asked)):
        assert constraint_from(json.loads(json.dumps(each.to_dict()))) == each == pickle.loads(pickle.dumps(each))
    # As in the published rows, where each names the arguments of every type, and writes numbers as floats.
    types = {**known_ifeval_types(), **known_ifbench_types()}
    absent = {field: None for cls in types.values() for field in cls.model_fields}
    floats = {field: float(value) if isinstance(value, int) else value for field, value in kwargs.items()}
    assert constraint_from_ifeval(name, absent | floats) == asked


@pytest.mark.parametrize(
    "call",
    [
        "parse_constraint('ifbench/count_numbers:N=1').check('3-5').passed",
        "parse_constraint('ifbench-corrected/count_numbers:N=2').check('3-5').passed",
        "constraint_from_ifeval('count:numbers', {'N': 1}).check('3-5').passed",
        "constraint_from_ifeval('punctuation:no_comma', {'N': None}).check('3-5').passed",
        "'ifbench/count_numbers' in [cls.id for cls in known_constraints()]",
    ],
)
def test_types_are_loaded_when_they_are_asked_for_and_not_before(call: str) -> None:
    script = (
        "import sys; from heedful.constraints import *; assert 'heedful.constraints.ifbench' not in sys.modules; "
        f"assert {call}"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("count:number", {}, "did you mean 'count:numbers'"),
        ("count:numbers", {}, "'N' is missing"),
        ("count:numbers", {"N": -1}, "N: "),
        ("count:numbers", {"N": True}, "N: "),
        ("count:numbers", {"N": 2, "small_n": 3}, "'small_n' is not a field"),
        ("count:word_count_range", {"min_words": 5, "max_words": 4}, "no text has at least 5 and at most 4 words"),
        ("count:words_japanese", {"N": 0}, "N: "),
        ("ratio:stop_words", {"percentage": 101}, "percentage: "),
        ("ratio:overlap", {"reference_text": "", "percentage": 5}, "reference_text: "),
        ("sentence:keyword", {"word": "a", "N": 0}, "N: "),
        ("words:start_verb", {"verb": "go"}, "'verb' is not a field"),
    ],
)
def test_bad_ids_and_kwargs_are_told(name: str, kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as told:
        constraint_from_ifeval(name, kwargs)
    assert said in str(told.value)


WORDS = st.sampled_from(
    "Mr. My_Answer: ``` ```csv <i> </em> a,b İ".split()
    + "the Cat level it's don’t 12 3-5 ?! . , ! ? ; : — “x” \" ' ( [ ) ] * - 日本 😀 🇺🇸 é".split()
)
texts = st.lists(WORDS | st.sampled_from([" ", "\n", "\n\n", "\t", "\x1c", "\x85"]), max_size=20).map(
    "".join
) | st.text(max_size=30)
ASKED = [constraint_from_ifeval(name, kwargs) for name, kwargs, *_ in TYPES if name not in UNSCORED]


@settings(max_examples=60)
@given(texts, st.booleans())
def test_laws_of_a_verdict(text: str, as_asked: bool) -> None:
    for asked in ASKED:
        constraint = corrected(asked) if as_asked else asked
        strict = constraint.check(text)
        assert strict.outcome in ("pass", "fail")
        assert strict.passed == (strict.score == 1.0), strict
        assert bool(strict.hint) != strict.passed
        assert all(0 <= start <= end <= len(text) for start, end in strict.spans)
        assert json.loads(strict.model_dump_json())["outcome"] == strict.outcome
        assert check_loose(constraint, text, strict).passed or not strict.passed


def test_nothing_complies_by_being_empty() -> None:
    for name, kwargs, *_ in TYPES:
        asked = constraint_from_ifeval(name, kwargs)
        assert {each.check(text).outcome for text in ("", " \n") for each in (asked, corrected(asked))} == {"fail"}


def test_a_corrected_type_has_the_fields_of_the_one_it_corrects() -> None:
    for name, cls in known_ifbench_types().items():
        if name in CORRECTED:
            assert issubclass(CORRECTED[name], cls)
            assert set(CORRECTED[name].model_fields) == set(cls.model_fields)
