"""A page takes the place that it is meant for, and no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from heedful.cli.pages import check_folder, check_page, write_whole
from heedful.errors import InputError


def test_a_page_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.html").symlink_to("real.html")
    check_page(tmp_path / "link.html")
    assert os.listdir(tmp_path) == ["link.html"]
    write_whole(tmp_path / "link.html", "new")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").read_text() == "new"


def test_checking_leaves_a_page_as_it_is(tmp_path: Path) -> None:
    write_whole(tmp_path / "page.html", "é")
    check_page(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "é"
    assert os.listdir(tmp_path) == ["page.html"]


def test_no_folder_is_made_for_a_slip(tmp_path: Path) -> None:
    for write in (check_page, check_folder, lambda there: write_whole(there, "x")):
        with pytest.raises(
            InputError, match=r"page\.html cannot be written: there is no folder .*\n  → mkdir -p .*a/b"
        ):
            write(tmp_path / "a" / "b" / "page.html")
    assert os.listdir(tmp_path) == []


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, what in ((tmp_path / "pipe", "a device or a pipe"), (tmp_path, "a folder")):
        for write in (check_page, lambda there: write_whole(there, "x")):
            with pytest.raises(InputError, match=f"cannot be written: it is {what}"):
                write(path)
    assert (tmp_path / "pipe").is_fifo()
