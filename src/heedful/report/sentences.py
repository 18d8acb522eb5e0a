"""The findings in sentences; every word follows from an interval.

Knows findings and pass rates; draws nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import xarray as xr

from heedful.lenses.depth import headline_position
from heedful.report.answers import TaskAnswers, overall
from heedful.report.behaviour import in_the_model
from heedful.report.beside import beside, beside_sentences
from heedful.report.claims import claims, claims_sentence, not_decidable
from heedful.report.depth import depth_steps, order_correlation
from heedful.report.findings import TaskFinding, estimate
from heedful.report.matrix import drops, matrix
from heedful.report.run import Run
from heedful.report.wording import Estimate, count, listed, percent, percent_interval, task_name, thousands
from heedful.report.wording import with_interval as shown


def sentences(run: Run, found: Sequence[TaskFinding], answered: Sequence[TaskAnswers], kind: str) -> list[str]:
    """What was found, for a reader in a hurry."""
    return [
        *_compliance(run, answered),
        *_readability(found, kind),
        *beside_sentences(beside(run), kind, [each.task for each in found if each.readable]),
        *_general(found, run.specialists.sel(kind=kind)),
        *_transfer(run, kind),
        *_ablation(run, kind),
        *_behaviour(run),
        *_depth(run, kind),
        *_time(run),
        *_claims(run),
    ]


_MANY_LEFT_OUT = 0.1
"""Share of answers that were cut off, or that no verifier could decide, from which it is said beside the rate."""


def _compliance(run: Run, answered: Sequence[TaskAnswers]) -> list[str]:
    """One string: what was left out of the rate is said with it."""
    rated = sorted((each for each in answered if each.rate.known), key=lambda each: each.rate.value)
    return [" ".join([_rate(run, rated), *_left_out(run, answered)])]


def _left_out(run: Run, answered: Sequence[TaskAnswers]) -> list[str]:
    n, cut_off, unscored = (sum(getattr(each, name) for each in answered) for name in ("n", "cut_off", "unscored"))
    said = []
    if cut_off > _MANY_LEFT_OUT * n:
        cure = "" if run.answers_file else "; --max-new-tokens raises it"
        said.append(
            f"{thousands(cut_off)} of {thousands(n)} answers were cut off by the length limit and are left out, so that what "
            f"is said here is of the shorter ones{cure}."
        )
    if unscored > _MANY_LEFT_OUT * n:
        said.append(f"{thousands(unscored)} of {thousands(n)} answers no verifier could decide; they are left out.")
    return said


def _rate(run: Run, rated: Sequence[TaskAnswers]) -> str:
    if not rated:
        return f"None of {run.kind_names['natural']} could be scored."
    rate, n = overall(run), sum(each.scored for each in rated)
    share = f"{percent(rate.value)} {percent_interval(rate)}".strip()
    who = (
        f"The answers in {run.answers_file}, which {run.model} read and did not write,"
        if run.answers_file
        else run.model
    )
    first = f"{who} did what the instruction said in {share} of {thousands(n)} answers that were scored"
    if len(rated) == 1:
        return f"{first}."
    low, high = rated[0], rated[-1]
    return (
        f"{first}, from {percent(low.rate.value)} for {task_name(low.task)} to {percent(high.rate.value)} for "
        f"{task_name(high.task)}."
    )


def _readability(found: Sequence[TaskFinding], kind: str) -> list[str]:
    names = {
        standing: [task_name(each.task) for each in found if each.standing == standing]
        for standing in ("beyond", "above", "undecided", "below", "too few")
    }
    fitted = len(found) - len(names["too few"])
    said = []
    if fitted:
        beyond, skills = names["beyond"], "skill" if fitted == 1 else "skills"
        probed = " that could be probed" if names["too few"] else ""
        said.append(
            f"Of {count(fitted)} {skills}{probed}, {_none_or(len(beyond))} can be read from its hidden states beyond "
            f"every baseline{_named(beyond)}."
        )
    if names["above"]:
        said.append(f"{_begin(names['above'])} can be read above chance, but not clearly beyond a baseline.")
    if names["undecided"]:
        said.append(f"Undecided: {listed(names['undecided'])}, which the probes do not tell from chance.")
    matched = [task_name(each.task) for each in found if each.readable and each.selectivity.low <= 0]
    if matched:
        said.append(
            f"Read with care: {listed(matched)}, where a probe of the control task, whose labels are random, may score as high "
            "(a selectivity of 0 is within its interval, or it is less)."
        )
    if names["below"]:
        said.append(f"Below chance, which points to a shift between base prompts: {listed(names['below'])}.")
    if names["too few"]:
        rows = "25 squares or more" if kind == "contrast" else "at least 50 answers that comply and 50 that do not"
        said.append(f"Not probed, for that takes {rows}: {listed(names['too few'])}.")
    return said


def _general(found: Sequence[TaskFinding], all_: xr.Dataset) -> list[str]:
    readable = [each for each in found if each.readable and each.gap.bounded]
    if len(readable) < 2:
        return []
    won = {side: sum(each.winner == side for each in readable) for side in ("specialist", "general", "undecided")}
    times = "all of them" if won["specialist"] == len(readable) else _none_or(won["specialist"])
    parts = [f"a probe made for the skill beats the general one in {times}"]
    parts += [f"the general probe is the better one in {count(won['general'])}"] if won["general"] else []
    open_ = "all" if won["undecided"] == len(readable) else count(won["undecided"])
    parts += [f"in {open_} the difference is undecided"] if won["undecided"] else []
    parts[-1] += f" (on average {shown(estimate(all_, 'mean_gap'))} in AUROC)"
    lost = estimate(all_, "lost")
    whole = f" Of the d′ of their own probes the general one loses {shown(lost)}." if lost.known else ""
    shared = sum(each.shared for each in readable)
    return [
        f"Among the {count(len(readable))} that can be read, {listed(parts)}; "
        f"a probe that has never seen the skill still tells {_none_or(shared)} of them from chance.{whole}"
    ]


def _transfer(run: Run, kind: str) -> list[str]:
    found = matrix(run.transfer, kind)
    if found is None:
        return []
    told = f"{_none_or(found.grid.told)} of {found.grid.pairs} pairs"
    wrong = f", {count(found.grid.reversed)} of them the wrong way round" if found.grid.reversed else ""
    said = [
        f"Put to another skill, a probe reaches AUROC {shown(found.mean)} on average; {told} are told from chance{wrong}."
    ]
    if found.planned:
        pairs = [f"{task_name(a)} with {task_name(b)} {_beside_others(one)}" for a, b, one in found.planned]
        said.append(
            f"Of the pairs that are said to transfer, {listed(pairs)}, in shares of the d′ of a skill’s own probe."
        )
    return said


def _beside_others(planned: Estimate) -> str:
    how = "does so more than" if planned.low > 0 else "does so less than" if planned.high < 0 else "is not told from"
    return f"{how} the other pairs (difference {shown(planned)})"


def _ablation(run: Run, kind: str) -> list[str]:
    found = drops(run.ablation, run.transfer, kind)
    if found is None:
        return []
    edges = found.grid.told
    share = f"in {_none_or(edges)} of {found.grid.pairs} pairs"
    first = f"Erasing one skill’s trace hurts another’s probe, beyond both controls, {share}"
    named = listed([f"{task_name(edge.erased)} → {task_name(edge.target)}" for edge in found.edges[:3]] or [""])
    said = [f"{first}{f' (most of all {named})' if edges else ''}."]
    if found.of_own.known:
        said.append(
            f"Of its AUROC above chance another skill loses {shown(found.of_own)} times what the erased one loses itself."
        )
    return said


def _behaviour(run: Run) -> list[str]:
    found = in_the_model(run.behaviour, run.transfer)
    if found is None:
        return []
    if not found.hurt:
        return [
            "Erased while the model writes, no skill’s trace is shown to cost compliance beyond both controls, within what "
            f"{count(found.n_prompts)} prompts a task can tell."
        ]
    named = listed([f"{task_name(a)} → {task_name(b)}" for a, b, _ in found.hurt[:3]])
    rough = sum(a in found.rough for a, _, _ in found.hurt)
    care = (
        f"; in {'all' if rough == len(found.hurt) else count(rough)} of them the erasure moves the model more than twice as "
        "far as its control does, so that it may be damage of a general kind"
        if rough
        else ""
    )
    pairs = "one pair" if len(found.hurt) == 1 else f"{count(len(found.hurt))} pairs"
    return [f"Erased while the model writes, traces cost compliance in {pairs} (most of all {named}){care}."]


def _depth(run: Run, kind: str) -> list[str]:
    found = order_correlation(run.depth, kind, headline_position(run.depth))
    if not found.bounded:
        return []
    steps = depth_steps(run.depth, kind, headline_position(run.depth))
    told = [f"by {shown(step)} from {name}" for name, step in steps.items()]
    moved = f"the signal’s depth changes {listed(told)}, of the model’s (more is deeper); " if told else ""
    return [f"Over the order structural, lexical, then semantic and stylistic, {moved}rank correlation {shown(found)}."]


def _time(run: Run) -> list[str]:
    """Planning by natural labels, monitoring by contrast squares: the labels that can tell."""
    planning = _of_time(run, "natural", "planning")
    rise = _of_time(run, "contrast", "rise")
    said = []
    if planning.bounded:
        if planning.low > 0:
            told = "Before the first token the hidden states foretell more of compliance than the prompt’s words alone"
        elif planning.high < 0:
            told = (
                "Before the first token the hidden states add nothing to what the prompt’s words foretell of compliance"
            )
        else:
            told = (
                "Whether, before the first token, the hidden states add to what the prompt’s words foretell of compliance, is "
                "undecided"
            )
        said.append(f"{told} (of what these leave open, the share that the states tell is {shown(planning)}).")
    if rise.bounded:
        said.append(f"From the first token to the end of the answer the signal changes by {shown(rise)}.")
    return said


def _claims(run: Run) -> list[str]:
    found = claims(run)
    lacking = not_decidable(run, found)
    return [claims_sentence(found)] + ([f"{lacking}."] if lacking else [])


def _of_time(run: Run, kind: str, name: str) -> Estimate:
    if kind not in run.temporal["kind"].values:
        return Estimate(math.nan)
    return estimate(run.temporal.sel(kind=kind), name)


def _named(names: Sequence[str]) -> str:
    return f" ({listed(names)})" if names else ""


def _none_or(n: int) -> str:
    """The number before 'of them' or a verb."""
    return count(n) if n else "none"


def _begin(names: Sequence[str]) -> str:
    text = listed(names)
    return text[0].upper() + text[1:]
