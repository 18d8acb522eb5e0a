"""Training: ids are those of the chat template, loss counts what it should, a stopped run goes on as if it had not."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.errors import InputError
from heedful.pico.dialogues import Turn, draw_dialogue
from heedful.pico.encoding import Encoder, padded_batches
from heedful.pico.families import FAMILIES, new_model
from heedful.pico.pool import Pool, draw_pool
from heedful.pico.tokenizer import train_tokenizer
from heedful.pico.train import Steps, head_of, learning_rate, main, mixture_at, optimizers, recipe, train, weighted_loss

MIXTURE = mixture_at(0, recipe()["stages"])
SIZES = recipe()["model"] | {
    "hidden_size": 24, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def pool() -> Pool:
    """Smaller than that of the other tests."""
    return draw_pool(3, 120)


@pytest.fixture(scope="module")
def tokenizer(pool: Pool) -> Any:
    return train_tokenizer(pool, MIXTURE, 900, 100, seed=0)


def test_ids_are_those_of_the_chat_template(tokenizer: Any) -> None:
    turns = [Turn("user", "Write a note.", 0.0), Turn("assistant", "Hello there!", 1.0), Turn("user", "Check.", 0.0)]
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    encoded = Encoder(tokenizer)(turns)
    *conversation, next_one = encoded.ids
    assert conversation == tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"]
    assert next_one == tokenizer.bos_token_id
    assert len(encoded.weights) == len(encoded.ids)


def test_the_weight_of_a_turn_is_on_its_words_and_its_end(tokenizer: Any) -> None:
    encoded = Encoder(tokenizer)([Turn("user", "Write.", 0.0), Turn("assistant", "Fine", 2.0)])
    learnt = [token for token, weight in zip(encoded.ids, encoded.weights, strict=True) if weight]
    assert tokenizer.decode(learnt) == "Fine<|end|>"


def test_what_comes_after_an_answer_is_learnt_where_it_is_told(tokenizer: Any) -> None:
    user, answer = Turn("user", "Write.", 0.0), Turn("assistant", "Fine", 0.0, outcome=5.0)
    for turns, expected in ([user, answer], "<|bos|>"), ([user, answer, user], "<|user|>"):
        encoded = Encoder(tokenizer)(turns)
        learnt = [token for token, weight in zip(encoded.ids, encoded.weights, strict=True) if weight == 5.0]
        assert tokenizer.decode(learnt) == expected


def test_numbers_up_to_three_digits_are_one_token(tokenizer: Any, pool: Pool) -> None:
    large = train_tokenizer(pool, MIXTURE, 2500, 100, seed=0)
    assert all(len(large.encode(str(n))) == 1 for n in range(0, 400, 7))


@pytest.mark.parametrize(
    "text", ['Use "lamp".', '{"lamp": "A lamp isn\'t on."}', "“lamp” (lamp) lamp/lamp 3rd", "don't", '日本"語', " x"]
)
def test_every_text_comes_back(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_word_is_the_same_tokens_in_quotes(tokenizer: Any) -> None:
    plain, quoted = (tokenizer(text)["input_ids"] for text in ("the lamp.", 'the "lamp".'))
    [word] = [tokenizer(" lamp")["input_ids"]]
    for ids in (plain, quoted):
        assert any(ids[i : i + len(word)] == word for i in range(len(ids)))


def test_the_same_step_has_the_same_data(tokenizer: Any, pool: Pool) -> None:
    settings = {"seed": 0, "stages": recipe()["stages"], "optimizer": {"batch": 6, "microbatches": 2}}
    steps = Steps(settings, tokenizer, pool)
    first, again, other = steps[4], steps[4], steps[5]
    assert len(first) == 2
    assert all(torch.equal(a.ids, b.ids) for a, b in zip(first, again, strict=True))
    assert not all(a.ids.shape == b.ids.shape and torch.equal(a.ids, b.ids) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_is_the_weighted_sum_of_cross_entropies(tokenizer: Any, family: str, pool: Pool) -> None:
    torch.manual_seed(0)
    model: Any = new_model(family, SIZES, tokenizer)
    rng = random.Random(0)
    [batch] = padded_batches(Encoder(tokenizer), [draw_dialogue(rng, pool, MIXTURE) for _ in range(4)], 1)
    loss, kinds = weighted_loss(model.model, head_of(model), batch, (tokenizer.bos_token_id,))
    log_p = model(input_ids=batch.ids).logits[:, :-1].log_softmax(-1)
    naive = -(log_p.gather(-1, batch.ids[:, 1:, None]).squeeze(-1) * batch.weights[:, 1:]).sum()
    torch.testing.assert_close(loss, naive, rtol=1e-4, atol=1e-3)
    assert set(kinds) == {"response", "check", "outcome"}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_has_one_optimizer(tokenizer: Any, family: str) -> None:
    model = new_model(family, SIZES, tokenizer)
    stepped = optimizers(model, recipe()["optimizer"])
    held = [p for optimizer in stepped for group in optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in held} == {id(p) for p in model.parameters()}
    assert len(held) == len({id(p) for p in held})


def test_families_are_what_their_names_say(tokenizer: Any) -> None:
    made = {family: type(new_model(family, SIZES, tokenizer)).__name__ for family in FAMILIES}
    assert made == {"llama": "LlamaForCausalLM", "gemma": "Gemma2ForCausalLM", "qwen": "Qwen2ForCausalLM"}


def test_a_pool_comes_back_from_its_file(tmp_path: Path, pool: Pool) -> None:
    pool.save(tmp_path / "pool.jsonl")
    again = Pool.read(tmp_path / "pool.jsonl")
    assert again.texts == pool.texts
    assert again.agreement == pool.agreement


def test_a_pool_does_not_depend_on_who_draws_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heedful.pico.pool._CHUNK", 40)
    alone, together = draw_pool(1, 150), draw_pool(1, 150, workers=2)
    assert alone.texts == together.texts
    assert alone.agreement == together.agreement


def test_stages_follow_one_another() -> None:
    stages = [MIXTURE._asdict() | {"from": 10, "stated": 4}, MIXTURE._asdict() | {"from": 0}]
    assert [mixture_at(step, stages).stated for step in (0, 9, 10, 99)] == [MIXTURE.stated] * 2 + [4] * 2


def test_the_learning_rate_warms_up_stays_and_decays_to_nothing() -> None:
    optimizer = {"steps": 100, "lr": 1.0, "warmup": 10, "decay": 0.2}
    assert learning_rate(0, optimizer) == pytest.approx(0.1)
    assert learning_rate(50, optimizer) == 1.0
    assert learning_rate(90, optimizer) == pytest.approx(0.5)
    assert learning_rate(100, optimizer) == 0.0


def test_the_pool_reports_how_often_verifiers_see_what_was_meant(pool: Pool) -> None:
    assert set(pool.agreement) == {"topic", "sentiment", "register", "toxicity"}
    assert all(0.6 < share <= 1 for share in pool.agreement.values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_stopped_run_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    settings = recipe() | {"compile": False, "tokenizer": {"vocab_size": 900, "texts": 40}, "model": SIZES}
    settings["data"] = {"pool": 60}
    settings["optimizer"] |= {"steps": 4, "batch": 4, "microbatches": 2}
    settings["evaluate"] = {"every": 3, "per_task": 2}
    train(tmp_path / "whole", settings, "qwen", data=tmp_path / "data")
    train(tmp_path / "halves", settings, "qwen", data=tmp_path / "data", stop_at=2)
    train(tmp_path / "halves", settings, "qwen", data=tmp_path / "data")
    whole, halves = (torch.load(tmp_path / run / "checkpoint.pt", weights_only=True) for run in ("whole", "halves"))
    measured = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in measured if "revised" in row] == [3, 4]
    assert whole["step"] == halves["step"] == 4
    for name, value in whole["model"].items():
        torch.testing.assert_close(value, halves["model"][name])


@pytest.mark.filterwarnings("ignore")
def test_a_run_of_another_family_is_refused_and_a_finished_one_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tokenizer: Any, pool: Pool
) -> None:
    settings = recipe() | {"compile": False, "model": SIZES}
    settings["optimizer"] |= {"steps": 1, "batch": 2, "microbatches": 1}
    settings["evaluate"] = {"every": 9, "per_task": 2}
    pool.save(tmp_path / "pool.jsonl")
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    for _ in range(2):
        train(tmp_path / "run", settings, "llama", data=tmp_path, text_only=True)
    assert "has 1 steps already: nothing to do up to step 1" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"holds a run of llama[\s\S]*an --out of its own"):
        train(tmp_path / "run", settings, "qwen", data=tmp_path)
    assert sys.float_info.min / 2 > 0, "subnormal floats are the process's to flush, not train()'s"


def test_stressed_words_weigh_more_and_only_they(tokenizer: Any) -> None:
    turns = [Turn("user", "Use lamp.", 0.0), Turn("assistant", "A lamp, no lampshade.", 1.0, ("lamp",))]
    encoded = Encoder(tokenizer)(turns)
    heavy = [token for token, weight in zip(encoded.ids, encoded.weights, strict=True) if weight > 1]
    assert tokenizer.decode(heavy).strip() == "lamp"


def test_help_teaches(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["train", "--help"])
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr().out
    assert all(each in shown for each in ("--family", "llama", "gemma", "qwen", "--text-only", "--stop-at"))
