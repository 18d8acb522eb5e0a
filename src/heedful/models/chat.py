"""From chat messages to the exact prompt ids, and from response ids to the answer's text.

Knows a tokenizer and its chat template, and nothing of the model behind them. Text is tokenised once, in `encode`; from
there on the boundary between prompt and response is an index.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from jinja2 import TemplateError

from heedful.constraints.text import is_whole
from heedful.errors import InputError, ModelError
from heedful.models.thinking import LONGEST, MARKS, Marks, begun, left_open

Message = Mapping[str, str]
"""{'role': 'system' | 'user' | 'assistant', 'content': text}"""

_SPACE = 8  # tokens of white space, at most, that a template writes after a mark

# Some templates write today's date into the prompt unless they are given one; others ask a function for it that transformers
# lends them. No function can be handed in, but a macro of the same name goes before it.
_DAY = date(2024, 7, 26)  # Llama 3's own default
_FIXED = {"date_string": _DAY.strftime("%d %b %Y")}
_CLOCK = "strftime_now"
_STOPPED = "".join(
    [
        f"{{% macro {_CLOCK}(format) %}}{{{{ format | replace('%-', '%')",
        *(f" | replace('%{code}', '{_DAY.strftime(f'%{code}')}')" for code in "aAbBdHIjmMpSyY"),
        " }}{% endmacro %}\n",
    ]
)

# Longer than what a template may write where an answer is to begin, and leave out of one that is there (an empty thought).
_SOME_ANSWER = "The Loire is one of the longer ones, and it takes its time on the way to the sea."

NO_TEMPLATE = (
    "the tokenizer has no chat template: prompts are written as 'Instruction: …\\n\\nResponse:', "
    "which an instruction-tuned model may not expect"
)


class Chat:
    """A tokenizer's way of writing a conversation.

    Attributes:
        template: the chat template; None if the tokenizer has none, and prompts are written as 'Instruction:
            …\\n\\nResponse:'.
        warnings: what a reader of results should know of how prompts are written.
    """

    template: str | None

    def __init__(self, tokenizer: Any) -> None:
        """Raises `ModelError` for a tokenizer that names several templates and none by default."""
        self._tokenizer = tokenizer
        self.template = _template(tokenizer)
        self.warnings: tuple[str, ...] = () if self.template else (NO_TEMPLATE,)

    @property
    def template_hash(self) -> str | None:
        """SHA-256 of the template."""
        return hashlib.sha256(self.template.encode()).hexdigest() if self.template else None

    def encode(
        self, messages: Sequence[Message] | str, *, system: str | None = None, thinking: bool | None = None
    ) -> list[int]:
        """Token ids of the conversation, ending where the model is to answer.

        Args:
            messages: the conversation, or one user message.
            system: a system prompt; where the template refuses or drops system messages, it opens the first user
                message.
            thinking: passed to templates that know `enable_thinking`; None leaves it to the template.

        Raises:
            InputError: the messages are not a conversation that ends with the user, or hold bytes that are no text.
            ModelError: the template does not render, or writes two beginnings of sequence.
        """
        turns = _conversation(messages, system)
        if not all(is_whole(turn["content"]) for turn in turns):
            raise InputError("the prompt holds bytes that are not UTF-8", "give it as UTF-8 text")
        if self.template is None:
            ids = self._plain(turns)
        else:
            options = _FIXED if thinking is None else {**_FIXED, "enable_thinking": thinking}
            ids = self._templated(turns, options)
        bos = self._tokenizer.bos_token_id
        if bos is not None and ids[:2] == [bos, bos]:
            raise ModelError(
                "the prompt begins with two beginning-of-sequence tokens, which would shift all hidden states",
                "take the second one out of the tokenizer's chat template",
            )
        return ids

    def _templated(self, turns: list[dict[str, str]], options: Mapping[str, Any]) -> list[int]:
        try:
            if turns[0]["role"] == "system":
                try:
                    accepted = turns[0]["content"].strip() in self._apply(turns, options, tokenize=False)
                except TemplateError:  # Gemma refuses a system role; other templates drop it without a word
                    accepted = False
                turns = turns if accepted else _fold_system(turns)
            # A BatchEncoding in transformers 5, whose length is that of its keys: always ask for it, and take the ids.
            ids: list[int] = self._apply(turns, options, tokenize=True, return_dict=True)["input_ids"]
        except TemplateError as error:
            raise ModelError(
                f"the chat template refuses this conversation: {error}",
                "roles must be as the template wants them: usually user and assistant in turn, the user first",
            ) from error
        return ids

    def _apply(self, turns: list[dict[str, str]], options: Mapping[str, Any], **how: Any) -> Any:
        template = self.template or ""
        template = _STOPPED + template if _CLOCK in template else template
        how = {"add_generation_prompt": True, **how}
        return self._tokenizer.apply_chat_template(turns, chat_template=template, **options, **how)

    def ending(self, eos_ids: Collection[int]) -> int | None:
        """The token, among these, with which the template ends an answer; None where it writes none of them."""
        if self.template is None:
            return None
        asked, answered = {"role": "user", "content": "Name a river."}, {"role": "assistant", "content": _SOME_ANSWER}
        try:
            before = len(self._templated([asked], _FIXED))
            whole = self._apply([asked, answered], _FIXED, add_generation_prompt=False, tokenize=True, return_dict=True)
        except (ModelError, TemplateError):
            return None
        return next((token for token in whole["input_ids"][before:] if token in eos_ids), None)

    def _plain(self, turns: list[dict[str, str]]) -> list[int]:
        name = {"user": "Instruction", "assistant": "Response"}
        turns = _fold_system(turns) if turns[0]["role"] == "system" else turns
        text = "\n\n".join(f"{name[turn['role']]}: {turn['content']}" for turn in turns) + "\n\nResponse:"
        ids: list[int] = self._tokenizer(text, return_dict=True)["input_ids"]
        # A tokenizer that ends each text with EOS would tell the model that nothing follows.
        return ids[:-1] if len(ids) > 1 and ids[-1] == self._tokenizer.eos_token_id else ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, without special tokens."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def answer_start(self, prompt_ids: Sequence[int], response_ids: Sequence[int]) -> int:
        """How many of the response's tokens are thinking and the white space after it: 0 if the model did not think.

        Thinking that never ends is all thinking: there is no answer.
        """
        ids = list(response_ids)
        raw = self.raw(ids)
        marks = self.thinking_is_open(prompt_ids) or begun(raw)
        if marks is None:
            return 0
        if marks.closes not in raw:
            return len(ids)
        # The first prefix that holds the closing mark: it may be one token or several.
        start = bisect_left(range(len(ids) + 1), True, key=lambda end: marks.closes in self.raw(ids[:end]))
        while start < len(ids) and not self.raw(ids[start : start + 1]).strip():
            start += 1
        return start

    def thinking_is_open(self, prompt_ids: Sequence[int]) -> Marks | None:
        """The marks of the thinking that the template itself has begun, as some reasoning models' templates do."""
        return left_open(self.raw(list(prompt_ids[-LONGEST - _SPACE :])))

    def before_answer(self, prompt_ids: Sequence[int]) -> str:
        """What stands between the prompt and an answer that is not thought about: the end of the thinking that the template
        began, or the mark that the template opens every answer with."""
        if marks := self.thinking_is_open(prompt_ids):
            return f"{marks.closes}\n\n"
        # A mark that begins as thinking does and ends as it ends opens answers, thoughts or none.
        own = [marks.closes for marks in MARKS if marks.closes.startswith(marks.opens)]
        return next((mark for mark in own if mark in (self.template or "")), "")

    def raw(self, ids: Sequence[int]) -> str:
        """The text of token ids, special tokens as they are written."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text


def _template(tokenizer: Any) -> str | None:
    try:
        return tokenizer.get_chat_template() if tokenizer.chat_template else None
    except ValueError as error:
        raise ModelError(
            f"the tokenizer has chat templates named {', '.join(tokenizer.chat_template)}, and none by default",
            "name one of them 'default' in the tokenizer's files",
        ) from error


def _conversation(messages: Sequence[Message] | str, system: str | None) -> list[dict[str, str]]:
    turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else [dict(turn) for turn in messages]
    if system is not None:
        if turns and turns[0].get("role") == "system":
            raise InputError("two system prompts: one in the messages, one beside them", "give only one")
        turns.insert(0, {"role": "system", "content": system})
    roles = [turn.get("role") for turn in turns]
    speakers = roles[1:] if roles[:1] == ["system"] else roles
    if any(not isinstance(turn.get("content"), str) for turn in turns) or speakers != [
        ("user", "assistant")[index % 2] for index in range(len(speakers))
    ]:
        raise InputError(
            f"not a conversation: the roles are {roles}",
            "give messages with 'role' and 'content': an optional system message, then user and assistant in turn",
        )
    if speakers[-1:] != ["user"]:
        raise InputError("the conversation does not end with the user", "end it with the instruction to answer")
    return turns


def _fold_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    system, first, *rest = turns
    return [{"role": "user", "content": f"{system['content']}\n\n{first['content']}"}, *rest]
