"""From what a user has to what answers: a model, or its name, runs here; a URL is asked; an upstream stays as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from heedful.control.upstream import Upstream
from heedful.errors import InputError

if TYPE_CHECKING:
    from heedful.models import LanguageModel


_BARE_URL = re.compile(r"[\w.-]+:\d+(/.*)?|localhost(/.*)?|[\w-]+(\.[\w-]+)+/v\d+(/.*)?")
"""A host with its port, or one that is followed by an API's version."""


def open_upstream(
    model: Upstream | LanguageModel | str,
    *,
    name: str | None = None,
    monitors: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> Upstream:
    """The upstream of this model.

    Args:
        model: an upstream; a loaded model; the name of an embedded one, a hub id, a folder; or the URL of an OpenAI-compatible
            endpoint, up to and with '/v1'.
        name: the model's name at a URL, and for nothing else.
        monitors: a folder of probe monitors of this model, whose alarms its answers then carry; for a model that runs here.
        options: of `Endpoint`, for a URL.

    Raises:
        InputError, ModelError: it cannot be had, or a name, monitors or options are given for what takes none.
    """
    if hasattr(model, "streams"):
        upstream = cast(Upstream, model)
        if name is not None or monitors is not None or options:
            raise InputError(
                f"{upstream.name} is an upstream already, and takes neither a name nor monitors nor options",
                "leave them out, or give the model or the URL that it was made of",
            )
        return upstream
    if isinstance(model, str) and model.startswith(("http://", "https://")):
        if monitors is not None:
            raise InputError(f"{model} runs elsewhere, and its hidden states cannot be watched", "take a local model")
        if not name:
            raise InputError(f"which model at {model}?", "name it, --at MODEL, as the server does")
        from heedful.control.endpoint import Endpoint

        return Endpoint(model, name, **(options or {}))
    if isinstance(model, str) and _BARE_URL.fullmatch(model) and not Path(model).exists():
        raise InputError(
            f"{model} looks like a URL without its beginning", f"write http://{model}, or https:// before it"
        )
    if name is not None:
        raise InputError(
            f"{name!r} names a model at a URL, and the model given runs here", "leave --at out, or give the URL"
        )
    if options:
        raise InputError(
            f"{', '.join(options)}: of an endpoint, and the model given runs here", "leave it out, or give the URL"
        )
    if monitors is not None:
        return _monitored(model, monitors)
    from heedful.control.local import LocalModel

    return LocalModel(model)


def _monitored(model: LanguageModel | str, folder: str | Path) -> Upstream:
    from heedful.control.local import LocalModel
    from heedful.control.monitors import LiveRisk, load_monitors
    from heedful.models import load

    loaded = load(model) if isinstance(model, str) else model
    monitors = load_monitors(Path(folder), loaded)
    return LocalModel(loaded, risks=[lambda places: LiveRisk(monitors, loaded.device)])
