"""A study end to end, through the Python API: what it leaves, what it refuses, and what it says where there is little."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import jaxtyping
import numpy as np
import pytest

import heedful
from heedful.config import StudySettings, study_settings
from heedful.errors import InputError, StoreError
from heedful.lenses import StudyData
from heedful.models import LanguageModel, embedded_models
from heedful.pipeline.study import check_folder, folder_of
from heedful.store import RunFolder, read_table
from heedful.workbench.monitors import train_monitors

from .conftest import AT_MOST_FIVE, TINY, WHERE, answered

Tiny = Callable[..., heedful.Study]
Jsonl = Callable[..., Path]


def times(folder: Path) -> dict[str, int]:
    """When each file was written; the lock names whoever held it last."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".heedful-lock"]
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in files}


def test_a_study_leaves_what_it_promises(tiny: Tiny, tmp_path: Path, model: LanguageModel) -> None:
    told: list[str] = []
    done = tiny(progress=lambda what, done, total: told.append(what))
    assert list(dict.fromkeys(told)) == [
        "answering (direct)",
        *(["answering (elicited)"] if "answering (elicited)" in told else []),
        "reading hidden states",
        "fitting probes",
        "measuring",
        "intervening",
        "writing the report",
    ]
    assert done.path == tmp_path / "run"
    assert Counter(done.samples["kind"])["natural"] == 12
    assert done.specialists.sizes == {"probe": 4, "kind": 2, "task": 2, "site": 2, "position": 3}
    assert done.specialists["too_few"].all()
    assert isinstance(done.data, StudyData)
    assert done.data.sites == TINY["sites"]
    assert done.summary()["tasks"].keys() == {"word_count", "topic"}
    assert done.report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert done.baselines.sizes["baseline"] == 4
    assert done.depth.sizes["position"] == 3
    with pytest.raises(InputError, match="there is no lens 'depths'"):
        done.result("depths")

    # The same again does nothing; so does opening it.
    before, told = times(done.path), []
    again = tiny(progress=lambda what, done, total: told.append(what))
    opened = heedful.open_study(str(done.path))
    assert told == []
    assert times(done.path) == before
    assert again.summary() == opened.summary() == done.summary()


