"""Why there is no number: the rows that a task has too few of, and the squares that a study has none of.

Knows findings, and how many rows the lenses ask for.
"""

from __future__ import annotations

from heedful.lenses.data import MIN_NATURAL, MIN_SQUARES
from heedful.report.findings import TaskFinding, deciding_kind
from heedful.report.run import Run
from heedful.report.wording import listed, thousands


def too_few(found: TaskFinding, kind: str) -> str:
    """'too few violating answers (3; 50 are needed)'; empty where there are enough."""
    if not found.too_few:
        return ""
    if kind == "contrast":
        return f"too few squares ({thousands(found.n_rows / 4)}; {MIN_SQUARES} are needed)"
    n = {"complying": found.n_positive, "violating": found.n_rows - found.n_positive}
    few = [name for name in n if n[name] < MIN_NATURAL]
    needed = f"{MIN_NATURAL} of each" if len(few) > 1 else str(MIN_NATURAL)
    return f"too few {listed(few)} answers ({listed([thousands(n[name]) for name in few])}; {needed} are needed)"


def no_squares(run: Run) -> str:
    """Why nothing could be probed on contrast squares; empty where something was."""
    if deciding_kind(run) == "contrast":
        return ""
    if run.answers_file:
        return "contrast squares, which recorded answers cannot give"
    return f"{MIN_SQUARES} contrast squares of a task or more, which none has"
