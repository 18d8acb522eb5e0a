"""Names between commas, as flags take them."""

from __future__ import annotations


def split_names(names: str | None, flag: str) -> tuple[str, ...] | None:
    """Names between commas; None for a flag that was not given, which means all. An empty one is a slip, never 'all'."""
    if names is None:
        return None
    found = tuple(name.strip() for name in names.split(",") if name.strip())
    if not found:
        from heedful.errors import InputError

        raise InputError(f"{flag} names nothing", f"name some, separated by commas, or leave {flag} out for all")
    return found
