"""The self-check passes sound models of every architecture, quickly, and refuses each kind of unsound one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.models.conftest import ARCHITECTURES, CHAT_TEMPLATE, VOCABULARY, make_model, make_tokenizer
from tokenizers import Regex, normalizers
from transformers import BertConfig, BertLMHeadModel

from heedful.errors import InputError, ModelError
from heedful.models import LanguageModel
from heedful.models.sites import find_blocks

Maker = Callable[..., LanguageModel]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["f32", "bf16"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sound_models_pass(language_model: Maker, architecture: str, dtype: torch.dtype) -> None:
    check = language_model(architecture, dtype).check
    assert check is not None
    assert check.hooks == 0
    assert max(check.batched, check.causal, check.log_p) < check.tolerance / 2
    assert check.seconds < 1


def test_a_model_that_ignores_positions_under_padding_is_refused(tokenizer: Any) -> None:
    model = make_model("gpt2")

    def misplace(_: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        ids = kwargs["input_ids"]
        shifted = kwargs["position_ids"] + (1 if len(ids) > 1 else 0)
        return args, {**kwargs, "position_ids": shifted}

    model.register_forward_pre_hook(misplace, with_kwargs=True)
    with pytest.raises(
        ModelError, match=r"self-check failed for GPT2LMHeadModel: hidden states of a padded batch differ"
    ):
        LanguageModel(model, tokenizer, name="x")


def test_a_model_whose_blocks_are_not_its_hidden_states_is_refused(tokenizer: Any) -> None:
    model = make_model("llama")
    with torch.no_grad():  # builds transformers' own hooks, so that ours come after the one below
        model(torch.tensor([[1, 2]]), output_hidden_states=True)
    find_blocks(model)[1].register_forward_hook(lambda _m, _a, output: output + 1)
    with pytest.raises(ModelError, match=r"not what transformers calls its hidden states[\s\S]*newest transformers"):
        LanguageModel(model, tokenizer, name="x")


def test_an_encoder_is_refused(tokenizer: Any) -> None:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        initializer_range=0.3,
    )  # fmt: skip
    with pytest.raises(ModelError, match=r"depend on later tokens: it is not a causal language model"):
        LanguageModel(BertLMHeadModel(config), tokenizer, name="bert")


def test_a_log_p_that_differs_is_refused(tokenizer: Any) -> None:
    model = make_model("llama")

    def sharpen(_: Any, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        return (args[0] * (2 if args[0].shape[0] > 1 else 1),)

    model.lm_head.register_forward_pre_hook(sharpen)
    with pytest.raises(ModelError, match=r"log-probabilities of a padded batch differ"):
        LanguageModel(model, tokenizer, name="x")


def test_overflow_is_named(tokenizer: Any) -> None:
    model = make_model("llama", torch.float16)
    model.model.layers[1].mlp.down_proj.weight.data.fill_(6e4)
    with pytest.raises(ModelError, match=r"overflows in float16[\s\S]*--dtype bfloat16"):
        LanguageModel(model, tokenizer, name="x")


def test_a_model_without_a_list_of_blocks_is_refused(tokenizer: Any) -> None:
    model = make_model("llama")
    model.config.num_hidden_layers = 7
    with pytest.raises(ModelError, match=r"no list of 7 blocks was found in LlamaForCausalLM"):
        LanguageModel(model, tokenizer, name="x")


def test_a_tokenizer_that_cannot_spell_the_check_is_no_obstacle() -> None:
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(Regex("[^A]+"), "")
    assert len(tokenizer("A ferry left", add_special_tokens=False)["input_ids"]) == 1
    assert LanguageModel(make_model("llama"), tokenizer, name="x").check is not None


def test_a_tokenizer_of_another_model_is_refused(tokenizer: Any) -> None:
    with pytest.raises(ModelError, match=r"the tokenizer makes tokens up to \d+ of plain text[\s\S]*ends at 99"):
        LanguageModel(make_model("llama", vocab_size=100), tokenizer, name="x")


def test_the_identity_names_all_that_decides_the_results(language_model: Maker, tokenizer: Any) -> None:
    identity = language_model("qwen3", torch.bfloat16, revision="abc").identity()
    assert json.loads(json.dumps(identity)) == identity
    assert identity["id"] == "qwen3"
    assert identity["revision"] == "abc"
    assert identity["architecture"] == "Qwen3ForCausalLM"
    assert identity["dtype"] == "bfloat16"
    assert identity["attention"] == "sdpa"
    assert identity["self_check"]["tolerance"] == 0.08
    other = LanguageModel(make_model("qwen3"), make_tokenizer(template=CHAT_TEMPLATE + " "), name="x", check=False)
    assert other.identity()["chat_template_sha256"] != identity["chat_template_sha256"]
    assert other.identity()["tokenizer_sha256"] == identity["tokenizer_sha256"]
    assert other.identity()["self_check"] is None
    assert identity["batch_tokens"] == 2048
    with pytest.raises(InputError, match="batch_tokens is 0"):
        LanguageModel(make_model("qwen3"), tokenizer, name="x", batch_tokens=0)
