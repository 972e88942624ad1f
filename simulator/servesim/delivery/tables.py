"""Rows as a file: JSON lines or Parquet, written whole or not at all."""

from __future__ import annotations

import io
import json
import os
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from servesim.delivery.extras import needs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Rows = list[dict[str, Any]]


def json_lines(rows: Rows) -> bytes:
    """Return rows as JSON objects, one a line."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def parquet(rows: Rows, columns: Mapping[str, str]) -> bytes:
    """Return rows as a Parquet file with columns of these types (Spark's names); raise MissingExtra."""
    with needs("mlflow"):
        import pyarrow  # noqa: PLC0415 - large, and optional
        import pyarrow.parquet  # noqa: PLC0415 - as above

    types = {
        "string": pyarrow.string(),
        "date": pyarrow.date32(),
        "timestamp": pyarrow.timestamp("us", tz="UTC"),
        "int": pyarrow.int32(),
        "bigint": pyarrow.int64(),
        "double": pyarrow.float64(),
        "array<string>": pyarrow.list_(pyarrow.string()),
    }
    read = {"date": date.fromisoformat, "timestamp": datetime.fromisoformat}
    values = {
        name: [None if row[name] is None else read[kind](row[name]) if kind in read else row[name] for row in rows]
        for name, kind in columns.items()
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    written = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(values, schema=schema), written)
    return written.getvalue()


def write_whole(path: Path, content: bytes, *, force: bool) -> None:
    """Write a file beside its name and then give it that; raise FileExistsError unless ``force``, OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        if not force:
            path.touch(exist_ok=False)  # takes the name, if nobody has it
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
