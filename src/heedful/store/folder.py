"""The run folder: one folder, one study, one process at a time.

Opens or makes the folder, refuses what it must not mix (strangers' files, other settings, another schema version),
keeps `manifest.json`, and says which stages and files stand. Knows nothing of what stages compute or files hold.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from heedful.errors import StoreError
from heedful.store.atomic import TEMPORARY, atomic_write, friendly_os_errors, remove_temporaries
from heedful.store.manifest import FORMAT, Manifest, StageRecord, differences, digest, jsonable
from heedful.store.stages import MADE_ANEW, PARTS, Stage, stands

SCHEMA_VERSION = 3
"""Raised whenever a room changes what its files mean, so that an older run is never silently mixed with a newer one."""
_MANIFEST = "manifest.json"
_LOCK = ".heedful-lock"
_ANEW = "choose another --out, or start this one anew with --overwrite (what it holds is lost)"

_READ_ANEW = "use the version of heedful that ran the study, or run the study again in another folder"

_ELSEWHERE = "choose another --out: heedful writes only into an empty folder or one of its own runs"
_READ_ELSEWHERE = "name a folder that a study wrote"


class RunFolder:
    """A run folder, held open and locked; use it as a context manager.

    Attributes:
        path: the folder.
        manifest: what it records; changed only through `stage` and `note`.
    """

    def __init__(self, path: Path, manifest: Manifest, lock: int) -> None:
        self.path = path
        self.manifest = manifest
        self._lock = lock

    @classmethod
    def open(
        cls,
        path: Path | str,
        settings: Mapping[str, Any],
        *,
        schema_version: int = SCHEMA_VERSION,
        overwrite: bool = False,
    ) -> RunFolder:
        """Make a run folder, or open the one that is there. Who only reads takes `read_manifest`.

        Args:
            path: the folder; made if missing.
            settings: everything that decides the results, as JSON values.
            schema_version: the version of what the files mean.
            overwrite: forget what an earlier run left here. Never touches a folder that heedful did not make, nor files
                that the manifest does not name.

        Raises:
            StoreError: the folder holds something else, other settings or another version (the message names what
                differs), is in use by another process, or cannot be written.
        """
        path = Path(path)
        _read_manifest(path, _ELSEWHERE)  # refuse strangers before leaving so much as a lock with them
        with friendly_os_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT)
        try:
            with friendly_os_errors(path):
                _acquire(lock, path)
                remove_temporaries(path)
                found = _read_manifest(path, _ELSEWHERE)
                if found is not None and overwrite:
                    _remove_files(path, found)
                    found = None
                if found is None:
                    now = _now()
                    manifest = Manifest(schema_version, jsonable(settings), created=now, updated=now)
                else:
                    manifest = _checked(path, found, settings, schema_version)
                run = cls(path, manifest, lock)
                if found is None:
                    run.save()
                run._remove_orphaned_parts()
        except BaseException:
            os.close(lock)
            raise
        return run

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder. Harmless twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def stage(self, name: str, *, inputs: Mapping[str, Any] | None = None, reads: Sequence[str] = ()) -> Stage:
        """The stage `name`, done if nothing that it depends on has changed and its files stand, else ready to run.

        A stage whose dependencies changed is forgotten with its files, and with it every stage that reads it. One that
        was interrupted, or has lost a file, keeps the files that stand.

        Args:
            inputs: what decides its results besides the stages it reads: settings, hashes of users' files, model
                identity. JSON values.
            reads: stages whose files it reads; they must be done.
        """
        wanted = jsonable(inputs or {})
        upstream = {stage: _done(self.path, self.manifest, stage).outputs_digest for stage in reads}
        key = digest([self.manifest.schema_version, name, wanted, upstream])
        record = self.manifest.stages.get(name)
        why = ""
        if record is not None and record.key != key:
            why = _what_changed(record, wanted, upstream)
            self._forget(name)
            record = None
        if record is None:
            record = self.manifest.stages[name] = StageRecord(key, wanted, upstream)
            return Stage(self, name, record, why or "it has not run yet")
        lost = [file for file, known in record.files.items() if not stands(self.path / file, known)]
        for file in lost:
            del record.files[file]
        if lost:
            record.done = False
            why = f"{lost[0]} is missing or damaged"
        elif not record.done:
            why = f"it was interrupted after {len(record.files)} files"
        return Stage(self, name, record, why)

    def files(self, stage: str, under: str = "", *, verify: bool = False) -> list[Path]:
        """The files of a finished stage: see `stage_files`."""
        return stage_files(self.path, self.manifest, stage, under, verify=verify)

    def note(self, **facts: Any) -> None:
        """Keep what a reader of the folder wants to know (model identity, versions, self-check) in the manifest."""
        self.manifest.facts |= jsonable(facts)
        self.save()

    def save(self) -> None:
        """Write the manifest; stages do so whenever a file is finished."""
        if self._lock < 0:
            raise ValueError(f"the run folder {self.path} is closed")
        self.manifest.updated = _now()
        atomic_write(self.path / _MANIFEST, self.manifest.to_json())

    def claim(self, name: str, stage: str) -> None:
        """Raise ValueError unless `name` is a place inside the folder that no other stage has written."""
        if not _inside(name):
            raise ValueError(f"{name!r} is not a place inside the run folder")
        if name.startswith(f"{PARTS}/") and not name.startswith(f"{PARTS}/{stage}/"):
            raise ValueError(f"{name!r} is not under {PARTS}/{stage}/, the place for this stage's scaffolding")
        for other, record in self.manifest.stages.items():
            if other != stage and name in record.files:
                raise ValueError(f"{name!r} belongs to stage {other!r}, so stage {stage!r} cannot write it")

    def _forget(self, name: str) -> None:
        """Files first, then (with the next save) the record: a kill in between leaves a record without its files."""
        record = self.manifest.stages.pop(name)
        with friendly_os_errors(self.path):
            for file in record.files:
                (self.path / file).unlink(missing_ok=True)
        for other in [stage for stage, known in self.manifest.stages.items() if name in known.reads]:
            if other in self.manifest.stages:
                self._forget(other)

    def _remove_orphaned_parts(self) -> None:
        """A kill between the end of a stage and the removal of its scaffolding leaves parts that nobody names."""
        known = {name for record in self.manifest.stages.values() for name in record.files}
        for file in (self.path / PARTS).rglob("*"):
            if file.is_file() and file.relative_to(self.path).as_posix() not in known:
                file.unlink()


def check_place(path: Path | str, settings: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Raise what `RunFolder.open` would of a folder that cannot take a run of these settings; makes and locks nothing.

    Whether another process holds the folder just now is not asked.

    Raises:
        StoreError: the folder holds something else, other settings or another version, or cannot be written.
    """
    path = Path(path)
    found = _read_manifest(path, _ELSEWHERE)
    if found is not None and not overwrite:
        _checked(path, found, settings, SCHEMA_VERSION)
    there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not there.is_dir():
        raise StoreError(f"{there} is a file, so {path} cannot be made", "choose another --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise StoreError(f"{there} cannot be written", "choose another --out, or check its permissions")


def read_manifest(path: Path | str) -> Manifest:
    """What a run records, for who only reads: nothing is locked or written.

    Raises:
        StoreError: the folder holds no run, or one of another version.
    """
    path = Path(path)
    found = _read_manifest(path, _READ_ELSEWHERE) if os.path.lexists(path / _MANIFEST) else None
    if found is None:
        raise StoreError(f"{path} is not a run folder: it has no {_MANIFEST}", "name a folder that a study wrote")
    return _checked(path, found, None, SCHEMA_VERSION)


def stage_files(path: Path, manifest: Manifest, stage: str, under: str = "", *, verify: bool = False) -> list[Path]:
    """The files of a finished stage, in order of name. Locks nothing.

    Args:
        path: the run folder.
        manifest: what it records.
        stage: the stage's name.
        under: only those whose name begins so, e.g. 'activations/'.
        verify: read every byte and compare checksums; otherwise sizes, and checksums of small files.

    Raises:
        StoreError: the stage is not done, or a file is missing or damaged.
    """
    files = _done(path, manifest, stage).files
    wanted = sorted(name for name in files if name.startswith(under))
    for name in wanted:
        if not stands(path / name, files[name], verify=verify):
            raise StoreError(f"{path / name} is missing or damaged: it is not what stage {stage!r} wrote", MADE_ANEW)
    return [path / name for name in wanted]


def _done(path: Path, manifest: Manifest, stage: str) -> StageRecord:
    record = manifest.stages.get(stage)
    if record is None or not record.done:
        raise StoreError(f"{path}: stage {stage!r} is not finished", "run the study on that folder to its end")
    return record


def _read_manifest(path: Path, elsewhere: str) -> dict[str, Any] | None:
    """The manifest as JSON, or None where a new run may begin. Raises StoreError for a place that is not ours."""
    try:
        if not path.exists():
            return None
        if not path.is_dir():
            raise StoreError(f"{path} is a file, not a folder", elsewhere)
        if not (path / _MANIFEST).exists():
            strangers = sorted(f.name for f in path.iterdir() if f.name != _LOCK and not f.name.endswith(TEMPORARY))
            if strangers:
                raise StoreError(f"{path} is not empty and not a heedful run: it holds {strangers[0]}", elsewhere)
            return None
        found = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(
            f"{error.filename or path} cannot be read: {error.strerror}", "check its permissions"
        ) from error
    except ValueError as error:
        raise StoreError(f"{path / _MANIFEST} cannot be read: it is not whole JSON ({error})", elsewhere) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise StoreError(f"{path / _MANIFEST} was not written by heedful", elsewhere)
    return found


def _checked(path: Path, found: dict[str, Any], settings: Mapping[str, Any] | None, schema_version: int) -> Manifest:
    version = found.get("schema_version")
    cure = _READ_ANEW if settings is None else _ANEW
    if version != schema_version:
        raise StoreError(f"{path} was written by schema version {version}, this is {schema_version}", cure)
    try:
        manifest = Manifest.from_dict(found)
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path / _MANIFEST} is damaged: it lacks or mistakes {error}", cure) from error
    if settings is not None and (changed := differences(manifest.settings, jsonable(settings))):
        raise StoreError(f"{path} holds a run with other settings (there → now): {changed}", _ANEW)
    return manifest


def _acquire(lock: int, path: Path) -> None:
    """Lock the folder for as long as this process lives; the system lets go of a dead process's lock by itself."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
        raise StoreError(
            f"{path} is in use by another process (id {owner})", "wait until it has ended, or choose another --out"
        ) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be locked: {error.strerror}", "choose an --out on a local disk") from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _remove_files(path: Path, found: dict[str, Any]) -> None:
    """Remove what the manifest names, whatever its version. It stays until the new one replaces it: killed in between,
    the folder is still known as ours."""
    stages = found.get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        for name in stage.get("files", ()):
            if _inside(name):
                (path / name).unlink(missing_ok=True)


def _inside(name: str) -> bool:
    place = PurePosixPath(name)
    return bool(place.parts) and not place.is_absolute() and ".." not in place.parts and name != _MANIFEST


def _what_changed(record: StageRecord, inputs: Mapping[str, Any], reads: Mapping[str, str]) -> str:
    changed = [f"what stage {name!r} wrote" for name, value in reads.items() if record.reads.get(name) != value]
    changed += [f"it no longer reads {name!r}" for name in record.reads if name not in reads]
    changed += [inner] if (inner := differences(record.inputs, inputs)) else []
    return "its inputs changed: " + ", ".join(changed)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
