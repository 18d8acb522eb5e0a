"""Requirements that are said in pieces, put together: how many paragraphs here, what separates them there.

Knows which pieces belong together, and no phrase.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from heedful.constraints.words.patterns import Captures
from heedful.constraints.words.phrasebook import Found
from heedful.constraints.words.tokens import Token

_PIECES = frozenset(
    "star_divider line_divider paragraph_start section_mark repeat_above repeat_below paragraphs sections topic ending".split()
)


class Asked(NamedTuple):
    """A whole requirement.

    Attributes:
        kind: as `making` knows it, or 'unsaid' with the reason in `captures["why"]`.
        places: the tokens that say it, as (first, one after the last).
        captures: what it asks for.
    """

    kind: str
    places: tuple[tuple[int, int], ...]
    captures: Captures


def put_together(found: Sequence[Found], tokens: Sequence[Token], text: str) -> list[Asked]:
    """The whole requirements; a piece that lacks its other half is 'unsaid'."""
    of_kind: dict[str, list[Found]] = {kind: [] for kind in _PIECES}
    whole = []
    for item in found:
        if item.kind in _PIECES:
            of_kind[item.kind].append(item)
        else:
            whole.append(Asked(item.kind, (_place(item),), item.captures))
    whole += [_with_text(item, "topic", text) for item in of_kind["topic"]]
    whole += [_with_text(item, "phrase", text) for item in of_kind["ending"]]
    return whole + _parts(of_kind) + _repeats(of_kind, tokens, text)


def _place(item: Found) -> tuple[int, int]:
    return item.start, item.end


def _with_text(item: Found, slot: str, text: str) -> Asked:
    """A slot that holds a place in the text holds the words there instead."""
    said = next(item.captures[name] for name in (slot, "restofline", "oneterm") if name in item.captures)
    words = said if isinstance(said, str) else said[0] if isinstance(said[0], str) else text[said[0] : said[1]]
    return Asked(item.kind, (_place(item),), {slot: words.strip()})


def _parts(of_kind: dict[str, list[Found]]) -> list[Asked]:
    """Paragraphs divided by *** or by blank lines, and sections with a mark."""
    paragraphs, sections = of_kind["paragraphs"], of_kind["sections"]
    starred, blank = of_kind["star_divider"], of_kind["line_divider"]
    starts, marks = of_kind["paragraph_start"], of_kind["section_mark"]
    asked: list[Asked] = []
    used: list[Found] = []
    if starts and paragraphs:
        used = [paragraphs[0], *starts[:1], *blank[:1]]
        captures = {**starts[0].captures, **paragraphs[0].captures}
        asked.append(Asked("paragraph_start", tuple(map(_place, used)), captures))
    elif marks and sections:
        used = [sections[0], marks[0]]
        asked.append(Asked("sections", tuple(map(_place, used)), {**sections[0].captures, **marks[0].captures}))
    if starred and (counted := [item for item in (*paragraphs, *sections) if item not in used]):
        pieces = [counted[0], starred[0]]
        asked.append(Asked("paragraphs", tuple(map(_place, pieces)), counted[0].captures))
        used += pieces
    left = [item for kind in ("paragraphs", "sections", "star_divider", "paragraph_start") for item in of_kind[kind]]
    return asked + [Asked("unsaid", (_place(item),), {"why": _LACKS[item.kind]}) for item in left if item not in used]


_LACKS = {
    "paragraphs": "paragraphs are counted only where it is said that *** separates them",
    "sections": "sections are counted only where it is said how each begins ('Section X'), or that *** separates them",
    "star_divider": "it is not said how many parts *** separates",
    "paragraph_start": "it is not said how many paragraphs there are",
}


def _repeats(of_kind: dict[str, list[Found]], tokens: Sequence[Token], text: str) -> list[Asked]:
    """What is to be repeated: the paragraphs above or below the first phrase that asks for it."""
    for kind in ("repeat_below", "repeat_above"):
        for item in of_kind[kind]:
            start, end = tokens[item.start].start, tokens[item.end - 1].end
            above, below = text[:start], text[end:]
            prompt = above[: above.rfind("\n")] if "\n" in above else ""
            if kind == "repeat_below" or not prompt.strip():
                prompt = below[below.find("\n") :] if "\n" in below else ""
            if prompt.strip():
                return [Asked("repeat", (_place(item),), {"prompt": prompt.strip()})]
            return [Asked("unsaid", (_place(item),), {"why": "it is not clear what is to be repeated"})]
    return []
