"""Base prompts: what to write and for whom, with topic, tone, wording and length left open.

A base prompt fixes a genre and a situation and nothing else, so that every constraint of every task can be added to
it and swapped for another value: task and data set are crossed, never confounded. Knows nothing of constraints.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

_WRITTEN_TO = (
    "a note", "a letter", "an email", "a short message", "a postcard", "a card",
)  # fmt: skip
_RECIPIENTS = (
    "to a neighbour", "to a colleague", "to an old friend", "to a new member of the team", "to a former teacher",
    "to a cousin abroad", "to the head of the club", "to a visitor", "to someone you met last week",
    "to a person who asked for news",
)  # fmt: skip
_PUBLIC = (
    "an announcement", "a notice", "a blog post", "a newsletter item", "a short speech", "a forum post",
)  # fmt: skip
_AUDIENCES = (
    "for the town hall", "for a local club", "for a company meeting", "for the notice board", "for a student paper",
    "for a group of visitors", "for new readers", "for the end of the year", "for a Monday morning",
    "for a small audience",
)  # fmt: skip
_PERSONAL = (
    "a diary entry", "a journal page", "a short story", "a memory", "a scene", "a report",
)  # fmt: skip
_MOMENTS = (
    "at the end of a long day", "on a quiet evening", "after a phone call", "before going to bed",
    "during a lunch break", "from the past week", "from last summer", "late at night", "on the first of the month",
    "while waiting for someone",
)  # fmt: skip


class BasePrompt(NamedTuple):
    """A genre in a situation.

    Attributes:
        base_id: the split group: rows of one base prompt never stand on both sides of a fold.
        text: the request, one sentence, e.g. 'Write a note to a neighbour.'
    """

    base_id: int
    text: str


_KINDS = ((_WRITTEN_TO, _RECIPIENTS), (_PUBLIC, _AUDIENCES), (_PERSONAL, _MOMENTS))


def _crossed() -> list[tuple[int, str]]:
    """All 180 combinations of a kind's genres and situations, each with the diagonal (0, 1 or 2) that it lies on."""
    return [
        ((g + s) % 3, f"Write {genre} {situation}.")
        for genres, situations in _KINDS
        for g, genre in enumerate(genres)
        for s, situation in enumerate(situations)
    ]


def base_prompts() -> tuple[BasePrompt, ...]:
    """The 120 base prompts of a study, in a fixed order."""
    studied = [text for diagonal, text in _crossed() if diagonal != 0]
    return tuple(BasePrompt(i, text) for i, text in enumerate(studied))


def training_base_prompts() -> tuple[str, ...]:
    """60 further base prompts of the same genres and situations, which no study uses: an embedded model learns on these."""
    return tuple(text for diagonal, text in _crossed() if diagonal == 0)


def further_base_prompts() -> tuple[BasePrompt, ...]:
    """360 further base prompts, which neither a study nor an embedded model learns on: each joins the genre of one kind to the
    situation of another ('Write a diary entry for new readers.'). In a fixed random order, so that any two parts of them
    are exchangeable; their ids go on from the study's."""
    texts = [
        f"Write {genre} {situation}."
        for genres, own in _KINDS
        for _, situations in _KINDS
        if situations is not own
        for genre in genres
        for situation in situations
    ]
    Random("further base prompts").shuffle(texts)
    return tuple(BasePrompt(len(base_prompts()) + i, text) for i, text in enumerate(texts))
