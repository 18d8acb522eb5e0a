"""Run by test_resume.py in a process of its own: a small study, killed at every step it takes on the disk.

Children are forked, so that each of the many kills costs no import. Prints, as JSON, how many kills there were and what
went wrong.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from heedful.store import RunFolder, encode_table

PARTS = 2


def study(out: Path, version: int, *, overwrite: bool = False, pause: float = 0.0) -> None:
    """Three stages: scaffolding merged into a table, shards, a summary. Logs every part it computes beside `out`."""

    def computed(what: str) -> None:
        with out.with_suffix(".log").open("a") as log:
            log.write(what + "\n")
        time.sleep(pause)

    with RunFolder.open(out, {"seed": 1}, overwrite=overwrite) as run:
        samples = run.stage("samples", inputs={"version": version})
        if not samples.done:
            for part in range(PARTS):
                name = f"parts/samples/{part}.txt"
                if not samples.has(name):
                    computed(name)
                    samples.write(name, f"{version} {part}\n" * (100 + part))
            if not samples.has("samples.parquet"):
                texts = [samples.path(f"parts/samples/{part}.txt").read_text() for part in range(PARTS)]
                samples.write("samples.parquet", encode_table({"text": texts}))
            samples.finish()
        shards = run.stage("shards", reads=["samples"])
        if not shards.done:
            source = run.files("samples")[0].read_bytes()
            for part in range(PARTS):
                if not shards.has(f"shards/{part}.bin"):
                    computed(f"shards/{part}.bin")
                    shards.write(f"shards/{part}.bin", source[part::PARTS])
            shards.finish()
        summary = run.stage("summary", reads=["shards"])
        if not summary.done:
            summary.write("summary.txt", str([len(path.read_bytes()) for path in run.files("shards")]))
            summary.finish()


def state(out: Path) -> dict[str, object]:
    """Everything in the folder but the lock and the times."""
    found: dict[str, object] = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.name not in {".heedful-lock", "manifest.json"}:
            found[str(path.relative_to(out))] = path.read_bytes()
    manifest = json.loads((out / "manifest.json").read_text())
    for stage in manifest["stages"].values():
        del stage["seconds"]
    return found | {"manifest": manifest["stages"], "settings": manifest["settings"]}


def in_child(action: Callable[[], None]) -> int:
    """Exit status of `action` in a forked child; negative if it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            action()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(step: int) -> None:
    """Make this process kill itself before its `step`-th call that changes the disk."""
    calls = 0

    def deadly(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal calls
            calls += 1
            if calls > step:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    for name in ("fsync", "replace", "unlink", "ftruncate"):
        setattr(os, name, deadly(getattr(os, name)))


def main(root: Path) -> None:
    wrong: list[str] = []
    kills = 0
    scenarios = {  # what stood before; then (version, overwrite) of the run that is killed and run again
        "fresh": (None, 1, False),
        "changed": (1, 2, False),
        "overwritten": (1, 2, True),
    }
    for scenario, (before, version, overwrite) in scenarios.items():

        def prepare(out: Path, before: int | None = before) -> None:
            shutil.rmtree(out, ignore_errors=True)
            if before is not None:
                study(out, before)
            out.with_suffix(".log").write_text("")

        undisturbed = root / f"{scenario}-undisturbed"
        prepare(undisturbed)
        study(undisturbed, version, overwrite=overwrite)
        expected = state(undisturbed)

        def check(out: Path, what: str, expected: dict[str, object] = expected) -> None:
            if state(out) != expected:
                wrong.append(f"{what}: another result")

        out = root / f"{scenario}-killed"
        for step in range(1000):
            prepare(out)

            def killed(step: int = step, out: Path = out, version: int = version, anew: bool = overwrite) -> None:
                kill_at(step)
                study(out, version, overwrite=anew)

            status = in_child(killed)
            if status == 0:
                break
            if status != -signal.SIGKILL:
                wrong.append(f"{scenario}, step {step}: status {status}")
            kills += 1
            study(out, version, overwrite=overwrite)
            check(out, f"{scenario}, step {step}")
            # At most the part that was being written is computed twice (all of them, if the user overwrites twice).
            if not overwrite and len(out.with_suffix(".log").read_text().splitlines()) > 2 * PARTS + 1:
                wrong.append(f"{scenario}, step {step}: finished parts were computed again")

    if state(root / "changed-undisturbed") != state(root / "overwritten-undisturbed"):
        wrong.append("a changed run and a new one differ")

    # The same from outside, at any moment, several times in a row.
    random_moments = random.Random(0)
    expected = state(root / "fresh-undisturbed")
    for trial in range(8):
        out = root / f"random-{trial}"
        for _ in range(3):
            child = os.fork()
            if child == 0:
                try:
                    study(out, 1, pause=0.01)
                finally:
                    os._exit(0)
            time.sleep(random_moments.uniform(0, 0.08))
            os.kill(child, signal.SIGKILL)
            kills += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        study(out, 1)
        if state(out) != expected:
            wrong.append(f"random moment, trial {trial}: another result")
    print(json.dumps({"kills": kills, "wrong": wrong}))


if __name__ == "__main__":
    # A kill, unlike a power cut, loses nothing that the system has taken: syncing would only cost time.
    os.fsync = lambda _: None
    main(Path(sys.argv[1]))
