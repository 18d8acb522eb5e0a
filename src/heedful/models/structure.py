"""Keep a response to a JSON Schema while it is drawn: which tokens may come next, by llguidance.

Knows a tokenizer and a grammar; no model, and nothing of how a token is chosen among those allowed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from heedful.errors import InputError, ModelError

_TRIAL = '{"name": ["a b", 12.5, null, true], "ö": "\\n"}'


def can_structure() -> bool:
    """Whether llguidance is installed."""
    return find_spec("llguidance") is not None


class Structures:
    """Makes guides for one tokenizer; reading its vocabulary takes about a second for a large one."""

    def __init__(self, tokenizer: Any, width: int, eos_ids: Sequence[int]) -> None:
        """For logits of a width, and the tokens that end a response.

        Raises:
            InputError: llguidance is not installed, or cannot work with this tokenizer.
        """
        if not can_structure():
            raise InputError(
                "decoding cannot be kept to a JSON Schema: llguidance is not installed", "pip install 'heedful[decode]'"
            )
        try:
            self._tokenizer, self._excluded = _bridge(tokenizer, width, list(eos_ids))
        except ValueError as error:
            raise InputError(
                f"decoding cannot be kept to a JSON Schema: llguidance does not take this tokenizer ({error})",
                "use a model with a fast tokenizer, or ask without a schema",
            ) from error
        self._width = width

    def guide(self, schema: Mapping[str, Any], begun: str = "") -> Guide:
        """For one response, of which some text may be there already.

        Raises:
            InputError: llguidance cannot keep to this schema, or what is there already does not begin an instance of it.
        """
        from llguidance import LLMatcher

        try:
            # Free white space would let a model write nothing else until the limit.
            grammar = LLMatcher.grammar_from_json_schema(
                json.dumps(schema), defaults={"whitespace_pattern": r"[ \n]{1,8}"}
            )
        except (ValueError, TypeError) as error:
            raise _unusable(str(error)) from error
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise _unusable(matcher.get_error())
        ids = self._tokenizer.tokenize_str(begun)
        if matcher.try_consume_tokens(ids) < len(ids):
            raise InputError(
                "what the answer begins with already is no beginning of JSON that meets the schema",
                "leave out the prefix, or give one that keeps to the schema",
            )
        return Guide(matcher, self._width, self._excluded)


def _bridge(tokenizer: Any, width: int, eos_ids: list[int]) -> tuple[Any, Bool[Tensor, " vocabulary"]]:
    """llguidance's view of a tokenizer, and tokens that are never to be drawn: their text is not what it takes them for.

    A normalizer may write marks into the text that the decoder takes out again (the embedded models have one). What a mark
    does to its neighbours no grammar knows: the response is written without them.
    """
    from llguidance import LLTokenizer
    from llguidance.hf import from_tokenizer

    faithful = from_tokenizer(tokenizer, n_vocab=width, eos_token=eos_ids)
    excluded = torch.zeros(width, dtype=torch.bool)
    if faithful.decode_str(faithful.tokenize_str(_TRIAL)) == _TRIAL:
        return faithful, excluded
    backend = type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str())
    backend.normalizer = None
    bare = LLTokenizer(backend.to_str(), n_vocab=width, eos_token=eos_ids)
    for token in range(min(width, len(tokenizer))):
        text = tokenizer.decode([token], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        excluded[token] = token not in eos_ids and text.encode() != bare.decode_bytes([token]) and "\ufffd" not in text
    return bare, excluded


def _unusable(problem: str) -> InputError:
    return InputError(
        f"decoding cannot be kept to this JSON Schema: {problem.strip().splitlines()[0]}",
        "leave out what llguidance does not support, or ask without a schema and verify the answer",
    )


class Guide:
    """One response on its way through a grammar."""

    def __init__(self, matcher: Any, width: int, excluded: Bool[Tensor, " vocabulary"]) -> None:
        self._matcher, self._width, self._excluded = matcher, width, excluded

    def allowed(self) -> Bool[Tensor, " vocabulary"]:
        """Which tokens may come next; where the response may end, those that end it are among them.

        Raises:
            ModelError: none can.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        allowed = torch.from_numpy(np.unpackbits(bits, bitorder="little")[: self._width].astype(bool))
        allowed &= ~self._excluded
        if not allowed.any():
            raise ModelError(
                "no token of this model goes on with JSON that meets the schema",
                "use another model, or ask without a schema",
            )
        return allowed

    def take(self, token: int) -> None:
        """A token was drawn."""
        self._matcher.consume_token(token)
