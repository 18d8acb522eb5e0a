"""How well `heedful parse` reads requirements: on hand-written phrasings, and on IFEval's prompts where they are at hand.

`python benchmarks/parse.py` measures all and writes the tables into parse/README.md; `--half tune` or `--half held-out`
prints that half only. The frozen phrasings and IFEval's prompts with odd keys are never to be looked at while rules are
changed: this script gives their aggregates, never their texts. Knows nothing of how the rules work.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from heedful.constraints import Constraint, Exclude, Include, JsonFormat, WordCount, constraint_from
from heedful.constraints.ifeval import constraint_from_ifeval
from heedful.constraints.ifeval.accuracy import accuracy
from heedful.constraints.words import Parsed, parse
from heedful.errors import InputError

HERE = Path(__file__).parent
TEXTS = HERE / "parse"
README = TEXTS / "README.md"
IFEVAL = Path(os.environ.get("HEEDFUL_IFEVAL", HERE.parents[1] / "shared" / "ifeval")) / "inputs.jsonl"
MARK = "<!-- the tables of benchmarks/parse.py -->"
HALVES = ("tune", "held-out")
NOT_IN_IFEVAL = ("semantic", "stylistic")
"""Families that IFEval's gold never names, whatever a prompt asks: 'a formal letter about rivers' is no instruction there."""


class Read(NamedTuple):
    """One text, what it asks for, and what was read.

    Attributes:
        asked, found: constraints, comparable.
        noticed: something was left unread.
        kind: 'plain' or 'hard negative'.
        unread: the words that should be left unread, and whether each was.
        contradicts: whether two requirements exclude each other, and whether that was found.
    """

    asked: frozenset[Constraint]
    found: frozenset[Constraint]
    noticed: bool
    kind: str = "plain"
    unread: tuple[bool, ...] = ()
    unread_expected: bool = False
    contradicts: tuple[bool, bool] = (False, False)


