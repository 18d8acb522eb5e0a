"""Tiny models of eight architectures, with random weights and a real tokenizer, saved as checkpoints are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from heedful.models import LanguageModel

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% if enable_thinking is defined and not enable_thinking %}"
    "<think></think>{% endif %}{% endif %}"
)
VOCABULARY = 320

_SHARED = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,  # large enough that a wrong mask or position shows
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_GEMMA = {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 8, "hidden_activation": "gelu_pytorch_tanh"}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": _SHARED,
    "qwen2": _SHARED,
    "qwen3": {**_SHARED, "head_dim": 8},
    "gemma2": {**_SHARED, **_GEMMA, "final_logit_softcapping": 5.0},
    "gemma3_text": {**_SHARED, **_GEMMA},
    "mistral": {**_SHARED, "sliding_window": 8},
    "phi3": _SHARED,
    "gpt2": {
        **{
            key: value
            for key, value in _SHARED.items()
            if "token_id" in key or key in ("vocab_size", "initializer_range")
        },
        "n_embd": 32,
        "n_layer": 3,
        "n_head": 4,
        "n_positions": 128,
    },
}


# Linear attention in some layers: a cache of its own kind. Not in ARCHITECTURES: padding on the right disturbs it.
_HYBRID = {
    **_SHARED,
    "head_dim": 8,
    "layer_types": ["linear_attention", "full_attention", "linear_attention"],
    "num_experts": 0,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}


def make_tokenizer(*, template: str | None = CHAT_TEMPLATE, **special: Any) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on next to nothing: any text survives a round trip."""
    backend = Tokenizer(models.BPE(unk_token=None))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    names = ["<pad>", "<s>", "</s>", "<think>", "</think>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=names[:3],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(["the cat sat on the mat and the dog sat on the cat"] * 4, trainer)
    backend.add_tokens(names[3:])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, **{"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", **special}
    )
    tokenizer.chat_template = template
    return tokenizer


def make_model(architecture: str, dtype: torch.dtype = torch.float32, **changes: Any) -> Any:
    """A causal LM with random weights; the same each time."""
    settings = {**ARCHITECTURES, "qwen3_next": _HYBRID}[architecture]
    config = AutoConfig.for_model(architecture, **{**settings, **changes})
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).to(dtype)


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny tensors gain nothing from threads, and on a busy machine lose a factor of ten to them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer()


@pytest.fixture(scope="session")
def language_model(tokenizer: PreTrainedTokenizerFast) -> Callable[..., LanguageModel]:
    """Makes a tiny `LanguageModel` of an architecture and a dtype."""

    def make(architecture: str = "llama", dtype: torch.dtype = torch.float32, **options: Any) -> LanguageModel:
        return LanguageModel(make_model(architecture, dtype), tokenizer, name=architecture, **options)

    return make


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A tiny Llama as `save_pretrained` writes it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    make_model("llama").save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
