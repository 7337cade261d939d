"""Reads one Parquet table for somebody else, in a process that may run out of memory or crash.

Started as a program: the table's path and the limits as arguments, rows as JSON lines to standard
output. The first line is `{"count": rows}`.
"""

from __future__ import annotations

import json
import math
import resource
import sys
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 256
_TEXT_LIMIT, _CONTAINER_LIMIT = 100_000_000, 1_000_000
"""Of the table's description of itself, in bytes and in entries."""


def main(path: str, memory_bytes: int, cpu_seconds: int, *, only_count: bool) -> None:
    """Write what was asked for to standard output."""
    _limit(memory_bytes, cpu_seconds)
    table = pq.ParquetFile(
        path,
        pre_buffer=False,
        thrift_string_size_limit=_TEXT_LIMIT,
        thrift_container_size_limit=_CONTAINER_LIMIT,
    )
    write = sys.stdout.write
    write(json.dumps({"count": table.metadata.num_rows}) + "\n")
    if not only_count:
        for row in _rows(table, path):
            write(json.dumps(row) + "\n")
    sys.stdout.flush()


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _rows(table: pq.ParquetFile, path: str) -> Iterator[dict[str, Any]]:
    schema = table.schema_arrow
    names = [field.name for field in schema if _is_plain(field.type)]
    # As dictionaries: a text that a million rows share is held once.
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    shared = pq.ParquetFile(path, pre_buffer=False, read_dictionary=texts)
    for batch in shared.iter_batches(batch_size=BATCH_ROWS, columns=names, use_threads=False):
        columns = [(name, _exact(batch.column(name))) for name in batch.schema.names]
        for number in range(batch.num_rows):
            yield {name: _value(column[number]) for name, column in columns}


def _is_plain(kind: pa.DataType) -> bool:
    """Whether a label can come of it: a scalar that is no bytes, or a list of such."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _is_plain(kind.value_type) and not pa.types.is_nested(kind.value_type)
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    return not (pa.types.is_nested(kind) or _is_bytes(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


def _exact(column: pa.Array) -> pa.Array:
    """Times to the microsecond, which is as far as Python's go."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column


def _value(cell: pa.Scalar) -> Any:
    try:
        return _plain(cell.as_py())
    except (ValueError, OverflowError, OSError):
        return {}  # which is no label, so the row fails and says which column


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else {}


if __name__ == "__main__":
    main(
        sys.argv[1],
        memory_bytes=int(sys.argv[2]),
        cpu_seconds=int(sys.argv[3]),
        only_count=sys.argv[4] == "count",
    )
