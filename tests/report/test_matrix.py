"""The transfer matrix as drawn: every pair once, in the tree's order; a tree that joins all; nothing for nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from heedful.report import render_report
from heedful.report.matrix import drops, matrix
from heedful.report.run import Run, read_run
from heedful.report.summary import summarise


def test_every_pair_is_drawn_once_in_the_order_of_the_tree(run: Run) -> None:
    m = matrix(run.transfer, "contrast")
    assert m is not None
    n = len(run.tasks)
    assert len(m.grid.cells) == len({(cell.x, cell.y) for cell in m.grid.cells}) == n * n
    assert [name for _, name in m.grid.rows] == [name for _, name in m.grid.columns]
    assert sum(cell.text.startswith("trained on topic, read on sentiment: 0.7") for cell in m.grid.cells) == 1
    assert (m.grid.told, m.grid.reversed, m.grid.pairs) == (2, 0, n * (n - 1))
    assert all(
        m.grid.left <= cell.x <= m.grid.width - m.grid.cell and m.grid.top <= cell.y <= m.grid.height - m.grid.cell
        for cell in m.grid.cells
    )
    assert all(abs(cell.shade) <= 10 for cell in m.grid.cells)


def test_the_tree_joins_all_tasks_in_the_end(run: Run) -> None:
    m = matrix(run.transfer, "contrast")
    assert m is not None
    assert len(m.grid.branches) == len(run.tasks) - 1
    assert m.grid.branches[-1].text.count(",") == len(run.tasks) - 1
    assert [branch.x for branch in m.grid.branches] == sorted(branch.x for branch in m.grid.branches)
    assert m.grid.branches[0].support == "90"


def test_tasks_without_rows_are_not_drawn(run: Run) -> None:
    m = matrix(run.transfer, "natural")
    assert m is not None
    assert len(m.grid.rows) == len(run.tasks) - 1
    assert "toxicity" not in {name for _, name in m.grid.rows}


@pytest.mark.parametrize("tasks", [("topic",), ("topic", "sentiment")])
def test_with_one_task_there_is_no_matrix_and_the_page_says_so(
    make_run: Callable[..., Path], tasks: tuple[str, ...]
) -> None:
    folder = make_run(tasks=tasks, too_few=())
    assert (matrix(read_run(folder).transfer, "contrast") is None) == (len(tasks) == 1)
    assert ("Fewer than two tasks have enough rows" in render_report(folder)) == (len(tasks) == 1)


def test_drops_stand_in_the_order_of_transfer_and_edges_are_named(run: Run) -> None:
    d, m = drops(run.ablation, run.transfer, "contrast"), matrix(run.transfer, "contrast")
    assert d is not None
    assert m is not None
    assert d.grid.rows == m.grid.rows
    assert not d.grid.branches
    assert [(edge.erased, edge.target) for edge in d.edges] == [("topic", "sentiment")]
    assert d.grid.told == 1
    assert (d.own.value, d.damage["refitted"].value) == pytest.approx((0.8, 0.05))
    after = {task: left.value for task, _, left in d.left}
    assert len(after) == len(run.tasks)
    assert after["json"] == pytest.approx(0.65)
    assert after["topic"] == pytest.approx(0.5)


def test_the_summary_says_what_transfers(ordinary_run: Path) -> None:
    summary = summarise(ordinary_run)
    assert "two of 72 pairs are told from chance" in summary["summary"]
    assert "topic with sentiment does so more than the other pairs (difference 0.12 [0.09, 0.15])" in summary["summary"]
    assert summary["transfer"]["natural"]["pairs"] == 56
    assert "in one of 72 pairs (most of all topic → sentiment)." in summary["summary"]
    told = "another skill loses 0.06 [0.03, 0.09] times what the erased one loses itself."
    assert told in summary["summary"]
    assert summary["ablation"]["contrast"]["own"]["value"] == pytest.approx(0.8)
    assert [edge["target"] for edge in summary["ablation"]["contrast"]["edges"]] == ["sentiment"]
    assert summary["transfer"]["contrast"]["auroc"]["topic"]["sentiment"] > 0.65


@pytest.mark.parametrize(
    ("tasks", "unread", "named"),
    [
        (("json", "topic", "sentiment", "toxicity"), (), [("topic", "sentiment")]),
        (("json", "exclude", "topic", "sentiment", "toxicity"), ("exclude",), [("topic", "sentiment")]),
        (("json", "exclude", "topic", "sentiment", "toxicity"), (), [("topic", "sentiment"), ("exclude", "toxicity")]),
    ],
)
def test_only_pairs_that_took_part_are_named(
    make_run: Callable[..., Path], tasks: tuple[str, ...], unread: tuple[str, ...], named: list[tuple[str, str]]
) -> None:
    run = read_run(make_run(tasks=tasks, too_few=()))
    for task in tasks:
        low = 0.45 if task in unread else 0.6
        run.transfer["auroc_low"].loc[{"kind": "contrast", "source": task, "target": task}] = low
    for pair in run.transfer["pair"].values:
        if {*str(pair).split(" and ")} & {*unread}:
            run.transfer["planned"].loc[{"kind": "contrast", "pair": pair}] = float("nan")
    found = matrix(run.transfer, "contrast")
    assert found is not None
    assert found.unread == list(unread)
    assert [(a, b) for a, b, _ in found.planned] == named
