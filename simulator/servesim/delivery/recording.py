"""Recorded exchanges: lines of JSON, written without secrets and read again."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from servesim.delivery.redaction import Redactor, is_of_secrets, is_too_deep
from servesim.delivery.secret_forms import embedded, loaded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BODY_LIMIT = 1024 * 1024
"""Bytes of a body that is recorded; a longer one passes and is left out."""
FILE_LIMIT = 256 * 1024 * 1024
"""Bytes of a recording, and of a file that is read as one."""
NOT_JSON = "not JSON"
"""Why a body was left out that its content type calls JSON: what cannot be read cannot be looked through."""
LONGEST_LINE = 2_000
"""Characters of a plain text that is kept; one line of it, as messages have."""
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A pipe that nobody writes to holds up nobody; some systems have one of the two alone."""
_FORM = "application/x-www-form-urlencoded"


class Unreadable(Exception):  # noqa: N818 - named for what is so
    """A file is no recording, or cannot be read or written; the text names it."""


class Side(NamedTuple):
    """A request or a response as it was sent."""

    headers: Sequence[tuple[str, str]]
    body: bytes = b""
    is_whole: bool = True
    """Whether ``body`` is all of it; a body beyond the limit is not kept."""

    @property
    def content_type(self) -> str:
        """The Content-Type header, empty if there is none."""
        return self.header("content-type")

    def header(self, name: str) -> str:
        """Return a header's first value, empty if there is none."""
        return next((value for known, value in self.headers if known.lower() == name), "")


class Exchange(NamedTuple):
    """A request and its answer."""

    method: str
    path: str
    """As it was sent, without the query."""
    query: str
    status: int
    request: Side
    response: Side


