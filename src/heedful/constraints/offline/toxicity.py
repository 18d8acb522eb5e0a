"""Toxicity: insults and profanity, by lexicon and by whom the words are pointed at.

Profanity speaks wherever it stands, also disguised ('f*ck', 'sh1t', 'fuuuck', 's h i t'). An insult speaks unless it is
denied, mentioned or said of oneself ('she is no idiot', 'he called me an idiot', 'I felt such a fool'). Words that are
harmless elsewhere ('donkey', 'thick') speak only where the text points them at a person ('you donkey', 'he is so thick') or
adds contempt ('that smug donkey'); three that name a kind of person ('a bore, a bully and a cheat') speak together. Idioms
hide their words ('dumb waiter'), an animal among animals is one (a breeder's bitch), and only whole words are looked at
(Scunthorpe is safe). Knows English only, and no irony: a polite text can wound without any of this.
"""

from __future__ import annotations

import re
from functools import cache

from heedful.constraints.classification import Classification
from heedful.constraints.offline.lexicon import Lexicon, Match, load_lexicon
from heedful.constraints.offline.words import base_forms, has_latin_letters, plain, words

TOXIC = 0.5
"""Score in [0, 1] from which a text is toxic; a find of full weight scores 0.8 or more."""

_WINDOW = 60  # characters before a word in which to look for whom it is pointed at

_CONTEMPT_REACH = 2  # words that may stand between a contemptuous adjective and its noun: 'useless greedy old weasel'

_UNDIRECTED = 0.35  # weight of a noun for a kind of person ('a bully') that may only report: it takes three to be toxic

# What may stand between the person and the insult: 'you [are such a complete and utter] donkey'.
_FILL = (
    r"(?:(?:such|so|really|truly|just|simply|only|very|too|quite|rather|pretty|completely|totally|utterly|absolutely|nothing|"
    r"but|more|than|always|all|still|both|as|being|a|an|the|my|and|absolute|complete|total|utter|real|right|proper|first-class|"
    r"little|big|great|fat|old|poor|bloody|damn|goddamn|\w*fucking|stinking|filthy|dirty|stupid|dumb|lazy|ugly|pathetic|"
    r"worthless|useless|miserable|disgusting|selfish|arrogant|ignorant|silly|foolish|slimy|greedy|lying|cheating|two-faced|"
    r"spineless|brainless|ungrateful|rotten|sad|sorry|smug|pompous|bunch|pack|load|lot|piece|pile|lump|waste|of|what|well|"
    r"honestly|frankly|clearly|obviously|seriously|even|such\s+an?|kind|sort|most|biggest|worst|laziest|dumbest)[\s,]+)*\Z"
)
_YOU = re.compile(
    r"\b(?:you|u|ya|yourselves)(?:'re|\s+are|\s+were|\s+look|\s+sound|\s+seem|\s+act|'ll\s+always\s+be|\s+will\s+always\s+be|"
    r"\s+must\s+be|\s+have\s+always\s+been|'ve\s+always\s+been|\s+people\s+are|\s+lot\s+are|\s+guys\s+are|\s+all\s+are)?"
    r"(?:\s+like)?[\s,]+" + _FILL
)
_YOUR = re.compile(r"\byour\s+" + _FILL + r"|\byour\s+(?:[\w-]+\s+){1,3}(?:is|are|was|were|looks?|sounds?)\s+" + _FILL)
_THEY = re.compile(r"\bthey(?:'re|\s+are|\s+were)\s+" + _FILL)  # may be things: 'they're cheap'
_IS_A = re.compile(
    r"\b(?!(?:it|this|that|there|what|which|here)\b)[\w'-]+?(?:\s+(?:is|are|was|were)|'s|'re)\s+an?\s+" + _FILL
)
_THIRD = re.compile(
    r"\b(?:he|she|who|everyone|everybody|(?:that|this|the|these|those|our|my|his|her)\s+(?:[\w-]+\s+)?"
    r"(?:man|woman|guy|guys|boy|girl|people|boss|manager|coach|referee|neighbou?rs?|teacher|politicians?|driver|player|team|"
    r"waiter|landlord|brother|sister|cousin|ex|author|director|editor|committee|mayor|minister|president|staff|crowd|kids?))"
    r"(?:'s|'re|\s+is|\s+are|\s+was|\s+were|\s+must\s+be)\s+" + _FILL
)
_WHAT = re.compile(r"\b(?:what|such)\s+(?:an?|absolute|utter)\s+" + _FILL)
_PERSON_AFTER = re.compile(
    r"\A[\s,]+(?:[\w-]+\s+)?(?:people|person|man|woman|men|women|guy|guys|kid|kids|boy|girl|boss|manager|neighbou?rs?|driver|drivers|"
    r"politicians?|fools?|clowns?|pigs?|cows?|losers?|creatures?|brats?|liars?|cowards?|morons?|like\s+you|excuse)\b"
)
_LIKE_YOU = re.compile(r"\A[\s,]+(?:like|such\s+as)\s+(?:you|him|her|them)\b")

