"""Several models with one command: each in a folder of its own, and one that fails takes none with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import heedful
from heedful.cli import main
from heedful.errors import InputError, ModelError
from heedful.pipeline.several import PRESETS, study_several

ASKED = (
    "--base-prompts 10 --samples 4 --squares 2 --tasks word_count,topic --max-new-tokens 24 "
    "--positions response[3],eos --sites block.1.out,block.5.out"
).split()


def test_two_models_and_one_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{}")
    asked = ["study", "pico-llama", str(broken), "pico-qwen", *ASKED, "--out", str(tmp_path / "out"), "--json"]
    assert main(asked) == 2
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert [*found["models"]] == ["pico-llama", "pico-qwen"]
    assert "broken" in told.err
    assert (tmp_path / "out" / "comparison.html").is_file()
    assert heedful.open_study(tmp_path / "out" / "pico-qwen").samples["text"]
    again = heedful.compare([tmp_path / "out" / name for name in found["models"]], out=tmp_path / "again")
    assert again.claims == found["claims"]


def test_presets_name_the_papers_models_and_the_embedded_ones() -> None:
    assert set(PRESETS["pico"]) == {"pico-llama", "pico-gemma", "pico-qwen"}
    assert [name.split("/")[0] for name in PRESETS["rocchetti-2026"]] == ["meta-llama", "google", "Qwen"]


def test_a_dry_run_sizes_each_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "--preset", "pico", "--dry-run", "--json", "--out", str(tmp_path), *ASKED]) == 0
    assert [cost["model"] for cost in json.loads(capsys.readouterr().out)] == [*PRESETS["pico"]]


def test_bad_input_names_cause_and_cure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "--preset", "everything"]) == 2
    assert "choose among pico, rocchetti-2026" in capsys.readouterr().err
    assert main(["study", "pico-llama", "--preset", "pico"]) == 2
    assert "give one of the two" in capsys.readouterr().err
    with pytest.raises(InputError, match="named twice"):
        study_several(["pico-llama", "pico-llama"], out=tmp_path)
    with pytest.raises(InputError, match="did you mean 'samples'"):
        study_several(["pico-llama", "pico-qwen"], out=tmp_path, sampels=3)
    assert not any(tmp_path.iterdir())
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="mixed"):
        heedful.compare([tmp_path / "a", "pico-llama"], out=tmp_path)
    for few in ([], [tmp_path / "nowhere"], [tmp_path / "a"]):
        with pytest.raises(InputError, match="name two or more"):
            heedful.compare(few, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ModelError, match="there is no folder"):
        heedful.compare([str(tmp_path / "nowhere"), str(tmp_path / "neither")], out=tmp_path)
