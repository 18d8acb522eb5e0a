"""The pico models' own byte-level BPE tokenizer and chat template, trained on what the grammar draws.

Numbers up to three digits are one token each, so that a bound is one thing to compare with. A word is the same token
after a space and after a quotation mark or bracket (where a joiner stands for the missing space), so that the word of
`Use the word "lamp"`, of `The lamp is lit` and of `{"lamp": 1}` is one thing to look for.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from heedful.pico.dialogues import Mixture, draw_dialogue
from heedful.pico.pool import Pool

PAD, BOS, USER, ASSISTANT, END = SPECIALS = ("<|pad|>", "<|bos|>", "<|user|>", "<|assistant|>", "<|end|>")

CHAT_TEMPLATE = (
    "{{ '<|bos|>' }}{% for message in messages %}"
    "{% if message.role not in ('user', 'assistant') %}{{ raise_exception('only user and assistant turns') }}{% endif %}"
    "{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
_PIECES = Regex(r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
_LARGEST_NUMBER = 400
_JOINER = "\ue000"
_UNSPACED_WORD = Regex(r"(?<=[^\s\p{L}\p{N}'])(?=\p{L})")


def train_tokenizer(pool: Pool, mixture: Mixture, vocab_size: int, texts: int, seed: int) -> PreTrainedTokenizerFast:
    """A tokenizer of `vocab_size` tokens from `texts` dialogues over a pool."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(_UNSPACED_WORD, f"{_JOINER} ")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_PIECES, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteLevel(), decoders.Replace(f"{_JOINER} ", ""), decoders.Replace(_JOINER, "")]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )

    def corpus() -> Iterator[str]:
        rng = random.Random(seed)
        for _ in range(texts):
            yield from (turn.content for turn in draw_dialogue(rng, pool, mixture))
        for n in range(_LARGEST_NUMBER + 1):
            yield from (f"{n}" for _ in range(200))

    tokenizer.train_from_iterator(corpus(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=END,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )
