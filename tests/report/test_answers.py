"""Pass rates leave out what was not decided, and untrusted text survives marking unharmed."""

from __future__ import annotations

import math
import re
from html import unescape

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.probes import index_groups, jackknife_mean
from heedful.report.answers import answers, marked, overall, pass_rate
from heedful.report.run import Run
from heedful.report.wording import visible


def sample(outcome: str, base: int = 0, finish: str = "stop") -> dict[str, object]:
    return {"outcome": outcome, "base_id": base, "finish_reason": finish}


def test_pass_rate_is_the_cluster_jackknife() -> None:
    scored = [sample("pass" if (i * i) % 3 else "fail", base=i % 7) for i in range(40)]
    values = torch.tensor([float(s["outcome"] == "pass") for s in scored], dtype=torch.float64)
    expected = jackknife_mean(values, index_groups([s["base_id"] for s in scored]).number).interval(scale="logit")
    assert pass_rate(scored) == pytest.approx((float(expected.estimate), float(expected.low), float(expected.high)))


def test_pass_rate_without_enough_to_go_by() -> None:
    assert math.isnan(pass_rate([]).value)
    one = pass_rate([sample("pass"), sample("fail")])
    assert one.value == 0.5
    assert not one.bounded
    perfect = pass_rate([sample("pass", base) for base in range(5)])
    assert perfect.value == 1.0
    assert perfect.low < 0.6  # five of five proves little


def test_what_was_cut_off_or_not_decided_is_counted_and_left_out(run: Run) -> None:
    for each in answers(run):
        mine = [s for s in run.samples if s["kind"] == "natural" and s["task"] == each.task]
        assert each.n == len(mine) == each.passed + each.failed + each.unscored + each.cut_off
        assert each.cut_off == sum(s["finish_reason"] == "length" for s in mine)
        decided = [s for s in mine if s["finish_reason"] == "stop" and s["outcome"] in ("pass", "fail")]
        assert each.scored == len(decided)
        if decided:
            assert each.rate.value == pytest.approx(sum(s["outcome"] == "pass" for s in decided) / len(decided))
        assert each.squares == 30
    assert sum(each.cut_off for each in answers(run)) > 0
    assert sum(each.unscored for each in answers(run)) > 0
    passed, scored = (sum(getattr(each, name) for each in answers(run)) for name in ("passed", "scored"))
    assert overall(run).value == pytest.approx(passed / scored)


def test_examples_are_the_first_of_different_base_prompts(run: Run) -> None:
    for each in answers(run):
        for outcome in ("pass", "fail"):
            mine = [s for s in run.samples if s["task"] == each.task and s["outcome"] == outcome]
            mine = [s for s in mine if s["kind"] == "natural" and s["finish_reason"] == "stop"]
            shown = each.examples[outcome]
            assert len(shown) == min(3, len({s["base_id"] for s in mine}))
            if mine:
                assert shown[0].prompt == mine[0]["prompt"]
                assert shown[0].reason == mine[0]["reason"]


def test_marks_stand_where_the_spans_are() -> None:
    assert marked("a <b> c", [(2, 5)], "fail") == 'a <mark class="fail">&lt;b&gt;</mark> c'
    assert marked("abcdef", [(4, 99), (0, 2), (1, 3)], "pass") == (
        '<mark class="pass">ab</mark><mark class="pass">c</mark>d<mark class="pass">ef</mark>'
    )
    assert marked("abc", [(2, 1), (-5, -1), (7, 9)], "fail") == "abc"


def test_a_long_text_is_cut_round_what_decided() -> None:
    text = "x" * 2000 + "WORD" + "y" * 2000
    html = str(marked(text, [(2000, 2004)], "fail"))
    assert html.startswith("… " + "x" * 200 + '<mark class="fail">WORD</mark>')
    assert html.endswith('<span class="more">… 1,504 more characters</span>')
    assert "more characters" not in marked("x" * 700, [], "pass")
    assert marked("x" * 701, [], "pass").endswith("1 more characters</span>")


@given(text=st.text(max_size=200), spans=st.lists(st.tuples(st.integers(-5, 220), st.integers(-5, 220)), max_size=6))
def test_marking_changes_nothing_but_adds_marks(text: str, spans: list[tuple[int, int]]) -> None:
    html = str(marked(text, spans, "fail"))
    bare = re.sub(r'<mark class="fail">|</mark>', "", html)
    assert "<" not in bare
    assert unescape(bare) == visible(text)
    assert len(visible(text)) == len(text)
    inside = {i for start, end in spans for i in range(max(start, 0), min(end, len(text)))}
    found = "".join(unescape(m) for m in re.findall(r'<mark class="fail">(.*?)</mark>', html, re.S))
    assert found == "".join(visible(text)[i] for i in sorted(inside))
