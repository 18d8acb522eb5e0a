"""What a policy is, and the registry that finds one by its name.

A policy is a generator: it yields what to ask next, a list of one `Ask` or more that are drawn as one batch, and is sent the
attempts that came of them, fewer where the budget did not suffice. It owns no budget, checks no text and loses no draft: the
loop that drives it sees to that, and stops as soon as a text passes.

@policy("stubborn")
def stubborn(asked: Asked, *, tries: int = 3) -> Plan:
    "Ask the same again."
    for number in range(tries):
        yield [Ask(asked.request(number))]
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal

from heedful.constraints import Constraint, Verdict
from heedful.constraints.loading import read_yaml
from heedful.control.result import Attempt
from heedful.control.upstream import Message, Request, Sampling, Upstream
from heedful.errors import InputError

ANEW = 0.7
"""The temperature of further draws where the first one is greedy: they would all be the same otherwise."""

MOST = 1000
"""Draws of one request that a built-in policy can be asked for: a slip of the finger must not cost a night."""

_STRIDE = 7919  # between the seeds of one request's draws; requests of a batch tend to be seeded by consecutive numbers


Kind = Literal["proved", "forecast"]
"""Of alerts: see `Alert`."""


@dataclass(frozen=True)
class Ask:
    """One answer that a policy wants.

    Attributes:
        request: what.
        what: a word for the log: 'draft', 'revision', …
        stop_on: which alerts stop it: a 'proved' violation, a 'forecast' one.
        upstream: who is to answer, where it is not the guard's.
    """

    request: Request
    what: str = "draft"
    stop_on: tuple[Kind, ...] = ()
    upstream: Upstream | None = None


Plan = Generator[Sequence[Ask], Sequence[Attempt], None]


@dataclass(frozen=True)
class Asked:
    """What a policy works on.

    Attributes:
        messages: the conversation as it was given.
        sampling: as it was given; the first draw uses just this.
        constraints: what must hold.
        upstream: who answers.
    """

    messages: Sequence[Message]
    sampling: Sampling
    constraints: Sequence[Constraint]
    upstream: Upstream

    def request(
        self,
        number: int = 0,
        *,
        messages: Sequence[Message] | None = None,
        prefix: str = "",
        schema: Mapping[str, Any] | None = None,
        greedy: bool = False,
    ) -> Request:
        """The draw of this number: 0 is what would be asked without a guard; others differ in their seed.

        Args:
            number: of the draw within this request.
            messages: instead of the conversation.
            prefix: what the answer goes on from.
            schema: that decoding keeps to.
            greedy: take the likeliest answer: for a first revision, which differs from its draft by its prompt.
        """
        sampling = self.sampling
        if greedy:
            sampling = replace(sampling, temperature=0.0)
        elif number:
            seed = None if sampling.seed is None else sampling.seed + _STRIDE * number
            sampling = replace(sampling, seed=seed, temperature=sampling.temperature or ANEW)
        return Request(self.messages if messages is None else messages, sampling, prefix=prefix, schema=schema)

    def revision(self, number: int, draft: Attempt, feedback: str, *, greedy: bool = False) -> Request:
        """Ask to revise a draft: the conversation, the draft, and what is to change."""
        turns = [{"role": "assistant", "content": draft.text}, {"role": "user", "content": feedback}]
        return self.request(number, messages=[*self.messages, *turns], greedy=greedy)


def feedback(failed: Sequence[Verdict], holding: Sequence[Verdict]) -> str:
    """A user's turn that asks for a revision: what holds already and must stay, then what is to change, measured.

    'Keep: use “day”; formal. Revise: 212 words, at most 150: cut 62.' The hints are the verifiers' own, and the embedded models
    were trained on them.
    """
    keep = f"Keep: {'; '.join(verdict.expected for verdict in holding)}. " if holding else ""
    return f"{keep}Revise: {'; '.join(_hint(verdict) for verdict in failed)}."


def _hint(verdict: Verdict) -> str:
    return verdict.hint.rstrip(".") or f"see to it: {verdict.expected}"


Policy = Callable[[Asked], Plan]

_registry: dict[str, Callable[..., Plan]] = {}
_BUILT_IN = {"policy", "order"}  # modules of this room that hold no policy


def policy(name: str) -> Callable[[Callable[..., Plan]], Callable[..., Plan]]:
    """Make a function a policy, known by this name. Its options are keyword arguments with defaults.

    Raises:
        InputError: the name is taken by another function.
    """

    def register(function: Callable[..., Plan]) -> Callable[..., Plan]:
        present = _registry.get(name)
        if present and (present.__module__, present.__qualname__) != (function.__module__, function.__qualname__):
            raise InputError(
                f"the policy {name!r} already is {present.__module__}.{present.__qualname__}", "choose another name"
            )
        _registry[name] = function
        return function

    return register


def known_policies() -> dict[str, str]:
    """Every policy's name with what it does, in a line; users' own after the built-in ones."""
    _load()
    return {name: (function.__doc__ or "").strip().split("\n")[0] for name, function in _registry.items()}


def get_policy(name: str) -> Policy:
    """The policy of this name; with options: 'best_of_n:n=8'.

    Raises:
        InputError: no such policy, or no such option.
    """
    _load()
    name, _, rest = name.partition(":")
    function = _registry.get(name)
    if function is None:
        near = get_close_matches(name, _registry, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"there is no policy {name!r}", f"{meant}known: {', '.join(_registry)}")
    parameters = dict(list(inspect.signature(function).parameters.items())[1:])
    options: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        option, equals, value = part.partition("=")
        option = option.strip()
        if not equals or option not in parameters:
            known = f"options of {name}: {', '.join(parameters)}" if parameters else f"{name} takes no options"
            raise InputError(f"cannot read {part!r} in the policy {name!r}", f"write name:option=value; {known}")
        options[option] = _value(value.strip(), parameters[option].default, f"{part!r} in the policy {name!r}")
    return partial(function, **options) if options else function


def _value(text: str, default: object, where: str) -> Any:
    """An option's value, of its default's type; where the default is no number and no text, whatever YAML reads."""
    try:
        value = read_yaml(text)
    except InputError:
        value = text
    if isinstance(default, str):
        return value if isinstance(value, str) else text
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if type(default) is int and not (number and isinstance(value, int)):
        raise InputError(f"cannot read {where}", f"give a whole number, such as {default}")
    if type(default) is float and not (number and math.isfinite(value)):
        raise InputError(f"cannot read {where}", f"give a number, such as {default}")
    return float(value) if type(default) is float else value


def _load() -> None:
    package = __name__.rpartition(".")[0]
    for module in iter_modules(import_module(package).__path__):
        if module.name not in _BUILT_IN:
            import_module(f"{package}.{module.name}")


def counted(value: int, what: str) -> int:
    """An option that counts draws. InputError for less than 1, for more than `MOST`, or what is no whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{what} is {value!r}", "give 1 or more")
    if value > MOST:
        raise InputError(
            f"{what} is {value:,}, and a request may draw {MOST:,} times at the most",
            f"give {MOST} or fewer: what that many draws do not bring, more will hardly bring",
        )
    return value
