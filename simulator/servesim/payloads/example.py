"""A model version's input example as the scoring request that it stands for."""

import json
from typing import Any, Final

FORMATS: Final = frozenset({"dataframe_split", "dataframe_records", "instances", "inputs"})


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
