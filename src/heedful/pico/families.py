"""The three architectures of the embedded models, at one size: what a family is made of, in transformers' own classes.

Same widths, depth, vocabulary and data for all, so that what a study finds to differ between them is the architecture
(and the draw of the seed), never the scale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)


def _llama(sizes: dict[str, Any]) -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(**sizes))


def _gemma(sizes: dict[str, Any]) -> PreTrainedModel:
    head_dim = sizes["hidden_size"] // sizes["num_attention_heads"]
    # Soft-capped logits, norms before and after each block's halves, every second layer with a sliding window.
    return Gemma2ForCausalLM(
        Gemma2Config(
            **sizes,
            head_dim=head_dim,
            query_pre_attn_scalar=head_dim,
            sliding_window=sizes["max_position_embeddings"] // 4,
        )
    )


def _qwen(sizes: dict[str, Any]) -> PreTrainedModel:
    return Qwen2ForCausalLM(Qwen2Config(**sizes))


FAMILIES: dict[str, Callable[[dict[str, Any]], PreTrainedModel]] = {"llama": _llama, "gemma": _gemma, "qwen": _qwen}


def new_model(family: str, sizes: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """A randomly initialised model of a family, with the tokenizer's vocabulary; seed torch beforehand."""
    return FAMILIES[family](
        sizes
        | {
            "vocab_size": len(tokenizer),
            "tie_word_embeddings": True,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }
    )
