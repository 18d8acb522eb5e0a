"""Planted truths are found again, nothing is found where nothing is planted, and a stopped calibration goes on."""

from __future__ import annotations

import json
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch

from heedful.errors import InputError
from heedful.lenses import fit_probes
from heedful.planted import MECHANISMS, Calibration, Share, Size, World, calibrate
from heedful.planted.mechanisms import FAMILIES
from heedful.planted.records import FILE, one_draw
from heedful.probes import auroc

SMALL = Size(hidden=48, squares=180, natural=400, n_bases=80, strength=3.0)
SMALLER = Size(hidden=32, squares=30, natural=100, n_bases=20)
LARGE = {"one-way": Size(strength=3.0), "one-pair": Size(strength=3.0)}
"""Mechanisms whose dependencies are too faint for the small size, or where 0 is too near a margin."""
VARIANTS = {
    *("firm", "firm-universal", "one-pair", "either-way"),
    *("unequal", "lexical-first", "planning-and-reading"),
}
"""Mechanisms that differ from another one in a single way."""
DECIDED = [
    (name, bench)
    for name, mechanism in MECHANISMS.items()
    for bench, truth in mechanism.truth.items()
    if "undecided" not in truth.values()
]


@pytest.fixture(autouse=True)
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes are checked by the tests of each lens; a draw calls them ten thousand times."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize(
    ("name", "bench"),
    [pytest.param(*each, marks=[pytest.mark.slow] if each[0] in VARIANTS else []) for each in DECIDED],
)
def test_the_right_verdict_is_given_where_one_is_planted(name, bench):
    record = one_draw(MECHANISMS[name], bench, LARGE.get(name, SMALL), 0, coverage=name == "clustered")
    right = MECHANISMS[name].truth[bench]
    assert {claim: record["verdicts"][claim] for claim in right} == right
    if bench == "structure":
        planted = record["edges_planted"]
        assert record["edges_hit"] >= 0.7 * planted
        assert record["edges_found"] <= record["edges_hit"] + 1
    if name == "clustered":  # its intervals are held against the truth of fresh rows
        assert {kind: n for kind, (_, n) in record["covered"].items()} == {
            "AUROC": 9,
            "transfer": 72,
            "shares of d′": 3,
            "dependency": 72,
        }
        assert 0.85 < sum(k for k, _ in record["covered"].values()) / 153 <= 1


@pytest.mark.parametrize("name", ["nothing", pytest.param("surprise", marks=pytest.mark.slow), "confounds"])
@pytest.mark.parametrize("bench", ["structure", "depth", "time"])
def test_nothing_is_decided_where_nothing_is_planted(name, bench):
    record = one_draw(MECHANISMS[name], bench, SMALL, 1, coverage=False)
    assert set(record["verdicts"].values()) == {"undecided"}
    assert record.get("edges_found", 0) == 0


def test_planted_states_are_what_the_mechanism_says():
    world = World(MECHANISMS["independent"], SMALL, 3)
    gram = torch.stack([world.direction(task) for task in FAMILIES])
    torch.testing.assert_close(gram @ gram.T, torch.eye(len(FAMILIES)), atol=1e-5, rtol=0)
    x, label = world.fresh("topic", 20_000, 5)
    whitened = torch.linalg.solve(
        world.mix, torch.where(torch.isin(torch.arange(48), world.massive), (x - 60) / 40, x).T
    ).T
    found = float(auroc(whitened @ world.direction("topic"), label))
    # d' of 3 over a spread of √(1 + 0.5² + 0.3² + 0.3²): Φ(d'/√2).
    expected = float(torch.distributions.Normal(0.0, 1.0).cdf(torch.tensor(3.0 / 1.43**0.5 / 2**0.5)))
    assert abs(found - expected) < 0.01


def test_contrast_rows_of_a_draw_are_whole_squares_and_the_words_tell_nothing():
    data = World(MECHANISMS["planning"], SMALLER, 3).draw("time", 3)
    rows = data.examples("contrast", "topic")
    assert len(rows) == 4 * SMALLER.squares
    for unit in rows.unit.unique():
        assert rows.label[rows.unit == unit].sum() == 2
    fits = fit_probes(data, general=False)
    assert fits.tasks["contrast", "topic"].valid.all()


def test_a_stopped_calibration_goes_on_and_another_size_is_refused(tmp_path: Path):
    names = ["one-depth", "early-late"]
    first = calibrate(tmp_path, 1, mechanisms=names, size=SMALLER)
    lines = (tmp_path / FILE).read_text().splitlines()
    (tmp_path / FILE).write_text(lines[0] + "\n" + lines[1][: len(lines[1]) // 2])  # killed while it wrote
    again = calibrate(tmp_path, 1, mechanisms=names, size=SMALLER)
    verdicts = [[record["verdicts"] for record in each.records] for each in (first, again)]
    assert sorted(map(str, verdicts[0])) == sorted(map(str, verdicts[1]))
    assert json.loads(json.dumps(again.to_dict(), allow_nan=False))["draws"] == 2
    with pytest.raises(InputError, match="another size"):
        calibrate(tmp_path, 1, mechanisms=names, size=Size(hidden=40))
    with pytest.raises(InputError, match=r"no mechanism 'magic'[\s\S]*universal"):
        calibrate(tmp_path, 1, mechanisms=["magic"], size=SMALLER)


def test_processes_draw_what_one_draws(tmp_path: Path):
    names = ["one-depth", "early-late"]
    alone, shared = (calibrate(tmp_path / str(jobs), 1, mechanisms=names, size=SMALLER, jobs=jobs) for jobs in (1, 2))
    parts = [{r["mechanism"]: r["parts"]["structural to lexical"] for r in each.records} for each in (alone, shared)]
    for name in names:
        np.testing.assert_allclose(parts[0][name], parts[1][name], atol=1e-3)


def test_a_share_has_exact_binomial_bounds():
    low, high = Share(10, 200).interval()
    assert low == pytest.approx(0.0242, abs=1e-3)
    assert high == pytest.approx(0.0900, abs=1e-3)
    assert np.isnan(Share(0, 0).value)


def test_a_decided_verdict_that_is_not_the_right_one_is_sure_and_wrong():
    (claim, right), *_ = MECHANISMS["universal"].truth["structure"].items()
    other = "supported" if right == "contradicted" else "contradicted"
    records = [
        {
            "mechanism": "universal",
            "bench": "structure",
            "verdicts": dict(MECHANISMS["universal"].truth["structure"]) | given,
        }
        for given in ({}, {claim: other}, {claim: "undecided"})
    ]
    found = Calibration(records).sure_and_wrong()
    assert found == (1, 3 * len(MECHANISMS["universal"].truth["structure"]))
    assert found.interval()[1] > found.value
