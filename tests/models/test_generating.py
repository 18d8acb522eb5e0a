"""Sampling is exact, seeded by row, and independent of the batch; chat prompts are what the template says."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.conftest import ARCHITECTURES, make_model, make_tokenizer
from transformers import LlamaForCausalLM

from heedful.errors import InputError, ModelError
from heedful.models import LanguageModel
from heedful.models.chat import NO_TEMPLATE, Chat
from heedful.models.decoding import sample
from heedful.models.sampling import Sampling, gumbel, nucleus
from heedful.models.thinking import MARKS, Marks

Maker = Callable[..., LanguageModel]
PROMPTS = [[1, 30, 40], [1, 31], [1, 32, 42, 52, 62, 72, 82, 92, 50], [1], [1, 30, 40]]
SEEDS = [7, 8, 9, -10, 2**80 + 3]


def naive(model: Any, prompt: list[int], seed: int, steps: int, eos: Collection[int], temperature: float) -> list[int]:
    """One row, no cache, no padding: the whole row again for every token."""
    ids = list(prompt)
    for step in range(steps):
        with torch.no_grad():
            scores = model(torch.tensor([ids]), use_cache=False).logits[0, -1].float()
        if temperature:
            scores = scores / temperature + gumbel([(seed, step)], len(scores))[0]
        token = int(scores.argmax())
        if token in eos:
            break
        ids.append(token)
    return ids[len(prompt) :]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_batched_generation_is_the_naive_loop(language_model: Maker, architecture: str) -> None:
    model = language_model(architecture)
    for temperature in (0.0, 1.0):
        answers = model.generate(PROMPTS, SEEDS, temperature=temperature, max_new_tokens=12)
        for prompt, seed, answer in zip(PROMPTS, SEEDS, answers, strict=True):
            expected = naive(model._model, prompt, seed, 12, [2], temperature)
            assert list(answer.token_ids) == expected
            assert answer.finish_reason == ("length" if len(expected) == 12 else "stop")
            assert (answer.eos_id is None) == (answer.finish_reason == "length")


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "gpt2", "qwen3_next"])
def test_prompts_that_wait_take_the_places_of_rows_that_ended(architecture: str) -> None:
    # Many rows that end early, and a sliding window that all of them pass; qwen3_next's rows cannot be joined.
    model = make_model(architecture).eval()
    prompts = [[1, *range(30, 30 + n % 11)] for n in range(17)]
    eos_ids = {2, *range(100, 130)}
    alone = [naive(model, prompt, seed, 20, eos_ids, 1.0) for seed, prompt in enumerate(prompts)]
    assert len({len(ids) for ids in alone}) > 5
    for at_once in (1, 2, 4):
        budget = 30 * at_once + 29
        drawn = sample(
            model, prompts, range(17), Sampling(max_new_tokens=20), eos_ids=eos_ids, pad_id=0, batch_tokens=budget
        )
        assert [list(row.token_ids) for row in drawn] == alone, at_once
        assert [row.eos_id is None for row in drawn] == [len(ids) == 20 for ids in alone]


def test_a_response_depends_on_prompt_and_seed_alone(tokenizer: Any) -> None:
    # A flat distribution: any difference in noise would show at once. In f64 no rounding can.
    model = LanguageModel(
        make_model("llama", torch.float64, initializer_range=0.02), tokenizer, name="flat", batch_tokens=100
    )
    prompts, seeds = PROMPTS * 2, list(range(10))
    together = model.generate(prompts, seeds, max_new_tokens=10)
    alone = [model.generate([p], [s], max_new_tokens=10)[0] for p, s in zip(prompts, seeds, strict=True)]
    backwards = model.generate(prompts[::-1], seeds[::-1], max_new_tokens=10)[::-1]
    assert together == alone == backwards
    assert len({answer.token_ids for answer in together}) == 10
    assert together != model.generate(prompts, [s + 1 for s in seeds], max_new_tokens=10)
    model.generation_tokens = 60  # a smaller budget only regroups
    assert model.generate(prompts, seeds, max_new_tokens=10) == together


@pytest.mark.parametrize(
    "settings", [{"max_new_tokens": 12}, {"temperature": 0.0, "max_new_tokens": 1}, {"top_p": 0.5, "max_new_tokens": 9}]
)
def test_a_stream_grows_and_ends_as_the_answer(tokenizer: Any, settings: dict[str, Any]) -> None:
    model = LanguageModel(make_model("llama", torch.float64, initializer_range=0.02), tokenizer, name="flat")
    [whole] = model.generate([PROMPTS[0]], [3], **settings)
    steps = list(model.stream(PROMPTS[0], 3, **settings))
    assert steps[-1] == whole
    assert all(step.finish_reason is None for step in steps[:-1])
    assert [len(step.token_ids) for step in steps[:-1]] == list(range(1, len(steps)))
    assert all(whole.token_ids[: len(step.token_ids)] == step.token_ids for step in steps)


def test_noise_is_standard_gumbel_and_exact_sampling() -> None:
    noise = gumbel([(seed, 3) for seed in range(400)], 1000)
    assert noise.isfinite().all()
    # P(G < x) = exp(-exp(-x)); Kolmogorov–Smirnov distance below the 1e-6 level for 400,000 draws
    ordered = noise.flatten().double().sort().values
    cdf = torch.exp(-torch.exp(-ordered))
    uniform = (torch.arange(len(cdf)) + 0.5) / len(cdf)
    assert (cdf - uniform).abs().max() < 2.7 / len(cdf) ** 0.5
    # Neighbouring seeds, steps and tokens are uncorrelated.
    neighbours = [[(seed + 1, 3) for seed in range(400)], [(seed, 4) for seed in range(400)]]
    for other in (*(gumbel(draws, 1000) for draws in neighbours), noise.roll(1, 1)):
        correlation = torch.corrcoef(torch.stack([noise.flatten(), other.flatten()]))[0, 1]
        assert abs(correlation) < 5 / 400_000**0.5
    scores = torch.tensor([2.0, 1.0, 0.0, -1.0, -3.0])
    draws = (scores + gumbel([(seed, 0) for seed in range(50_000)], 5)).argmax(-1)
    frequency = torch.bincount(draws, minlength=5) / len(draws)
    assert ((frequency - scores.softmax(-1)).abs() < 5 * (scores.softmax(-1) / len(draws)).sqrt()).all()


@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=12), st.floats(0.01, 1.0, exclude_max=True))
@settings(max_examples=60)
def test_the_nucleus_is_the_smallest_set_with_the_probability(scores: list[float], top_p: float) -> None:
    kept = nucleus(torch.tensor([scores]), top_p)[0].isfinite()
    probabilities = torch.tensor(scores).softmax(-1)
    assert kept.any()
    assert float(probabilities[kept].sum()) >= top_p - 1e-5
    assert float(probabilities[kept].sum() - probabilities[kept].min()) < top_p + 1e-5
    assert not (~kept).any() or probabilities[kept].min() >= probabilities[~kept].max()


def test_generation_settings_of_the_checkpoint_do_not_creep_in(tokenizer: Any) -> None:
    hf = make_model("llama")
    plain = LanguageModel(make_model("llama"), tokenizer, name="plain")
    hf.generation_config.repetition_penalty = 5.0
    hf.generation_config.eos_token_id = [2, 5]
    model = LanguageModel(hf, tokenizer, name="opinionated")
    assert model.eos_ids == (2, 5)
    model.eos_ids = plain.eos_ids
    assert model.generate(PROMPTS, SEEDS, max_new_tokens=10) == plain.generate(PROMPTS, SEEDS, max_new_tokens=10)


def test_a_copy_ends_its_responses_as_the_model_does(tokenizer: Any) -> None:
    hf = make_model("llama")
    hf.generation_config.eos_token_id = [5, 2, 7]
    model = LanguageModel(hf, tokenizer, name="chat", check=False)
    for copy in (model.twin(), model.untrained(), model.twin().twin()):
        assert copy.eos_ids == (5, 2, 7)


def test_an_answer_of_anothers_ends_as_the_template_ends_turns(tokenizer: Any) -> None:
    hf = make_model("llama")
    hf.generation_config.eos_token_id = [
        5,
        2,
        1,
    ]  # as of Llama 3 and Gemma: the end of the text before the end of the turn
    answered = "{{ bos_token }}{% for m in messages %}{{ m['content'] }}</s>{% endfor %}"
    thinks = answered + "{% if add_generation_prompt %}<think>\n\n</think>\n\n{% else %}{{ bos_token }}{% endif %}"
    refuses = "{% if messages | length > 1 %}{{ raise_exception('one turn') }}{% endif %}!"
    for template, expected in (
        (answered, 2),
        (thinks, 2),
        ("{{ messages[0]['content'] }}", 5),
        (refuses, 5),
        (None, 5),
    ):
        model = LanguageModel(make_model("llama"), make_tokenizer(template=template), name="chat", check=False)
        assert model.eos_id == 2  # the only one
        hf.generation_config.eos_token_id = [5, 2, 1]
        assert LanguageModel(hf, make_tokenizer(template=template), name="chat", check=False).eos_id == expected
    assert (
        LanguageModel(
            make_model("llama", eos_token_id=None), make_tokenizer(eos_token=None), name="endless", check=False
        ).eos_id
        is None
    )


class _OldCode(LlamaForCausalLM):
    """As a checkpoint's own code may be: it knows nothing of `logits_to_keep`."""

    def forward(
        self, input_ids, attention_mask=None, position_ids=None, past_key_values=None, use_cache=None, **outputs
    ):
        assert outputs.keys() <= {"output_hidden_states"}
        return super().forward(input_ids, attention_mask, position_ids, past_key_values, use_cache=use_cache, **outputs)


