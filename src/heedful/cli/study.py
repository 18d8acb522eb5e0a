"""`heedful study`: the whole diagnosis of a model in one command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heedful.cli.names import split_names

if TYPE_CHECKING:
    from heedful.pipeline.progress import Progress

EXAMPLES = """
Point it at a model; it answers instructions, its answers are verified, its hidden states are read, probes are fitted, and
a report is written that opens in a browser.

    heedful study                                   the embedded pico-llama: nothing to download

    heedful study Qwen/Qwen2.5-0.5B-Instruct        any causal LM of the hub, or a folder

    heedful study pico-llama pico-qwen              several, and a page that compares them

    heedful study my/model --dry-run                what it would take in disk, memory and time

    heedful study my/model --responses log.jsonl    answers given elsewhere: verified and replayed

    heedful study my/model --skills skills.yaml     skills of your own beside the nine; --tasks leaves some out

A file of skills: two values or more, each any constraint (`heedful check --list`), and at least two ways to ask for it that
are trained on and two that are held out; `{clause}` is the value's, `{base}` the base prompt.

    - name: brevity

      family: structural            # or lexical, semantic, stylistic

      templates: ["Write {clause}.", "In {clause}: {base}"]

      held_out: ["Make it {clause}.", "It is to have {clause}."]

      values:

        - {clause: nine words or fewer, constraint: {structural/word_count: {at_most: 9}}}

        - {clause: ten words or more, constraint: {structural/word_count: {at_least: 10}}}

