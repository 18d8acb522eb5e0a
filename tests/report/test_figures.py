"""Geometry: places are in the order of the numbers, NaN leaves a gap, and colours mirror at chance."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from heedful.report import figures, wording
from heedful.report.findings import findings
from heedful.report.run import Run
from heedful.report.wording import Estimate

NAN = float("nan")


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", path)]


def sites(n: int) -> xr.Dataset:
    return xr.Dataset(coords={"site": ["embed", *(f"block.{i}.out" for i in range(n - 1))]})


def test_curves_pass_through_their_numbers(run: Run) -> None:
    found = findings(run, "contrast")[5]
    cell = run.specialists.sel(kind="contrast", task=found.task, position="eos")
    panel = figures.curve_panel(cell, found, 0.4)
    assert panel is not None
    assert [series.probe for series in panel.series] == ["specialist", "general_each", "held_out"]
    frame = figures.CURVES
    for series in panel.series:
        values = cell["auroc"].sel(probe=series.probe).values
        expected = frame.bottom - (values - 0.4) / 0.6 * (frame.bottom - frame.top)
        x, y = zip(*points(series.line), strict=True)
        np.testing.assert_allclose(y, expected, atol=0.06)
        assert (np.diff(x) > 0).all()
        band = points(series.band)
        assert len(band) == 2 * len(values)
        assert series.band.endswith("Z")
        for i, (_, top) in enumerate(band[: len(values)]):
            assert top < y[i] < band[-1 - i][1]
    assert len(panel.hits) == cell.sizes["site"]
    name, best = found.best_baseline
    assert panel.baseline_name == name
    assert panel.baseline_y == pytest.approx(
        frame.bottom - (best.value - 0.4) / 0.6 * (frame.bottom - frame.top), abs=0.06
    )


def test_nan_breaks_a_line_and_its_band() -> None:
    x, y = [0, 1, 2, 3, 4], [1, 2, NAN, 4, 5]
    assert figures.line(x, y) == "M0,1L1,2M3,4L4,5"
    assert figures.band(x, y, y).count("Z") == 2
    assert figures.line(x, [NAN] * 5) == ""
    assert figures.line([10.0, 20.0, 30.0], [NAN, 5.0, NAN]) == "M17.5,5h5"  # a point alone is seen as well
    assert figures.band([10.0, 20.0, 30.0], [NAN, 5.0, NAN], [1.0, 4.0, 1.0]) == "M17.5,4h5V5h-5Z"
    assert "nan" not in figures._markers("specialist", x, y)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 0.5))
def test_shades_keep_order_and_mirror_at_chance(a: float, b: float, reach: float) -> None:
    shade = figures._shade
    assert shade(0.5, reach) == 0
    assert shade(NAN, reach) is None
    assert (shade(min(a, b), reach) or 0) <= (shade(max(a, b), reach) or 0)
    assert shade(0.5 + reach, reach) == -(shade(0.5 - reach, reach) or 0) == 10


def test_the_colour_scale_reaches_every_number(run: Run) -> None:
    axes = figures.heat_axes(run.specialists)
    for kind in ("contrast", "natural"):
        for found in findings(run, kind):
            panel = figures.heat_panel(run.specialists, axes, found, kind)
            if found.too_few:
                assert panel is None
                continue
            assert panel is not None
            assert len(panel.cells) == run.specialists.sizes["site"] * run.specialists.sizes["position"]
            assert all(cell.shade is not None and abs(cell.shade) <= 10 for cell in panel.cells)
            here = [cell for cell in panel.cells if (cell.x, cell.y) == panel.best]
            assert len(here) == 1
            assert here[0].text.startswith(f"{found.position}, {wording.site_name(found.site)}: ")
            right = max(cell.x for cell in panel.cells) + axes.cell_width
            assert right == pytest.approx(axes.frame.right, abs=0.3)


@given(st.integers(1, 120))
def test_ticks_are_few_evenly_spaced_and_begin_at_the_first_site(n: int) -> None:
    ticks = figures._site_ticks(sites(n), lambda i: float(i))
    assert ticks[0] == (0.0, "embed")
    assert len(ticks) <= 11
    assert len({b.at - a.at for a, b in pairwise(ticks[1:])}) <= 1
    assert all(tick.text == str(int(tick.at) - 1) for tick in ticks[1:])


@given(st.floats(-2, 2), st.floats(-2, 2))
def test_places_along_a_row_keep_order_and_stay_inside(a: float, b: float) -> None:
    first, second = (float(figures.along(v, 0.4, 1).rstrip("%")) for v in sorted((a, b)))
    assert 0 <= first <= second <= 100


def test_the_axis_begins_low_enough_for_every_estimate() -> None:
    assert figures.lowest_shown(xr.DataArray([0.5, 0.9])) == 0.4
    assert figures.lowest_shown(xr.DataArray([0.37, 0.9])) == 0.3
    assert figures.lowest_shown(xr.DataArray([0.0])) == figures.lowest_shown(xr.DataArray([0.29])) == 0.0
    for low in (0.0, 0.3, 0.4):
        ticks = figures.auroc_ticks(low)
        assert (ticks[0], ticks[-1]) == (low, 1.0)
        assert 0.5 in ticks
        marks = figures.auroc_marks(low, lambda value: 100 * value)
        assert [float(mark.text) for mark in marks] == ticks  # 0.75 is not to be written as 0.8
        assert [mark.at for mark in marks] == [100 * tick for tick in ticks]
    assert figures.lowest_shown(xr.DataArray([NAN])) == 0.4


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.001, "under 1 %"), (0.999, "over 99 %"), (0.434, "43 %"), (NAN, "–")],
)
def test_percent_never_overstates(value: float, text: str) -> None:
    assert wording.percent(value).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "plain", "with_sign"),
    [(0.126, "0.13", "+0.13"), (-0.126, "−0.13", "−0.13"), (-0.001, "0.00", "0.00"), (NAN, "–", "–")],
)
def test_numbers_have_true_signs(value: float, plain: str, with_sign: str) -> None:
    assert wording.number(value) == plain
    assert wording.signed(value) == with_sign


def test_words_for_readers() -> None:
    assert wording.with_interval(Estimate(0.8, 0.75, 0.85)) == "0.80 [0.75, 0.85]"
    assert wording.with_interval(Estimate(0.8)) == "0.80"
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"
    assert (wording.count(0), wording.count(9), wording.count(1300)) == ("no", "nine", "1,300")
    assert (wording.seconds(4.21), wording.seconds(185.9)) == ("4.2 s", "3 min 5 s")
    assert (wording.site_name("block.3.out"), wording.site_name("embed")) == ("block 3", "embed")
    assert (wording.task_name("char_count"), wording.task_name("own_task")) == ("character count", "own task")
    assert [wording.plain(v) for v in (None, True, 0.5, [], ["a", 1])] == ["–", "yes", "0.5", "none", "a, 1"]
