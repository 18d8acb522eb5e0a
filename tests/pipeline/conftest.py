"""Studies small enough for a test, of the embedded model; nothing here depends on the words that it writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

import heedful
from heedful.models import LanguageModel

WHERE: dict[str, Any] = {
    "tasks": ("word_count", "topic"),
    "sites": ("block.1.out", "block.5.out"),
    "positions": ("prompt[-1]", "response[3]", "eos"),
}
"""Of answers given elsewhere, all that can be made smaller."""
TINY = WHERE | {"base_prompts": 10, "samples": 6, "squares": 4, "pool": 2, "max_new_tokens": 48}
AT_MOST_FIVE = {"id": "structural/word_count", "at_most": 5}


def answered(groups: int = 10, each: int = 10) -> list[dict[str, Any]]:
    """Recorded answers to 'at most 5 words': half of each prompt's comply."""
    starts = ("the cat sat", "we went home", "it was late", "a dog barked", "rain fell again")
    return [
        {
            "prompt": f"Write line {group} of a note in at most 5 words.",
            "response": f"{starts[i % 5]} {'today' if i < each // 2 else 'and then nobody knew what to say'} {group}",
            "constraints": [AT_MOST_FIVE],
        }
        for group in range(groups)
        for i in range(each)
    ]


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[[Iterable[Mapping[str, Any]]], Path]:
    """Writes records as a user's file."""

    def write(records: Iterable[Mapping[str, Any]], name: str = "own.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return write


@pytest.fixture(scope="session")
def model() -> LanguageModel:
    """The embedded model, loaded once."""
    return heedful.load("pico-llama", device="cpu")


@pytest.fixture
def tiny(tmp_path: Path, model: LanguageModel) -> Callable[..., heedful.Study]:
    """Runs a tiny study in the test's own folder."""

    def run(**settings: Any) -> heedful.Study:
        settings = {
            "out": tmp_path / "run",
            "loaded": model,
            **(WHERE if settings.get("responses_file") else TINY),
            **settings,
        }
        return heedful.study("pico-llama", **settings)

    return run


@pytest.fixture(scope="session")
def given_study(tmp_path_factory: pytest.TempPathFactory, model: LanguageModel) -> heedful.Study:
    """A finished study of recorded answers, half of which comply: enough rows for probes."""
    folder = tmp_path_factory.mktemp("given")
    path = folder / "answers.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in answered()))
    settings = WHERE | {"tasks": ["word_count", "topic"], "responses_file": path}
    return heedful.study("pico-llama", out=folder / "run", loaded=model, **settings)
