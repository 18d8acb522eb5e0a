"""Talking to the Hugging Face libraries: what their exceptions mean, and keeping them quiet.

Knows exceptions and log levels, and nothing of models. Importing it turns their telemetry off.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR
from typing import NoReturn
from urllib.parse import urlsplit
from urllib.request import getproxies

import huggingface_hub.constants
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, enable_progress_bars
from transformers.utils import logging

from heedful.errors import ModelError

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True  # read once at import, which may have been before ours


@contextmanager
def quiet() -> Iterator[None]:
    """Within it, transformers shows no warnings and no bars; a download's bar stays, for it may take an hour."""
    verbosity, bars, downloads = (
        logging.get_verbosity(),
        logging.is_progress_bar_enabled(),
        not are_progress_bars_disabled(),
    )
    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if downloads:
        enable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


@contextmanager
def offline_where_unknown(*, wait: float = 1.0) -> Iterator[None]:
    """In it the hub is not asked where nobody here knows its address: its client would try for half a minute, and say it each
    time. A network that knows it, however slow, is left to that client; so is one behind a proxy, which knows what we need not.

    Args:
        wait: seconds to the second look.
    """
    before = huggingface_hub.constants.HF_HUB_OFFLINE
    host = urlsplit(huggingface_hub.constants.ENDPOINT).hostname or ""
    if not before and not getproxies() and not _is_known(host):
        time.sleep(wait)
        huggingface_hub.constants.HF_HUB_OFFLINE = not _is_known(host)
    try:
        yield
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE = before


def _is_known(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False


def first_line(error: BaseException) -> str:
    """The first line of what an exception says, or its type's name."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def explain(error: BaseException, name: str, revision: str | None = None) -> NoReturn:
    """Raise the `ModelError` that an exception of the Hugging Face libraries means.

    Args:
        error: what they raised while loading.
        name: the model as the user named it.
        revision: the branch, tag or commit asked for.
    """
    kinds = tuple(_chain(error))
    text = str(error)

    def is_any(kind: type[BaseException]) -> bool:
        return any(isinstance(link, kind) for link in kinds)

    if "trust_remote_code" in text:
        cause = f"{name} comes with Python code of its own, which heedful does not run unasked"
        cure = "read that code, and add --trust-remote-code if you trust it"
    elif is_any(GatedRepoError) or "gated repo" in text:
        cause = f"{name} is gated: its owner asks you to accept terms first"
        cure = f"accept them at https://huggingface.co/{name}, then run `hf auth login` (or set HF_TOKEN)"
    elif is_any(RevisionNotFoundError):
        cause, cure = f"{name} has no revision {revision!r}", "name one of its branches, tags or commits"
    elif is_any(RepositoryNotFoundError):
        cause = f"the hub has no model {name!r}, or it is private"
        cure = "check the id (owner/name); if it is private, run `hf auth login`; `heedful models` lists embedded ones"
    elif "does not recognize this architecture" in text or "model type" in text:
        cause = f"this version of transformers does not know the architecture of {name}: {first_line(error)}"
        cure = "upgrade it: pip install -U transformers"
    elif isinstance(error, ImportError):
        cause, cure = (
            f"{name} needs a package that is not installed: {first_line(error)}",
            "install the package it names",
        )
    elif isinstance(error, OSError) and any(sign in text for sign in ("couldn't connect", "offline", "cached files")):
        cause = f"{name} is not on this machine, and the hub cannot be reached"
        cure = (
            "check the name and the connection (and HF_HUB_OFFLINE); `heedful models` lists those that need no download"
        )
    else:
        cause = f"{name} cannot be loaded: {first_line(error)}"
        cure = "check that it is a complete checkpoint of a causal language model"
    raise ModelError(cause, cure) from error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those it was raised from or while handling."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
