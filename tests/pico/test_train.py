"""Training: ids are those of the chat template, loss counts what it should, a stopped run goes on as if it had not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.pico.dialogues import Turn
from heedful.pico.encoding import Encoder, step_batches
from heedful.pico.pool import draw_pool
from heedful.pico.tokenizer import train_tokenizer
from heedful.pico.train import learning_rate, recipe, train, weighted_loss

POOL = draw_pool(3, 60)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer(POOL.texts, 900, 100, seed=0)


def test_ids_are_those_of_the_chat_template(tokenizer: Any) -> None:
    turns = [Turn("user", "Write a note.", 0.0), Turn("assistant", "Hello there!", 1.0), Turn("user", "Check.", 0.0)]
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    encoded = Encoder(tokenizer)(turns)
    assert encoded.ids == tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"]
    assert encoded.ids.count(tokenizer.bos_token_id) == 1


def test_the_weight_of_a_turn_is_on_its_words_and_its_end(tokenizer: Any) -> None:
    encoded = Encoder(tokenizer)([Turn("user", "Write.", 0.0), Turn("assistant", "Fine", 2.0)])
    learnt = [token for token, weight in zip(encoded.ids, encoded.weights, strict=True) if weight]
    assert tokenizer.decode(learnt) == "Fine<|end|>"


def test_numbers_up_to_three_digits_are_one_token(tokenizer: Any) -> None:
    large = train_tokenizer(POOL.texts, 2500, 100, seed=0)
    assert all(len(large.encode(str(n))) == 1 for n in range(0, 400, 7))


def test_the_same_step_has_the_same_data(tokenizer: Any) -> None:
    encoder = Encoder(tokenizer)
    first, again, other = (step_batches(encoder, POOL.texts, 0, step, 6, 2, 5.0) for step in (4, 4, 5))
    assert all(torch.equal(a.ids, b.ids) for a, b in zip(first, again, strict=True))
    assert not all(a.ids.shape == b.ids.shape and torch.equal(a.ids, b.ids) for a, b in zip(first, other, strict=True))


def test_the_loss_is_the_weighted_sum_of_cross_entropies(tokenizer: Any) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    model = LlamaForCausalLM(config)
    [batch] = step_batches(Encoder(tokenizer), POOL.texts, 0, 1, 4, 1, 5.0)
    loss, _ = weighted_loss(model.model, model.lm_head, batch)
    log_p = model(input_ids=batch.ids).logits[:, :-1].log_softmax(-1)
    naive = -(log_p.gather(-1, batch.ids[:, 1:, None]).squeeze(-1) * batch.weights[:, 1:]).sum()
    torch.testing.assert_close(loss, naive, rtol=1e-4, atol=1e-3)


def test_the_learning_rate_warms_up_stays_and_decays_to_nothing() -> None:
    optimizer = {"steps": 100, "lr": 1.0, "warmup": 10, "decay": 0.2}
    assert learning_rate(0, optimizer) == pytest.approx(0.1)
    assert learning_rate(50, optimizer) == 1.0
    assert learning_rate(90, optimizer) == pytest.approx(0.5)
    assert learning_rate(100, optimizer) == 0.0


def test_the_pool_reports_how_often_verifiers_see_what_was_meant() -> None:
    assert set(POOL.agreement) == {"topic", "sentiment", "register", "toxicity"}
    assert all(0.6 < share <= 1 for share in POOL.agreement.values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_stopped_run_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    settings = recipe() | {"compile": False, "tokenizer": {"vocab_size": 900, "texts": 40}}
    settings["data"] = {"pool": 30, "refresh_steps": 100, "check_weight": 5.0}
    settings["model"] |= {"hidden_size": 24, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    settings["model"]["num_key_value_heads"] = 2
    settings["optimizer"] |= {"steps": 4, "batch": 4, "microbatches": 2}
    train(tmp_path / "whole", settings)
    half = json.loads(json.dumps(settings))
    train(tmp_path / "halves", half, stop_at=2)
    train(tmp_path / "halves", settings)
    whole, halves = (torch.load(tmp_path / run / "checkpoint.pt", weights_only=True) for run in ("whole", "halves"))
    assert whole["step"] == halves["step"] == 4
    for name, value in whole["model"].items():
        torch.testing.assert_close(value, halves["model"][name])


def test_stressed_words_weigh_more_and_only_they(tokenizer: Any) -> None:
    turns = [Turn("user", "Use lamp.", 0.0), Turn("assistant", "A lamp, no lampshade.", 1.0, ("lamp",))]
    encoded = Encoder(tokenizer)(turns)
    heavy = [token for token, weight in zip(encoded.ids, encoded.weights, strict=True) if weight > 1]
    assert tokenizer.decode(heavy).strip() == "lamp"
