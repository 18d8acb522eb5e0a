"""The offline topic classifier: every topic is told, an unknown one is never guessed, idioms do not count."""

from __future__ import annotations

import pytest

from heedful.constraints import Topic, check
from heedful.constraints.offline.topic import classify, known_topic, topics

CLEAR = {
    "animals": "The kitten purred while the old labrador watched the squirrel from its kennel.",
    "art": "She primed the canvas and mixed a cobalt blue for the landscape painting.",
    "astronomy": "Through the telescope we saw the rings of Saturn and, later, a faint nebula.",
    "books": "The second novel has a better narrator than the first, and the last chapter is superb.",
    "business": "Shareholders were told that quarterly revenue and the profit margin had both grown.",
    "cars": "The gearbox was rebuilt and the engine runs again, but the clutch still slips.",
    "chess": "White castles kingside, gives up a pawn, and mates on the back rank.",
    "cooking": "Simmer the sauce with garlic, then whisk in the butter before you season it.",
    "cycling": "The peloton caught the breakaway on the climb, and one rider had a puncture.",
    "dance": "The choreographer asked for a slower tango, and the ballerina changed her footwork.",
    "education": "Pupils in the sixth form sit their mock exam after the teacher has finished the syllabus.",
    "farming": "The tractor pulled the plough through the wheat field while the farmer fed the cattle.",
    "fashion": "She wore a silk blouse, a pleated skirt and high heels to the catwalk show.",
    "film": "The director cut the final scene, and the cinematographer asked for new subtitles.",
    "fishing": "An angler on the riverbank cast his fly and landed a fine trout.",
    "football": "The striker missed a penalty, the goalkeeper was sent off, and it ended goalless.",
    "gardening": "Mulch the flower bed, prune the roses, and sow the seedlings in the greenhouse.",
    "health": "The nurse checked the patient's blood pressure, and the doctor changed the prescription.",
    "hiking": "We hiked along the ridge with heavy rucksacks and pitched the tent below the summit.",
    "history": "The medieval empire fell after a siege, as the chronicles of the fifteenth century tell.",
    "law": "The barrister told the court that the defendant would plead not guilty before the jury.",
    "music": "The violinist tuned her strings, and the orchestra played the symphony's slow movement.",
    "photography": "I changed the lens, opened the aperture, and slowed the shutter for a longer exposure.",
    "politics": "Parliament rejected the minister's bill, and voters will go to the polls in an early election.",
    "religion": "The priest read the gospel, and the congregation knelt in prayer before the altar.",
    "sailing": "The yacht tacked into the wind, the skipper reefed the mainsail, and we made the anchorage.",
    "shopping": "The shop assistant found my receipt, and I had a refund and a voucher from the department store.",
    "technology": "The server crashed after the software update, and the developer restored the database.",
    "theatre": "The actors took their curtain call after the dress rehearsal of Hamlet.",
    "trains": "The steam locomotive pulled its carriages over the viaduct and into the railway station.",
    "travel": "Tourists queue for their passports at the airport, then find their hotel and go sightseeing.",
    "weather": "The forecast promises drizzle, a cold front from the west, and thunder by night.",
}


def test_the_lexicon_knows_the_topics() -> None:
    assert set(topics()) == set(CLEAR)


@pytest.mark.parametrize(("topic", "text"), CLEAR.items(), ids=CLEAR)
def test_clear_cases(topic: str, text: str) -> None:
    answer = classify(text)
    assert answer.label == topic, answer.reason
    assert max(answer.scores, key=lambda each: answer.scores[each]) == topic
    assert sum(answer.scores.values()) == pytest.approx(1, abs=0.01)
    assert answer.spans
    assert all(text[start:end].strip() == text[start:end] != "" for start, end in answer.spans)


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("soccer", "football"),
        ("Railways", "trains"),
        (" the  night SKY ", "astronomy"),
        ("bicycle", "cycling"),
        ("movies", "film"),
        ("the law", "law"),
        ("quantum gravity", None),
        ("", None),
    ],
)
def test_aliases(name: str, topic: str | None) -> None:
    assert known_topic(name) == topic


@pytest.mark.parametrize(
    "text", ["", "   ", "I said that you might come too.", "これは日本語です。", "12 + 30 = 42", "🎉"]
)
def test_too_little_evidence_is_no_answer(text: str) -> None:
    answer = classify(text)
    assert answer.label is None
    assert answer.reason
    assert answer.spans == ()


def test_a_tie_is_no_answer() -> None:
    answer = classify("chess, ballet")
    assert answer.label is None
    assert "no topic is ahead" in answer.reason


@pytest.mark.parametrize(
    "text",
    [
        "It was a piece of cake, and then they dropped the ball.",
        "Once in a blue moon he beats around the bush.",
        "You let the cat out of the bag; don't judge a book by its cover.",
    ],
)
def test_idioms_do_not_speak_of_what_they_name(text: str) -> None:
    assert classify(text).label is None, classify(text).reason


def test_repeating_a_word_is_not_more_evidence_for_ever() -> None:
    assert classify("hook " * 50).reason == classify("hook " * 3).reason


def test_an_unknown_topic_is_unscored_and_never_guessed() -> None:
    (verdict,) = check(CLEAR["chess"], Topic(topic="quantum gravity"))
    assert verdict.outcome == "unscored"
    assert "does not know 'quantum gravity'" in verdict.reason
    assert "or ask for one of animals, art, astronomy" in verdict.reason
    assert "hf:ID" in verdict.reason


def test_an_alias_is_judged_as_its_topic() -> None:
    assert [verdict.outcome for verdict in check(CLEAR["football"], Topic(topic="Soccer"))] == ["pass"]
    (verdict,) = check(CLEAR["football"], Topic(topic="railways"))
    assert verdict.outcome == "fail"
    assert "reads as being about football" in verdict.hint


def test_spans_are_of_the_text_as_given() -> None:
    text = "Ünïcode — “the knight’s pawn” 🎉 was taken by the bishop, and checkmate followed."
    answer = classify(text)
    assert answer.label == "chess"
    assert "checkmate" in {text[start:end] for start, end in answer.spans}