_DENIED = re.compile(
    r"(?:\b(?:not|never|no|nor|neither|without|hardly|isn't|aren't|wasn't|weren't|don't\s+be|doesn't|didn't|don't|\w+n't)\s+"
    r"(?:(?:be|being|an?|the|such|call|calling|think|thinking|say|saying|mean|a\s+bit\s+of\s+an?|\w+|that)\s+){0,4}\Z)"
)
_MENTIONED = re.compile(
    r"\b(?:call(?:ed|s|ing)?|label(?:led|s|ling)?|brand(?:ed|s|ing)?)\s+(?:[\w'-]+\s+){1,3}?(?:an?\s+|the\s+)?[\"'“‘]?\Z|"
    r"\b(?:describ|refer|portray)\w*\s+(?:[\w'-]+\s+){1,5}as\s+(?:[\"'“‘]\s*)?(?:an?\s+|the\s+)?[\"'“‘]?\Z|"
    r"\b(?:word|words|term|terms|insult|insults|name|names|title|titled|entitled|novel|film|song)s?\s+(?:like\s+)?[\"'“‘]?\Z"
)
_OF_ONESELF = re.compile(
    r"\b(?:i|i'm|me|myself|we|we're)(?:\s+(?:am|was|were|are|be|been|feel|felt|look|looked|looking|sound|sounded|must|have|had|"
    r"seem|seemed|can|could|like|made|make|of|for|being))*\s+" + _FILL
)

_AS_ONESELF = re.compile(
    r"\b(?:i|i'd|i'm|my|myself|me)\b(?!.*\b(?:you|he|she|they|your|his|her|their)\b).*\blike\s+" + _FILL, re.DOTALL
)

_ALSO_ANIMALS = frozenset({"bitch", "ass"})
_AMONG_ANIMALS = re.compile(
    r"\b(?:whelp\w*|pups?|pupp(?:y|ies)|litters?|kennels?|breed\w*|pedigree|spayed|dogs?|stud|hounds?|foals?|donkeys?|mules?|horses?|"
    r"braying|brayed|saddled?|stables?)\b"
)

_LEET = str.maketrans(
    {"1": "i", "!": "i", "|": "i", "3": "e", "4": "a", "@": "a", "$": "s", "5": "s", "0": "o", "7": "t"}
)
_DISGUISED = re.compile(
    r"(?<![\w@$*])(?=[^a-z\s]*[a-z])(?=[a-z]*[*@$!|\d])[a-z\d@$][\w*@$!|]*(?<!!)(?!\w)", re.IGNORECASE
)  # a word with letters, and with at least one digit or symbol that may stand for another
_SPACED = re.compile(r"(?<![\w'])[a-z](?:[ .*_-][a-z]){3,}(?!\w)", re.IGNORECASE)
_STRETCHED = re.compile(r"(\w)\1{2,}")
_LONGEST_WORD = 20


def classify(text: str) -> Classification:
    """toxic or clean; None if there is no English to read."""
    if not has_latin_letters(text):
        return Classification(None, {}, "no Latin letters: the lexicon is English")
    lowered = plain(text).lower()
    if len(lowered) != len(text):  # a few capitals grow when lowered; the places found must still be those of the text
        lowered = "".join(character.lower() if len(character.lower()) == 1 else character for character in plain(text))
    finds = _speaking(text, lowered)
    finds += _disguised(lowered)
    clean = 1.0
    for weight, _, _ in finds:
        clean *= 1 - 0.8 * weight
    toxic = round(1 - clean, 4)
    scores = {"toxic": toxic, "clean": round(1 - toxic, 4)}
    spans = tuple(sorted({(start, end) for _, start, end in finds}))
    quoted = ", ".join(repr(text[start:end]) for start, end in spans[:5]) + (", …" if len(spans) > 5 else "")
    found = f"{len(spans)} insulting or profane: {quoted}" if spans else "no insult and no profanity found"
    reason = f"score {toxic:.2f}, toxic from {TOXIC}: {found}"
    if toxic < TOXIC:
        return Classification("clean", scores, reason)
    return Classification("toxic", scores, reason, spans)


