"""What a fault has answered in place of a model or of the control plane."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from servesim.models.answer import Answer

if TYPE_CHECKING:
    from servesim.core.faults import Fault
    from servesim.core.striking import Struck

GRADE = "injected"
"""The grade of an answer that shows what an ordered fault did."""
CRASHED = "a fault ended its server process"

_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    429: "REQUEST_LIMIT_EXCEEDED",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_SERVER = 500


def crashes(struck: Struck) -> bool:
    """Tell whether the entity's process ends instead of answering."""
    return struck.fault is not None and struck.fault.effect == "crash"


def instead(struck: Struck) -> Answer | None:
    """Return what is answered in place of a model; None if the model answers."""
    fault = struck.fault
    if fault is None or fault.effect != "status":
        return None
    body = fault.body
    if body is None:
        error_code, message = wording(fault)
        body = json.dumps({"error_code": error_code, "message": message})
    return Answer(fault.status, content_type(fault), body.encode(), GRADE)


def wording(fault: Fault) -> tuple[str, str]:
    """Return the error_code and message of an answer that is no more than its status."""
    default = _CODES.get(fault.status, "INTERNAL_ERROR" if fault.status >= _SERVER else "BAD_REQUEST")
    message = fault.message or f"servesim was told to answer this request with {fault.status}"
    return fault.error_code or default, message


def content_type(fault: Fault) -> str:
    """Return the content type of an answer."""
    return dict(fault.headers).get("Content-Type", "application/json")
