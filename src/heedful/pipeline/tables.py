"""The tables of a study and their columns: what was asked, what was answered, and which rows are read.

Knows names and types; how tables are written is the store's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from heedful.models import Replay

_TEXT, _INT, _FLAG, _REAL = pa.string(), pa.int64(), pa.bool_(), pa.float64()
_IDS = pa.list_(pa.int32())

INSTRUCTIONS = pa.schema(
    {
        "instruction_id": _TEXT, "kind": _TEXT, "task": _TEXT, "base_id": _INT, "base": _TEXT, "template_id": _TEXT,
        "held_out": _FLAG, "constraint": _TEXT, "prompt": _TEXT, "response": _TEXT,
    }
)  # fmt: skip
"""What is put to the model; `response` is the given answer where a file brought one, else null."""

SAMPLES = pa.schema(
    {
        "sample_id": _TEXT, "kind": _TEXT, "task": _TEXT, "family": _TEXT, "base_id": _INT, "base": _TEXT,
        "template_id": _TEXT, "held_out": _FLAG, "constraint": _TEXT, "prompt": _TEXT, "text": _TEXT,
        "prompt_ids": _IDS, "response_ids": _IDS, "eos_id": _INT, "answer_start": _INT, "finish_reason": _TEXT,
        "outcome": _TEXT, "score": _REAL, "measured": _TEXT, "expected": _TEXT, "reason": _TEXT, "spans": _TEXT,
        "n_words": _INT, "n_chars": _INT, "seed": _INT, "origin": _TEXT,
    }
)  # fmt: skip
"""One row a response. `outcome` is '' where nothing was asked (the bare base prompt)."""

ROWS = pa.schema(
    {
        "row_id": _TEXT, "kind": _TEXT, "task": _TEXT, "family": _TEXT, "base_id": _INT, "square_id": _TEXT,
        "cell": _TEXT, "template_id": _TEXT, "held_out": _FLAG, "constraint": _TEXT, "label": _INT,
        "prompt_text": _TEXT, "response_text": _TEXT, "prompt_ids": _IDS, "response_ids": _IDS, "eos_id": _INT,
        "answer_start": _INT, "finish_reason": _TEXT, "n_words": _INT, "n_chars": _INT, "origin": _TEXT, "bare_id": _TEXT,
    }
)  # fmt: skip
"""One row a replay: an instruction with a response, and whether it complies (1), does not (0), or neither (-1).

`bare_id` names the row in which the same response stands under the bare base prompt (of kind 'bare'); null where the
instruction cannot be taken away."""

DISTURBED = pa.schema(
    {
        "how": _TEXT, "where": _TEXT, "erased": _TEXT, "variant": _TEXT, "sample_id": _TEXT, "task": _TEXT,
        "text": _TEXT, "outcome": _TEXT, "reason": _TEXT, "spans": _TEXT,
    }
)  # fmt: skip
"""What the model wrote in the behavioural experiment: undisturbed to every prompt (`variant` says so; `how`, `where` and
`erased` are ''), and under each arm to a few. `sample_id` names the prompt, as in the table of samples; `task` is its task."""


def columns(records: Iterable[Mapping[str, Any]], schema: pa.Schema) -> dict[str, list[Any]]:
    """Records as columns, in the schema's order; KeyError where a record lacks one."""
    records = list(records)
    return {name: [record[name] for record in records] for name in schema.names}


def replay_of(record: Mapping[str, Any]) -> Replay:
    """A record of samples or of rows, as a model replays it."""
    return Replay(record["prompt_ids"], record["response_ids"], record["eos_id"], record["answer_start"])