class Recording:
    """A file that exchanges are appended to, a line each."""

    def __init__(self, path: Path) -> None:
        """Open it for its owner alone; raise Unreadable."""
        self.path = path
        self.written = 0
        self.left_out = 0
        """Exchanges for which the file, or the memory for secrets, had no room."""
        self._redactor = Redactor()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        except OSError as error:
            raise Unreadable(f"{path} cannot be written: {error.strerror}") from error
        try:
            self._make_private()
            self._begin_line()
        except BaseException:
            os.close(self._file)
            raise

    def _make_private(self) -> None:
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise Unreadable(f"{self.path} is no ordinary file")
        try:
            os.fchmod(self._file, 0o600)
        except OSError as error:
            raise Unreadable(f"{self.path} cannot be kept from others: {error.strerror}") from error

    def _begin_line(self) -> None:
        """End the half line that a recorder may have left which was killed, so that what follows can be read."""
        try:
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                os.write(self._file, b"\n")
        except OSError as error:
            raise Unreadable(f"{self.path} cannot be written: {error.strerror}") from error

    def add(self, exchange: Exchange) -> None:
        """Append an exchange without its secrets; raise OSError."""
        line = _line(exchange, self._redactor)
        size = os.fstat(self._file).st_size
        if self._redactor.is_full or size + len(line) > FILE_LIMIT:
            self.left_out += 1
            return
        if os.write(self._file, line) < len(line):
            os.ftruncate(self._file, size)  # half a line is of no use
            raise OSError(0, "there is no room for a whole line")
        self.written += 1

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _line(exchange: Exchange, redactor: Redactor) -> bytes:
    """Return an exchange as a line, once everything secret in it is known."""
    path = exchange.path
    query = parse_qsl(exchange.query, keep_blank_values=True)
    sides = [(side, _read(side)) for side in (exchange.request, exchange.response)]
    in_secrets = is_of_secrets(path)
    redactor.learn_pairs(query, in_secrets=in_secrets)
    redactor.learn_address(path)
    for side, read in sides:
        redactor.learn_headers(side.headers)
        _learn(path, read, redactor)
    request, response = ({**_head(side, redactor), **_cleaned(path, side, read, redactor)} for side, read in sides)
    names = sorted({name.lower() for name, _ in exchange.response.headers})
    document = {
        "method": redactor.text(exchange.method),
        "path": redactor.path(path),
        "query": _joined(redactor.pairs(query, in_secrets=in_secrets)),
        "status": exchange.status,
        "request": request,
        "response": {**response, "headers": [redactor.text(name) for name in names]},
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


def _learn(path: str, read: tuple[str, Any], redactor: Redactor) -> None:
    kind, value = read
    if kind == "form":
        redactor.learn_pairs(value, in_secrets=is_of_secrets(path))
        redactor.learn_document(path, [inner for _, inner in value])
    elif kind in {"json", "json text"}:
        redactor.learn_document(path, value)
    elif kind == "events":
        redactor.learn_document(path, [document for _, document in value])


def _joined(pairs: list[tuple[str, str]]) -> str:
    return urlencode(pairs, errors="surrogatepass")


def _head(side: Side, redactor: Redactor) -> dict[str, Any]:
    return {"content_type": redactor.text(side.content_type)}


def _read(side: Side) -> tuple[str, Any]:
    """Return what a body is, and it; of one that cannot be looked through, why it is left out."""
    if not side.is_whole:
        return "omitted", f"longer than {BODY_LIMIT:,} bytes"
    if not side.body:
        return "none", None
    if (encoding := side.header("content-encoding")) not in {"", "identity"}:
        return "omitted", f"encoded as {encoding[:20]!r}"
    media_type = side.content_type.partition(";")[0].strip().lower()
    try:
        text = side.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "omitted", "not UTF-8"
    if media_type == _FORM:
        return "form", parse_qsl(text, keep_blank_values=True)
    return _read_text(media_type, text)


def _read_text(media_type: str, text: str) -> tuple[str, Any]:
    if media_type == "text/event-stream":
        return _read_events(text)
    try:
        document = loaded(text)
    except (ValueError, RecursionError):
        if media_type.endswith("json"):
            return "omitted", NOT_JSON
        is_line = len(text) <= LONGEST_LINE and len(text.strip().splitlines()) <= 1
        is_plain = media_type == "text/plain" and is_line and not text.lstrip().startswith(("{", "[", "<"))
        return ("text", text) if is_plain else ("omitted", "neither JSON nor one line of plain text")
    if is_too_deep(document):
        return "omitted", "nested too deep"
    return ("json" if media_type.endswith("json") else "json text"), document


def _read_events(text: str) -> tuple[str, Any]:
    """Return the lines of a stream, each with what its data hold as JSON, else None."""
    lines = []
    reason = "a stream with data that are not JSON"
    for line in text.split("\n"):
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        document = embedded(data)
        if "\r" in line.rstrip("\r") or (document is None and len(line) > LONGEST_LINE):
            return "omitted", reason
        if document is None and data.startswith(("{", "[", '"')) and data != "[DONE]":
            return "omitted", reason
        lines.append((line, document))
    if is_too_deep([document for _, document in lines]):
        return "omitted", "nested too deep"
    return "events", lines


def _event(path: str, line: str, document: Any, redactor: Redactor) -> str:
    return redactor.text(line) if document is None else f"data: {json.dumps(redactor.document(path, document))}"


def _cleaned(path: str, side: Side, read: tuple[str, Any], redactor: Redactor) -> dict[str, Any]:
    kind, value = read
    if kind == "none":
        return {}
    if kind == "json":
        return {"json": redactor.document(path, value)}
    if kind == "omitted":
        return {"omitted": redactor.text(value), **({"size": len(side.body)} if side.is_whole else {})}
    return {"text": _cleaned_text(path, kind, value, redactor)}


def _cleaned_text(path: str, kind: str, value: Any, redactor: Redactor) -> str:
    if kind == "json text":
        return json.dumps(redactor.document(path, value))
    if kind == "form":
        return _joined(redactor.pairs(value, in_secrets=is_of_secrets(path)))
    if kind == "events":
        return "\n".join(_event(path, line, document, redactor) for line, document in value)
    return redactor.text(value)


# --- reading --------------------------------------------------------------------------------------


class Recorded(NamedTuple):
    """An exchange as a file has it; a body that was left out is None."""

    where: str
    """Where it stands, e.g. ``recording.jsonl, line 3``."""
    method: str
    path: str
    query: dict[str, str]
    status: int
    request: tuple[str, bytes | None]
    """Content type and body."""
    response: tuple[str, bytes | None]
    headers: tuple[str, ...]
    """The names of the response's headers."""


def read_recording(path: Path) -> Iterator[Recorded]:
    """Yield the exchanges of a recording, or of a HAR file; raise Unreadable."""
    text = read_text(path)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict) and "log" in document:
        if (entries := _part(document, "log", "entries")) is None:
            raise Unreadable(f"{path}: it has a log without a list of entries, so it is no HAR file")
        places: Iterator[tuple[str, Any, Any]] = (
            (f"{path}, entry {number}", _of_har, entry) for number, entry in enumerate(entries, 1)
        )
    else:
        lines = text.split("\n")
        places = ((f"{path}, line {number}", _of_line, line) for number, line in enumerate(lines, 1) if line.strip())
    for where, read, written in places:
        try:
            yield read(where, written)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Unreadable(f"{where}: this is no exchange ({type(error).__name__}: {str(error)[:80]})") from error


