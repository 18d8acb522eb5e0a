"""Categories follow from intervals, and sentences from categories."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from heedful.cli.study import _show
from heedful.prompts.tasks import TASKS
from heedful.report import render_report, summarise, summary
from heedful.report.claims import Part
from heedful.report.findings import TaskFinding, by_pair, deciding_kind, findings
from heedful.report.lacking import too_few
from heedful.report.run import Run, read_run
from heedful.report.wording import Estimate
from heedful.store import encode_results, encode_table

NAN = float("nan")


def finding(**changes: object) -> TaskFinding:
    """A skill that is read far beyond its baselines, by its specialist best."""
    values: dict[str, object] = {
        "task": "topic", "family": "semantic", "too_few": False, "n_rows": 800, "n_positive": 400, "n_groups": 120,
        "specialist": Estimate(0.8, 0.75, 0.85), "general": Estimate(0.6, 0.55, 0.65),
        "general_total": Estimate(0.6, 0.55, 0.65), "held_out": Estimate(0.5, 0.45, 0.55), "balanced_accuracy": 0.7,
        "site": "block.2.out", "position": "eos", "gap": Estimate(0.2, 0.15, 0.25),
        "control": Estimate(0.52, 0.5, 0.54), "selectivity": Estimate(0.28, 0.23, 0.33),
        "p_value": 0.005, "p_adjusted": 0.01, "null_high": 0.55,
        "baselines": {"length": Estimate(0.55, 0.5, 0.6), "log p": Estimate(0.6, 0.55, 0.65)},
    }  # fmt: skip
    return TaskFinding(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({}, "beyond"),
        ({"baselines": {"length": Estimate(0.5, 0.4, 0.6), "log p": Estimate(0.72, 0.68, 0.76)}}, "above"),
        ({"baselines": {"log p": Estimate(0.76)}}, "above"),
        ({"baselines": {"log p": Estimate(NAN)}}, "beyond"),
        ({"specialist": Estimate(0.55, 0.5, 0.6)}, "undecided"),
        ({"p_adjusted": 0.051}, "undecided"),
        ({"p_adjusted": NAN}, "undecided"),
        ({"specialist": Estimate(0.4, 0.3, 0.49)}, "below"),
        ({"specialist": Estimate(NAN, NAN, NAN)}, "too few"),
    ],
)
def test_standing(changes: dict[str, object], standing: str) -> None:
    assert finding(**changes).standing == standing


@given(low=st.floats(0, 1), width=st.floats(0, 1), baseline=st.floats(0, 1), reach=st.floats(0, 0.5), p=st.floats(0, 1))
def test_beyond_means_apart_from_chance_and_every_baseline(
    low: float, width: float, baseline: float, reach: float, p: float
) -> None:
    specialist = Estimate(low + width / 2, low, low + width)
    against = Estimate(baseline, baseline - reach, baseline + reach)
    found = finding(specialist=specialist, baselines={"length": against}, p_adjusted=p)
    assert (found.standing == "beyond") == (low > 0.5 and low > baseline + reach and p <= 0.05)
    assert found.readable == (low > 0.5 and p <= 0.05)


@pytest.mark.parametrize(
    ("gap", "winner"),
    [
        (Estimate(0.1, 0.01, 0.2), "specialist"),
        (Estimate(-0.1, -0.2, -0.01), "general"),
        (Estimate(0.1, 0.0, 0.2), "undecided"),
        (Estimate(0.1), "undecided"),
        (Estimate(NAN), "undecided"),
    ],
)
def test_a_difference_counts_only_if_its_interval_leaves_out_zero(gap: Estimate, winner: str) -> None:
    assert finding(gap=gap).winner == winner


def test_best_baseline_skips_what_is_not_known() -> None:
    baselines = {"log p": Estimate(NAN), "length": Estimate(0.5, 0.4, 0.6)}
    assert finding(baselines=baselines).best_baseline == ("length", Estimate(0.5, 0.4, 0.6))
    name, value = finding(baselines={}).best_baseline
    assert name == ""
    assert not value.known


def test_p_values_are_corrected_over_tasks(make_run: Callable[..., Path]) -> None:
    def change(dataset: xr.Dataset) -> xr.Dataset:
        dataset["p_value"].loc[{"kind": "contrast"}] = 0.04 + 0.01 * np.arange(dataset.sizes["task"])
        return dataset

    found = findings(read_run(make_run(change=change)), "contrast")
    assert all(each.p_adjusted > 0.05 for each in found)  # though the first is 0.04 by itself
    assert {each.standing for each in found} == {"undecided"}


def test_numbers_are_those_of_the_nested_cells(run: Run) -> None:
    for kind in ("contrast", "natural"):
        for each in findings(run, kind):
            if each.too_few:
                assert each.standing == "too few"
                assert not each.gap.known
                continue
            here = run.specialists.sel(kind=kind, task=each.task)
            assert each.gap.value == float(here["best_gap"])
            assert each.selectivity.low == float(here["best_selectivity_low"])
            assert each.specialist.value == float(
                run.specialists["best_auroc"].sel(kind=kind, task=each.task, probe="specialist")
            )


@pytest.mark.parametrize("axes", [("source", "target"), ("target", "source")])
def test_a_pairs_numbers_are_those_of_the_results(run: Run, axes: tuple[str, str]) -> None:
    found = run.transfer.sel(kind="contrast")
    for a, b in itertools.product(run.tasks, repeat=2):
        here, cell = found.sel({axes[0]: a, axes[1]: b}), by_pair(found, *axes)(a, b)
        assert {"auroc", "auroc_low", "q_value"} <= cell.keys()
        assert "order" not in cell  # along one axis only
        for name, value in cell.items():
            np.testing.assert_equal(value, here[name].item())


def test_the_summary_counts_what_the_findings_say(run: Run, ordinary_run: Path) -> None:
    found = findings(run, "contrast")
    text = summarise(ordinary_run)["summary"]
    assert text.endswith("; C6 compares models.")
    beyond = [each for each in found if each.standing == "beyond"]
    assert len(beyond) == 8
    assert "Of nine skills, eight can be read from its hidden states beyond every baseline (word count," in text
    assert "Undecided: term exclusion, which the probes do not tell from chance." in text
    shared = sum(each.shared for each in found if each.readable)
    assert {6: "six", 7: "seven", 8: "eight"}[shared] + " of them from chance." in text
    assert (
        "the signal’s depth changes by 0.14 [0.07, 0.18] from structural to lexical and by 0.17 [0.09, 0.23] from lexical to "
        "semantic and stylistic, of the model’s (more is deeper); rank correlation 0.70 [0.35, 0.90]." in text
    )


def test_each_turn_of_the_summary(make_run: Callable[..., Path]) -> None:
    def change(dataset: xr.Dataset) -> xr.Dataset:
        def put(task: str, value: float, half: float = 0.03) -> None:
            here = {"kind": "contrast", "task": task, "probe": "specialist"}
            for name, shift in (("best_auroc", 0.0), ("best_low", -half), ("best_high", half)):
                dataset[name].loc[here] = value + shift

        put("word_count", 0.4)
        put("char_count", 0.58)
        for name, shift in (("best_gap", 0.0), ("best_gap_low", -0.01), ("best_gap_high", 0.01)):
            dataset[name].loc[{"task": "json"}] = -0.2 + shift
        for name, shift in (("best_gap", 0.0), ("best_gap_low", -0.5), ("best_gap_high", 0.5)):
            dataset[name].loc[{"task": "topic"}] = shift
        dataset["p_value"].loc[{"kind": "contrast", "task": "char_count"}] = 0.005
        return dataset

    text = summarise(make_run(change=change, too_few=(("contrast", "toxicity"),)))["summary"]
    assert "Of eight skills that could be probed, five can be read" in text
    assert "Character count can be read above chance, but not clearly beyond a baseline." in text
    assert "Below chance, which points to a shift between base prompts: word count." in text
    assert "Not probed, for that takes 25 squares or more: toxicity." in text
    assert "beats the general one in four, the general probe is the better one in one and in one the difference" in text


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.1, "the hidden states foretell more of compliance than the prompt’s words alone"),
        (-0.2, -0.1, "the hidden states add nothing to what the prompt’s words foretell of compliance"),
        (-0.2, 0.1, "is undecided"),
    ],
)
def test_planning_is_never_denied_for_want_of_data(make_run: Callable[..., Path], low, high, said) -> None:
    path = make_run()
    found = read_run(path).temporal.load()
    for name, value in (("planning", (low + high) / 2), ("planning_low", low), ("planning_high", high)):
        found[name].loc[{"kind": "natural"}] = value
    (path / "results" / "temporal.nc").write_bytes(encode_results(found))
    text = summarise(path)["summary"]
    assert said in next(s for s in re.split(r"\. (?=[A-Z])", text) if "before the first token" in s.lower())


def test_a_probe_that_its_control_matches_is_read_with_care(make_run: Callable[..., Path], ordinary_run: Path) -> None:
    def change(dataset: xr.Dataset) -> xr.Dataset:
        for name, value in (("best_selectivity", 0.05), ("best_selectivity_low", -0.01)):
            dataset[name].loc[{"task": "json"}] = value
        return dataset

    assert (
        "Read with care: JSON format, where a probe of the control task"
        in summarise(make_run(change=change))["summary"]
    )
    assert "where a probe of the control task" not in summarise(ordinary_run)["summary"]


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(0.01, 0.03, "0.02 [0.01, 0.03]"), (0.0195, 0.04, "0.020 [0.019, 0.040]"), (0.02, 0.04, "0.02 [0.02, 0.04]")],
)
def test_a_bound_that_is_not_on_the_margin_is_not_shown_on_it(low: float, high: float, shown: str) -> None:
    left = dict.fromkeys(Part._fields, "") | {"estimate": Estimate(0.02, low, high), "margin": 0.02}
    part = Part(**left)  # type: ignore[arg-type]
    assert part.shown == shown


def test_where_nothing_is_found_it_is_none_and_not_no(make_run: Callable[..., Path]) -> None:
    def change(dataset: xr.Dataset) -> xr.Dataset:
        dataset["p_value"][:] = 1.0
        return dataset

    assert "Of nine skills, none can be read" in summarise(make_run(change=change))["summary"]


def test_answers_given_elsewhere_are_not_called_the_models_own(
    make_run: Callable[..., Path], ordinary_page: str
) -> None:
    path = make_run(responses_file="logs/given.jsonl", too_few=(("natural", "json"), ("contrast", "json")))
    samples = [s | {} for s in read_run(path).samples if s["task"] != "json"]
    (path / "samples.parquet").write_bytes(encode_table({name: [s[name] for s in samples] for name in samples[0]}))
    nothing_tried = read_run(path).behaviour.load().isel(how=slice(0))  # the model wrote nothing
    (path / "results" / "behaviour.nc").write_bytes(encode_results(nothing_tried))
    found, page = summarise(path), render_report(path)
    assert found["summary"].startswith("The answers in given.jsonl, which pico-llama read and did not write, did what")
    assert "json" not in found["tasks"]  # nothing was asked of it
    assert "the model’s own answers" not in page
    assert "come from <code>given.jsonl</code>" in page
    assert "the model’s own answers" in ordinary_page


@pytest.mark.parametrize(
    ("responses_file", "why"),
    [
        ("given.jsonl", "contrast squares, which recorded answers cannot give"),
        (None, "25 contrast squares of a task or more, which none has"),
    ],
)
def test_claims_that_take_squares_say_so_where_there_are_none_and_show_the_answers_beside(
    make_run: Callable[..., Path], capsys: pytest.CaptureFixture[str], responses_file: str | None, why: str
) -> None:
    path = make_run(responses_file=responses_file, squares=0, too_few=tuple(("contrast", task) for task in TASKS))
    decided = read_run(path).verdict.load()
    for name in ("estimate", "estimate_low", "estimate_high"):
        decided[name] = decided[name].where(decided["labels"] == "natural")
    (path / "results" / "verdict.nc").write_bytes(encode_results(decided))
    found, page = summarise(path), render_report(path)
    said = f"C2, C3, C4 and part of C5 cannot be decided: that takes {why}"
    assert said in found["not_decidable"]
    assert f"{found['not_decidable']}." in found["summary"]
    assert page.count(f"No estimate: it takes {why}.") == page.count("No estimate: it ") > 8
    _show(found)
    assert f"\n{found['not_decidable']}\n" in capsys.readouterr().out
    part = found["claims"]["C2"]["parts"]["weak"]
    assert part["value"] is None
    assert part["needs"] == why
    beside = part["beside"]
    assert beside["low"] < beside["value"] < beside["high"]
    assert beside["labels"] == ("the answers given" if responses_file else "the model’s own answers")
    shown = f"{beside['value']:.2f} [{beside['low']:.2f}, {beside['high']:.2f}], 9 tasks, {beside['outcome']}"
    assert f"; by {beside['labels']} {shown} (does not decide)" in page


def test_where_there_are_squares_no_claim_is_said_to_lack_them(ordinary_run: Path, ordinary_page: str) -> None:
    assert summarise(ordinary_run)["not_decidable"] == ""
    assert "cannot be decided" not in ordinary_page


def test_natural_labels_decide_only_without_squares(make_run: Callable[..., Path]) -> None:
    tasks = ("json", "topic")
    run = make_run(tasks=tasks, too_few=tuple(("contrast", task) for task in tasks), squares=0)
    assert deciding_kind(read_run(run)) == "natural"
    assert summarise(run)["deciding_labels"] == "natural"
    assert deciding_kind(read_run(make_run("other", tasks=tasks))) == "contrast"


def test_the_summary_is_json_without_nan(ordinary_run: Path) -> None:
    found = summarise(ordinary_run)
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found
    assert found["tasks"]["toxicity"]["natural"]["specialist"] == {"value": None, "low": None, "high": None}
    assert found["tasks"]["topic"]["contrast"]["standing"] == "beyond"
    assert set(found["seconds"]) == {"respond", "probe"}
    assert re.fullmatch(r"pico-llama", found["model"])
    nan = float("nan")
    assert summary._plain({"edges": [{"drop": nan}, (nan, 1.5)]}) == {"edges": [{"drop": None}, [None, 1.5]]}


@pytest.mark.parametrize(
    ("kind", "rows", "why"),
    [
        ("contrast", (16, 8), "too few squares (4; 25 are needed)"),
        ("natural", (52, 50), "too few violating answers (2; 50 are needed)"),
        ("natural", (80, 30), "too few complying answers (30; 50 are needed)"),
        ("natural", (3, 1), "too few complying and violating answers (1 and 2; 50 of each are needed)"),
    ],
)
def test_what_is_too_few_is_the_rows_or_the_class_that_lack(kind: str, rows: tuple[int, int], why: str) -> None:
    assert too_few(finding(too_few=True, n_rows=rows[0], n_positive=rows[1]), kind) == why
    assert too_few(finding(too_few=False, n_rows=rows[0], n_positive=rows[1]), kind) == ""


@pytest.mark.parametrize("responses_file", [None, "given.jsonl"])
def test_answers_left_out_of_the_rate_are_said_beside_it(
    make_run: Callable[..., Path], ordinary_run: Path, responses_file: str | None
) -> None:
    path = make_run(responses_file=responses_file)
    samples = [dict(s) for s in read_run(path).samples]
    natural = [s for s in samples if s["kind"] == "natural"]
    for i, sample in enumerate(natural):
        sample["finish_reason"] = "length" if i % 3 == 0 else "stop"
        sample["outcome"] = "unscored" if i % 3 == 1 else "pass"
    (path / "samples.parquet").write_bytes(encode_table({name: [s[name] for s in samples] for name in samples[0]}))
    n, third = len(natural), len(natural) // 3
    lead = summarise(path)["summary"]
    hint = "" if responses_file else "; --max-new-tokens raises it"
    assert (
        f"{third} of {n} answers were cut off by the length limit and are left out, so that what is said here is of the "
        f"shorter ones{hint}. {third} of {n} answers no verifier could decide; they are left out." in lead
    )
    assert "left out" not in summarise(ordinary_run)["summary"]  # three in a hundred are cut off there
