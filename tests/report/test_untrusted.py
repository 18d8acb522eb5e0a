"""Whatever a model or a user wrote is text on the page: it becomes no element and no attribute, moves nothing, and fits.

The same hostile strings go through every door at once: prompts, answers, what a constraint asks for, the model's name. What
the page is made of is compared with a page of harmless words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from heedful.report import compare_runs, render_report
from heedful.report.wording import visible

from .test_browser import BROWSER, assert_quiet, assert_well_laid_out, browse
from .test_page import Page, assert_inert

OWNED = "document.documentElement.setAttribute(`data-owned`, 1)"
HOSTILE = " ".join(
    (
        f"<script>{OWNED}</script>",
        f"</title></style></svg></bdi></blockquote><img src=x onerror={OWNED}><svg onload={OWNED}>",
        f"\" onmouseover=\"{OWNED}\" ' onfocus='{OWNED}' autofocus `x`",
        "{{ 7*191 }} {% raw %} {# gone #} ${7*191}",
        "&lt;i&gt; &#60;i&#62; &#x3c;i&#x3e; &amp;amp; &nbsp",
        "<!-- --> ]]> <![CDATA[ <a href=javascript:owned> <base href=//owned.example> <meta http-equiv=refresh>",
        "\u202egnol\u202c \u2066\u2067\u2068\u2069 \u200e\u200f\u061c \u200b\ufeff\U000e0041",
        "\x00\x07\x08\x1b[31m\x7f\x85",
        "w" * 3000,
    )
)
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
)
TASKS = ("word_count", "json", "include", "exclude", "topic")
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """By name: a page of hostile words, and the same of harmless ones."""
    from .conftest import synthetic_run

    folder = tmp_path_factory.mktemp("untrusted")

    def both(words: str, model: str, name: str) -> tuple[str, str]:
        run = synthetic_run(folder / name, model=model, text=words, prompt=words, term=words, tasks=TASKS)
        other = synthetic_run(folder / f"{name}-other", tasks=TASKS)
        comparison = compare_runs([run, other], folder / f"{name}-compared").report
        return render_report(run), comparison.read_text(encoding="utf-8")

    hostile, harmless = both(HOSTILE, HOSTILE, "hostile"), both("words " * 60, "a-model", "harmless")
    return {name: (hostile[i], harmless[i]) for i, name in enumerate(("report", "comparison"))}


def parts(page: Page) -> set[tuple[str, tuple[str, ...]]]:
    """What a page is made of: elements with the names of their attributes."""
    return {(tag, tuple(sorted(attrs))) for tag, attrs in page.tags}


@pytest.mark.parametrize("name", ["report", "comparison"])
def test_nothing_becomes_an_element_or_an_attribute(pages: dict[str, tuple[str, str]], name: str) -> None:
    hostile, harmless = (assert_inert(html) for html in pages[name])
    assert parts(hostile) <= parts(harmless)
    assert_words_only(hostile)
    assert "{{ 7*191 }}" in "".join(hostile.text)
    assert "1337" not in "".join(hostile.text).replace("7*191", "")
    assert not UNSEEN.search(pages[name][0])


def test_every_word_is_there_to_be_read(pages: dict[str, tuple[str, str]]) -> None:
    text = " ".join("".join(Page(pages["report"][0]).text).split())
    for piece in visible(HOSTILE.removesuffix("w" * 3000)).split():
        assert piece in text


def test_what_acts_is_made_visible_and_lengths_stay() -> None:
    shown = visible(HOSTILE)
    assert len(shown) == len(HOSTILE)
    assert not UNSEEN.search(shown)
    assert visible("añb 你好 שלום 👩‍🚀\n\tend") == "añb 你好 שלום 👩‍🚀\n\tend"


def assert_words_only(page: Page) -> None:
    """In attributes there is at most a name to be read aloud."""
    for _, attrs in page.tags:
        for name, value in attrs.items():
            assert name in ("aria-label", "content") or "owned" not in (value or "")


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
@pytest.mark.parametrize("name", ["report", "comparison"])
def test_a_browser_makes_of_it_what_it_makes_of_harmless_words(
    pages: dict[str, tuple[str, str]], name: str, tmp_path: Path
) -> None:
    trees = []
    for html in pages[name]:
        # Without its policy, so that only the escaping stands between the words and the browser.
        free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
        (tmp_path / "page.html").write_text(free, encoding="utf-8")
        trees.append(Page(browse(tmp_path / "page.html", "--dump-dom").stdout))
    hostile, harmless = trees
    assert parts(hostile) <= parts(harmless)
    assert "data-owned" not in {attr for _, attrs in hostile.tags for attr in attrs}
    assert_words_only(hostile)
    assert_quiet(pages[name][0], tmp_path)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
@pytest.mark.parametrize("width", [1280, 400])
def test_it_fits(pages: dict[str, tuple[str, str]], width: int, tmp_path: Path) -> None:
    for at in ("#rows-0-include", "#acts-topic-include"):
        assert_well_laid_out(pages["report"][0], width, tmp_path, at)
    assert_well_laid_out(pages["comparison"][0], width, tmp_path)
