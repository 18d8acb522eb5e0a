"""Whether a page can be written where it is wanted: found out before the work whose result it shows. Knows no page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from heedful.errors import InputError


def check_page(path: Path) -> None:
    """See that a file can be written there, and leave none; missing folders are made.

    Raises:
        InputError: it cannot.
    """
    if path.is_dir():
        raise InputError(f"{path} cannot be written: it is a folder", "name a file in it")
    with beside(path) as temporary:
        temporary.write_text("", encoding="utf-8")


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """The name of a temporary file beside `path`, gone at the end.

    Raises:
        InputError: what was tried with it failed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
    except OSError as error:
        reason = "its folder is a file" if isinstance(error, FileExistsError) else error.strerror or error
        raise InputError(f"{path} cannot be written: {reason}", "name a file that can be") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
