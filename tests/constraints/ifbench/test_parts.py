"""What IFBench's types find in a text, held against plainer ways to find it, and against NLTK."""

from __future__ import annotations

import re
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints.ifbench.english import NAMES, PRONOUNS, STOP_WORDS
from heedful.constraints.ifbench.parts import (
    bare,
    bare_words,
    is_emoji,
    lines,
    number_spans,
    pieces,
    tokens,
    word_tokens,
)
from heedful.constraints.ifbench.reading import last_mark, straight, unfenced, words

texts = st.text(alphabet="aB1 .,-'\"“—\n\t\x1c😀é", max_size=30) | st.text(max_size=20)


@given(texts)
def test_pieces_and_words_are_those_of_split(text: str) -> None:
    assert [piece.text for piece in pieces(text)] == text.split()
    assert [word.text for word in bare_words(text)] == bare(text).split()
    assert all(bare(text[slice(*word.span)]) == word.text for word in bare_words(text))
    assert not set(bare(text)) & set(string.punctuation)


@given(texts)
def test_lines_are_those_of_split(text: str) -> None:
    assert [line.text for line in lines(text)] == text.split("\n")
    assert all(text[slice(*line.span)] == line.text for line in lines(text))


@given(texts)
def test_numbers_are_the_runs_of_digits_once_punctuation_is_gone(text: str) -> None:
    assert [bare(text[a:b]) for a, b in number_spans(text)] == re.findall(r"\d+", bare(text))


@given(texts)
def test_tokens_are_nltks(text: str) -> None:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    # Within one sentence; where sentences end is tested beside IFEval's.
    one = " ".join(text.replace(".", "").split())
    assert list(tokens(one)) == NLTKWordTokenizer().tokenize(one)
    assert set(word_tokens(one)) <= set(tokens(one))


@pytest.mark.parametrize("char", "😀👍🏽❤☎♂©🀄")
def test_emoji(char: str) -> None:
    assert is_emoji(char)


@pytest.mark.parametrize("char", "a1#*é日\ufe0f\u200d\u20e3🇺→—")
def test_what_is_no_emoji_by_itself(char: str) -> None:
    assert not is_emoji(char)


def test_no_letter_is_an_emoji() -> None:
    letters = {char for char in map(chr, range(0x3000)) if unicodedata.category(char)[0] == "L" and is_emoji(char)}
    assert letters == {"ℹ"}


def test_the_lists_of_words() -> None:
    assert len(NAMES) == len(set(NAMES)) == 50
    assert len(STOP_WORDS) == 153
    assert {"he", "themselves", "don", "t"} <= STOP_WORDS
    assert all(word.isalpha() and word.islower() for word in STOP_WORDS | PRONOUNS)


@given(texts)
def test_words_as_read_hold_no_punctuation(text: str) -> None:
    for word in words(text):
        assert word.text
        assert not set(word.text) & set(string.punctuation + "“”’—😀")


@pytest.mark.parametrize(
    ("text", "mark"),
    [("So.", "."), ('"So."', "."), ("*So?* 😀", "?"), ("So! 🇺🇸", "!"), ("so", "o"), ("", ""), ("”", "")],
)
def test_the_mark_at_the_end(text: str, mark: str) -> None:
    assert last_mark(text) == mark


def test_code_marks_and_quotes() -> None:
    assert unfenced("```csv\na,b\n\n1,2\n```\n") == unfenced("a,b\r\n1,2") == "a,b\n1,2"
    assert unfenced("so:\n```\na\n```") == "so:\n```\na\n```"
    assert straight("“I don’t ‘see’”") == "\"I dont 'see'\""
