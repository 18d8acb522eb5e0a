"""What every monitor has in common, monitors of one's own, and bytes made into text."""

from __future__ import annotations

import doctest
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints import (
    Exclude,
    JsonFormat,
    PrefixMonitor,
    PrefixVerdict,
    Toxicity,
    Utf8Decoder,
    Verdict,
    WordCount,
    constraint,
    decode_text,
    monitor_for,
)
from heedful.errors import InputError


def test_the_page_about_it_runs() -> None:
    page = Path(__file__).parents[3] / "docs" / "prefix.md"
    found = doctest.testfile(str(page), module_relative=False)
    assert found.attempted >= 6
    assert found.failed == 0


def test_the_budget_that_is_left() -> None:
    monitor = WordCount(at_most=3).monitor()
    assert monitor.verdict == PrefixVerdict(
        "structural/word_count", "open", "words so far: 0; asked: at most 3 words", (3, "words")
    )
    assert [monitor.feed(delta).left for delta in ("one", " two", " th", "ree", " four", " five")] == [
        (count, "words") for count in (2, 1, 0, 0, 0, 0)
    ]
    assert monitor.verdict.reason == "words so far: 4; asked: at most 3 words"
    assert monitor.verdict.decided
    assert WordCount(at_least=3).monitor().verdict.left is None


def test_a_classifier_is_open_until_the_end() -> None:
    monitor = Toxicity().monitor()
    assert type(monitor) is PrefixMonitor
    assert monitor.feed("You fool. ").state == "open"
    assert monitor.verdict.reason == "decided at the end of the text: no insults, no profanity"
    assert monitor.close().outcome == "fail"


def test_a_reason_says_where() -> None:
    monitor = JsonFormat(keys="name").monitor()
    monitor.feed('{"name":\n')
    assert monitor.feed(" nul, ").reason == 'line 2, column 5: null is due, and "," stands in it'
    monitor = Exclude(terms=("red", "blue")).monitor()
    assert monitor.feed("A blue one").reason == "“blue” so far: 1; allowed: 0"


def test_a_closed_text_takes_no_more() -> None:
    monitor = WordCount(at_most=3).monitor()
    monitor.close()
    with pytest.raises(InputError, match="the text watched for structural/word_count is closed"):
        monitor.feed("x")


def test_bytes_are_no_text() -> None:
    with pytest.raises(InputError, match="a delta is of type bytes, not text") as raised:
        WordCount(at_most=3).monitor().feed(b"x")  # type: ignore[arg-type]
    assert "Utf8Decoder" in raised.value.cure


def test_a_monitor_of_ones_own() -> None:
    @constraint("custom/few_semicolons")
    def few_semicolons(text: str, limit: int = 0) -> bool:
        "at most {limit} semicolons"
        return text.count(";") <= limit

    assert few_semicolons(limit=1).monitor().feed(";;;").state == "open"

    @monitor_for(few_semicolons)
    class Semicolons(PrefixMonitor):
        count = 0

        def step(self, delta: str) -> PrefixVerdict:
            self.count += delta.count(";")
            reason = f"{self.count} semicolons so far"
            return self.violated(reason) if self.count > self.constraint.limit else self.open(reason)

    monitor = few_semicolons(limit=1).monitor()
    assert [monitor.feed(delta).state for delta in ("a;", "b;")] == ["open", "violated"]
    assert monitor.close() == few_semicolons(limit=1).check("a;b;")


def test_a_subclass_is_not_watched_by_a_monitor_that_does_not_know_it() -> None:
    class Lenient(WordCount):
        def _count(self, text: str) -> int:
            return 1

    monitor = Lenient(at_most=2).monitor()
    assert monitor.feed("one two three").state == "open"
    assert monitor.close().passed


def test_a_subclass_with_a_verdict_of_its_own_passes_by_that() -> None:
    class Never(WordCount):
        def _verify(self, text: str) -> Verdict:
            return self._verdict(False, score=0.0, reason="never")

    class Always(WordCount):
        def check(self, text: str) -> Verdict:
            return self._verdict(True, score=1.0, reason="always")

    class Mixed(Never, WordCount):
        pass

    assert not Never(at_most=2).passes("one")
    assert not Mixed(at_most=2).passes("one")
    assert Always(at_most=2).passes("one two three")
    assert Always(at_most=2).passes("")


@given(st.text(), st.booleans(), st.lists(st.integers(0, 40), max_size=5))
def test_decoding_in_pieces_is_decoding_the_whole(text: str, mark: bool, cuts: list[int]) -> None:
    data = (b"\xef\xbb\xbf" if mark else b"") + text.encode()
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    decoder = Utf8Decoder()
    pieces = [decoder.feed(data[a:b]) for a, b in pairwise(edges)]
    assert "".join(pieces) + decoder.close() == decode_text(data, "whole")


def test_bytes_that_are_not_utf8() -> None:
    decoder = Utf8Decoder()
    assert decoder.feed(b"ab\xc3") == "ab"
    with pytest.raises(InputError, match="the byte stream is not UTF-8: invalid continuation byte at offset 2"):
        decoder.feed(b"x")
    decoder = Utf8Decoder()
    decoder.feed("é".encode() + b"\xf0\x9f")
    with pytest.raises(InputError, match="the byte stream ends inside a character at offset 2"):
        decoder.close()
