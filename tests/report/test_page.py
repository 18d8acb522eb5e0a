"""The page: nothing in it can run or load, every part of it stands, and what it shows is what the folder holds."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from heedful.errors import StoreError
from heedful.report import render_report, write_report
from heedful.store import RunFolder, encode_results, read_manifest, read_results

VOID = {"meta", "input", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """Checks that tags nest, and collects them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def assert_inert(html: str) -> Page:
    """Nothing runs, nothing loads, and the policy says so."""
    page = Page(html)
    assert not {"script", "img", "iframe", "object", "embed", "link", "base", "form"} & {tag for tag, _ in page.tags}
    for _, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on") or name == "style"]
        assert (attrs.get("href") or "#").startswith("#")
        assert "src" not in attrs
    style = re.findall(r"<style>(.*?)</style>", html, re.S)
    assert len(style) == 1
    assert not re.search(r"@import|url\((?!#)", style[0])
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    policy = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
    return page


def test_an_ordinary_run_makes_a_sound_page(ordinary_page: str) -> None:
    html = ordinary_page
    page = assert_inert(html)
    ids = Counter(attrs["id"] for _, attrs in page.tags if "id" in attrs)
    assert max(ids.values()) == 1
    for _, attrs in page.tags:
        for name in ("href", "for"):
            assert name not in attrs or (attrs[name] or "").removeprefix("#") in ids
    for reference in re.findall(r"url\(#([\w-]+)\)", html):
        assert reference in ids
    assert [attrs["id"] for attrs in page.all("section")] == [
        "claims", "summary", "asked", "answers", "specialists", "transfer", "ablation", "behaviour", "where", "when",
        "specificity", "depth", "rows", "reading", "settings",
    ]  # fmt: skip


def test_every_selectable_view_exists_and_one_is_chosen(ordinary_page: str) -> None:
    html = ordinary_page
    page = Page(html)
    radios = [attrs for attrs in page.all("input") if attrs.get("type") == "radio"]
    chosen = Counter(attrs["name"] for attrs in radios if "checked" in attrs)
    assert chosen.keys() == {attrs["name"] for attrs in radios}
    assert set(chosen.values()) == {1}
    ids = {attrs["id"] for attrs in radios}
    rules = re.findall(r"#(\w+)((?::has\(#[\w-]+:checked\))+) \.(v-[\d-]+)", html)
    assert len(rules) == len(set(rules)) == 7 * 2 + 2 * 2 * 4
    for figure, conditions, view in rules:
        needed = re.findall(r"#([\w-]+):checked", conditions)
        assert set(needed) <= ids
        assert view == "v-" + "-".join(re.sub(r".*-[kp]", "", name) for name in needed)
        assert all(name.startswith(figure) for name in needed)
    views = Counter(
        name for attrs in page.all("div") for name in (attrs.get("class") or "").split() if name[:2] == "v-"
    )
    assert views == {"v-0": 7, "v-1": 7} | {f"v-{k}-{p}": 2 for k in range(2) for p in range(4)}


def test_the_same_folder_gives_the_same_bytes_before_and_after_the_report_stage(
    run_folder: Path, ordinary_page: str
) -> None:
    settings = read_manifest(run_folder).settings
    with RunFolder.open(run_folder, settings) as run:  # a study writes its report while it holds the folder
        stage = run.stage("report", reads=["probe"])
        stage.write("report.html", render_report(run_folder))
        stage.finish()
    assert write_report(run_folder) == run_folder / "report.html"
    assert (run_folder / "report.html").read_text(encoding="utf-8") == ordinary_page
    with RunFolder.open(run_folder, settings) as run:
        assert run.stage("report", reads=["probe"]).done


def test_tooltips_and_numbers_are_those_of_the_results(ordinary_run: Path, ordinary_page: str) -> None:
    html = unescape(ordinary_page)
    found = read_results(ordinary_run / "results/specialists.nc")
    cell = found.sel(kind="contrast", task="topic", probe="specialist", site="block.2.out", position="response[7]")
    values = [float(cell[name]) for name in ("auroc", "auroc_low", "auroc_high")]
    assert "response[7], block 2: {:.2f} [{:.2f}, {:.2f}]".format(*values) in html
    assert "block 2: specialist {:.2f} [{:.2f}, {:.2f}]".format(*values) in html


@pytest.mark.parametrize(
    "changes",
    [
        {"too_few": (("contrast", "json"), ("natural", "json")), "tasks": ("word_count", "json", "topic")},
        {"too_few": tuple(("contrast", t) for t in ("json", "topic")), "tasks": ("json", "topic"), "squares": 0},
        {"too_few": tuple((k, t) for k in ("contrast", "natural") for t in ("json", "topic")), "tasks": ("json", "topic")},
        {"positions": ("eos",), "n_blocks": 1, "tasks": ("json", "register")},
        {"positions": ("response[-1]",), "samples": 1, "tasks": ("include", "topic")},
        {"samples": 0, "tasks": ("include", "topic")},
        {"text": ""},
        {"n_blocks": 40, "positions": ("prompt[-1]", "eos"), "tasks": ("json", "topic")},
        {"change": lambda d: d.drop_vars("massive_dimensions").assign(auroc=d["auroc"] * 0.04), "tasks": ("topic",)},
    ],
)  # fmt: skip
def test_odd_runs_make_sound_pages(make_run: Callable[..., Path], changes: dict[str, object]) -> None:
    html = render_report(make_run(**changes))
    page = assert_inert(html)
    assert not re.search(r"\bnan\b|\bNone\b(?! of)", "".join(page.text))
    for _, attrs in page.tags:
        assert "nan" not in (attrs.get("d") or "") + (attrs.get("x") or "") + (attrs.get("y") or "")


