"""Behind each point are rows of its task: those that the results name, with what their verifier marks."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from heedful.constraints import constraint_from
from heedful.report.answers import marked
from heedful.report.behaviour import in_the_model
from heedful.report.disturbed import pairs
from heedful.report.rows import GROUPS, _places, rows_behind
from heedful.report.run import Run


@pytest.mark.parametrize("kind", ["contrast", "natural"])
def test_shown_rows_are_those_that_the_results_name(run: Run, kind: str) -> None:
    by_id = {row["row_id"]: row for row in run.rows}
    shown = rows_behind(run, kind)
    assert "topic" in shown
    assert ("toxicity" in shown) == (kind == "contrast")  # too few natural rows
    n_marked = 0
    for task, behind in shown.items():
        for (label, end), heading in GROUPS.items():
            found = run.extremes.sel(kind=kind, task=task, label=label, end=end)
            for rank, one in enumerate(behind.groups[heading]):
                row = by_id[str(found["row_id"].values[rank])]
                assert one.outcome == {"complies": "pass", "violates": "fail"}[label]
                assert unescape(str(one.prompt)) == row["prompt_text"]
                verdict = constraint_from(json.loads(row["constraint"])).check(row["response_text"])
                agrees = verdict.outcome == one.outcome
                assert one.reason == (verdict.reason if agrees else "")
                spans = verdict.spans if agrees else ()
                assert one.text == marked(row["response_text"], spans, one.outcome, longest=500)
                n_marked += "<mark" in one.text
                share = round(100 * float(found["placement"].values[rank]))
                assert (
                    f"above {share}\u00a0% of the {'violating' if label == 'complies' else 'complying'} rows"
                    in one.place
                )
    assert n_marked > 0


def test_a_line_has_a_gap_where_a_row_lacks_the_token() -> None:
    nan = float("nan")
    assert _places(["a", "b", "c", "d"], [0.0, nan, 0.5, 1.0], 3).line == "M4,24M79,14L116,4"
    alone = _places(["embed"], [0.5], 0)
    assert (alone.line, alone.at) == ("M4,14", (4, 14))
    assert "from 50\u00a0% at embed to 50\u00a0% at embed" in alone.told


def test_lost_compliance_is_shown_before_any_other_answer(run: Run) -> None:
    acted = in_the_model(run.behaviour, run.transfer)
    assert acted is not None
    found = pairs(run, acted)
    assert list(found) == acted.grid.tasks
    for erased, shown in found.items():
        assert [each.target for each in shown] == acted.grid.tasks
        for each in shown:
            lost = each.target == erased
            assert (each.undisturbed.outcome, each.erased.outcome) == ("pass", "fail" if lost else "pass")
            assert each.same == (not lost)
            assert each.change.value == float(
                run.behaviour["change"].sel(
                    how="leace", where="chosen", variant="erased", erased=erased, target=each.target
                )
            )


def test_cells_and_names_lead_to_the_task_that_they_are_about(ordinary_page: str) -> None:
    links = re.findall(r'<a href="#(rows-0|acts)-([\w-]+)" tabindex="-1">.*?<title>(.*?)</title>', ordinary_page)
    read = [(to, title) for kind, to, title in links if kind == "rows-0"]
    assert len(read) == (2 + 3) * 81  # transfer, erasure, and transfer between best sites by three maps
    for to, title in read:
        asked = re.search(r"read on ([\w ]+):|, ([\w ]+) read:", title)
        assert asked is not None
        names = {"word count": "word_count", "character count": "char_count", "JSON format": "json",
                 "term inclusion": "include", "term exclusion": "exclude"}  # fmt: skip
        name = asked[1] or asked[2]
        assert to == names.get(name, name)
    assert len([to for kind, to, _ in links if kind == "acts"]) == 81
    assert ordinary_page.count('class="behind"') > 100
