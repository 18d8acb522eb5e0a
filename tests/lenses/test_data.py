"""Which rows take part, and on what scale their states are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from heedful.errors import InputError
from heedful.lenses import StudyData
from heedful.lenses.data import Examples
from heedful.probes import grouped_folds

Write = Callable[..., StudyData]


def test_tasks_come_in_the_standard_order_with_their_families(write_study: Write, planted: Any) -> None:
    data = write_study(planted(tasks=("register", "topic", "my own", "word_count"), squares=6))
    assert data.tasks == ("word_count", "topic", "register", "my own")
    assert data.families == ("structural", "semantic", "stylistic", "")


def test_a_task_without_rows_is_listed_if_asked_for(write_study: Write, planted: Any) -> None:
    data = write_study(planted(tasks=("topic",), squares=6), tasks={"json": "structural", "topic": "semantic"})
    assert data.tasks == ("json", "topic")
    assert len(data.examples("contrast", "json")) == 0
    assert not data.examples("contrast", "json").enough


def test_all_tasks_and_kinds_share_the_folds_of_base_prompts(write_study: Write, planted: Any) -> None:
    data = write_study(planted(squares={"topic": 30, "include": 3}, natural=7, tasks=("topic", "include")))
    expected = grouped_folds(list(range(24)), 4, 0)
    for kind in ("contrast", "natural"):
        rows = data.examples(kind)
        assert torch.equal(rows.fold, expected[rows.base])


def cut_off_one(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
    rows[5]["finish_reason"] = "length"  # a cell of the second square
    rows[-40]["finish_reason"] = "length"  # a natural row


def test_a_cut_off_row_takes_its_whole_square_out_and_a_natural_row_alone(write_study: Write, planted: Any) -> None:
    data = write_study(planted(tasks=("topic",), squares=6, natural=20, edit=cut_off_one))
    contrast, natural = data.examples("contrast"), data.examples("natural")
    assert len(contrast) == 20
    assert torch.bincount(contrast.unit).tolist().count(4) == 5
    assert data.column("square_id", contrast).count("topic-1") == 0
    assert len(natural) == 19


def lack_a_position(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
    index[1, 9] = -1  # response[7] of a cell of the third square


def test_a_square_that_lacks_a_position_is_left_out_there_and_stays_elsewhere(write_study: Write, planted: Any) -> None:
    data = write_study(planted(tasks=("topic",), squares=6, edit=lack_a_position))
    rows = data.examples("contrast")
    gone = (~data.valid("response[7]", rows)).nonzero().squeeze(-1)
    assert gone.tolist() == [8, 9, 10, 11]
    assert bool(data.valid("eos", rows).all())
    assert bool(data.states(data.sites, "response[7]", rows.take(data.valid("response[7]", rows))).isfinite().all())


def test_features_are_scaled_by_the_reference_rows_alone(write_study: Write, planted: Any) -> None:
    data = write_study(planted(tasks=("topic",), squares=6, n_reference=40))
    raw = data.activations.get("embed", "eos")
    reference = raw[-40:]
    scale = data.scale("embed", "eos")
    assert torch.allclose(scale.center, reference.sort(0).values[19:21].mean(0))
    rows = data.examples("contrast")
    assert torch.allclose(data.states(("embed",), "eos", rows)[0], (raw[:24] - scale.center) / scale.spread)


def few_references_at_response(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
    index[1, -23:] = -1  # 7 of 30 reference texts are long enough


def test_a_position_that_few_references_reach_borrows_the_nearest_scale(write_study: Write, planted: Any) -> None:
    data = write_study(planted(tasks=("topic",), squares=6, edit=few_references_at_response))
    assert data.borrowed == (("response[7]", "prompt[-1]", 7),)
    assert data.scale("embed", "response[7]") is data.scale("embed", "prompt[-1]")  # fitted once


def one_prompt(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
    for row in rows:
        row["prompt_ids"] = [1]
        row["response_ids"] = [int(row["row_id"][1:]), *row["response_ids"]]


def test_references_that_share_their_prompt_measure_no_spread_at_its_end(write_study: Write, planted: Any) -> None:
    data = write_study(planted(tasks=("topic",), squares=6, edit=one_prompt))
    assert data.borrowed == (("prompt[-1]", "response[7]", 1),)


def test_too_few_references_say_how_many_are_needed(write_study: Write, planted: Any) -> None:
    with pytest.raises(InputError, match=r"7 reference rows are too few .*\n.*at least 8 neutral"):
        write_study(planted(tasks=("topic",), squares=6, n_reference=7))


def drop_constraint(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
    for row in rows:
        del row["constraint"]


def test_a_table_of_another_kind_is_refused_by_name_of_the_column(write_study: Write, planted: Any) -> None:
    with pytest.raises(InputError, match="lacks constraint"):
        write_study(planted(tasks=("topic",), squares=6, edit=drop_constraint))


def test_training_weights_balance_the_classes_and_leave_held_out_templates_out(
    write_study: Write, planted: Any
) -> None:
    rows = write_study(planted(tasks=("topic", "include"), squares=0, natural=120)).examples("natural")
    weight = rows.weight
    assert bool((weight[rows.held_out] == 0).all())
    assert bool(rows.held_out.any())
    for task in (0, 1):
        mine = (rows.task == task) & ~rows.held_out
        sides = [weight[mine & (rows.label == value)].sum() for value in (0, 1)]
        assert torch.allclose(sides[0], sides[1])
        assert torch.allclose(sides[0] + sides[1], mine.sum().float())


@pytest.mark.parametrize(("squares", "enough"), [(24, False), (25, True)])
def test_25_squares_are_enough(write_study: Write, planted: Any, squares: int, enough: bool) -> None:
    assert write_study(planted(tasks=("topic",), squares=squares)).examples("contrast", "topic").enough == enough


def test_permuted_labels_stay_in_their_base_prompt_and_move_between_prompts_that_were_answered_once() -> None:
    base = torch.tensor([0, 0, 0, 0, *range(1, 41)])
    fold = torch.cat([torch.zeros(4, dtype=torch.long), torch.arange(40) % 2])
    label = torch.tensor([1, 1, 0, 0] * 11)
    n = torch.arange(len(base))
    rows = Examples("natural", n, n, torch.zeros_like(n), label, base, n, fold, torch.zeros(len(n), dtype=torch.bool))
    drawn = rows.permuted(50, 0)
    assert (drawn[:, :4].sum(1) == 2).all()  # four answers to one prompt
    assert (drawn != label).any(0).all()  # every label moves, those of prompts answered once as well
    for f in (0, 1):  # and each fold keeps its positives
        assert (drawn[:, fold == f].sum(1) == label[fold == f].sum()).all()
