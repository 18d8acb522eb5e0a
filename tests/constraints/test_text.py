"""What a word is, and that the fast comparison of spellings equals the standard's definition."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heedful.constraints.text import (
    count_words,
    find_term,
    fold,
    fold_to_ascii,
    seen_in_ascii,
    term_starts,
    word_spans,
    words_from,
)

ASCII = st.text(st.characters(max_codepoint=127), max_size=60)
# Characters that compose, decompose, reorder, expand under case folding, or disappear.
HARD = st.text(
    st.sampled_from("aeÅåé\u0301\u0327\u0345ßſİıΣσςﬁ각ᄀ\u1161\u11a8\u00ad\u200b\u200d\uffff'’-‑_ \n😀"), max_size=20
)


PROSE = st.text(st.sampled_from("abC ,.'\n\t\x1f\x7f_é\u0301“”—9"), max_size=40)


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop.", ["Don", "t", "stop"]),
        ("a well-known fact", ["a", "well", "known", "fact"]),
        ("3.14 U.S. snake_case", ["3", "14", "U", "S", "snake_case"]),
        ("… — !", []),
        ("cafe\u0301 au lait", ["cafe\u0301", "au", "lait"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("co\u00adoperate a\u200bb", ["co\u00adoperate", "a", "b"]),
        ("I ❤️ 👩\u200d💻 you", ["I", "you"]),
        ("a\uffffb \uffff\u0301 c\u0301\uffff", ["a", "b", "c\u0301"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(ASCII)
def test_words_of_ascii_are_the_reference_rule(text: str) -> None:
    assert words(text) == re.findall(r"\w+", text)


@given(st.text(max_size=40))
def test_words_of_any_text_are_the_reference_rule_once_marks_are_left_out(text: str) -> None:
    if not any(unicodedata.category(char)[0] == "M" or unicodedata.category(char) == "Cf" for char in text):
        assert words(text) == re.findall(r"\w+", text)


@given(ASCII | HARD | PROSE | st.text(max_size=40))
def test_counting_words_is_counting_their_spans(text: str) -> None:
    assert count_words(text) == len(word_spans(text))


@given(ASCII | HARD | PROSE | st.text(max_size=40), st.integers(0, 6))
@example("a b \u0301", 1)
@example("a b\u0301", 1)
def test_words_from_one_to_the_last(text: str, first: int) -> None:
    spans = word_spans(text)
    assert words_from(text, first) == ((spans[first][0], spans[-1][1]) if first < len(spans) else None)


@given(HARD | PROSE, st.sampled_from(["a", "ab", "e", "c,", "_", "a b"]))
def test_a_term_is_found_wherever_it_cuts_no_word(text: str, term: str) -> None:
    folded = fold(text, case_sensitive=False)
    inside = {place for start, end in word_spans(folded.text) for place in range(start + 1, end)}
    places, at = [], folded.text.find(term)
    while at >= 0:
        whole = at not in inside and at + len(term) not in inside
        if whole:
            places.append(folded.source(at, at + len(term)))
        at = folded.text.find(term, at + (len(term) if whole else 1))
    assert find_term(folded, term) == places
    if " " not in term:
        assert find_term(fold(text, case_sensitive=False, spaces=False), term) == places


@given(
    HARD | PROSE | ASCII | st.text(max_size=30),
    st.sampled_from(["a", "ab", "e", "ss", "c,", "-", "'", "k"]),
    st.booleans(),
)
@example("caf\u00e9 cafe ae", "e", False)
@example("\u2764\ufe0fab", "ab", False)
@example("ab\u0301", "ab", False)
@example("\u212aab a\xadb \U0001f389ab", "ab", False)
def test_terms_of_ascii_stand_where_they_do_in_the_whole_folded_text(
    text: str, term: str, case_sensitive: bool
) -> None:
    assert seen_in_ascii(term)
    folded = fold_to_ascii(text, case_sensitive=case_sensitive)
    if folded is None:
        assert not text.isascii()
        return
    assert folded.isascii()
    whole = fold(text, case_sensitive=case_sensitive, spaces=False).text
    assert len(list(term_starts(folded, term))) == len(list(term_starts(whole, term)))


@pytest.mark.parametrize("term", ["two words", "snake_case", "caf\u00e9", "\x7f", "a\tb"])
def test_other_terms_are_looked_for_in_the_whole_folded_text(term: str) -> None:
    assert not seen_in_ascii(term)


@given(HARD | PROSE | ASCII, st.booleans())
@example(" \xad ", False)
def test_folding_piece_by_piece_is_folding_the_whole(text: str, case_sensitive: bool) -> None:
    whole = unicodedata.normalize("NFD", text)
    if not case_sensitive:
        whole = unicodedata.normalize("NFD", whole.casefold())
    whole = whole.replace("’", "'").replace("‑", "-").replace("\u00ad", "").replace("\u200d", "")
    assert fold(text, case_sensitive=case_sensitive).text == re.sub(r"\s+", " ", whole)


@given(HARD, st.booleans())
def test_equivalent_spellings_fold_to_the_same(text: str, case_sensitive: bool) -> None:
    forms = [text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)]
    assert len({fold(form, case_sensitive=case_sensitive).text for form in forms}) == 1


@given(HARD)
def test_sources_cover_the_text_in_order(text: str) -> None:
    folded = fold(text, case_sensitive=False)
    sources = [folded.source(i, i + 1) for i in range(len(folded.text))]
    assert all(0 <= start < end <= len(text) for start, end in sources)
    assert sources == sorted(sources)


@given(st.text(st.sampled_from("abA_-' .\n"), max_size=30), st.text(st.sampled_from("abA"), min_size=1, max_size=3))
def test_matches_of_a_plain_word_are_those_of_a_regular_expression(text: str, term: str) -> None:
    found = find_term(fold(text, case_sensitive=False), term.lower())
    assert found == [m.span() for m in re.finditer(rf"(?<!\w){term}(?!\w)", text, re.IGNORECASE)]


@pytest.mark.parametrize(
    ("text", "term", "expected"),
    [
        ("art, party, Art-house, art's", "art", ["art", "Art", "art"]),
        ("a café, cafe\u0301 or cafe", "café", ["café", "cafe\u0301"]),
        ("a café, cafe\u0301 or cafe", "cafe", ["cafe"]),
        ("Don’t! I don't", "don't", ["Don’t", "don't"]),
        ("a well‑known thing", "well-known", ["well‑known"]),
        ("in New\n  York, new yorker", "new york", ["New\n  York"]),
        ("STRASSE und Straße", "straße", ["STRASSE", "Straße"]),
        ("a bad\u00adword and a ba\u200ddword", "badword", ["bad\u00adword", "ba\u200ddword"]),
        ("C++ and C++11, not C", "c++", ["C++", "C++"]),
        ("ha ha ha", "ha ha", ["ha ha"]),
        ("각 and 가", "가", ["가"]),
    ],
)
def test_terms(text: str, term: str, expected: list[str]) -> None:
    folded_term = fold(term, case_sensitive=False).text
    assert [text[start:end] for start, end in find_term(fold(text, case_sensitive=False), folded_term)] == expected
