"""A study killed at any moment ends, once the same command is run again, with the same bytes as an undisturbed one."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import answered

SCRIPT = Path(__file__).with_name("kill_script.py")


def answers(root: Path) -> Path:
    path = root / "answers.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in answered()))
    return path


def differences(root: Path, *flags: str) -> list[str]:
    """What a killed study has otherwise than an undisturbed one."""
    command = [sys.executable, str(SCRIPT), str(root), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    errors = [line for line in done.stderr.splitlines() if line.startswith(("heedful: ", "  → "))]
    return found + errors


def test_killed_in_every_stage_ends_with_the_same_bytes(tmp_path: Path) -> None:
    assert differences(tmp_path, "--few") == []


@pytest.mark.slow
def test_killed_at_more_moments_of_every_stage(tmp_path: Path) -> None:
    assert differences(tmp_path) == []


@pytest.mark.slow
def test_killed_with_enough_rows_to_fit_probes(tmp_path: Path) -> None:
    assert differences(tmp_path, "--responses", str(answers(tmp_path))) == []


@pytest.mark.slow
def test_killed_from_outside_at_any_moment(tmp_path: Path) -> None:
    flags = "--tasks word_count --sites block.1.out,block.5.out --positions response[3],eos --responses"
    command = [sys.executable, "-m", "heedful", "study", *flags.split(), str(answers(tmp_path)), "--out"]
    started = time.monotonic()
    subprocess.run([*command, str(tmp_path / "undisturbed")], check=True, capture_output=True, timeout=300)
    longest = time.monotonic() - started
    moments = random.Random(0)
    for _ in range(5):
        with subprocess.Popen(
            [*command, str(tmp_path / "killed")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(moments.uniform(0.3, 1) * longest)
            process.send_signal(signal.SIGKILL)
    subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True, timeout=300)
    for path in (tmp_path / "undisturbed").rglob("*"):
        if path.suffix in (".parquet", ".safetensors", ".nc"):  # the report tells how long it took
            twin = tmp_path / "killed" / path.relative_to(tmp_path / "undisturbed")
            assert twin.read_bytes() == path.read_bytes(), path.name
