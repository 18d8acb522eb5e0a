"""What a constraint is, and the registry that finds one by its id.

Knows no particular constraint: each registers itself with `register_constraint`, those of users too, so that a
constraint written by anyone can be named in a file or on the command line.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from heedful.constraints.prefix.monitor import PrefixMonitor
from heedful.constraints.searching import TooSlowError
from heedful.constraints.text import check_is_text
from heedful.constraints.verdict import Span, Verdict
from heedful.errors import InputError


class Constraint(BaseModel):
    """One requirement that a text can meet: a frozen value, equal and hashed by what it asks.

    A subclass sets `id`, declares its fields, and implements `describe` and `_verify`.

    Raises:
        InputError: a field is unknown, missing, impossible or not named; the message names it and lists the fields there are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: ClassVar[str]

    def __new__(cls, *values: Any, **fields: Any) -> Self:  # before `__init__`, which would name neither cause nor cure
        if values:
            raise _unnamed(cls, values[0])
        return super().__new__(cls)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _explained(type(self), error) from error

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        super().__pydantic_init_subclass__(**options)
        verify, check, passes = (
            next(at for at, base in enumerate(cls.__mro__) if name in vars(base))
            for name in ("_verify", "check", "_passes")
        )
        if min(verify, check) < passes:
            cls._passes = Constraint._passes  # type: ignore[method-assign]  # what it inherits is about another verdict

    def __hash__(self) -> int:
        return hash((type(self), *(_hashable(getattr(self, name)) for name in type(self).model_fields)))

    def check(self, text: str) -> Verdict:
        """Does the complete `text` comply? An empty text, or one of white space only, fails every constraint; one in which a
        user's pattern is searched for too long is unscored.

        Raises:
            InputError: `text` is no str.
        """
        check_is_text(text)
        if not text.strip():
            return self._verdict(False, score=0.0, reason="the text is empty", hint=f"write a text: {self.describe()}")
        try:
            return self._verify(text)
        except TooSlowError as error:
            return self._undecided(str(error))

    def passes(self, text: str) -> bool:
        """`check(text).passed`, for filters and rewards over many texts; lengths, terms and JSON are the faster for it.

        False of a text that could not be scored, too, but not where none can be.

        Raises:
            InputError: `text` is no str, or no text can be scored (see `check_scorable`).
        """
        self.check_scorable()
        if not isinstance(text, str) or not text or text.isspace():
            return self.check(text).passed
        return self._passes(text)

    def monitor(self) -> PrefixMonitor:
        """A monitor that watches one text while it is written, and says what is certain already.

        Where none is registered with `monitor_for` (a classifier's verdict may turn with every word) it stays open until
        the text is closed.
        """
        return _monitors.get(type(self), PrefixMonitor)(self)

    def check_scorable(self) -> None:
        """See that some text can be scored, as far as that is known before there is one.

        Raises:
            InputError: every text's verdict would be 'unscored'.
        """

    @abstractmethod
    def describe(self) -> str:
        """What is asked, in plain words: 'at most 50 words'."""

    @abstractmethod
    def _verify(self, text: str) -> Verdict:
        """The verdict on a text that is not empty."""

    def _passes(self, text: str) -> bool:
        """The same of a text that is not empty, for a class that knows it sooner; not asked of subclasses that verify anew."""
        return self.check(text).passed

    def to_dict(self) -> dict[str, JsonValue]:
        """The id and every field that differs from its default; `constraint_from` is the inverse."""
        return {"id": self.id, **self.model_dump(mode="json", exclude_defaults=True)}

    def _verdict(
        self,
        passed: bool,
        *,
        score: float,
        reason: str,
        measured: JsonValue = None,
        spans: Iterable[Span] = (),
        hint: str = "",
    ) -> Verdict:
        return Verdict(
            constraint=self.id,
            outcome="pass" if passed else "fail",
            score=score,
            measured=measured,
            expected=self.describe(),
            reason=reason,
            spans=tuple(spans),
            hint="" if passed else hint,
        )

    def _undecided(self, reason: str, *, error: bool = False) -> Verdict:
        return Verdict(
            constraint=self.id, outcome="error" if error else "unscored", expected=self.describe(), reason=reason
        )


class FieldHelp(NamedTuple):
    """One field of a constraint, as a person reads it.

    Attributes:
        name: as written in Python, YAML and on the command line.
        default: its default as text; None if it must be given.
        meaning: one line.
    """

    name: str
    default: str | None
    meaning: str


C = TypeVar("C", bound=type[Constraint])

M = TypeVar("M", bound=Callable[[Any], PrefixMonitor])

_ID = re.compile(r"[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_-]*")
_FAMILIES = {"structural": 0, "lexical": 1, "semantic": 2, "stylistic": 3, "ifeval": 4, "ifbench": 5}
_LATE = {
    f"{benchmark}{kind}": f"heedful.constraints.{benchmark}"
    for benchmark in ("ifeval", "ifbench")
    for kind in ("", "-corrected")
}
"""Families that are imported when they are first asked for: 130 classes would be felt in every start."""

_registry: dict[str, type[Constraint]] = {}
_monitors: dict[type[Constraint], Callable[[Any], PrefixMonitor]] = {}


