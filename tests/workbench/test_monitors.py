"""Monitors from a study's responses: parts that share no base prompt, nothing decided by what calibrates or judges."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import heedful.workbench.monitors.answers as answers_room
import heedful.workbench.monitors.enough as enough_room
import heedful.workbench.monitors.train as train_room
from heedful.config import study_settings
from heedful.control.monitors import Forecast, LiveRisk, Monitor, Monitors, Threshold, load_monitors, save_monitors
from heedful.errors import HeedfulError, InputError, ModelError, StoreError
from heedful.models import LanguageModel, Replay
from heedful.pipeline.instruct import instruct
from heedful.pipeline.progress import silent
from heedful.pipeline.respond import respond
from heedful.store import RunFolder, read_table
from heedful.workbench.monitors import check_parity, train_monitors
from heedful.workbench.monitors.answers import Answer, Answers, _shared_out
from heedful.workbench.monitors.learning import candidate_sites

SETTINGS: dict[str, Any] = {
    "base_prompts": 30, "samples": 90, "squares": 0, "tasks": ("word_count", "register"), "max_new_tokens": 128
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, model: LanguageModel) -> Path:
    """A study that has come as far as its responses: all that monitors need."""
    path, settings = tmp_path_factory.mktemp("monitors") / "run", study_settings("pico-llama", device="cpu", **SETTINGS)
    with RunFolder.open(path, settings.model_dump(mode="json")) as folder:
        folder.note(model=model.identity())
        instruct(folder, settings)
        respond(folder, settings, model, silent)
    return path


@pytest.fixture(scope="module")
def answers(run: Path, model: LanguageModel) -> Answers:
    """Collected once; training twice then differs in nothing but what a test changes."""
    study = train_room._open(run)
    return answers_room.collect(study.samples, study.settings, model, ("word_count",), 60, 2, silent)


@pytest.fixture
def collected(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Answers]]:
    kept = [answers]
    monkeypatch.setattr(train_room, "collect", lambda *_: kept[0])
    return iter([kept])


def test_whoever_was_interrupted_goes_on_from_what_was_answered(
    run: Path, answers: Answers, model: LanguageModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    study, asked = train_room._open(run), list[int]()
    monkeypatch.setattr(answers_room, "CHUNK", 64)
    generate = model.generate

    def at_most(chunks: int) -> None:
        def counted(prompts: Any, *given: Any, **how: Any) -> Any:
            if len(asked) == chunks:
                raise KeyboardInterrupt
            asked.append(len(prompts))
            return generate(prompts, *given, **how)

        monkeypatch.setattr(model, "generate", counted)

    def collected_anew(settings: Any = study.settings) -> Answers:
        return answers_room.collect(study.samples, settings, model, ("word_count",), 60, 2, silent, tmp_path / "parts")

    at_most(2)
    with pytest.raises(KeyboardInterrupt):
        collected_anew()
    at_most(3)
    assert collected_anew() == answers  # 180 responses, in three chunks
    assert asked == [64, 64, 52]
    assert collected_anew() == answers
    with pytest.raises(KeyboardInterrupt):  # another seed has other answers
        collected_anew(study.settings.model_copy(update={"seed": 5}))


def test_parts_share_no_base_prompt(answers: Answers) -> None:
    parts = [{answer.base for answer in part} for part in answers[:3]]
    assert [len(part) for part in parts] == [30, 60, 30]
    assert not parts[0] & parts[1] | parts[1] & parts[2] | parts[0] & parts[2]
    assert answers.fresh


def test_the_whole_way(run: Path, model: LanguageModel, collected: Iterator[list[Answers]], tmp_path: Path) -> None:
    next(collected)
    made = train_monitors(run, tmp_path / "out", tasks=["word_count"], calibration_prompts=40, loaded=model)
    found = load_monitors(tmp_path / "out", model)
    assert found.each == made.each
    assert found.names == ("word_count",)
    assert 1 <= len(found.sites) <= 3
    assert found.parity is not None
    assert found.parity.error <= found.parity.tolerance
    card = found.card["tasks"]["word_count"]
    assert card["responses"] == sum(answer.task == "word_count" for answer in answers_of(tmp_path / "out", "test"))
    assert found.each[0].threshold.units <= 60
    rows = list(read_table(tmp_path / "out" / "responses.parquet").rows())
    calibration = [row for row in rows if row["part"] == "calibration"]
    # The threshold is what it says: the k-th smallest of the largest scores of one compliant response a base prompt.
    first: dict[int, float] = {}
    for row in calibration:
        if not row["violates"]:
            first.setdefault(row["base_id"], row["peak"][-1])
    threshold = found.each[0].threshold
    assert sorted(first.values())[threshold.rank - 1] == pytest.approx(threshold.value)
    assert sum(value > threshold.value for value in first.values()) <= 0.05 * (len(first) + 1)
    page = (tmp_path / "out" / "card.html").read_text()
    assert "<script" not in page
    assert "Reliability of word count" in page
    assert not list(tmp_path.glob(".*.parts"))
    now = check_parity(tmp_path / "out", model)
    assert 0 <= now.error <= now.tolerance == found.parity.tolerance
    assert now.tokens > 50
    live = LiveRisk(found)
    with model.watched(live.sites, live, live.prompt):
        model.generate([model.encode("Write a note to a neighbour in at most 12 words.")], [0], max_new_tokens=40)
    assert 0 < live.risk(0)["word_count"] < 1


def test_what_is_asked_for_a_skill_of_ones_own_is_what_the_study_asked(model: LanguageModel, tmp_path: Path) -> None:
    skill = {
        "name": "brevity",
        "family": "structural",
        "templates": ["Write {clause}.", "In {clause}: {base}"],
        "held_out": ["Make it {clause}.", "It is to have {clause}."],
        "values": [
            {"clause": "nine words or fewer", "constraint": {"structural/word_count": {"at_most": 9}}},
            {"clause": "ten words or more", "constraint": {"structural/word_count": {"at_least": 10}}},
        ],
    }
    settings = study_settings("pico-llama", device="cpu", skills=skill, tasks=["brevity"], max_new_tokens=24)
    rows = [row for part in answers_room._generated(settings, model, ("brevity",), 2, 2, silent, None) for row in part]
    assert {row["task"] for row in rows} == {"brevity"}
    assert {row["constraint"] for row in rows} <= {
        json.dumps(v.constraint, sort_keys=True) for v in settings.skills[0].values
    }
    coef = torch.randn(1, 1, model.hidden_size, generator=torch.Generator().manual_seed(0)) / 20
    one = Monitor("brevity", 1, Threshold(0.5, 96, 100, 0.05), Forecast(-1.0, 0.7, 0.1))
    made = Monitors(("block.1.out",), (one,), coef, 0 * coef, torch.zeros(1), model.identity(), skills=settings.skills)
    assert check_parity(save_monitors(tmp_path / "own", made), model).tokens > 0


def answers_of(folder: Path, part: str) -> list[Any]:
    rows = read_table(folder / "responses.parquet").rows()
    return [type("Row", (), row) for row in rows if row["part"] == part]


@pytest.mark.slow
def test_what_calibrates_and_judges_decides_no_weight_no_site_and_no_window(
    run: Path, model: LanguageModel, collected: Iterator[list[Answers]], tmp_path: Path
) -> None:
    kept = next(collected)

    def made(name: str) -> Any:
        return train_monitors(run, tmp_path / name, tasks=["word_count"], calibration_prompts=40, loaded=model)

    first, original = made("one"), kept[0]
    kept[0] = original._replace(
        calibration=[replace(answer, violates=1 - answer.violates) for answer in original.calibration],
        test=original.test[::2],
    )
    second = made("two")
    assert (first.sites, first.windows) == (second.sites, second.windows)
    assert torch.equal(first.coef, second.coef)
    assert torch.equal(first.prompt_coef, second.prompt_coef)
    assert first.each[0].threshold != second.each[0].threshold
    kept[0] = original._replace(test=[replace(answer, violates=1 - answer.violates) for answer in original.test])
    assert made("three").each == first.each


def test_too_little_is_told_with_its_cure(
    run: Path, model: LanguageModel, collected: Iterator[list[Answers]], tmp_path: Path
) -> None:
    kept = next(collected)
    with pytest.raises(
        InputError,
        match=r"word_count \d+ calibration base prompts .*; it takes 100\n  → raise --responses.*--calibration",
    ):
        train_monitors(run, tmp_path / "out", tasks=["word_count"], loaded=model)
    few = [answer for answer in kept[0].training if not answer.violates]
    kept[0] = kept[0]._replace(training=few)
    with pytest.raises(InputError, match=rf"0 of {len(few)} training responses violate; it takes 25"):
        train_monitors(run, tmp_path / "out", tasks=["word_count"], calibration_prompts=40, loaded=model)
    assert not (tmp_path / "out").exists()


def test_what_the_study_lacks_is_told_before_the_model_is_asked(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def load_for(*_: object) -> None:
        raise AssertionError("nobody needs the model for that")

    monkeypatch.setattr(train_room, "load_for", load_for)
    monkeypatch.setattr(enough_room, "LEAST_OF_A_CLASS", 1000)
    tasks = train_room._open(run).settings.tasks
    counts = ", ".join(rf"{task} \d+ of \d+" for task in tasks)
    with pytest.raises(InputError, match=f"made: {counts} training responses violate; it takes 1000") as error:
        train_monitors(run, tmp_path / "out")
    assert error.value.cure == "study again with more --samples (a default study has 400)"  # nothing else would help
    assert not (tmp_path / "out").exists()


def test_other_bad_input_names_cause_and_cure(run: Path, model: LanguageModel, tmp_path: Path) -> None:
    def fails(kind: type[HeedfulError], said: str, **given: Any) -> None:
        with pytest.raises(kind, match=said):
            train_monitors(**{"run": run, "loaded": model, **given})

    fails(StoreError, "is not a run folder", run=tmp_path)
    fails(InputError, r"no task 'topic'\n.*word_count, register", tasks=["topic"])
    fails(ModelError, "is a folder, but not a model", loaded=None, place=str(tmp_path))
    fails(InputError, "between 0 and 1", false_alarms=1.5)
    fails(InputError, r"smoothing is 'median'\n.*mean, count, best", smoothing="median")
    fails(InputError, "leave nothing to calibrate on", responses=0)
    fails(InputError, r"(?s)360 further base prompts.*at most 260", calibration_prompts=350, tasks=["word_count"])
    revision, model.revision = model.revision, "another"
    try:
        fails(ModelError, "is not that model: revision differ")
    finally:
        model.revision = revision


def test_a_users_own_prompts_are_shared_out_or_refused() -> None:
    def answered(groups: int) -> list[Answer]:
        replay = Replay([5], [6, 7], 2)
        return [Answer("word_count", base, "", None, replay, base % 2) for base in range(groups) for _ in range(3)]

    parts = _shared_out(answered(170), 100, seed=0, left_out=4)
    assert [len({answer.base for answer in part}) for part in parts[:3]] == [20, 100, 50]
    assert len({answer.base for part in parts[:3] for answer in part}) == 170
    assert (parts.left_out, parts.fresh) == (4, False)
    with pytest.raises(InputError, match=r"90 base prompts.*takes 165\n.*fewer --calibration-prompts"):
        _shared_out(answered(90), 100, seed=0, left_out=0)


@pytest.mark.parametrize(("blocks", "count"), [(3, 3), (8, 8), (32, 8), (41, 8)])
def test_candidate_sites_are_spread_evenly_and_end_at_the_last_block(blocks: int, count: int) -> None:
    sites = ["embed", *(f"block.{index}.out" for index in range(blocks))]
    found = candidate_sites(sites)
    assert len(set(found)) == count
    assert found[-1] == sites[-1]
    gaps = {b - a for a, b in zip(*(lambda at: (at, at[1:]))([sites.index(site) for site in found]), strict=False)}
    assert max(gaps, default=1) - min(gaps, default=1) <= 1


@pytest.mark.slow
def test_show_and_train_from_the_command_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from heedful.cli import main

    monkeypatch.setattr(train_room, "load_for", lambda *_: model)
    out = tmp_path / "out"
    given = [
        "--tasks",
        "word_count",
        "--calibration-prompts",
        "40",
        "--false-alarms",
        "0.1",
        "--responses",
        "3",
        "--smoothing",
        "count",
        "--out",
        str(out),
        "--json",
    ]
    assert main(["monitor", "train", str(run), *given]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert trained["tasks"]["word_count"]["agree"] >= 1
    assert main(["monitor", "show", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == trained
    assert trained["base_prompts"] == {"training": 30, "calibration": 40, "test": 20}
    assert main(["monitor", "show", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "only a verifier says that a response violates" in shown
    assert "AUROC by tokens read" in shown
    monkeypatch.setattr("heedful.workbench.monitors.parity.load", lambda *_, **__: model)
    assert main(["monitor", "show", str(out), "--check"]) == 0
    assert "Live scores equal replayed ones here: over" in capsys.readouterr().out
    assert main(["monitor", "show", str(out), "--check", "--model", "pico-gemma", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parity_here"]["tolerance"] == trained["parity"]["tolerance"]
    assert main(["monitor", "show", str(tmp_path)]) == 2
    assert "no monitors.json" in capsys.readouterr().err
    assert main(["monitor", "train", str(run), "--nonsense"]) == 2
    assert "heedful monitor train --help" in capsys.readouterr().err
    assert main(["monitor", "train", "--help"]) == 0
    assert "--false-alarms 0.01" in capsys.readouterr().out


@pytest.mark.parametrize("names", ["", ","])
def test_no_task_is_not_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str], names: str) -> None:
    from heedful.cli import main

    assert main(["monitor", "train", str(tmp_path), "--tasks", names]) == 2
    assert "--tasks names nothing" in capsys.readouterr().err
