"""Which tokens may come next, by a JSON Schema; how whole responses keep to it is tested where they are drawn."""

from __future__ import annotations

import pytest
import torch

from heedful.errors import ModelError
from heedful.models import load
from heedful.models.structure import Guide

STRING = {"type": "string"}


def test_an_answer_may_end_where_it_is_whole_and_nowhere_else() -> None:
    pico = load("pico-llama")
    end = list(pico.eos_ids)
    assert not pico.structures.guide(STRING, '"a').allowed()[end].any()
    allowed = pico.structures.guide(STRING, '"a"').allowed()
    assert allowed[end].all()
    assert {pico.decode([token]).strip() for token in allowed.nonzero()[:, 0].tolist()} == {""}


def test_marks_that_the_decoder_takes_out_again_are_never_drawn() -> None:
    # Inside a string any text is JSON, and so would they be; but they would eat the space after them.
    pico = load("pico-llama")
    allowed = pico.structures.guide(STRING, '"a').allowed()
    marked = [token for text, token in pico._tokenizer.get_vocab().items() if "îĢĢ" in text]
    assert marked
    assert not allowed[marked].any()
    assert allowed.sum() > len(allowed) / 2


def test_where_no_token_goes_on_it_is_said() -> None:
    pico = load("pico-llama")
    guide = pico.structures.guide(STRING, '"a')
    blind = Guide(guide._matcher, guide._width, torch.ones(guide._width, dtype=torch.bool))
    with pytest.raises(ModelError, match=r"no token of this model goes on with JSON"):
        blind.allowed()