Killed or interrupted, the same command goes on where it stopped; on another kind of device, with another version of torch
or with other settings it refuses to, since the rows would not be of one study. Exit status: 0 done, 2 the input cannot be
used.
"""


_MANY_CUT_OFF = 0.1
"""Share of answers that were cut off, from which it is said with the results."""


def study(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]…", help="Hub ids, folders, or embedded models' names; pico-llama by default."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run folder, runs/MODEL by default; of several, what holds theirs.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Models by name: pico, or rocchetti-2026.")] = None,
    tasks: Annotated[
        str | None, typer.Option(help="Tasks to study, separated by commas; by default the nine and your --skills.")
    ] = None,
    skills: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON: skills of your own, written as above."),
    ] = None,
    plugin: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE.py|MODULE", help="Run this code, which defines constraints that --skills names."),
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Natural responses a task (400).")] = None,
    squares: Annotated[int | None, typer.Option(help="Contrast squares a task, four rows each (200).")] = None,
    base_prompts: Annotated[int | None, typer.Option(help="Base prompts, the split groups (120).")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small study: the shape of the result, not to quote.")
    ] = False,
    prompts: Annotated[
        Path | None, typer.Option(help="JSONL or Parquet: `prompt`, optionally `constraints`, `group`.")
    ] = None,
    responses: Annotated[
        Path | None,
        typer.Option(
            help="JSONL or Parquet: `prompt`, `response`, `constraints`, optionally `group`. C1–C4 stay undecided: they take "
            "contrast squares, which recorded answers cannot give."
        ),
    ] = None,
    erasers: Annotated[
        str | None,
        typer.Option(
            help="Erasers put to hidden states: leace, which decides, and by default inlp,mean_projection,flip as well."
        ),
    ] = None,
    behaviour_prompts: Annotated[
        int | None, typer.Option(min=0, help="Prompts a task answered while traces are erased (40); 0: none.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Erase by every eraser, and at early, middle and late sites as well: hours.")
    ] = False,
    extras: Annotated[
        bool,
        typer.Option(
            "--extras",
            help="Specialists with length and format, or sureness and norm, regressed out, and with random weights.",
        ),
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Decides instructions, samples, folds and controls (0).")] = None,
    temperature: Annotated[float | None, typer.Option(help="Sampling temperature; 0 is greedy (1.0).")] = None,
    max_new_tokens: Annotated[
        int | None, typer.Option(help="Longest response; longer ones are left out (256).")
    ] = None,
    sites: Annotated[
        str | None, typer.Option(help="Sites to read, e.g. block.3.out,block.7.out; all by default.")
    ] = None,
    positions: Annotated[str | None, typer.Option(help="Positions to read, e.g. 'response[7],eos'.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps, auto.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16, float16, auto.")] = None,
    device_map: Annotated[str | None, typer.Option(help="Spread a big model over devices, e.g. auto.")] = None,
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch of a hub's model.")] = None,
    system: Annotated[str | None, typer.Option(help="System prompt before every instruction.")] = None,
    no_thinking: Annotated[bool, typer.Option("--no-thinking", help="Ask the chat template not to think.")] = False,
    batch_tokens: Annotated[int | None, typer.Option(help="Most tokens in a batch, padding included.")] = None,
    trust_remote_code: Annotated[bool, typer.Option("--trust-remote-code", help="Run code from the model.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Forget what an earlier study left in --out.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the study would take.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with the summary.")] = False,
) -> None:
    """Diagnose how a model follows instructions: answer, verify, read hidden states, fit probes, report."""
    if plugin:
        from heedful.constraints import load_plugin

        for name in plugin:
            load_plugin(name)
    settings: dict[str, Any] = {
        "skills": skills,
        "tasks": split_names(tasks, "--tasks"),
        "samples": samples,
        "squares": squares,
        "base_prompts": base_prompts,
        "prompts_file": str(prompts) if prompts else None,
        "responses_file": str(responses) if responses else None,
        "erasers": split_names(erasers, "--erasers"),
        "behaviour_prompts": behaviour_prompts,
        "full": full or None,
        "extras": extras or None,
        "seed": seed,
        "temperature": temperature,
        "max_new_tokens": max_new_tokens,
        "sites": split_names(sites, "--sites"),
        "positions": split_names(positions, "--positions"),
        "device": device,
        "dtype": dtype,
        "device_map": device_map,
        "revision": revision,
        "system": system,
        "thinking": False if no_thinking else None,
        "batch_tokens": batch_tokens,
        "trust_remote_code": trust_remote_code or None,
    }
    named = _models(models, preset)
    if dry_run:
        _estimate(named, out, overwrite, as_json, {"quick": quick, **settings})
        return
    from heedful.cli.bars import stage_bars
    from heedful.pipeline import study as run_study

    if len(named) > 1:
        _study_several(named, out or Path("runs"), overwrite, as_json, {"quick": quick, **settings})
        return
    with stage_bars() as progress:
        done = run_study(named[0], out=out, overwrite=overwrite, progress=progress, quick=quick, **settings)
    summary = done.summary()
    if as_json:
        shown = {"folder": str(done.path), "report": str(done.report), **summary}
        typer.echo(json.dumps(shown, ensure_ascii=False, allow_nan=False))
        return
    _show(summary)
    typer.echo(f"Report: {done.report}")


def _models(models: list[str] | None, preset: str | None) -> list[str]:
    if preset is None:
        return models or ["pico-llama"]
    from heedful.errors import InputError
    from heedful.pipeline.several import preset as models_of

    if models:
        raise InputError(f"models and the preset {preset!r} are both named", "give one of the two")
    return list(models_of(preset))


def _study_several(models: list[str], out: Path, overwrite: bool, as_json: bool, settings: dict[str, Any]) -> None:
    """Each model's screen and the comparison's; exit status 2 if any of them failed, named at the end."""
    from heedful.cli.bars import stage_bars
    from heedful.cli.compare import show
    from heedful.pipeline.several import study_several

    @contextmanager
    def begin(model: str) -> Iterator[Progress]:
        typer.echo(f"{model}:", err=True)
        with stage_bars() as progress:
            yield progress

    found = study_several(models, out=out, overwrite=overwrite, begin=begin, **settings)
    if found.comparison is not None:
        show(found.comparison, as_json)
    for model, done in found.studies.items():
        typer.echo(f"{model}: {done.report}", err=as_json)
    for model, error in found.failed.items():
        typer.echo(f"heedful: {model}: {error.cause}\n  → {error.cure}", err=True)
    if found.failed:
        if as_json and found.comparison is None:
            failed = {m: {"cause": error.cause, "cure": error.cure} for m, error in found.failed.items()}
            typer.echo(json.dumps({"failed": failed}, ensure_ascii=False))
        raise typer.Exit(2)


def _show(summary: dict[str, Any]) -> None:
    """One screen: what was found of each task, and how long it took."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    kind = summary["deciding_labels"]
    table = Table(title=Text(f"{summary['model']}: AUROC on {kind} labels, chance 0.5"), title_justify="left")
    table.add_column("task")
    table.add_column("passes", justify="right")
    table.add_column("specialist", justify="right", no_wrap=True)
    table.add_column("baseline", justify="right")
    table.add_column("general", justify="right")
    table.add_column("read at")
    for name, task in summary["tasks"].items():
        rate, found = task["pass_rate"]["value"], task[kind]
        where = f"{found['site']}, {found['position']}" if found["site"] else _too_few(kind, found)
        # The best of what needs no hidden states: words, length, log p.
        baselines = [each["value"] for each in found["baselines"].values() if each["value"] is not None]
        cells = (
            name,
            "" if rate is None else f"{rate:.0%}",
            _with_interval(found["specialist"]),
            f"{max(baselines):.2f}" if baselines else "",
            "" if found["general"]["value"] is None else f"{found['general']['value']:.2f}",
            where,
        )
        table.add_row(*map(Text, cells))  # as text: a site's name has brackets, which would pass for markup
    Console().print(table)
    cut, n = (sum(task[name] for task in summary["tasks"].values()) for name in ("cut_off", "n"))
    if n and cut / n > _MANY_CUT_OFF:
        typer.echo(f"{cut:,} of {n:,} answers were cut off by the length limit and left out: raise --max-new-tokens")
    told = " · ".join(f"{name} {claim['outcome']}" for name, claim in summary["claims"].items())
    typer.echo(f"{told} (what each claim says: the report)")
    if summary["not_decidable"]:
        typer.echo(summary["not_decidable"])
    seconds = summary["seconds"]
    taken = " · ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    typer.echo(f"{taken} · in all {sum(seconds.values()):.1f} s")


