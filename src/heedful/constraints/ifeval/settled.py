"""Sentences and words in capitals that stand whatever follows, counted while the text is written.

Both are lower bounds: where a sentence or a word ends may depend on what comes after it, so the last word before white space
is not settled until the next one is there.
"""

from __future__ import annotations

import re

from heedful.constraints.ifeval.sentences import breaks, candidates
from heedful.constraints.ifeval.tokens import SEPARATOR

_LETTER = re.compile(r"\w")


class SentenceCounter:
    """Sentences that are over, and the one that goes on, if there is a letter or a digit in it.

    Without one it may turn out to be no sentence, but the closing quotes of the one before.
    """

    def __init__(self) -> None:
        self._over = 0
        self._begun = False  # is there a letter in the piece that goes on, before `_text`?
        self._words = SettledWords()
        self._growing = False  # is there a letter in the word that is not whole yet?
        self._text = ""  # from the last word on of which it is not known whether a sentence ends in it

    def feed(self, delta: str) -> int:
        if whole := self._words.feed(delta):
            self._text += whole
            self._growing = False
            self._settle()
        self._growing = self._growing or bool(_LETTER.search(self._words.last))
        return self._over + (self._begun or self._growing or bool(_LETTER.search(self._text)))

    def _settle(self) -> None:
        """Decides on every word of `_text` that another whole word follows."""
        text = self._text
        last = len(text.rstrip())
        while last and not text[last - 1].isspace():
            last -= 1
        if last < 2:  # white space that begins the whole text belongs to its first word
            return
        begun = 0
        for word, match in candidates(text):
            if match.end() >= last:
                break
            if breaks(text[word : match.end()] + match["after"]):
                self._over += 1  # it ends with its mark, so that it is more than closing quotes
                self._begun = False
                begun = match.end()
        self._begun |= bool(_LETTER.search(text, begun, last))
        self._text = text[last:]


class CapitalCounter:
    """Words in capitals, at least one for each stretch between separators that has letters and none in lower case."""

    def __init__(self) -> None:
        self._count = 0
        self._words = SettledWords()

    def feed(self, delta: str) -> int:
        for word in self._words.feed(delta).split():
            self._count += sum(part.isupper() for part in SEPARATOR.split(word + " "))
        return self._count


class SettledWords:
    """Gives a text in pieces out again up to its last white space, so that what is given out ends with whole words."""

    def __init__(self) -> None:
        self._held: list[str] = []

    @property
    def last(self) -> str:
        """What was taken in last and has not been given out."""
        return self._held[-1] if self._held else ""

    def feed(self, delta: str) -> str:
        end = len(delta)
        while end and not delta[end - 1].isspace():
            end -= 1
        if not end:
            self._held.append(delta)
            return ""
        whole = "".join([*self._held, delta[:end]])
        self._held = [delta[end:]]
        return whole
