"""The errors that heedful raises on purpose: each names a cause and a cure.

Knows nothing of the rest of the package. The command line turns a `HeedfulError` into one readable message and
exit status 2; any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations


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


class InputError(HeedfulError):
    """A file, flag or value that the user gave cannot be used."""


class ModelError(HeedfulError):
    """A model cannot be loaded, or cannot be trusted once loaded."""


class UpstreamError(HeedfulError):
    """A model that was asked gave no answer, or only a part of one.

    Attributes:
        retry: whether the same call may succeed later.
        after: seconds to wait before it, where the upstream said so.
    """

    def __init__(self, cause: str, cure: str, *, retry: bool, after: float | None = None) -> None:
        super().__init__(cause, cure)
        self.retry = retry
        self.after = after


class StoreError(HeedfulError):
    """A run folder is damaged, of another version, or cannot be written."""
