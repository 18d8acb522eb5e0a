"""What is read, from which words, what is left unread, and what is no requirement at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.constraints import (
    Constraint,
    Exclude,
    Include,
    JsonFormat,
    Register,
    Sentiment,
    Topic,
    Toxicity,
    WordCount,
)
from heedful.constraints.ifeval import NumberParagraphs, constraint_from_ifeval
from heedful.constraints.words import Parsed, parse

REQUESTS = [
    "Use at most 50 words.",
    "Do not use commas.",
    'Use the word "moon" twice.',
    "Write formally.",
    "Avoid insults.",
    "Answer in French.",
    'End with the phrase "The end."',
    "Return JSON with the keys a and b.",
    "Cite three sources.",
]


def test_the_example() -> None:
    text = "Write at most 50 words about rivers, formal, as JSON with keys title and body"
    parsed = parse(text)
    assert parsed.understood
    assert [(reading.constraint, parsed.words(*reading.spans)) for reading in parsed.readings] == [
        (WordCount(at_most=50), "Write at most 50 words"),
        (Topic(topic="rivers"), "about rivers"),
        (Register(level="formal"), "formal"),
        (JsonFormat(keys=("title", "body")), "as JSON with keys title and body"),
    ]


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        ("Use the words “x” and “y”.", Include(terms=("x", "y"))),
        ("Don't mention pizza or pasta.", Exclude(terms=("pizza", "pasta"))),
        ("Use the word moon at least three times.", Include(terms="moon", at_least=3)),
        ("Use a positive tone.", Sentiment(sentiment="positive")),
        ("It should not be formal.", Register(level="informal")),
        ("Do not write in a formal style.", Register(level="informal")),
        ("No insults, please.", Toxicity()),
        ("Write in all caps.", constraint_from_ifeval("change_case:english_capital")),
        ("Write without commas.", constraint_from_ifeval("punctuation:no_comma")),
        ("Answer in French.", constraint_from_ifeval("language:response_language", {"language": "fr"})),
        ("Use three bullet points.", constraint_from_ifeval("detectable_format:number_bullet_lists", {"num_bullets": 3})),
        ("Write two paragraphs separated by ***.", NumberParagraphs(num_paragraphs=2)),
        ("Write about the longest word in English.", Topic(topic="the longest word in English")),
    ],
)  # fmt: skip
def test_one_requirement(text: str, constraint: Constraint) -> None:
    parsed = parse(text)
    assert parsed.constraints == (constraint,)
    assert parsed.understood


@pytest.mark.parametrize(
    "text",
    [
        "He told me to write at least 100 words.",
        "The contract has more than 3,000 words. Explain it.",
        "How many words are there?",
        'Translate "at most 50 words, without commas" for me.',
        "Describe the positive effects of sport.",
        "Who wrote in all caps?",
        "Give advice to someone who never uses the word no.",
        "Plan a trip of 20 to 30 days.",
        "Write a letter to a French painter.",
    ],
)
def test_no_requirement(text: str) -> None:
    assert parse(text).constraints == ()


@pytest.mark.parametrize("what", ["how many words a toddler knows", "formal logic", "a man who only speaks in capital letters",
    "someone who writes in all caps", "a negative review that ruined a shop", "the word \"nice\" and its story"])  # fmt: skip
def test_the_topic_asks_for_nothing(what: str) -> None:
    assert parse(f"Write about {what}.").constraints == (Topic(topic=what),)


@pytest.mark.parametrize(
    ("text", "words", "why"),
    [
        ("Write a sonnet in iambic pentameter.", "in iambic pentameter", "not understood"),
        ("Explain tides and cite three sources.", "cite three sources", "not understood"),
        ("Write two paragraphs.", "Write two paragraphs", "***"),
        ("Each line should contain exactly one sentence.", "contain exactly one sentence", "each part"),
        ("Use at most 3 placeholders.", "Use at most 3 placeholders", "none for a greatest"),
        ("Do not write in a positive tone.", "in a positive tone", "negated"),
        ("Write a reply. Do not write about politics.", "about politics", "negated"),
        ("Write at most 50 words per paragraph.", "Write at most 50 words per paragraph", "of each part"),
        ("Use at most 10 words in every sentence.", "Use at most 10 words in every sentence", "of each part"),
        ("Return a JSON array.", "Return a JSON array", "one object"),
        ('Begin with the word "Once".', 'Begin with the word "Once"', "how a text begins"),
    ],
)
def test_what_was_noticed_and_not_understood(text: str, words: str, why: str) -> None:
    parsed = parse(text)
    assert parsed.constraints == ()
    assert not parsed.understood
    assert [parsed.words(unread.span) for unread in parsed.unread] == [words]
    assert why in parsed.unread[0].why


@settings(max_examples=30)
@given(st.lists(st.sampled_from(REQUESTS), unique=True))
def test_requirements_add_up_in_their_order(requests: list[str]) -> None:
    parsed = parse(" ".join(["Write a note to a neighbour.", *requests]))
    apart = [parse(request) for request in requests]
    assert parsed.constraints == tuple(constraint for each in apart for constraint in each.constraints)
    assert len(parsed.unread) == sum(len(each.unread) for each in apart)


def whole(parsed: Parsed) -> None:
    places = [span for reading in parsed.readings for span in reading.spans] + [unread.span for unread in parsed.unread]
    for start, end in places:
        assert 0 <= start < end <= len(parsed.text)
        assert parsed.words((start, end))


@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    whole(parse(text))


HEAP = """write use the word "x" at most least 50 0 words , . in French not about json with keys a and b *** paragraphs formal
without 3 times letter q ? : must end <<t>> P.S. each line""".split()


@given(st.lists(st.sampled_from(HEAP), max_size=25))
def test_any_heap_of_words_can_be_read(words: list[str]) -> None:
    parsed = parse(" ".join(words))
    whole(parsed)
    assert parsed == parse(" ".join(words))


def test_another_parser_takes_the_same_seat() -> None:
    def deaf(text: str) -> Parsed:
        return Parsed(text, (), (), ())

    assert parse("At most 5 words.", deaf).constraints == ()
