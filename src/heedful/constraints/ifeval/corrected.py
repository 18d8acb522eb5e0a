"""IFEval's types decided as the prompts ask, where the reference decides otherwise. The table in docs/ifeval.md says how.

Each is a constraint of its own, `ifeval-corrected/group_name`, with the fields of the type it corrects. Types that are not
here (`detectable_format:title`, `keywords:letter_frequency`) need no correction. Corrected is what the verifier does, not
what a row says: rows whose arguments contradict their prompt are left as they are.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import ClassVar, TypeVar

from heedful.constraints.base import register_constraint
from heedful.constraints.ifeval import corrected_parts as parts
from heedful.constraints.ifeval.arrangement import EndChecker, NoComma, Quotation, RepeatPrompt, TwoResponses
from heedful.constraints.ifeval.base import IFEvalConstraint
from heedful.constraints.ifeval.case import CapitalWordFrequency, EnglishCapital, EnglishLowercase
from heedful.constraints.ifeval.formats import (
    ConstrainedResponse,
    JsonText,
    MultipleSections,
    NumberBulletLists,
    NumberHighlightedSections,
    NumberPlaceholders,
    Postscript,
    unfenced,
)
from heedful.constraints.ifeval.keywords import ForbiddenWords, KeywordsExistence, KeywordsFrequency
from heedful.constraints.ifeval.length import NthParagraphFirstWord, NumberParagraphs, NumberSentences, NumberWords
from heedful.constraints.ifeval.parts import between, visible
from heedful.constraints.ifeval.response_language import ResponseLanguage
from heedful.constraints.language import detect_language
from heedful.constraints.strict_json import NotJsonError, read_json
from heedful.constraints.text import fold, term_spans, word_spans
from heedful.constraints.verdict import Span, Verdict

T = TypeVar("T", bound=type[IFEvalConstraint])
CORRECTED: dict[str, type[IFEvalConstraint]] = {}
"""The corrected type, by the id that rows use; IFBench's are here too."""

_REASONS: dict[str, str] = {}


def corrected(constraint: IFEvalConstraint) -> IFEvalConstraint:
    """The constraint that asks the same and decides as the prompt asks; the same one where there is nothing to correct."""
    cls = CORRECTED.get(constraint.ifeval_id)
    return constraint if cls is None else cls(**constraint.kwargs())


def correction_of(ifeval_id: str) -> str:
    """What is corrected in a type, in one line; empty if nothing is."""
    return _REASONS.get(ifeval_id, "")


def corrects(why: str) -> Callable[[T], T]:
    """Class decorator: a type that decides as the prompts ask; registered as `ifeval-corrected/group_name`, or IFBench's."""

    def decorate(cls: T) -> T:
        benchmark, name = cls.id.split("/")
        cls.__doc__ = f"{cls.id} as its prompts ask: {why}."
        cls.id = f"{benchmark}-corrected/{name}"
        CORRECTED[cls.ifeval_id] = cls
        _REASONS[cls.ifeval_id] = why
        return register_constraint(cls)

    return decorate


@corrects("a keyword is taken as written, and as words of its own: 'art' is not in 'party'")
class KeywordsExistenceCorrected(KeywordsExistence):
    def _found(self, text: str) -> dict[str, list[Span]]:
        return {keyword: term_spans(text, keyword) for keyword in self.keywords}


@corrects("a keyword is taken as written, and as words of its own: 'art' is not in 'party'")
class KeywordsFrequencyCorrected(KeywordsFrequency):
    def _found(self, text: str) -> list[Span]:
        return term_spans(text, self.keyword)


@corrects('a word is taken as written, in any typographic form: "don\'t" is also “don’t”')
class ForbiddenWordsCorrected(ForbiddenWords):
    def _found(self, text: str) -> dict[str, list[Span]]:
        return {word: term_spans(text, word) for word in self.forbidden_words}


@corrects("accents and vowel signs written as characters of their own do not split a word")
class NumberWordsCorrected(NumberWords):
    def _found(self, text: str) -> list[Span]:
        return word_spans(text)


@corrects("'Mr.' and the like end no sentence; neither wordless pieces nor headings and signatures are one")
class NumberSentencesCorrected(NumberSentences):
    def _found(self, text: str) -> list[Span]:
        return parts.sentence_spans(text)


@corrects("*** divides only between white space ('***so***' does not), and an empty paragraph is not counted")
class NumberParagraphsCorrected(NumberParagraphs):
    def _verify(self, text: str) -> Verdict:
        found = visible(text, between(parts.paragraph_dividers(), text))
        return self._counted(found, "exactly", self.num_paragraphs, "paragraph")


@corrects("blank lines may be several or hold spaces; the first word is found behind any mark")
class NthParagraphFirstWordCorrected(NthParagraphFirstWord):
    def _paragraphs(self, text: str) -> list[Span]:
        return visible(text, between(parts.blank_lines(), text))

    def _first_word(self, paragraph: str) -> str:
        words = word_spans(paragraph)
        if words and any(start == words[0][0] for start, _ in term_spans(paragraph, self.first_word)):
            return self.first_word.lower()
        return paragraph[slice(*words[0])].lower() if words else ""


