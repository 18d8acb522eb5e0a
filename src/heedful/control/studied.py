"""Which task of a study a constraint belongs to: the skill of the user's own whose value it is, or else the task of its name.

Knows a study by what its manifest says of skills; reads no result. Loads no tensor library until one is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from heedful.constraints import Constraint
from heedful.errors import StoreError

if TYPE_CHECKING:
    from heedful.prompts.skills import Skill


def skills_of(run: str | Path) -> tuple[Skill, ...]:
    """The skills of the user's own in a study; none where the folder does not say."""
    from heedful.prompts.skills import Skill
    from heedful.store import read_manifest

    try:
        kept = read_manifest(run).settings.get("skills", [])
    except StoreError:  # who reads its results says so
        return ()
    return tuple(Skill.model_validate(each) for each in kept)


def task_of(constraint: Constraint, skills: Sequence[Skill] = ()) -> str:
    """The task's name: of none that is known here, the last part of the constraint's id; '' where a skill has that name and
    asks for something else."""
    own = next((skill.name for skill in skills if skill.asks_for(constraint)), None)
    name = constraint.id.partition("/")[2]
    return own or ("" if any(skill.name == name for skill in skills) else name)
