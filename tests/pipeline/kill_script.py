"""Run by test_resume.py in a process of its own: `heedful study`, killed in every stage, several times in each.

Every child goes on where the one before it was killed. `--few` kills at fewer moments. Children are forked, so that a
kill costs no import. Prints, as JSON, what went wrong.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # children are forked

import torch

from heedful.cli import main
from heedful.models import selfcheck
from heedful.pipeline import read, respond  # noqa: F401 - imported before the fork
from heedful.store import Stage, folder, stages

ASKING = "--base-prompts 10 --samples 8 --squares 8 --max-new-tokens 48".split()
"""Of no use beside answers that were given elsewhere."""
SETTINGS = (
    "--tasks word_count,topic --positions prompt[-1],response[3],eos --sites block.1.out,block.5.out --extras".split()
)

# Of each stage: before which of its steps on the disk a child is killed. A file takes two steps, its own renaming and
# that of the manifest that records it, and the stage's end takes one more. -1 is the first removal of scaffolding. With
# --few, the first of them, a later one, and that removal.
MOMENTS = {
    "instruct": (1, 2, 3),
    "respond": (1, 2, 3, 4, 5, -1),
    "read": (1, 2, 3),
    "probe": (1, 2, 3, 6, 7),
    "intervene": (1, 2, 3, -1),
    "extras": (1, 2, 3),
    "report": (1, 2, 3),
}


def study(out: Path, arguments: list[str]) -> int:
    return main(["study", *arguments, "--out", str(out), "--json"])


def state(out: Path) -> dict[str, bytes]:
    """Every byte in the folder but the lock's."""
    files = [path for path in out.rglob("*") if path.is_file() and path.name != ".heedful-lock"]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def in_child(action: Callable[[], int]) -> int:
    """Exit status of `action` in a forked child; negative if it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            torch.set_num_threads(1)  # makes a new pool; several threads at once would race for one that is gone
            status = action()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_in(stage: str, step: int) -> None:
    """Make this process kill itself before that step of that stage."""
    steps = 0
    at_work = False

    def watched(real: Callable[..., object]) -> Callable[..., object]:
        def call(self: Stage, *args: object) -> object:
            nonlocal at_work
            at_work = self.name == stage
            result = real(self, *args)
            at_work = False
            return result

        return call

    def deadly(real: Callable[..., object], counts: int) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal steps
            if at_work:
                steps += counts
                if steps == step or (counts == 0 and step == -1):
                    os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    Stage.write, Stage.finish = watched(Stage.write), watched(Stage.finish)  # type: ignore[method-assign]
    os.replace, os.unlink = deadly(os.replace, 1), deadly(os.unlink, 0)


def differences(root: Path, arguments: list[str], few: bool) -> list[str]:
    """What a study that was killed again and again has otherwise than one that nobody disturbed."""
    wrong: list[str] = []
    undisturbed, out = root / "undisturbed", root / "killed"
    if study(undisturbed, arguments) != 0:  # here, so that the children have all imports
        return ["the undisturbed study failed"]
    for stage, steps in MOMENTS.items():
        for step in (steps[0], *steps[2:3], *steps[5:]) if few else steps:

            def killed(stage: str = stage, step: int = step) -> int:
                kill_in(stage, step)
                return study(out, arguments)

            status = in_child(killed)
            if status != -signal.SIGKILL:
                wrong.append(f"{stage}, step {step}: status {status}")
    if status := in_child(lambda: study(out, arguments)):
        wrong.append(f"the last study: status {status}")
    found, expected = state(out), state(undisturbed)
    differ = [file for file in sorted(found.keys() | expected.keys()) if found.get(file) != expected.get(file)]
    return wrong + [f"{file} differs" for file in differ]


if __name__ == "__main__":
    # A kill, unlike a power cut, loses nothing that the system has taken: syncing would only cost time.
    os.fsync = lambda _: None
    # Manifest and report tell when the study began and how long it took; here that shall not differ.
    folder._now = lambda: "2026-01-01T00:00:00+00:00"
    stages.time = SimpleNamespace(monotonic=lambda: 0.0)
    selfcheck.time = SimpleNamespace(perf_counter=lambda: 0.0)
    # Nor does it cost the loading of the model: the children have it from here.
    study_room = sys.modules["heedful.pipeline.study"]
    study_room.load = cache(study_room.load)
    # Small files, so that a stage has several.
    sys.modules["heedful.pipeline.respond"].CHUNK = 40
    sys.modules["heedful.pipeline.read"].SHARD_BYTES = 40 * 2 * 3 * 192 * 4
    stdout, sys.stdout = sys.stdout, sys.stderr
    flags = [flag for flag in sys.argv[2:] if flag != "--few"]
    asking = [] if "--responses" in flags else ASKING
    wrong = differences(Path(sys.argv[1]), [*SETTINGS, *asking, *flags], few="--few" in sys.argv)
    print(json.dumps(wrong), file=stdout)
