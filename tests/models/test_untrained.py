"""The same architecture with random weights: a seed's own, and nothing of the trained ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.models.conftest import ARCHITECTURES

from heedful.errors import InputError, ModelError
from heedful.models import LanguageModel, Replay

ROWS = [Replay([1, 30, 40], [60, 70, 80], 2), Replay([1, 31], [5], 2)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_same_architecture_other_weights_same_seed_same_weights(
    language_model: Callable[..., LanguageModel], architecture: str
) -> None:
    model = language_model(architecture, torch.bfloat16)
    fresh, again, other = (model.untrained(seed) for seed in (1, 1, 2))
    assert fresh.sites == model.sites
    assert fresh.dtype == model.dtype
    assert fresh.device == model.device
    assert fresh.batch_tokens == model.batch_tokens
    assert fresh.config.to_dict() | {"dtype": None} == model.config.to_dict() | {"dtype": None}
    assert fresh.name == f"{architecture}, random weights"
    states = [each.read_all(ROWS, model.sites, ["eos"]).states.float() for each in (model, fresh, again, other)]
    assert torch.equal(states[1], states[2])
    for one in (states[0], states[3]):
        assert not torch.allclose(states[1], one, rtol=0.1)
    assert torch.isfinite(states[1]).all()


def test_a_draw_leaves_the_model_and_the_generator_as_they_were(language_model: Callable[..., LanguageModel]) -> None:
    model = language_model()
    before = model.read_all(ROWS, model.sites, ["eos"]).states
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    model.untrained(0)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(model.read_all(ROWS, model.sites, ["eos"]).states, before)


def test_quantised_weights_are_refused(language_model: Callable[..., LanguageModel]) -> None:
    model = language_model()
    model.check_can_forget()
    model.config.quantization_config = {"quant_method": "fp8"}
    for refused in (model.check_can_forget, model.untrained):
        with pytest.raises(InputError, match=r"quantised with fp8.*drawn at random\n  → leave out --extras"):
            refused()


def test_a_model_that_lies_on_the_disk_in_part_is_refused(language_model: Callable[..., LanguageModel]) -> None:
    model = language_model()
    model._model.hf_device_map = {"model.embed_tokens": "cpu", "model.layers": "disk"}
    for ask in (model.check_can_forget, model.untrained):
        with pytest.raises(InputError, match=r"parts of the model lie on the disk[\s\S]*leave out --extras"):
            ask()


def test_no_room_for_a_second_model_says_so(
    language_model: Callable[..., LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = language_model()

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(type(model._model), "to", full)
    with pytest.raises(ModelError, match=r"second model of this architecture, with random weights\n  → leave out"):
        model.untrained()
