"""The errors that heedful raises on purpose: each names a cause and a cure.

Knows nothing of the rest of the package. The command line turns a `HeedfulError` into one readable message and
exit status 2; any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

from copyreg import __newobj__  # type: ignore[attr-defined]
from typing import Any


class HeedfulError(Exception):
    """Something the user can mend.

    Args:
        cause: what is wrong, with the offending value in it.
        cure: what to do about it.
    """

    def __init__(self, cause: str, cure: str) -> None:
        super().__init__(f"{cause}\n  → {cure}")
        self.cause = cause
        self.cure = cure

    def __reduce__(self) -> tuple[Any, ...]:
        """By its fields, whatever a subclass asks for when it is made: an error that a process cannot send breaks its pool."""
        return __newobj__, (type(self), *self.args), vars(self)


class InputError(HeedfulError):
    """A file, flag or value that the user gave cannot be used."""


class ModelError(HeedfulError):
    """A model cannot be loaded, or cannot be trusted once loaded."""


class UpstreamError(HeedfulError):
    """A model that was asked gave no answer, or only a part of one.

    Attributes:
        retry: whether the same call may succeed later.
        after: seconds to wait before it, where the upstream said so.
        drawn: an answer was drawn, and it is the one at fault (empty, or filtered): another draw may come out better.
    """

    def __init__(self, cause: str, cure: str, *, retry: bool, after: float | None = None, drawn: bool = False) -> None:
        super().__init__(cause, cure)
        self.retry = retry
        self.after = after
        self.drawn = drawn


class StoreError(HeedfulError):
    """A run folder is damaged, of another version, or cannot be written."""
