"""Calls that were made, read from what servesim and browsers write down: who called what, when, and with which body.

Rules: no token, header or query leaves this module; a token that names nobody is known by a number.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from servesim.delivery.recording import FILE_LIMIT, Unreadable, read_text
from servesim.http.auth import basic_pair
from servesim.service.instants import instant_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

STDIN = "-"
USER, SERVICE_PRINCIPAL, TOKEN, UNKNOWN = "user", "service principal", "token of somebody", "unknown"
"""Whose credential it was."""

_APPLICATION = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_MAIL = re.compile(r"[^\s@/]{1,100}@[^\s@/]{1,100}")
_EXPECTED = (
    "a journal is what `servesim requests list --last 1000 --json` prints, or a file of `servesim contract record`"
)


class Caller(NamedTuple):
    """Who called, as far as it can be told."""

    name: str
    kind: str


class Call(NamedTuple):
    """One call."""

    at: int | None
    """In milliseconds since 1970; None where it was not written down."""
    caller: Caller
    method: str
    path: str
    content_type: str
    body: bytes | None
    """None where it was not written down."""
    status: int


class Callers:
    """Whom tokens belong to; those that name nobody are numbered as they come."""

    def __init__(self) -> None:
        """Know nobody yet."""
        self._numbers: dict[str, int] = {}

    def named(self, name: str) -> Caller:
        """Return a caller that was written down by name."""
        if not name:
            return Caller("not written down", UNKNOWN)
        if _APPLICATION.fullmatch(name):
            return Caller(name, SERVICE_PRINCIPAL)
        return Caller(name, USER if _MAIL.fullmatch(name) else UNKNOWN)

    def of_header(self, header: str) -> Caller:
        """Return whom an Authorization header stands for."""
        scheme, _, credential = header.partition(" ")
        token = basic_pair(credential)[1] if scheme.lower() == "basic" else credential.strip()
        if not token:
            return self.named("")
        subject = _subject(token)
        if subject:
            return self.named(subject)
        return Caller(f"token {self._numbers.setdefault(token, len(self._numbers) + 1)}", TOKEN)


def _subject(token: str) -> str:
    """Return whom a signed token names; empty for one that names nobody who could be shown."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    subject = str(claims.get("sub", "")) if isinstance(claims, dict) else ""
    return subject if _MAIL.fullmatch(subject) or _APPLICATION.fullmatch(subject) else ""


def read_journal(path: Path, callers: Callers) -> list[Call]:
    """Return the calls of a journal; raise Unreadable."""
    text = _given() if str(path) == STDIN else read_text(path)
    document = _whole(text)
    if isinstance(document, dict) and isinstance(document.get("log"), dict):
        raise Unreadable(f"{path} is a HAR file, no journal; give it as --har {path}")
    if isinstance(document, dict) and isinstance(document.get("rows"), list):
        raise Unreadable(f"{path} is an inference table, which has calls of Model Serving alone; {_EXPECTED}")
    listed = document.get("requests") if isinstance(document, dict) and "method" not in document else document
    if isinstance(listed, list):
        return _each(listed, lambda one: _of_line(one, callers), f"{path}, request")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return [_of_text(path, number, line, callers) for number, line in lines]


def _given() -> str:
    """Return what comes by standard input."""
    data = sys.stdin.buffer.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise Unreadable(f"standard input: larger than {FILE_LIMIT:,} bytes; write it to files and name each")
    return data.decode("utf-8", errors="replace")


def read_har(path: Path, callers: Callers) -> list[Call]:
    """Return the calls of a HAR file; raise Unreadable."""
    text = read_text(path)
    document = _whole(text)
    if document is None:
        is_cut = text.lstrip().startswith("{")
        why = "is cut short, or no JSON: export it again" if is_cut else "is no HAR file, which is JSON"
        raise Unreadable(f"{path} {why}; a journal is given as --journal {path}")
    entries = document.get("log", {}).get("entries") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise Unreadable(f"{path} is no HAR file: it has no log with entries; a journal is given as --journal {path}")
    return _each(entries, lambda one: _of_entry(one, callers), f"{path}, entry")


def _whole(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _each(documents: Iterable[Any], read: Callable[[Any], Call], where: str) -> list[Call]:
    calls = []
    for number, document in enumerate(documents, 1):
        try:
            calls.append(read(document))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            why = f"{type(error).__name__}: {str(error)[:80]}"
            raise Unreadable(f"{where} {number}: this is no call ({why}); {_EXPECTED}") from error
    return calls


def _of_text(path: Path, number: int, line: str, callers: Callers) -> Call:
    where = f"{path}, line {number}"
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        if number == 1 and not line.lstrip().startswith("{"):
            raise Unreadable(f"{where} is no JSON; {_EXPECTED}") from error
        before = f"`head -n {number - 1} {path}` gives what stands before it" if number > 1 else "write it anew"
        raise Unreadable(f"{where} is cut short, or no JSON; {before}") from error
    return _each([document], lambda one: _of_line(one, callers), where)[0]


def _of_line(document: Any, callers: Callers) -> Call:
    """Read a request of servesim's record, or an exchange of a recording."""
    sent = document.get("request")
    if isinstance(sent, dict):
        body = json.dumps(sent["json"]).encode() if "json" in sent else _encoded(sent.get("text"))
        content_type, at, who = sent["content_type"], None, ""
    else:
        written = document.get("body")
        body = _encoded(written) if written is None or isinstance(written, str) else json.dumps(written).encode()
        at, who = instant_of(document["instant"]), document["requester"]
        content_type = document.get("content_type") or ""
    return Call(
        at,
        callers.named(_text(who)),
        _text(document["method"]),
        _text(document["path"]),
        _text(content_type),
        body,
        int(document["status"]),
    )


def _of_entry(entry: Any, callers: Callers) -> Call:
    request, sent = entry["request"], entry["request"].get("postData") or {}
    headers = {_text(one["name"]).lower(): _text(one["value"]) for one in request.get("headers", ())}
    started = entry.get("startedDateTime")
    return Call(
        instant_of(started) if started else None,
        callers.of_header(headers.get("authorization", "")),
        _text(request["method"]),
        urlsplit(_text(request["url"])).path,
        headers.get("content-type") or _text(sent.get("mimeType") or ""),
        _encoded(sent.get("text")),
        int(entry["response"]["status"]),
    )


def _encoded(text: Any) -> bytes | None:
    return None if text is None else _text(text).encode(errors="replace")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value
