"""Paraphrases: how the forms of each task's constraint are put into words.

Reads `templates.yaml`. Knows nothing of verifiers or values: it fills slots.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import yaml

_FLAGS = {"id", "before", "held_out"}


class Template(NamedTuple):
    """One paraphrase of a task.

    Attributes:
        template_id: unique over all tasks, e.g. 'words-use'.
        forms: form of the constraint ('at_most', 'positive', …) → clause with `{slots}`.
        before: the clause stands ahead of the base prompt, not after it.
        held_out: never trained on, by a probe or by an embedded model.
    """

    template_id: str
    forms: dict[str, str]
    before: bool
    held_out: bool

    def clause(self, form: str, **slots: object) -> str:
        """The clause for one form, its slots filled; KeyError if the template has no such form."""
        return self.forms[form].format(**slots)

    def render(self, base: str, clause: str) -> str:
        """The user's message: base prompt and clause, in this template's order."""
        return f"{clause} {base}" if self.before else f"{base} {clause}"


@cache
def templates(task: str) -> tuple[Template, ...]:
    """All paraphrases of a task, in file order; KeyError for a task without any."""
    return _all_templates()[task]


@cache
def _all_templates() -> dict[str, tuple[Template, ...]]:
    return parse_templates(files(__package__).joinpath("templates.yaml").read_text(encoding="utf-8"))


def parse_templates(text: str) -> dict[str, tuple[Template, ...]]:
    """The paraphrases of each task, from YAML in the form of `templates.yaml`."""
    return {
        task: tuple(
            Template(
                template_id=entry["id"],
                forms={form: clause for form, clause in entry.items() if form not in _FLAGS},
                before=entry.get("before", False),
                held_out=entry.get("held_out", False),
            )
            for entry in entries
        )
        for task, entries in yaml.safe_load(text).items()
    }
