"""A local model that is stepped along a study's directions while it writes. Loads torch.

Reads from a study's folder what its lenses fitted; knows no policy.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from heedful.control.local import LocalModel, LocalStream
from heedful.control.upstream import Message, Request
from heedful.errors import InputError, ModelError
from heedful.lenses.arms import FORWARD, STEP
from heedful.models import LanguageModel
from heedful.models.identity import differing
from heedful.store import read_manifest

_MAY_DIFFER = ("dtype", "quantisation")


class Direction:
    """A step towards complying with a task, where it is taken.

    Attributes:
        site: in the model.
        by: what is added to the residual stream there, [hidden].
    """

    def __init__(self, site: str, by: Float[Tensor, " hidden"]) -> None:
        self.site, self.by = site, by


def read_directions(run: str | Path) -> dict[str, Direction]:
    """By task, what a study steps along: at the site that most of its folds chose, the mean of their steps.

    Raises:
        InputError: the folder holds no study that fitted steps.
    """
    file = Path(run) / "arms.safetensors"
    if not file.is_file():
        raise InputError(f"{run} has no arms.safetensors", "give the folder of a finished study: heedful study MODEL")
    found: dict[str, Direction] = {}
    with safe_open(file, "pt") as arms:
        for number, arm in enumerate(json.loads(arms.metadata()["arms"])):
            if (arm["how"], arm["where"], arm["variant"]) == (STEP, "chosen", FORWARD):
                [(site, _)] = Counter(arm["sites"]).most_common(1)
                folds = [fold for fold, each in enumerate(arm["sites"]) if each == site]
                steps = [arms.get_tensor(f"{number}/{fold}/by").squeeze() for fold in folds]
                found[arm["task"]] = Direction(site, torch.stack(steps).mean(0))
    if not found:
        raise InputError(f"the study in {run} fitted no steps", "study the model with more squares a task")
    return found


def check_studied(run: str | Path, model: LanguageModel) -> None:
    """Raises `ModelError` where a study is of another model. The dtype may differ: a step is rounded, and stays that step."""
    then, now = read_manifest(run).facts.get("model", {}), model.identity()
    if changed := differing(then, now, _MAY_DIFFER):
        raise ModelError(
            f"{run} is a study of {then.get('id')}, and {model.name} is not that model: {', '.join(changed)} differ",
            "name a study of this model, or make one: heedful study MODEL",
        )


class Steered:
    """An upstream: a local model's twin over the same weights, stepped along directions; the model itself goes on as it was.

    Attributes:
        name, continues, structures: as of every upstream.
    """

    continues = True

    def __init__(self, local: LocalModel, directions: Sequence[Direction], strength: float = 1.0) -> None:
        """Take directions and how far to step, 1 as far as the study did.

        Raises:
            InputError: a direction is of another width than the model's hidden states.
        """
        width = local.model.hidden_size
        if any(each.by.shape != (width,) for each in directions):
            raise InputError(
                f"these directions are not of width {width}, as {local.name}'s states are", "study this model"
            )
        model = local.model.twin()
        self._changed = ExitStack()  # held as long as this upstream is
        sums: dict[str, Tensor] = {}
        for each in directions:
            sums[each.site] = sums.get(each.site, torch.zeros(width)) + strength * each.by.float()
        self._changed.enter_context(model.changed({site: _adding(by.to(model.device)) for site, by in sums.items()}))
        self._local = LocalModel(model)
        self.name, self.structures = f"{local.name}, steered", self._local.structures

    def streams(self, requests: Sequence[Request]) -> list[LocalStream]:
        """See `Upstream.streams`."""
        return self._local.streams(requests)

    def count(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Tokens of a prompt."""
        return self._local.count(messages, prefix)


def _adding(by: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda hidden: hidden + by.to(hidden.device, hidden.dtype)
