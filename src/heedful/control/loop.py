"""The one loop that drives every policy: it owns the budget, draws the answers, watches and verifies them, and loses none.

A policy says what to ask, a guard what is to be had; whatever fails in between (an upstream, a verifier, the budget, the policy
itself, the patience of who asked), what was drawn until then is kept with its verdicts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise

from heedful.constraints import Constraint
from heedful.control.budget import Grant, Ledger, Spent
from heedful.control.policies import Ask, Asked, Plan
from heedful.control.release import Release
from heedful.control.result import Alert, Attempt, Ended, Stopped, best_of
from heedful.control.upstream import Delta, Usage, failed_before
from heedful.control.verify import VERIFIER_SECONDS, verify
from heedful.control.watch import RiskMonitor, Watch
from heedful.errors import InputError, UpstreamError

_CONTINUATIONS = 4
"""How often an answer is drawn on from what has gone out."""

AT_ONCE = 32
"""Answers of one request that are drawn at the same time: as many as a local model's batch has places, and as many connections
as a server that others use, too, may be asked for."""

_LONG = 40
"""Characters that two drafts hardly share by chance."""


@dataclass
class Loop:
    """One request being answered.

    Attributes:
        asked: what the policy works on.
        ledger: of the budget.
        release: what goes out.
        monitors: that forecast.
        verifier_seconds: for one verifier.
        on_alert: told of each alert, as it is raised.
        repairs: draw on from what has gone out, where that is all that can be done.
        run_on: let stopped answers run on, at no charge, to see whether they would have passed.
        attempts: so far.
        failure: the last error that ended one.
    """

    asked: Asked
    ledger: Ledger
    release: Release
    monitors: Sequence[RiskMonitor] = ()
    verifier_seconds: float = VERIFIER_SECONDS
    on_alert: Callable[[Alert], None] = lambda alert: None
    repairs: bool = True
    run_on: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    failure: Exception | None = None
    _refused: str = ""  # why some of the last asks were not admitted
    _hopeful: bool = False  # some of them failed in a way in which a further one may not

    @property
    def constraints(self) -> Sequence[Constraint]:
        """What must hold."""
        return self.asked.constraints

    async def run(self, plan: Plan) -> tuple[Stopped, str]:
        """Drive a policy until a text passes, or nothing is left; why it ended, and the same in words."""
        try:
            return await self._drive(plan)
        except Spent as spent:
            return "budget", str(spent)
        except asyncio.CancelledError:
            return "cancelled", "cancelled by the caller"
        except Exception as error:  # also a policy of a user's may fail in any way, and the best draft is still there
            self.failure = error
            return "error", _said(error)
        finally:
            with suppress(Exception):
                plan.close()
            await self._verify_rest()

    async def _drive(self, plan: Plan) -> tuple[Stopped, str]:
        asks, going_on = next(plan, None), False
        while asks is not None:
            if not asks:  # for ever, perhaps, and neither time nor a budget would end it
                raise InputError(
                    "the policy asks for nothing: it yielded no Ask", "yield one or more, or return to end the request"
                )
            drawn = await self._draw(asks)
            if any(attempt.passed and attempt.text.startswith(self.release.out) for attempt in drawn):
                return "passed", "every constraint passes"
            if vain := self._in_vain(drawn):
                return "error", vain
            if drawn and all(attempt.ended == "error" for attempt in drawn) and not self._hopeful:
                return "error", drawn[-1].why
            if drawn and all(attempt.ended == "budget" for attempt in drawn):
                return "budget", drawn[-1].why
            if self.repairs and self.release.out and not going_on:
                plan.close()
                if not self.asked.upstream.continues:
                    return (
                        "exhausted",
                        f"{len(self.release.out)} characters had gone out, and this model cannot go on from them",
                    )
                plan, going_on = self._go_on(), True
                asks = next(plan, None)
                continue
            try:
                asks = plan.send(drawn)
            except StopIteration:
                break
        if self._refused:
            return "budget", self._refused
        failed = [attempt.why for attempt in self.attempts if attempt.ended == "error"]
        lost = f", of which {len(failed)} failed: {failed[-1]}" if failed else ""
        bound = f"; {len(self.release.out)} characters had gone out, and the rest went on from them" if going_on else ""
        kind: Stopped = "error" if len(failed) == len(self.attempts) else "exhausted"
        return kind, f"nothing passed in {len(self.attempts)} attempts{lost}{bound}{_all_alike(self.attempts)}"

    def _go_on(self) -> Plan:
        """Repair what can still be repaired: the answer is drawn on from what has gone out."""
        for number in range(1, _CONTINUATIONS + 1):
            request = self.asked.request(number, prefix=self.release.out)
            yield [Ask(request, "continuation", stop_on=("proved",))]

    async def _draw(self, asks: Sequence[Ask]) -> list[Attempt]:
        """The attempts of a policy's asks, as many as the budget admits, verified; a few at once, and no more once one passes.

        Raises:
            Spent: it admits none.
        """
        drawn: list[Attempt] = []
        self._hopeful, self._refused = False, ""
        while len(drawn) < len(asks):
            try:
                some = await self._draw_batch(asks[len(drawn) : len(drawn) + AT_ONCE])
            except Spent as spent:
                if not drawn:
                    raise
                self._refused = str(spent)
                break
            drawn += some
            ended = {attempt.ended for attempt in some}
            if ended <= {"budget"} or any(attempt.passed for attempt in some):
                break
            if (ended <= {"error"} and not self._hopeful) or self._in_vain(some):
                break
        return drawn

    def _in_vain(self, drawn: Sequence[Attempt]) -> str:
        """Why no further draft would do better than these last ones; empty where one might.

        A verifier that failed on a draft may yet judge another, and fails the most on drafts that break other constraints, too.
        But where two drafts in a row keep everything else, nothing is left to mend but the verifier.
        """
        for pair in pairwise(self.attempts[-len(drawn) - 1 :]):
            failed = [{i for i, verdict in enumerate(each.verdicts) if verdict.outcome == "error"} for each in pair]
            lacking = [{i for i, verdict in enumerate(each.verdicts) if not verdict.passed} for each in pair]
            if failed == lacking and set.intersection(*failed) and all(each.whole for each in pair):
                verdict = pair[1].verdicts[min(set.intersection(*failed))]
                return (
                    f"{verdict.constraint} could not be judged, twice in a row where all else holds: {verdict.reason}"
                )
        return ""

    async def _draw_batch(self, asks: Sequence[Ask]) -> list[Attempt]:
        """Of the first ones, as many as are admitted at the same time: the rest waits for what these give back.

        Raises:
            Spent: none is.
        """
        opened: list[tuple[Ask, Grant]] = []
        try:
            for ask in asks:
                request, upstream = ask.request, ask.upstream or self.asked.upstream
                prompt = upstream.count(request.messages, request.prefix)
                grant = self.ledger.admit(prompt, request.sampling.max_tokens, patient=bool(opened))
                sampling = replace(request.sampling, max_tokens=grant.max_tokens)
                opened.append((replace(ask, request=replace(request, sampling=sampling)), grant))
        except Spent:
            if not opened:
                raise
        by_upstream = [ask.upstream or self.asked.upstream for ask, _ in opened]
        streams: list[AsyncIterator[Delta] | None] = [None] * len(opened)
        try:
            for upstream in {id(each): each for each in by_upstream}.values():
                places = [i for i, each in enumerate(by_upstream) if each is upstream]
                for i, stream in zip(places, upstream.streams([opened[i][0].request for i in places]), strict=True):
                    streams[i] = stream
        except Exception:
            for _, grant in opened:
                grant.settle(Usage())
            raise
        wanted = [ask.request.sampling.max_tokens for ask in asks]
        drawing = [
            self._one(ask, grant, stream, cut=grant.max_tokens < most, live=len(opened) == 1)
            for (ask, grant), stream, most in zip(opened, streams, wanted, strict=False)
            if stream is not None
        ]
        return list(await asyncio.gather(*drawing))

    async def _one(self, ask: Ask, grant: Grant, stream: AsyncIterator[Delta], *, cut: bool, live: bool) -> Attempt:
        """Draw one answer, then verify it. It stands among the attempts before it is verified, so that nothing loses it."""
        drawing = _Drawing(ask, grant, Watch(self.constraints, self.monitors, ask.request.prefix))
        ended_on: bool | None = None
        try:
            await self._read(drawing, stream, cut=cut, live=live)
            if self.run_on and drawing.ended in ("proved", "forecast"):
                ended_on = await self._would_pass(drawing, stream)
        except asyncio.CancelledError:
            drawing.end("cancelled", "cancelled by the caller")
            raise
        except Exception as error:  # a stream may break in any way
            self.failure = error
            self._hopeful = self._hopeful or drawing.may_come_better(error)
            drawing.end("error", _said(error))
        finally:
            grant.settle(drawing.usage)
            place = len(self.attempts)
            self.attempts.append(drawing.attempt(ended_on))
            await _close(stream)
        return await self._verified(place, drawing.began)

    async def _read(self, drawing: _Drawing, stream: AsyncIterator[Delta], *, cut: bool, live: bool) -> None:
        while True:
            try:
                async with asyncio.timeout(self.ledger.seconds_left):
                    delta = await anext(stream)
            except TimeoutError as over:
                failed = failed_before(over)
                said = f", and before that {failed.cause}" if failed else ""
                return drawing.end("budget", f"the {self.ledger.budget.seconds:g} seconds are over{said}")
            except StopAsyncIteration:
                return drawing.end("error", "the stream broke off: it ended without saying why")
            alerts = drawing.take(delta)
            for alert in alerts:
                self.on_alert(alert)
            stopping = next((a for kind in drawing.ask.stop_on for a in alerts if a.kind == kind), None)
            if live and self.release.binds:
                stopping = stopping or drawing.watch.proved  # the rest of it could neither go out nor be revised
            if live:
                self.release.grow(drawing.text, proved=drawing.watch.proved is not None)
            if delta.finish_reason == "stop":
                return drawing.end("finished", "")
            if delta.finish_reason == "length" or drawing.over:
                limit = f"cut off after {drawing.usage.completion} tokens"
                return drawing.end("budget", f"{limit}: no more are left") if cut else drawing.end("length", limit)
            if stopping is not None:
                verb = "proved violated by" if stopping.kind == "proved" else "forecast by"
                return drawing.end(stopping.kind, f"{verb} {stopping.by}: {stopping.reason}")

    async def _would_pass(self, drawing: _Drawing, stream: AsyncIterator[Delta]) -> bool:
        text = drawing.text + "".join([delta.text async for delta in stream])
        return all(verdict.passed for verdict in await verify(text, self.constraints, self.verifier_seconds))

    async def _verified(self, place: int, began: float | None = None) -> Attempt:
        attempt = self.attempts[place]
        verdicts = await verify(attempt.text, self.constraints, self.verifier_seconds, self.ledger)
        seconds = attempt.seconds if began is None else time.monotonic() - began
        attempt = self.attempts[place] = replace(attempt, verdicts=verdicts, seconds=seconds)
        return attempt

    async def _verify_rest(self) -> None:
        """What was drawn when it was all over."""
        await asyncio.gather(*(self._verified(i) for i, attempt in enumerate(self.attempts) if not attempt.verdicts))

    @property
    def best(self) -> int | None:
        """The best attempt that begins with what has gone out; of all, where nothing does."""
        found = best_of(self.attempts, self.release.out)
        return best_of(self.attempts) if found is None else found


class _Drawing:
    """An answer while it is written."""

    def __init__(self, ask: Ask, grant: Grant, watch: Watch) -> None:
        self.ask, self.grant, self.watch, self.text, self.tokens = ask, grant, watch, ask.request.prefix, 0
        self.estimated = False
        self.began = time.monotonic()
        self.ended: Ended = "error"
        self._why = ""
        self._counted: Usage | None = None

    def take(self, delta: Delta) -> list[Alert]:
        self.text += delta.text
        self.tokens += delta.tokens
        self.estimated = self.estimated or delta.estimated
        self._counted = delta.usage or self._counted
        return self.watch.feed(delta)

    def end(self, ended: Ended, why: str) -> None:
        self.ended, self._why = ended, why

    def may_come_better(self, error: Exception) -> bool:
        """Whether to ask again after this error: where the answer itself is at fault, or broke off.

        Where nothing came at all, the upstream has tried again for as long as it may, and a further ask would wait as long.
        """
        if not isinstance(error, UpstreamError):
            return False
        return error.drawn or (error.retry and self.text != self.ask.request.prefix)

    @property
    def usage(self) -> Usage:
        """Of this answer, so far."""
        return self.grant.usage(self._counted, self.tokens, estimated=self.estimated)

    @property
    def over(self) -> bool:
        """All that was allowed is drawn. An estimate does not tell: who gives one was told the limit, and sees to it."""
        return not self.estimated and self.tokens >= self.grant.max_tokens

    def attempt(self, would_have_passed: bool | None) -> Attempt:
        return Attempt(
            request=self.ask.request,
            text=self.text,
            usage=self.usage,
            seconds=time.monotonic() - self.began,
            ended=self.ended,
            why=self._why,
            alerts=tuple(self.watch.alerts),
            what=self.ask.what,
            would_have_passed=would_have_passed,
        )


async def _close(stream: AsyncIterator[Delta]) -> None:
    """Stop the model, if it still writes."""
    aclose = getattr(stream, "aclose", None)
    if aclose is not None:
        with suppress(Exception):
            await aclose()


def _all_alike(attempts: Sequence[Attempt]) -> str:
    """What to say where drafts drawn at random all came out the same: some servers take a temperature and do not draw."""
    drafts = [
        each for each in attempts if each.what == "draft" and each.whole and each.request.sampling.temperature > 0
    ]
    if len(drafts) < 2 or len({each.text for each in drafts}) > 1 or len(drafts[0].text) < _LONG:
        return ""
    return f"; its {len(drafts)} drafts are the same text, so the model seems to take no heed of the temperature it is given"


def _said(error: Exception) -> str:
    return str(getattr(error, "cause", None) or f"{type(error).__name__}: {error}")
