"""In which order to mend constraints: those whose mending disturbs others most go first, so that they disturb nothing yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from heedful.constraints import Constraint, known_constraints
from heedful.errors import InputError


def by_family(constraints: Sequence[Constraint]) -> dict[str, int]:
    """Place of each constraint id: structural, lexical, semantic, stylistic, then others; in a family, as they were given."""
    families = {cls.id.partition("/")[0]: None for cls in known_constraints()}
    places = {family: place for place, family in enumerate(families)}
    ids = sorted({c.id: None for c in constraints}, key=lambda id: places.get(id.partition("/")[0], len(places)))
    return {id: place for place, id in enumerate(ids)}


def order_from_study(run: str | Path) -> tuple[str, ...]:
    """Task names in the order of a study's dependencies: first whose erasure costs the other tasks' compliance most.

    Raises:
        InputError: the folder holds no study that measured compliance under erasure.
    """
    from heedful.store import read_results

    file = Path(run) / "results" / "behaviour.nc"
    if not file.is_file():
        raise InputError(
            f"{run} has no results/behaviour.nc", "give the folder of a finished study, heedful study MODEL"
        )
    found = read_results(file)
    if not found.sizes["how"]:
        raise InputError(f"the study in {run} erased nothing while the model wrote", "run it with more squares a task")
    change = found["change"].isel(how=0, where=0).sel(variant="erased")
    others = change.where(change["erased"] != change["target"])
    harm = others.mean("target", skipna=True)
    return tuple(str(name) for name in harm.sortby(harm).dropna("erased")["erased"].values)
