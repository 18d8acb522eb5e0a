"""Marks of a format, counted while the text is written: bullets, placeholders, emphasis, titles, and divided parts.

Each counter is a small machine that does what one regular expression of IFEval's finds, and knows how far that is certain.
The expression stands at its head. Knows no constraint.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class BulletCounter:
    r"""`^\s*\*[^*].*$` and `^\s*-.*$`, over lines. (White space may run over lines, and `[^*]` may be a line break.)"""

    def __init__(self) -> None:
        self._starred = _Bullets("*", certain=False)
        self._dashed = _Bullets("-", certain=True)

    def feed(self, delta: str) -> int:
        return self._starred.feed(delta) + self._dashed.feed(delta)


class _Bullets:
    """One of the two kinds; `certain` if the mark alone makes the bullet, and not only another character after it."""

    def __init__(self, mark: str, *, certain: bool) -> None:
        self._count = 0
        self._mark = mark
        self._certain = certain
        self._state = "margin"  # only white space since a line began; mark: then the mark; line: anything else

    def feed(self, delta: str) -> int:
        place = 0
        while place < len(delta):
            if self._state == "line":
                place = delta.find("\n", place)
                if place < 0:
                    break
                self._state = "margin"
            elif self._state == "mark":
                self._count += delta[place] != self._mark
                self._state = "line"
            elif delta[place] == self._mark:
                self._count += self._certain
                self._state = "line" if self._certain else "mark"
            elif not delta[place].isspace():
                self._state = "line"
            place += 1
        return self._count


class PlaceholderCounter:
    r"""`\[.*?\]`"""

    _MARKS = re.compile(r"[\[\]\n]")

    def __init__(self) -> None:
        self._count = 0
        self._open = False

    def feed(self, delta: str) -> int:
        for match in self._MARKS.finditer(delta):
            self._count += self._open and match[0] == "]"
            self._open = match[0] == "["
        return self._count


class EmphasisCounter:
    r"""`\*[^\n*]*\*` and `\*\*[^\n*]*\*\*`, those of each with something visible between."""

    _PIECE = re.compile(r"[*\n]|[^*\n]+")

    def __init__(self) -> None:
        self._count = 0
        self._single = False  # within a single star
        self._single_visible = False
        self._stars = 0  # towards a double one: 1 and 2 open it, 3 is the first that closes it
        self._inner = False  # something stands between
        self._visible = False  # something visible

    def feed(self, delta: str) -> int:
        for match in self._PIECE.finditer(delta):
            self._take_single(match[0])
            self._take_double(match[0])
        return self._count

    def _take_single(self, piece: str) -> None:
        if piece == "*":
            self._count += self._single and self._single_visible
            self._single, self._single_visible = not self._single, False
        elif piece == "\n":
            self._single = False
        else:
            self._single_visible |= not piece.isspace()

    def _take_double(self, piece: str) -> None:
        if piece == "*":
            self._stars += 1
            if self._stars == 4:
                self._count += self._visible
                self._stars = 0
            if self._stars == 2:
                self._inner = self._visible = False
            return
        if piece != "\n" and self._stars == 3 and not self._inner:
            self._stars = 2  # '***x': it is the second and third that open
        if piece != "\n" and self._stars == 2:
            self._inner = True
            self._visible |= not piece.isspace()
        else:
            self._stars = 0


class TitleFinder:
    """`<<[^\\n]+>>` with something visible between: 1 once there is one."""

    def __init__(self) -> None:
        self._line: list[
            str
        ] = []  # from the first '<<' of this line on; before that nothing, or the '<' that it ends with
        self._begun = False
        self._found = False

    def feed(self, delta: str) -> int:
        for number, part in enumerate(delta.split("\n")):
            if number:
                self._line, self._begun = [], False
            if part and not self._found:
                self._take(part)
        return int(self._found)

    def _take(self, part: str) -> None:
        last = self._line[-1] if self._line else ""
        if not self._begun:
            start = (last + part).find("<<")
            self._begun = start >= 0
            if not self._begun:
                self._line = ["<"] if part.endswith("<") else []
                return
            last, part, self._line = "", (last + part)[start:], []
        self._line.append(part)
        if ">>" in last[-1:] + part:
            line = "".join(self._line)
            inner = line[: line.rindex(">>") + 2]
            self._found = bool(inner.lstrip("<").rstrip(">").strip())
            self._line = [line]


class Added(NamedTuple):
    """More of a part: its number, and a text, perhaps an empty one."""

    place: int
    text: str


class DividedText:
    """A text divided by a fixed string, as `str.split` divides it: which parts there are, and which have something visible.

    Attributes:
        place: the number of the part that is being written, from 0.
        visible: how many parts have something visible, this one included.
        gap: whether a part between two dividers has nothing visible.
    """

    def __init__(self, divider: str) -> None:
        self.place = 0
        self.visible = 0
        self.gap = False
        self._divider = divider
        self._held = ""  # what may be the beginning of a divider
        self._seen = False  # something visible in this part

    def feed(self, delta: str) -> list[Added]:
        """What `delta` adds to the parts for good."""
        added = []
        *parts, last = (self._held + delta).split(self._divider)
        for part in parts:
            added.append(self._goes_on(part))
            self.gap |= self.place > 0 and not self._seen
            self.place, self._seen = self.place + 1, False
        longest = min(len(self._divider) - 1, len(last))
        held = next((size for size in range(longest, 0, -1) if self._divider.startswith(last[-size:])), 0)
        self._held = last[len(last) - held :]
        return [*added, self._goes_on(last[: len(last) - held])]

    def _goes_on(self, part: str) -> Added:
        if not self._seen and part.strip():
            self._seen = True
            self.visible += 1
        return Added(self.place, part)
