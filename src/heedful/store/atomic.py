"""Whole files or none: the one place of the package that puts bytes on a disk.

A file is written under a temporary name beside its own, synced, and renamed; so who reads a name finds either the old
bytes or the new ones, whenever the writer was killed. Knows nothing of what the bytes mean, nor of run folders.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from heedful.errors import StoreError

TEMPORARY = ".heedful-tmp"
Data = bytes | memoryview | str | Sequence[memoryview]
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def pieces(data: Data) -> list[memoryview]:
    """`data` as buffers, text as UTF-8."""
    if isinstance(data, str):
        data = data.encode()
    return [memoryview(data).cast("B")] if isinstance(data, bytes | memoryview) else [*data]


def atomic_write(path: Path | str, data: Data) -> Path:
    """Write `data` (text as UTF-8; several buffers one after the other) to `path`, wholly or not at all; missing folders are
    made.

    Raises:
        StoreError: the disk is full, or the place cannot be written or is a device or pipe. What stood at `path` before still
            does; a link is followed.
    """
    path = Path(path)
    path = path.resolve() if path.is_symlink() else path
    if path.exists() and not (path.is_file() or path.is_dir()):  # a rename would put a file in its place
        raise StoreError(f"cannot write {path}: it is a device or a pipe, not a file", "choose another place")
    buffers = pieces(data)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    with friendly_os_errors(path, sum(each.nbytes for each in buffers)):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.writelines(buffers)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    return path


def remove_temporaries(folder: Path) -> None:
    """Remove what killed writers left anywhere under `folder`; the caller sees to it that none is still writing."""
    for temporary in folder.rglob(f".*{TEMPORARY}"):
        temporary.unlink(missing_ok=True)


@contextmanager
def friendly_os_errors(path: Path, size: int = 0) -> Iterator[None]:
    """Turn what the operating system says of a place into a StoreError that names it."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise StoreError(
                f"cannot write {path}{f' ({size:,} bytes)' if size else ''}: {reason}",
                "free some space there, then run the same command again: every file finished before this one is kept",
            ) from error
        raise StoreError(
            f"cannot write {path}: {reason}", "make that folder writable, or choose another place"
        ) from error


def _sync_folder(folder: Path) -> None:
    """A rename survives a power cut only once its folder is on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
