"""A page is written wholly or not at all, and whether it can be is found out before the work whose result it shows. No folder
is made for what a user names: it may be a slip.

Knows no page, and loads no room that does.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from heedful.errors import InputError


def check_page(path: Path) -> None:
    """See that a file can be written there, and leave none.

    Raises:
        InputError: it cannot.
    """
    with _beside(path) as (_, temporary):
        temporary.write_text("", encoding="utf-8")


def check_folder(path: Path) -> None:
    """See that the folder of a file that is to be written is there.

    Raises:
        InputError: it is not.
    """
    folder = path.parent
    if folder.is_dir():
        return
    if any(above.is_file() for above in (folder, *folder.parents)):
        raise InputError(f"{path} cannot be written: its folder is a file", "name a file that can be")
    raise InputError(f"{path} cannot be written: there is no folder {folder}", f"mkdir -p {shlex.quote(str(folder))}")


def write_whole(path: Path, page: str) -> None:
    """Write a page as UTF-8. A link is followed; a device or a pipe is left alone.

    Raises:
        InputError: the place cannot be written.
    """
    with _beside(path) as (target, temporary):
        temporary.write_text(page, encoding="utf-8")
        os.replace(temporary, target)


@contextmanager
def _beside(path: Path) -> Iterator[tuple[Path, Path]]:
    """The file that `path` stands for, and the name of a temporary one beside it, gone at the end."""
    target = path.resolve() if path.is_symlink() else path
    if target.exists() and not target.is_file():
        what = "a folder" if target.is_dir() else "a device or a pipe"
        raise InputError(f"{path} cannot be written: it is {what}", "name a file")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        check_folder(target)
        yield target, temporary
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}", "name a file that can be") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