@corrects("links, footnotes, check boxes and empty brackets are no placeholders")
class NumberPlaceholdersCorrected(NumberPlaceholders):
    def _found(self, text: str) -> list[Span]:
        return parts.placeholder_spans(text)


@corrects("a postscript begins a line and says something; 'P.P.S.' is not 'P.S.'")
class PostscriptCorrected(Postscript):
    def _found(self, text: str) -> list[Span]:
        return parts.postscript_spans(self.postscript_marker, text)


@corrects(
    "a bullet is followed by white space and words: neither '---' nor '-5' nor '*so*'; '+' and '•' are bullets too"
)
class NumberBulletListsCorrected(NumberBulletLists):
    def _found(self, text: str) -> list[Span]:
        return parts.bullet_spans(text)


@corrects("asterisks touch what they highlight, so neither '2 * 3 * 4' nor two bullets are a highlight")
class NumberHighlightedSectionsCorrected(NumberHighlightedSections):
    def _found(self, text: str) -> list[Span]:
        return parts.highlight_spans(text)


@corrects("a section's marker begins a line, in any case, and each number counts once")
class MultipleSectionsCorrected(MultipleSections):
    def _found(self, text: str) -> list[Span]:
        return parts.section_spans(self.section_spliter, text)


@corrects("one object or array in strict JSON: no bare number or text, no NaN, no key twice")
class JsonTextCorrected(JsonText):
    def _verify(self, text: str) -> Verdict:
        hint = "write one JSON object or array and nothing before or after it"
        try:
            value = read_json(unfenced(text))
        except NotJsonError as error:
            return self._held(False, f"not JSON: {error}", hint=hint)
        structured = isinstance(value, dict | list)
        return self._held(structured, "JSON" if structured else "a bare value", hint=hint)


@corrects("one answer, not several beside each other")
class ConstrainedResponseCorrected(ConstrainedResponse):
    def _verify(self, text: str) -> Verdict:
        found = self._found(text)
        verdict = super()._verify(text)
        if len(found) < 2:
            return verdict
        return self._held(False, verdict.reason, measured=verdict.measured, spans=found, hint="give one answer")


@corrects("a longer run of asterisks is one divider, not several, and leaves none in the responses")
class TwoResponsesCorrected(TwoResponses):
    def _parts(self, text: str) -> list[Span]:
        return between(parts.response_divider(), text)


@corrects("white space, quotes and apostrophes may be written otherwise")
class RepeatPromptCorrected(RepeatPrompt):
    def _begins(self, text: str) -> tuple[str, str]:
        return _plain(text), _plain(self.prompt_to_repeat)


@corrects("emphasis and any quotation mark may stand behind the phrase, and it may be typeset otherwise")
class EndCheckerCorrected(EndChecker):
    closing: ClassVar[str] = "\"'*_` "

    def _ends(self, text: str) -> tuple[str, str]:
        return _plain(text).rstrip(self.closing), _plain(self.end_phrase).rstrip(self.closing)


@corrects("typographic double quotation marks are double quotation marks")
class QuotationCorrected(Quotation):
    def _quoted(self, text: str) -> bool:
        return len(text) > 1 and text[0] in '"“„' and text[-1] in '"”“'


@corrects("commas of other scripts are commas")
class NoCommaCorrected(NoComma):
    def _found(self, text: str) -> list[Span]:
        return parts.comma_spans(text)


@corrects("\"CAN'T\" and CANNOT are one word each, and NASA's is none")
class CapitalWordFrequencyCorrected(CapitalWordFrequency):
    def _found(self, text: str) -> list[Span]:
        return parts.capital_spans(text)


def _decided_language(constraint: IFEvalConstraint, text: str, wanted: str, note: str) -> Verdict:
    detected = detect_language(text)
    if detected.language is None:
        return constraint._undecided(detected.reason)
    found = f"{note}language: {detected.reason}"
    return constraint._held(
        detected.language == wanted, found, measured=detected.language, hint=f"write in the language {wanted}"
    )


@corrects("the language is detected in lower case too, since capitals mislead the detector; undetected is no pass")
class EnglishCapitalCorrected(EnglishCapital):
    def _english(self, text: str) -> Verdict:
        as_written = detect_language(text)
        shown = text if as_written.language == "en" else text.lower()
        return _decided_language(self, shown, "en", "capital letters only; ")


@corrects("a text whose language cannot be detected is unscored, not a pass")
class EnglishLowercaseCorrected(EnglishLowercase):
    def _english(self, text: str) -> Verdict:
        return _decided_language(self, text, "en", "lower-case letters only; ")


@corrects("a text whose language cannot be detected is unscored, not a pass")
class ResponseLanguageCorrected(ResponseLanguage):
    def _verify(self, text: str) -> Verdict:
        return _decided_language(self, text, self.language, "")


def _plain(text: str) -> str:
    """Folded: one case, one kind of quote and apostrophe, single spaces."""
    folded = fold(text.strip(), case_sensitive=False).text.strip()
    return "".join('"' if unicodedata.category(char) in ("Pi", "Pf") and char not in "‹›" else char for char in folded)
