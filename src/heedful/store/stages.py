"""One stage of a run: whether it still stands, which of its files are finished, and the writing of the next.

A stage is a loop over files. It asks `has(name)` before it makes each and `write`s it whole; killed at any instant it
goes on at the first file that is missing. It is told what it depends on and knows nothing of what it computes.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from heedful.store.atomic import Data, atomic_write, friendly_os_errors, pieces
from heedful.store.manifest import FileRecord, StageRecord

if TYPE_CHECKING:
    from heedful.store.folder import RunFolder

PARTS = "parts"
MADE_ANEW = "delete it if it is there, and run the study again with the same --out: it is made anew"
_ALWAYS_VERIFIED = 1 << 20


class Stage:
    """Made by `RunFolder.stage`.

    Attributes:
        name: its name in the manifest.
        why: why it has to run, in words; empty if it stands.
    """

    def __init__(self, run: RunFolder, name: str, record: StageRecord, why: str) -> None:
        self.name = name
        self.why = why
        self._run = run
        self._record = record
        self._clock = time.monotonic()

    @property
    def done(self) -> bool:
        """True if there is nothing to do: its inputs are unchanged and its files stand."""
        return self._record.done

    @property
    def seconds(self) -> float:
        """Time that the stage has taken, over all the runs it needed."""
        return self._record.seconds

    def has(self, name: str) -> bool:
        """Whether this stage has finished the file `name`, in this run or in one before."""
        return name in self._record.files

    def path(self, name: str) -> Path:
        """Where a finished file of this stage lies."""
        if not self.has(name):
            raise ValueError(f"stage {self.name!r} has not written {name!r}")
        return self._run.path / name

    def write(self, name: str, data: Data) -> Path:
        """Write one file, whole or not at all, and record it as finished.

        Args:
            name: relative to the run folder. Files under `parts/<stage>/` are scaffolding: they are kept for a resumed
                run, and dropped when the stage finishes.
            data: its content; text is written as UTF-8, several buffers one after the other.

        Raises:
            StoreError: the disk is full or cannot be written; what was finished before is kept.
        """
        if self.done:
            raise ValueError(f"stage {self.name!r} is finished: {name!r} cannot be added to it")
        self._run.claim(name, self.name)
        buffers = pieces(data)
        with ThreadPoolExecutor(1) as beside:  # the disk is waited for anyway
            checksum = beside.submit(_sha256, buffers)
            path = atomic_write(self._run.path / name, buffers)
            self._record.files[name] = FileRecord(path.stat().st_size, checksum.result())
        self._save()
        return path

    def finish(self) -> None:
        """Mark the stage as done: from now on it is skipped for as long as its inputs and its files stand."""
        scaffolding = [name for name in self._record.files if name.startswith(f"{PARTS}/")]
        for name in scaffolding:
            del self._record.files[name]
        self._record.done = True
        self._save()
        with friendly_os_errors(self._run.path):
            for name in scaffolding:
                (self._run.path / name).unlink(missing_ok=True)

    def _save(self) -> None:
        now = time.monotonic()
        self._record.seconds += now - self._clock
        self._clock = now
        self._run.save()


def _sha256(buffers: Sequence[memoryview]) -> str:
    found = hashlib.sha256()
    for each in buffers:
        found.update(each)
    return found.hexdigest()


def stands(path: Path, file: FileRecord, *, verify: bool = False) -> bool:
    """Whether a recorded file is on the disk at its recorded size; small files, or all on request, by checksum too."""
    if not path.is_file() or path.stat().st_size != file.bytes:
        return False
    if file.bytes > _ALWAYS_VERIFIED and not verify:
        return True
    return file_sha256(path) == file.sha256


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes: what stands for a user's file in a stage's inputs."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
