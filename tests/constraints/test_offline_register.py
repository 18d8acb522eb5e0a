"""The offline register classifier: formal and informal texts, and how little can be told from little."""

from __future__ import annotations

import pytest

from heedful.constraints.offline.register import classify


@pytest.mark.parametrize(
    "text",
    [
        "We regret to inform you that your application has been unsuccessful.",
        "It should be noted that participants were required to submit written consent prior to the trial.",
        "Dear Sir or Madam, I am writing with reference to your correspondence of 3 May. Yours faithfully",
        "The committee recommends that the proposal be considered at the earliest opportunity.",
        "Notwithstanding the foregoing, the tenant shall remain liable for any damage to the premises.",
    ],
)
def test_formal(text: str) -> None:
    answer = classify(text)
    assert answer.label == "formal", answer.reason
    assert answer.scores["formal"] > 0.5 > answer.scores["informal"]
    assert "formal above zero" in answer.reason


@pytest.mark.parametrize(
    "text",
    [
        "hey mate, wanna grab a pint later? gonna be fun lol",
        "OMG you won't believe what happened!!! I'm literally dying 😂",
        "Yeah, we're kinda stuck here, so don't wait up. See ya!",
        "soooo tired rn, cant be bothered tbh",
        "It’s no biggie, we’ll sort it out, don’t worry",
    ],
)
def test_informal(text: str) -> None:
    answer = classify(text)
    assert answer.label == "informal", answer.reason
    assert answer.scores["informal"] > 0.5 > answer.scores["formal"]


def test_spans_are_what_spoke() -> None:
    text = "Nevertheless, we wish to obtain your consent."
    answer = classify(text)
    found = {text[start:end] for start, end in answer.spans}
    assert {"Nevertheless", "we wish to", "obtain"} <= found
    casual = "gonna be late, soz :)"
    assert {"gonna", "soz", ":)"} <= {casual[start:end] for start, end in classify(casual).spans}
    low = "please come to the harbour. the harbour is open."
    assert [low[start:end] for start, end in classify(low).spans] == ["please", "the"]


def test_one_contraction_does_not_make_a_page_informal() -> None:
    page = "The committee considered the proposal. It was subsequently approved by the members present. " * 5
    assert classify(page + "It's done.").label == "formal"


def test_typographic_and_plain_apostrophes_are_the_same() -> None:
    assert classify("I don't know, it's late.").scores == classify("I don’t know, it’s late.").scores


@pytest.mark.parametrize("text", ["", " ", "1234", "これは本です"])
def test_nothing_to_read_is_no_answer(text: str) -> None:
    assert classify(text).label is None
    assert "no Latin letters" in classify(text).reason


def test_nothing_that_speaks_is_no_answer() -> None:
    answer = classify("The table is blue.")
    assert answer.label is None
    assert "too close to call" in answer.reason
