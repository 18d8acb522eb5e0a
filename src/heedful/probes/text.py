"""Text as plain features, so that prompt-only and response-only baselines run through the same probes and folds.

The vocabulary is that of all rows given, and yet nothing leaks: features are counts that depend on their own row only
(no idf, no scaling fitted on rows), and a word that no training row holds is a column of zeros there, to which a probe
penalised by ‖w‖² gives weight exactly 0. So the scores are those of a training-fold vocabulary (a test proves it).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

FORMAT_FEATURES = ("line breaks", "punctuation", "digits", "brackets and quotes", "upper case", "begins with {")
_BRACKETS_AND_QUOTES = frozenset("()[]{}<>\"'`‘’“”«»")
_TOKEN = re.compile(r"\w+|[^\w\s]")


class BagOfWords(NamedTuple):
    """One row a text, one column a word."""

    features: Float[Tensor, "sample word"]
    words: tuple[str, ...]


def tokenize(text: str) -> list[str]:
    """Case-folded words and single punctuation marks."""
    return _TOKEN.findall(text.casefold())


def bag_of_words(
    texts: Sequence[str], *, kind: Literal["binary", "frequency"] = "binary", max_words: int = 4096
) -> BagOfWords:
    """Presence of each word ('binary'), or its share of the text's tokens ('frequency').

    Args:
        max_words: keep the words that occur in the most texts (label-free, so harmless); ties by alphabet.
    """
    counts = [Counter(tokenize(text)) for text in texts]
    texts_with = Counter(word for count in counts for word in count)
    words = tuple(sorted(sorted(texts_with), key=lambda word: -texts_with[word])[:max_words])
    column = {word: i for i, word in enumerate(words)}
    features = torch.zeros(len(texts), max(len(words), 1))
    for row, count in enumerate(counts):
        total = sum(count.values())
        for word, n in count.items():
            if word in column:
                features[row, column[word]] = 1.0 if kind == "binary" else n / total
    return BagOfWords(features, words)


def length_features(texts: Sequence[str]) -> Float[Tensor, "sample 3"]:
    """log(1 + words), log(1 + characters) and log(1 + lines) of each text."""
    rows = [(len(re.findall(r"\w+", text)), len(text), text.count("\n") + 1 if text else 0) for text in texts]
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 3).log1p()


def format_features(texts: Sequence[str]) -> Float[Tensor, "sample 6"]:
    """What a text looks like, by the names in `FORMAT_FEATURES`: shares of its characters, and whether it begins with a brace.

    Brackets and quotes are no punctuation here, so that no character counts twice; an empty text has none of anything.
    """
    rows = []
    for text in texts:
        marks = sum(c in _BRACKETS_AND_QUOTES for c in text)
        counts = (
            text.count("\n"),
            sum(unicodedata.category(c).startswith("P") and c not in _BRACKETS_AND_QUOTES for c in text),
            sum(c.isdigit() for c in text),
            marks,
            sum(c.isupper() for c in text),
        )
        rows.append([n / max(len(text), 1) for n in counts] + [float(text.lstrip().startswith("{"))])
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, len(FORMAT_FEATURES))
