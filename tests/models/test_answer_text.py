"""Text that comes token by token is, all together, the text of the whole, and no piece of it is taken back."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.models.conftest import VOCABULARY, make_model, make_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from heedful.models import LanguageModel, load
from heedful.models.answer_text import AnswerText
from heedful.models.chat import Chat
from heedful.models.thinking import MARKS, Marks

TOKENIZER = make_tokenizer()
CHAT = Chat(TOKENIZER)
MODEL = LanguageModel(make_model("llama"), TOKENIZER, name="tiny", check=False)


@functools.cache
def pico() -> LanguageModel:
    return load("pico-llama")


def ids_of(text: str) -> list[int]:
    ids: list[int] = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    return ids


def pieces(chat: Chat, prompt: Sequence[int], ids: Sequence[int], **how: Any) -> list[str]:
    text = AnswerText(chat, prompt, **how)
    return [*(text.add(token) for token in ids), text.finish()]


def whole(prompt: Sequence[int], ids: Sequence[int]) -> str:
    return MODEL._generation(prompt, tuple(ids), None).text


THOUGHTS = st.sampled_from(
    [
        "",
        " ",
        "\n\n",
        "<think>",
        "</think>",
        "<thi",
        "the cat",
        "é",
        "🐈",
        "<",
        "　",
        *(mark for marks in MARKS for mark in marks),
    ]
)


@given(
    st.sampled_from(["go", "go<think>", "go<think>\n", "go<think></think>"]),
    st.lists(st.one_of(THOUGHTS.map(ids_of), st.lists(st.integers(3, VOCABULARY - 1), max_size=4)), max_size=12),
)
@example("go", [ids_of("<think>a</think>\n\n 🐈 x")])
@settings(max_examples=400)
def test_all_pieces_are_the_whole(opening: str, parts: list[list[int]]) -> None:
    # Any tokens, so any bytes: characters cut in two, bytes that are none, tags in any place.
    prompt, ids = ids_of(opening), [token for part in parts for token in part]
    assert "".join(pieces(CHAT, prompt, ids)) == whole(prompt, ids)
    assert "".join(pieces(CHAT, prompt, ids, thinks=False)) == CHAT.decode(ids)


@given(st.lists(st.integers(3, 1000), max_size=30))
@settings(max_examples=100)
def test_a_tokenizer_whose_decoder_takes_marks_out_is_no_exception(ids: list[int]) -> None:
    assert "".join(pieces(pico().chat, pico().encode("Hi."), ids)) == pico().decode(ids)


def spaced_tokenizer() -> PreTrainedTokenizerFast:
    """As SentencePiece's: words carry the space before them, and the first of a text loses it."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=80, special_tokens=["<s>", "</s>", "<mark>"], show_progress=False)
    backend.train_from_iterator(["the cat sat on the mat and the dog sat on the cat"] * 4, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<mark>")


SPACED = Chat(spaced_tokenizer())


@given(st.lists(st.integers(1, len(SPACED._tokenizer) - 1) | st.just(2), max_size=12))
@example([SPACED._tokenizer.convert_tokens_to_ids("▁the"), 2, SPACED._tokenizer.convert_tokens_to_ids("▁cat")])
@settings(max_examples=200)
def test_spaces_between_words_are_kept_whatever_stands_between_them(ids: list[int]) -> None:
    assert "".join(pieces(SPACED, [1], ids, thinks=False)) == SPACED.decode(ids)


def test_each_character_comes_as_soon_as_it_is_whole() -> None:
    cat = ids_of("🐈")
    assert len(cat) == 4
    assert pieces(CHAT, ids_of("go"), [*ids_of("a"), *cat, *ids_of("b")]) == ["a", "", "", "", "🐈", "b", ""]
    assert pieces(CHAT, ids_of("go"), cat[:2]) == ["", "", "\ufffd"]


@pytest.mark.parametrize("marks", MARKS)  # the tiny tokenizer has the first as tokens, and spells the others
@pytest.mark.parametrize("thought", ["hm ", ""])
def test_thinking_is_held_back_and_the_answer_is_not(marks: Marks, thought: str) -> None:
    ids = ids_of(f"{marks.opens}{thought}{marks.closes}\n\nthe cat")
    text = AnswerText(CHAT, ids_of("go"))
    given = []
    for token in ids:
        given.append(text.add(token))
        assert text.begun == bool("".join(given))
    assert "".join(given) + text.finish() == "the cat"
    assert text.start == len(ids) - len(ids_of("the cat"))


@given(st.lists(st.integers(3, VOCABULARY - 1), min_size=1, max_size=20), st.data())
@settings(max_examples=100)
def test_taken_up_where_it_is_settled_it_goes_on_without_a_seam(ids: list[int], data: st.DataObject) -> None:
    text, before = AnswerText(CHAT, ids_of("go")), ""
    for token in ids[: data.draw(st.integers(0, len(ids)))]:
        before += text.add(token)
    again = AnswerText(CHAT, ids_of("go"))
    assert "".join(again.add(token) for token in ids[: text.settled]) == before
    rest = "".join(again.add(token) for token in ids[text.settled :]) + again.finish()
    assert before + rest == whole(ids_of("go"), ids)
