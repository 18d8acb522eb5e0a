"""From what a user has to what answers: a model, or its name, runs here; a URL is asked; an upstream stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from heedful.control.upstream import Upstream
from heedful.errors import InputError

if TYPE_CHECKING:
    from heedful.models import LanguageModel


def open_upstream(model: Upstream | LanguageModel | str, *, name: str | None = None) -> Upstream:
    """The upstream of this model.

    Args:
        model: an upstream; a loaded model; the name of an embedded one, a hub id, a folder; or the URL of an OpenAI-compatible
            endpoint, up to and with '/v1'.
        name: the model's name at a URL.

    Raises:
        InputError, ModelError: it cannot be had.
    """
    if hasattr(model, "streams"):
        return cast(Upstream, model)
    if isinstance(model, str) and model.startswith(("http://", "https://")):
        if not name:
            raise InputError(f"which model at {model}?", "name it, --at MODEL, as the server does")
        from heedful.control.endpoint import Endpoint

        return Endpoint(model, name)
    from heedful.control.local import LocalModel

    return LocalModel(model)
