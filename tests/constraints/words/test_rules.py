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
        ("Write a title of at most 10 words.", WordCount(at_most=10)),
        ("Write a note of at most 50 words.", WordCount(at_most=50)),
        ("Use each of the words \"x\" and \"y\" at least twice.", Include(terms=("x", "y"), at_least=2)),
        ("Do not use \"foo\" or \"bar\".", Exclude(terms=("foo", "bar"))),
        ("Avoid using \"and\" as well as \"but\".", Exclude(terms=("and", "but"))),
        ("under no circumstances mention \"cheap\"", Exclude(terms="cheap")),
        ("Forbidden words: foo, bar.", Exclude(terms=("foo", "bar"))),
        ("Required words: foo, bar.", Include(terms=("foo", "bar"))),
        ("Use the term C++ and the term .NET.", Include(terms=("C++", ".NET"))),
        ("Use the term C#.", Include(terms="C#")),
        ("Don't use the word whale more than 5 times.", Exclude(terms="whale", at_most=5)),
        ("Never use \"foo\" more than once.", Exclude(terms="foo", at_most=1)),
        ("Write a toxic text.", Toxicity(toxic=True)),
        ("Language: German.", constraint_from_ifeval("language:response_language", {"language": "de"})),
        ("Topic: rivers.", Topic(topic="rivers")),
        ("Format: JSON.", JsonFormat()),
        ("Reply in JSON with keys a, b and c.", JsonFormat(keys=("a", "b", "c"))),
        ("Return JSON with fields from, to and count.", JsonFormat(keys=("from", "to", "count"))),
        ("Return a JSON object with the fields name (string), age (int).", JsonFormat(keys=("name", "age"))),
        ("Return JSON with keys name: string, age: int.", JsonFormat(keys=("name", "age"))),
        ("End with the word \"goodbye\".", constraint_from_ifeval("startend:end_checker", {"end_phrase": "goodbye"})),
        ("Finish with the word amen.", constraint_from_ifeval("startend:end_checker", {"end_phrase": "amen"})),
        ("The last word must be \"amen\".", constraint_from_ifeval("startend:end_checker", {"end_phrase": "amen"})),
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
        "No one writes in all caps.",
        "Explain why 5 < 50.",
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
        ("Write poems, each under 10 words.", "under 10 words", "of each part"),
        ("Tell three jokes of at most 20 words each.", "of at most 20 words each", "of each part"),
        ("Tell three jokes of at most 20 words.", "of at most 20 words", "of each part"),
        ("Keep sentences under 12 words.", "under 12 words", "of each part"),
        ("No sentence should be longer than 12 words.", "be longer than 12 words", "of each part"),
        ("In each paragraph, use at most 50 words.", "use at most 50 words", "of each part"),
        ("Use the word moon in each paragraph.", "Use the word moon in each paragraph", "of each part"),
        ("The title must be under 10 words.", "be under 10 words", "of a part"),
        ("The title of the poem must be in all caps.", "be in all caps", "of a part"),
        ("Write a story with a title (max 8 words).", "max 8 words", "of a part"),
        ("The first paragraph should have at most 40 words.", "have at most 40 words", "of a part"),
        ("The first paragraph must be formal.", "paragraph must be formal", "of a part"),
        ("Use the word moon in the first paragraph.", "Use the word moon in the first paragraph", "of a part"),
        ('Only include the word "yes" or "no".', 'include the word "yes" or "no"', "one of several"),
        ("Use the word foo or bar.", "Use the word foo or bar", "one of several"),
        ("Answer in Spanish or French.", "in Spanish or French", "one of several"),
        ("Use at most 50 words or 300 characters.", "Use at most 50 words or 300 characters", "one of several"),
        ("The text should be positive or neutral.", "The text should be positive or neutral", "one of several"),
        ("Write in a formal or informal style.", "a formal or informal style", "one of several"),
        ("Don't be too formal.", "Don't be too formal", "not understood"),
        ("Stay polite.", "Stay polite", "not understood"),
        ("Write politely.", "politely", "not understood"),
        ("Be rude.", "Be rude", "not understood"),
        ("Do not be rude.", "Do not be rude", "not understood"),
        ("Write a rude text.", "a rude text", "not understood"),
        ("Write a review that isn't negative.", "that isn't negative", "not understood"),
        ("Write a letter, neither formal nor informal.", "neither formal nor informal", "not understood"),
        ("Not in English.", "Not in English", "not understood"),
        ("No emojis.", "No emojis", "not understood"),
        ("Write a note, no emojis.", "no emojis", "not understood"),
        ("Mention both Paris and London but not Rome.", "Mention both Paris and London but not Rome", "not understood"),
        ("mention apple, banana, cherry", "mention apple, banana, cherry", "not understood"),
        ("Keywords: foo, bar.", "Keywords: foo, bar", "not understood"),
        ("Tone: professional.", "Tone: professional", "not understood"),
        ("Use the keywords climate change and energy.", "Use the keywords climate change and energy", "not understood"),
        ("Don't use the word whale exactly 5 times.", "use the word whale exactly 5 times", "negated"),
        ('Begin and end with the word "amen".', 'Begin and end with the word "amen"', "how a text begins"),
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


