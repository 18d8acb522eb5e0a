"""`heedful ifeval`: scores, rows, exit status, the page, and bad input. Runs the real command in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from heedful.cli import main

INPUTS = [
    {
        "key": 1,
        "prompt": "A",
        "instruction_id_list": ["punctuation:no_comma", "startend:quotation"],
        "kwargs": [{}, {}],
    },
    {
        "key": 2,
        "prompt": "B",
        "instruction_id_list": ["length_constraints:number_words"],
        "kwargs": [{"num_words": 2, "relation": "at least", "keywords": None}],
    },
    {"key": 3, "prompt": "C", "instruction_id_list": ["detectable_format:title"], "kwargs": [{}]},
]
ANSWERS = [
    {"prompt": "A", "response": 'Sure:\n"a b"'},
    {"prompt": "B", "response": "one two"},
    {"prompt": "C", "response": " "},
]


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Run:
    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys

    def __call__(
        self, *flags: str, inputs: Sequence[Any] | str = INPUTS, answers: Sequence[Any] | str = ANSWERS
    ) -> Ran:
        for name, rows in (("inputs.jsonl", inputs), ("answers.jsonl", answers)):
            text = rows if isinstance(rows, str) else "\n".join(map(json.dumps, rows))
            (self.folder / name).write_text(text, encoding="utf-8")
        status = main(
            ["ifeval", str(self.folder / "answers.jsonl"), "--inputs", str(self.folder / "inputs.jsonl"), *flags]
        )
        return Ran(status, *self.capsys.readouterr())


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tmp_path, capsys)


def test_rows_are_in_the_order_of_the_inputs(run: Run) -> None:
    ran = run("--json", answers=ANSWERS[::-1])
    assert ran.status == ran.json["status"] == 1
    assert [(row["key"], row["strict"], row["loose"]) for row in ran.json["rows"]] == [
        (1, [True, False], [True, True]),
        (2, [True], [True]),
        (3, [False], [False]),  # an empty response fails
    ]
    strict, loose = ran.json["accuracy"]["strict"], ran.json["accuracy"]["loose"]
    assert (strict["prompt"]["passed"], strict["prompt"]["scored"]) == (1, 3)
    assert (loose["prompt"]["passed"], loose["instruction"]["passed"]) == (2, 3)
    assert strict["by_type"]["startend:quotation"]["value"] == 0.0
    assert set(strict["by_family"]) == {"punctuation", "startend", "length_constraints", "detectable_format"}


def test_the_table_names_levels_types_and_shares(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "56")
    narrow = run().out  # names are folded, and numbers never cut
    assert "…" not in narrow
    assert narrow.count("[") == narrow.count("]") > 10
    monkeypatch.setenv("COLUMNS", "80")
    ran = run()
    for shown in ("3 responses, judged as the reference judges", "prompt", "33.3 [", "66.7 [", "punctuation:no_comma"):
        assert shown in ran.out


def test_exit_status(run: Run) -> None:
    assert run(answers=[ANSWERS[1]], inputs=[INPUTS[1]]).status == 0
    assert run(answers=[ANSWERS[1]], inputs=INPUTS[:2]).status == 3  # nothing violated, and one prompt unanswered
    assert run(answers=[ANSWERS[1], ANSWERS[2]]).status == 1


def test_what_is_unmatched_is_counted_and_in_no_share(run: Run) -> None:
    ran = run("--json", answers=[ANSWERS[1], {"prompt": "Z", "response": "?"}])
    assert (ran.json["prompts"], ran.json["missing"], ran.json["unknown"]) == (3, 2, 1)
    assert [row["strict"] for row in ran.json["rows"]] == [[None, None], [True], [None]]
    assert ran.json["accuracy"]["strict"]["prompt"]["scored"] == 1
    assert ran.json["notes"] == [
        "2 prompts without a response: in no share, null in the rows (key 1, 3).",
        "1 response to prompts that are not among the inputs: left out.",
    ]


IFBENCH = [
    {
        "key": "0",
        "prompt": "E ",
        "instruction_id_list": ["count:numbers", "punctuation:no_comma"],
        "kwargs": [{"N": 2.0, "keyword1": None, "num_words": None}, {"N": None, "reference_text": None}],
    },
    {"key": "1", "prompt": "F", "instruction_id_list": ["words:start_verb"], "kwargs": [{"N": None}]},
]


def test_one_command_scores_ifbench_and_mixed_files(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    answers = [{"prompt": "E", "response": "1 and 3-5"}, {"prompt": "F", "response": "Go."}]
    ran = run("--json", inputs=[*IFBENCH, *INPUTS], answers=answers + ANSWERS)
    assert [(row["key"], row["strict"]) for row in ran.json["rows"]][:3] == [
        ("0", [True, True]),
        ("1", [None]),
        (1, [True, False]),
    ]
    assert ran.json["accuracy"]["strict"]["by_type"]["words:start_verb"]["value"] is None
    assert "1 instruction unscored, words:start_verb: it needs a part-of-speech tagger" in ran.json["notes"][0]
    assert "IFEval and IFBench: 5 responses" in run(inputs=[*IFBENCH, *INPUTS], answers=answers + ANSWERS).out
    numbers = {"prompt": "E", "instruction_id_list": ["count:numbers"], "kwargs": [{"N": 2}]}
    alone = run("--corrected", inputs=[numbers], answers=answers)
    assert alone.out.startswith("IFBench: 1 responses")
    assert "'3-5' and a date are several numbers, not one (2 numbers, exactly 2 → 3 numbers, exactly 2)" in " ".join(
        alone.out.split()
    )


def test_what_is_never_scored_is_no_pass(run: Run) -> None:
    ran = run("--json", inputs=IFBENCH[1:], answers=[{"prompt": "F", "response": "Go."}])
    assert ran.status == 3
    assert ran.json["accuracy"]["strict"]["prompt"]["scored"] == 0


def test_white_space_around_a_prompt_makes_no_difference_and_the_exact_one_goes_first(run: Run) -> None:
    twins = [INPUTS[1], {**INPUTS[1], "key": 9, "prompt": " B\n"}]
    ran = run(
        "--json", inputs=twins, answers=[{"prompt": "B", "response": "one"}, {"prompt": " B\n", "response": "one two"}]
    )
    assert [row["strict"] for row in ran.json["rows"]] == [[False], [True]]
    ran = run(
        "--json", inputs=twins, answers=[{"prompt": "B ", "response": "one two"}, {"prompt": "Z", "response": "?"}]
    )
    assert ([row["strict"] for row in ran.json["rows"]], ran.json["unknown"]) == ([[True], [True]], 1)


def test_the_letter_that_the_reference_draws_is_told(run: Run) -> None:
    kwargs = {"letter": "#", "let_frequency": 1, "let_relation": "at least"}
    row = {"key": 7, "prompt": "D", "instruction_id_list": ["keywords:letter_frequency"], "kwargs": [kwargs]}
    ran = run("--json", inputs=[row], answers=[{"prompt": "D", "response": "# a"}])
    assert ran.json["rows"][0]["strict"] == [True]
    assert "draws a random letter" in ran.json["notes"][0]


def test_corrected_lists_what_differs_and_why(run: Run) -> None:
    contradiction = {
        "key": 4,
        "prompt": "D",
        "instruction_id_list": ["combination:repeat_prompt", "punctuation:no_comma"],
        "kwargs": [{"prompt_to_repeat": "a, b"}, {}],
    }
    answers = [{"prompt": "A", "response": "“a，b”"}, *ANSWERS[1:], {"prompt": "D", "response": "a, b"}]
    ran = run("--json", "--corrected", inputs=[*INPUTS, contradiction], answers=answers)
    assert [(row["key"], row["strict"]) for row in ran.json["rows"]] == [
        (1, [False, True]),
        (2, [True]),
        (3, [False]),
        (4, [None, None]),
    ]
    differences = ran.json["differences"]
    assert [(each["key"], each["instruction"], each["strict"]) for each in differences] == [
        (1, "punctuation:no_comma", ["pass", "fail"]),
        (1, "startend:quotation", ["fail", "pass"]),
        (4, "combination:repeat_prompt", ["pass", "unscored"]),
        (4, "punctuation:no_comma", ["fail", "unscored"]),
    ]
    assert differences[0]["why"].startswith("commas of other scripts are commas (0 commas → 1 comma)")
    assert "must be repeated violates" in differences[2]["why"]
    assert "no text follows them together" in ran.json["notes"][0]
    shown = run("--corrected", inputs=[*INPUTS, contradiction], answers=answers)
    assert "4 instructions are judged otherwise" in shown.out
    assert run("--json").json["differences"] == []


def test_the_page_is_one_file_without_a_script(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    page = tmp_path / "ifeval.html"
    nasty = {**INPUTS[2], "prompt": "<script>alert(1)</script>"}
    answers = [ANSWERS[0], {"prompt": nasty["prompt"], "response": "x"}]
    run("--html", str(page), "--corrected", inputs=[INPUTS[0], nasty], answers=answers)
    html = page.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "default-src 'none'" in html
    assert "http:" not in html
    for shown in ("answers.jsonl", "startend:quotation", "50.0 %", "What is corrected", "What was not followed"):
        assert shown in html


def test_a_page_that_cannot_be_written_is_said_before_anything_is_judged(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "a.html", tmp_path):
        ran = run("--html", str(place))
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith(f"heedful: {place} cannot be written")
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_page_that_cannot_be_written_any_more_takes_no_figures_along(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("heedful.cli.pages.check_page", lambda path: None)
    ran = run("--html", str(tmp_path / "file" / "a.html"))
    assert ran.status == 2
    assert "By type of instruction" in ran.out
    assert "a.html cannot be written" in ran.err


def test_without_jinja_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ran = run("--html", str(tmp_path / "a.html"))
    assert ran.status == 2
    assert "pip install jinja2" in ran.err


@pytest.mark.parametrize(
    ("inputs", "answers", "said"),
    [
        (INPUTS, "{bad", "answers.jsonl, line 1 is not JSON"),
        (INPUTS, json.dumps(ANSWERS[0]) + "\n\n[1]", "answers.jsonl, line 3 is not a JSON object"),
        (INPUTS, [{"prompt": "A"}], "answers.jsonl, line 1 has no field 'response'"),
        (INPUTS, [{"prompt": "A", "response": None}], "write '' for an empty response"),
        (INPUTS, [ANSWERS[0], ANSWERS[0]], "answers.jsonl, lines 1 and 2 have the same prompt"),
        (INPUTS, [{"prompt": "a", "response": "x"}], "none is to one of the 3 prompts; its first is to “a”"),
        (INPUTS, "", "answers.jsonl holds no responses"),
        ([INPUTS[0], INPUTS[0]], ANSWERS, "inputs.jsonl, lines 1 and 2 have the same prompt"),
        ([INPUTS[0], {**INPUTS[1], "key": 1}], ANSWERS, "have the same key: “1”"),
        ("", ANSWERS, "inputs.jsonl holds no prompts"),
        ([{**INPUTS[0], "kwargs": [{}]}], ANSWERS, "inputs.jsonl, line 1: 2 instructions and 1 kwargs"),
        ([{**INPUTS[2], "instruction_id_list": ["nope"]}], ANSWERS, "line 1, instruction 1: neither IFEval nor IFBench has"),
        ([{**INPUTS[2], "kwargs": [{"foo": 1}]}], ANSWERS, "line 1, instruction 1: ifeval/detectable_format_title: 'foo'"),
        ([{**INPUTS[2], "instruction_id_list": []}], ANSWERS, "line 1: 'instruction_id_list' is not a list of ids"),
    ],
)  # fmt: skip
def test_bad_input_is_told(run: Run, inputs: Any, answers: Any, said: str) -> None:
    ran = run("--json", inputs=inputs, answers=answers)
    assert ran.status == 2
    assert said in ran.err
    assert ran.json["error"]["cure"]


def test_responses_may_come_through_a_pipe(run: Run, tmp_path: Path) -> None:
    said = run("--json").out
    done = subprocess.run(
        [sys.executable, "-m", "heedful", "ifeval", "-", "--inputs", str(tmp_path / "inputs.jsonl"), "--json"],
        input=(tmp_path / "answers.jsonl").read_bytes(),
        capture_output=True,
    )
    assert done.stdout.decode() == said


def test_it_loads_neither_tensors_nor_nltk() -> None:
    code = (
        "import sys; import heedful.cli, heedful.cli.bars, heedful.constraints.ifeval.report; "
        "print({'torch', 'nltk', 'numpy', 'langdetect', 'jinja2'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert ran.stdout.strip() == "set()"
