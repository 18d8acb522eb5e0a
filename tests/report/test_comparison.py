"""Several studies on one page: what each found, whether they differ, and what makes them hard to compare."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.special import stdtrit

import heedful
from heedful.cli import main
from heedful.config import StudySettings
from heedful.errors import InputError, StoreError
from heedful.lenses.models_differ import models_differ
from heedful.lenses.verdict import PARTS
from heedful.prompts.tasks import TASKS
from heedful.report import compare_runs, comparison
from heedful.report.run import Run
from heedful.report.wording import PART_NAMES, percent, percent_interval
from heedful.store import read_results, write_results

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}\u202e'


def specific(run: Run, value: float, half: float) -> xr.Dataset:
    """A model that loses this share without the instruction."""
    found = run.specificity.copy(deep=True)
    without, n = 0.5 + 0.4 * (1 - value), found.sizes["base"]
    found["auroc_without"].loc[{"kind": "natural"}] = without
    spread = 0.4 * half / float(stdtrit(n - 1, 0.975)) / np.sqrt(n - 1)
    found["auroc_without_replicates"][:] = without + spread * np.resize([1, -1], n)
    return found


@pytest.mark.parametrize(
    ("values", "half", "outcome"),
    [
        ((0.9, 0.3), 0.05, "supported"),
        ((0.9, 0.88), 0.02, "contradicted"),
        ((0.9, 0.7), 0.2, "undecided"),
        ((0.9, 0.88, 0.3), 0.03, "supported"),
    ],
)
def test_models_differ_beyond_the_margin_are_alike_within_it_or_are_undecided(run, values, half, outcome) -> None:
    found = models_differ({f"m{i}": specific(run, value, half) for i, value in enumerate(values)})
    assert found.outcome == outcome
    assert len(found.pairs) == len(values) * (len(values) - 1) / 2
    assert not found.left_out


def test_more_models_are_corrected_for(run: Run) -> None:
    two = models_differ({name: specific(run, 0.5, 0.1) for name in "ab"}).pairs[0]
    four = models_differ({name: specific(run, 0.5, 0.1) for name in "abcd"}).pairs[0]
    assert four.high - four.low > two.high - two.low
    assert two.high - two.low == pytest.approx(2 * 0.1 * 2**0.5)


def test_a_model_that_cannot_be_compared_is_left_out_with_its_reason(run: Run) -> None:
    blind, few = specific(run, 0.5, 0.1), specific(run, 0.5, 0.1)
    blind["auroc_with"].loc[{"kind": "natural"}] = np.nan
    few["auroc_with_low"].loc[{"kind": "natural"}] = 0.4
    found = models_differ({"good": specific(run, 0.5, 0.1), "blind": blind, "few": few})
    assert found.outcome == "undecided"
    assert found.pairs == []
    assert found.left_out == {
        "blind": "fewer than two tasks have enough answers of either kind whose instruction can be taken away",
        "few": "0 readable tasks, at least 5 are needed",
    }


def test_the_page_and_the_command_say_which_tasks_were_compared(
    ordinary_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []
    for name, unread in (("a", ["word_count", "char_count", "json"]), ("b", ["topic", "sentiment"]), ("c", [])):
        folders.append(copytree(ordinary_run, tmp_path / name))
        path = folders[-1] / "results" / "specificity.nc"
        found = read_results(path)
        found["auroc_with_low"].loc[{"kind": "natural", "task": unread}] = 0.4
        write_results(path, found)
    assert main(["compare", *map(str, folders), "--out", str(tmp_path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    page = (tmp_path / "comparison.html").read_text("utf-8")
    lacking = "3 readable in both, at least 5 tasks are needed"
    over = "compared over term inclusion, term exclusion, topic, sentiment and register"
    over += "; word count, character count and JSON format can be read in one of the two alone"
    assert f"C6, pico-llama (a) and pico-llama (b): {lacking}" in said
    assert f"C6, pico-llama (a) and pico-llama (c): {over}" in said
    assert f"<bdi>pico-llama (b)</bdi>: undecided, {lacking}." in page
    assert f"({over})" in page
    a_b, a_c, _ = json.loads((tmp_path / "comparison.json").read_text())["C6"]["pairs"]
    assert (a_b["value"], a_b["outcome"], a_b["tasks"]) == (None, "undecided", ["include", "exclude", "register"])
    assert (a_c["value"], len(a_c["tasks"]), a_c["left_out"]) == (0.0, 5, ["word_count", "char_count", "json"])


def test_the_page_and_its_data_say_what_each_study_found(make_run: Callable[..., Path], tmp_path: Path) -> None:
    a, b = make_run("a", model="pico-llama"), make_run("b", model=HOSTILE, samples=14)
    found = compare_runs([a, b], tmp_path)
    page, told = found.report.read_text(encoding="utf-8"), json.loads((tmp_path / "comparison.json").read_text())
    assert [caution.split(" differ")[0] for caution in found.cautions] == ["samples"]
    assert "<script" not in page
    assert "<img" not in page
    assert "{{ 7*7 }}" in page
    assert "\u202e" not in page
    assert page.count("<h3>") == 2
    assert told["claims"].keys() == told["models"].keys()
    assert len(told["claims"]) == 2
    first = told["models"]["pico-llama"]
    assert first["specialist"]["json"]["low"] < first["specialist"]["json"]["value"]
    assert 'http-equiv="Content-Security-Policy"' in page


NO_SQUARES = tuple(("contrast", task) for task in TASKS)
NOTHING = (*NO_SQUARES, *(("natural", task) for task in TASKS))


def without_universality(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.assign({f"universality{end}": dataset["universality"] * np.nan for end in ("", "_low", "_high")})


def test_a_model_without_squares_stands_apart_by_its_answers_and_hides_nothing_of_the_others(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    a, b = make_run("a", model="a"), make_run("b", model="b", too_few=NO_SQUARES)
    alone = compare_runs([a, make_run("c", model="c")], tmp_path / "alone").models[0]
    found = compare_runs([a, b], tmp_path / "compared")
    first, second = found.models
    assert (first.kind, second.kind) == ("contrast", "natural")
    assert (first.auroc, first.universality, first.mean_auroc) == (alone.auroc, alone.universality, alone.mean_auroc)
    assert first.auroc["topic"] != second.auroc["topic"]
    assert found.cautions == [
        "too few contrast squares to probe b: what is read there is by answers, and stands apart from what is read of the "
        "others by squares"
    ]
    page = found.report.read_text("utf-8")
    squares, answers_ = re.findall(r"<figure><figcaption>.*?</figure>", page, re.DOTALL)
    assert "by contrast squares" in squares
    assert "<title>a: highest" in squares
    assert "<title>b: highest" not in squares
    assert "by answers" in answers_
    assert "<title>b: highest" in answers_
    assert "Universality index, by contrast squares" in page
    assert "Universality index, by answers" in page
    neither = compare_runs([b, make_run("d", too_few=NO_SQUARES)], tmp_path / "neither")
    assert neither.cautions == []
    assert "by answers" not in neither.report.read_text("utf-8")  # all alike: nothing to tell apart


def test_a_model_of_which_nothing_could_be_probed_says_why_and_hides_nothing_of_the_others(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    runs = [make_run("a", model="a"), make_run("b", model="b", too_few=NOTHING, change=without_universality)]
    found = compare_runs(runs, tmp_path)
    page = found.report.read_text("utf-8")
    assert all(found.models[0].auroc[task].known for task in TASKS)
    assert "Not probed in" not in page
    assert page.count("Not drawn: b, of which nothing could be probed.") == 2
    assert found.cautions == [
        "nothing could be probed of b, for want of contrast squares and of answers of either class"
    ]
    assert "<small>no task can be read</small>" in page
    assert re.search("no estimate( of the rest)?: it takes 25 contrast squares of a task or more, which none has", page)


def test_a_rate_is_shown_with_its_interval_and_the_answers_that_it_is_over(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    found = compare_runs([make_run("a", model="a"), make_run("b", model="b")], tmp_path)
    each = found.models[0].answers["json"]
    assert each.rate.bounded
    page = found.report.read_text("utf-8")
    shown = f"{percent(each.rate.value)} <small>{percent_interval(each.rate)} of {each.scored}"
    assert f"{shown}{f' ({each.n} answered)' if each.scored < each.n else ''}</small>" in page
    told = json.loads((tmp_path / "comparison.json").read_text())["models"]["a"]["pass_rate"]["json"]
    assert (told["scored"], told["n"]) == (each.scored, each.n)
    assert told["low"] < told["value"] < told["high"]


def test_parts_are_named_in_words(make_run: Callable[..., Path], tmp_path: Path) -> None:
    page = compare_runs([make_run("a"), make_run("b")], tmp_path / "c").report.read_text("utf-8")
    assert re.search(r"d′ that the general probe loses: [−\d.]+ \[[^]]+\] \(above 0\.10 bears it out\)", page)
    assert all(part.name in PART_NAMES for part in PARTS)


def test_what_was_drawn_is_no_caution_where_answers_were_given(make_run: Callable[..., Path], tmp_path: Path) -> None:
    a = make_run("a", responses_file="answers.jsonl")
    b = make_run("b", responses_file="answers.jsonl", samples=14)
    assert compare_runs([a, b], tmp_path).cautions == []
    c = make_run("c", samples=14)
    assert [told.split(" differ")[0] for told in compare_runs([a, c], tmp_path).cautions] == ["samples"]


def test_models_of_one_name_are_told_apart_by_their_folders(make_run: Callable[..., Path], tmp_path: Path) -> None:
    found = compare_runs([make_run("a"), make_run("b")], tmp_path)
    assert [model.name for model in found.models] == ["pico-llama (a)", "pico-llama (b)"]


def test_results_of_another_version_are_told_with_a_cure(ordinary_run: Path, tmp_path: Path) -> None:
    older = copytree(ordinary_run, tmp_path / "older")
    manifest = json.loads((older / "manifest.json").read_text("utf-8"))
    manifest["stages"]["probe"]["inputs"]["results"] = 1
    (older / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(StoreError, match=r"(?s)of another version.*made anew"):
        compare_runs([ordinary_run, older], tmp_path)


def test_nothing_is_said_of_tasks_where_all_were_compared(ordinary_run: Path, tmp_path: Path) -> None:
    found = compare_runs([ordinary_run, copytree(ordinary_run, tmp_path / "again")], tmp_path)
    assert found.on_c6 == []
    assert "can be read in one of the two alone" not in found.report.read_text("utf-8")


def test_the_command_prints_claims_and_bad_input_names_cause_and_cure(
    make_run: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = make_run("a"), make_run("b", model="pico-qwen")
    assert main(["compare", str(a), str(b), "--out", str(tmp_path)]) == 0
    assert "Comparison:" in capsys.readouterr().out
    assert main(["compare", str(a), str(b), "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["C6"]["outcome"] in ("supported", "contradicted", "undecided")
    for folders in ([a], [a, a]):
        with pytest.raises(InputError, match="two or more"):
            compare_runs(folders, tmp_path)
    assert main(["compare", str(a), str(tmp_path / "nowhere")]) == 2
    assert "is not a run folder" in capsys.readouterr().err


def test_one_name_is_not_a_list_of_letters() -> None:
    with pytest.raises(InputError, match="'runs/q' alone is nothing to compare"):
        heedful.compare("runs/q")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sites": ["embed"]}, ["sites"]),
        ({"thinking": False, "top_p": 0.9, "pool": 4}, ["thinking", "top p", "pool"]),
        ({"set_by_a_later_version": 1}, ["set by a later version"]),
        ({"device": "cuda", "dtype": "bfloat16", "batch_tokens": 9, "revision": "abc", "extras": False}, []),
        ({"responses_file": "answers.jsonl", "top_p": 0.9, "pool": 4}, []),
    ],
)
def test_settings_that_differ_are_told_unless_they_may(
    make_run: Callable[..., Path], tmp_path: Path, changes: dict[str, Any], told: list[str]
) -> None:
    given = {"responses_file": changes.get("responses_file")}
    runs = [make_run(name, **given) for name in "ab"]
    manifest = json.loads((runs[1] / "manifest.json").read_text("utf-8"))
    manifest["settings"] |= changes
    (runs[1] / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert [each.split(" differ")[0] for each in compare_runs(runs, tmp_path).cautions] == told


def test_settings_that_may_differ_are_settings() -> None:
    assert StudySettings.model_fields.keys() >= comparison._MAY_DIFFER | comparison._DRAWN


def test_skills_of_ones_own_in_which_studies_differ_are_named(run: Run) -> None:
    def with_skills(*names: str) -> Run:
        skills = {"skills": [{"name": name} for name in names]} if names else {}
        return replace(run, manifest=replace(run.manifest, settings=run.manifest.settings | skills))

    told = comparison._cautions({"a": with_skills("bullets", "rhyme"), "b": with_skills()}, [])
    assert told == ["skills differ: a: bullets, rhyme; b: none"]
    assert comparison._cautions({"a": with_skills("bullets"), "b": with_skills("bullets")}, []) == []
