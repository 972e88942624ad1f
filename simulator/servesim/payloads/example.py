"""A model version's input example as the scoring request that it stands for."""

import json
from typing import Any, Final

from servesim.payloads.encode import FORMATS as WRITTEN
from servesim.payloads.encode import Payload, Table, encode
from servesim.payloads.signature import Signature

FORMATS: Final = frozenset(WRITTEN) - {"csv"}
"""Those of JSON."""


def as_request(example: str) -> Any:
    """Return an example as a request: a request as it is, rows as ``dataframe_records`` or ``instances``."""
    document = json.loads(example)
    if isinstance(document, dict):
        # MLflow stores a request; so is what has a format's name, or names a list for a chat model.
        ready = document.keys() & FORMATS or "messages" in document
        return document if ready else {"dataframe_records": [document]}
    rows = document if isinstance(document, list) else [document]
    kind = "dataframe_records" if rows and all(isinstance(row, dict) for row in rows) else "instances"
    return {kind: rows}


def table_of(request: dict[str, Any]) -> Table | None:
    """Return the rows of a request; None if it has others than named ones of numbers and texts."""
    split, records = request.get("dataframe_split"), request.get("dataframe_records", request.get("instances"))
    columns: Any
    if isinstance(split, dict):
        columns, data = split.get("columns"), split.get("data")
    elif isinstance(records, list) and records and all(isinstance(record, dict) for record in records):
        columns = list(records[0])
        data = [list(record.values()) for record in records if list(record) == columns]
    else:
        return None
    rows = data if isinstance(data, list) else []
    if not columns or not rows or not all(isinstance(row, list) and len(row) == len(columns) for row in rows):
        return None
    plain = all(isinstance(cell, str | int | float) for row in rows for cell in row)
    return Table(tuple(map(str, columns)), tuple(map(tuple, rows))) if plain else None


def in_other_formats(request: dict[str, Any], own: str) -> list[Payload]:
    """Return the rows of a request in every other format in which they can be written."""
    table = table_of(request)
    return [] if table is None else [encode(table, Signature(), form) for form in WRITTEN if form != own]
