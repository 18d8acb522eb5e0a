"""Constraints as values: equality, round trips, the registry, classified verdicts and users' own."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from heedful.constraints import (
    CharCount,
    Classification,
    Constraint,
    Exclude,
    Include,
    JsonFormat,
    Register,
    Sentiment,
    Topic,
    Toxicity,
    Verdict,
    WordCount,
    check,
    constraint,
    constraint_from,
    known_constraints,
    register_classifier,
)
from heedful.constraints.words import parse
from heedful.errors import InputError

ONE_OF_EACH: list[Constraint] = [
    WordCount(at_most=50),
    CharCount(at_least=10, at_most=99),
    JsonFormat(keys=("a",), json_schema={"type": "object", "required": ["a"]}),
    Include(terms=("dog", "cat"), at_least=2),
    Exclude(terms=("dog",), case_sensitive=True),
    Topic(topic="chess"),
    Sentiment(sentiment="neutral"),
    Register(level="formal"),
    Toxicity(toxic=True),
]


def test_there_are_nine_in_four_families_and_those_of_ifeval_after_them() -> None:
    built_in = [cls.id for cls in known_constraints() if cls.__module__.startswith("heedful.")]
    assert set(built_in[:9]) == {each.id for each in ONE_OF_EACH}
    families = [name for name, _ in itertools.groupby(known.split("/")[0] for known in built_in)]
    assert families[:5] == ["structural", "lexical", "semantic", "stylistic", "ifeval"]


@pytest.mark.parametrize("each", ONE_OF_EACH, ids=lambda each: each.id)
def test_a_constraint_is_a_value(each: Constraint) -> None:
    again = constraint_from(each.to_dict())
    assert again == each
    assert hash(again) == hash(each)
    assert pickle.loads(pickle.dumps(each)) == each
    assert {each: 1}[again] == 1
    with pytest.raises(ValidationError, match="frozen"):
        each.verifier = "x"  # type: ignore[attr-defined]


def test_different_constraints_differ() -> None:
    assert len({*ONE_OF_EACH, WordCount(at_most=51), WordCount(at_least=50)}) == 11
    assert WordCount(at_most=5) != CharCount(at_most=5)


@pytest.mark.parametrize("each", ONE_OF_EACH, ids=lambda each: each.id)
def test_an_empty_text_fails_everything(each: Constraint) -> None:
    assert [verdict.outcome for text in ("", " \n ") for verdict in check(text, each)] == ["fail", "fail"]


def test_to_dict_holds_what_is_set() -> None:
    assert WordCount(at_most=5).to_dict() == {"id": "structural/word_count", "at_most": 5}
    assert Include(terms=("a",), at_least=1).to_dict() == {"id": "lexical/include", "terms": ["a"]}


@pytest.mark.parametrize(
    ("mapping", "cause", "cure"),
    [
        ({"at_most": 3}, "needs an id", '"id"'),
        ({"id": "word_count"}, "no constraint 'word_count'", "did you mean 'structural/word_count'?"),
        ({"id": "structural/word_cuont"}, "no constraint 'structural/word_cuont'", "'structural/word_count'"),
        ({"id": "semantic/mood"}, "no constraint 'semantic/mood'", "did you mean 'semantic/topic'"),
        ({"id": "nonsense"}, "no constraint 'nonsense'", "known: structural/"),
        ({"id": "semantic/sentiment", "sentiment": "happy"}, "'positive', 'negative' or 'neutral' (given 'happy')", ""),
        ({"id": "semantic/topic", "topic": "  "}, "the topic is empty", "astronomy"),
        ({"id": "stylistic/register"}, "'level' is missing", "fields of stylistic/register: level, verifier"),
        ({"id": "stylistic/toxicity", "toxic": "no"}, "toxic: input should be a valid boolean (given 'no')", ""),
    ],
)
def test_bad_mappings(mapping: dict[str, Any], cause: str, cure: str) -> None:
    with pytest.raises(InputError) as raised:
        constraint_from(mapping)
    assert cause in raised.value.cause
    assert cure in raised.value.cure


def test_a_verdict_without_an_answer_has_no_score() -> None:
    with pytest.raises(ValidationError, match="has no score"):
        Verdict(outcome="unscored", score=0.5, reason="?")
    with pytest.raises(ValidationError, match="needs a score"):
        Verdict(outcome="pass", reason="?")


# A classifier that answers what the text says: 'positive 0.8'.
def echo(task: str, rest: str) -> Any:
    def classify(text: str) -> Classification:
        label, _, score = text.partition(" ")
        if label == "unclear":
            return Classification(None, {}, "cannot tell", ())
        return Classification(label, {label: float(score), "other": 0.1}, f"{label} {score}", ((0, len(label)),))

    return classify


register_classifier("echo", echo)


def test_a_classified_constraint_passes_if_the_label_is_the_one_asked() -> None:
    found = Sentiment(sentiment="positive", verifier="echo").check("positive 0.8")
    assert (found.outcome, found.score, found.measured, found.spans) == ("pass", 0.8, "positive", ((0, 8),))


def test_a_classified_constraint_fails_with_the_places_that_spoke_against() -> None:
    found = Topic(topic="other", verifier="echo").check("chess 0.9")
    assert (found.outcome, found.score, found.measured) == ("fail", 0.1, "chess")
    assert found.hint == "write about other: the text reads as being about chess, look at “chess”"


def test_what_a_classifier_cannot_tell_is_unscored() -> None:
    for asked, text in ((Register(level="formal", verifier="echo"), "unclear"), (Toxicity(verifier="echo"), "odd 1")):
        found = asked.check(text)
        assert (found.outcome, found.score, found.passed) == ("unscored", None, False)
    assert (
        Toxicity(verifier="echo").check("odd 1").reason.startswith("the toxicity verifier 'echo' does not know 'clean'")
    )


def test_offline_topic_by_alias_and_never_guessed() -> None:
    text = "The rook takes the pawn, and then it is checkmate on the board."
    assert Topic(topic="chess").check(text).passed
    found = Topic(topic="football").check(text)
    assert (found.outcome, found.score) == ("fail", 0.0)
    assert Topic(topic="soccer").check(text).outcome == "fail"
    unknown = Topic(topic="quidditch").check(text)
    assert unknown.outcome == "unscored"
    assert "does not know 'quidditch'" in unknown.reason


def test_what_no_text_can_be_scored_by_passes_none_without_a_word_of_it() -> None:
    with pytest.raises(
        InputError, match=r"does not know 'quidditch', so no text can be scored\n.*ask for one of .*chess"
    ):
        Topic(topic="quidditch").passes("The rook takes the pawn.")
    assert Topic(topic="soccer").passes("The striker scored a goal in the football match.")
    assert not Topic(topic="quidditch", verifier="echo").passes("chess 0.9")  # what it knows shows in its answers


def test_a_value_without_the_name_of_its_field_is_bad_input() -> None:
    for make, said in (
        (lambda: WordCount(2), "2 is given without the name of a field\n  → name the field, WordCount("),
        (lambda: Include("a"), "name the field, Include(terms=…); fields of lexical/include: terms"),
        (lambda: no_semicolons("a;b"), "A text is checked by no_semicolons(limit=…).check(text)"),
    ):
        with pytest.raises(InputError) as error:
            make()
        assert said in str(error.value)


def test_an_unknown_verifier_is_bad_input() -> None:
    with pytest.raises(InputError, match="nosuch"):
        Sentiment(sentiment="positive", verifier="nosuch:x").check("a text")


@constraint("custom/no_semicolons")
def no_semicolons(text: str, limit: int = 0) -> bool:
    """at most {limit} semicolons"""
    return text.count(";") <= limit


@constraint("custom/shouting")
def shouting(text: str, share: float) -> bool | Verdict:
    """at least {share} of the letters are capitals"""
    if not text.isalpha():
        raise ValueError("letters only")
    found = sum(map(str.isupper, text)) / len(text)
    return Verdict(outcome="pass" if found >= share else "fail", score=min(1.0, found / share), reason=f"{found:.2f}")


def test_a_function_becomes_a_constraint() -> None:
    asked = no_semicolons(limit=1)
    assert asked == constraint_from({"id": "custom/no_semicolons", "limit": 1})
    assert asked.describe() == "at most 1 semicolons"
    assert asked.check("a; b").passed
    found = asked.check("a; b; c")
    assert (found.outcome, found.reason) == ("fail", "does not comply: at most 1 semicolons")
    assert asked.check("").outcome == "fail"
    assert pickle.loads(pickle.dumps(asked)) == asked
    with pytest.raises(InputError, match="'limits' is not a field"):
        no_semicolons(limits=1)


def test_a_function_may_give_a_verdict_and_may_fail() -> None:
    found = shouting(share=0.5).check("ABcdefgh")
    assert (found.constraint, found.score, found.expected) == (
        "custom/shouting",
        0.5,
        "at least 0.5 of the letters are capitals",
    )
    broken = shouting(share=0.5).check("a b")
    assert broken.outcome == "error"
    assert broken.reason.startswith("the constraint itself failed: ValueError: letters only (test_base.py, line ")


def test_a_function_that_answers_neither_is_an_error() -> None:
    @constraint("custom/counts")
    def counts(text: str) -> bool:
        return len(text)  # type: ignore[return-value]

    assert counts().check("abc").reason == "the constraint gave 3 where True, False or a Verdict is due"


@pytest.mark.parametrize("name", ["no_slash", "Custom/x", "a/b/c", ""])
def test_a_malformed_id(name: str) -> None:
    with pytest.raises(InputError, match="is not the id of a constraint"):
        constraint(name)(lambda text: True)


def test_a_decorator_without_its_id_is_told_where_it_stands() -> None:
    with pytest.raises(InputError, match=r'needs the id of the constraint\n  → write @constraint\("custom/short"\)'):

        @constraint  # type: ignore[arg-type]
        def short(text: str) -> bool:
            return len(text) < 9


def test_a_taken_id() -> None:
    with pytest.raises(InputError, match=r"already belongs to heedful\.constraints\.structural\.WordCount"):

        @constraint("structural/word_count")
        def mine(text: str) -> bool:
            return True


@pytest.mark.parametrize("name", ["ifeval/punctuation_no_comma", "ifbench/count_numbers"])
def test_an_id_is_taken_before_its_family_is_loaded(name: str) -> None:
    script = f"""
