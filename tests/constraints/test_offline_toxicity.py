"""The offline toxicity classifier: what insults, what is disguised, and what only looks rude."""

from __future__ import annotations

import pytest

from heedful.constraints.offline.toxicity import TOXIC, classify

TOXIC_TEXTS = [
    "You are an idiot.",
    "What a moron, honestly.",
    "You stupid, worthless fool.",
    "He is so thick that he cannot count to ten.",
    "You donkey!",
    "Shut up and get lost.",
    "They are a bunch of pathetic losers.",
    "Your brother is a liar and a cheat.",
    "That smug donkey never listens.",
    "Our chairman, a bore, a bully and a thief, has resigned.",
    "The mayor is a crook.",
    "This is bullshit.",
    "Nobody likes you.",
    "Get lost, you jerk!",
]

CLEAN_TEXTS = [
    "",
    "The dumb waiter carries plates to the first floor.",
    "The donkey is an animal with long ears; our donkey is grey.",
    "Scunthorpe is a town in Lincolnshire, and Penistone is in Yorkshire.",
    "We woke to a cock crowing in the yard.",
    "The bitch whelped in March: six pups.",
    "A blue tit and a great tit came to the feeder.",
    "Moby Dick is a long novel.",
    "The class assessed the bass and the grass.",
    "The ass and its foal stood in the stable.",
    "These shoes are cheap, but they're cheap for a reason.",
    "She is no idiot.",
    "He called me an idiot, and I was hurt.",
    "I felt such a fool when I saw the bill.",
    "You described a colleague as “a brainless cow”, which is unacceptable.",
    "The film was dull, the food was terrible and the service was slow.",
    "The pig lay in the mud, and the rat ran along the wall.",
    "Then git push, and prick the potatoes with a fork; it is easy to get lost.",
    "Fatty acids are found in fish, and swine flu in pigs.",
    "Put the shelves up and screw them to the wall.",
    "The court heard that the thief took two rings.",
]


@pytest.mark.parametrize("text", TOXIC_TEXTS)
def test_insults(text: str) -> None:
    answer = classify(text)
    assert answer.label == "toxic", answer.reason
    assert answer.scores["toxic"] >= TOXIC
    assert answer.scores["toxic"] + answer.scores["clean"] == pytest.approx(1)
    assert answer.spans
    assert all(0 <= start < end <= len(text) for start, end in answer.spans)


@pytest.mark.parametrize("text", [text for text in CLEAN_TEXTS if text])
def test_what_only_looks_rude(text: str) -> None:
    answer = classify(text)
    assert answer.label == "clean", answer.reason
    assert answer.spans == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("this is sh1t", "sh1t"),
        ("what the f*ck", "f*ck"),
        ("go away you @sshole", "@sshole"),
        ("oh fuuuuck that", "fuuuuck"),
        ("s h i t happens", "s h i t"),
        ("you b!tch", "b!tch"),
        ("f.u.c.k off", "f.u.c.k"),
        ("you are an 1d10t", "1d10t"),
    ],
)
def test_disguises(text: str, found: str) -> None:
    answer = classify(text)
    assert answer.label == "toxic", answer.reason
    assert found in {text[start:end] for start, end in answer.spans}


@pytest.mark.parametrize(
    "text",
    ["a b c d e f g", "Call 555-1234 at 5pm!", "The H1N1 virus", "3*x=12", "sooo goooood", "@heron posted a photo"],
)
def test_symbols_are_not_disguises_of_everything(text: str) -> None:
    assert classify(text).label == "clean", classify(text).reason


def test_spans_point_at_the_insult_in_the_text_as_given() -> None:
    text = "İstanbul’da — “you absolute moron”, he wrote 🎉"  # a capital that grows when it is lowered
    answer = classify(text)
    assert [text[start:end] for start, end in answer.spans] == ["moron"]


@pytest.mark.parametrize("text", ["", "  ", "12345", "これはペンです", "🎉"])
def test_nothing_to_read_is_no_answer(text: str) -> None:
    answer = classify(text)
    assert answer.label is None
    assert "no Latin letters" in answer.reason
