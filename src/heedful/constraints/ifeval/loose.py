"""IFEval's loose judgement: a response passes if any of eight variants of it does. Knows no particular constraint.

The variants forgive what models add around an answer: as it is, without its first line, its last, or both, and each of these
without asterisks.
"""

from __future__ import annotations

from heedful.constraints.base import Constraint
from heedful.constraints.verdict import Verdict


def loose_variants(text: str) -> tuple[str, ...]:
    """The up to eight variants of a text, the text itself first; repeated and empty ones are left out."""
    lines = text.split("\n")
    cut = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    every = dict.fromkeys(cut + [variant.replace("*", "") for variant in cut])
    return (text, *(variant for variant in every if variant != text and variant.strip()))


def check_loose(constraint: Constraint, text: str, strict: Verdict | None = None) -> Verdict:
    """The verdict of the first variant that passes; if none does, that on the text itself.

    If none passes and one could not be judged, the verdict is that one's: silence is no failure either.

    Args:
        strict: the verdict on the text itself, if it is known already.
    """
    first = constraint.check(text) if strict is None else strict
    if first.passed:
        return first
    others = []
    for variant in loose_variants(text)[1:]:
        verdict = constraint.check(variant)
        if verdict.passed:
            return verdict
        others.append(verdict)
    return next((verdict for verdict in (first, *others) if verdict.outcome in ("unscored", "error")), first)
