"""Parquet tables, which a process of its own reads."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lookalike.services.adapters.tables.parquet import ParquetTables
from lookalike.services.errors import SourceError
from lookalike.services.sources.ports import Tools
from tests.hostile import flipped
from tests.unit.sources.reading import GOOD, KIB, nothing_left_open, opened, outcomes

TOOLS = Tools(fetcher=None, tables=ParquetTables(), bucket=None)  # type: ignore[arg-type] # unused


def table(columns: Mapping[str, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), file, **options)
    return file.getvalue()


def test_values_keep_their_types():
    zone = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    data = table(
        {
            "text": ["a", None],
            "whole": [1, None],
            "real": [1.5, float("nan")],
            "flag": [True, False],
            "tags": [["x", "y"], None],
            "day": [date(2024, 1, 2), None],
            "time": [zone, None],
            "price": [Decimal("1.10"), None],
            "nanos": pa.array([1, None], pa.timestamp("ns")),
            "shared": pa.array(["x", "x"]).dictionary_encode(),
            "bytes": [b"1", b"2"],
            "group": [{"a": 1}, None],
        }
    )
    (first, second) = ParquetTables().rows(io.BytesIO(data))
    assert first == {
        "text": "a",
        "whole": 1,
        "real": 1.5,
        "flag": True,
        "tags": ["x", "y"],
        "day": "2024-01-02",
        "time": "2024-01-02T03:04:05+00:00",
        "price": 1.1,
        "nanos": "1970-01-01T00:00:00",
        "shared": "x",
    }
    assert {name for name, value in second.items() if value is not None} == {"flag", "shared"}


def test_a_manifest_may_be_a_table(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(GOOD)
    data = table(
        {"path": ["a.jpg", None, "../a.jpg", "a.jpg"], "title": ["x", "x", "x", "x" * 600]}
    )
    source = opened("manifest", data, roots=[tmp_path], tools=TOOLS, format="parquet", folder=".")
    assert source.total() == 4
    assert outcomes(source) == [
        ("a.jpg", GOOD),
        ("line 2", "bad_row"),
        ("../a.jpg", "unsafe_name"),
        ("a.jpg", "bad_row"),
    ]


def test_a_table_on_disk_is_read_where_it_lies_and_nothing_is_left(tmp_path: Path):
    path = tmp_path / "table.parquet"
    path.write_bytes(table({"path": [str(n) for n in range(5000)]}, row_group_size=1000))
    with nothing_left_open(), path.open("rb") as file:
        rows = ParquetTables().rows(file)
        assert next(rows) == {"path": "0"}
        rows.close()  # type: ignore[attr-defined] # a generator
        assert [row["path"] for row in ParquetTables().rows(file)] == [str(n) for n in range(5000)]
        assert ParquetTables().count(file) == 5000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("data", [b"", b"PAR1", GOOD, bytes(100_000), b"PAR1" * 1000])
def test_what_is_no_table_is_told(data: bytes):
    with pytest.raises(SourceError):
        ParquetTables().count(io.BytesIO(data))


@pytest.mark.parametrize("place", range(4, 400, 37))
def test_a_damaged_table_ends_in_an_error_or_in_rows(place: int):
    whole = table({"path": [f"{n}.jpg" for n in range(50)]})
    with nothing_left_open():
        try:
            rows = list(ParquetTables().rows(io.BytesIO(flipped(whole, place, 0x81))))
        except SourceError:
            return
    assert all(isinstance(row, dict) for row in rows)


def test_a_table_that_needs_too_much_memory_is_told():
    big = pa.array(["x" * (16 * KIB * KIB) + str(n) for n in range(16)])
    data = table({"path": big}, compression="zstd", use_dictionary=False)
    assert len(data) < KIB * KIB
    with pytest.raises(SourceError, match="memory"):
        list(ParquetTables(memory_bytes=448 * KIB * KIB).rows(io.BytesIO(data)))


def test_a_text_that_many_rows_share_is_not_multiplied():
    data = table({"path": pa.array(["x" * (KIB * KIB)] * 200)})
    rows = ParquetTables(memory_bytes=768 * KIB * KIB).rows(io.BytesIO(data))
    assert sum(len(row["path"]) for row in rows) == 200 * KIB * KIB
