"""The run folder: stages that resume, tables, activations and results, each file written wholly or not at all.

Knows nothing of models, tasks or statistics: rooms above say what to keep, this one keeps it.
"""

from heedful.store.activations import Activations, ActivationWriter, Batch, Shard
from heedful.store.atomic import atomic_write
from heedful.store.folder import SCHEMA_VERSION, RunFolder, check_place, read_manifest, stage_files
from heedful.store.results import encode_results, read_results, write_results
from heedful.store.stages import Stage, file_sha256
from heedful.store.tables import Table, encode_table, read_records, read_table, write_table

__all__ = [
    "SCHEMA_VERSION",
    "ActivationWriter",
    "Activations",
    "Batch",
    "RunFolder",
    "Shard",
    "Stage",
    "Table",
    "atomic_write",
    "check_place",
    "encode_results",
    "encode_table",
    "file_sha256",
    "read_manifest",
    "read_records",
    "read_results",
    "read_table",
    "stage_files",
    "write_results",
    "write_table",
]