def register_constraint(cls: C) -> C:
    """Class decorator: make a `Constraint` known by its id.

    Raises:
        InputError: the id is not of the form 'family/name', or belongs to another constraint. (The same definition may
            be executed again, as in a notebook.)
    """
    name = getattr(cls, "id", "")
    if not _ID.fullmatch(name):
        raise InputError(
            f"{name!r} is not the id of a constraint",
            "write it as 'family/name' in lower-case letters, digits, '_' and '-': 'custom/no_semicolons'",
        )
    load_family(name.split("/")[0])  # so that an id of theirs is taken before it is loaded, too
    present = _registry.get(name)
    if present is not None and (present.__module__, present.__qualname__) != (cls.__module__, cls.__qualname__):
        raise InputError(
            f"the id {name!r} already belongs to {present.__module__}.{present.__qualname__}", "choose another id"
        )
    _registry[name] = cls
    return cls


def monitor_for(cls: type[Constraint]) -> Callable[[M], M]:
    """Decorator: what makes the monitor of this constraint, a subclass of `PrefixMonitor` or a function that gives one.

    It holds for this class alone and not for its subclasses, which may decide otherwise. A later one replaces an earlier.
    """

    def register(factory: M) -> M:
        _monitors[cls] = factory
        return factory

    return register


def load_family(name: str) -> None:
    """Sees to it that the constraints of a family are registered."""
    if module := _LATE.get(name):
        import_module(module)


def known_constraints() -> tuple[type[Constraint], ...]:
    """Every registered constraint class: the families of the built-in ones first, users' after them."""
    for family in _LATE:
        load_family(family)
    return tuple(sorted(_registry.values(), key=lambda cls: _FAMILIES.get(cls.id.split("/")[0], len(_FAMILIES))))


def field_help(cls: type[Constraint]) -> tuple[FieldHelp, ...]:
    """The fields of a constraint class, for help texts: those that must be given first."""
    return tuple(
        FieldHelp(name, None if field.is_required() else repr(field.default), field.description or "")
        for name, field in sorted(cls.model_fields.items(), key=lambda item: not item[1].is_required())
    )


def constraint_from(mapping: Mapping[str, Any]) -> Constraint:
    """The constraint that `{"id": 'family/name', field: value, ...}` stands for.

    Raises:
        InputError: the id is missing or unknown (near matches are named), or the fields are not what it takes.
    """
    fields = dict(mapping)
    name = fields.pop("id", None)
    if not isinstance(name, str):
        raise InputError(
            f"a constraint needs an id, and {dict(mapping)!r} has none", 'write {"id": "structural/word_count", ...}'
        )
    load_family(name.split("/")[0])
    cls = _registry.get(name)
    if cls is None:
        raise InputError(f"there is no constraint {name!r}", _suggestion(name))
    return cls(**{str(key): value for key, value in fields.items()})


def _suggestion(name: str) -> str:
    # A wrong family is as likely as a misspelling: 'lexical/word_count', or the bare 'word_count'.
    ids = [cls.id for cls in known_constraints()]
    by_name = {known.split("/")[1]: known for known in ids}
    near = get_close_matches(name, ids, n=2) or [
        by_name[close] for close in get_close_matches(name.split("/")[-1], by_name, n=2)
    ]
    own = "one of your own must be defined first: --plugin FILE.py"
    if near:
        return f"did you mean {' or '.join(map(repr, near))}? `heedful check --list` names them all; {own}"
    few = [known for known in ids if known.split("/")[0] not in _LATE]  # benchmarks have dozens
    return f"known: {', '.join(few)}; `heedful check --list` names those of {', '.join(_LATE)} as well; {own}"


def _explained(cls: type[Constraint], error: ValidationError) -> InputError:
    names = [field.name for field in field_help(cls)]
    cause = "; ".join(_problem(details, names) for details in error.errors(include_url=False))
    cure = f"fields of {cls.id}: {', '.join(names)}" if names else f"{cls.id} takes no fields"
    return InputError(f"{cls.id}: {cause}", cure)


def _unnamed(cls: type[Constraint], value: object) -> InputError:
    names = [field.name for field in field_help(cls)]
    given = f"{cls.__name__}({names[0]}=…)" if names else f"{cls.__name__}()"
    what = f"name the field, {given}; fields of {cls.id}: {', '.join(names)}" if names else f"{cls.id} takes no fields"
    return InputError(
        f"{cls.id}: {value!r} is given without the name of a field", f"{what}. A text is checked by {given}.check(text)"
    )


def _problem(details: ErrorDetails, names: list[str]) -> str:
    place = ".".join(map(str, details["loc"]))
    if details["type"] == "missing":
        return f"{place!r} is missing"
    if details["type"] == "extra_forbidden":
        near = get_close_matches(place, names, n=1)
        return f"{place!r} is not a field" + (f" (did you mean {near[0]!r}?)" if near else "")
    message = details["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return f"{place}: {message} (given {details['input']!r})" if place else message


def _hashable(value: object) -> Hashable:
    """A JSON-like value as something with a hash, equal for equal values (1 and 1.0 included)."""
    if isinstance(value, Mapping):
        return frozenset((key, _hashable(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(_hashable(item) for item in value)
    return value
