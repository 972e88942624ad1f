"""What the contracts say about a request or a response that was really sent."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import jsonschema_rs

from servesim.contracts.documents import SURFACES, document
from servesim.contracts.operations import Operation, anywhere, ended, find, resolved, responses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORM = "application/x-www-form-urlencoded"

VIOLATIONS_SHOWN = 20
"""Of one body; a table of wrong rows would say the same a thousand times."""

ERRORS_READ = 1_000
"""Of one body, to tell what follows from what."""

_HARMLESS = re.compile(r"[A-Z0-9_]{1,40}")
"""Words of states and codes; other text may be somebody's secret and is not shown."""
_DOCUMENT = "contract:/all"


class Violation(NamedTuple):
    """What the contracts do not allow, e.g. at ``response body /state/ready``."""

    operation: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.where}: {self.message}"


def response_violations(
    method: str,
    path: str,
    status: int,
    content_type: str,
    body: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    surfaces: tuple[str, ...] = SURFACES,
) -> list[Violation]:
    """Return what is wrong with a response to a path as it was sent; headers are looked at if they are given."""
    operation = find(method, path, surfaces)
    if operation is None:
        name = f"{method} to no operation"
        known = anywhere(path)
    else:
        name, known = operation.id, responses(operation)
        if _has_ended(name, status, content_type, body):
            return []
    if (found := known.get(str(status))) is None:
        allowed = ", ".join(sorted(known))
        return [Violation(name, "status", f"{status} is not among {allowed}")]
    pointer, response = found
    wrong = _content(name, "response", pointer, response, content_type, body)
    return wrong if headers is None else [*wrong, *_missing_headers(name, response, headers)]


def _has_ended(name: str, status: int, content_type: str, body: bytes) -> bool:
    """Tell whether an answer says that a date has ended its operation."""
    found = ended().get(str(status))
    return found is not None and not _content(name, "response", *found, content_type, body)


def request_violations(
    method: str,
    path: str,
    query: Mapping[str, str],
    content_type: str,
    body: bytes,
    *,
    surfaces: tuple[str, ...] = SURFACES,
) -> list[Violation]:
    """Return what is wrong with a request to a path as it was sent (without a query)."""
    operation = find(method, path, surfaces)
    if operation is None:
        return [Violation(f"{method} to no operation", "path", "the contracts have no such operation")]
    wrong = _parameters(operation, {**_in_body(operation, body), **query})
    if (expected := operation.spec.get("requestBody")) is not None and (body or expected.get("required")):
        wrong += _content(operation.id, "request", f"{operation.pointer}/requestBody", expected, content_type, body)
    return wrong


def _in_body(operation: Operation, body: bytes) -> dict[str, Any]:
    """Return what a request has in its body instead of its query, for an operation that takes both."""
    if not operation.spec.get("x-query-or-body"):
        return {}
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return {name: value for name, value in sent.items() if value is not None} if isinstance(sent, dict) else {}


def _missing_headers(name: str, response: dict[str, Any], headers: Mapping[str, str]) -> Iterator[Violation]:
    given = {header.lower() for header in headers}
    for header, rule in response.get("headers", {}).items():
        if rule.get("required") and header.lower() not in given:
            yield Violation(name, f"response header {header}", "is missing")


def _parameters(operation: Operation, query: Mapping[str, Any]) -> list[Violation]:
    wrong = []
    for index, given in enumerate(operation.spec.get("parameters", [])):
        pointer, parameter = resolved(f"{operation.pointer}/parameters/{index}", given)
        if parameter["in"] != "query":
            continue
        where = f"query {parameter['name']}"
        if (value := query.get(parameter["name"])) is not None:
            wrong += _against(operation.id, where, f"{pointer}/schema", _scalar(value, parameter["schema"]))
        elif parameter.get("required"):
            wrong.append(Violation(operation.id, where, "is missing"))
    return wrong


def _scalar(text: Any, schema: dict[str, Any]) -> Any:
    """Return a value of a query as what its schema takes it for; one that stands there once may be a list of one."""
    if schema.get("type") == "array":
        return text if isinstance(text, list) else [text]
    if isinstance(text, str) and schema.get("type") in {"integer", "number", "boolean"}:
        try:
            return json.loads(text)
        except ValueError:
            pass
    return text


def _content(  # noqa: PLR0917 - as response_violations
    name: str, side: str, pointer: str, holder: dict[str, Any], content_type: str, body: bytes
) -> list[Violation]:
    content = holder.get("content", {})
    if not content:
        return [Violation(name, f"{side} body", f"{len(body)} bytes, and none are expected")] if body else []
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in content:
        return [Violation(name, f"{side} content type", f"{media_type!r} is not among {', '.join(content)}")]
    if "schema" not in content[media_type]:
        return []
    try:
        value = _value(media_type, content[media_type], body)
    except (ValueError, RecursionError) as problem:
        return [Violation(name, f"{side} body", f"cannot be read as {media_type} ({type(problem).__name__})")]
    return _against(name, f"{side} body", f"{pointer}/content/{media_type.replace('/', '~1')}/schema", value)


def _value(media_type: str, rule: dict[str, Any], body: bytes) -> Any:
    """Return a body as its schema takes it; MLflow's server labels some plain text as JSON."""
    if media_type == FORM:
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    if not media_type.endswith("json"):
        return body.decode()
    try:
        return json.loads(body)
    except ValueError:
        if rule.get("x-text-if-not-json"):
            return body.decode()
        raise


def _against(name: str, where: str, pointer: str, value: Any) -> list[Violation]:
    value = _writable(value)
    try:
        errors = _own(list(islice(_validator(pointer).iter_errors(value), ERRORS_READ)))
        told = dict.fromkeys(Violation(name, _place(where, error), _message(error)) for error in errors)
        return list(told)[:VIOLATIONS_SHOWN]
    except ValueError as problem:  # a value that nests too deep
        return [Violation(name, where, f"cannot be checked: {str(problem)[:200]}")]


def _own(errors: list[Any]) -> list[Any]:
    """Return the errors without those that follow from others: a part that is wrong counts as unevaluated above it."""
    reached = set()
    for error in errors:
        path = tuple(error.instance_path)
        reached |= {path[:depth] for depth in range(len(path) + (not _is_unevaluated(error)))}
    return [error for error in errors if not (_is_unevaluated(error) and tuple(error.instance_path) in reached)]


def _is_unevaluated(error: Any) -> bool:
    return list(error.schema_path)[-1:] == ["unevaluatedProperties"]


def _writable(value: Any) -> Any:
    """Return a value with a sign in place of each half of a pair, which JSON may escape and no validator takes."""
    try:
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-8", "replace"))
    except RecursionError:
        pass
    return value


def _place(where: str, error: Any) -> str:
    path = "/".join(map(str, error.instance_path))
    return f"{where} /{path}" if path else where


def _message(error: Any) -> str:
    value = error.instance
    shown = value is None or isinstance(value, bool | int | float)
    if shown or (isinstance(value, str) and _HARMLESS.fullmatch(value)):
        return f"{json.dumps(value)}: {error.message}"[:500]
    return str(error.message)[:500]


@cache
def _registry() -> Any:
    return jsonschema_rs.Registry([(_DOCUMENT, document())], draft=jsonschema_rs.Draft202012)


@cache
def _validator(pointer: str) -> Any:
    return jsonschema_rs.validator_for(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": f"{_DOCUMENT}#{pointer}"},
        registry=_registry(),
        validate_formats=True,
        mask="the value",
    )
