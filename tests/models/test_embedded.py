"""The embedded models as they are shipped: whole, small, loaded without network, and able to follow."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import ModelError
from heedful.models import LanguageModel, embedded_models, load
from heedful.models.catalogue import verify_checksums
from heedful.prompts.base import base_prompts
from heedful.prompts.instructions import natural_instructions
from heedful.prompts.tasks import TASKS

CARDS = {card.name: card for card in embedded_models()}


@pytest.fixture(scope="module", params=CARDS)
def pico(request: pytest.FixtureRequest) -> LanguageModel:
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*args: Any, **kwargs: Any) -> None:
            raise OSError("the network was asked")

        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        return load(request.param)


def test_the_models_that_are_shipped() -> None:
    assert set(CARDS) == {"pico-gemma", "pico-llama", "pico-qwen"}


@pytest.mark.parametrize("name", CARDS)
def test_each_has_a_card_that_says_what_was_measured(name: str) -> None:
    about = CARDS[name].about
    assert {"summary", "facts", "license", "recipe", "steps", "measured"} <= set(about)
    assert set(about["measured"]["tasks"]) == set(about["measured"]["contrast"]) == set(TASKS)
    assert name.removeprefix("pico-") in about["summary"].lower()


@pytest.mark.parametrize("name", CARDS)
def test_files_are_whole_and_weights_small(name: str) -> None:
    folder = CARDS[name].path
    assert len(verify_checksums(folder)) == 64
    listed = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert listed == {file.name for file in folder.iterdir()} - {"SHA256SUMS"}
    assert (folder / "model.safetensors").stat().st_size <= 10_000_000


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    folder = shutil.copytree(CARDS["pico-llama"].path, tmp_path / "pico-llama")
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(ModelError, match=r"damaged: model.safetensors(.|\n)*install heedful again"):
        verify_checksums(folder)


def test_it_loads_without_network_and_passes_its_self_check(pico: LanguageModel) -> None:
    assert pico.check is not None
    assert pico.sites == ("embed", *(f"block.{i}.out" for i in range(8)))


def test_it_follows_what_is_easy_for_it_far_above_chance(pico: LanguageModel) -> None:
    """Greedy, on base prompts and paraphrases never trained on. By chance (⅓, 1/32) either would come out less than once in
    200 times."""
    asked = natural_instructions([TASKS["topic"], TASKS["sentiment"]], base_prompts(), 40, seed=5, held_out_share=0.5)
    answers = pico.generate([pico.encode(each.prompt) for each in asked], [0] * len(asked), temperature=0.0)
    passed: dict[str, list[bool]] = {"topic": [], "sentiment": []}
    for each, answer in zip(asked, answers, strict=True):
        assert each.constraint is not None
        passed[each.task].append(each.constraint.check(answer.text).passed)
    assert sum(passed["topic"]) >= 16
    assert sum(passed["sentiment"]) >= 22


def test_it_tells_whether_an_answer_complies(pico: LanguageModel) -> None:
    """Chance is one half; the answer was written elsewhere, so it cannot know it from having meant to comply."""
    texts = {"formal": "We are pleased to inform you of the result.", "informal": "Hey mate, it's gonna be awesome!"}
    for asked in texts:
        for level, text in texts.items():
            turns = [
                f"Write a note to a visitor. Use {'a' if asked == 'formal' else 'an'} {asked} style.",
                text,
                "Check.",
            ]
            messages = [{"role": ("user", "assistant")[i % 2], "content": turn} for i, turn in enumerate(turns)]
            [answer] = pico.generate([pico.encode(messages)], [0], temperature=0.0, max_new_tokens=16)
            assert answer.text == f"register: {level}, {'yes' if asked == level else 'no'}"


def test_it_ends_its_answers(pico: LanguageModel) -> None:
    prompts = [pico.encode(prompt.text) for prompt in base_prompts()[:16]]
    reasons = [answer.finish_reason for answer in pico.generate(prompts, range(16), max_new_tokens=200)]
    assert reasons.count("stop") >= 15
