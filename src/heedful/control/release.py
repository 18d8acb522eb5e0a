"""What of an answer goes out while it is written, and what is held back until more is known.

`hold_all`: nothing before the verdict on the whole text. `hold_window`: all but the last characters, as long as no monitor has
proved a violation; so what has gone out is a prefix that every monitor calls open or satisfied. `pass_through`: everything, at
once, until a violation is proved.

What the window cannot promise: constraints that only a whole text decides (a tone, at least so many words) may turn out
violated when most of the text is gone. What went out cannot be taken back, so a repair can only go on from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

Hold = Literal["hold_all", "hold_window", "pass_through"]
HOLDS: tuple[Hold, ...] = ("hold_all", "hold_window", "pass_through")

_WORD_END = re.compile(r"\S(?=\s)")
_LONG_WORD = 40  # characters; text without white space is cut anywhere


class Release:
    """Of one request.

    Attributes:
        how: see above.
        window: characters held back.
        unchecked: violations go out, too.
        out: what has gone out.
    """

    def __init__(self, how: Hold, window: int, emit: Callable[[str], None], *, unchecked: bool = False) -> None:
        """Give what goes out to `emit`, piece by piece."""
        self.how, self.window, self.unchecked, self.out = how, window, unchecked, ""
        self._emit = emit

    @property
    def binds(self) -> bool:
        """Something has gone out that whatever comes must begin with."""
        return bool(self.out) and not self.unchecked

    def grow(self, text: str, *, proved: bool = False) -> None:
        """The text so far of the one answer that is being written, and whether it is proved to violate a constraint."""
        if proved and not self.unchecked:
            return
        if self.how == "pass_through":
            self._let(text)
        elif self.how == "hold_window":
            self._let(_whole_words(text[: max(0, len(text) - self.window)]))

    def whole(self, text: str) -> None:
        """A text that passed."""
        self._let(text)

    def _let(self, text: str) -> None:
        if len(text) > len(self.out) and text.startswith(self.out):
            piece = text[len(self.out) :]
            self.out = text
            self._emit(piece)


def _whole_words(text: str) -> str:
    """Up to the end of the last whole word, so that a repair goes on with a word and not within one."""
    if not text or text[-1].isspace():
        return text.rstrip()
    ends = [match.end() for match in _WORD_END.finditer(text, max(0, len(text) - _LONG_WORD))]
    return text[: ends[-1]] if ends else text if len(text) > _LONG_WORD else ""
