"""Erased labels are gone, nothing else is; and the controls take off as much."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from heedful.erasure import (
    Eraser,
    fit_inlp,
    fit_leace,
    fit_mean_flip,
    fit_mean_projection,
    fit_step,
    random_eraser,
    stacked,
)
from heedful.erasure.closed_form import erasing_least, shrunk
from heedful.errors import InputError
from heedful.probes import auroc, fit_logistic

Fitter = Callable[..., Eraser]


def planted(n: int = 600, d: int = 24, strength: float = 1.5, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Rows with correlated features of very different spread, and a label along one direction."""
    generator = torch.Generator().manual_seed(seed)
    spread = torch.logspace(0.5, -1, d)
    mix = torch.linalg.qr(torch.randn(d, d, generator=generator)).Q
    y = torch.arange(n) % 2
    x = torch.randn(n, d, generator=generator) * spread @ mix
    direction = torch.randn(d, generator=generator)
    return x + strength * (y - 0.5).unsqueeze(-1) * direction / direction.norm(), y


def readable(x: Tensor, y: Tensor) -> float:
    probe = fit_logistic(x, y[None], None, 1.0)
    return float(auroc(probe.scores(x), y)[0])


@pytest.mark.parametrize("fit", [fit_leace, fit_mean_projection])
def test_the_class_means_agree_afterwards(fit: Fitter) -> None:
    x, y = planted()
    erased = fit(x, y)(x)
    torch.testing.assert_close(erased[y == 1].mean(0), erased[y == 0].mean(0), atol=1e-5, rtol=0)
    torch.testing.assert_close(erased.mean(0), x.mean(0), atol=1e-5, rtol=0)


def test_after_leace_no_linear_probe_reads_the_label() -> None:
    x, y = planted()
    assert readable(x, y) > 0.8
    # The rows' own: a logistic probe at its optimum is a constant.
    assert fit_logistic(fit_leace(x, y)(x), y[None], None, 1.0).coef.norm() < 1e-3
    # Other rows of the same kind: near chance.
    probe_x, probe_y = planted(seed=0, n=1200)
    eraser = fit_leace(probe_x[:600], probe_y[:600])
    probe = fit_logistic(eraser(probe_x[:600]), probe_y[None, :600], None, 1e-2)
    assert abs(float(auroc(probe.scores(eraser(probe_x[600:])), probe_y[600:])[0]) - 0.5) < 0.07


@pytest.mark.parametrize("n", [23, 40, 300])
def test_leace_of_few_rows_is_that_of_the_whole_covariance(n: int) -> None:
    x, y = planted(n=n, d=48)
    x, weight = x.double(), torch.linspace(0, 2, n, dtype=torch.float64)
    labels = torch.stack([y, y.roll(1), torch.zeros_like(y)])
    found = fit_leace(x, labels, weight)
    share = weight / weight.sum()
    centred = (x - share @ x) * share.sqrt().unsqueeze(-1)
    whole = shrunk(centred.T @ centred, float(weight.sum().square() / weight.square().sum()))
    for label, eraser in zip(labels, (found[i] for i in range(3)), strict=True):
        one, zero = (weight * (label == value) for value in (1, 0))
        difference = one @ x / one.sum() - zero @ x / zero.sum() if one.sum() else torch.zeros(48, dtype=torch.float64)
        torch.testing.assert_close(
            eraser.read.squeeze(-1), erasing_least(whole, difference[None])[0], rtol=1e-9, atol=1e-12
        )
        torch.testing.assert_close(eraser.write.squeeze(-2), difference)


def test_leace_changes_no_more_than_a_projection_does() -> None:
    x, y = planted(n=4000)
    assert fit_leace(x, y).energy(x) < fit_mean_projection(x, y).energy(x)