class _Forgetful(_OldCode):
    """It reads, and keeps nothing of it."""

    def forward(self, *args, **kwargs):
        output = super().forward(*args, **kwargs)
        output.past_key_values = None
        return output


def test_code_of_a_checkpoints_own_is_called_with_what_it_takes(tokenizer: Any) -> None:
    plain, old = make_model("llama"), make_model("llama")
    old.__class__ = _OldCode
    expected, found = (
        LanguageModel(each, tokenizer, name="own").generate(PROMPTS, SEEDS, max_new_tokens=6) for each in (plain, old)
    )
    assert found == expected


def test_a_model_that_keeps_nothing_to_go_on_from_is_refused_in_words(tokenizer: Any) -> None:
    hf = make_model("llama")
    hf.__class__ = _Forgetful
    with pytest.raises(ModelError, match=r"_Forgetful gives back no keys and values[\s\S]*--responses"):
        LanguageModel(hf, tokenizer, name="own").generate(PROMPTS, SEEDS, max_new_tokens=6)


def test_generation_halves_its_batch_when_memory_runs_out(language_model: Maker) -> None:
    model = language_model()
    whole = model.generate(PROMPTS, SEEDS, max_new_tokens=5)

    def at_most_two(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if len(kwargs["input_ids"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    handle = model._model.register_forward_pre_hook(at_most_two, with_kwargs=True)
    assert model.generate(PROMPTS, SEEDS, max_new_tokens=5) == whole
    handle.remove()


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        ([[1], [1]], {}, r"2 prompts, but 1 seeds"),
        ([[]], {}, r"prompt 0 is empty"),
        ([[1, 320]], {}, r"prompt 0 has token 320, and the model's vocabulary ends at 319"),
        ([[1]], {"temperature": -1.0}, r"temperature is -1.0[\s\S]*0 \(greedy\)"),
        ([[1]], {"top_p": 0.0}, r"top_p is 0.0"),
        ([[1]], {"max_new_tokens": 0}, r"max_new_tokens is 0"),
        ([[1]], {"max_new_tokens": 128}, r"prompt 0 has 1 tokens; with 128 new ones it passes the context of 128"),
    ],
)
def test_bad_generation_settings_are_said(
    language_model: Maker, prompts: list[list[int]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        language_model(check=False).generate(prompts, [0], **options)


# --- chat ---


def text(chat: Chat, ids: list[int]) -> str:
    return chat.raw(ids)


def test_the_prompt_is_the_template_with_one_bos(tokenizer: Any) -> None:
    chat = Chat(tokenizer)
    ids = chat.encode("the cat")
    assert text(chat, ids) == "<s><|user|>the cat</s><|assistant|>"
    assert ids.count(1) == 1
    assert ids == chat.encode([{"role": "user", "content": "the cat"}])
    assert text(chat, chat.encode("hi", system="sit")) == "<s><|system|>sit</s><|user|>hi</s><|assistant|>"
    assert text(chat, chat.encode("hi", thinking=False)).endswith("<|assistant|><think></think>")
    assert text(chat, chat.encode("hi", thinking=True)).endswith("<|assistant|>")
    assert chat.warnings == ()


REFUSES = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('No system role') }}"
    "{% endif %}[{{ m.content }}]{% endfor %}"
)
DROPS = "{{ bos_token }}{% for m in messages %}{% if m.role != 'system' %}[{{ m.content }}]{% endif %}{% endfor %}"


