"""Whole files or none, whatever the disk says."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import NoReturn

import pytest

from heedful.errors import StoreError
from heedful.store import atomic_write


def test_writes_bytes_and_text_and_makes_folders(tmp_path: Path) -> None:
    assert atomic_write(tmp_path / "a" / "b.bin", memoryview(b"\x00\xff")).read_bytes() == b"\x00\xff"
    assert atomic_write(tmp_path / "t.txt", "é").read_bytes() == b"\xc3\xa9"
    assert atomic_write(tmp_path / "empty", b"").read_bytes() == b""


def test_a_link_is_followed_and_a_pipe_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    atomic_write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="pipe: it is a device or a pipe"):
        atomic_write(tmp_path / "pipe", "new")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_keeps_the_old_file_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = atomic_write(tmp_path / "x", b"old")

    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StoreError) as caught:
            atomic_write(path, b"newer")
    assert str(path) in caught.value.cause
    assert "No space left on device" in caught.value.cause
    assert caught.value.cure.startswith("free some space there, then run the same command again")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_file_size_limit_is_met_for_real(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StoreError, match="File too large"):
            atomic_write(tmp_path / "x", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*file/x") as caught:
        atomic_write(tmp_path / "file" / "x", b"")
    assert caught.value.cure == "make that folder writable, or choose another place"