def test_rows_are_what_was_verified_and_read(given_study: heedful.Study) -> None:
    rows = read_table(given_study.path / "rows.parquet")
    natural = [row for row in rows.rows() if row["kind"] == "natural"]
    assert {row["kind"] for row in rows.rows()} == {"natural", "reference"}
    assert [row["label"] for row in natural] == [int(i % 10 < 5) for i in range(100)]
    assert [(row["response_text"], row["base_id"]) for row in natural] == [
        (record["response"], i // 10) for i, record in enumerate(answered())
    ]
    assert {row["origin"] for row in natural} == {"given"}
    everything = {
        row["row_id"]: [*row["prompt_ids"], *row["response_ids"], row["eos_id"]] for row in rows.rows()
    }  # fmt: skip
    given_study.data.activations.check_rows(everything)


def test_answers_given_elsewhere_are_probed(given_study: heedful.Study) -> None:
    found = given_study.specialists.sel(kind="natural", task="word_count")
    assert not found["too_few"]
    assert (int(found["n_rows"]), int(found["n_positive"]), int(found["n_groups"])) == (100, 50, 10)
    best = found["best_auroc"].sel(probe="specialist")
    assert float(best) > 0.8, "short against long texts: the end of the response tells"
    assert given_study.specialists.sel(task="topic")["too_few"].all()
    assert given_study.specialists.sel(kind="contrast")["too_few"].all()
    summary = given_study.summary()
    assert summary["deciding_labels"] == "natural"
    assert summary["tasks"]["word_count"]["pass_rate"]["value"] == 0.5


def test_own_prompts_are_asked_as_they_stand_and_crossed(tiny: Tiny, jsonl: Jsonl) -> None:
    bases = [{"prompt": f"Write about place {i}.", "group": f"g{i // 2}"} for i in range(12)]
    ready = [{"prompt": "Write about the sea in at most 5 words.", "constraint": AT_MOST_FIVE, "group": "g0"}]
    done = tiny(prompts_file=jsonl([*bases, *ready]), samples=12, squares=6, max_new_tokens=40)
    samples = list(done.samples.rows())
    assert [s["prompt"] for s in samples if s["template_id"] == "own"] == [ready[0]["prompt"]]
    assert {s["base_id"] for s in samples} == set(range(6))
    assert len({s["sample_id"] for s in samples}) == len(samples)
    of_response = {(tuple(s["response_ids"]), s["text"]): s["base"] for s in samples if s["kind"] == "pool"}
    for row in read_table(done.path / "rows.parquet").rows():
        if row["kind"] == "contrast":  # both instructions of a square are of the base prompt that was answered
            assert of_response[tuple(row["response_ids"]), row["response_text"]].rstrip(".") in row["prompt_text"]
    rows = {row["row_id"]: row for row in read_table(done.path / "rows.parquet").rows()}
    bare = {name for name, row in rows.items() if row["kind"] == "bare"}
    assert bare == {row["bare_id"] for row in rows.values()} - {None}
    for row in rows.values():
        twin = rows.get(row["bare_id"])
        # A prompt that states its own constraint has no bare twin: there the instruction cannot be taken away.
        assert (twin is None) == (row["kind"] in ("bare", "reference") or row["template_id"] == "own")
        if twin is not None:
            assert twin["response_ids"] == row["response_ids"]
            assert twin["prompt_text"] in {base["prompt"] for base in bases}


@pytest.mark.parametrize(
    ("case", "settings"),
    [("cut off", {"max_new_tokens": 1}), ("empty", {}), ("unscored", {})],
)
def test_a_study_of_nothing_usable_comes_to_its_end_and_says_so(
    tiny: Tiny, jsonl: Jsonl, case: str, settings: dict[str, Any]
) -> None:
    records = answered(groups=6, each=2)
    if case == "empty":
        settings = {"responses_file": jsonl([record | {"response": ""} for record in records])}
    if case == "unscored":
        unknown = {"id": "semantic/topic", "topic": "quidditch"}
        settings = {"responses_file": jsonl([record | {"constraints": [unknown]} for record in records])}
    done = tiny(**settings)
    assert repr(done) == f"Study({str(done.path)!r})"
    assert done.specialists["too_few"].all()
    assert np.isnan(done.specialists["auroc"]).all()
    assert int(done.specialists["n_rows"].sum()) == 0
    summary = done.summary()
    json.dumps(summary, allow_nan=False)
    tasks = summary["tasks"].values()
    if case == "cut off":
        assert sum(task["cut_off"] for task in tasks) == 12
    if case == "empty":
        assert sum(task["failed"] for task in tasks) == 12
        assert summary["pass_rate"]["value"] == 0
    if case == "unscored":
        assert sum(task["unscored"] for task in tasks) == 12
    if case != "empty":
        whose = "the model’s own answers" if case == "cut off" else "the answers given"
        assert summary["summary"].startswith(f"None of {whose} could be scored.")
    # A file's report is about the tasks that it has answers to.
    assert ("topic" if case == "unscored" else "word count") in done.report.read_text(encoding="utf-8")


def test_other_settings_are_refused_with_what_differs(given_study: heedful.Study, model: LanguageModel) -> None:
    before = times(given_study.path)
    settings = WHERE | {"responses_file": given_study.path.parent / "answers.jsonl", "seed": 1, "folds": 4}
    with pytest.raises(StoreError) as caught:
        heedful.study("pico-llama", out=given_study.path, loaded=model, **settings)
    assert caught.value.cause == (
        f"{given_study.path} holds a run with other settings (there → now): folds 5 → 4, seed 0 → 1"
    )
    assert "--overwrite" in caught.value.cure
    assert times(given_study.path) == before


def test_another_schema_version_is_refused(tmp_path: Path, model: LanguageModel) -> None:
    RunFolder.open(tmp_path, {}, schema_version=0).close()
    anew = r"was written by schema version 0, this is 3\n.* start this one anew with --overwrite"
    with pytest.raises(StoreError, match=anew):
        heedful.study("pico-llama", out=tmp_path, loaded=model, **TINY)
    with pytest.raises(StoreError, match=anew):
        check_folder(tmp_path, study_settings("pico-llama", **TINY))
    check_folder(tmp_path, study_settings("pico-llama", **TINY), overwrite=True)
    with pytest.raises(StoreError, match="was written by schema version 0"):
        heedful.open_study(tmp_path)


def test_who_only_reads_leaves_no_trace_and_needs_no_lock(given_study: heedful.Study) -> None:
    folder, settings = given_study.path, given_study.manifest.settings

    def everything() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}

    with RunFolder.open(folder, settings):  # a study is running there
        (folder / "parts").mkdir(exist_ok=True)
        part = folder / "parts" / "its own"
        part.write_text("half of it")
        before = everything()
        opened = heedful.open_study(folder)
        assert opened.data.activations.row_ids == given_study.data.activations.row_ids
        assert opened.summary() == given_study.summary()
        check_folder(folder, StudySettings.model_validate(settings))
        with pytest.raises(StoreError, match="holds a run with other settings"):
            check_folder(folder, study_settings("pico-llama", **TINY))
        with pytest.raises(InputError, match="no monitor can be made"):
            train_monitors(folder, tasks=["topic"])
        assert everything() == before
        part.unlink()


