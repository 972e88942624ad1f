"""The parameters of a call: those of a GET or DELETE in its query, in a JSON body, or in both; others in their body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from servesim.core.errors import Code, Rejected
from servesim.generations.fields import Fields
from servesim.http import dates
from servesim.http.calls import CONTROL_BODY_LIMIT, read_body

if TYPE_CHECKING:
    from servesim.http.calls import Call

FORM = "application/x-www-form-urlencoded"
"""What curl says of every body that it is not told about, JSON as well."""
PARAMETERS = 100
"""Fields of a form at most: ours."""


async def fields_of(call: Call) -> Fields:
    """Read what was sent: in a body, and for GET and DELETE in the query as well, which counts more."""
    request = call.request
    if request.method not in {"GET", "DELETE"}:
        return Fields(await call.json())
    asked: dict[str, Any] = {}
    if request.rel_url.raw_query_string:
        query = request.query
        for name in query:
            values = query.getall(name)
            asked[name] = values if len(values) > 1 else values[0]
        _check_dates(call, asked)
    if call.kept or request.can_read_body:
        asked = {**Fields(await call.json()).values, **asked}
    return Fields(asked)


async def fields_or_form(call: Call) -> Fields:
    """Read the body of a POST that is JSON or a form; raise Rejected as ``fields_of`` does."""
    body = await read_body(call.request, CONTROL_BODY_LIMIT) if call.kept is None else call.kept
    if not call.request.headers.get("Content-Type", "").startswith(FORM) or body.lstrip()[:1] in {b"{", b""}:
        return await fields_of(call._replace(kept=body))
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=PARAMETERS)
    except ValueError:
        raise Rejected(Code.MALFORMED_BODY, reason="it is neither JSON nor a form") from None
    asked = dict(pairs)
    _check_dates(call, asked)
    return Fields(asked)


def _check_dates(call: Call, asked: dict[str, Any]) -> None:
    """Raise what `Call.json` does if a parameter that came in no JSON has ended."""
    if call.session.workspace.dates.concern_parameters:
        dates.check_body(call, json.dumps(asked).encode(), asked)
