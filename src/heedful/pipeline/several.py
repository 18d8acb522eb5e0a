"""Several models, one study each, and their comparison: `heedful.compare(["pico-llama", "pico-qwen"])`.

A model that fails takes none of the others with it: it is named, and the comparison is of those that came to their end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from heedful.config import study_settings
from heedful.errors import HeedfulError, InputError
from heedful.pipeline.finished import Study
from heedful.pipeline.progress import Progress, silent
from heedful.pipeline.study import folder_of, study
from heedful.report import Comparison, compare_runs

PRESETS: dict[str, tuple[str, ...]] = {
    "pico": ("pico-llama", "pico-gemma", "pico-qwen"),
    "rocchetti-2026": (
        "meta-llama/Llama-3.1-8B-Instruct",
        "google/gemma-2-2b-it",
        "Qwen/Qwen2.5-0.5B-Instruct",
    ),
}
"""Models by the name of a preset: the embedded ones, and those of Rocchetti & Ferrara (2026)."""


class Several(NamedTuple):
    """What came of several studies.

    Attributes:
        studies: those that came to their end, by model.
        failed: the error of each that did not.
        comparison: of the studies; None with fewer than two.
    """

    studies: dict[str, Study]
    failed: dict[str, HeedfulError]
    comparison: Comparison | None


def preset(name: str) -> tuple[str, ...]:
    """The models of a preset; InputError for one that there is not."""
    if name not in PRESETS:
        raise InputError(f"there is no preset {name!r}", f"choose among {', '.join(PRESETS)}")
    return PRESETS[name]


def study_several(
    models: Sequence[str],
    *,
    out: Path | str = "runs",
    overwrite: bool = False,
    begin: Callable[[str], AbstractContextManager[Progress]] = lambda model: nullcontext(silent),
    **settings: Any,
) -> Several:
    """Study each model with the same settings, in a folder of its own under `out`, and compare them.

    Args:
        models: hub ids, folders or embedded names, each once.
        out: holds the run folders, `comparison.html` and `comparison.json`.
        overwrite, settings: as of `study`.
        begin: told which model comes next; gives what is told of its progress.

    Raises:
        InputError: a setting is out of range, or a model is named twice; nothing is begun then.
    """
    folders = folders_of(models, out)
    for model in models:
        study_settings(model, **settings)
    done: dict[str, Study] = {}
    failed: dict[str, HeedfulError] = {}
    for model, folder in zip(models, folders, strict=True):
        try:
            with begin(model) as progress:
                done[model] = study(model, out=folder, overwrite=overwrite, progress=progress, **settings)
        except HeedfulError as error:
            failed[model] = error
    comparison = compare_runs([each.path for each in done.values()], out) if len(done) > 1 else None
    return Several(done, failed, comparison)


def folders_of(models: Sequence[str], out: Path | str) -> list[Path]:
    """A run folder a model; InputError where two would share one."""
    folders = [folder_of(model, out) for model in models]
    if len(set(folders)) < len(models):
        raise InputError("a model is named twice, or two would share a run folder", "name each model once")
    return folders


def compare(
    models: Sequence[str | Path | Study], *, out: Path | str = "runs", progress: Progress = silent, **settings: Any
) -> Comparison:
    """Compare finished studies, as they are or by their run folders, or study models first, by their names.

    >>> heedful.compare(["runs/pico-llama", "runs/pico-qwen"]).claims  # doctest: +SKIP

    Raises:
        InputError: fewer than two; run folders and models mixed; settings given for studies that are finished.
        HeedfulError: a study failed; what the others came to is kept.
    """
    if isinstance(models, str | Path | Study):
        raise InputError(f"{str(models)!r} alone is nothing to compare", "give a list of two or more")
    if len(models) < 2:
        raise InputError(
            "there is one study only" if models else "there is nothing to compare", "name two or more models"
        )
    names = [each.path if isinstance(each, Study) else each for each in models]
    finished = [(Path(each) / "manifest.json").is_file() for each in names]
    if all(finished):
        if settings:
            raise InputError(f"these studies are finished: {', '.join(settings)} cannot be set", "leave settings out")
        return compare_runs(names, out)
    if any(finished):
        raise InputError("run folders and models are mixed", "name either run folders, or models to be studied")
    found = study_several([str(name) for name in names], out=out, begin=lambda _: nullcontext(progress), **settings)
    for error in found.failed.values():
        raise error
    assert found.comparison is not None  # of two or more, none of which failed
    return found.comparison
