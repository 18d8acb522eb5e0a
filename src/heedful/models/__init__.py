"""Load a causal language model; generate with it; read its hidden states.

>>> model = load("pico-llama")
>>> prompt = model.encode("Write a note to a neighbour in at most 20 words.")
>>> [answer] = model.generate([prompt], seeds=[0])
>>> row = Replay(prompt, answer.token_ids, answer.eos_id, answer.answer_start)
>>> states = model.read_all([row], model.sites, ["prompt[-1]", "response[-1]"]).states
"""

from __future__ import annotations

from heedful.models.catalogue import Card, embedded_models
from heedful.models.cost import Cost, MachineRate, estimate, measure_rate
from heedful.models.language_model import Generation, LanguageModel
from heedful.models.loading import choose_device, choose_dtype, load, load_config
from heedful.models.positions import POSITIONS, resolve
from heedful.models.reading import ReadBatch, in_order
from heedful.models.replay import Replay
from heedful.models.selfcheck import SelfCheck

__all__ = [
    "POSITIONS",
    "Card",
    "Cost",
    "Generation",
    "LanguageModel",
    "MachineRate",
    "ReadBatch",
    "Replay",
    "SelfCheck",
    "choose_device",
    "choose_dtype",
    "embedded_models",
    "estimate",
    "in_order",
    "load",
    "load_config",
    "measure_rate",
    "resolve",
]