def _too_few(kind: str, found: dict[str, Any]) -> str:
    """Why a task is listed and not measured: which class lacks rows."""
    from heedful.lenses.data import MIN_NATURAL, MIN_SQUARES

    comply, violate = found["n_positive"], found["n_rows"] - found["n_positive"]
    if kind == "contrast":
        return f"too few: {min(comply, violate) // 2} of {MIN_SQUARES} squares"
    sides = ((comply, "comply"), (violate, "violate"))
    lacking = [f"{n} of {MIN_NATURAL} that {what}" for n, what in sides if n < MIN_NATURAL]
    return f"too few: {', '.join(lacking)}" if lacking else f"too few of one position: {found['n_rows']} rows"


def _with_interval(found: dict[str, float | None]) -> str:
    value, low, high = found["value"], found["low"], found["high"]
    if value is None:
        return ""
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _estimate(models: list[str], out: Path | None, overwrite: bool, as_json: bool, settings: dict[str, Any]) -> None:
    from heedful.config import study_settings
    from heedful.errors import StoreError
    from heedful.pipeline.cost import study_cost
    from heedful.pipeline.several import folders_of
    from heedful.pipeline.study import check_folder

    folders = folders_of(models, out or "runs")
    chosen = [study_settings(model, **settings) for model in models]
    costs = [study_cost(one) for one in chosen]
    if as_json:
        told = [cost.to_dict() for cost in costs]
        typer.echo(json.dumps(told[0] if len(told) == 1 else told))
    else:
        typer.echo("\n".join(cost.describe() for cost in costs))
    able = True
    for one, folder in zip(chosen, folders, strict=True):
        single = out if len(chosen) == 1 else None
        try:
            check_folder(single or folder, one, overwrite=overwrite)
        except StoreError as error:  # the estimate stands all the same
            typer.echo(f"heedful: it would not start: {error.cause}\n  → {error.cure}", err=True)
            able = False
    if not able:
        raise typer.Exit(2)


study.__doc__ = f"{study.__doc__}\n{EXAMPLES}"
