"""What importing heedful may cost: little beyond what it cannot do without, and nothing that only models need."""

from __future__ import annotations

import subprocess
import sys

import pytest

import heedful

HEAVY = ("torch", "transformers", "numpy", "scipy", "xarray", "pyarrow", "nltk", "vaderSentiment", "jsonschema", "rich")
BARE = "import asyncio, yaml, pydantic; pydantic.BaseModel"
LIMIT = 2.6  # times the processor's time for that: who waits for a busy or a slow machine is not slow


def loaded(statement: str) -> set[str]:
    """Which heavy modules a fresh interpreter has loaded after `statement`."""
    script = f"import sys; {statement}; print(*({set(HEAVY)!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def seconds(statement: str) -> float:
    """Of the processor, in a fresh interpreter."""
    script = f"import time; start = time.process_time(); {statement}; print(time.process_time() - start)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60)
    return float(done.stdout)


def is_light(statement: str, tries: int = 8) -> bool:
    """Whether in one of several pairs of interpreters, one right after the other, the statement keeps to the limit."""
    return any(seconds(statement) < LIMIT * seconds(BARE) for _ in range(tries))


@pytest.mark.parametrize(
    "statement",
    [
        "import heedful",
        "import heedful.constraints",
        "import heedful; heedful.WordCount",
        "import heedful; heedful.Guard",
        "import heedful.control",
        "import heedful.control.upstream",
    ],
)
def test_import_is_light(statement: str) -> None:
    assert loaded(statement) == set()
    assert is_light(statement)


def test_who_asks_an_endpoint_needs_no_tensor() -> None:
    assert loaded("import heedful.control.endpoint, heedful.control.judge") <= {"rich"}


def test_the_detector_can_fail() -> None:
    assert loaded("import heedful, jsonschema, numpy") >= {"jsonschema", "numpy"}
    assert not is_light("import torch", tries=1)


def test_every_public_name_is_there() -> None:
    for name in heedful.__all__:
        assert getattr(heedful, name) is not None
    assert set(heedful._HOME) | {"__version__"} == set(heedful.__all__)
    assert set(heedful.__all__) <= set(dir(heedful))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'heedful' has no attribute 'nosuch'"):
        heedful.nosuch  # noqa: B018


def test_the_short_way() -> None:
    verdicts = heedful.check("Hello there.", heedful.WordCount(at_most=5), heedful.Include(terms="boat"))
    assert [verdict.outcome for verdict in verdicts] == ["pass", "fail"]
