"""The offline sentiment classifier: clear moods, words that only sound like one, and what it cannot read."""

from __future__ import annotations

import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from heedful.constraints.offline.sentiment import NEGATIVE, POSITIVE, classify


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("positive", "What a wonderful day! We loved every minute of it."),
        ("positive", "I was over the moon. The soup was delicious, and the staff were kind."),
        ("positive", "It gives me great pleasure to commend Ms Ahmed for her excellent work."),
        ("negative", "I am heartbroken. Nothing will ever be right again."),
        ("negative", "The heating broke down again, nobody answered, and I want my money back."),
        ("negative", "We regret that the service was poor and the delay unacceptable."),
        ("neutral", "The meeting starts at ten in room four. Bring the blue folder."),
        ("neutral", "Turn the handle to the left and lift the lid."),
        ("neutral", "The kitchen table stands by the window."),
    ],
)
def test_clear_cases(label: str, text: str) -> None:
    answer = classify(text)
    assert answer.label == label, answer.reason
    assert answer.scores[label] == max(answer.scores.values())
    assert sum(answer.scores.values()) == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize(
    "text",
    [
        "The play is a tragedy in five acts.",
        "A penalty is taken from the spot.",
        "The battle lasted two days, and the war went on.",
        "The company's profit was shared by its two partners.",
        "The dumb waiter runs from the cellar to the second floor.",
    ],
)
def test_words_of_a_subject_are_no_mood(text: str) -> None:
    assert classify(text).label == "neutral", classify(text).reason


def test_negation_still_works_on_added_words() -> None:
    assert classify("The room was shabby and the meal a shambles.").label == "negative"
    assert classify("It was not boring.").label != "negative"


def test_spans_are_the_sentences_that_spoke() -> None:
    text = "The train left at nine. It was a wonderful, happy journey! We arrived at noon."
    answer = classify(text)
    assert answer.label == "positive"
    assert [text[start:end] for start, end in answer.spans] == ["It was a wonderful, happy journey!"]
    assert "1 clearly positive" in answer.reason


def test_a_long_text_is_judged_by_its_sentences_and_does_not_saturate() -> None:
    plain = "The chair stands by the wall. The lamp is on the table. "
    page = plain * 20 + "It is a nice chair."
    assert SentimentIntensityAnalyzer().polarity_scores("It is a nice chair. " * 20)["compound"] > 0.95
    assert classify(page).label == "neutral"


def test_the_thresholds_are_vaders_own() -> None:
    assert (POSITIVE, NEGATIVE) == (0.05, -0.05)  # Hutto & Gilbert 2014


@pytest.mark.parametrize("text", ["", "  \n", "123 456", "これは悪い日です", "🎉🎉"])
def test_nothing_to_read_is_no_answer(text: str) -> None:
    answer = classify(text)
    assert answer.label is None
    assert "no Latin letters" in answer.reason


def test_other_users_of_vader_keep_its_own_list() -> None:
    classify("We were gutted.")
    assert not [word for word in SentimentIntensityAnalyzer().lexicon if word.startswith("§")]


def test_lines_and_pages_without_full_stops_are_read_in_pieces() -> None:
    text = "Dear Ann\n\nwhat a wonderful day\r\n- bread\n"
    answer = classify(text)
    assert "over 3 sentences" in answer.reason
    assert [text[start:end] for start, end in answer.spans] == ["what a wonderful day"]
    assert "over 2 sentences" in classify("chairs and " * 100).reason
    assert "over 5 sentences" in classify("a" * 5000).reason
