"""Hub classifiers answer the four tasks in our labels, or say that they cannot."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.conftest import make_tokenizer
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from heedful.constraints.classification import Classifier
from heedful.errors import InputError, ModelError
from heedful.models.classifier import factory, map_labels

Maker = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path) -> Maker:
    """Saves a tiny random DistilBERT classifier with the given labels, and gives its folder."""

    def make(*labels: str, **changes: Any) -> str:
        torch.manual_seed(0)
        config = DistilBertConfig(
            vocab_size=320, dim=16, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=32,
            initializer_range=0.5, id2label=dict(enumerate(labels)),
            label2id={label: i for i, label in enumerate(labels)}, **changes,
        )  # fmt: skip
        DistilBertForSequenceClassification(config).save_pretrained(tmp_path / "model")
        make_tokenizer().save_pretrained(tmp_path / "model")
        return str(tmp_path / "model")

    return make


def test_sentiment_is_the_models_softmax(folder: Maker) -> None:
    path = folder("NEGATIVE", "POSITIVE")
    classify = factory("sentiment", path)
    assert isinstance(classify, Classifier)
    answer = classify("the cat sat")
    model = DistilBertForSequenceClassification.from_pretrained(path).eval()
    with torch.no_grad():
        negative, positive = (
            model(**make_tokenizer()("the cat sat", return_tensors="pt")).logits[0].softmax(-1).tolist()
        )
    assert answer.scores == pytest.approx({"negative": negative, "positive": positive}, abs=1e-5)
    assert answer.label == max(answer.scores, key=answer.scores.__getitem__)
    assert path in answer.reason
    assert f"{max(negative, positive):.2f}" in answer.reason


def test_stars_add_up_to_three_moods(folder: Maker) -> None:
    answer = factory("sentiment", folder("1 star", "2 stars", "3 stars", "4 stars", "5 stars"))("the dog")
    assert set(answer.scores) == {"positive", "negative", "neutral"}
    assert sum(answer.scores.values()) == pytest.approx(1, abs=1e-5)


def test_kinds_of_toxicity_imply_what_is_clean(folder: Maker) -> None:
    answer = factory("toxicity", folder("toxic", "severe_toxic", "insult", problem_type="multi_label_classification"))(
        "!"
    )
    assert answer.scores["clean"] == pytest.approx(1 - answer.scores["toxic"])
    assert answer.label == ("toxic" if answer.scores["toxic"] > 0.5 else "clean")


def test_topics_are_the_models_own_labels_in_lower_case(folder: Maker) -> None:
    answer = factory("topic", folder("World_News", "Sports"))("the cat")
    assert set(answer.scores) == {"world news", "sports"}


def test_a_text_longer_than_the_model_is_scored_in_pieces(folder: Maker) -> None:
    classify = factory("sentiment", folder("negative", "positive"))
    words = "the cat sat on the mat " * 20
    assert sum(classify(words).scores.values()) == pytest.approx(1, abs=1e-5)
    once = "x" * 32  # exactly one piece, so that three copies are three equal pieces
    assert classify(once * 3).scores == pytest.approx(classify(once).scores, abs=1e-5)
    assert classify(words).scores != pytest.approx(classify(words[:60]).scores, abs=1e-6)


def test_an_empty_text_gets_no_label(folder: Maker) -> None:
    answer = factory("sentiment", folder("negative", "positive"))("")
    assert answer.label is None
    assert "no token" in answer.reason


@pytest.mark.parametrize(
    ("task", "labels", "expected"),
    [
        ("sentiment", ["neg", "NEU", "Pos"], ["negative", "neutral", "positive"]),
        ("register", ["formal", "informal"], ["formal", "informal"]),
        ("toxicity", ["neutral", "toxic"], ["clean", "toxic"]),
        ("toxicity", ["non-toxic", "toxic"], ["clean", "toxic"]),
        ("toxicity", ["toxic"], ["toxic"]),
        ("toxicity", ["LABEL_0", "LABEL_1"], None),
        ("sentiment", ["LABEL_0", "LABEL_1"], None),
        ("topic", ["LABEL_0", "LABEL_1"], None),
        ("sentiment", ["joy", "positive", "negative"], None),
        ("sentiment", ["4 stars", "5 stars"], None),
        ("toxicity", ["clean"], None),
        ("register", ["positive", "negative"], None),
    ],
)
def test_labels_are_mapped_or_refused(task: str, labels: list[str], expected: list[str] | None) -> None:
    if expected is not None:
        assert map_labels(task, dict(enumerate(labels)), "a/b") == expected
        return
    with pytest.raises(InputError, match=rf"the labels of a/b do not answer '{task}': {labels[0]}[\s\S]*id2label"):
        map_labels(task, dict(enumerate(labels)), "a/b")


def test_what_is_no_classifier_is_said(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(InputError, match=r"'hf:' names no model"):
        factory("sentiment", "")
    with pytest.raises(ModelError, match=r"cannot be loaded"):
        factory("sentiment", str(tmp_path))
    with pytest.raises(ModelError, match=r"no trained classification head"):
        factory("sentiment", str(checkpoint))
    small = BertConfig(vocab_size=320, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    BertForSequenceClassification(small).save_pretrained(tmp_path / "bert")
    shutil.copytree(
        checkpoint, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors", "config.json")
    )
    make_tokenizer().save_pretrained(tmp_path / "bert")
    with pytest.raises(InputError, match=r"LABEL_0, LABEL_1"):
        factory("sentiment", str(tmp_path / "bert"))
