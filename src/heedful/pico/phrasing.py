"""Instructions in words: a base prompt with its constraints, in paraphrases that may be trained on or in held-out ones.

Reads `words/paraphrases.yaml` beside the paraphrases of studies.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from heedful.constraints import Constraint
from heedful.prompts.tasks import TASKS, Task
from heedful.prompts.templates import Template, parse_templates


@cache
def _paraphrases() -> dict[str, tuple[Template, ...]]:
    """Every paraphrase that may be trained on: a study's own that are not held out, and more."""
    more = parse_templates(files("heedful.pico").joinpath("words/paraphrases.yaml").read_text(encoding="utf-8"))
    own = {name: tuple(t for t in task.templates if not t.held_out) for name, task in TASKS.items()}
    return {name: own[name] + more[name] for name in TASKS}


def phrased(rng: random.Random, task: Task, constraint: Constraint, held_out: bool = False) -> tuple[str, bool]:
    """A clause for a constraint in a paraphrase, and whether it goes ahead of the base prompt."""
    template = rng.choice([t for t in task.templates if t.held_out] if held_out else _paraphrases()[task.name])
    wording = task.wording(constraint)
    return template.clause(wording.form, **wording.slots), template.before


def instruction_text(
    rng: random.Random, wishes: Sequence[tuple[str, Constraint]], base: str, held_out: bool = False
) -> str:
    """A base prompt with one to three constraints of different tasks, in paraphrases that may be trained on or not."""
    clauses = [phrased(rng, TASKS[task], constraint, held_out) for task, constraint in wishes]
    # Two clauses ahead of the base prompt would read badly; the second one of that kind is phrased anew.
    while sum(before for _, before in clauses) > 1:
        clauses = [phrased(rng, TASKS[task], constraint, held_out) for task, constraint in wishes]
    ahead = [clause for clause, before in clauses if before]
    behind = [clause for clause, before in clauses if not before]
    return " ".join([*ahead, base, *behind])
