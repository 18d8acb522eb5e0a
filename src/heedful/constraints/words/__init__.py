"""From words to constraints: what a text asks for, with the words that say so, and what in it was not understood.

>>> from heedful.constraints.words import parse
>>> [constraint.describe() for constraint in parse("Write fewer than fifty words about rivers, formal.").constraints]
['at most 49 words', 'about rivers', 'formal in style']
"""

from __future__ import annotations

from heedful.constraints.text import check_is_text
from heedful.constraints.words.parsed import Contradiction, Parsed, Parser, Reading, Unread
from heedful.constraints.words.rules import by_rules

__all__ = ["Contradiction", "Parsed", "Parser", "Reading", "Unread", "by_rules", "parse"]


def parse(text: str, parser: Parser = by_rules) -> Parsed:
    """The constraints that a text asks for, and what sounds like one and was not understood.

    Args:
        text: a request in English, as one would write it to a model.
        parser: what reads it; by rules unless another is given.

    Raises:
        InputError: `text` is no str.
    """
    check_is_text(text)
    return parser(text)
