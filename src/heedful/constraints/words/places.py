"""Where in a text a requirement may stand. Knows sentences and clauses, and no requirement.

'Write about how many words a toddler knows' asks for no number of words, and 'He told me to write 50 words' asks for
nothing. So a phrase counts only in the part of a sentence that asks for something, and not in what it asks to write *about*,
unless a new clause has begun there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from heedful.constraints.words.tokens import Token, ends_sentence

_IMPERATIVES = frozenset(
    """write draft compose create make give tell explain describe summarise summarize list answer respond reply
    return use include mention avoid add put keep stay be never ensure finish end start begin wrap format produce
    generate provide translate rewrite limit mark highlight italicize italicise separate repeat say plan design
    compare invite introduce sound stick express contain show elaborate expand critique criticize brainstorm
    suggest discuss name solve think imagine help talk speak output print send set split structure organize
    organise label leave omit exclude aim try remember follow cite quote complete improve edit shorten convert
    review prepare develop come advise greet thank apologise apologize announce report state argue prove enclose
    capitalize refrain let pretend act play rate analyze analyse pick choose find present outline define identify
    refer finally emphasize bold conclude surround title tldr break insert employ cap skip place address render
    phrase divide indicate strike adopt take require do please""".split()
)
_FILLERS = frozenset(
    """please also then first finally just always only additionally now kindly explicitly so and but or""".split()
)
_MODALS = frozenset("must should shall may can cannot has have needs need is are will ought would".split())
_THINGS = frozenset(
    """response responses answer answers reply output text message essay story poem letter email article post summary
    speech note report review song rap haiku joke riddle paragraph paragraphs piece itinerary template rubric
    resume tweet proposal description advertisement ad announcement invitation biography conversation dialogue
    critique list word words keyword keywords sentence sentences section sections title it there everything you
    this style tone language subject topic mood phrase letters version versions each count length fields keys
    content result lyrics explanation rewrite rant file statement document limerick thread script quiz pitch
    outline placeholders bullet comma commas caps cover stress bullets highlights final ending object draft we
    plot entire wording register""".split()
)
_POLITE = frozenset("can could would will".split())
_SUBORDINATE = frozenset("who whom whose how why what where whether when because if while".split())
_NOUNS_TOO = frozenset(
    """state name report answer present address title place list end start use mention plan design review label mark
    limit act play""".split()
)
_OBJECTS = frozenset("the a an your it with this my each every all at exactly them no only".split())
_CLAUSE_MARKS = frozenset({",", ":", "–", "—", "(", ")"})
_LINKS = frozenset("and but then or".split())


class Zone(NamedTuple):
    """Tokens that belong to what is to be written about, or to a subordinate clause: `start` up to before `end`."""

    start: int
    end: int
    topic: bool


class Sentence(NamedTuple):
    """A sentence among the tokens.

    Attributes:
        start, end: its first token, and the one after its last.
        asks_from: the token from which it asks for something; None if it only tells or asks a question.
        question: it ends with a question mark.
    """

    start: int
    end: int
    asks_from: int | None
    question: bool


def sentences(tokens: Sequence[Token]) -> list[Sentence]:
    """The sentences, in order."""
    found, start = [], 0
    for place in range(len(tokens)):
        if ends_sentence(tokens, place) or place == len(tokens) - 1:
            if place >= start and any(token.kind not in ("break", "mark") for token in tokens[start : place + 1]):
                question = tokens[place].key == "?"
                asks = _asks_from(tokens, start, place + 1, question)
                found.append(Sentence(start, place + 1, asks, question))
            start = place + 1
    return found


def zones(tokens: Sequence[Token], sentence: Sentence) -> list[Zone]:
    """What no requirement is read from, in the part of a sentence that asks for something."""
    if sentence.asks_from is None:
        return []
    found: list[Zone] = []
    place = sentence.asks_from
    while place < sentence.end:
        topic = tokens[place].key in ("about", "regarding") and place > sentence.start
        topic_on = tokens[place].key == "on" and place > 0 and tokens[place - 1].key in _THINGS | {"guide", "paper"}
        if topic or topic_on or tokens[place].key in _SUBORDINATE or _in_which(tokens, place):
            end = place + 1
            while end < sentence.end and not clause_begins(tokens, end):
                if (topic or topic_on) and (tokens[end].key in _SUBORDINATE | {"that", "which"}):
                    break
                end += 1
            found.append(Zone(place + (topic or topic_on), end, topic or topic_on))
            inner = end < sentence.end and tokens[end].key in {"that", "which"}
            if inner:
                stop = end + 1
                while stop < sentence.end and not clause_begins(tokens, stop):
                    stop += 1
                found.append(Zone(end, stop, False))
                end = stop
            place = end
        else:
            place += 1
    return found


def clause_begins(tokens: Sequence[Token], place: int) -> bool:
    """Does a new clause of a request begin at this token? After a comma, or with 'and' and a verb that asks."""
    if tokens[place].key in _CLAUSE_MARKS or (place and tokens[place - 1].key in _CLAUSE_MARKS):
        return True
    if place and tokens[place - 1].key in _LINKS:
        return False
    after = place + 1
    while after < len(tokens) and tokens[after].key in _FILLERS:
        after += 1
    return (
        tokens[place].key in _LINKS
        and after < len(tokens)
        and (
            (
                tokens[after].key in _IMPERATIVES
                and (tokens[after].key not in _NOUNS_TOO or _key(tokens, after + 1) in _OBJECTS)
            )
            or tokens[after].key in _MODALS
            or tokens[after].key in {"without", "no", "not", "does", "includes", "contains", "using"}
        )
    )


def _asks_from(tokens: Sequence[Token], start: int, end: int, question: bool) -> int | None:
    for place in range(start, end):
        if not (place == start or _clause_start(tokens, place)):
            continue
        head = place
        while head < end and (tokens[head].key in _FILLERS or tokens[head].kind in ("break", "mark")):
            head += 1
        if head >= end:
            return None
        said_please = any(token.key == "please" for token in tokens[place : head + 1])
        may_command = (not question or said_please or place == start) and not (question and tokens[head].key == "do")
        if may_command and _imperative(tokens, head):
            return place
        if _polite(tokens, head, end):
            return place
        if not question and _demands(tokens, head, end):
            return place
    return None


def _clause_start(tokens: Sequence[Token], place: int) -> bool:
    before = tokens[place - 1]
    return (
        before.key in _CLAUSE_MARKS
        or before.key in {"and", "but", "so", "then", "please", "-"}
        or before.kind == "quoted"
    )


def _imperative(tokens: Sequence[Token], head: int) -> bool:
    if tokens[head].key == "do":
        return head + 1 < len(tokens) and tokens[head + 1].key == "not"
    return tokens[head].kind == "word" and tokens[head].key in _IMPERATIVES


def _polite(tokens: Sequence[Token], head: int, end: int) -> bool:
    keys = [token.key for token in tokens[head : head + 3]]
    if len(keys) > 1 and keys[0] in _POLITE and keys[1] in ("you", "someone"):
        return True
    if keys[:2] == ["let", "us"] or keys[:1] == ["let's"]:
        return True
    return (
        len(keys) > 1
        and keys[0] in ("i", "we", "i'd", "we'd")
        and (keys[1] in ("want", "need", "like") or keys[1:3] == ["would", "like"])
    )


def _demands(tokens: Sequence[Token], head: int, end: int) -> bool:
    """'your answer must …', 'there should be …', 'the letter q should …': within one clause."""
    thing = None
    for place in range(head, min(end, head + 14)):
        if tokens[place].key in _CLAUSE_MARKS - {"(", ")"} and place > head:
            return False
        if (
            tokens[place].key in _SUBORDINATE | {"i", "he", "she", "they", "my", "said", "told", "that"}
            and place == head
        ):
            return False
        if tokens[place].key in _THINGS or (place == head + 1 and tokens[head].key in {"the", "your", "this"}):
            thing = place
        elif thing is not None and tokens[place].key in {"must", "should", "shall", "need", "needs", "cannot", "ought"}:
            return True
        elif thing is not None and tokens[place].key in {"has", "have", "is", "are", "may", "can"}:
            following = tokens[place + 1].key if place + 1 < len(tokens) else ""
            if following in {"to", "not", "separated", "divided", "marked", "indicated"} or tokens[place].key in {
                "may",
                "can",
            }:
                return True
    return False


def _in_which(tokens: Sequence[Token], place: int) -> bool:
    return tokens[place].key == "in" and place + 1 < len(tokens) and tokens[place + 1].key == "which"


def _key(tokens: Sequence[Token], place: int) -> str:
    return tokens[place].key if place < len(tokens) else ""
