"""The examples run as they stand."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import heedful
from heedful.prompts.skill_files import skills_from

Run = Callable[..., str]
EXAMPLES = Path(__file__).parent.parent / "examples"
SMALL = {
    "base_prompts": 20,
    "samples": 4,
    "squares": 30,
    "pool": 4,
    "tasks": ("word_count", "register"),
    "max_new_tokens": 48,
    "sites": ("block.1.out", "block.7.out"),
    "positions": ("response[-1]", "eos"),
    "behaviour_prompts": 0,
    "erasers": ("leace",),
}


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("examples")
    return [str(heedful.study(name, out=folder / name, **SMALL).path) for name in ("pico-llama", "pico-qwen")]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs an example as a script; gives what it prints."""

    def script(name: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [str(EXAMPLES / name), *arguments])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return script


def test_a_text_is_checked_and_mended(run: Run) -> None:
    assert run("check_and_mend.py").endswith("mended: ['pass', 'pass', 'pass']\n")


def test_results_open_in_three_lines(run: Run, studies: list[str]) -> None:
    said = run("open_results.py", studies[0])
    assert "word_count" in said
    assert "C6 undecided" in said


def test_a_probe_of_ones_own_reads_a_studys_rows(run: Run, studies: list[str]) -> None:
    assert float(run("what_probes_read.py", studies[0]).split("AUROC ")[1][:4]) > 0.6


@pytest.mark.slow
def test_a_probe_of_ones_own_reads_answers_that_were_given(run: Run, tmp_path: Path) -> None:
    starts = ("the cat sat", "we went home", "it was late", "a dog barked", "rain fell again")
    records = [
        {
            "prompt": f"Write line {group} of a note in at most 5 words.",
            "response": f"{starts[i % 5]} {'today' if i < 5 else 'and then nobody knew what to say'} {group}",
            "constraints": [{"id": "structural/word_count", "at_most": 5}],
        }
        for group in range(10)
        for i in range(10)
    ]
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(json.dumps(record) + "\n" for record in records))
    where = {name: SMALL[name] for name in ("tasks", "sites", "positions", "erasers")}
    done = heedful.study("pico-llama", out=tmp_path / "run", responses_file=answers, **where)
    assert "word_count, natural labels, at block.7.out, eos: AUROC 1.00 on 20 rows" in run(
        "what_probes_read.py", str(done.path)
    )


def test_two_studies_are_compared(run: Run, studies: list[str], tmp_path: Path) -> None:
    assert "pico-qwen {'C1'" in run("compare_models.py", *studies, str(tmp_path))
    assert (tmp_path / "comparison.html").is_file()


def test_skills_of_ones_own_can_be_studied_as_they_are_written() -> None:
    page = (EXAMPLES.parent / "docs" / "skills.md").read_text(encoding="utf-8")
    shown = [skills_from(yaml.safe_load(block.split("```")[0]))[0] for block in page.split("```yaml\n")[1:]]
    assert [skill.name for skill in shown] == ["sentences", "first_person"]
    assert list(skills_from(EXAMPLES / "my_skills.yaml")) == shown


def test_what_an_example_needs_is_said(run: Run) -> None:
    with pytest.raises(SystemExit, match=r"Run: python examples/compare_models\.py RUN_FOLDER RUN_FOLDER"):
        run("compare_models.py")


def test_every_example_is_tried_here() -> None:
    tried = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{path.name}"' in tried for path in EXAMPLES.glob("*.py"))
