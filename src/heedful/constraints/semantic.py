"""What a text is about, and how it feels.

Which words say so is the classifier's business, not this file's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, StrictStr, field_validator

from heedful.constraints.base import register_constraint
from heedful.constraints.classification import Classification
from heedful.constraints.judging import Judged
from heedful.constraints.offline.topic import known_topic, topics
from heedful.errors import InputError


@register_constraint
class Topic(Judged):
    """Write about a topic: it must be the classifier's first choice among all that it knows.

    The offline verifier knows a list of topics and their aliases; for any other the verdict is 'unscored', never a
    guess.
    """

    id = "semantic/topic"
    task = "topic"

    topic: StrictStr = Field(description="a topic by name, for example astronomy")

    @field_validator("topic")
    @classmethod
    def _named(cls, topic: str) -> str:
        if not topic.strip():
            raise InputError("semantic/topic: the topic is empty", "name a topic, for example topic: astronomy")
        return topic.strip()

    @property
    def label(self) -> str:
        # Every classifier speaks of topics in lower case.
        return (known_topic(self.topic) if self.verifier == "offline" else None) or self.topic.casefold()

    def _known(self, answer: Classification) -> bool:
        # The offline verifier scores only the topics that it found: a topic without a score may still be known to it.
        return known_topic(self.topic) is not None if self.verifier == "offline" else super()._known(answer)

    def _instead(self) -> str:
        return f", or ask for one of {', '.join(topics())}" if self.verifier == "offline" else ""

    def describe(self) -> str:
        return f"about {self.topic}"

    def _advice(self, found: str) -> str:
        return f"write about {self.topic}: the text reads as being about {found}"


@register_constraint
class Sentiment(Judged):
    """Write in a positive, negative or neutral mood."""

    id = "semantic/sentiment"
    task = "sentiment"

    sentiment: Literal["positive", "negative", "neutral"] = Field(description="positive, negative or neutral")

    @property
    def label(self) -> str:
        return self.sentiment

    def describe(self) -> str:
        return f"{self.sentiment} in sentiment"

    def _advice(self, found: str) -> str:
        return f"make it {self.sentiment}: it reads {found}"
