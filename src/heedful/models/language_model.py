"""A causal language model with its tokenizer and chat template: encode, generate, read.

Knows how the pieces of this room fit together; how each works is its own file's business, and how a model comes to be
loaded is `loading`'s.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal

import torch
import transformers

from heedful.errors import InputError
from heedful.models.chat import Chat, Message
from heedful.models.decoding import Decoder, Drawn, sample, token_steps
from heedful.models.divergence import Divergence, divergence
from heedful.models.memory import batch_budget, quantisation_of
from heedful.models.parts import LastToken, OnToken, Part, by_row, in_part
from heedful.models.reading import ReadBatch, in_order, read
from heedful.models.replay import Replay, check_tokens
from heedful.models.sampling import Sampling
from heedful.models.selfcheck import SelfCheck, self_check
from heedful.models.sites import Change, changing, check_sites, find_blocks, site_names, watching
from heedful.models.structure import Structures
from heedful.models.untrained import check_can_forget, untrained


@dataclass(frozen=True)
class Generation:
    """A model's answer.

    Attributes:
        token_ids: what was drawn, thinking included, EOS not.
        text: the answer as text: without special tokens, and without thinking.
        finish_reason: 'stop' (the model ended it) or 'length' (it was cut off); None while it goes on (`stream`).
        eos_id: the token that ended it; None if cut off.
        answer_start: how many of `token_ids` are thinking.
    """

    token_ids: tuple[int, ...]
    text: str
    finish_reason: Literal["stop", "length"] | None
    eos_id: int | None
    answer_start: int


class LanguageModel:
    """A loaded model. Made by `load`.

    Attributes:
        name: as it was asked for.
        revision: the commit of a hub's model; a fingerprint of a folder's files.
        dtype: of weights and hidden states.
        device: where the first weights are.
        sites: every site's name, from the bottom up.
        hidden_size: width of the residual stream.
        context: the most tokens in a row; None if the model names no limit.
        eos_ids: the tokens that end a response.
        batch_tokens: the most tokens, padding included, in one batch that is read.
        generation_tokens: the same, with room for the responses, in one batch that is generated.
        warnings: what a reader of results should know.
        check: the self-check's result; None if it was not run.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str,
        revision: str | None = None,
        batch_tokens: int | None = None,
        check: bool = True,
    ) -> None:
        """Take a transformers causal LM and its tokenizer, and make the model ready: evaluation mode, plain
        generation settings.

        Raises:
            ModelError: it has no list of blocks, or fails the self-check.
        """
        if batch_tokens is not None and batch_tokens < 1:
            raise InputError(f"batch_tokens is {batch_tokens}", "give 1 or more, or leave it out")
        self._model = model.eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self._blocks = find_blocks(model)
        self._text_config = model.config.get_text_config(decoder=True)
        self.chat = Chat(tokenizer)
        self.name = name
        self.revision = revision
        self._asked_batch_tokens = batch_tokens
        self.batch_tokens, self.generation_tokens = batch_budget(model.config, self.dtype, self.device, batch_tokens)
        self.sites = site_names(len(self._blocks))
        self.hidden_size: int = self._text_config.hidden_size
        self.context: int | None = getattr(self._text_config, "max_position_embeddings", None)
        self.eos_ids = _eos_ids(model, tokenizer)
        self.warnings = self.chat.warnings
        # A checkpoint's own settings (temperature, repetition penalty) would creep into every call of generate(). What ends a
        # response stays, for whoever takes this model up again, such as `twin`.
        model.generation_config = transformers.GenerationConfig(eos_token_id=[*self.eos_ids] or None)  # type: ignore[no-untyped-call]
        self.check: SelfCheck | None = (
            self_check(model, self._blocks, tokenizer, quantised=self.quantisation is not None) if check else None
        )

    @property
    def dtype(self) -> torch.dtype:
        """Of weights and hidden states."""
        dtype: torch.dtype = self._model.dtype
        return dtype

    @property
    def device(self) -> torch.device:
        """Where the first weights are."""
        device: torch.device = self._model.get_input_embeddings().weight.device
        return device

    @cached_property
    def eos_id(self) -> int | None:
        """The token that ends an answer which this model did not draw: the one of `eos_ids` that the chat template writes there
        (of a chat model, the end of a turn and not of the text), else the first; None if there is none."""
        found = self.chat.ending(self.eos_ids)
        return self.eos_ids[0] if found is None and self.eos_ids else found

    @property
    def quantisation(self) -> str | None:
        """The method that the checkpoint is quantised with, if any."""
        return quantisation_of(self._model.config)

    @property
    def config(self) -> Any:
        """The transformers configuration."""
        return self._model.config

    def identity(self) -> dict[str, Any]:
        """All that decides what this model computes, for a manifest and for cache keys; plain values, JSON."""
        return {
            "id": self.name,
            "revision": self.revision,
            "architecture": type(self._model).__name__,
            "parameters": sum(parameter.numel() for parameter in self._model.parameters()),
            "dtype": str(self.dtype).removeprefix("torch."),
            "device": self.device.type,
            "quantisation": self.quantisation,
            "attention": self._model.config._attn_implementation,
            "tokenizer_sha256": _tokenizer_hash(self._tokenizer),
            "chat_template_sha256": self.chat.template_hash,
            "eos_ids": list(self.eos_ids),
            "batch_tokens": self.batch_tokens,
            "generation_tokens": self.generation_tokens,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "self_check": self.check.to_dict() if self.check else None,
            "warnings": list(self.warnings),
        }

    def encode(
        self, messages: Sequence[Message] | str, *, system: str | None = None, thinking: bool | None = None
    ) -> list[int]:
        """Token ids of a conversation, up to where the model is to answer. See `Chat.encode`."""
        return self.chat.encode(messages, system=system, thinking=thinking)

    def tokens(self, text: str) -> list[int]:
        """Token ids of a response that was written elsewhere: no special tokens are added."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, without special tokens."""
        return self.chat.decode(ids)

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[int],
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        max_new_tokens: int = 256,
    ) -> list[Generation]:
        """One response a prompt, in the prompts' order.

        Args:
            prompts: exact token ids, see `encode`.
            seeds: one a prompt. A row's response depends on its prompt and its seed, not on the other rows (up to
                the rounding of logits, which differs between batches of different shape).
            temperature: 0 takes the likeliest token.
            top_p: draw among the likeliest tokens that together have this probability.
            max_new_tokens: cut off after so many.

        Raises:
            InputError: see `check_room`.
            ModelError: not even one row fits into memory.
        """
        sampling = Sampling(temperature, top_p, max_new_tokens)
        if len(prompts) != len(seeds):
            raise InputError(f"{len(prompts)} prompts, but {len(seeds)} seeds", "give one seed a prompt")
        self.check_room(prompts, sampling)
        drawn = sample(
            self._model,
            prompts,
            seeds,
            sampling,
            eos_ids=self.eos_ids,
            pad_id=self._pad_id,
            batch_tokens=self.generation_tokens,
        )
        return [self._generation(prompt, row.token_ids, row.eos_id) for prompt, row in zip(prompts, drawn, strict=True)]

    def stream(
        self,
        prompt: Sequence[int],
        seed: int = 0,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        max_new_tokens: int = 256,
    ) -> Iterator[Generation]:
        """One response as it is drawn: the whole of it so far, token by token; the last is what `generate` gives.

        Arguments and errors as of `generate`.
        """
        sampling = Sampling(temperature, top_p, max_new_tokens)
        self.check_room([prompt], sampling)
        ids: list[int] = []
        for [(_, token)] in token_steps(self._model, [prompt], [seed], sampling, self.eos_ids, self._pad_id, 1):
            ids.append(token)
            if token not in self.eos_ids and len(ids) < max_new_tokens:
                yield replace(self._generation(prompt, tuple(ids), None), finish_reason=None)
        drawn = Drawn.of(ids, self.eos_ids)
        yield self._generation(prompt, drawn.token_ids, drawn.eos_id)

    def decoder(self, at_once: int) -> Decoder:
        """For rows that are added and dropped while others go on: at most so many are drawn together."""
        return Decoder(self._model, eos_ids=self.eos_ids, pad_id=self._pad_id, at_once=at_once)

    @cached_property
    def structures(self) -> Structures:
        """What keeps a response to a JSON Schema while it is drawn.

        Raises:
            InputError: llguidance is not installed, or cannot work with this tokenizer.
        """
        width: int = self._model.get_output_embeddings().weight.shape[0]
        return Structures(self._tokenizer, width, self.eos_ids)

    @property
    def _pad_id(self) -> int:
        return self.eos_ids[0] if self.eos_ids else 0

    def check_room(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> None:
        """Raises `InputError` for a setting out of range, an empty prompt, one with a token that is none of the vocabulary's,
        or one that leaves no room in the context."""
        sampling.check()
        max_new_tokens = sampling.max_new_tokens
        for index, prompt in enumerate(prompts):
            if len(prompt) == 0:
                raise InputError(f"prompt {index} is empty", "give at least one token")
            check_tokens(f"prompt {index}", prompt, self._model.get_input_embeddings().weight.shape[0])
            if self.context is not None and len(prompt) + max_new_tokens > self.context:
                raise InputError(
                    f"prompt {index} has {len(prompt)} tokens; with {max_new_tokens} new ones it passes the context of "
                    f"{self.context}",
                    "shorten the prompt, or give fewer --max-new-tokens",
                )

    def _generation(self, prompt: Sequence[int], ids: tuple[int, ...], eos_id: int | None) -> Generation:
        start = self.chat.answer_start(prompt, ids)
        text = self.decode(ids[start:])
        return Generation(
            token_ids=ids,
            text=text.lstrip() if start else text,
            finish_reason="length" if eos_id is None else "stop",
            eos_id=eos_id,
            answer_start=start,
        )

    def twin(self) -> LanguageModel:
        """The same model once more, over the same weights: what is changed or watched in one is not in the other."""
        shared = {id(each): each for each in (*self._model.parameters(), *self._model.buffers())}
        return LanguageModel(
            copy.deepcopy(self._model, shared),
            self._tokenizer,
            name=self.name,
            revision=self.revision,
            batch_tokens=self._asked_batch_tokens,
            check=False,
        )

    @contextmanager
    def changed(self, changes: Mapping[str, Change], *, at: Part = "all") -> Iterator[None]:
        """Within it, the model computes with its residual stream changed: `generate`, `stream` and `read` alike.

        with model.changed({"block.5.out": eraser}): ...

        Args:
            changes: site → map of hidden states [sample, token, hidden] onto the same shape. Each token is to be mapped by
                itself: which tokens stand beside it in a batch, padding among them, is not the map's business.
            at: 'all' tokens; those of the 'prompt' only; or those that are written ('response'), the EOS among them. The
                last token of the prompt, from which the first of the response is predicted, is the prompt's.

        Several may be nested; the outer one is applied first. The model is as before when the block is left, however it
        is left.

        Raises:
            InputError: an unknown site; a map that changes the shape; `read` within a change of one part only.
        """
        with changing(self._blocks, {site: in_part(change, at) for site, change in changes.items()}):
            yield

    @contextmanager
    def changed_by_row(self, changes: Sequence[Mapping[str, Change]]) -> Iterator[None]:
        """`changed`, with changes of its own for each row: rows that are treated differently share a batch.

        with model.changed_by_row([{"block.5.out": eraser}, {}]): model.generate([prompt, prompt], [0, 0])

        Args:
            changes: for each row that is then generated or read, in its order: site → map, see `changed`. Rows are changed
                at once where they are given the same map.

        Raises:
            InputError: an unknown site; a map that changes the shape; rows that are none of these.
        """
        with changing(self._blocks, by_row(changes)):
            yield

    @contextmanager
    def watched(self, sites: Sequence[str], on_token: OnToken, on_prompt: OnToken | None = None) -> Iterator[None]:
        """Within it, each token of a response that `generate` or `stream` has drawn is shown as the model reads it.

        with model.watched(["block.5.out"], lambda rows, states: ...): ...

        Args:
            sites: where; several of `sites`, in any order.
            on_token: called once a forward pass with the rows that are still being written (their indices among the prompts)
                and the states [row, site, hidden], on the model's device, of the one token that each has newly read:
                first `response[0]`, then `response[1]`. It comes before the token after it is drawn. The last token drawn
                (the end of sequence, or where the limit cuts off) is never read. Rows that begin late have their own count.
            on_prompt: called in the same way with each row's last prompt token, before its response begins.

        What is seen is as `changed` leaves it, where that is entered before. Rows that are read by `read` show nothing.
        The hooks are gone when the block is left, however it is left.

        Raises:
            InputError: an unknown site, one named twice, or none.
        """
        check_sites(sites, self.sites)
        if not sites:
            raise InputError("nothing to watch", "name at least one site")
        topmost = max(sites, key=self.sites.index)
        with watching(self._blocks, sites, LastToken(sites, topmost, on_token, on_prompt), stop=False):
            yield

    def read(
        self, rows: Sequence[Replay], sites: Sequence[str], positions: Sequence[str], *, log_p: bool = False
    ) -> Iterator[ReadBatch]:
        """Hidden states of rows, batch by batch, longest first; `ReadBatch.rows` says which rows a batch holds.

        The batches, and so every rounding, depend on the arguments alone. See `reading.read`.
        """
        return read(self._model, self._blocks, rows, sites, positions, log_p=log_p, batch_tokens=self.batch_tokens)

    def read_all(
        self, rows: Sequence[Replay], sites: Sequence[str], positions: Sequence[str], *, log_p: bool = False
    ) -> ReadBatch:
        """`read`, as one batch in the order of the rows given. All of it is in memory: for a few rows."""
        return in_order(self.read(rows, sites, positions, log_p=log_p))

    def check_can_forget(self) -> None:
        """Raises InputError where `untrained` cannot be had."""
        check_can_forget(self._model)

    def untrained(self, seed: int = 0) -> LanguageModel:
        """The same architecture, tokenizer, dtype and device, with freshly drawn weights: it takes as much memory again.

        Raises:
            InputError: it is quantised, or lies on the disk in part.
            ModelError: it does not fit into memory.
        """
        return LanguageModel(
            untrained(self._model, seed),
            self._tokenizer,
            name=f"{self.name}, random weights",
            batch_tokens=self._asked_batch_tokens,
            check=False,
        )

    def divergences(
        self, rows: Sequence[Replay], variants: Sequence[Sequence[Mapping[str, Change]]]
    ) -> list[Divergence]:
        """How far each of several changes moves the model on the same rows: perplexity before and after, KL(before ‖ after).

        Args:
            rows: what is replayed.
            variants: of each, the changes for each row, see `changed_by_row`.
        """
        entered = [partial(self.changed_by_row, changes) for changes in variants]
        return divergence(self._model, rows, entered, self.batch_tokens)


def _eos_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every token that ends a response: a chat model's end of turn (in its settings) and the tokenizer's own."""
    named = [model.generation_config.eos_token_id, tokenizer.eos_token_id]
    flat = [i for ids in named if ids is not None for i in (ids if isinstance(ids, list) else [ids])]
    return tuple(dict.fromkeys(flat))


def _tokenizer_hash(tokenizer: Any) -> str:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    text = backend.to_str() if backend is not None else repr(sorted(tokenizer.get_vocab().items()))
    return hashlib.sha256(text.encode()).hexdigest()