import sys
from heedful.constraints import constraint
assert "heedful.constraints.{name.split("/")[0]}" not in sys.modules
constraint("{name}")(lambda text: True)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert f"the id '{name}' already belongs to heedful.constraints." in done.stderr


def test_a_field_with_a_name_that_is_taken() -> None:
    with pytest.raises(InputError, match="a field of the constraint 'custom/taken' cannot be called 'check'"):

        @constraint("custom/taken")
        def taken(text: str, check: int = 3) -> bool:
            return True


def test_a_function_without_a_text() -> None:
    with pytest.raises(InputError, match="the function 'textless' cannot be a constraint"):

        @constraint("custom/textless")
        def textless() -> bool:
            return True


def test_a_field_without_a_type() -> None:
    with pytest.raises(InputError, match="the field 'limit' of the constraint 'custom/untyped' has no type"):

        @constraint("custom/untyped")
        def untyped(text, limit=3):  # type: ignore[no-untyped-def]
            return True


@pytest.mark.parametrize(
    ("wrong", "cure"), [([WordCount(at_most=3)], r"check\(text, \*constraints\)"), (3, "constraint_from")]
)
def test_what_is_no_constraint_is_told(wrong: Any, cure: str) -> None:
    with pytest.raises(InputError, match=cure):
        check("One.", wrong)


def test_nothing_to_check_is_no_success() -> None:
    with pytest.raises(InputError, match="no constraint is given"):
        check("a text")


@pytest.mark.parametrize("wrong", [b"a text", None, 3])
@pytest.mark.parametrize("ask", [lambda it: check(it, WordCount(at_most=2)), WordCount(at_most=2).passes, parse])
def test_what_is_no_text_is_told(wrong: Any, ask: Callable[[Any], object]) -> None:
    with pytest.raises(InputError, match="is no text"):
        ask(wrong)


def test_a_bool_of_an_array_library_is_a_bool() -> None:
    @constraint("custom/long_words")
    def long_words(text: str) -> bool:
        return np.mean([len(word) for word in text.split()]) > 3  # type: ignore[return-value]

    assert isinstance(long_words.function("word"), np.bool_)
    assert long_words().check("longer words").measured is True
    assert long_words().check("a b").outcome == "fail"

    @constraint("custom/mean_length")
    def mean_length(text: str) -> bool:
        return np.float64(len(text))  # type: ignore[return-value]

    assert mean_length().check("abc").reason == "the constraint gave 3.0 where True, False or a Verdict is due"
