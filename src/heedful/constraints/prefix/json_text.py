"""A text that is one JSON value, judged while it is written: what may stand around the value, and what it must have.

It is violated at the first character that no JSON text goes on with, at a key that is too many or stands twice, at the
end of an object that lacks a key, and at the first value that the schema refuses. It is never satisfied before the end:
anything but white space after the value would undo it.

Knows the two ways in which constraints read JSON (strictly, and as IFEval does), and what they ask as plain values.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from heedful.constraints.prefix.json_reader import Frame, JsonReader, Listener, RefusedError
from heedful.constraints.prefix.json_schema import SchemaRefusal
from heedful.constraints.prefix.monitor import PrefixMonitor, PrefixVerdict
from heedful.constraints.strict_json import where_in

if TYPE_CHECKING:
    from heedful.constraints.base import Constraint


class Envelope(Protocol):
    """What may stand around the value."""

    def before(self, text: str) -> str | None:
        """Takes a piece of text; gives what the value begins with, and None as long as it has not begun."""

    def after(self, text: str) -> None:
        """Takes what follows the value; raises `RefusedError` for what may not."""


class JsonMonitor(PrefixMonitor):
    """Watches a JSON text: `envelope` says what may stand around the value, `reader` what the value may be."""

    def __init__(self, constraint: Constraint, envelope: Envelope, reader: JsonReader) -> None:
        super().__init__(constraint)
        self._envelope = envelope
        self._reader = reader
        self._begun = False

    def step(self, delta: str) -> PrefixVerdict:
        rest: str | None = delta
        try:
            if not self._begun:
                rest = self._envelope.before(delta)
                self._begun = rest is not None
            if rest and not self._reader.done:
                rest = rest[self._reader.feed(rest, 0) :]
            if rest:
                self._envelope.after(rest)
        except RefusedError as fault:
            text = self.watched
            place = len(text) - len(rest or "") + fault.place
            return self.violated(f"{where_in(text, place)}: {fault}")
        if self._reader.done:
            return self.open("the JSON value is complete, and only white space and the end of its fence may follow")
        return self.open("it may still become JSON" if self._begun else "the JSON value has not begun")


class Asked(Listener):
    """What `JsonFormat` asks of the value: an object, its keys, and a schema."""

    def __init__(self, keys: tuple[str, ...], *, only_keys: bool, schema: dict[str, Any] | None) -> None:
        self._keys = keys
        self._must_be_object = bool(keys) or schema is None
        self._refusal = None if schema is None else SchemaRefusal(schema)
        self.watches_keys = only_keys

    def opened(self, frames: list[Frame], opening: str) -> None:
        if self._must_be_object and not frames and opening != "{":
            raise RefusedError("an object is asked, and it would begin with {")
        if self._refusal is not None:
            _fault(self._refusal.of_opening(_path(frames), opening))

    def key_begun(self, frames: list[Frame], begun: str) -> None:
        if not any(key.startswith(begun) for key in self._keys if key not in frames[0].value):
            raise RefusedError(
                f"a key is too many: {json.dumps(begun, ensure_ascii=False)}… is none of those that are due"
            )

    def complete(self, frames: list[Frame], value: Any) -> None:
        if not frames and isinstance(value, dict):
            missing = [key for key in self._keys if key not in value]
            if missing:
                raise RefusedError(f"the object ends without the key {json.dumps(missing[0], ensure_ascii=False)}")
        if len(frames) == 1 and self.watches_keys and frames[0].keys[-1] not in self._keys:
            raise RefusedError(f"the key {json.dumps(frames[0].keys[-1], ensure_ascii=False)} is too many")
        if self._refusal is not None:
            _fault(self._refusal.of_value(_path(frames), value))


def _path(frames: list[Frame]) -> list[str | None]:
    return [frame.keys[-1] if frame.keys else None for frame in frames]


def _fault(reason: str | None) -> None:
    if reason is not None:
        raise RefusedError(reason)


# The way into a fence, as `heedful.constraints.strict_json` has it: what each character leads to.
_FENCE: dict[str, dict[str, str]] = {
    "`": {"`": "``"},
    "``": {"`": "opened"},
    "opened": {" ": "opened", "\t": "opened", "j": "j", "\n": "inside"},
    "j": {"s": "js"},
    "js": {"o": "jso"},
    "jso": {"n": "json"},
    "json": {" ": "json", "\t": "json", "\n": "inside"},
}


class _Closing:
    """White space and, if the value is fenced, three backticks may follow the value."""

    fenced = False

    def __init__(self) -> None:
        self._backticks = 0

    def after(self, text: str) -> None:
        for place, char in enumerate(text):
            if char == "`" and self.fenced and self._backticks < 3:
                self._backticks += 1
            elif not char.isspace() or self._backticks in (1, 2):
                raise RefusedError(f"{json.dumps(char, ensure_ascii=False)} follows the JSON value", place)


class StrictEnvelope(_Closing):
    """As `JsonFormat` reads a text: bare, or in one Markdown fence (``` or ```json)."""

    def __init__(self) -> None:
        super().__init__()
        self._state = "outside"

    def before(self, text: str) -> str | None:
        for place, char in enumerate(text):
            if self._state in ("outside", "inside"):
                if self._state == "outside" and char == "`":
                    self._state, self.fenced = "`", True
                elif not char.isspace():
                    return text[place:]
            else:
                # 'ſ' is an 's' to a regular expression that ignores case.
                after = _FENCE[self._state].get("s" if char == "ſ" else char.lower())
                if after is None:
                    raise RefusedError(f"a fence is ``` or ```json and a line break, without {json.dumps(char)}", place)
                self._state = after
        return None


class LooseEnvelope(_Closing):
    """As IFEval reads a text: with or without ``` before the value, and with or without it after."""

    fenced = True

    def __init__(self, marks: tuple[str, ...]) -> None:
        """`marks`: what is taken off before the value, one after another, as far as it is there."""
        super().__init__()
        self._marks = marks
        self._head = ""
        self._open = True
        self._beginnings = {""}
        for mark in marks:
            self._beginnings |= {beginning + mark for beginning in self._beginnings}

    def before(self, text: str) -> str | None:
        rest = self._head + text if self._open else text
        if self._open:
            rest = rest.lstrip()
            if any(beginning.startswith(rest) for beginning in self._beginnings):
                self._head = rest
                return None
            self._open = False
            for mark in self._marks:
                rest = rest.removeprefix(mark)
        return rest.lstrip() or None
