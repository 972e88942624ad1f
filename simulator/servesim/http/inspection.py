"""A look at each answer, for runs that fail by a wrong one or by one that nobody knows to be right."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from servesim.contracts.conformity import response_violations
from servesim.contracts.operations import evidence, find, responses
from servesim.http.reply import INJECTED
from servesim.service.hub import COMPLAINTS_KEPT
from servesim.service.routes import GRADE as ROUTE

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from servesim.http.reply import Reply


def look(
    complaints: Counter[str], method: str, path: str, reply: Reply, *, validate: bool, strict: bool = False
) -> None:
    """Add to the complaints what is wrong with an answer: against its contract, and, if ``strict``, chosen."""
    is_ordered = reply.grade == INJECTED and (reply.trouble is not None or reply.status >= HTTPStatus.BAD_REQUEST)
    if reply.grade == ROUTE or is_ordered:
        return  # not what the contracts speak of
    found = [*_breaches(method, path, reply)] if validate else []
    if strict and reply.grade == "chosen":
        found.append(_chosen(method, path, reply))
    for complaint in found:
        if complaint in complaints or len(complaints) < COMPLAINTS_KEPT:
            complaints[complaint] += 1


def _breaches(method: str, path: str, reply: Reply) -> Iterator[str]:
    operation = find(method, path)
    body = b"" if operation is not None and operation.method == "HEAD" else reply.body  # what is sent of it
    for violation in response_violations(method, path, reply.status, reply.content_type, body, headers=reply.headers):
        yield f"breaks its contract: {violation}"
    if operation is None or operation.surface == "admin" or reply.status >= HTTPStatus.BAD_REQUEST:
        return  # what is servesim's own has no grade; that of a refusal is its text's
    _, response = responses(operation).get(str(reply.status), ("", None))
    if response is not None and reply.grade not in {known := evidence(response).grade, INJECTED}:
        said = reply.grade or "nothing"
        yield f"breaks its contract: {operation.id}: {reply.status} is {known}, the answer says {said}"


def _chosen(method: str, path: str, reply: Reply) -> str:
    operation = find(method, path)
    asked = f"{method} {operation.path if operation else path[:200]}"
    return f"rests on what servesim chose: {asked} -> {reply.status} {_error_code(reply)}".rstrip()


def _error_code(reply: Reply) -> str:
    if reply.status < HTTPStatus.BAD_REQUEST:
        return ""
    try:
        return str(json.loads(reply.body)["error_code"])
    except (ValueError, KeyError, TypeError):
        return ""
