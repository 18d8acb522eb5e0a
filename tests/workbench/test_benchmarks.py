"""The benchmarks of control measure what the documents say that they do."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


def benchmark(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("task", "constraint", "measured", "unprovable"),
    [
        ("word_count", {"at_most": 5}, "9", False),
        ("word_count", {"at_least": 5}, "3", True),
        ("char_count", {"exactly": 40}, "39", True),
        ("char_count", {"exactly": 40}, "41", False),
        ("exclude", {"terms": ["rain"]}, "rain: 1", False),
        ("topic", {"topic": "chess"}, "music", True),
    ],
)
def test_what_more_text_could_mend_no_prefix_proves(
    task: str, constraint: dict[str, Any], measured: str, unprovable: bool
) -> None:
    row = {"task": task, "constraint": json.dumps(constraint), "measured": measured}
    assert benchmark("monitors").unprovable(row) is unprovable


def test_shares_are_by_task_and_of_all_together() -> None:
    rows = [({"task": "topic", "base_id": i}, i < 3) for i in range(4)]
    rows += [({"task": "json", "base_id": i}, False) for i in range(4)]
    found = benchmark("monitors").shares(rows)
    assert {name: (each["share"], each["violations"]) for name, each in found.items()} == {
        "topic": (0.75, 4),
        "json": (0.0, 4),
        "all": (0.375, 8),
    }
    assert found["topic"]["low"] < 0.75 < found["topic"]["high"]


class Asked(Exception):  # noqa: N818
    """What policies were to be compared on."""


@pytest.mark.parametrize(
    ("given", "constraints", "policies"),
    [
        ([], (3,), ["best_of_n:n=4", "refine:rounds=3", "resample:tries=4", "abort:tries=4", "decompose:rounds=3"]),
        (["--constraints", "1", "--monitors", "DIR"], (1,), [f"abort:tries=4,forecasts={n}" for n in (0, 1, 4)]),
    ],
    ids=["by default", "forecasts of monitors"],
)
def test_policies_are_compared_on_so_many_constraints(
    given: list[str], constraints: tuple[int, ...], policies: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked(_: Any, **how: Any) -> None:
        raise Asked(how["constraints"], how["policies"])

    module = benchmark("policies")
    monkeypatch.setattr(module, "open_upstream", lambda *_, **__: None)
    monkeypatch.setattr(module, "compare_policies", asked)
    monkeypatch.setattr("sys.argv", ["policies.py", *given])
    with pytest.raises(Asked) as caught:
        module.main()
    assert caught.value.args == (constraints, policies)