def test_a_flip_exchanges_the_class_means() -> None:
    x, y = planted()
    flipped = fit_mean_flip(x, y)(x)
    for value in (0, 1):
        torch.testing.assert_close(flipped[y == value].mean(0), x[y == 1 - value].mean(0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("fit", [fit_leace, fit_mean_projection, fit_inlp])
def test_rows_without_weight_have_no_say(fit: Fitter) -> None:
    x, y = planted()
    weight = (torch.arange(len(y)) < 400).float()
    other = x.clone()
    other[400:] += 100.0
    torch.testing.assert_close(fit(x, y, weight)(x[:400]), fit(other, y, weight)(x[:400]), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("fit", [fit_leace, fit_mean_projection, fit_mean_flip, fit_inlp])
@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"y": torch.tensor([1, 2, 1, 2])}, "labels must be 0 or 1"),
        ({"y": torch.tensor([1, 0, 1])}, "rows (4, 3), labels (3,) and weights (4,) do not go together"),
        ({"x": torch.zeros(3)}, "do not go together"),
        ({"x": torch.full((4, 3), torch.nan)}, "4 rows hold NaN"),
        ({"weight": torch.tensor([1.0, -1.0, 1.0, 1.0])}, "a weight is negative"),
        ({"weight": torch.zeros(4)}, "on no rows"),
        ({"y": torch.ones(4)}, "all of one class"),
        ({"weight": torch.tensor([1.0, 0.0, 1.0, 0.0])}, "all of one class"),
    ],
)
def test_bad_input_is_refused(fit: Fitter, change: dict[str, torch.Tensor], cause: str) -> None:
    arguments = {"x": torch.eye(4, 3), "y": torch.tensor([0, 1, 0, 1]), "weight": None} | change
    with pytest.raises(InputError) as error:
        fit(**arguments)
    assert cause in error.value.cause


@pytest.mark.parametrize("fit", [fit_leace, fit_mean_projection, fit_mean_flip, fit_inlp])
def test_rows_without_weight_may_hold_anything_and_rows_all_alike_hold_nothing(fit: Fitter) -> None:
    x, y = planted()
    weight = torch.ones(len(x))
    weight[0] = 0
    torn, labels = x.clone(), y.float()
    torn[0], labels[0] = torch.nan, torch.nan
    torch.testing.assert_close(fit(torn, labels, weight)(x), fit(x[1:], y[1:])(x))
    for alike in (torch.ones(6, 3), torch.ones(3, 6)):
        torch.testing.assert_close(fit(alike, torch.arange(len(alike)) % 2)(alike), alike)


@pytest.mark.parametrize("scale", [1.0, 100.0, 10_000.0])
def test_inlp_finds_as_many_directions_in_rows_of_any_scale(scale: float) -> None:
    x, y = planted()
    assert fit_inlp(scale * x, y, rank=8).rank == 8


@pytest.mark.parametrize("fit", [fit_leace, fit_mean_projection, fit_mean_flip, fit_inlp])
def test_of_several_sets_one_with_one_class_has_nothing_to_take_off(fit: Fitter) -> None:
    x, y = planted()
    torch.testing.assert_close(fit(x, torch.stack([y, torch.ones_like(y)]))[1](x), x)