def read_text(path: Path) -> str:
    """Return the text of an ordinary file of bounded size; raise Unreadable."""
    try:
        with os.fdopen(os.open(path, _READ), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable(f"{path}: no ordinary file")
            data = file.read(FILE_LIMIT + 1)
        if len(data) > FILE_LIMIT:
            raise Unreadable(f"{path}: larger than {FILE_LIMIT:,} bytes")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error


def _of_line(where: str, line: str) -> Recorded:
    entry = json.loads(line)
    request, response = entry["request"], entry["response"]
    return Recorded(
        where,
        _of_type(str, entry["method"]),
        _of_type(str, entry["path"]),
        dict(parse_qsl(_of_type(str, entry["query"]), keep_blank_values=True)),
        _of_type(int, entry["status"]),
        (_of_type(str, request["content_type"]), _body(request)),
        (_of_type(str, response["content_type"]), _body(response)),
        tuple(_of_type(str, name) for name in response["headers"]),
    )


def _body(side: dict[str, Any]) -> bytes | None:
    if "json" in side:
        return json.dumps(side["json"]).encode()
    if side.get("omitted") == NOT_JSON:
        return b"?"  # as wrong as it was
    return None if "omitted" in side else _of_type(str, side.get("text", "")).encode()


def _of_har(where: str, entry: Any) -> Recorded:
    from base64 import b64decode  # noqa: PLC0415 - for these files alone
    from urllib.parse import urlsplit  # noqa: PLC0415 - as above

    request, response = entry["request"], entry["response"]
    url = urlsplit(request["url"])
    sent, content = request.get("postData") or {}, response.get("content") or {}
    text = content.get("text")
    body: bytes | None = None if text is None and content.get("size") else (text or "").encode()
    if text and content.get("encoding") == "base64":
        body = b64decode(text)
    headers = {_of_type(str, one["name"]).lower(): one["value"] for one in response.get("headers", ())}
    return Recorded(
        where,
        _of_type(str, request["method"]),
        url.path,
        dict(parse_qsl(url.query, keep_blank_values=True)),
        _of_type(int, response["status"]),
        (_of_type(str, sent.get("mimeType", "")), _of_type(str, sent.get("text", "")).encode()),
        (_of_type(str, headers.get("content-type", content.get("mimeType", ""))), body),
        tuple(headers),
    )


def _part(document: Any, *keys: str) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, list) else None


def _of_type(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{kind.__name__} expected")
    return value
