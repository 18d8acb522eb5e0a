"""Words in capitals as NLTK's word tokenizer (the Penn Treebank's rules) would split them. Knows nothing of constraints.

Only where words are split matters here, and only for words in capitals, so that the tokenizer's long chain of substitutions
comes down to: what separates words, which endings are words of their own ("'S", "N'T"), and which words are two (CANNOT).
The tests hold it against NLTK's own class, which takes seconds to import.
"""

from __future__ import annotations

import re
from itertools import pairwise

from heedful.constraints.ifeval.sentences import sentence_spans
from heedful.constraints.verdict import Span

# A comma or colon separates unless a digit follows; two dots or dashes separate, one does not.
SEPARATOR = re.compile(r"""[\s«»“”‘’„`";@#$%&?!*\[\]{}()<>]|''|[:,](?!\d)|\.{2,}|--""")
_LAST_STOP = re.compile(r"""(?<=[^.])\.(?=[\])}>"'»”’ ]*\s*$)""")
_APOSTROPHE = re.compile(r"(?<=[^'])'$")
_SHORT_ENDING = re.compile(r"(?<=[^' ])'[SsMmDd]$")
_LONG_ENDING = re.compile(r"(?<=[^' ])(?:'LL|'ll|'RE|'re|'VE|'ve|N'T|n't)$")
_TWO = re.compile(
    r"(?i)\b(?:(can)not|(gim)me|(gon)na|(got)ta|(lem)me|(wan)na(?=$)|(d)'ye|(more)'n)\b|^('t)(?:is|was)\b"
)


def capital_tokens(text: str) -> list[Span]:
    """The words of `text` that have letters and no lower-case one."""
    found: list[Span] = []
    for first, last in sentence_spans(text):
        # The stop that ends a sentence is no part of its last word, which may end in "'S" or "N'T"; other stops are.
        stop = _LAST_STOP.search(text[first:last])
        cuts = [first, *(place for match in SEPARATOR.finditer(text, first, last) for place in match.span()), last]
        if stop:
            cuts = sorted([*cuts, first + stop.start(), first + stop.end()])
        for start, end in zip(cuts[::2], cuts[1::2], strict=True):
            found += [(a, b) for a, b in _split(text, start, end) if text[a:b].isupper()]
    return found


def _split(text: str, start: int, end: int) -> list[Span]:
    cuts = {start, end}
    for pattern in (_APOSTROPHE, _SHORT_ENDING, _LONG_ENDING):
        if match := pattern.search(text[start:end]):
            end = start + match.start()
            cuts.add(end)
    for match in _TWO.finditer(text[start:end]):
        cuts |= {start + match.start(), start + match.end(match.lastindex or 0), start + match.end()}
    ordered = sorted(cuts)
    return list(pairwise(ordered))