@pytest.mark.parametrize("template", [REFUSES, DROPS], ids=["refuses", "drops"])
def test_a_system_prompt_that_the_template_does_not_take_opens_the_user_turn(template: str) -> None:
    chat = Chat(make_tokenizer(template=template))
    assert text(chat, chat.encode("the cat", system="sit")) == "<s>[sit\n\nthe cat]"


def test_a_date_in_the_template_does_not_move_with_the_calendar() -> None:
    template = "{{ date_string if date_string is defined else strftime_now('%d %b %Y') }}{{ messages[0].content }}"
    chat = Chat(make_tokenizer(template=template))
    assert text(chat, chat.encode("!")) == "26 Jul 2024!"


def test_a_template_that_asks_for_the_time_is_told_the_same_each_day() -> None:
    head = "\n  {%- set day = strftime_now('%A, %-d %B %Y') %}\n[{{ day }} {{ strftime_now('%Y-%m-%d %H:%M') }}]\n"
    template = head + "{{ messages[0].content }}"
    chat = Chat(make_tokenizer(template=template))
    assert text(chat, chat.encode("!")) == "[Friday, 26 July 2024 2024-07-26 00:00]\n!"


@pytest.mark.parametrize("beginning", ["", "\n", "  ", "\n {% set x = 1 %}\n", "  {%- set x = 1 -%}\n"])
def test_a_stopped_clock_leaves_the_rest_of_the_template_as_it_is(beginning: str) -> None:
    said = [Chat(make_tokenizer(template=f"{beginning}a{end}")) for end in ("", "{# strftime_now #}")]
    assert said[0].encode("!") == said[1].encode("!")


