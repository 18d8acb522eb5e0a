"""Bags of words leak nothing, whatever the vocabulary."""

from __future__ import annotations

import pytest
import torch

from heedful.probes import FORMAT_FEATURES, bag_of_words, fit_logistic, format_features, length_features

TEXTS = [
    "The cat sat.",
    "The dog ran!",
    "A cat ran",
    "the DOG sat, sat",
    "Birds sang: loud",
    "no cat, no dog",
    "Straße und STRASSE",
    "",
]
LABELS = torch.tensor([[1, 0, 1, 0, 1, 0, 1, 0]])


def test_words_are_case_folded_and_punctuation_counts():
    bag = bag_of_words(TEXTS)
    row = dict(zip(bag.words, bag.features[3].tolist(), strict=True))
    assert (row["the"], row["dog"], row["sat"], row[","], row["cat"]) == (1, 1, 1, 1, 0)
    assert dict(zip(bag.words, bag.features[6].tolist(), strict=True))["strasse"] == 1
    assert bag.features[7].sum() == 0
    shares = bag_of_words(TEXTS, kind="frequency").features
    assert dict(zip(bag.words, shares[3].tolist(), strict=True))["sat"] == pytest.approx(2 / 5)
    torch.testing.assert_close(shares.sum(-1)[:7], torch.ones(7))


def test_the_most_widespread_words_are_kept():
    assert bag_of_words(TEXTS, max_words=2).words == ("cat", "dog")


def test_words_of_the_test_fold_change_nothing():
    """The vocabulary of all rows scores as the vocabulary of the training rows does: an unseen word weighs nothing."""
    train, test = torch.arange(0, 5), torch.arange(5, 8)
    weight = torch.zeros(1, 8)
    weight[:, train] = 1
    everything = bag_of_words(TEXTS).features.double()
    whole = fit_logistic(everything, LABELS, weight, tol=1e-10).scores(everything)
    seen = everything[train].sum(0) > 0
    assert not seen.all()
    own = fit_logistic(everything[train][:, seen], LABELS[:, train], tol=1e-10).scores(everything[:, seen])
    torch.testing.assert_close(whole[:, test], own[:, test], rtol=1e-6, atol=1e-6)


def test_lengths():
    features = length_features(["one two\nthree", ""]).expm1()
    torch.testing.assert_close(features, torch.tensor([[3.0, 13.0, 2.0], [0.0, 0.0, 0.0]]))
    assert length_features([]).shape == (0, 3)
    assert bag_of_words([]).features.shape == (0, 1)


def test_format():
    features = format_features(['{"A": 1}', "Hi,\nyou.", "", "  {x"])
    assert len(FORMAT_FEATURES) == features.shape[1]
    rows = [dict(zip(FORMAT_FEATURES, row, strict=True)) for row in features.tolist()]
    assert rows[0] == pytest.approx(
        {"line breaks": 0, "punctuation": 1 / 8, "digits": 1 / 8, "brackets and quotes": 4 / 8, "upper case": 1 / 8}
        | {"begins with {": 1}
    )
    assert rows[1]["line breaks"] == 1 / 8
    assert rows[1]["punctuation"] == 2 / 8
    assert rows[1]["upper case"] == 1 / 8
    assert set(rows[2].values()) == {0}
    assert rows[3]["begins with {"] == 1
    assert format_features([]).shape == (0, 6)
