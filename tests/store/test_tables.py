"""Tables come back as they went, and a user's bad file is answered with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.errors import InputError, StoreError
from heedful.store import encode_table, read_records, read_table, write_table

CELLS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.tuples(CELLS, st.none() | st.lists(st.integers(0, 2**31))), max_size=6))
def test_round_trip_and_equal_bytes(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, Any]]) -> None:
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    columns = {"text": [row[0] for row in rows], "ids": [row[1] for row in rows]}
    schema = pa.schema([("ids", pa.list_(pa.int64())), ("text", pa.string())])
    write_table(path, columns, schema, {"seed": 1})
    table = read_table(path)
    assert table.columns == columns
    assert list(table.columns) == ["ids", "text"]
    assert table.metadata == {"seed": 1}
    assert len(table) == len(rows)
    assert [row["text"] for row in table.rows()] == table["text"]
    assert encode_table(columns, schema, {"seed": 1}) == path.read_bytes()


def test_columns_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match="columns differ in length"):
        encode_table({"a": [1], "b": [1, 2]})
    with pytest.raises(ValueError, match=r"differ from the schema: \['b'\]"):
        encode_table({"a": [1], "b": [1]}, pa.schema([("a", pa.int64())]))
    with pytest.raises(TypeError, match="column 'a'"):
        encode_table({"a": ["x"]}, pa.schema([("a", pa.int64())]))
    with pytest.raises(TypeError, match="column 'mixed'"):
        encode_table({"mixed": [1, "x"]})


def test_a_damaged_or_missing_table_is_a_store_error(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.parquet", {"a": list(range(100))})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoreError, match=r"t\.parquet cannot be read") as caught:
        read_table(path)
    assert caught.value.cure.startswith("delete it if it is there, and run the study again")
    with pytest.raises(StoreError, match="No such file"):
        read_table(tmp_path / "none.parquet")


def test_records_of_either_kind(tmp_path: Path) -> None:
    records = [{"prompt": "Grüße  x", "n": 1}, {"prompt": "", "n": None}]
    lines = "\r\n\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    write_table(tmp_path / "a.parquet", {"prompt": [r["prompt"] for r in records], "n": [1, None]})
    assert read_records(tmp_path / "a.jsonl") == records
    assert read_records(tmp_path / "a.parquet") == records


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n\n{"a": }\n', "line 3: not JSON: Expecting value at column 7"),
        (b'{"a": 1}\n{"a": "caf\xe9"}\n', "line 2: byte 11 is not UTF-8 (0xe9)"),
        (b'{"a": 1}\n[1]\n', "line 2: a list, not an object"),
        (b"[" * 200_000, "line 1: "),
        (b'{"a": ' + b"9" * 10_000 + b"}", "line 1: "),
        (b"\n \n", "holds no records"),
        (b"", "holds no records"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_records(path)
    assert message in caught.value.cause
    assert str(path) in caught.value.cause


def test_files_that_are_not_records(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("no")
    with pytest.raises(InputError, match="is not a readable Parquet file"):
        read_records(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="is of an unknown kind"):
        read_records(tmp_path / "x.csv")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_records(tmp_path / "y.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_records(tmp_path / "folder.jsonl")