@pytest.mark.parametrize(
    ("text", "constraints", "words"),
    [
        ("Write at most 50 words. Actually, make that 80 words.", (WordCount(at_most=50),), ["Actually", "make that 80 words"]),
        ("Write at most 50 words and 300 characters.", (WordCount(at_most=50),), ["and 300 characters"]),
        ("Write a poem about rain of at most 20 words each.", (Topic(topic="rain"),), ["of at most 20 words each"]),
        ("Limit: 75 words. Tone: professional.", (WordCount(at_most=75),), ["Tone: professional"]),
        ("At most 9 words. No JSON, please. Just plain text.", (WordCount(at_most=9),), ["No JSON, please", "Just plain text"]),
        ("Return JSON with keys first name, last name.", (JsonFormat(),), ["with keys first name"]),
    ],
)  # fmt: skip
def test_what_was_noticed_beside_what_was_read(
    text: str, constraints: tuple[Constraint, ...], words: list[str]
) -> None:
    parsed = parse(text)
    assert parsed.constraints == constraints
    assert [parsed.words(unread.span) for unread in parsed.unread] == words


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
without 3 times letter q ? : must end <<t>> P.S. each line or title in the first neither nor no ( ) mention""".split()


@given(st.lists(st.sampled_from(HEAP), max_size=25))
def test_any_heap_of_words_can_be_read(words: list[str]) -> None:
    parsed = parse(" ".join(words))
    whole(parsed)
    assert parsed == parse(" ".join(words))


def test_another_parser_takes_the_same_seat() -> None:
    def deaf(text: str) -> Parsed:
        return Parsed(text, (), (), ())

    assert parse("At most 5 words.", deaf).constraints == ()


def test_what_was_read_is_one_line_in_a_notebook() -> None:
    shown = repr(parse("At most 50 words, formal, at least 60 words, in iambic pentameter"))
    assert shown == (
        "<Parsed at most 50 words; formal in style; at least 60 words | unread: “in iambic pentameter” | "
        "contradiction: at least 60 and at most 50 words exclude each other>"
    )
    assert repr(parse("Hello.")) == "<Parsed no constraint>"


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        ("Actually, make it 80.", "Actually"),
        ("Actually, 80 words is fine.", "Actually"),
        ("No, make it at most 80 words.", "No,"),
        ("On second thought, under eighty.", "On second thought"),
        ("Make it 80.", "Make it"),
    ],
)
def test_what_may_take_back_a_limit_is_told(revision: str, words: str) -> None:
    parsed = parse(f"Use at most 50 words. {revision}")
    assert WordCount(at_most=50) in parsed.constraints
    told = [parsed.words(each.span) for each in parsed.unread if "take back" in each.why]
    assert told == [words]


@pytest.mark.parametrize(
    "text",
    [
        "Actually, write at most 80 words.",
        "Use at most 50 words. Actually, I like rivers.",
        "Make it 80 words at most.",
    ],
)
def test_what_takes_nothing_back_is_not(text: str) -> None:
    assert not any("take back" in each.why for each in parse(text).unread)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("use the word yes 3 or more times", Include(terms=("yes",), at_least=3)),
        ('Use the word "yes" 3 or more times.', Include(terms=("yes",), at_least=3)),
        ('Use the word "yes" two or fewer times.', Exclude(terms=("yes",), at_most=2)),
    ],
)
def test_a_bound_may_stand_before_times(text: str, asked: Constraint) -> None:
    parsed = parse(text)
    assert parsed.constraints == (asked,)
    assert parsed.understood