def _speaking(text: str, lowered: str) -> list[tuple[float, int, int]]:
    """What the lexicon finds and the text means: (weight, start, end)."""
    finds = []
    contempt_until = -1  # the last word that a contemptuous adjective reaches
    for match in _lexicon().matches(words(text)):
        weights = dict(match.entry.weights)
        weight = _weight(match, weights, lowered, despised=match.first <= contempt_until)
        if weight > 0:
            finds.append((weight, match.start, match.end))
        if "contempt" in weights:
            contempt_until = match.stop + _CONTEMPT_REACH
    return finds


def _weight(match: Match, weights: dict[str, float], lowered: str, despised: bool) -> float:
    """How much a find speaks here: a directed word only when pointed at someone, an insult unless taken back."""
    before = lowered[max(0, match.start - _WINDOW) : match.start]
    after = lowered[match.end : match.end + _WINDOW]
    if match.entry.key in _ALSO_ANIMALS and (_AMONG_ANIMALS.search(before) or _AMONG_ANIMALS.search(after)):
        return 0.0
    if "profanity" in weights:
        return weights["profanity"]
    if "phrases" in weights:
        return weights["phrases"]
    if any(pattern.search(before) for pattern in (_DENIED, _MENTIONED, _OF_ONESELF, _AS_ONESELF)):
        return 0.0
    if "insults" in weights:
        return weights["insults"]
    person = weights.get("person nouns", 0.0)
    named = despised or _is_named(before, after)
    return max(
        weights.get("mild adjectives", 0.0) * _is_predicated(before, after),
        weights.get("directed adjectives", 0.0) * bool(_is_predicated(before, after) or _THEY.search(before)),
        weights.get("directed nouns", 0.0) * named,
        person * (1.0 if named or _IS_A.search(before) else _UNDIRECTED),
    )


def _is_predicated(before: str, after: str) -> bool:
    return bool(_YOU.search(before) or _YOUR.search(before) or _THIRD.search(before) or _PERSON_AFTER.search(after))


def _is_named(before: str, after: str) -> bool:
    return bool(
        _YOU.search(before)
        or _THIRD.search(before)
        or _THEY.search(before)
        or _WHAT.search(before)
        or _LIKE_YOU.search(after)
    )


def _disguised(lowered: str) -> list[tuple[float, int, int]]:
    """Profanity and insults behind symbols, digits, spaces and stretched letters."""
    found = []
    for pattern in (_DISGUISED, _SPACED):
        for match in pattern.finditer(lowered):
            if len(match[0]) <= 2 * _LONGEST_WORD and _is_bad(match[0]):
                found.append((1.0, match.start(), match.end()))
    for match in re.finditer(r"\w*(\w)\1{2,}\w*", lowered):
        if _is_bad(match[0]):
            found.append((1.0, match.start(), match.end()))
    return found


@cache
def _bad_words() -> frozenset[str]:
    """Single words that are profane or insulting by themselves."""
    return _lexicon().single_words("profanity") | _lexicon().single_words("insults")


@cache
def _is_bad(disguise: str) -> bool:
    """Whether a disguised spelling stands for one of the words."""
    letters = re.sub(r"[ ._-]", "", disguise.translate(_LEET))
    if "*" in letters:
        if not re.search(r"[a-z]", letters):
            return False
        shape = re.compile(re.escape(letters).replace(r"\*", "[a-z]"))
        return any(shape.fullmatch(word) for word in _lexicon().single_words("profanity"))
    forms = {form for run in (r"\1", r"\1\1") for form in base_forms(_STRETCHED.sub(run, letters))}
    return not forms.isdisjoint(_bad_words())


@cache
def _lexicon() -> Lexicon:
    return load_lexicon("toxicity.txt")