def test_a_batch_of_sites_is_the_sites_one_by_one() -> None:
    sites = torch.stack([planted(seed=seed)[0] for seed in range(3)])
    y = planted()[1]
    for fit in (fit_leace, fit_mean_projection):
        together = fit(sites, y)(sites)
        for site, x in enumerate(sites):
            torch.testing.assert_close(together[site], fit(x, y)(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("fit", [fit_leace, fit_mean_projection, fit_mean_flip, fit_inlp])
def test_sets_of_labels_are_the_sets_one_by_one(fit: Fitter) -> None:
    x, y = planted()
    sets = torch.stack([y, 1 - y, torch.ones_like(y), (torch.arange(len(y)) // 2) % 2])
    weight = (torch.arange(len(y)) < 500).float()
    together = fit(x, sets, weight)
    for eraser, labels in zip((together[i] for i in range(4)), sets, strict=True):
        # Probes of several sets go on until the last of them has met its tolerance of a hundredth.
        near = 2e-2 if fit is fit_inlp else 1e-4
        alone = fit(x, labels, weight) if labels.min() < labels.max() else fit(x, labels[None], weight)[0]
        torch.testing.assert_close(eraser(x), alone(x), atol=near, rtol=near)


@pytest.mark.parametrize("fit", [fit_leace, fit_mean_flip])
def test_a_probe_before_an_eraser_reads_what_the_probe_reads_after_it(fit: Fitter) -> None:
    x, y = planted()
    probes = fit_logistic(x, torch.stack([y, torch.randint(0, 2, y.shape, generator=torch.Generator().manual_seed(0))]))
    erasers = [fit(x, y), fit_inlp(x, y, rank=3)]
    before = stacked(erasers).before(probes)
    for entry, eraser in enumerate(erasers):
        torch.testing.assert_close(before.scores(x)[entry], probes.scores(eraser(x)), atol=1e-4, rtol=1e-4)


def test_inlp_reads_less_with_every_direction() -> None:
    x, y = planted(strength=3.0)
    eraser = fit_inlp(x, y, rank=6)
    assert eraser.rank == 6
    torch.testing.assert_close(eraser.write @ eraser.read, torch.eye(6), atol=1e-5, rtol=0)
    left = [readable(eraser.top(k)(x), y) for k in (0, 1, 3, 6)]
    assert left[0] > 0.95
    assert left[0] > left[1] > left[3]
    assert left[3] < 0.65
    normal = fit_logistic(x - x.mean(0), y[None], None, 1e-2, tol=1e-2).coef[0]
    assert torch.cosine_similarity(eraser.read[:, 0], normal, 0) > 0.9999


@pytest.mark.parametrize(("energy", "rank"), [(0.2, 1), (0.02, 1), (0.001, 1), (0.4, 4)])
def test_a_random_control_takes_off_as_much_as_it_is_told(energy: float, rank: int) -> None:
    x, _ = planted()
    erasers = [random_eraser(x, energy, rank=rank, seed=seed) for seed in range(3)]
    for eraser in erasers:
        assert eraser.rank == rank
        assert float(eraser.energy(x)) == pytest.approx(energy, rel=0.01)
        torch.testing.assert_close(eraser.write @ eraser.read, torch.eye(rank), atol=1e-5, rtol=0)
    assert (erasers[0].read - erasers[1].read).abs().max() > 0.01
    assert torch.equal(random_eraser(x, energy, rank=rank, seed=1).read, erasers[1].read)
    together = random_eraser(x, energy, rank=rank, seed=range(3))
    for alone, one in zip(erasers, (together[i] for i in range(3)), strict=True):
        torch.testing.assert_close(one.write.mT @ one.read.mT, alone.write.mT @ alone.read.mT, atol=1e-5, rtol=0)


def test_what_cannot_be_reached_is_approached() -> None:
    x, _ = planted()
    highest = float(random_eraser(x, 1.0).energy(x))
    assert 0.2 < highest < 0.3
    assert float(random_eraser(x, 0.9 * highest).energy(x)) == pytest.approx(0.9 * highest, rel=0.01)


def test_half_precision_rows_are_lifted() -> None:
    x, y = planted()
    for fit in (fit_leace, fit_mean_projection, fit_inlp):
        eraser = fit(x.bfloat16(), y)
        assert eraser.read.dtype == torch.float32
        assert eraser(x.bfloat16()).isfinite().all()


def test_a_step_goes_as_far_towards_one_class_as_rows_lie_from_their_mean() -> None:
    x, y = planted(strength=3.0)
    step = fit_step(x, y)
    unit = step.by / step.by.norm()
    assert float(unit @ (x[y == 1].mean(0) - x[y == 0].mean(0))) > 0
    torch.testing.assert_close(step.by.norm(), ((x - x.mean(0)) @ unit).abs().mean())
    torch.testing.assert_close(step(x) - x, step.by.expand_as(x), atol=1e-4, rtol=0)


def test_a_step_is_blind_to_rows_of_weight_0_and_of_one_set_of_labels() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 6, generator=generator), torch.arange(40) % 2
    weight = torch.ones(40)
    weight[:4] = 0
    spoilt = x.clone()
    spoilt[0], spoilt[1] = torch.nan, torch.inf
    assert torch.equal(fit_step(spoilt, y, weight).by, fit_step(x, y, weight).by)
    for rows, labels in ((x[None], y), (x, y[None])):
        with pytest.raises(InputError, match=r"a step of rows"):
            fit_step(rows, labels)


def test_a_map_of_scaled_rows_is_the_same_map_of_the_rows() -> None:
    x, y = planted()
    center, spread = x.median(0).values, x.std(0)
    scaled = (x - center) / spread
    eraser = fit_leace(scaled, y)
    torch.testing.assert_close((eraser.unscaled(center, spread)(x) - center) / spread, eraser(scaled))


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_rows_that_are_all_alike_lose_nothing(value: float, rank: int) -> None:
    x = torch.full((10, 4), value)
    one, several = (random_eraser(x, 0.1, rank=rank, seed=seed) for seed in (0, range(3)))
    assert (one.rank, several.rank) == (0, 0)
    assert torch.equal(one(x), x)
    assert torch.equal(several(x), x.expand(3, -1, -1))
    assert several.energy(x).tolist() == [0, 0, 0]
    varied, _ = planted(d=4)
    assert fit_leace(varied, torch.arange(600)[None] % 2).energy(x).tolist() == [0]
    assert stacked([one, random_eraser(varied, 0.1, rank=rank)]).rank == rank
