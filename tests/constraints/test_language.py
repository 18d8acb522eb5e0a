"""Which language a text is in: the same each time, and never a guess where there is no detector."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from heedful.constraints import Constraint
from heedful.constraints.ifeval import EnglishCapital, EnglishLowercase, ResponseLanguage, check_loose
from heedful.constraints.language import LANGUAGES, _factory, detect_language


@pytest.fixture
def no_detector(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "langdetect", None)
    _factory.cache_clear()
    detect_language.cache_clear()
    yield
    _factory.cache_clear()
    detect_language.cache_clear()


def test_the_same_text_has_the_same_language() -> None:
    text = "casa no sol de la mar"  # close between several: an unseeded detector changes its mind
    found = set()
    for _ in range(20):
        detect_language.cache_clear()
        found.add(detect_language(text))
    assert len(found) == 1


def test_its_languages_are_the_known_ones() -> None:
    assert set(_factory().get_lang_list()) == set(LANGUAGES)


def test_a_text_without_letters_has_none() -> None:
    assert detect_language("123 456").language is None
    assert not detect_language("123 456").missing


@pytest.mark.usefixtures("no_detector")
@pytest.mark.parametrize(
    ("asked", "text"),
    [(ResponseLanguage(language="en"), "Hello"), (EnglishCapital(), "HELLO"), (EnglishLowercase(), "hello")],
)
def test_without_a_detector_nothing_passes(asked: Constraint, text: str) -> None:
    for verdict in (asked.check(text), check_loose(asked, text)):
        assert verdict.outcome == "unscored"
        assert "pip install 'heedful[ifeval]'" in verdict.reason


@pytest.mark.usefixtures("no_detector")
def test_without_a_detector_the_wrong_case_still_fails() -> None:
    assert EnglishCapital().check("Hello").outcome == "fail"