def test_another_device_or_version_is_refused(
    given_study: heedful.Study, model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings say 'auto'; what that finds decides every number."""
    identity = model.identity() | {"device": "cuda", "torch": "9.9"}
    monkeypatch.setattr(LanguageModel, "identity", lambda self: identity)
    before = times(given_study.path)
    settings = WHERE | {"responses_file": given_study.path.parent / "answers.jsonl"}
    with pytest.raises(StoreError) as caught:
        heedful.study("pico-llama", out=given_study.path, loaded=model, **settings)
    assert "holds answers of another model, device or version (there → now): " in caught.value.cause
    assert 'device "cpu" → "cuda"' in caught.value.cause
    assert '→ "9.9"' in caught.value.cause
    assert "go on where it was begun" in caught.value.cure
    assert times(given_study.path) == before


def test_overwrite_begins_anew(given_study: heedful.Study, tiny: Tiny, tmp_path: Path) -> None:
    shutil.copytree(given_study.path, tmp_path / "run")
    before = times(tmp_path / "run")
    with pytest.raises(StoreError, match=r"max_new_tokens \d+ → 2"):
        tiny(max_new_tokens=2)
    assert times(tmp_path / "run") == before
    anew = tiny(max_new_tokens=2, overwrite=True)
    assert anew.manifest.settings["max_new_tokens"] == 2
    assert set(anew.samples["finish_reason"]) == {"length"}
    after = times(anew.path)
    assert all(after[name] != at for name, at in before.items() if name in after)


def test_what_cannot_be_studied_is_refused_before_the_model_answers(
    tiny: Tiny, tmp_path: Path, jsonl: Jsonl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def generate(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the model was asked")

    monkeypatch.setattr(LanguageModel, "generate", generate)
    with pytest.raises(
        InputError, match=r"pico-llama has no site block\.99\.out\n  → choose among embed, block\.0\.out"
    ):
        tiny(sites=["block.99.out"])
    # Nothing was answered, so that the same folder takes other settings without more ado.
    with pytest.raises(InputError, match=r"neutral texts .* are too short for response\[900\]"):
        tiny(positions=["response[900]"])
    with pytest.raises(InputError, match="with 5000 new ones it passes pico-llama's context of"):
        tiny(max_new_tokens=5000)
    long = {"prompt": "a", "response": "word " * 5000, "constraint": AT_MOST_FIVE}
    answers = jsonl([*answered(6, 1), long])
    with pytest.raises(InputError, match=r"the prompt of given-000007-0 has .* of its response it passes"):
        tiny(responses_file=answers)
    with pytest.raises(InputError, match="too few to fill 5 folds"):
        tiny(prompts_file=jsonl([{"prompt": "a"}]))
    with pytest.raises(AssertionError, match="the model was asked"):
        tiny()


def test_a_model_that_is_none_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(heedful.ModelError, match="there is no folder"):
        heedful.study(tmp_path / "nowhere", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unfinished_study_says_what_is_to_do(tmp_path: Path, model: LanguageModel) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what == "reading hidden states":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        heedful.study("pico-llama", out=tmp_path, loaded=model, progress=stop, **TINY | {"max_new_tokens": 4})
    with pytest.raises(InputError) as caught:
        heedful.open_study(tmp_path)
    assert caught.value.cause == f"the study in {tmp_path} is not finished: read, probe, intervene, report still to do"
    assert "it goes on where it stopped" in caught.value.cure
    with pytest.raises(StoreError, match="is not a run folder"):
        heedful.open_study(tmp_path / "nowhere")


@pytest.mark.parametrize("stage", ["respond", "probe"])
def test_a_full_disk_loses_nothing(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    real, target = os.replace, {"respond": "rows.parquet", "probe": "baselines.nc"}[stage]

    def full(source: Any, destination: Any) -> None:
        if str(destination).endswith(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, destination)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(StoreError, match=r"cannot write .* No space left on device") as caught:
            tiny(max_new_tokens=24)
    assert "free some space there, then run the same command again" in caught.value.cure
    kept = times(tmp_path / "run")
    assert tiny(max_new_tokens=24).report.is_file()
    after = times(tmp_path / "run")
    finished = {"respond": ["instructions.parquet"], "probe": ["samples.parquet", "activations/000000.safetensors"]}
    assert all(after[name] == kept[name] for name in finished[stage])


def test_without_extras_there_are_none(given_study: heedful.Study) -> None:
    assert "extras" not in given_study.manifest.stages
    assert given_study.manifest.settings["extras"] is False
    assert given_study.summary()["extras"] is None
    with pytest.raises(InputError, match=r"was run without extras\n  → study the model with --extras"):
        _ = given_study.extras


def test_extras_read_the_rows_once_more_with_random_weights(
    given_study: heedful.Study, tmp_path: Path, model: LanguageModel
) -> None:
    """Of recorded answers: their length is their label, which tokens alone tell in any network."""
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in answered()))
    settings = WHERE | {"tasks": ["word_count", "topic"], "responses_file": path, "extras": True}
    out = tmp_path / "run"
    study = heedful.study("pico-llama", out=out, loaded=model, **settings)
    for name in given_study.manifest.stages["probe"].files:
        ours, theirs = out / name, given_study.path / name
        assert ours.read_bytes() == theirs.read_bytes(), f"extras changed {name}"
    here = study.extras.sel(kind="natural", task="word_count")
    assert here.position == study.specialists.best_position.sel(kind="natural", task="word_count")
    assert here.best_auroc.notnull().all()
    assert float(here.best_auroc.sel(reading="length and format")) > 0.95
    assert float(here.best_auroc.sel(reading="random weights")) > 0.8
    assert not [file for file in (out / "parts").rglob("*") if file.is_file()]
    assert study.summary()["extras"]["natural"]["word_count"]["position"] == str(here.position.item())
    assert "What else could a probe have read?" in study.report.read_text(encoding="utf-8")
    (out / "results" / "extras.nc").unlink()  # made anew, the same bytes
    before = study.manifest.stages["extras"].files["results/extras.nc"]
    again = heedful.study("pico-llama", out=out, loaded=model, **settings)
    assert again.manifest.stages["extras"].files["results/extras.nc"] == before


def test_quantised_weights_are_refused_before_anything_is_answered(
    tmp_path: Path, model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.config, "quantization_config", {"quant_method": "fp8"}, raising=False)
    with pytest.raises(InputError, match=r"fp8.*\n  → leave out --extras"):
        heedful.study("pico-llama", out=tmp_path / "run", loaded=model, **TINY, extras=True)
    assert not (tmp_path / "run" / "samples.parquet").exists()


@pytest.mark.slow
def test_random_weights_tell_nothing_of_contrast_squares(tmp_path: Path, model: LanguageModel) -> None:
    few = {"tasks": ["register"], "base_prompts": 40, "squares": 40, "samples": 0, "positions": ["response[15]", "eos"]}
    study = heedful.study("pico-llama", out=tmp_path, loaded=model, behaviour_prompts=0, extras=True, **few)
    found = study.extras.sel(kind="contrast", task="register")
    assert float(found.best_auroc.sel(reading="specialist")) > 0.9
    assert (abs(found.auroc.sel(reading="random weights") - 0.5) < 0.1).all()


def test_a_folder_of_weights_is_one_model_however_it_is_spelt_and_wherever_it_lies(
    given_study: heedful.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [card] = [card for card in embedded_models() if card.name == "pico-llama"]
    shutil.copytree(card.path, tmp_path / "m" / "own")
    monkeypatch.chdir(tmp_path)
    answers = given_study.path.parent / "answers.jsonl"
    settings = {"out": tmp_path / "run", "responses_file": answers, "device": "cpu", **WHERE}
    heedful.study("m/own", **settings)
    before = times(tmp_path / "run")
    shutil.copytree("m/own", "elsewhere")
    for spelt in ("./m/own/", tmp_path / "m" / "own", "elsewhere"):
        check_folder(tmp_path / "run", study_settings(str(spelt), responses_file=answers, device="cpu", **WHERE))
        heedful.study(spelt, **settings)
        assert {name: at for name, at in times(tmp_path / "run").items() if name != "manifest.json"} == {
            name: at for name, at in before.items() if name != "manifest.json"
        }
    assert heedful.open_study("run").manifest.settings["model"] == "m/own"

    described = Path("elsewhere/config.json")
    described.write_text(described.read_text() + "\n")
    with pytest.raises(StoreError, match='model "m/own" → "elsewhere"'):
        heedful.study("elsewhere", **settings)
    with pytest.raises(StoreError, match='model "m/own" → "pico-llama"'):
        heedful.study("pico-llama", **settings)
    shutil.copy(described, "m/own/config.json")
    with pytest.raises(StoreError, match="holds answers of another model"):
        heedful.study("m/own", **settings)


def test_a_run_goes_by_its_models_id_or_by_the_end_of_its_folders_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "m" / "own"
    own.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for spelt in ("m/own", "./m/own/", "m/../m/own", str(own)):
        assert folder_of(spelt) == Path("runs/m--own")
    monkeypatch.chdir(own)
    assert folder_of(".") == Path("runs/m--own")
    (own / "pico-llama").mkdir()  # the embedded one goes first
    assert folder_of("pico-llama", "out") == Path("out/pico-llama")
    assert folder_of("Qwen/Qwen2.5-0.5B-Instruct") == Path("runs/Qwen--Qwen2.5-0.5B-Instruct")
    (own / ".hidden").mkdir()
    assert folder_of(".hidden") == Path("runs/own--hidden")


def test_where_nothing_was_erased_while_the_model_wrote_there_is_no_behaviour(given_study: heedful.Study) -> None:
    with pytest.raises(InputError, match="no trace was erased while the model wrote"):
        _ = given_study.behaviour
    assert given_study.summary()["behaviour"] is None


def test_states_and_rows_that_are_not_there_are_told_with_those_that_are(given_study: heedful.Study) -> None:
    data = given_study.data
    rows = data.examples("natural", "word_count")
    with pytest.raises(InputError, match=r"no task 'topics'\n  → choose among word_count, topic"):
        data.examples("natural", "topics")
    with pytest.raises(InputError, match=r"'block\.1\.out' is one site, and states are of several"):
        data.states("block.1.out", "eos", rows)
    with pytest.raises(
        InputError, match=r"site 'block\.9\.out' was not read\n  → choose among block\.1\.out, block\.5\.out"
    ):
        data.states(("block.9.out",), "eos", rows)
    with pytest.raises(InputError, match=r"position 'end' was not read"):
        data.states(("block.1.out",), "end", rows)
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with pytest.raises(InputError, match=r"no rows of kind 'contrastive'\n  → choose among contrast, natural"):
            data.examples("contrastive")  # type: ignore[arg-type]
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def test_finished_studies_are_compared_as_they_are(given_study: heedful.Study, tmp_path: Path) -> None:
    shutil.copytree(given_study.path, tmp_path / "again")
    found = heedful.compare([given_study, heedful.open_study(tmp_path / "again")], out=tmp_path / "out")
    by_path = heedful.compare([given_study.path, tmp_path / "again"], out=tmp_path / "out")
    assert found.claims == by_path.claims
    with pytest.raises(InputError, match="alone is nothing to compare"):
        heedful.compare(given_study, out=tmp_path)  # type: ignore[arg-type]
