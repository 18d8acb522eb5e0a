"""What a study would take: sensible numbers from a configuration, with no weights anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heedful.config import study_settings
from heedful.errors import InputError, ModelError
from heedful.models import load
from heedful.models.cost import Cost, estimate
from heedful.pipeline import cost as cost_module
from heedful.pipeline.cost import StudyCost, study_cost

from .conftest import answered

LLAMA_8B = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "tie_word_embeddings": False, "dtype": "bfloat16",
}  # fmt: skip


@pytest.fixture
def llama(tmp_path: Path) -> str:
    """A folder with the configuration of Llama-3.1-8B and nothing else."""
    (tmp_path / "llama").mkdir()
    (tmp_path / "llama" / "config.json").write_text(json.dumps(LLAMA_8B))
    return str(tmp_path / "llama")


def cost_of(model: str, **settings: Any) -> StudyCost:
    return study_cost(study_settings(model, device="cpu", **settings))


def test_an_8b_model_is_sized_from_its_configuration(llama: str) -> None:
    cost = cost_of(llama, dtype="bfloat16")
    assert cost.parameters == 8_030_261_248
    assert (cost.dtype, cost.device) == ("bfloat16", "cpu")
    # Nine tasks: 400 natural answers each, 6 bare ones to each of 120 base prompts, and 6 elicited ones for five tasks.
    assert (cost.responses_low, cost.responses_high) == (9 * 400 + 720, 9 * 400 + 720 + 5 * 720)
    # 40 prompts a task: undisturbed, under an eraser and two controls of each of nine tasks, and under a task's own two steps.
    assert cost.interventions == 360 * (1 + 27 + 2)
    # Natural rows with their instruction and without, squares, and at most every pooled answer without its own.
    assert cost.rows == 9 * (2 * 400 + 4 * 200) + 720 + 5 * 720
    assert (cost.sites, cost.positions) == (33, 12)
    assert cost.disk_bytes == cost.rows * 33 * 12 * 4096 * 2
    assert 15 < cost.memory_bytes / 2**30 < 25
    assert cost.tokens_low < cost.tokens_high
    assert 3600 < cost.seconds_low < cost.seconds_high


def test_the_assumption_is_named(llama: str) -> None:
    cost = cost_of(llama, dtype="bfloat16", max_new_tokens=100)
    assert cost.assumes.startswith("low: answers end after 25 tokens (a quarter of --max-new-tokens)")
    assert "high: answers take all 100" in cost.assumes
    shown = cost.describe()
    assert "8,030.3 M parameters, bfloat16 on cpu" in shown
    assert "answers   4,320 to 7,920" in shown
    assert cost.assumes in shown
    assert json.loads(json.dumps(cost.to_dict(), allow_nan=False))["rows"] == cost.rows


def test_what_it_cannot_tell_is_told() -> None:
    assert cost_of("pico-llama").cannot_tell == ()
    small = cost_of("pico-llama", squares=24, samples=99, tasks=["json"], positions=["response[-257]", "eos"])
    assert [each.split(":")[0] for each in small.cannot_tell] == [
        "99 natural answers of a task",
        "24 contrast squares a task",
        "tasks asked for",
        "response[-257]",
    ]
    assert all(each in small.describe() for each in small.cannot_tell)
    enough = cost_of(
        "pico-llama", squares=25, samples=100, positions=["response[255]", "response[-256]", "response[99%]"]
    )
    assert enough.cannot_tell == ()


@pytest.mark.parametrize("asked", [None, 5000])
def test_batches_are_those_of_the_model_that_would_be_loaded(
    monkeypatch: pytest.MonkeyPatch, asked: int | None
) -> None:
    batches = []

    def noted(config: Any, **sizes: Any) -> Cost:
        batches.append(sizes["batch"])
        return estimate(config, **sizes)

    monkeypatch.setattr(cost_module, "estimate", noted)
    cost_of("pico-llama", batch_tokens=asked)
    model = load("pico-llama", device="cpu", batch_tokens=asked, check=False)
    assert batches
    assert {*batches} == {(model.batch_tokens, model.generation_tokens)}


def test_less_asked_takes_less() -> None:
    whole = cost_of("pico-llama")
    part = cost_of("pico-llama", tasks=["word_count"], squares=0, samples=50, positions=["eos"], sites=["embed"])
    assert (part.responses_low, part.responses_high, part.rows, part.sites) == (50, 50, 100, 1)
    assert part.disk_bytes == 100 * 192 * 4
    assert part.seconds_high < whole.seconds_low


def test_recorded_answers_are_only_read(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in answered()))
    cost = cost_of("pico-llama", responses_file=path)
    assert (cost.responses_low, cost.responses_high, cost.rows) == (0, 0, 100)
    assert cost.tokens_low == cost.tokens_high < 100 * 60
    assert "as the file has them" in cost.assumes
    said = cost.describe()
    assert said.endswith("To take less: fewer --positions, or every other one of the --sites.")
    assert not any(flag in said for flag in ("--samples", "--squares", "--behaviour-prompts"))
    assert "--samples, --squares or --positions" in cost_of("pico-llama").describe()


def test_what_the_study_would_refuse_is_refused(llama: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no site block\.32\.out\n  → choose among embed, block\.0\.out, "):
        cost_of(llama, sites=["block.32.out"])
    with pytest.raises(ModelError, match="there is no folder"):
        cost_of(str(tmp_path / "nowhere"))


def test_extras_replay_the_rows_once_more_in_a_second_model(llama: str) -> None:
    plain, more = (cost_of(llama, dtype="bfloat16", extras=extras) for extras in (False, True))
    assert (more.rows, more.responses_high) == (plain.rows, plain.responses_high)
    per_row = plain.tokens_high / (plain.rows + plain.responses_high + plain.interventions)
    assert more.tokens_high - plain.tokens_high == pytest.approx(plain.rows * per_row)
    assert more.memory_bytes - plain.memory_bytes == 2 * plain.parameters
    assert more.disk_bytes == 2 * plain.disk_bytes  # at most: where a task's folds choose every position
