"""Where sentences end, as Punkt (Kiss & Strunk 2006) decides with no trained parameters. Knows nothing of constraints.

IFEval's reference splits with NLTK's Punkt and its English parameters, which are a download; without them the count differs
now and then after an abbreviation, and seldom crosses a bound. NLTK's class would do, but takes seconds to import: what is
left of the algorithm without parameters is short, and the tests hold the two against each other.

A full stop, question or exclamation mark may end a sentence if white space or closing punctuation follows. A stop does not
if its word is a single letter before a capital ('J. Smith'), a single letter or number before a lower-case word or more
punctuation ('No. 5. then'), or an ellipsis. Closing quotes and brackets go with the sentence before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from heedful.constraints.verdict import Span

_CLOSING = r"""[)";}\]*:@'({\[?!]"""
_MANY = r"(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)"
_END = re.compile(rf"[.?!](?=(?P<after>{_CLOSING}|\s+(?P<next>\S+)))")
_TOKEN = re.compile(
    rf"""{_MANY}|(?=[^("`{{\[:;&\#*@)}}\]\-,])\S+?(?=\s|$|{_CLOSING}|{_MANY}|,(?=$|\s|{_CLOSING}|{_MANY}))|\S"""
)
_TAIL = re.compile(r"""["')\]}]+?(?:\s+|(?=--)|$)""", re.MULTILINE)
_NUMBER = re.compile(r"-?[.,]?\d[\d,.\-]*\.?")
_SPACE = re.compile(r"\s")


@lru_cache(maxsize=64)
def sentence_spans(text: str) -> list[Span]:
    """The sentences of a text, in order."""
    found: list[Span] = []
    carried = 0  # how much of the next piece belongs to the sentence before it
    pieces = list(_pieces(text))
    for place, (start, end) in enumerate(pieces):
        begin = start + carried
        carried = 0
        if place + 1 < len(pieces):
            after, until = pieces[place + 1]
            if tail := _TAIL.match(text[after:until]):
                found.append((begin, after + len(tail[0].rstrip())))
                carried = tail.end()
                continue
        if begin < end:
            found.append((begin, end))
    return found


def _pieces(text: str) -> Iterator[Span]:
    begin = 0
    for word_start, match in candidates(text):
        if breaks(text[word_start : match.end()] + match["after"]):
            yield begin, match.end()
            begin = match.end() if match["next"] is None else match.start("next")
    yield begin, len(text.rstrip())


def candidates(text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """The last possible end within each word, with the start of that word."""
    word_start, last = 0, None
    covered = 0
    for match in _END.finditer(text):
        spaces = list(
            _SPACE.finditer(text, max(covered, 1), match.start())
        )  # white space at 0 is part of the first word
        start = spaces[-1].end() if spaces else word_start
        if last is not None and covered <= start:
            yield word_start, last
        word_start, covered, last = start, match.start(), match
    if last is not None:
        yield word_start, last


def breaks(context: str) -> bool:
    """Whether a sentence ends within a word and what follows it, before the last token."""
    tokens = [match[0] for line in context.split("\n") for match in _TOKEN.finditer(line)]
    return any(_ends_sentence(token, following) for token, following in pairwise(tokens))


def _ends_sentence(token: str, following: str) -> bool:
    if token in ("?", "!", "."):
        return True
    if not token.endswith(".") or token.endswith(".."):
        return False
    initial = len(token) == 2 and token[0].isalpha()
    if not initial and not _NUMBER.fullmatch(token):
        return True
    goes_on = following in (";", ":", ",", ".", "!", "?") or following[0].islower()
    return not goes_on and not (initial and following[0].isupper())
