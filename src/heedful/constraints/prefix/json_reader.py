"""One JSON value (RFC 8259), read character by character: where it cannot become one any more, and what is complete.

Accepts what Python's `json` accepts. Knows no fence, no key that is asked for and no schema: it tells its owner of every
key and value by the `Listener` that it is given.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

_ORDINARY = re.compile(r'[^"\\\x00-\x1f]*')
_SPACES = re.compile(r"[ \t\n\r]*")
_WORDS = {"t": "true", "f": "false", "n": "null", "N": "NaN", "I": "Infinity"}
_OPENINGS = frozenset('{["-0123456789tfnNI')
_ESCAPES = frozenset('"\\/bfnrtu')
_HEX = frozenset("0123456789abcdefABCDEF")
_DIGITS = frozenset("0123456789")

# A number is a path through these: state → what each kind of character leads to.
_NUMBER: dict[str, dict[str, str]] = {
    "sign": {"0": "zero", "digit": "whole"},
    "zero": {".": "point", "e": "power"},
    "whole": {"digit": "whole", "0": "whole", ".": "point", "e": "power"},
    "point": {"digit": "fraction", "0": "fraction"},
    "fraction": {"digit": "fraction", "0": "fraction", "e": "power"},
    "power": {"digit": "exponent", "0": "exponent", "sign": "signed"},
    "signed": {"digit": "exponent", "0": "exponent"},
    "exponent": {"digit": "exponent", "0": "exponent"},
}
_MAY_END = frozenset({"zero", "whole", "fraction", "exponent"})


class RefusedError(Exception):
    """No completion is what is asked.

    Attributes:
        place: where, in the piece of text that was being taken.
    """

    def __init__(self, reason: str, place: int = 0) -> None:
        super().__init__(reason)
        self.place = place


class Frame(NamedTuple):
    """A container that is still open.

    Attributes:
        value: what is complete of it.
        keys: for an object, every key so far, the last one without its value yet perhaps; for an array empty.
    """

    value: dict[str, Any] | list[Any]
    keys: list[str]


class Listener:
    """What a reader tells its owner, who may raise `RefusedError` at any of it. This one listens to nothing."""

    watches_keys = False
    """Whether to be told of keys as they begin."""

    def opened(self, frames: list[Frame], opening: str) -> None:
        """A value inside these containers begins with this character."""

    def key_begun(self, frames: list[Frame], begun: str) -> None:
        """A key of the outermost object begins like this; told as far as it has no escapes."""

    def complete(self, frames: list[Frame], value: Any) -> None:
        """A value is complete, inside these containers; it is not among their values yet."""


class JsonReader:
    """Reads one value from a text in pieces.

    Args:
        listener: told of what is found.
        lenient: take NaN and Infinity, and a key that stands twice, as Python's `json.loads` does.
    """

    def __init__(self, listener: Listener, *, lenient: bool = False) -> None:
        self._listener = listener
        self._lenient = lenient
        self._frames: list[Frame] = []
        self._expected = "value"  # value, first (a value or the end), key, first key, colon, comma, nothing
        self._token = ""  # string, number or word: what is being read, if anything
        self._read: list[str] = []  # its characters
        self._state = ""  # in a number, where; in a string, the escape so far; for a word, the whole of it
        self._letters = 0  # in a word, how many of it are there
        self._at = 0  # which character of the piece decides, for faults

    @property
    def done(self) -> bool:
        """True once the value is complete; what follows is not the reader's."""
        return self._expected == "nothing" and not self._token

    def feed(self, text: str, place: int) -> int:
        """Read on from `place`; returns where the reader stopped: at the end of `text`, or where the value ended.

        Raises:
            RefusedError: no completion is one JSON value.
        """
        try:
            return self._feed(text, place)
        except RefusedError as fault:
            fault.place = self._at
            raise

    def _feed(self, text: str, place: int) -> int:
        while place < len(text) and not self.done:
            self._at = place
            if self._token == "string":
                place = self._string(text, place)
            elif self._token == "number":
                place = self._number(text, place)
            elif self._token == "word":
                place = self._word(text, place)
            else:
                found = _SPACES.match(text, place)
                assert found is not None  # it may be empty
                place = found.end()
                if place < len(text):
                    self._at = place
                    self._structure(text[place])
                    place += 1
        return place

    def _structure(self, char: str) -> None:
        expected = self._expected
        if self._closes(char):
            self._end(self._frames.pop().value)
        elif expected == "comma" and char == ",":
            self._expected = "key" if isinstance(self._frames[-1].value, dict) else "value"
        elif expected == "colon" and char == ":":
            self._expected = "value"
        elif expected in ("key", "first key") and char == '"':
            self._begin("string", "")
            self._key_goes_on()
        elif expected in ("value", "first"):
            self._value(char)
        else:
            raise RefusedError(f"{_NAMES[expected]} is due, and {json.dumps(char, ensure_ascii=False)} stands there")

    def _closes(self, char: str) -> bool:
        if self._expected == "comma":
            return char == ("}" if isinstance(self._frames[-1].value, dict) else "]")
        return (self._expected, char) in (("first", "]"), ("first key", "}"))

    def _value(self, char: str) -> None:
        if char in _OPENINGS:
            self._listener.opened(self._frames, char)
        if char == '"':
            self._begin("string", "")
        elif char in "{[":
            self._frames.append(Frame({} if char == "{" else [], []))
            self._expected = "first key" if char == "{" else "first"
            return
        elif char == "-" or char in _DIGITS:
            self._begin("number", "sign" if char == "-" else "zero" if char == "0" else "whole")
            self._read.append(char)
        elif char in _WORDS and (self._lenient or char in "tfn"):
            self._begin("word", _WORDS[char])
            self._letters = 1
        else:
            raise RefusedError(f"a value is due, and {json.dumps(char, ensure_ascii=False)} stands there")

    def _begin(self, token: str, state: str) -> None:
        self._token, self._state, self._read = token, state, []

    def _string(self, text: str, place: int) -> int:
        if self._state:  # in an escape: a backslash, or a backslash, u and hexadecimal digits
            char = text[place]
            if char not in (_ESCAPES if self._state == "\\" else _HEX):
                raise RefusedError(f"no escape in a string goes on with {json.dumps(char, ensure_ascii=False)}")
            self._state += char
            if self._state[1] != "u" or len(self._state) == 6:
                self._read.append(self._state)
                self._state = ""
            return place + 1
        run = _ORDINARY.match(text, place)
        assert run is not None  # it may be empty
        self._read.append(run.group())
        self._at = end = run.end()
        is_key = self._expected in ("key", "first key")
        if is_key and (run.group() or end < len(text)):
            self._key_goes_on()
        if end == len(text):
            return end
        if text[end] == "\\":
            self._state = "\\"
        elif text[end] == '"':
            self._end_token(is_key)
        else:
            raise RefusedError(f"{json.dumps(text[end])} stands in a string without an escape")
        return end + 1

    def _key_goes_on(self) -> None:
        if (
            self._listener.watches_keys
            and len(self._frames) == 1
            and not any(piece.startswith("\\") for piece in self._read)
        ):
            self._listener.key_begun(self._frames, "".join(self._read))

    def _number(self, text: str, place: int) -> int:
        while place < len(text):
            char = text[place]
            self._at = place
            if char == "I" and self._state == "sign" and self._lenient:
                self._begin("word", "Infinity")
                self._letters = 1
                return place + 1
            kind = "0" if char == "0" else "digit" if char in _DIGITS else "e" if char in "eE" else char
            after = _NUMBER[self._state].get("sign" if char in "+-" else kind)
            if after is None:
                if self._state not in _MAY_END:
                    raise RefusedError(f"no number goes on with {json.dumps(char, ensure_ascii=False)} here")
                self._end_token()
                return place
            self._state = after
            self._read.append(char)
            place += 1
        return place

    def _word(self, text: str, place: int) -> int:
        if text[place] != self._state[self._letters]:
            raise RefusedError(f"{self._state} is due, and {json.dumps(text[place], ensure_ascii=False)} stands in it")
        self._letters += 1
        if self._letters == len(self._state):
            self._end_token()
        return place + 1

    def _end_token(self, is_key: bool = False) -> None:
        token, self._token = self._token, ""
        if token == "word":
            value: Any = {"true": True, "false": False, "null": None}.get(self._state, float("nan"))
        elif token == "number":
            value = _read_number("".join(self._read))
        else:
            value = json.loads(f'"{"".join(self._read)}"')
        if not is_key:
            self._end(value)
            return
        frame = self._frames[-1]
        if not self._lenient and value in frame.value:
            raise RefusedError(f"the key {json.dumps(value, ensure_ascii=False)} stands twice in one object")
        frame.keys.append(value)
        self._expected = "colon"

    def _end(self, value: Any) -> None:
        self._listener.complete(self._frames, value)
        if not self._frames:
            self._expected = "nothing"
            return
        frame = self._frames[-1]
        if isinstance(frame.value, dict):
            frame.value[frame.keys[-1]] = value
        else:
            frame.value.append(value)
        self._expected = "comma"


def _read_number(digits: str) -> int | float:
    try:
        number: int | float = json.loads(digits)
    except ValueError:  # beyond Python's limit of 4,300 digits, and still legal JSON
        return float(digits)
    return number


_NAMES = {
    "key": "a key",
    "first key": "a key or }",
    "colon": "a colon",
    "comma": "a comma or the end of what is open",
    "nothing": "nothing",
}
