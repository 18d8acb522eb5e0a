"""The pages in a real browser: nothing complains, every figure is drawn, nothing overflows on a desk or on a telephone.

Needs Chromium; without one these tests are skipped. HEEDFUL_CHROMIUM names another browser than the one found.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from tests.report.conftest import synthetic_run

from heedful.report import compare_runs, render_report

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = os.environ.get("HEEDFUL_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium: install one (Debian: apt install chromium)")

MEASURE = """<script>
addEventListener("load", () => {
  const width = document.documentElement.clientWidth;
  const shown = e => e.checkVisibility() && e.getClientRects().length > 0;
  const scrolls = e => e && (["auto", "scroll"].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const figures = [...document.querySelectorAll("svg:is([role=img], [role=group])")].filter(shown);
  const bare = figures.filter(e => !e.querySelector("path, rect, circle, use") || e.getBoundingClientRect().height < 4);
  const out = [...document.body.querySelectorAll("*")].filter(
    e => shown(e) && e.getBoundingClientRect().right > width + 1 && !scrolls(e) && !e.closest(".defs") && !e.closest(".skip"));
  parent.postMessage({width, scroll: document.documentElement.scrollWidth, figures: figures.length,
    bare: bare.map(e => e.getAttribute("aria-label")), out: out.slice(0, 5).map(e => e.outerHTML.slice(0, 120))}, "*");
});
</script>"""
FRAME = """<!DOCTYPE html><body style="margin:0">
<iframe src="page.html{at}" style="border:0;width:{width}px;height:4000px"></iframe>
<pre id="found"></pre><script>
addEventListener("message", e => {{ document.getElementById("found").textContent = JSON.stringify(e.data); }});
</script></body>"""


@pytest.fixture(scope="module")
def with_extras(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a study that was run with extras, and otherwise the ordinary one."""
    return render_report(synthetic_run(tmp_path_factory.mktemp("extras") / "run", extras=True))


def browse(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert BROWSER is not None
    # Root needs --no-sandbox; the rest keeps the browser from calling home.
    quiet = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run --hide-scrollbars"
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [BROWSER, *quiet.split(), profile, "--virtual-time-budget=8000", *options, page.resolve().as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def measured(html: str, width: int, folder: Path, at: str = "", script: str = MEASURE) -> dict[str, Any]:
    """The page as laid out at a width, in a frame: a window of its own is never as narrow as a telephone.

    Args:
        at: a fragment to open it at, such as '#rows'.
        script: what measures it.
    """
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    (folder / "page.html").write_text(free.replace("</body>", f"{script}</body>"), encoding="utf-8")
    (folder / "frame.html").write_text(FRAME.format(width=width, at=at), encoding="utf-8")
    dom = browse(folder / "frame.html", "--window-size=1400,4000", "--dump-dom").stdout
    found = re.search(r'<pre id="found">(.*?)</pre>', dom, re.S)
    assert found is not None
    assert found[1], "the page never loaded"
    told: dict[str, Any] = json.loads(unescape(found[1]))
    return told


def assert_well_laid_out(html: str, width: int, folder: Path, at: str = "") -> dict[str, Any]:
    found = measured(html, width, folder, at)
    assert found["width"] == width
    assert found["out"] == []
    assert found["scroll"] <= width
    assert found["bare"] == []
    return found


def assert_quiet(html: str, folder: Path) -> None:
    """As it is, policy and all."""
    (folder / "page.html").write_text(html, encoding="utf-8")
    said = browse(folder / "page.html", "--enable-logging=stderr", "--v=0", "--dump-dom").stderr
    assert "CONSOLE" not in said


@pytest.mark.parametrize("width", [1280, 400])
def test_the_report_is_drawn_and_nothing_overflows(ordinary_page: str, tmp_path: Path, width: int) -> None:
    found = assert_well_laid_out(ordinary_page, width, tmp_path)
    assert found["figures"] > 30


@pytest.mark.parametrize("width", [1280, 400])
def test_extras_are_drawn_and_nothing_overflows(
    with_extras: str, ordinary_page: str, tmp_path: Path, width: int
) -> None:
    with_them, without = (
        assert_well_laid_out(each, width, tmp_path)["figures"] for each in (with_extras, ordinary_page)
    )
    assert with_them == without + 9


def test_extras_say_nothing_on_the_console(with_extras: str, tmp_path: Path) -> None:
    assert_quiet(with_extras, tmp_path)


def test_the_report_runs_without_a_word_on_the_console(ordinary_page: str, tmp_path: Path) -> None:
    assert_quiet(ordinary_page, tmp_path)


FOLLOW = """<script>
addEventListener("load", async () => {
  const shown = () => [...document.querySelectorAll(".rowset")].filter(e => e.checkVisibility()).map(e => e.id);
  const found = {before: shown(), followed: []};
  for (const place of ["#glance", "#curves", "#matrix", "#drops", "#acts", "#heat", "#time", "#strata"]) {
    for (const kind of ["a:not([tabindex])", "a[tabindex='-1']:last-of-type"]) {
      const link = [...document.querySelectorAll(`${place} ${kind}`)].find(e => e.checkVisibility());
      if (!link) continue;
      const focused = (link.focus(), document.activeElement === link);
      link.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true}));
      await new Promise(done => setTimeout(done, 30));
      const aim = document.querySelector(":target");
      found.followed.push({place, kind, focused, hash: location.hash, shown: shown(), seen: aim.checkVisibility()});
    }
  }
  parent.postMessage(found, "*");
});
</script>"""


def test_links_open_the_rows_of_their_task_and_no_others(ordinary_page: str, tmp_path: Path) -> None:
    found = measured(ordinary_page, 1280, tmp_path, script=FOLLOW)
    assert found["before"] == ["rows-0-word_count"]
    places = [(each["place"], each["kind"][1]) for each in found["followed"]]
    assert len(set(places)) == len(places) == 8 + 3  # the three matrices have cells beside their names
    for each in found["followed"]:
        opened = each["hash"].removeprefix("#")
        assert each["focused"]
        assert each["seen"]
        assert len(each["shown"]) == 1
        assert opened == each["shown"][0] or opened.startswith(f"{each['shown'][0]}-")
        assert opened.startswith("acts-" if each["place"] == "#acts" else "rows-0-")


def test_the_comparison_is_drawn_and_nothing_overflows(make_run: Callable[..., Path], tmp_path: Path) -> None:
    html = compare_runs([make_run("a"), make_run("b", model="n" * 120)], tmp_path).report.read_text(encoding="utf-8")
    for width in (1280, 400):
        assert assert_well_laid_out(html, width, tmp_path)["figures"] > 10
    assert_quiet(html, tmp_path)


def test_the_report_prints(ordinary_page: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(ordinary_page, encoding="utf-8")
    browse(tmp_path / "page.html", f"--print-to-pdf={tmp_path / 'page.pdf'}", "--no-pdf-header-footer")
    pdf = (tmp_path / "page.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 60