def phrasings(half: str) -> list[Read]:
    """The hand-written phrasings; the held-out half is the frozen one.

    Raises:
        InputError: the frozen file is not the one that was frozen.
    """
    path = TEXTS / ("tune.jsonl" if half == "tune" else "frozen.jsonl")
    if half != "tune":
        frozen = (TEXTS / "frozen.sha256").read_text().split()[0]
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != frozen:
            raise InputError(f"{path.name} has SHA-256 {found}, not {frozen}", "restore the file that was committed")
    return [_phrasing(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _phrasing(row: dict[str, Any]) -> Read:
    parsed = parse(row["text"])
    asked = [
        constraint_from_ifeval(each["ifeval"], each["kwargs"]) if "ifeval" in each else constraint_from(each)
        for each in row["constraints"]
    ]
    return Read(
        frozenset(map(comparable, asked)),
        frozenset(map(comparable, parsed.constraints)),
        bool(parsed.unread),
        row["kind"],
        tuple(_left_unread(parsed, words) for words in row["unread"]),
        bool(row["unread"]),
        (row["contradicts"], bool(parsed.contradictions)),
    )


def _left_unread(parsed: Parsed, words: str) -> bool:
    start = parsed.text.index(words)
    return any(unread.span[0] < start + len(words) and start < unread.span[1] for unread in parsed.unread)


def ifeval(half: str) -> list[Read]:
    """IFEval's prompts; even keys are the tune half, odd ones are held out."""
    rows = [json.loads(line) for line in IFEVAL.read_text(encoding="utf-8").splitlines()]
    return [_prompt(row) for row in rows if (row["key"] % 2 == 0) == (half == "tune")]


def _prompt(row: dict[str, Any]) -> Read:
    asked = {as_read(name, kwargs) for name, kwargs in zip(row["instruction_id_list"], row["kwargs"], strict=True)}
    parsed = parse(row["prompt"])
    found = {comparable(each) for each in parsed.constraints if each.id.split("/")[0] not in NOT_IN_IFEVAL}
    # 'English, in lower case' is one instruction in IFEval, which checks the language too.
    if any(each.id.startswith("ifeval/change_case_english") for each in asked):
        found = {
            each for each in found if each.to_dict() != {"id": "ifeval/language_response_language", "language": "en"}
        }
    return Read(frozenset(asked), frozenset(found), bool(parsed.unread))


def as_read(name: str, kwargs: dict[str, Any]) -> Constraint:
    """An instruction of IFEval as the constraint that a reader is to find: one of the nine tasks where one says the same."""
    given = {key: value for key, value in kwargs.items() if value is not None}
    match name:
        case "length_constraints:number_words":
            return WordCount(**_bound(given["relation"], given["num_words"]))
        case "keywords:existence":
            return comparable(Include(terms=tuple(given["keywords"])))
        case "keywords:forbidden_words":
            return comparable(Exclude(terms=tuple(given["forbidden_words"])))
        case "keywords:frequency":
            bound = _bound(given["relation"], given["frequency"])
            cls = Include if "at_least" in bound else Exclude
            return comparable(cls(terms=(given["keyword"].strip(),), **bound))
        case "detectable_format:json_format":
            return JsonFormat()
    return constraint_from_ifeval(name, given)


def _bound(relation: str, number: int) -> dict[str, int]:
    return {"at_least": number} if relation == "at least" else {"at_most": number - 1}


def comparable(constraint: Constraint) -> Constraint:
    """Terms without case or order, which nobody asks for."""
    if isinstance(constraint, Include | Exclude):
        return constraint.model_copy(update={"terms": tuple(sorted(term.casefold() for term in constraint.terms))})
    return constraint


def share(reads: Sequence[Read], part: Callable[[Read], int], whole: Callable[[Read], int]) -> str:
    """Sum of `part` over sum of `whole`, with its 95 % interval, Wilson's for the size that grouping by text leaves."""
    counts = [(part(read), whole(read)) for read in reads]
    found = accuracy([True] * right + [False] * (of - right) for right, of in counts)
    return "–" if found.value is None else f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def exact(read: Read) -> int:
    return int(read.asked == read.found)


def right(read: Read) -> int:
    return len(read.asked & read.found)


def main_row(name: str, half: str, reads: Sequence[Read]) -> str:
    silent = sum(bool(read.asked - read.found) and not read.noticed for read in reads)
    cells = (
        share(reads, exact, lambda _: 1),
        share(reads, right, lambda read: len(read.found)),
        share(reads, right, lambda read: len(read.asked)),
    )
    return f"| {name} | {half} | {len(reads)} | {' | '.join(cells)} | {silent} |"


def extra_rows(half: str, reads: Sequence[Read]) -> list[str]:
    """What only the hand-written phrasings can tell."""
    hard = [read for read in reads if read.kind == "hard negative"]
    alarms = share(hard, lambda read: int(bool(read.found - read.asked)), lambda _: 1)
    noticed = [seen for read in reads for seen in read.unread]
    calm = [read for read in reads if not read.unread_expected]
    needless = share(calm, lambda read: int(read.noticed), lambda _: 1)
    clashes = [read.contradicts[1] for read in reads if read.contradicts[0]]
    false_clashes = sum(read.contradicts == (False, True) for read in reads)
    return [
        f"| {half} | hard negatives with a false constraint | {alarms} of {len(hard)} |",
        f"| {half} | requirements that no constraint can say, left unread | {sum(noticed)} of {len(noticed)} |",
        f"| {half} | texts with something left unread that asks for nothing more | {needless} of {len(calm)} |",
        f"| {half} | contradictions named | {sum(clashes)} of {len(clashes)}; {false_clashes} false |",
    ]


def type_rows(halves: dict[str, list[Read]]) -> list[str]:
    def counts(reads: list[Read]) -> tuple[Counter[str], Counter[str], Counter[str]]:
        hit = Counter(each.id for read in reads for each in read.asked & read.found)
        found = Counter(each.id for read in reads for each in read.found)
        asked = Counter(each.id for read in reads for each in read.asked)
        return hit, found, asked

    by_half = {half: counts(reads) for half, reads in halves.items()}
    ids = sorted({name for _, found, asked in by_half.values() for name in (*found, *asked)})
    rows = [
        "| constraint |" + "".join(f" {half}: precision | {half}: recall |" for half in halves),
        "|---" * (1 + 2 * len(halves)) + "|",
    ]
    for name in ids:
        cells = [f"{hit[name]}/{found[name]} | {hit[name]}/{asked[name]}" for hit, found, asked in by_half.values()]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def tables(halves: Sequence[str]) -> str:
    by_hand = {half: phrasings(half) for half in halves}
    lines = ["| texts | half | n | exact match | precision | recall | missed in silence |", "|" + "---|" * 7]
    lines += [main_row("by hand", half, reads) for half, reads in by_hand.items()]
    recorded = {half: ifeval(half) for half in halves} if IFEVAL.exists() else {}
    lines += [main_row("IFEval", half, reads) for half, reads in recorded.items()]
    lines += [
        "",
        "By hand:",
        "",
        "| half | | |",
        "|---|---|---|",
        *(row for half, reads in by_hand.items() for row in extra_rows(half, reads)),
    ]
    if recorded:
        lines += ["", "IFEval, by type:", "", *type_rows(recorded)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=HALVES)
    half = parser.parse_args().half
    found = tables(HALVES if half is None else (half,))
    print(found if IFEVAL.exists() else f"{found}\n\n(IFEval's prompts are not here: no {IFEVAL})")
    if half is None and IFEVAL.exists():
        before = README.read_text(encoding="utf-8").split(MARK)[0]
        README.write_text(f"{before}{MARK}\n\n{found}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
