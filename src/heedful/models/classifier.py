"""Hugging Face text classifiers as verifiers: 'hf:ID-or-path' answers for topic, sentiment, register or toxicity.

Maps a classifier's own labels (POSITIVE, '4 stars', 'toxic') to the task's, or says that it cannot. Knows nothing of
constraints and verdicts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from heedful.constraints.classification import Classification, Classifier
from heedful.errors import InputError, ModelError
from heedful.models.hub import explain, quiet

_SENTIMENT = {
    "positive": {"positive", "pos", "very positive", "5 stars", "4 stars", "5 star", "4 star"},
    "negative": {"negative", "neg", "very negative", "1 star", "2 stars", "1 stars", "2 star"},
    "neutral": {"neutral", "neu", "mixed", "3 stars", "3 star"},
}
_REGISTER = {"formal": {"formal"}, "informal": {"informal", "casual"}}
_TOXICITY = {
    "toxic": {
        *("toxic", "toxicity", "severe toxic", "severe toxicity", "obscene", "insult", "threat", "identity hate"),
        *("identity attack", "sexual explicit", "hate", "hateful", "offensive", "abusive", "profanity", "hate speech"),
    },
    "clean": {
        *("clean", "non toxic", "not toxic", "nontoxic", "neutral", "normal", "not offensive", "non offensive"),
        *("not hate", "nothate", "non hate", "safe", "ok"),
    },
}
_KNOWN = {"sentiment": _SENTIMENT, "register": _REGISTER, "toxicity": _TOXICITY}


def factory(task: str, rest: str) -> Classifier:
    """The classifier behind 'hf:rest', for a task. Its device is a GPU if there is one.

    Args:
        task: 'topic' (the model's own labels, in lower case, are the topics), 'sentiment', 'register' or 'toxicity'.
        rest: a hub's id or a folder.

    Raises:
        InputError: no id is given, or the model's labels do not answer the task.
        ModelError: the model cannot be loaded.
    """
    if not rest:
        raise InputError("the verifier 'hf:' names no model", "write hf:ID or hf:FOLDER of a text-classification model")
    local = Path(rest).is_dir()
    with quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(rest, local_files_only=local)
            loaded: Any = AutoModelForSequenceClassification.from_pretrained(
                rest, local_files_only=local, trust_remote_code=False, output_loading_info=True
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            explain(error, rest)
    model, info = loaded
    if info["missing_keys"]:
        raise ModelError(
            f"{rest} has no trained classification head: {sorted(info['missing_keys'])[0]} would be random",
            "name a model that was fine-tuned for text classification",
        )
    labels = map_labels(task, model.config.id2label, rest)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return _HubClassifier(rest, model.eval().to(device), tokenizer, labels)


def map_labels(task: str, id2label: Mapping[int, str], name: str) -> list[str]:
    """Our label for each of the model's outputs.

    Raises:
        InputError: a label has no known meaning for the task, or all of them have the same.
    """
    names = [id2label[index] for index in sorted(id2label)]
    plain = [re.sub(r"[\s_\-]+", " ", label).strip().casefold() for label in names]
    if task not in _KNOWN:
        known = [None if re.fullmatch(r"label \d+", label) else label for label in plain]
    else:
        meanings = {theirs: ours for ours, synonyms in _KNOWN[task].items() for theirs in synonyms}
        known = [meanings.get(label) for label in plain]
    # A toxicity model may name only kinds of toxicity (its outputs are then independent), and so imply what is clean.
    one_sided = task == "toxicity" and None not in known and set(known) == {"toxic"}
    found = [label for label in known if label is not None]
    if len(found) < len(known) or (len(set(found)) < 2 and not one_sided):
        wanted = " and ".join(_KNOWN[task]) if task in _KNOWN else "topics by name"
        raise InputError(
            f"the labels of {name} do not answer {task!r}: {', '.join(names)}",
            f"use a classifier whose labels mean {wanted}; or set id2label in its config.json accordingly",
        )
    return found


class _HubClassifier:
    """Callable with a text. Long texts are scored in pieces of the model's length, and averaged by their tokens."""

    def __init__(self, name: str, model: Any, tokenizer: Any, labels: list[str]) -> None:
        self._name = name
        self._model = model
        self._tokenizer = tokenizer
        self._labels = labels
        # One-sided kinds of toxicity, and what is trained as such, are independent yes-or-no outputs.
        self._independent = model.config.problem_type == "multi_label_classification" or set(labels) == {"toxic"}
        limit = getattr(model.config, "max_position_embeddings", None) or 512
        self._limit = min(limit, tokenizer.model_max_length, 512)

    def __call__(self, text: str, /) -> Classification:
        pieces = self._pieces(text)
        if not pieces:
            return Classification(None, {}, f"{self._name} sees no token in the text")
        weights = torch.tensor([float(len(piece)) for piece in pieces])
        outputs = torch.stack([self._probabilities(piece) for piece in pieces])
        probabilities = (outputs * weights[:, None]).sum(0) / weights.sum()
        scores: dict[str, float] = {}
        for label, probability in zip(self._labels, probabilities.tolist(), strict=True):
            # Exclusive outputs of one meaning add up; of independent ones the surest counts.
            before = scores.get(label, 0.0)
            scores[label] = max(before, probability) if self._independent else min(1.0, before + probability)
        if set(self._labels) == {"toxic"}:
            scores["clean"] = 1.0 - scores["toxic"]
        best = max(scores, key=scores.__getitem__)
        return Classification(best, scores, f"{self._name} gives {best} {scores[best]:.2f}")

    def _pieces(self, text: str) -> list[list[int]]:
        """Token ids of consecutive pieces, each with its special tokens; none for an empty text."""
        if not self._tokenizer(text, add_special_tokens=False)["input_ids"]:
            return []
        pieces: list[list[int]] = self._tokenizer(
            text, truncation=True, max_length=self._limit, return_overflowing_tokens=True
        )["input_ids"]
        return pieces

    def _probabilities(self, piece: list[int]) -> torch.Tensor:
        with torch.no_grad():
            output = self._model(torch.tensor([piece], device=self._model.device))
        logits: torch.Tensor = output.logits[0].float().cpu()
        return logits.sigmoid() if self._independent else logits.softmax(-1)
