"""What a phrase speaks of: the whole text, each of its parts, or one part. Knows the parts of texts, and no requirement.

'Five sentences, each under 10 words' and 'The title must be under 10 words' say nothing of the whole text. 'Write a title
of at most 10 words' does: there the part is the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from heedful.constraints.words.numbers import number_at, ordinal_at
from heedful.constraints.words.places import Sentence, clause_begins
from heedful.constraints.words.tokens import Token

_PARTS = frozenset(
    """line section paragraph sentence stanza verse bullet item point entry chapter row step part tip joke answer
    option example slide""".split()
)
_SEVERAL = frozenset(
    "lines sections paragraphs sentences stanzas verses bullets items points entries chapters rows".split()
)
_NAMED = frozenset(
    """title titles subtitle heading headings headline headlines header headers introduction intro conclusion opening
    abstract body chorus preface epilogue prologue""".split()
)
_WHICH = frozenset("last final opening closing introductory concluding next middle".split())
_EACH = frozenset({"each", "every"})
_LINKING = frozenset(
    """must should shall may can will cannot has have is are be being to with of not no having containing contain
    contains which that use do does need needs only always also them these one a an""".split()
)
"""What may stand between a part and what is said of it: 'each of them should be', 'the title must have'."""

_WHOSE = frozenset("the your this its my his her their a an our".split())
_WRITING = frozenset(
    """write create compose generate draft suggest me invent produce rewrite summarize summarise translate shorten
    improve edit describe need want""".split()
)
"""Ahead of a part, these make it the text itself."""

_WITHIN = frozenset("in within using total altogether overall".split())
"""'Three paragraphs in at most 100 words' are 100 words in total."""


class Part(NamedTuple):
    """The part that a phrase speaks of.

    Attributes:
        which: 'each' part, or 'one' of them.
        end: the token behind the words that say so, or behind the phrase.
    """

    which: Literal["each", "one"]
    end: int


def part_of(tokens: Sequence[Token], sentence: Sentence, start: int, end: int) -> Part | None:
    """The part that the phrase from `start` up to before `end` speaks of; None if it is the whole text."""
    found = _behind(tokens, sentence, end) or _inside(tokens, sentence, start, end)
    return found or _ahead(tokens, sentence, start, end)


def _behind(tokens: Sequence[Token], sentence: Sentence, end: int) -> Part | None:
    """'… each', '… per sentence', '… in every line', '… in the first paragraph'."""
    keys = [token.key for token in tokens[end : min(end + 4, sentence.end)]] + [""] * 4
    if keys[0] == "per" and keys[1] in _PARTS:
        return Part("each", end + 2)
    if keys[0] in {"each", "apiece"}:
        return Part("each", end + 1)
    if keys[0] not in {"in", "for"}:
        return None
    if keys[1] in _EACH and keys[2] in _PARTS:
        return Part("each", end + 3)
    noun = next((place for place in (end + 2, end + 3) if place < sentence.end and _is_one(tokens, place)), None)
    return Part("one", noun + 1) if noun is not None and keys[1] in _WHOSE else None


def _inside(tokens: Sequence[Token], sentence: Sentence, start: int, end: int) -> Part | None:
    """The phrase itself ends with '… in each paragraph', or the clause has 'each line', 'no sentence', 'all lines'."""
    begins = start
    while begins > sentence.start and not clause_begins(tokens, begins):
        begins -= 1
    for place in range(begins, end):
        key, after = tokens[place].key, _key(tokens, place + 1)
        ahead = place < start
        if (key in _EACH and after in _PARTS | {"word"}) or (ahead and key in {"no", "any"} and after in _PARTS):
            return Part("each", end)
        if ahead and key == "all" and {after, _key(tokens, place + 2)} & _SEVERAL:
            return Part("each", end)
        told = place <= start + 2 or "in" in _keys(tokens, place - 3, place)
        if not ahead and told and _is_one(tokens, place):
            return Part("one", end)
    return None


def _ahead(tokens: Sequence[Token], sentence: Sentence, start: int, end: int) -> Part | None:
    """What the phrase is said of, behind words that only link: 'each no longer than', 'the title of the poem must be'."""
    noun = start - 1
    linked = True
    while noun > sentence.start and linked:
        key, before = tokens[noun].key, tokens[noun - 1].key
        of_the_text = before in _WHOSE and noun - 2 > sentence.start and tokens[noun - 2].key in {"of", "for"}
        linked = (key in _LINKING and key not in _EACH) or of_the_text or key in {"(", ":"}
        linked = linked or (key == "," and tokens[noun + 1].key in {"which", "that"})
        noun -= 3 if of_the_text and linked else linked
    if noun < sentence.start:
        return None
    if tokens[noun].key == ",":
        return _opening(tokens, sentence, noun, end)
    said = {token.key for token in tokens[noun + 1 : end]}
    if tokens[noun].key in _EACH:
        return Part("each", end)
    if tokens[noun].key in _SEVERAL and not said & (_WITHIN | {"(", ":"}) and not _is_the_text(tokens, sentence, noun):
        return Part("each", end)
    if tokens[start].key == "of" and noun == start - 1 and _are_several(tokens, sentence, noun):
        return Part("each", end)
    if _is_one(tokens, noun) and _is_subject(tokens, sentence, noun) and not _is_the_text(tokens, sentence, noun):
        return Part("one", end)
    return None


def _opening(tokens: Sequence[Token], sentence: Sentence, comma: int, end: int) -> Part | None:
    """'In each section, …', 'In the first paragraph, …'."""
    noun = comma - 1
    leads = [place for place in range(max(noun - 3, sentence.start), noun) if tokens[place].key in {"in", "for"}]
    if not leads:
        return None
    lead = leads[0]
    if tokens[lead + 1].key in _EACH and tokens[noun].key in _PARTS:
        return Part("each", end)
    return Part("one", end) if tokens[lead + 1].key in _WHOSE and _is_one(tokens, noun) else None


def _is_one(tokens: Sequence[Token], noun: int) -> bool:
    """Is it a part that is told from the others? 'the title', 'the last line', 'paragraph 2'."""
    if _key(tokens, noun) in _NAMED:
        return True
    if _key(tokens, noun) in _PARTS and noun:
        return tokens[noun - 1].key in _WHICH or _is_ordinal(tokens, noun - 1)
    return noun > 0 and noun < len(tokens) and tokens[noun].kind == "number" and tokens[noun - 1].key in _PARTS


def _is_subject(tokens: Sequence[Token], sentence: Sentence, noun: int) -> bool:
    """With an article, or at the start of a clause: no 'keys title and body'."""
    before = _keys(tokens, max(noun - 3, sentence.start), noun)
    return bool(before & _WHOSE) or noun == sentence.start or tokens[noun - 1].kind in ("mark", "break")


def _keys(tokens: Sequence[Token], start: int, end: int) -> set[str]:
    return {token.key for token in tokens[max(start, 0) : end]}


def _is_ordinal(tokens: Sequence[Token], place: int) -> bool:
    """'first', '2nd'; a number alone is how many."""
    place -= tokens[place].key in {"st", "nd", "rd", "th"} and place > 0
    return ordinal_at(tokens, place) is not None and number_at(tokens, place) is None


def _is_the_text(tokens: Sequence[Token], sentence: Sentence, noun: int) -> bool:
    """'Write a short title', 'Give me the first line': the part is what is to be written."""
    if tokens[noun].key in _SEVERAL:
        return False
    place = noun
    while place > max(sentence.start, noun - 4) and tokens[place].key not in _WHOSE:
        place -= 1
    return place > sentence.start and tokens[place - 1].key in _WRITING


def _are_several(tokens: Sequence[Token], sentence: Sentence, noun: int) -> bool:
    """'three jokes', '5 very short tips'."""
    counted = (number_at(tokens, place) for place in range(max(sentence.start, noun - 3), noun))
    return tokens[noun].key.endswith("s") and any(number is not None and number.value > 1 for number in counted)


def _key(tokens: Sequence[Token], place: int) -> str:
    return tokens[place].key if place < len(tokens) and tokens[place].kind != "quoted" else ""
