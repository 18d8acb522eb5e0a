"""A guard: a model, what its answers must meet, and what to do about those that do not, within a budget.

>>> guard = Guard("pico-llama", [WordCount(at_most=20), Register(level="formal")], budget=Budget(tokens=1000))
>>> guard.generate("Write a note to a neighbour. Use at most 20 words. Write formally.").text

Knows neither how a model answers (`upstream`) nor what a policy does (`policies`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from heedful.constraints import Constraint, PrefixMonitor
from heedful.constraints.conflicts import check_together
from heedful.control.answer import Answer, SyncAnswer, run_sync
from heedful.control.budget import Budget
from heedful.control.log import append, check_log, record
from heedful.control.loop import Loop
from heedful.control.opening import open_upstream
from heedful.control.policies import Ask, Asked, Plan, Policy, get_policy
from heedful.control.release import HOLDS, Hold, Release
from heedful.control.result import Alert, Guarded, Stopped
from heedful.control.upstream import Message, Sampling, Upstream, check_number
from heedful.control.verify import VERIFIER_SECONDS
from heedful.control.watch import RiskMonitor
from heedful.errors import InputError, StoreError

if TYPE_CHECKING:
    from heedful.models import LanguageModel

Mode = Literal["shadow", "warn", "stop", "repair"]
MODES: tuple[Mode, ...] = ("shadow", "warn", "stop", "repair")

WINDOW = 120  # characters: some twenty words, which a violation that is proved late hardly exceeds


@dataclass(frozen=True)
class Guard:
    """Answers for a model, held to constraints.

    Attributes:
        model: what answers: an upstream, a loaded model, or the name of one (an embedded model, a hub id, a folder).
        constraints: what every answer must meet.
        policy: what 'repair' does: a name, with options as 'best_of_n:n=8', or a policy itself.
        budget: of each request.
        monitors: that forecast violations from `Delta.risk`, beside the alarms of the upstream's own probe monitors.
        mode: 'shadow' changes nothing and logs what would have been done; 'warn' changes nothing and warns; 'stop' ends an
            answer as soon as it is known to be bad; 'repair' lets the policy see to it.
        release: what a stream gives out, and when: see `release`. By default everything under 'shadow' and 'warn', which
            change nothing, and nothing before the verdict otherwise.
        window: characters that 'hold_window' holds back.
        sampling: of requests that bring none.
        log: a JSONL file, a line a request, in a folder that is there: none is made, as for `heedful guard --log`. Nothing is
            asked where it cannot be written; where it cannot any more, the answer is given and the error logged.
        log_texts: leave prompts and answers out of it if False.
        verifier_seconds: for one verifier; after that its verdict is 'error'.
        on_alert: told of each alert as it is raised.
        run_on: let stopped answers run on, uncharged, and log whether they would have passed. For measuring.
        logger: where 'warn' warns, where constraints that hardly go together are said, and a log that cannot be written any
            more.
    """

    model: Upstream | LanguageModel | str
    constraints: Sequence[Constraint]
    policy: str | Policy = "refine"
    budget: Budget = field(default_factory=Budget)
    monitors: Sequence[RiskMonitor] = ()
    mode: Mode = "repair"
    release: Hold | None = None
    window: int = WINDOW
    sampling: Sampling = field(default_factory=Sampling)
    log: str | Path | None = None
    log_texts: bool = True
    verifier_seconds: float = VERIFIER_SECONDS
    on_alert: Callable[[Alert], None] | None = None
    run_on: bool = False
    logger: logging.Logger = logging.getLogger("heedful.control")  # noqa: RUF009 - the same one for all

    def __post_init__(self) -> None:
        """Raises `InputError` for what cannot be: no constraint, one that no draft could be scored by, or two that exclude each
        other; an unknown mode; a repair of what has gone out at once."""
        if hasattr(self.constraints, "constraints"):  # what `parse` gives
            raise InputError(f"a {type(self.constraints).__name__} is no list of constraints", "give its .constraints")
        for asked, given, right, instead in (
            (
                "constraints",
                self.constraints,
                isinstance(self.constraints, Collection) and not isinstance(self.constraints, Constraint | str),
                "a list of constraints",
            ),
            ("budget", self.budget, isinstance(self.budget, Budget), "a Budget, such as Budget(tokens=2000)"),
            (
                "monitors",
                self.monitors,
                isinstance(self.monitors, Collection) and not isinstance(self.monitors, str),
                "a list of limits on risk, such as [RiskLimit(…)]; probe monitors: open_upstream(model, monitors=FOLDER)",
            ),
            ("policy", self.policy, isinstance(self.policy, str) or callable(self.policy), "a policy or its name"),
        ):
            if not right:
                raise InputError(f"{asked} is {given!r}", f"give {instead}")
        if wrong := next((each for each in self.constraints if not isinstance(each, Constraint)), None):
            raise InputError(f"{wrong!r} is not a constraint", "give each as WordCount(at_most=50) is, say")
        for name in ("constraints", "monitors"):  # what was checked is what is held to, whatever becomes of the list
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.constraints:
            raise InputError(
                "a guard without constraints guards nothing", "give at least one, e.g. WordCount(at_most=50)"
            )
        for constraint in self.constraints:  # before the budget is spent on drafts that nobody can judge
            constraint.check_scorable()
        for clash in check_together(self.constraints):
            self.logger.warning("hardly a text can pass: %s", clash.why)
        for name, value, known in (("mode", self.mode, MODES), ("release", self.release, (None, *HOLDS))):
            if value not in known:
                raise InputError(f"{name} is {value!r}", f"choose among {', '.join(map(str, known))}")
        if self.mode == "repair" and self.release == "pass_through":
            raise InputError(
                "a text that has gone out at once cannot be repaired",
                "release 'hold_all' or 'hold_window', or mode 'stop'",
            )
        if self.mode in ("shadow", "warn") and self.release not in (None, "pass_through"):
            raise InputError(
                f"the mode {self.mode!r} changes nothing, and {self.release!r} would hold text back",
                "leave release out, or take the mode 'stop' or 'repair'",
            )
        check_number("window", self.window, whole=True)
        check_number("verifier_seconds", self.verifier_seconds)
        if self.window < 1:
            raise InputError(f"window is {self.window}", "give 1 character or more")
        self._policy()

    @cached_property
    def upstream(self) -> Upstream:
        """What answers. A model that was named is loaded when it is first needed."""
        return open_upstream(self.model)

    @property
    def late(self) -> tuple[str, ...]:
        """Ids of the constraints that no prefix decides: of these, a window can promise nothing."""
        return tuple(c.id for c in self.constraints if type(c.monitor()) is PrefixMonitor)

    def astream(self, prompt: str | Sequence[Message], sampling: Sampling | None = None) -> Answer:
        """The answer as it may go out: an asynchronous iterator of text, whose `result` is there when it has ended."""
        return Answer(lambda emit: self._answer(_messages(prompt), sampling or self.sampling, emit))

    async def agenerate(self, prompt: str | Sequence[Message], sampling: Sampling | None = None) -> Guarded:
        """The answer, when it is known: `astream`, collected.

        Raises:
            StoreError: the log cannot be written; nothing was asked.
            HeedfulError: not a character could be had, because of what it says. Once there is a draft, it is returned.
        """
        answer = self.astream(prompt, sampling)
        async for _ in answer:
            pass
        return answer.result

    def stream(self, prompt: str | Sequence[Message], sampling: Sampling | None = None) -> SyncAnswer:
        """As `astream`, for code without an event loop (or with one: a notebook's)."""
        return SyncAnswer(self.astream(prompt, sampling))

    def generate(self, prompt: str | Sequence[Message], sampling: Sampling | None = None) -> Guarded:
        """As `agenerate`, for code without an event loop (or with one: a notebook's)."""
        return run_sync(self.agenerate(prompt, sampling))

    def _policy(self) -> Policy:
        return get_policy(self.policy) if isinstance(self.policy, str) else self.policy

    async def _answer(self, messages: Sequence[Message], sampling: Sampling, emit: Callable[[str], None]) -> Guarded:
        if self.log is not None:  # a call that could not be logged is better not made
            check_log(self.log)
        asked = Asked(messages, sampling, self.constraints, self.upstream)
        how = self.release or ("pass_through" if self.mode in ("shadow", "warn") else "hold_all")
        free = self.mode in ("shadow", "warn")
        release = Release(how, self.window, emit, unchecked=free)
        ledger = (Budget() if free else self.budget).start()  # a budget that cut the text would change it
        loop = Loop(asked, ledger, release, self.monitors, self.verifier_seconds, self._told)
        loop.repairs, loop.run_on = self.mode == "repair", self.run_on
        stopped, why = await loop.run(self._plan(asked))
        result = self._result(loop, stopped, why)
        if self.log is not None:
            about = {"model": self.upstream.name, "policy": _name(self.policy), "mode": self.mode, "release": how}
            try:
                append(self.log, record(result, messages, self.constraints, about, texts=self.log_texts))
            except StoreError as error:  # the answer is not lost for a log that cannot be written
                self.logger.error("%s", error)
        if result.best is None and loop.failure is not None:
            raise loop.failure
        return result

    def _plan(self, asked: Asked) -> Plan:
        if self.mode == "repair":
            return self._policy()(asked)
        return _once(asked, stopping=self.mode == "stop")

    def _result(self, loop: Loop, stopped: Stopped, why: str) -> Guarded:
        best = loop.best
        chosen = None if best is None else loop.attempts[best]
        passed = chosen is not None and chosen.passed
        free = self.mode in ("shadow", "warn")
        would = ""
        if chosen is not None and free:
            would = _would(chosen.alerts, [v.constraint for v in chosen.verdicts if not v.passed], chosen.passed)
            if stopped in ("passed", "exhausted"):
                stopped, why = "unguarded", f"the mode {self.mode!r} changes nothing"
            if would and self.mode == "warn":
                self.logger.warning("%s", would)
        elif (
            chosen is not None
            and self.mode == "stop"
            and stopped == "exhausted"
            and chosen.ended in ("proved", "forecast")
        ):
            stopped, why = ("proved" if chosen.ended == "proved" else "forecast"), chosen.why
        if chosen is not None and passed and not free:
            loop.release.whole(chosen.text)
        return Guarded(
            text="" if chosen is None else chosen.text,
            verdicts=() if chosen is None else chosen.verdicts,
            passed=passed,
            attempts=tuple(loop.attempts),
            best=best,
            usage=loop.ledger.used,
            seconds=loop.ledger.seconds,
            stopped=stopped,
            why=why,
            released=loop.release.out,
            would=would,
            judged=loop.ledger.judged,
        )

    def _told(self, alert: Alert) -> None:
        if self.on_alert is not None:
            try:
                self.on_alert(alert)
            except Exception:  # who is told may fail in any way, and the answer goes on
                self.logger.exception("on_alert failed")


def _once(asked: Asked, *, stopping: bool) -> Plan:
    yield [Ask(asked.request(), stop_on=("proved", "forecast") if stopping else ())]


def _would(alerts: Sequence[Alert], failed: Sequence[str], passed: bool) -> str:
    """What a guard that enforces would have done about an answer that it let through."""
    early = [
        f"after {a.at} characters: {'proved violated by' if a.kind == 'proved' else 'forecast by'} {a.by}: {a.reason}"
        for a in alerts
    ]
    late = [] if passed else [f"at the end: {', '.join(failed) or 'it was cut short'}"]
    return "; ".join(f"stopped or repaired {reason}" for reason in [*early, *late])


def _name(policy: str | Policy) -> str:
    return policy if isinstance(policy, str) else getattr(policy, "__name__", type(policy).__name__)


def _messages(prompt: str | Sequence[Message]) -> Sequence[Message]:
    if isinstance(prompt, str):
        if not prompt.strip():
            raise InputError("the prompt is empty", "say what is to be written")
        return ({"role": "user", "content": prompt},)
    if (
        not isinstance(prompt, Sequence)
        or not prompt
        or not all(isinstance(each, Mapping) and "role" in each for each in prompt)
    ):
        raise InputError(
            f"{prompt!r} is no prompt", 'give a text, or a list of messages: [{"role": "user", "content": "…"}]'
        )
    return tuple({**each, "content": _content(each)} for each in cast("Sequence[Message]", prompt))


def _content(message: Message) -> str:
    """The text of a message, in any of the forms that OpenAI's API takes.

    Raises:
        InputError: there is none, or more than text.
    """
    content, role = message.get("content"), message["role"]
    if isinstance(content, str):
        return content
    if content is None:
        if role == "assistant" and message.get("tool_calls"):
            return ""
        raise InputError(f"a message of role {role!r} has no content", "give its text, or leave the message out")
    if isinstance(content, Sequence):
        for part in content:
            if not (isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str)):
                kind = part.get("type") if isinstance(part, Mapping) else part
                raise InputError(
                    f"a message of role {role!r} holds a part that is no text: {kind!r}",
                    'give text alone: {"type": "text", "text": "…"}',
                )
        return "\n".join(part["text"] for part in content)
    raise InputError(f"the content of a message of role {role!r} is {content!r}", "give its text")
