"""Whether a model is the one that something was computed with, by what `LanguageModel.identity` said of it then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

BOUND_TO = (
    "revision", "architecture", "parameters", "dtype", "quantisation", "tokenizer_sha256", "chat_template_sha256",
)  # fmt: skip
"""What of a model's identity decides its hidden states, but for the device and its kernels, whose effect is measured
(`Parity`)."""


def differing(then: Mapping[str, Any], now: Mapping[str, Any], may_differ: Collection[str] = ()) -> list[str]:
    """What, of all that hidden states are bound to, is another in two identities."""
    return [name for name in BOUND_TO if name not in may_differ and then.get(name) != now.get(name)]
