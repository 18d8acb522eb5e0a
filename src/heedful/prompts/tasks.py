"""The nine tasks: which constraint each asks for, in which words, and which two constraints tell two responses apart.

A task draws values for natural instructions (`draw`), puts a constraint into words (`phrase`), makes the pair of
constraints of a contrast square (`pair`), and names the extra instructions under which responses for its squares may be
generated (`elicit`). Knows verifiers and paraphrases; knows no model and no probe.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

from heedful.constraints import (
    CharCount,
    Constraint,
    Exclude,
    Include,
    JsonFormat,
    Register,
    Sentiment,
    Topic,
    Toxicity,
    WordCount,
)  # fmt: skip
from heedful.constraints.classification import get_classifier
from heedful.constraints.judging import Judged
from heedful.constraints.strict_json import NotJsonError, read_json
from heedful.constraints.text import is_whole, word_spans
from heedful.errors import InputError
from heedful.prompts.templates import Template, templates
from heedful.prompts.words import COMMON_WORDS, JSON_KEYS, TERMS

Family = Literal["structural", "lexical", "semantic", "stylistic"]
FAMILIES: tuple[Family, ...] = ("structural", "lexical", "semantic", "stylistic")

TOPICS: tuple[str, ...] = tuple(
    """animals art astronomy books business cars chess cooking cycling dance education farming fashion film fishing
    football gardening health hiking history law music photography politics religion sailing shopping technology
    theatre trains travel weather""".split()
)
"""Topics that natural instructions ask for; a square may use any topic that the verifier knows."""


def _words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text)]


class Wording(NamedTuple):
    """What a template needs to phrase a constraint: which form, and what fills its slots."""

    form: str
    slots: dict[str, object]


class Pair(NamedTuple):
    """Two constraints of one task: `first` holds only for the first of two texts, `second` only for the second."""

    first: Constraint
    second: Constraint


@dataclass(frozen=True)
class Task:
    """One of the skills that a study tells apart.

    Attributes:
        name: e.g. 'word_count'.
        family: structural, lexical, semantic or stylistic.
        draw: a constraint with values drawn for a natural instruction.
        wording: the form and slots by which a template phrases a constraint.
        propose: a candidate pair for two texts, or None where they do not differ in this skill; of several, one that has
            none of the constraints that they were written under.
        elicit: constraints of a third value under which texts for squares may be generated; None where
            responses to the bare base prompt differ enough by themselves.
        paraphrases: its own templates; those of `templates.yaml` if it has none.
    """

    name: str
    family: Family
    draw: Callable[[Random], Constraint]
    wording: Callable[[Constraint], Wording]
    propose: Callable[[Random, str, str, Collection[Constraint]], Pair | None]
    elicit: Callable[[Random], Constraint] | None = None
    paraphrases: tuple[Template, ...] = ()

    @property
    def templates(self) -> tuple[Template, ...]:
        """The task's paraphrases, the held-out ones among them."""
        return self.paraphrases or templates(self.name)

    def phrase(self, constraint: Constraint, template: Template, base: str) -> str:
        """The user's message for one base prompt and one constraint, in one paraphrase."""
        wording = self.wording(constraint)
        return template.render(base, template.clause(wording.form, **wording.slots))

    def pair(self, rng: Random, first: str, second: str, *, under: Collection[Constraint] = ()) -> Pair | None:
        """Constraints such that `first` satisfies only one and `second` only the other, verified, and neither was written
        under one of the two; or None."""
        pair = self.propose(rng, first, second, under)
        if pair is None or pair.first in under or pair.second in under:
            return None
        verdicts = [[constraint.check(text).outcome for text in (first, second)] for constraint in pair]
        return pair if verdicts == [["pass", "fail"], ["fail", "pass"]] else None


def _count_task(name: str, kind: type[WordCount] | type[CharCount], count: Callable[[str], int], scale: int) -> Task:
    """Word and character count differ in the unit: `scale` is the typical number of units per word. And nobody is asked for
    an exact number of characters, which no writer could meet but by chance."""
    forms = ("at_most", "at_most", "at_least", "at_least", "between", "between", *(("exactly",) if scale == 1 else ()))

    def draw(rng: Random) -> Constraint:
        def about(low: int, high: int) -> int:
            return rng.randint(low * scale, high * scale)

        form = rng.choice(forms)
        if form == "at_most":
            return kind(at_most=about(8, 30))
        if form == "at_least":
            return kind(at_least=about(15, 36))
        if form == "exactly":
            return kind(exactly=about(8, 30))
        low = about(6, 26)
        return kind(at_least=low, at_most=low + about(4, 10))

    def wording(constraint: Constraint) -> Wording:
        assert isinstance(constraint, kind)
        if constraint.exactly is not None:
            return Wording("exactly", {"n": constraint.exactly})
        if constraint.at_least is not None and constraint.at_most is not None:
            return Wording("between", {"n": constraint.at_least, "m": constraint.at_most})
        if constraint.at_most is not None:
            return Wording("at_most", {"n": constraint.at_most})
        return Wording("at_least", {"n": constraint.at_least})

    def propose(rng: Random, first: str, second: str, _under: Collection[Constraint]) -> Pair | None:
        counts = count(first), count(second)
        if counts[0] == counts[1]:
            return None
        bound = rng.randint(min(counts), max(counts) - 1)
        below, above = kind(at_most=bound), kind(at_least=bound + 1)
        return Pair(below, above) if counts[0] < counts[1] else Pair(above, below)

    return Task(name, "structural", draw, wording, propose)


