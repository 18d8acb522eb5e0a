"""What a forward pass is called with: architectures, and code that comes with a checkpoint, differ in what they take."""

from __future__ import annotations

import inspect
from typing import Any

from jaxtyping import Int
from torch import Tensor, arange


def model_inputs(
    model: Any, ids: Int[Tensor, "sample token"], mask: Int[Tensor, "sample token"] | None = None
) -> dict[str, Any]:
    """For whole rows, on the model's device: ids, mask if any, position ids, and no cache."""
    device = model.get_input_embeddings().weight.device
    inputs: dict[str, Any] = {"input_ids": ids.to(device), "use_cache": False}
    if mask is not None:
        inputs["attention_mask"] = mask.to(device)
    return inputs | accepted(model, position_ids=arange(ids.shape[1], device=device)[None].expand(len(ids), -1))


def accepted(model: Any, **inputs: Any) -> dict[str, Any]:
    """Those of the inputs that the model names: ALiBi models, such as BLOOM, are not told their positions, and a checkpoint's
    own code may know nothing of `logits_to_keep`."""
    named = inspect.signature(model.forward).parameters
    return {name: value for name, value in inputs.items() if name in named}
