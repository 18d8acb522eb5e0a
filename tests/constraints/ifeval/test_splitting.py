"""Sentences and words in capitals, held against NLTK's own classes; and their edge cases.

Curly quotes, dashes and 'TWAS are left out of the comparison: NLTK has come to treat them otherwise since the figures that
people compare with were published.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.constraints.ifeval.sentences import sentence_spans
from heedful.constraints.ifeval.tokens import capital_tokens

PIECES = (
    "a J U.S Mr e.g 5 3.14 hello World wait . . ? ! ... .. ' ) ( [ ] , ; : -- - * é É n't CAN'T CANNOT WANNA GONNA "
    "NASA's I DON ` @ 5:30 1,000 { < > # % / D'YE"
).split()
texts = st.lists(st.sampled_from([*PIECES, '"', " ", " ", "\n", "\n\n", "\t"]), max_size=16).map("".join)


@settings(max_examples=400)
@given(texts)
def test_sentences_are_punkts(text: str) -> None:
    from nltk.tokenize.punkt import PunktSentenceTokenizer

    assert sentence_spans(text) == [tuple(span) for span in PunktSentenceTokenizer().span_tokenize(text)]


@settings(max_examples=400)
@given(st.lists(st.sampled_from([piece for piece in PIECES if piece != "'"]), max_size=16).map(" ".join))
def test_capitals_are_nltks(text: str) -> None:
    from nltk.tokenize.destructive import NLTKWordTokenizer
    from nltk.tokenize.punkt import PunktSentenceTokenizer

    sentences = PunktSentenceTokenizer().tokenize(text)
    words = [word for sentence in sentences for word in NLTKWordTokenizer().tokenize(sentence)]
    assert [text[a:b] for a, b in capital_tokens(text)] == [word for word in words if word.isupper()]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("One", ["One"]),
        ('He said "no." She left.', ['He said "no."', "She left."]),
        ("What?! No!!! Yes", ["What?!", "No!!!", "Yes"]),
        ("J. Smith met No. 5. then left.", ["J. Smith met No.", "5. then left."]),
        ("Wait... and see. 3.14 is pi.", ["Wait... and see.", "3.14 is pi."]),
        ("no stop\n\nhere", ["no stop\n\nhere"]),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences


def test_two_words_in_one() -> None:
    for text, count in (("CANNOT", 2), ("I CAN'T.", 3), ("'TWAS", 2), ("NASA's", 1), ("**BOLD**", 1), ("A—B", 1)):
        assert len(capital_tokens(text)) == count, text
