"""The parser by rules: finds the phrases of the table where they count, and tells what else sounds like a requirement.

Left to right, the phrase that accounts for most of the tokens is read, if `places` lets a requirement stand there. Then what
was said in pieces is put together ('four paragraphs', '… separated by ***'), topics are cut where the next requirement
begins, and what sounds like a requirement and was not read is left as unread. Knows no particular phrase.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from heedful.constraints.conflicts import conflict
from heedful.constraints.verdict import Span
from heedful.constraints.words.counts import Amount
from heedful.constraints.words.making import UnsayableError, made
from heedful.constraints.words.numbers import number_at
from heedful.constraints.words.parsed import Contradiction, Parsed, Reading, Unread
from heedful.constraints.words.parts import part_of
from heedful.constraints.words.phrasebook import Found, phrasebook
from heedful.constraints.words.pieces import put_together
from heedful.constraints.words.places import Sentence, Zone, clause_begins, sentences, zones
from heedful.constraints.words.tokens import Token, tokenize
from heedful.errors import InputError

_LEADS = frozenset("in using with without as within under by".split())
"""What a requirement begins with when it stands behind a topic without a comma: 'about rivers in at most 50 words'."""

_AFTER_CLAUSE = frozenset(
    "words characters sentences paragraphs bullets json json_only highlights placeholders".split()
)
"""What may follow a subordinate clause without a comma: 'explain how locks work in at most 50 words'."""

_NEGATIONS = frozenset({"not", "never", "avoid", "without", "cannot", "nor", "neither"})
_OPPOSITES = {"formal": "informal", "informal": "formal", "toxic": "clean"}
_TERMS = frozenset("include include_each_time".split())
_LENGTHS = frozenset("words word_limit characters character_limit sentences".split())
_COUNTS = _LENGTHS | _TERMS | frozenset("bullets letter capital_words highlights placeholders".split())
"""What is another requirement when it is asked of each part."""

_TONES = frozenset("positive negative neutral formal informal".split())
_OF_ONE_PART = frozenset("exclude no_letter no_comma lowercase capitals_only clean toxic language".split())
"""What, besides counts and tones, is another requirement when it is asked of one part."""

_REFUSING = frozenset("no not without never neither nothing only just".split())
_ANSWERED = frozenset(
    "one man body matter doubt wonder need problem thanks thank idea longer way i it he she we they you".split()
)
"""'No emojis' refuses something; 'No one' and 'No, thanks' do not."""

_REVISING = [
    words.split()
    for words in """actually|instead|rather ,|correction|wait|sorry ,|no ,|on second thought|on second thoughts|scratch that|
    make it|make that|let us say|never mind""".split("|")
]
"""What a sentence begins with that says something anew."""

_FEW = 5

_OF_THE_TEXT = frozenset("include exclude include_each_time capital_words letter no_letter no_comma".split())
"""What a clause with 'that' may ask of the text itself: 'a haiku about a lion that includes the word "river"'."""

_TIMES = frozenset(
    """morning afternoon evening night day week weekend month year monday tuesday wednesday thursday friday saturday
    sunday birthday occasion time behalf""".split()
)
_OWN_LANGUAGE = frozenset(
    """word words book books novel poem phrase phrases sentence verb verbs noun song film term name names text""".split()
)
"""Things that are themselves in a language: 'about the longest word in English' asks for no English."""


def by_rules(text: str) -> Parsed:
    """What `text` asks for, by the rules of this package. It reads English."""
    tokens = tokenize(text)
    found: list[Found] = []
    unread: list[Unread] = []
    for sentence in sentences(tokens):
        sentence_found = _read(tokens, sentence)
        if found and (said := _revision(tokens, sentence)):
            unread.append(Unread(_span(tokens, sentence.start, said), "it may take back a limit that stands before it"))
        found += sentence_found.understood
        unread += [Unread(_span(tokens, *place), "not understood") for place in sentence_found.signs]
    readings: list[Reading] = []
    for asked in put_together(found, tokens, text):
        spans = tuple(sorted(_span(tokens, *place) for place in asked.places))
        try:
            readings += [Reading(constraint, spans) for constraint in made(asked.kind, asked.captures)]
        except UnsayableError as reason:
            unread += [Unread(span, str(reason)) for span in spans]
        except InputError as reason:
            unread += [Unread(span, reason.cause) for span in spans]
    readings = _once(sorted(readings, key=lambda reading: reading.spans))
    contradictions = tuple(
        Contradiction(first, second, clash.why)
        for first, second in combinations(readings, 2)
        if (clash := conflict(first.constraint, second.constraint))
    )
    return Parsed(text, tuple(readings), tuple(sorted(set(unread))), contradictions)


class _Read(NamedTuple):
    understood: list[Found]
    signs: list[tuple[int, int]]


def _read(tokens: list[Token], sentence: Sentence) -> _Read:
    sentence = _with_fragment(tokens, sentence)
    if sentence.asks_from is None:
        return _Read([], _refusal(tokens, sentence))
    closed = zones(tokens, sentence)
    found: list[Found] = []
    place = sentence.asks_from
    while place < sentence.end:
        best = _best(tokens, sentence, closed, place)
        if best is None or _is_cut_short(tokens, sentence, closed, best):
            place += 1
            continue
        best = _one_of_several(tokens, sentence, _of_a_part(tokens, sentence, best))
        found.append(_negated(tokens, sentence, found, best))
        closed = [_ended_by(zone, best) for zone in closed]
        place = best.end
    topics = [
        _negated(tokens, sentence, found, topic) for topic in _topics(tokens, sentence, zones(tokens, sentence), found)
    ]
    return _Read(found + topics, _signs(tokens, sentence, closed, found + topics))


def _with_fragment(tokens: list[Token], sentence: Sentence) -> Sentence:
    """'At most 50 words.' has no verb and asks: a sentence that begins with a phrase of the table asks from its start."""
    if sentence.asks_from == sentence.start or (sentence.question and sentence.asks_from is None):
        return sentence
    if any(sign.kind == "label" for sign in phrasebook("signs").at(tokens, sentence.start)):
        return sentence._replace(asks_from=sentence.start)
    keys = [token.key for token in tokens[sentence.start : sentence.start + 3]]
    starts = range(sentence.start, min(sentence.start + 1 + (keys[0] in {"a", "an", "the"}), sentence.end))
    begins = keys in (["on", "the", "subject"], ["on", "the", "topic"])
    if begins or any(_best(tokens, sentence, (), start) is not None for start in starts):
        return sentence._replace(asks_from=sentence.start)
    return sentence


def _revision(tokens: list[Token], sentence: Sentence) -> int:
    """Where the words end by which a sentence with a number in it takes back another: 'Actually, make it 80.'; 0 if none do."""
    keys = [token.key for token in tokens[sentence.start : sentence.end]]
    begins = next((len(words) for words in _REVISING if keys[: len(words)] == words), 0)
    numbered = any(number_at(tokens, place) for place in range(sentence.start + begins, sentence.end))
    return sentence.start + begins if begins and numbered else 0


def _refusal(tokens: list[Token], sentence: Sentence) -> list[tuple[int, int]]:
    """'No emojis.', 'Not in English.', 'Just plain text.': too short to tell something, and more than nothing."""
    words = [place for place in range(sentence.start, sentence.end) if tokens[place].kind not in ("mark", "break")]
    first, second = tokens[words[0]].key, tokens[words[1]].key if len(words) > 1 else ""
    if sentence.question or not 1 < len(words) <= _FEW or first not in _REFUSING or second in _ANSWERED:
        return []
    return [(words[0], words[-1] + 1)]


def _best(tokens: list[Token], sentence: Sentence, closed: Sequence[Zone], place: int) -> Found | None:
    """The phrase that starts here, may, and accounts for most."""
    options = [
        found
        for found in phrasebook("phrases").at(tokens, place)
        if found.kind != "topic" and found.end <= _reach(tokens, sentence, found) and _may_stand(tokens, closed, found)
    ]
    return max(options, key=lambda found: (found.weight, found.end), default=None)


def _is_cut_short(tokens: list[Token], sentence: Sentence, closed: Sequence[Zone], found: Found) -> bool:
    """Does a phrase that starts within this one say more? 'use at least six words' in '… in all capital letters'."""
    later = (_best(tokens, sentence, closed, place) for place in range(found.start + 1, found.end))
    return any(other is not None and other.end > found.end and other.weight > found.weight for other in later)


def _ended_by(zone: Zone, found: Found) -> Zone:
    """What is written about is over where a requirement was read."""
    return zone._replace(end=found.start) if zone.start < found.start < zone.end else zone


def _negated(tokens: list[Token], sentence: Sentence, before: Sequence[Found], found: Found) -> Found:
    """'do not write in a formal tone' asks for the opposite, if there is one that a constraint can say."""
    earliest = max([sentence.start, found.start - 5, *(other.end for other in before)])
    place = found.start - 1
    while place >= earliest and tokens[place].key not in _NEGATIONS and not clause_begins(tokens, place + 1):
        place -= 1
    if place < earliest or tokens[place].key not in _NEGATIONS or found.kind == "unsaid":
        return found
    begins = place - (tokens[place].key == "not" != tokens[place].written.lower())  # "don't" is two tokens
    if found.kind in _OPPOSITES and tokens[place].key not in {"neither", "nor"}:
        return found._replace(kind=_OPPOSITES[found.kind], start=begins)
    amounts = [(slot, held) for slot, held in found.captures.items() if isinstance(held, Amount)]
    if found.kind in _LENGTHS | {"include_each_time"} and amounts and amounts[0][1].form in ("more", "fewer"):
        slot, held = amounts[0]
        return found._replace(start=begins, captures={**found.captures, slot: held.denied()})
    return _unsaid(found, "it is negated, and no constraint says the opposite")


def _of_a_part(tokens: list[Token], sentence: Sentence, found: Found) -> Found:
    """'each line should contain one sentence' and 'the title must be in capitals' say nothing of the whole text, which is all
    that a constraint can judge."""
    if found.kind not in _COUNTS | _TONES | _OF_ONE_PART:
        return found
    part = part_of(tokens, sentence, found.start, found.end)
    if part is None or (part.which == "each" and (found.kind not in _COUNTS or _of_each_term(tokens, found, part.end))):
        return found
    which = "each part" if part.which == "each" else "a part"
    return _unsaid(found._replace(end=part.end), f"it is asked of {which}, and constraints judge the whole text")


def _of_each_term(tokens: Sequence[Token], found: Found, end: int) -> bool:
    """'Use "foo" and "bar" twice each' speaks of the terms."""
    return found.kind in _TERMS and end == found.end + 1 and tokens[found.end].key == "each"


def _one_of_several(tokens: list[Token], sentence: Sentence, found: Found) -> Found:
    """'Use "foo" or "bar"', 'in Spanish or French', 'at most 50 words or 300 characters': constraints hold together, and none
    says that one of them is enough."""
    within = [token.key for token in tokens[max(found.start - 1, sentence.start) : found.end]]
    end = found.end if found.kind in _TONES and "or" in within else _after_alternative(tokens, sentence, found)
    if end is None:
        return found
    return _unsaid(found._replace(end=end), "one of several is enough here, and constraints ask for all")


def _after_alternative(tokens: list[Token], sentence: Sentence, found: Found) -> int | None:
    """The token behind what 'or' puts beside this requirement; None if nothing stands beside it."""
    if found.kind in _TERMS | {"json", "json_only"}:
        terms = {term for slot in ("quotedterms", "bareterms", "keys") for term in found.captures.get(slot, ())}
        beside = (
            tokens[place - 1].key == "or" and {tokens[place].key.strip(" .,;:!?"), tokens[place].written} & terms
            for place in range(found.start + 1, found.end)
        )
        return found.end if any(beside) else None
    place, last = found.end + 1, sentence.end - 1
    if place > last or tokens[found.end].key not in {"or", "/"}:
        return None
    if found.kind == "language":
        place += tokens[place].key == "in" and place < last
        return place + 1 if tokens[place].capital else None
    if found.kind in _TONES:
        alone = tokens[place].kind == "word" and (place == last or tokens[place + 1].kind == "mark")
        return place + 1 if alone else None
    if found.kind not in _LENGTHS or number_at(tokens, place) is None:
        return None
    while place <= last and tokens[place].kind in ("word", "number") and not clause_begins(tokens, place):
        place += 1
    return place


def _unsaid(found: Found, why: str) -> Found:
    return found._replace(kind="unsaid", captures={"why": why})


def _reach(tokens: Sequence[Token], sentence: Sentence, found: Found) -> int:
    """A phrase ends with its sentence, but a sample that is quoted in lines may follow it."""
    return len(tokens) if found.kind in ("ending", "yes_no_maybe") else sentence.end


def _may_stand(tokens: Sequence[Token], closed: Sequence[Zone], found: Found) -> bool:
    zone = next((zone for zone in closed if zone.start <= found.start < zone.end), None)
    if zone is None:
        return True
    if tokens[found.start - 1].key == "that" or tokens[found.start].key == "that":
        return found.kind in _AFTER_CLAUSE | _OF_THE_TEXT
    if tokens[found.start].key == "of":
        # 'a poem about rain of at most 20 words each', but not 'about a dictionary of at most 20 words that he found'
        behind = tokens[found.end] if found.end < len(tokens) else None
        ends = behind is None or behind.kind in ("mark", "break") or behind.key == "each"
        return zone.topic and found.kind in _LENGTHS and _is_bounded(found) and ends
    if tokens[found.start].key not in _LEADS or found.start == zone.start:
        return False
    if found.kind == "language":
        return zone.topic and not any(token.key in _OWN_LANGUAGE for token in tokens[zone.start : found.start])
    return zone.topic or (found.kind in _AFTER_CLAUSE and _is_bounded(found))


def _is_bounded(found: Found) -> bool:
    count = found.captures.get("count")
    return count is None or count.form != "bare"


def _topics(tokens: list[Token], sentence: Sentence, closed: Sequence[Zone], found: Sequence[Found]) -> list[Found]:
    """What the sentence asks to write about: from its phrase to the next requirement, clause or end."""
    taken = {place for item in found for place in range(item.start, item.end)}
    place = sentence.asks_from or sentence.start
    while place < sentence.end:
        inside = any(zone.start < place < zone.end and place != zone.start for zone in closed if not zone.topic)
        options = (
            []
            if place in taken or inside
            else [f for f in phrasebook("phrases").at(tokens, place) if f.kind == "topic"]
        )
        for option in sorted(options, key=lambda option: option.captures["topic"], reverse=True):
            begins = next(i for i in range(option.start, option.end) if tokens[i].start == option.captures["topic"][0])
            end = begins
            while end < option.end and end not in taken and not (end > begins and clause_begins(tokens, end)):
                end += 1
            while end > begins and tokens[end - 1].key in {
                "and",
                "but",
                ",",
                "with",
                "in",
                "or",
                "please",
                "that",
                "using",
            }:
                end -= 1
            if (
                end > begins
                and tokens[begins].key not in {"it", "them", "that", "this", "what", "you"}
                and not _is_a_time(tokens, option, end)
            ):
                return [option._replace(end=end, captures={"topic": (tokens[begins].start, tokens[end - 1].end)})]
        place += 1
    return []


def _is_a_time(tokens: Sequence[Token], option: Found, end: int) -> bool:
    """'a report on a quiet evening' is written then, and not about it."""
    preposition = next((token.key for token in tokens[option.start : end] if token.key in {"on", "about"}), "")
    return preposition == "on" and any(token.key in _TIMES for token in tokens[option.start : end])


def _signs(
    tokens: list[Token], sentence: Sentence, closed: Sequence[Zone], found: Sequence[Found]
) -> list[tuple[int, int]]:
    """What sounds like a requirement and was not read, each to the end of its clause or to what was read.

    A 'feature' ('in iambic pentameter') is a requirement by itself. A 'lead' ('make sure that', 'your answer must') leads to
    one: if anything was read in its clause, that was it.
    """
    taken = {place for item in found for place in range(item.start, item.end)}
    signs: list[tuple[int, int]] = []
    place = sentence.asks_from or sentence.start
    while place < sentence.end:
        inside = any(zone.start <= place < zone.end for zone in closed)
        options = [
            option
            for option in ([] if inside or place in taken else phrasebook("signs").at(tokens, place))
            if option.kind == "lead" or not taken & set(range(place, option.end))
        ]
        features = [option for option in options if option.kind != "lead"]
        if not options:
            place += 1
            continue
        end = max(option.end for option in features or options)
        while end < sentence.end and not clause_begins(tokens, end) and tokens[end].key not in ".!?;":
            if features and end in taken:
                break
            end += 1
        while features and end > place + 1 and tokens[end - 1].key in _LEADS | {"and", "or", "about"}:
            end -= 1
        behind = end + 2 if end < sentence.end and tokens[end].key == ":" else end
        if features or not taken & set(range(place, behind)):
            signs.append((place, end))
            place = end
        else:
            place += 1
    return signs


def _once(readings: Sequence[Reading]) -> list[Reading]:
    """A requirement that is said twice is one reading with all its words."""
    merged: dict[object, Reading] = {}
    for reading in readings:
        before = merged.get(reading.constraint)
        spans = reading.spans if before is None else tuple(dict.fromkeys((*before.spans, *reading.spans)))
        merged[reading.constraint] = Reading(reading.constraint, spans)
    return list(merged.values())


def _span(tokens: Sequence[Token], start: int, end: int) -> Span:
    return tokens[start].start, tokens[end - 1].end
