"""Changes of the residual stream while the model computes: exact, kept to their part, and gone afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.models.conftest import ARCHITECTURES

from heedful.errors import InputError
from heedful.models import LanguageModel, Replay

PROMPTS = [[5, 6, 7, 8], [9, 10], [11, 12, 13, 14, 15, 16]]


@pytest.fixture(params=ARCHITECTURES)
def model(request: pytest.FixtureRequest, language_model: Callable[..., LanguageModel]) -> LanguageModel:
    return language_model(request.param)


def generated(model: LanguageModel) -> list[tuple[int, ...]]:
    return [g.token_ids for g in model.generate(PROMPTS, [0, 1, 2], max_new_tokens=12)]


def rows() -> list[Replay]:
    return [Replay(prompt, (17, 18, 19), 2, 0) for prompt in PROMPTS]


def zeroed(hidden: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(hidden)


def test_the_identity_changes_nothing_and_zeros_do_and_are_gone_afterwards(model: LanguageModel) -> None:
    before = generated(model)
    with model.changed(dict.fromkeys(model.sites, lambda hidden: hidden)):
        assert generated(model) == before
    with model.changed({"block.1.out": lambda hidden: -3.0 * hidden}):
        after = generated(model)
    assert after != before
    with pytest.raises(RuntimeError, match="on purpose"), model.changed({"embed": zeroed, "block.2.out": zeroed}):
        raise RuntimeError("on purpose")
    assert generated(model) == before


def test_what_is_read_above_is_of_the_changed_stream_and_below_is_not(model: LanguageModel) -> None:
    direction = torch.linalg.qr(torch.randn(32, 1, generator=torch.Generator().manual_seed(0))).Q
    plain = model.read_all(rows(), model.sites, ["prompt[-1]", "eos"]).states.float()
    with model.changed({"block.1.out": lambda hidden: hidden - hidden @ direction @ direction.T}):
        changed = model.read_all(rows(), model.sites, ["prompt[-1]", "eos"]).states.float()
    at = model.sites.index("block.1.out")
    torch.testing.assert_close(changed[:at], plain[:at])
    assert float((changed[at] @ direction).abs().max()) < 1e-4
    assert float((plain[at] @ direction).abs().max()) > 1e-2
    assert not torch.allclose(changed[at + 1], plain[at + 1])


def test_a_batch_is_changed_as_its_rows_are_alone(model: LanguageModel) -> None:
    with model.changed({"block.0.out": lambda hidden: hidden * 0.5 + 0.1}):
        together = generated(model)
        alone = [
            model.generate([prompt], [seed], max_new_tokens=12)[0].token_ids for seed, prompt in enumerate(PROMPTS)
        ]
    assert together == alone


def test_nested_changes_apply_from_the_outside_in_and_one_part_alone_is_changed(model: LanguageModel) -> None:
    seen: dict[str, list[int]] = {"prompt": [], "response": []}

    def note(part: str):
        def noted(hidden: torch.Tensor) -> torch.Tensor:
            seen[part].append(hidden.shape[1])
            return hidden

        return noted

    with (
        model.changed({"embed": note("prompt")}, at="prompt"),
        model.changed({"embed": note("response")}, at="response"),
    ):
        drawn = model.generate([PROMPTS[0]], [0], max_new_tokens=6)[0].token_ids
    assert seen["prompt"] == [4]
    assert set(seen["response"]) == {1}
    assert len(drawn) - 1 <= len(seen["response"]) <= len(drawn)
    with (
        model.changed({"embed": lambda hidden: torch.ones_like(hidden)}),
        model.changed({"embed": lambda hidden: 2 * hidden}),
    ):
        states = model.read_all(rows(), ["embed"], ["eos"]).states.float()
    torch.testing.assert_close(states, torch.full_like(states, 2.0))


def test_divergence_is_none_of_the_identity_and_that_of_the_logits_otherwise(model: LanguageModel) -> None:
    louder = {"block.1.out": lambda hidden: hidden * 1.5}
    none, moved = model.divergences(rows(), [[{"block.1.out": lambda hidden: hidden}] * 3, [louder] * 3])
    assert none.n_tokens.tolist() == [4, 4, 4]
    torch.testing.assert_close(none.nll_before, none.nll_after)
    torch.testing.assert_close(none.kl, torch.zeros_like(none.kl), atol=1e-5, rtol=0)
    read = model.read_all(rows(), ["embed"], ["eos"], log_p=True)
    assert read.log_p is not None
    assert read.log_p_eos is not None
    torch.testing.assert_close(-none.nll_before.float(), read.log_p + read.log_p_eos, atol=1e-4, rtol=1e-4)
    assert bool((moved.kl > 0).all())
    with model.changed(louder):
        after = model.read_all(rows(), ["embed"], ["eos"], log_p=True)
    assert after.log_p is not None
    assert after.log_p_eos is not None
    torch.testing.assert_close(-moved.nll_after.float(), after.log_p + after.log_p_eos, atol=1e-4, rtol=1e-4)


def test_each_row_is_changed_as_it_is_alone_while_rows_come_and_go(model: LanguageModel) -> None:
    louder, shifted = (
        {"block.1.out": lambda hidden: -3.0 * hidden},
        {"block.0.out": lambda hidden: hidden + torch.linspace(-1, 1, hidden.shape[-1])},
    )
    changes = [louder, {}, {**louder, **shifted}, shifted, louder, {}, shifted]
    prompts = [[5 + i, 6, 7 + i, *[8] * (i % 3)] for i in range(len(changes))]
    alone, read = [], []
    for i, (prompt, change) in enumerate(zip(prompts, changes, strict=True)):
        with model.changed(change):
            alone.append(model.generate([prompt], [i], max_new_tokens=12)[0].token_ids)
            read.append(model.read_all([Replay(prompt, (17, 18), 2, 0)], ["block.2.out"], ["eos"]).states[0, 0, 0])
    model.generation_tokens, model.batch_tokens = 3 * 18, 3 * 8  # three at a time
    with model.changed_by_row(changes):
        together = [each.token_ids for each in model.generate(prompts, range(len(changes)), max_new_tokens=12)]
        states = model.read_all([Replay(each, (17, 18), 2, 0) for each in prompts], ["block.2.out"], ["eos"]).states[
            0, 0
        ]
    assert together == alone
    torch.testing.assert_close(states, torch.stack(read), atol=1e-4, rtol=1e-4)
    texts = [Replay(each, (17, 18, 19), 2, 0) for each in prompts]
    mixed, plain = model.divergences(texts, [changes, [{}] * len(changes)])
    for i in range(len(changes)):
        [single] = model.divergences(texts[i : i + 1], [changes[i : i + 1]])
        torch.testing.assert_close(mixed.kl[i], single.kl[0], atol=1e-4, rtol=1e-4)
    assert [float(kl) > 1e-6 for kl in mixed.kl] == [bool(change) for change in changes]
    assert float(plain.kl.abs().max()) < 1e-6


def test_bad_changes_name_cause_and_cure(model: LanguageModel) -> None:
    with pytest.raises(InputError, match=r"unknown site 'block\.9\.out'"), model.changed({"block.9.out": zeroed}):
        pass
    with (
        model.changed({"block.0.out": lambda hidden: hidden[:, :1]}),
        pytest.raises(InputError, match="keeps the shape"),
    ):
        model.read_all(rows(), ["embed", "block.2.out"], ["eos"])
    with model.changed_by_row([{"embed": zeroed}]), pytest.raises(InputError, match="one mapping a row"):
        generated(model)
    with model.changed({"embed": zeroed}, at="response"), pytest.raises(InputError, match="change all tokens"):
        model.read_all(rows(), ["block.2.out"], ["eos"])
