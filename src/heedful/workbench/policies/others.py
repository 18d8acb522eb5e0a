"""Whether answers comply as others judge: verifiers that no guard used, so that none was optimised."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from heedful.constraints import Constraint, Sentiment, Topic
from heedful.constraints.judging import Judged
from heedful.control.upstream import Request, Sampling, Upstream
from heedful.control.verify import in_thread
from heedful.pico.checks import CHECK
from heedful.workbench.policies.instructions import Instruction


async def judged_by_others(upstream: Upstream, asked: Sequence[Instruction], texts: Sequence[str]) -> list[bool]:
    """Whether each text keeps every constraint, by verifiers that no guard used.

    Sentiment: VADER on the whole text. Topic, register, toxicity: what the model itself says, greedily, that its text has, when
    it is told 'Check.'. What is counted is exact, and has no second opinion.
    """

    async def every(instruction: Instruction, text: str) -> bool:
        if not text.strip():
            return False
        checked = {"topic", "register", "toxicity"} & {*dict(instruction.wishes)}
        read = await _own_check(upstream, instruction, text) if checked else {}

        def kept(task: str, constraint: Constraint) -> bool:
            if isinstance(constraint, Sentiment):
                return _vader(text) == constraint.sentiment
            if isinstance(constraint, Topic):
                return read.get(task) == constraint.topic
            if isinstance(constraint, Judged):
                return read.get(task) == constraint.label
            return constraint.passes(text)

        return await in_thread(lambda: all(kept(task, constraint) for task, constraint in instruction.wishes))

    return list(await asyncio.gather(*(every(i, text) for i, text in zip(asked, texts, strict=True))))


async def _own_check(upstream: Upstream, instruction: Instruction, text: str) -> dict[str, str]:
    """By task, what the model says that the text has: {'register': 'formal'}."""
    turns = [("user", instruction.prompt), ("assistant", text), ("user", CHECK)]
    messages = [{"role": role, "content": content} for role, content in turns]
    [stream] = upstream.streams([Request(messages, Sampling(temperature=0, max_tokens=48))])
    said = "".join([delta.text async for delta in stream])
    parts = (part.partition(": ") for part in said.split("; "))
    return {name.strip(): found.rpartition(", ")[0] for name, _, found in parts}


def _vader(text: str) -> str:
    """The label of VADER's compound score of the whole text, by the thresholds of its authors."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    compound = SentimentIntensityAnalyzer().polarity_scores(re.sub(r"\s+", " ", text))["compound"]
    return "positive" if compound >= 0.05 else "negative" if compound <= -0.05 else "neutral"