def test_templates_of_which_none_is_the_default_are_refused() -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = {"rag": "", "tool_use": ""}
    with pytest.raises(ModelError, match=r"chat templates named rag, tool_use, and none by default"):
        Chat(tokenizer)


def test_without_a_template_the_prompt_is_plain_and_says_so() -> None:
    chat = Chat(make_tokenizer(template=None))
    assert text(chat, chat.encode("the cat", system="sit")) == "Instruction: sit\n\nthe cat\n\nResponse:"
    turns = [{"role": role, "content": role[0]} for role in ("user", "assistant", "user")]
    assert text(chat, chat.encode(turns)) == "Instruction: u\n\nResponse: a\n\nInstruction: u\n\nResponse:"
    assert chat.warnings == (NO_TEMPLATE,)
    assert chat.template_hash is None


def test_two_beginnings_of_sequence_are_refused() -> None:
    chat = Chat(make_tokenizer(template="{{ bos_token }}{{ bos_token }}{{ messages[0].content }}"))
    with pytest.raises(ModelError, match=r"two beginning-of-sequence tokens[\s\S]*chat template"):
        chat.encode("hi")


@pytest.mark.parametrize(
    ("messages", "system", "message"),
    [
        ([{"role": "assistant", "content": "hi"}], None, r"not a conversation: the roles are \['assistant'\]"),
        ([{"role": "user"}], None, r"not a conversation"),
        ([], None, r"does not end with the user"),
        (
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
            None,
            r"does not end with the user",
        ),
        ([{"role": "system", "content": "a"}, {"role": "user", "content": "b"}], "c", r"two system prompts"),
    ],
)
def test_what_is_no_conversation_is_said(tokenizer: Any, messages: Any, system: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Chat(tokenizer).encode(messages, system=system)


@pytest.mark.parametrize("marks", MARKS)  # the tiny tokenizer has the first as tokens, and spells the others
@pytest.mark.parametrize(
    ("prompt", "response", "answer"),
    [
        ("go", "the cat", "the cat"),
        ("go", "[opens]the dog[closes]\n\nthe cat", "the cat"),
        ("go[opens]\n", "the dog[closes]\n\nthe cat", "the cat"),
        ("go[opens][closes]", "the cat", "the cat"),
        ("go", "[opens]the dog", ""),
        ("go", "a [closes] in passing", "a [closes] in passing"),
        ("go", "", ""),
    ],
)
def test_thinking_is_not_the_answer(tokenizer: Any, marks: Marks, prompt: str, response: str, answer: str) -> None:
    prompt, response, answer = (
        part.replace("[opens]", marks.opens).replace("[closes]", marks.closes) for part in (prompt, response, answer)
    )
    prompt_ids, ids = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (prompt, response))
    start = Chat(tokenizer).answer_start(prompt_ids, ids)
    assert Chat(tokenizer).decode(ids[start:]) == answer
    assert (start > 0) == (answer != response)


def test_an_answer_that_is_opened_by_a_mark_begins_after_it(tokenizer: Any) -> None:
    """As gpt-oss answers where it has not thought."""
    ids = tokenizer("<|channel|>final<|message|>the cat", add_special_tokens=False)["input_ids"]
    assert Chat(tokenizer).decode(ids[Chat(tokenizer).answer_start([], ids) :]) == "the cat"