def _json_task() -> Task:
    def draw(rng: Random) -> Constraint:
        return JsonFormat(keys=tuple(rng.sample(JSON_KEYS, rng.choice((1, 2, 2, 3)))))

    def wording(constraint: Constraint) -> Wording:
        assert isinstance(constraint, JsonFormat)
        *most, last = constraint.keys
        return Wording("keys", {"keys": f"{', '.join(most)} and {last}" if most else last})

    def propose(rng: Random, first: str, second: str, _under: Collection[Constraint]) -> Pair | None:
        keys = [_json_keys(text) for text in (first, second)]
        own = [[key for key in keys[i] if key not in keys[1 - i]] for i in (0, 1)]
        if not own[0] or not own[1]:
            return None
        # Fewer keys are asked for than the response has, so that it was not generated under this very constraint.
        asked = []
        for i in (0, 1):
            shared = [key for key in keys[i] if key in keys[1 - i]]
            asked.append([rng.choice(own[i]), *rng.sample(shared, rng.randint(0, len(shared)))])
            rng.shuffle(asked[i])
        if any(len(asked[i]) == len(keys[i]) for i in (0, 1)):
            return None
        return Pair(JsonFormat(keys=tuple(asked[0])), JsonFormat(keys=tuple(asked[1])))

    def elicit(rng: Random) -> Constraint:
        return JsonFormat(keys=tuple(rng.sample(JSON_KEYS, rng.choice((2, 3)))))

    return Task("json", "structural", draw, wording, propose, elicit)


def _json_keys(text: str) -> list[str]:
    """The keys of an answer that is one JSON object, of those that an instruction can name; none where it is no object.

    No instruction can name the empty key, nor one with half of a surrogate pair, which no tokenizer takes.
    """
    try:
        value = read_json(text)
    except NotJsonError:
        return []
    return [key for key in value if key and is_whole(key)] if isinstance(value, dict) else []


def _term_task(name: str, excluding: bool) -> Task:
    kind = Exclude if excluding else Include

    def draw(rng: Random) -> Constraint:
        hard = excluding and rng.random() < 0.75
        return kind(terms=(rng.choice(COMMON_WORDS if hard else TERMS),))

    def wording(constraint: Constraint) -> Wording:
        assert isinstance(constraint, Include | Exclude)
        return Wording("terms", {"terms": " and ".join(f'"{term}"' for term in constraint.terms)})

    def propose(rng: Random, first: str, second: str, _under: Collection[Constraint]) -> Pair | None:
        vocabularies = [
            list(dict.fromkeys(w.casefold() for w in _words(text) if len(w) > 3)) for text in (first, second)
        ]
        own = [[w for w in vocabularies[i] if w not in vocabularies[1 - i] and w.isalpha()] for i in (0, 1)]
        if not own[0] or not own[1]:
            return None
        of_first, of_second = (kind(terms=(rng.choice(own[i]),)) for i in (0, 1))
        return Pair(of_second, of_first) if excluding else Pair(of_first, of_second)

    return Task(name, "lexical", draw, wording, propose)


def _label_task(name: str, family: Family, make: Callable[[str], Constraint], labels: tuple[str, ...]) -> Task:
    """Topic, sentiment, register and toxicity: the constraint is a label that a classifier gives to the text."""

    def draw(rng: Random) -> Constraint:
        return make(rng.choice(labels))

    def wording(constraint: Constraint) -> Wording:
        if isinstance(constraint, Topic):
            return Wording("topic", {"topic": constraint.topic})
        assert isinstance(constraint, Judged)
        return Wording(constraint.label, {})

    def propose(rng: Random, first: str, second: str, _under: Collection[Constraint]) -> Pair | None:
        classify = get_classifier(name, "offline")
        found = [classify(text).label for text in (first, second)]
        if found[0] is None or found[1] is None or found[0] == found[1]:
            return None
        return Pair(make(found[0]), make(found[1]))

    return Task(name, family, draw, wording, propose, elicit=draw)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        _count_task("word_count", WordCount, lambda text: len(word_spans(text)), scale=1),
        _count_task("char_count", CharCount, lambda text: len(text.strip()), scale=6),
        _json_task(),
        _term_task("include", excluding=False),
        _term_task("exclude", excluding=True),
        _label_task("topic", "semantic", lambda t: Topic(topic=t), TOPICS),
        _label_task(
            "sentiment",
            "semantic",
            lambda s: Sentiment.model_validate({"sentiment": s}),
            ("positive", "negative", "neutral"),
        ),
        _label_task("register", "stylistic", lambda r: Register.model_validate({"level": r}), ("formal", "informal")),
        _label_task("toxicity", "stylistic", lambda t: Toxicity(toxic=t == "toxic"), ("clean", "toxic")),
    )
}
"""The nine tasks, in the order of every table and figure."""


def tasks_named(names: list[str] | None, own: Sequence[Task] = ()) -> tuple[Task, ...]:
    """The tasks of these names, in the standard order and then that of `own`, tasks beside the nine; all of them for None.
    InputError for a name that is none."""
    known = TASKS | {task.name: task for task in own}
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        raise InputError(
            f"unknown task {', '.join(map(repr, unknown))}",
            f"choose among {', '.join(known)}, separated by commas; a skill of your own is described in a file: --skills FILE",
        )
    return tuple(task for task in known.values() if names is None or task.name in names)
