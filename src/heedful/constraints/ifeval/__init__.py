"""The 25 instruction types of IFEval as constraints. See `base` for what they have in common.

>>> from heedful.constraints.ifeval import constraint_from_ifeval
>>> constraint_from_ifeval("length_constraints:number_words", {"num_words": 3, "relation": "less than"}).check("a b c").hint
'3 words, fewer than 3: cut 1'
"""

from __future__ import annotations

from heedful.constraints.ifeval import monitors as _monitors  # noqa: F401  (it gives every type its monitor)
from heedful.constraints.ifeval.arrangement import EndChecker, NoComma, Quotation, RepeatPrompt, TwoResponses
from heedful.constraints.ifeval.base import IFEvalConstraint, constraint_from_ifeval, known_ifeval_types
from heedful.constraints.ifeval.case import CapitalWordFrequency, EnglishCapital, EnglishLowercase
from heedful.constraints.ifeval.contradictions import contradictions
from heedful.constraints.ifeval.corrected import CORRECTED, corrected, correction_of
from heedful.constraints.ifeval.formats import (
    ConstrainedResponse,
    JsonText,
    MultipleSections,
    NumberBulletLists,
    NumberHighlightedSections,
    NumberPlaceholders,
    Postscript,
    Title,
)
from heedful.constraints.ifeval.keywords import ForbiddenWords, KeywordsExistence, KeywordsFrequency, LetterFrequency
from heedful.constraints.ifeval.length import NthParagraphFirstWord, NumberParagraphs, NumberSentences, NumberWords
from heedful.constraints.ifeval.loose import check_loose, loose_variants
from heedful.constraints.ifeval.response_language import ResponseLanguage

__all__ = [
    "CORRECTED",
    "CapitalWordFrequency",
    "ConstrainedResponse",
    "EndChecker",
    "EnglishCapital",
    "EnglishLowercase",
    "ForbiddenWords",
    "IFEvalConstraint",
    "JsonText",
    "KeywordsExistence",
    "KeywordsFrequency",
    "LetterFrequency",
    "MultipleSections",
    "NoComma",
    "NthParagraphFirstWord",
    "NumberBulletLists",
    "NumberHighlightedSections",
    "NumberParagraphs",
    "NumberPlaceholders",
    "NumberSentences",
    "NumberWords",
    "Postscript",
    "Quotation",
    "RepeatPrompt",
    "ResponseLanguage",
    "Title",
    "TwoResponses",
    "check_loose",
    "constraint_from_ifeval",
    "contradictions",
    "corrected",
    "correction_of",
    "known_ifeval_types",
    "loose_variants",
]
