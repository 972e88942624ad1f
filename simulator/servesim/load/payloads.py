"""The requests that a load test sends: generated from the endpoint's signature, its example, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from servesim.load.calls import TOO_MANY, CannotRun, endpoint_path, scoring_path
from servesim.payloads.encode import FORMATS, Payload
from servesim.payloads.example import in_other_formats

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servesim.load.calls import Server
    from servesim.load.settings import Settings

JSON, CSV = "application/json", "text/csv"
MOST_BYTES = 16 * 1024 * 1024
"""Of a request: what the real service takes."""
_REFUSED = range(400, 500)
_OUR_FAULT = frozenset({401, 403, 404})


class Accepted(NamedTuple):
    """Requests that an endpoint takes, and what is to be told of the others."""

    payloads: tuple[Payload, ...]
    notes: tuple[str, ...]


def accepted(server: Server, settings: Settings) -> Accepted:
    """Return what is to be sent, after one request in each format; raise CannotRun if none is accepted."""
    found, whence = _found(server, settings)
    kept: set[str] = set()
    notes = [f"payloads: {whence}"]
    for form in dict.fromkeys(payload.format for payload in found):
        first = next(payload for payload in found if payload.format == form)
        answer = server.call("POST", scoring_path(settings.endpoint), first.body, first.content_type)
        if answer.status in _OUR_FAULT:
            raise CannotRun(f"a request to endpoint {settings.endpoint!r} was refused ({answer.said})")
        if answer.status in _REFUSED and answer.status != TOO_MANY:  # which says nothing of a format
            notes.append(f"{form} is not sent: the endpoint refused it ({answer.said})")
        else:
            kept.add(form)
    if not kept:
        raise CannotRun(f"give a request with --payload FILE: {'; '.join(notes)}")
    return Accepted(tuple(_mixed(payload for payload in found if payload.format in kept)), tuple(notes))


def from_file(path: Path) -> Payload:
    """Read one request, CSV by its name and JSON otherwise; raise CannotRun."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise CannotRun(f"the payload can't be read: {error}") from error
    if len(body) > MOST_BYTES:
        raise CannotRun(f"the payload {path} is larger than {MOST_BYTES:,} bytes, which no endpoint takes")
    if path.suffix.lower() == ".csv":
        return Payload(CSV, body, "csv")
    try:
        document = Payload(JSON, body, "json").json()
    except ValueError as error:
        raise CannotRun(f"the payload {path} is no JSON: {error}") from error
    return Payload(JSON, body, _form(document))


def _found(server: Server, settings: Settings) -> tuple[tuple[Payload, ...], str]:
    if settings.payload:
        return (from_file(Path(settings.payload)),), f"{settings.payload}, as it is"
    published = server.get(endpoint_path(settings.endpoint) + "/openapi")
    document = published.document() if published.well else None
    if document is not None:
        generated = _generated(document, settings)
        if generated:
            return generated, "generated from the signature that the endpoint publishes"
    example = _example(document)
    whence = "the example in the endpoint's OpenAPI document"
    if example is None and settings.simulated:
        answer = server.get(f"/_servesim/v1/examples/{quote(settings.endpoint, safe='')}")
        example = (answer.document() or {}).get("example") if answer.well else None
        whence = "the model's own input example"
    if not isinstance(example, dict):
        raise CannotRun(
            f"give a request with --payload FILE: endpoint {settings.endpoint!r} publishes no signature to generate "
            f"from ({published.said if document is None else 'its OpenAPI document describes no inputs'})"
        )
    return _in_all_formats(example), f"{whence}, in every format"


def _generated(document: Any, settings: Settings) -> tuple[Payload, ...]:
    try:
        from servesim.strategies.generate import drawn  # noqa: PLC0415 - hypothesis is imported where it is needed
        from servesim.strategies.payloads import formats_of, payloads  # noqa: PLC0415 - as above
        from servesim.strategies.published import signature_of_openapi  # noqa: PLC0415 - as above

        signature = signature_of_openapi(document)
        return tuple(
            payload
            for form in formats_of(signature)
            for payload in drawn(payloads(signature, form), settings.payloads, start=settings.seed)
        )
    except (ImportError, ValueError):
        return ()


def _example(document: Any) -> Any:
    try:
        path = next(iter(document["paths"].values()))
        return path["post"]["requestBody"]["content"][JSON]["example"]
    except (KeyError, TypeError, AttributeError, StopIteration):
        return None


def _in_all_formats(request: dict[str, Any]) -> tuple[Payload, ...]:
    own = _form(request)
    return (Payload.of(request, own), *in_other_formats(request, own))


def _form(document: Any) -> str:
    known = [form for form in FORMATS if isinstance(document, dict) and form in document]
    return known[0] if known else "json"


def _mixed(payloads: Iterable[Payload]) -> list[Payload]:
    """Return them one format after the other, so that any few in a row are of all."""
    by_form: dict[str, list[Payload]] = {}
    for payload in payloads:
        by_form.setdefault(payload.format, []).append(payload)
    longest = max(map(len, by_form.values()))
    return [found[at] for at in range(longest) for found in by_form.values() if at < len(found)]
