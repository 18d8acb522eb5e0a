"""Reading equals transformers' own `output_hidden_states` of single, unpadded rows, in each architecture."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.models.conftest import ARCHITECTURES, make_model
from torch import Tensor

from heedful.errors import InputError, ModelError
from heedful.models import POSITIONS, LanguageModel, Replay, in_order
from heedful.models import reading as reading_module
from heedful.models.sites import find_blocks, site_names, watching

Maker = Callable[..., LanguageModel]

ROWS = [  # ragged on purpose; cut off, empty and thinking responses among them
    Replay([1, 30, 40, 50], [60, 70, 80], 2),
    Replay([1, 31], list(range(100, 140)), None),
    Replay([1, 32, 42, 52, 62, 72], [], 2),
    Replay([1], [90], None),
    Replay([1, 33, 43], [5, 6, 7, 8, 9], 2, answer_start=3),
    Replay([1, 34, 44, 54, 64], list(range(50, 70)), 2),
]
FINAL_NORM = {"gpt2": "ln_f"}
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 0.05}


def naive(model: Any, row: Replay) -> tuple[list[Tensor], Tensor]:
    """The obvious way: one row, no padding, every layer; the last block's output has gone through the final norm."""
    with torch.no_grad():
        output = model(torch.tensor([row.ids]), output_hidden_states=True, use_cache=False)
    return [state[0] for state in output.hidden_states], output.logits[0].float().log_softmax(-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["f32", "bf16"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_batched_reading_is_the_single_unpadded_row(
    language_model: Maker, architecture: str, dtype: torch.dtype
) -> None:
    model = language_model(architecture, dtype)
    hf = model._model
    norm = getattr(hf.get_decoder(), FINAL_NORM.get(architecture, "norm"))
    assert model.sites == ("embed", "block.0.out", "block.1.out", "block.2.out")
    read = model.read_all(ROWS, model.sites, POSITIONS, log_p=True)
    assert read.states.dtype == dtype
    assert read.log_p is not None
    assert read.log_p_eos is not None
    assert read.max_softmax is not None
    assert read.max_softmax_last is not None
    for index, row in enumerate(ROWS):
        hidden, log_probs = naive(hf, row)
        valid = read.valid[:, index]
        at = read.token_index[valid, index]
        assert read.token_ids[valid, index].tolist() == [row.ids[i] for i in at.tolist()]
        states = read.states[:, valid, index]
        seen = [*states[:-1], norm(states[-1])]
        for ours, theirs in zip(seen, hidden, strict=True):
            error = (ours - theirs[at]).norm(dim=-1) / theirs[at].norm(dim=-1)
            assert error.max() < TOLERANCE[dtype]
        first, last = len(row.prompt_ids) + row.answer_start, len(row.prompt_ids) + len(row.response_ids)
        expected = sum(float(log_probs[i - 1, row.ids[i]]) for i in range(first, last))
        assert float(read.log_p[index]) == pytest.approx(expected, rel=100 * TOLERANCE[dtype], abs=1e-4)
        if row.eos_id is None:
            assert math.isnan(read.log_p_eos[index])
        else:
            close = pytest.approx(float(log_probs[last - 1, row.eos_id]), rel=100 * TOLERANCE[dtype])
            assert float(read.log_p_eos[index]) == close
        top = log_probs[first - 1 : len(row) - 1].exp().amax(-1)
        close_to = {"rel": 20 * TOLERANCE[dtype], "abs": 1e-6}
        assert float(read.max_softmax[index]) == pytest.approx(float(top.mean()), **close_to)
        assert float(read.max_softmax_last[index]) == pytest.approx(float(top[-1]), **close_to)


def test_where_nothing_is_predicted_the_model_is_sure_of_nothing(language_model: Maker) -> None:
    """And the rows beside it keep their own numbers."""
    model = language_model()
    empty = Replay([1, 35, 45], [], None)
    with_it, without = (
        model.read_all(rows, ["embed"], ["prompt[-1]"], log_p=True) for rows in ([ROWS[0], empty, ROWS[3]], ROWS[::3])
    )
    for name in ("max_softmax", "max_softmax_last"):
        found = getattr(with_it, name)
        assert math.isnan(found[1])
        torch.testing.assert_close(found[::2], getattr(without, name)[:2], rtol=1e-5, atol=0)


def test_positions_that_a_row_lacks_are_marked_and_nan(language_model: Maker) -> None:
    read = language_model().read_all(ROWS, ["block.1.out"], ["prompt[-1]", "response[7]", "eos"])
    assert read.valid.tolist() == [
        [True] * 6,
        [False, True, False, False, False, True],
        [True, False, True, False, True, True],
    ]
    assert torch.equal(read.states.isnan().all(-1)[0], ~read.valid)
    assert torch.equal(read.states.isnan().any(-1)[0], ~read.valid)
    assert torch.equal(read.token_ids == -1, ~read.valid)
    assert read.log_p is None


def test_an_answer_starts_after_the_thinking(language_model: Maker) -> None:
    read = language_model().read_all(ROWS, ["embed"], ["prompt[-1]", "response[0]", "response[-1]", "eos"])
    assert read.token_ids[:, 4].tolist() == [43, 8, 9, 2]


@pytest.mark.parametrize("log_p", [False, True])
@pytest.mark.parametrize("batch_tokens", [1, 13, 60, 16384])
def test_batches_hold_each_row_once_within_the_budget(language_model: Maker, batch_tokens: int, log_p: bool) -> None:
    model = language_model(batch_tokens=batch_tokens)
    whole = language_model().read_all(ROWS, model.sites, POSITIONS, log_p=log_p)
    batches = list(model.read(ROWS, model.sites, POSITIONS, log_p=log_p))
    assert sorted(row for batch in batches for row in batch.rows) == list(range(len(ROWS)))
    for batch in batches:
        assert len(batch.rows) == 1 or len(batch.rows) * max(len(ROWS[row]) for row in batch.rows) <= batch_tokens
    torch.testing.assert_close(in_order(batches).states, whole.states, rtol=1e-4, atol=1e-5, equal_nan=True)
    torch.testing.assert_close(in_order(batches).log_p, whole.log_p, rtol=1e-4, atol=1e-4)


def test_log_p_bounds_the_logits_of_a_batch(language_model: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    model = language_model()
    monkeypatch.setattr(reading_module, "LOGITS_BUDGET", 30 * 320)
    batches = list(model.read(ROWS, ["embed"], ["eos"], log_p=True))
    assert len(batches) > 1
    assert all(len(b.rows) == 1 or sum(len(ROWS[r].response_ids) + 1 for r in b.rows) <= 30 for b in batches)
    assert len(list(model.read(ROWS, ["embed"], ["eos"]))) == 1


def test_repeated_reading_is_identical(language_model: Maker) -> None:
    first, second = (language_model().read_all(ROWS, ["block.2.out"], ["response[-1]", "eos"]) for _ in range(2))
    torch.testing.assert_close(first.states, second.states, rtol=0, atol=0, equal_nan=True)


def test_the_pass_stops_after_the_last_wanted_block(language_model: Maker) -> None:
    model = language_model()
    ran: list[int] = []
    handles = [
        block.mlp.register_forward_hook(lambda *_, index=index: ran.append(index))
        for index, block in enumerate(model._blocks)
    ]
    model.read_all(ROWS, ["embed"], ["eos"])
    assert ran == []
    model.read_all(ROWS, ["block.0.out", "embed"], ["eos"])
    assert ran == [0]
    model.read_all(ROWS, ["block.0.out"], ["eos"], log_p=True)
    assert ran == [0, 0, 1, 2]
    for handle in handles:
        handle.remove()


def hooks(model: LanguageModel) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model._model.modules())


@pytest.mark.parametrize("log_p", [False, True])
def test_hooks_are_removed_whatever_happens(
    language_model: Maker, log_p: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = language_model()
    before = hooks(model)
    model.read_all(ROWS, model.sites, POSITIONS, log_p=log_p)
    assert hooks(model) == before

    def fail(*_: Any) -> None:
        assert hooks(model) > before
        raise RuntimeError("in the middle of a block")

    handle = model._blocks[1].mlp.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        model.read_all(ROWS, model.sites, POSITIONS, log_p=log_p)
    handle.remove()
    assert hooks(model) == before
    batches = model.read(ROWS, model.sites, POSITIONS, log_p=log_p)
    next(batches)
    assert hooks(model) == before  # none stays while the reader works on a batch


def test_out_of_memory_halves_the_batch(language_model: Maker) -> None:
    model = language_model()
    whole = model.read_all(ROWS, model.sites, POSITIONS, log_p=True)
    sizes: list[int] = []

    def at_most_two(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        sizes.append(len(kwargs["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    handle = model._model.register_forward_pre_hook(at_most_two, with_kwargs=True)
    halved = model.read_all(ROWS, model.sites, POSITIONS, log_p=True)
    handle.remove()
    assert sizes == [6, 3, 1, 2, 3, 1, 2]
    torch.testing.assert_close(halved.states, whole.states, rtol=1e-4, atol=1e-5, equal_nan=True)
    torch.testing.assert_close(halved.log_p, whole.log_p, rtol=1e-4, atol=1e-4)


def test_one_row_that_does_not_fit_is_an_error(language_model: Maker) -> None:
    model = language_model()

    def refuse(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    handle = model._model.register_forward_pre_hook(refuse)
    with pytest.raises(ModelError, match=r"out of memory with a single row[\s\S]*--dtype bfloat16"):
        model.read_all(ROWS, ["embed"], ["eos"])
    handle.remove()


def test_blocks_that_return_tuples_are_read_too() -> None:
    model = make_model("llama")
    blocks = find_blocks(model)
    seen: dict[str, Tensor] = {}
    for block in blocks:
        block.register_forward_hook(lambda _m, _a, output: (output,), prepend=True)
    with watching(blocks, site_names(3)[:2], lambda site, hidden: seen.update({site: hidden}), stop=True):
        model(torch.tensor([[1, 5, 6]]), use_cache=False)
    assert seen["block.0.out"].shape == (1, 3, 32)


@pytest.mark.parametrize(
    ("rows", "sites", "positions", "message"),
    [
        (ROWS, ["block.3.out"], ["eos"], r"unknown site 'block.3.out'[\s\S]*embed, block.0.out … block.2.out"),
        (ROWS, ["embed", "embed"], ["eos"], r"a site is named twice"),
        (ROWS, ["embed"], ["response[0"], r"unknown position 'response\[0'"),
        (ROWS, ["embed"], [], r"nothing to read"),
        ([Replay([], [1])], ["embed"], ["eos"], r"row 0 has no prompt"),
        (
            [Replay([1], [5, 999_999])],
            ["embed"],
            ["eos"],
            r"row 0 has token 999999, and the model's vocabulary ends at \d+",
        ),
        ([Replay([-1], [5])], ["embed"], ["eos"], r"row 0 has token -1"),
        ([Replay([1], [1], None, 2)], ["embed"], ["eos"], r"answer starts at token 2 of 1"),
        ([Replay([1], [5] * 128)], ["embed"], ["eos"], r"row 0 has 129 tokens, and the model's context ends at 128"),
        ([], ["embed"], ["eos"], r"there are no rows to read"),
    ],
)
def test_what_cannot_be_read_is_said(
    language_model: Maker, rows: list[Replay], sites: list[str], positions: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        language_model(check=False).read_all(rows, sites, positions)
