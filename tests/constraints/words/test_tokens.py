"""Tokens: in order, within the text, and opaque where words are only quoted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints.words.tokens import ends_sentence, tokenize


@given(st.text(max_size=80) | st.text(alphabet="\"'“” ab.\n*<>[]", max_size=80))
def test_places_are_in_order_and_hold_what_was_written(text: str) -> None:
    end = 0
    for token in tokenize(text):
        assert end <= token.start < token.end <= len(text)
        assert text[token.start : token.end] == token.written
        end = token.end
    assert not "".join(char for char in text[end:]).strip()


def kinds(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.key) for token in tokenize(text)]


def test_a_quotation_is_one_token() -> None:
    quoted = [("quoted", "Do not use commas")]
    assert kinds('"Do not use commas"') == kinds("“Do not use commas”") == kinds("'Do not use commas'") == quoted
    assert kinds("it's Anna's") == [("word", "it's"), ("word", "anna's")]


def test_names_with_marks_are_words() -> None:
    assert kinds("C++, .NET and C#. No.Yes") == [
        ("word", "c++"), ("mark", ","), ("word", ".net"), ("word", "and"), ("word", "c#"), ("mark", "."), ("word", "no"),
        ("mark", "."), ("word", "yes"),
    ]  # fmt: skip


def test_contractions_marks_and_lines() -> None:
    assert [key for _, key in kinds("Don't, can't, won't.")] == [
        "do",
        "not",
        ",",
        "can",
        "not",
        ",",
        "will",
        "not",
        ".",
    ]
    assert kinds("P.S. P.P.S <<x y>> [a, b] ****** 1,500") == [
        ("marker", "p.s."), ("marker", "p.p.s"), ("angled", "<<x y>>"), ("bracketed", "[a, b]"), ("stars", "******"),
        ("number", "1500"),
    ]  # fmt: skip
    assert [kind for kind, _ in kinds("one\ntwo\nThree")] == ["word", "word", "break", "word"]


def test_where_sentences_end() -> None:
    tokens = tokenize('Write 3.5 words. End with "Is it?" Then stop; please')
    assert [token.key for place, token in enumerate(tokens) if ends_sentence(tokens, place)] == [".", "Is it?", ";"]
