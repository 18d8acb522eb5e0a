"""The models that come with the package: which there are, and whether their files are whole.

Knows folders and checksums; loads no tensor.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from heedful.errors import ModelError

EMBEDDED = Path(__file__).parent / "embedded"
CHECKSUMS = "SHA256SUMS"


class Card(NamedTuple):
    """An embedded model.

    Attributes:
        name: what `load` takes.
        path: its folder.
        about: what its makers wrote in card.json (what it is, how it was made, what it can do).
    """

    name: str
    path: Path
    about: Mapping[str, Any]


def embedded_models(root: Path = EMBEDDED) -> list[Card]:
    """Every embedded model, by name: each folder of `root` with a config.json is one."""
    return [
        Card(folder.name, folder, _about(folder / "card.json"))
        for folder in sorted(root.glob("*"))
        if (folder / "config.json").is_file()
    ]


def _about(path: Path) -> Mapping[str, Any]:
    about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return about


def verify_checksums(folder: Path) -> str:
    """Check a folder's files against its SHA256SUMS, and give that file's own SHA-256, which stands for them all.

    Raises:
        ModelError: the list is missing, or a listed file is missing or differs.
    """
    cure = "install heedful again, or check the model's folder out again"
    listing = folder / CHECKSUMS
    if not listing.is_file():
        raise ModelError(f"the embedded model {folder.name!r} has no {CHECKSUMS}", cure)
    text = listing.read_text(encoding="utf-8")
    for line in text.splitlines():
        expected, _, name = line.partition(" ")
        path = folder / name.strip().removeprefix("*")
        if not path.is_file():
            raise ModelError(f"the embedded model {folder.name!r} lacks {path.name}", cure)
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise ModelError(f"the embedded model {folder.name!r} is damaged: {path.name} is not as published", cure)
    return hashlib.sha256(text.encode()).hexdigest()
