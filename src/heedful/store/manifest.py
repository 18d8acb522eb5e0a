"""What a run folder says of itself: `manifest.json` as values, with the hashes that decide what still stands.

Knows the shape of the manifest and nothing of disks: `folder.py` reads and writes it. `format` and the names under
`stages.*.files` keep their place in every schema version, so that a folder of another version can be overwritten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = "heedful run"


@dataclass(frozen=True)
class FileRecord:
    """One finished file."""

    bytes: int
    sha256: str


@dataclass
class StageRecord:
    """One stage: what it depends on and what it wrote."""

    key: str
    """Hash of schema version, name, inputs and what the stages that it reads wrote: while it holds, the stage may."""
    inputs: dict[str, Any]
    reads: dict[str, str]
    """Upstream stage → digest of its outputs, at the time this stage began."""
    files: dict[str, FileRecord] = field(default_factory=dict)
    done: bool = False
    seconds: float = 0.0
    """Time spent, summed over interrupted runs."""

    @property
    def outputs_digest(self) -> str:
        return digest({name: file.sha256 for name, file in self.files.items()})


@dataclass
class Manifest:
    """The whole of `manifest.json`."""

    schema_version: int
    settings: dict[str, Any]
    created: str
    updated: str
    facts: dict[str, Any] = field(default_factory=dict)
    """What the run found out and a reader wants to know: model identity, versions, self-check."""
    stages: dict[str, StageRecord] = field(default_factory=dict)
    format: str = FORMAT

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Manifest:
        """Raises KeyError or TypeError where `data` is no manifest of this shape."""
        stages = {
            name: StageRecord(**{**stage, "files": {file: FileRecord(**rec) for file, rec in stage["files"].items()}})
            for name, stage in data["stages"].items()
        }
        return cls(**{**data, "stages": stages})


def jsonable(value: Mapping[str, Any]) -> dict[str, Any]:
    """`value` as JSON keeps it (tuples become lists), so that it equals itself once read back."""
    result: dict[str, Any] = json.loads(json.dumps(value))
    return result


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What changed, for a person: 'seed 1 → 2, model.dtype "float32" → (none)'."""
    before, after = _flat(old), _flat(new)
    changed = [key for key in sorted(before | after) if before.get(key) != after.get(key)]
    return ", ".join(f"{key} {before.get(key, '(none)')} → {after.get(key, '(none)')}" for key in changed)


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    leaves: dict[str, str] = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            leaves |= _flat(item, f"{prefix}{key}.")
        else:
            text = json.dumps(item, ensure_ascii=False)
            # A long text shows both its ends; two that differ only in between must still differ here.
            leaves[prefix + key] = text if len(text) <= 80 else f"{text[:40]}…{text[-20:]} #{digest(item)[:8]}"
    return leaves
