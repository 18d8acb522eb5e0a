"""What instruction types have in common, and the way from the ids and kwargs of IFEval's and IFBench's rows to constraints.

IFEval (Zhou et al. 2023, arXiv:2311.07911) names a type 'group:name' and gives its arguments as kwargs. Here each type is a
constraint with the id `ifeval/group_name`, whose fields are called as the kwargs. These constraints decide as the published
reference does, its quirks included, so that figures compare; `heedful.constraints.ifeval.corrected` decides as the prompts
ask. IFBench's types, which its rows name in the same way, live in `heedful.constraints.ifbench` and are registered here. This
file knows no particular type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field, JsonValue, StrictStr

from heedful.constraints.base import Constraint, load_family, register_constraint
from heedful.constraints.verdict import Span, Verdict
from heedful.errors import InputError

Relation = Literal["at least", "less than"]
"""The two relations that IFEval knows; 'less than' is strict."""

Bound = Annotated[int, Field(strict=True, ge=0)]
"""A number in an instruction; 0 is a value, never 'not given'."""

Text = Annotated[StrictStr, Field(min_length=1)]


class IFEvalConstraint(Constraint):
    """An instruction type of IFEval, or of a benchmark that writes its rows alike, decided as its reference decides."""

    ifeval_id: ClassVar[str]
    """The id that rows use: 'punctuation:no_comma'."""

    def kwargs(self) -> dict[str, JsonValue]:
        """The fields as IFEval writes them; with `ifeval_id`, `constraint_from_ifeval` gives the constraint back."""
        return self.model_dump(mode="json")

    def _counted(
        self, spans: Sequence[Span], relation: Relation | Literal["exactly"], bound: int, unit: str, units: str = ""
    ) -> Verdict:
        """The verdict on a number of things found at `spans`; the score is the ratio of the number and the nearest allowed."""
        count = len(spans)
        many = units or f"{unit}s"
        found = f"{count} {unit if count == 1 else many}, {bounds(relation, bound)}"
        if meets(count, relation, bound):
            return self._verdict(True, score=1.0, measured=count, reason=found, spans=spans)
        if count < bound:
            hint = f"{found}: add {bound - count}"
            return self._verdict(False, score=count / bound, measured=count, reason=found, spans=spans, hint=hint)
        allowed = bound - 1 if relation == "less than" else bound
        hint = f"{found}: " + (f"cut {count - allowed}" if allowed >= 0 else "no text can have fewer")
        score = max(allowed, 0) / count if count else 0.0
        surplus = spans[max(allowed, 0) :]
        return self._verdict(False, score=score, measured=count, reason=found, spans=surplus, hint=hint)

    def _held(
        self, passed: bool, reason: str, *, measured: JsonValue = None, spans: Sequence[Span] = (), hint: str = ""
    ) -> Verdict:
        """The verdict on something that holds or does not."""
        value = passed if measured is None else measured
        return self._verdict(passed, score=float(passed), measured=value, reason=reason, spans=spans, hint=hint)


def meets(count: int, relation: Relation | Literal["exactly"], bound: int) -> bool:
    """Whether a count stands in this relation to the bound."""
    if relation == "less than":
        return count < bound
    return count >= bound if relation == "at least" else count == bound


def bounds(relation: Relation | Literal["exactly"], bound: int, unit: str = "", units: str = "") -> str:
    """A relation in words: 'fewer than 5 sentences'."""
    words = f"{'fewer than' if relation == 'less than' else relation} {bound}"
    if not unit:
        return words
    return f"{words} {unit if bound == 1 else units or f'{unit}s'}"


T = TypeVar("T", bound=type[IFEvalConstraint])

_types: dict[str, type[IFEvalConstraint]] = {}


def instruction_type(instruction_id: str, benchmark: str) -> Callable[[T], T]:
    """Class decorator: the constraint that stands for this type of this benchmark; registered as `benchmark/group_name`."""

    def decorate(cls: T) -> T:
        cls.ifeval_id = instruction_id
        cls.id = f"{benchmark}/{instruction_id.replace(':', '_')}"
        _types[instruction_id] = cls
        return register_constraint(cls)

    return decorate


def ifeval_type(ifeval_id: str) -> Callable[[T], T]:
    """Class decorator: the constraint that stands for this type of IFEval; registered as `ifeval/group_name`."""
    return instruction_type(ifeval_id, "ifeval")


def known_types(benchmark: str) -> dict[str, type[IFEvalConstraint]]:
    """Every type of one benchmark, by the id that its rows use."""
    return {name: cls for name, cls in _types.items() if cls.id.startswith(f"{benchmark}/")}


def known_ifeval_types() -> dict[str, type[IFEvalConstraint]]:
    """Every type of IFEval, by IFEval's id."""
    return known_types("ifeval")


def constraint_from_ifeval(instruction_id: str, kwargs: Mapping[str, Any] | None = None) -> IFEvalConstraint:
    """The constraint that a row of IFEval or IFBench asks for.

    Args:
        instruction_id: the row's id, 'group:name'.
        kwargs: its arguments. None means absent, as in the published rows, where each names the arguments of all types;
            0 is a value. A whole number written as a float (300.0) is taken as that number.

    Raises:
        InputError: the id is unknown, an argument is not one of this type's, is missing, or impossible.
    """
    absent = {str(name) for name, value in (kwargs or {}).items() if value is None}
    if instruction_id not in _types or not absent <= _arguments():
        load_family("ifbench")
    cls = _types.get(instruction_id)
    if cls is None:
        near = get_close_matches(str(instruction_id), _types, n=1)
        raise InputError(
            f"neither IFEval nor IFBench has an instruction type {instruction_id!r}",
            f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_types)}",
        )
    absent &= _arguments()
    return cls(**{str(name): _whole(value) for name, value in (kwargs or {}).items() if str(name) not in absent})


def _arguments() -> set[str]:
    """The arguments of all types that are loaded."""
    return {name for known in _types.values() for name in known.model_fields}


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
