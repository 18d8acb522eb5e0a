"""Tables on disk: Parquet for what a run keeps, Parquet or JSON Lines for what a user brings.

A table is a mapping from column name to a list of Python values. Knows nothing of what the columns mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from heedful.errors import InputError, StoreError
from heedful.store.atomic import atomic_write
from heedful.store.stages import MADE_ANEW

_METADATA = b"heedful"


@dataclass(frozen=True, repr=False)
class Table:
    """Columns of equal length, and what was kept with them."""

    columns: dict[str, list[Any]]
    metadata: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def __getitem__(self, column: str) -> list[Any]:
        if column not in self.columns:
            raise KeyError(f"{column!r}: the columns are {', '.join(self.columns)}")
        return self.columns[column]

    def __repr__(self) -> str:
        return f"Table({len(self):,} rows of {', '.join(self.columns)})"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Row by row, as mappings."""
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(self.columns, values, strict=True))


def encode_table(
    columns: Mapping[str, Sequence[Any]], schema: pa.Schema | None = None, metadata: Mapping[str, Any] | None = None
) -> bytes:
    """A table as the bytes of a Parquet file; the same table gives the same bytes.

    Args:
        columns: values by column, all of one length.
        schema: types by column, in the order to write them; inferred if left out (an empty or all-null column then
            has no type of its own).
        metadata: JSON values to keep with the table.

    Raises:
        ValueError: columns differ in length, or from the schema's names.
        TypeError: values do not fit their column's type.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns differ in length: {lengths}")
    names = list(columns) if schema is None else schema.names
    if set(names) != set(columns):
        raise ValueError(f"columns differ from the schema: {sorted(set(names) ^ set(columns))}")
    arrays = []
    for name in names:
        try:
            arrays.append(pa.array(list(columns[name]), type=schema.field(name).type if schema is not None else None))
        except (pa.ArrowException, OverflowError) as error:
            raise TypeError(f"column {name!r}: {error}") from error
    table = pa.Table.from_arrays(arrays, names=names)
    table = table.replace_schema_metadata({_METADATA: json.dumps(dict(metadata or {}), sort_keys=True)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def write_table(
    path: Path | str,
    columns: Mapping[str, Sequence[Any]],
    schema: pa.Schema | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write a table outside a stage, wholly or not at all; see `encode_table`."""
    return atomic_write(path, encode_table(columns, schema, metadata))


def read_table(path: Path | str) -> Table:
    """Read a table that heedful wrote.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        table = pq.read_table(pa.BufferReader(Path(path).read_bytes()))
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"{path} cannot be read: {error}",
            MADE_ANEW,
        ) from error
    metadata = json.loads((table.schema.metadata or {}).get(_METADATA, b"{}"))
    return Table(table.to_pydict(), metadata)


def read_records(path: Path | str) -> list[dict[str, Any]]:
    """Read a user's records: JSON Lines (`.jsonl`, `.ndjson`; one object a line, blank lines skipped) or `.parquet`.

    Raises:
        InputError: the file cannot be read, is of another kind, is empty, or a line (named by its number) is not UTF-8,
            not JSON or not an object.
    """
    path = Path(path)
    if path.suffix.lower() not in {".jsonl", ".ndjson", ".parquet"}:
        raise InputError(f"{path} is of an unknown kind", "give a .jsonl (one JSON object a line) or a .parquet file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
    records = _parquet_records(path, data) if path.suffix.lower() == ".parquet" else list(_json_lines(path, data))
    if not records:
        raise InputError(f"{path} holds no records", "give a file with at least one")
    return records


def _parquet_records(path: Path, data: bytes) -> list[dict[str, Any]]:
    try:
        records: list[dict[str, Any]] = pq.read_table(pa.BufferReader(data)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a readable Parquet file: {error}", "write it again, or give .jsonl") from error
    return records


def _json_lines(path: Path, data: bytes) -> Iterator[dict[str, Any]]:
    # Only "\n" ends a line: JSON text may hold the other characters at which str.splitlines() would cut.
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            record = json.loads(raw.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}, line {number}: byte {error.start + 1} is not UTF-8 (0x{raw[error.start]:02x})",
                "save the file as UTF-8, for example with `iconv -f latin1 -t utf-8`",
            ) from error
        except json.JSONDecodeError as error:
            raise InputError(
                f"{path}, line {number}: not JSON: {error.msg} at column {error.colno}", "write one JSON object a line"
            ) from error
        except (ValueError, RecursionError) as error:  # an integer of thousands of digits, brackets without end
            raise InputError(f"{path}, line {number}: {error}", "write one plain JSON object a line") from error
        if not isinstance(record, dict):
            raise InputError(
                f"{path}, line {number}: a {type(record).__name__}, not an object", "write one JSON object a line"
            )
        yield record
