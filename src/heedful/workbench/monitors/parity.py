"""Whether monitors hold what they were found to hold, on this machine: live scores against replayed ones, measured anew.

Another device, kernel or version computes other states while it writes than on replay; thresholds were set on replayed ones.
"""

from __future__ import annotations

from pathlib import Path

from heedful.control.monitors import Parity, load_monitors, measure_parity
from heedful.models import LanguageModel, load
from heedful.models.loading import find_source
from heedful.prompts.base import further_base_prompts
from heedful.prompts.instructions import natural_instructions
from heedful.prompts.tasks import tasks_named

_PROMPTS = 8


def check_parity(folder: Path | str, model: LanguageModel | str | None = None) -> Parity:
    """Measure live scores of monitors against replayed ones, on instructions of their own tasks.

    Args:
        folder: of the monitors.
        model: theirs, or where it lies; by default it is loaded by the name, revision and dtype that they are bound to.

    Raises:
        StoreError: the folder holds no monitors.
        ModelError: the model is another, cannot be loaded, or its scores differ by more than is allowed.
    """
    monitors = load_monitors(folder)
    if model is None or isinstance(model, str):
        bound = monitors.model
        name = model or str(bound["id"])
        revision = None if find_source(name).is_folder else bound["revision"]
        model = load(name, revision=revision, dtype=str(bound["dtype"]))
    monitors.check_model(model)
    tasks = tasks_named(list(monitors.names), [skill.task() for skill in monitors.skills])
    asked = natural_instructions(tasks, further_base_prompts()[:_PROMPTS], _PROMPTS, seed=0)
    every = max(1, len(asked) // _PROMPTS)
    return measure_parity(model, monitors, [model.encode(one.prompt) for one in asked[::every][:_PROMPTS]])
