"""What is read at a site and position is what was written there, whatever the shards and batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from heedful.errors import StoreError
from heedful.models.reading import ReadBatch
from heedful.store import Activations, ActivationWriter, RunFolder

SITES = ("embed", "block.0.out", "block.10.out")
POSITIONS = ("prompt[-1]", "eos")
HIDDEN = 4


def whole(n: int, dtype: torch.dtype = torch.bfloat16) -> ReadBatch:
    """n rows; every third has no EOS."""
    generator = torch.Generator().manual_seed(n)
    states = torch.randn(len(SITES), len(POSITIONS), n, HIDDEN, generator=generator).to(dtype)
    index = torch.stack([torch.zeros(n, dtype=torch.long), torch.arange(n) % 3])
    gone = torch.stack([torch.zeros(n, dtype=torch.bool), torch.arange(n) % 3 == 0])
    states[:, gone] = torch.nan
    index = index.masked_fill(gone, -1)
    tokens = torch.where(gone, -1, 100 * torch.arange(n) + index)
    rows, of_rows = tuple(range(n)), (torch.arange(n) / 7, None, torch.arange(n) / 9)
    return ReadBatch(rows, SITES, POSITIONS, states, ~gone, index, tokens, *of_rows)


def ids_of(n: int) -> list[str]:
    return [f"row-{(7 * i) % n}" if n % 7 else f"row-{i}" for i in range(n)]


def part(read: ReadBatch, start: int, at: Sequence[int]) -> ReadBatch:
    """Rows start + at of `read`, numbered within their shard."""
    rows = torch.tensor([start + i for i in at], dtype=torch.long)
    return replace(
        read,
        rows=tuple(at),
        states=read.states[:, :, rows],
        valid=read.valid[:, rows],
        token_index=read.token_index[:, rows],
        token_ids=read.token_ids[:, rows],
        log_p=None if read.log_p is None else read.log_p[rows],
        max_softmax=None if read.max_softmax is None else read.max_softmax[rows],
    )


def store(run: RunFolder, read: ReadBatch, rows_per_shard: int, batch: int = 3) -> list[Path]:
    """Write `read` shard by shard, each in batches from its end to its start."""
    n = len(read.rows)
    stage = run.stage("read")
    writer = ActivationWriter(stage, ids_of(n), row_bytes=10, shard_bytes=10 * rows_per_shard)
    for shard in writer.pending():
        start = writer.shards.index(shard) * rows_per_shard
        order = list(range(len(shard.row_ids)))[::-1]
        writer.write(shard, (part(read, start, order[i : i + batch]) for i in range(0, len(order), batch)))
    stage.finish()
    return run.files("read", "activations/", verify=True)


def same(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a.nan_to_num(-9), b.nan_to_num(-9))


@settings(max_examples=40)  # the disk decides how long one takes
@given(
    st.integers(1, 20), st.integers(1, 8), st.sampled_from([torch.bfloat16, torch.float32, torch.float16]), st.data()
)
def test_reads_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, n: int, rows_per_shard: int, dtype: torch.dtype, data: st.DataObject
) -> None:
    read = whole(n, dtype)
    rows = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=25)), dtype=np.int64)
    with RunFolder.open(tmp_path_factory.mktemp("run"), {}) as run:
        activations = Activations(store(run, read, rows_per_shard))
    assert activations.sites == SITES
    assert activations.positions == POSITIONS
    assert activations.row_ids == tuple(ids_of(n))
    assert activations.index(activations.row_ids).tolist() == list(range(n))
    for s, site in enumerate(SITES):
        for p, position in enumerate(POSITIONS):
            assert same(activations.get(site, position), read.states[s, p])
            assert same(activations.get(site, position, rows), read.states[s, p][torch.from_numpy(rows)])
            assert torch.equal(activations.valid(position), read.token_index[p] >= 0)
            assert torch.equal(activations.token_id(position), read.token_ids[p])
    log_p = activations.log_p()
    assert log_p is not None
    assert torch.equal(log_p, torch.arange(n) / 7)
    assert activations.log_p(eos=True) is None
    sure = activations.max_softmax()
    assert sure is not None
    assert torch.equal(sure, torch.arange(n) / 9)
    assert activations.max_softmax(last=True) is None


def test_batches_do_not_change_the_bytes_and_a_resumed_writer_keeps_its_shards(tmp_path: Path) -> None:
    read = whole(11)
    with RunFolder.open(tmp_path / "a", {}) as run:
        expected = [path.read_bytes() for path in store(run, read, 4, batch=1)]
    with RunFolder.open(tmp_path / "b", {}) as run:
        writer = ActivationWriter(run.stage("read"), ids_of(11), row_bytes=10, shard_bytes=40)
        writer.write(writer.shards[1], [part(read, 4, range(4))])
    with RunFolder.open(tmp_path / "b", {}) as run:
        again = ActivationWriter(run.stage("read"), ids_of(11), row_bytes=10, shard_bytes=40)
        assert list(again.pending()) == [again.shards[0], again.shards[2]]
        assert [path.read_bytes() for path in store(run, read, 4)] == expected


def test_rows_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    read = whole(4)
    with RunFolder.open(tmp_path, {}) as run:
        writer = ActivationWriter(run.stage("read"), ids_of(4), row_bytes=10)
        (shard,) = writer.shards
        with pytest.raises(ValueError, match="1 rows never came, 'row-1' among them"):
            writer.write(shard, [part(read, 0, [0, 1, 2])])
        for twice in ([part(read, 0, [0, 1]), part(read, 0, [1, 2])], [part(read, 0, [0, 0])]):
            with pytest.raises(ValueError, match="a row came twice"):
                writer.write(shard, twice)
        with pytest.raises(ValueError, match="none of this shard's"):
            writer.write(shard, [replace(part(read, 0, [0]), rows=(4,))])
        other = replace(part(read, 0, [1]), states=part(read, 0, [1]).states.float())
        with pytest.raises(ValueError, match="batches differ in sites, positions or dtype"):
            writer.write(shard, [part(read, 0, [0]), other])
        with pytest.raises(ValueError, match="must differ"):
            ActivationWriter(run.stage("read"), ["a", "a"], row_bytes=10)
        assert not run.stage("read").has(shard.name)


def test_labels_are_verified_against_the_rows(tmp_path: Path) -> None:
    n = 7
    with RunFolder.open(tmp_path, {}) as run:
        activations = Activations(store(run, whole(n), 3))
    tokens = {row: [100 * i, 100 * i + 1, 100 * i + 2] for i, row in enumerate(activations.row_ids)}
    activations.check_rows(tokens)
    row = activations.row_ids[5]
    with pytest.raises(StoreError, match=rf"the state of row '{row}' at eos claims token 502 at index 2"):
        activations.check_rows({**tokens, row: [500, 501, 999]})
    with pytest.raises(StoreError, match="at eos claims token 502"):
        activations.check_rows({**tokens, row: [500, 501]})
    with pytest.raises(StoreError, match=r"1 rows have no states, 'stranger' among them"):
        activations.check_rows({**tokens, "stranger": []})
    del tokens[row]
    with pytest.raises(StoreError, match=rf"1 rows are unknown, '{row}' among them"):
        activations.check_rows(tokens)


def test_unknown_names_and_rows(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, {}) as run:
        activations = Activations(store(run, whole(3), 2))
    with pytest.raises(KeyError, match=r"block\.99\.out"):
        activations.get("block.99.out", "eos")
    with pytest.raises(IndexError, match="within 0 … 2"):
        activations.get("embed", "eos", np.array([3]))
    with pytest.raises(IndexError, match="within 0 … 2"):
        activations.get("embed", "eos", np.array([-1]))


def test_damaged_shards_are_store_errors(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, {}) as run:
        paths = store(run, whole(6), 3)
        good = paths[1].read_bytes()
        flipped = bytearray(good)
        flipped[-1] ^= 1
        paths[1].write_bytes(flipped)
        with pytest.raises(StoreError, match=r"000001\.safetensors is missing or damaged"):
            run.files("read", verify=True)
    for bad in (good[:-1], good[:20], b"", b"\xff" * 100):
        paths[1].write_bytes(bad)
        with pytest.raises(StoreError, match=r"000001\.safetensors is not a readable shard of activations"):
            Activations(paths)
    save_file({"x": torch.zeros(1)}, paths[1])
    with pytest.raises(StoreError, match="is not a readable shard of activations"):
        Activations(paths)
    paths[1].unlink()
    with pytest.raises(StoreError, match="is not a readable shard of activations"):
        Activations(paths)
    with pytest.raises(StoreError, match="hold a row twice"):
        Activations([paths[0], paths[0]])
    with pytest.raises(StoreError, match="no activation shards"):
        Activations([])


def test_shards_of_different_reads_do_not_mix(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path / "a", {}) as run:
        one = store(run, whole(3), 3)
    with RunFolder.open(tmp_path / "b", {}) as run:
        other = store(run, replace(whole(4), log_p=None), 4)
    with pytest.raises(StoreError, match=r"holds other sites or positions than 000000\.safetensors"):
        Activations([one[0], other[0]])
