"""The rows of an endpoint's inference table, from the record of its requests.

Recorded, from the tables of real endpoints: the columns, their types and their order, `served_entity_id` in 32
digits, an empty list where nothing went wrong. Documented: what is too large becomes null with a code, and 401, 403,
429 and 500 may be missing; that they always are is chosen, so that nobody comes to rely on them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.core.faults import UNHEARD
from servesim.payloads.decode import loads
from servesim.payloads.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.core.draws import Draws
    from servesim.core.profile import Profile

COLUMNS = {
    "databricks_request_id": "string",
    "request_date": "date",
    "client_request_id": "string",
    "request_time": "timestamp",
    "status_code": "int",
    "sampling_fraction": "double",
    "execution_duration_ms": "bigint",
    "request": "string",
    "response": "string",
    "logging_error_codes": "array<string>",
    "served_entity_id": "string",
    "requester": "string",
}
"""Type by column, in the order of the table."""

PAYLOAD_LIMIT = 1_000_000
"""Bytes of a request or response that are logged: documented as 1 MB."""
REQUEST_TOO_LARGE = "MAX_REQUEST_SIZE_EXCEEDED"
RESPONSE_TOO_LARGE = "MAX_RESPONSE_SIZE_EXCEEDED"

UNLOGGED = frozenset({401, 403, 429, 500})
"""Statuses that may be missing."""


Record = Any
"""A ``RequestRecord`` of ``service/recorded.py``, of a layer above this one."""


class Rows(NamedTuple):
    """What a table has now, the oldest answer first, and how many rows are still on their way."""

    rows: list[dict[str, Any]]
    """By column; dates and instants are ISO texts."""
    waiting: int


def rows(
    records: Iterable[Record], endpoint: str, now: int, profile: Profile, draws: Draws, *, route_optimized: bool = False
) -> Rows:
    """Return the rows of an endpoint's table at an instant.

    A request is in the sample or not by a draw of its own, whatever else happens.
    """
    arrived = now - profile.inference_table_delay_ms
    found: list[dict[str, Any]] = []
    waiting = 0
    for record in records:
        if not _logged(record, endpoint) or not _sampled(record, profile, draws):
            continue
        if record.instant > arrived:
            waiting += 1
            continue
        row = _row(record, profile.inference_table_sampling)
        found.append({**row, "requester": None} if route_optimized else row)
    return Rows(found, waiting)


def _logged(record: Record, endpoint: str) -> bool:
    # What a fault turned away at the door never came to the service.
    came = not any(effect in UNHEARD for _, effect in record.faults)
    return record.table and record.endpoint == endpoint and record.status not in UNLOGGED and came


def _sampled(record: Record, profile: Profile, draws: Draws) -> bool:
    fraction = profile.inference_table_sampling
    return (
        fraction >= 1 or draws.stream("inference table", record.endpoint_id, record.request_id).fraction(0) < fraction
    )


def _row(record: Record, sampling: float) -> dict[str, Any]:
    moment = datetime.fromtimestamp((record.instant if record.admitted is None else record.admitted) / 1000, UTC)
    codes = []
    if record.body_bytes > PAYLOAD_LIMIT:
        codes.append(REQUEST_TOO_LARGE)
    if record.answer_bytes > PAYLOAD_LIMIT:
        codes.append(RESPONSE_TOO_LARGE)
    return {
        "databricks_request_id": record.request_id,
        "request_date": moment.date().isoformat(),
        "client_request_id": _client_request_id(record.body),
        "request_time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "status_code": record.status,
        "sampling_fraction": sampling,
        "execution_duration_ms": _worked(record),
        "request": _text(record.body, record.body_bytes),
        "response": _text(record.answer, record.answer_bytes),
        "logging_error_codes": codes,
        "served_entity_id": record.deployment_id or None,
        "requester": record.requester,
    }


def _worked(record: Record) -> int:
    """Return how long the model had it; 0 if it never reached one."""
    return 0 if record.started is None or record.ended is None else record.ended - record.started


def _text(content: bytes | None, size: int) -> str | None:
    return None if content is None or size > PAYLOAD_LIMIT else content.decode("utf-8", "replace")


def _client_request_id(body: bytes | None) -> str | None:
    if body is None or b"client_request_id" not in body:
        return None
    try:
        document = loads(body)
    except Refused:
        return None
    found = document.get("client_request_id") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None