def test_a_task_without_rows_is_listed_as_such(ordinary_page: str) -> None:
    text = " ".join("".join(Page(ordinary_page).text).split())
    assert "Not probed: too few complying answers (7; 50 are needed)." in text
    assert "to probe them, too few complying answers (7; 50 are needed)" in text
    assert ">too few rows<" not in ordinary_page


@pytest.mark.parametrize(("sizes", "small"), [((120, 200, 400), False), ((40, 30, 45), True), ((120, 0, 400), False)])
def test_a_small_study_says_that_it_is_one(run_folder: Path, sizes: tuple[int, int, int], small: bool) -> None:
    manifest = json.loads((run_folder / "manifest.json").read_text())
    manifest["settings"] |= dict(zip(("base_prompts", "squares", "samples"), sizes, strict=True))
    (run_folder / "manifest.json").write_text(json.dumps(manifest))
    said = "A small study (40 base prompts, 30 contrast squares and 45 answers a task): the shape of the result"
    assert (said in render_report(run_folder)) == small


def test_a_part_without_an_estimate_or_with_too_few_tasks_says_why(run_folder: Path) -> None:
    place = run_folder / "results/verdict.nc"
    found = read_results(place)
    for name in ("estimate", "estimate_low", "estimate_high"):
        found[name].loc[{"part": "structural to lexical"}] = float("nan")
        found[name].loc[{"part": "lost"}] = 0.3
    found["n_tasks"].loc[{"part": "lost"}] = 4
    place.write_bytes(encode_results(found))
    text = " ".join("".join(Page(render_report(run_folder)).text).split())
    assert "No estimate: it needs several sites, and structural and lexical tasks that can be read." in text
    assert "contrast squares, 4 tasks, too few to decide; by the model’s own answers" in text
    assert text.count("too few to decide") == 1


def test_the_page_says_how_high_transfer_and_small_damage_go_together(ordinary_page: str) -> None:
    section = ordinary_page.split('<section id="ablation">')[1].split("</section>")[0]
    assert section.count("Small damage beside high transfer is no contradiction.") == 1
    assert "divided by what the erased skill loses itself" in section


def test_leak_checks_are_never_shown_as_evidence(ordinary_page: str) -> None:
    html = ordinary_page
    assert html.count("A leak check, not evidence") == 2  # curves and depth, contrast squares at the last prompt token
    assert html.count('class="hatch"') == 2 * (9 + 1)  # each contrast heat map and panel of time, and the keys


def test_settings_and_versions_are_all_there(ordinary_run: Path, ordinary_page: str) -> None:
    text = "".join(Page(ordinary_page).text)
    manifest = json.loads((ordinary_run / "manifest.json").read_text())
    for name in manifest["settings"]:
        assert name in text
    for needle in ("model.self_check.batched", "3e-07", "2.13.0", "results/depth.nc", "0.001, 0.1, 10"):
        assert needle in text
    for stage in manifest["stages"].values():
        assert all(record["sha256"] in text for record in stage["files"].values())


def test_what_is_no_finished_run_is_refused_with_a_cure(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"is not a run folder: it has no manifest.json\n  → name a folder"):
        render_report(tmp_path / "nowhere")
    manifest = (run_folder / "manifest.json").read_text()
    old = json.loads(manifest)
    del old["stages"]["probe"]["inputs"]["results"]
    (run_folder / "manifest.json").write_text(json.dumps(old))
    with pytest.raises(StoreError, match=r"another version of heedful\n  → run `heedful study`"):
        render_report(run_folder)
    (run_folder / "manifest.json").write_text(manifest)
    (run_folder / "results/depth.nc").unlink()
    with pytest.raises(StoreError, match=r"not finished: results/depth.nc still to come\n  → run `heedful study`"):
        render_report(run_folder)
    for content, cause in (("{", "cannot be read"), ("[]", "not written by heedful"), ("{}", "not written by heedful")):
        (run_folder / "manifest.json").write_text(content)
        with pytest.raises(StoreError, match=cause):
            render_report(run_folder)
    (run_folder / "manifest.json").write_text('{"format": "heedful run", "schema_version": 0}')
    with pytest.raises(StoreError, match="schema version 0, this is 3"):
        render_report(run_folder)


def test_a_report_that_cannot_be_written_leaves_the_old_one(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_report(run_folder).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        write_report(run_folder)
    monkeypatch.undo()
    assert (run_folder / "report.html").read_bytes() == before
