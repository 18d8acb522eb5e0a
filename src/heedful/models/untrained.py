"""The same architecture with random weights: what a network tells that has learnt nothing.

Knows configurations and devices; what is read from the network is nobody's business here.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from heedful.errors import InputError, ModelError
from heedful.models.batching import is_out_of_memory, release_memory
from heedful.models.memory import quantisation_of


def check_can_forget(model: Any) -> None:
    """Raises InputError for a model that is quantised, whose weights cannot be drawn at random, or lies on the disk in part."""
    if method := quantisation_of(model.config):
        raise InputError(
            f"the weights are quantised with {method}, and quantised weights cannot be drawn at random",
            "leave out --extras, or use the unquantised checkpoint",
        )
    if "disk" in (getattr(model, "hf_device_map", None) or {}).values():
        raise InputError(
            "parts of the model lie on the disk, and there is no place for a second one with random weights",
            "leave out --extras, or use a machine that holds the model",
        )


def untrained(model: Any, seed: int) -> Any:
    """A transformers causal LM of the same configuration, dtype and place, its weights as its own code initialises them.

    They are drawn on the CPU, so that a seed means the same weights whatever the device; torch's global generator is as it
    was before.

    Raises:
        InputError: see `check_can_forget`.
        ModelError: a second model does not fit into memory.
    """
    check_can_forget(model)
    config = copy.deepcopy(model.config)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = type(model)._from_config(
                config, dtype=model.dtype, attn_implementation=model.config._attn_implementation
            )
        fresh.generation_config = copy.deepcopy(model.generation_config)  # it says what ends a response
        places = getattr(model, "hf_device_map", None) or {}
        if len({*places.values()}) > 1:
            from accelerate import dispatch_model

            return dispatch_model(fresh, device_map=places)
        return fresh.to(model.get_input_embeddings().weight.device)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        release_memory()
        raise ModelError(
            "memory ran out for a second model of this architecture, with random weights",
            "leave out --extras, use a smaller --dtype, or --device-map auto",
        ) from error
