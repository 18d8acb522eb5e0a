"""What importing heedful may cost: a fraction of a second, and nothing that only models need."""

from __future__ import annotations

import subprocess
import sys

import pytest

import heedful

HEAVY = ("torch", "transformers", "numpy", "scipy", "xarray", "pyarrow", "nltk", "vaderSentiment", "jsonschema", "rich")
LIMIT = 0.3  # seconds of the processor: who waits for a busy machine is not slow


def loaded(statement: str) -> set[str]:
    """Which heavy modules a fresh interpreter has loaded after `statement`."""
    script = f"import sys; {statement}; print(*({set(HEAVY)!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def is_light(statement: str, tries: int = 12) -> bool:
    """Whether one of several fresh interpreters keeps to the limit: a shared core is a slower one."""
    script = f"import time; start = time.process_time(); {statement}; print(time.process_time() - start)"
    command = [sys.executable, "-c", script]
    taken = (float(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout) for _ in range(tries))
    return any(each < LIMIT for each in taken)


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
    assert not is_light("exec('while time.process_time() - start < 0.31: pass')", tries=2)


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
