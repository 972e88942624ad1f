"""The Files API of Unity Catalog's models: uploads and downloads go through memory in blocks."""

from __future__ import annotations

import re
from email.utils import formatdate, parsedate_to_datetime
from typing import TYPE_CHECKING

from aiohttp import web

from servesim.core.errors import Code, Rejected
from servesim.generations.pages import fingerprint, read_token, token
from servesim.http.calls import not_simulated
from servesim.http.file_places import asks_for, sent_to
from servesim.http.parameters import fields_of
from servesim.http.reply import FilePart, Reply, encode, error
from servesim.service.artifact_folders import BLOCK_BYTES
from servesim.service.clock import patience

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiohttp import StreamReader

    from servesim.http.calls import Call
    from servesim.http.file_places import Place
    from servesim.service.artifact_files import Entry, File

BLOCK_CAP_S = 60.0
"""Real seconds that a block of an upload may take to arrive: ours."""
PAGE = 1_000
"""Entries of a page, and the most that may be asked for: documented for the Files API."""
SESSION_TOKEN = "single-upload"  # noqa: S105 - it opens nothing
"""Stands for an upload in parts, which the client gives up when it gets no URL for its first part."""

_BINARY = "application/octet-stream"
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


async def upload(call: Call) -> Reply:
    """Keep a file; raise Rejected."""
    place = sent_to(call).may_write()
    await store(place, call.request, overwrite=asks_for(call.request, "overwrite", usual=True))
    return _nothing()


async def store(place: Place, request: web.BaseRequest, *, overwrite: bool = True) -> File:
    """Keep the body of a request as a file of a version; raise Rejected, and nothing of it is left."""
    return await place.session.workspace.artifacts.write(
        place.key,
        place.path,
        blocks(request, place.path),
        request.content_length,
        overwrite=overwrite,
        check=place.check_open,
    )


async def download(call: Call) -> Reply:
    """Answer with a file, or with a part of it; HEAD with its size alone."""
    return send(await sent_to(call).opened(), call.request)


def send(place: Place, request: web.BaseRequest) -> Reply:
    """Answer a request with a file; raise FILE_MISSING."""
    workspace = place.session.workspace
    file = workspace.artifacts.file(place.key, place.path)
    last_modified = formatdate(file.modified // 1000, usegmt=True)
    headers = {"Last-Modified": last_modified, "ETag": f'"{file.sha256}"', "Accept-Ranges": "bytes"}
    if _is_older(request.headers.get("If-Unmodified-Since"), file):
        text = f"The file '{place.path}' was last modified at {last_modified}."
        return error(412, "PRECONDITION_FAILED", text, workspace.next_request_id(), "chosen")
    part = _range(request, file, headers)
    if part is None:
        text = f"The file '{place.path}' has {file.size} bytes, which is not enough for that range."
        refused = error(416, "OUT_OF_RANGE", text, workspace.next_request_id(), "chosen")
        return refused._replace(headers={"Content-Range": f"bytes */{file.size}"})
    first, length = part
    status = 200
    if length < file.size:
        status, headers["Content-Range"] = 206, f"bytes {first}-{first + length - 1}/{file.size}"
    sent = FilePart(workspace.artifacts.where(place.key, place.path), first, length)
    return Reply(status, b"", _BINARY, headers, "documented", file=sent)


async def delete(call: Call) -> Reply:
    """Delete a file of a version that is not registered yet; raise Rejected."""
    place = sent_to(call).may_write()
    place.session.workspace.artifacts.remove(place.key, place.path)
    return _nothing()


async def act(call: Call) -> Reply:
    """Begin an upload in parts, which goes on as one upload: no part gets a URL."""
    if call.request.query.get("action") != "initiate-upload":
        advice = "Of actions on files it knows initiate-upload alone; a file is uploaded by one PUT."
        raise not_simulated(call.request, call.session, advice)
    place = sent_to(call).may_write()
    artifacts = place.session.workspace.artifacts
    overwrites = asks_for(call.request, "overwrite", usual=True)
    if place.path in artifacts.files(place.key) and not overwrites:
        raise Rejected(Code.FILE_EXISTS, path=place.path)
    return Reply(200, encode({"multipart_upload": {"session_token": SESSION_TOKEN}}), grade="observed")


# --- folders --------------------------------------------------------------------------------------


async def create_directory(call: Call) -> Reply:
    """Do nothing: a folder is there as soon as it has a file; raise Rejected where none could be."""
    place = sent_to(call, folder=True).may_read()
    if place.path:
        place.may_write()
        if place.path in place.session.workspace.artifacts.files(place.key):
            raise Rejected(Code.FILE_EXISTS, path=place.path)
    return _nothing()


async def find_directory(call: Call) -> Reply:
    """Answer that a folder is there; raise FOLDER_MISSING."""
    place = await sent_to(call, folder=True).opened()
    if not place.session.workspace.artifacts.has_folder(place.key, place.path):
        raise Rejected(Code.FOLDER_MISSING, path=place.full_path)
    return Reply(200, b"", grade="documented")


async def list_directory(call: Call) -> Reply:
    """List what lies in a folder, by name; raise FOLDER_MISSING."""
    place = await sent_to(call, folder=True).opened()
    fields = await fields_of(call)
    most = fields.whole("page_size", least=0) or PAGE
    entries, following = page_of(place, fields.text("page_token", ""), min(most, PAGE))
    document: dict[str, object] = {"contents": [_entry(place, entry) for entry in entries]}
    if following:
        document["next_page_token"] = following
    return Reply(200, encode(document), grade="documented")


def page_of(place: Place, asked: str, most: int) -> tuple[list[Entry], str]:
    """Return the entries of a page of a folder, and the token of the next one if there is one."""
    entries = place.session.workspace.artifacts.listing(place.key, place.path)
    question = fingerprint(place.session.principal.name, place.full_path)
    if asked:
        (last,) = read_token(asked, question, [str])
        entries = [entry for entry in entries if entry.path > last]
    page = entries[:most]
    return page, token(question, [page[-1].path]) if len(entries) > most else ""


def _entry(place: Place, entry: Entry) -> dict[str, object]:
    name = entry.path.rpartition("/")[2]
    path = place._replace(path=entry.path).full_path
    if entry.file is None:
        return {"path": path, "name": name, "is_directory": True}
    details = {"file_size": entry.file.size, "last_modified": entry.file.modified}
    return {"path": path, "name": name, "is_directory": False, **details}


# --- bytes ----------------------------------------------------------------------------------------


async def blocks(request: web.BaseRequest, path: str) -> AsyncGenerator[bytes]:
    """Yield a body as it comes; raise UPLOAD_TRUNCATED or SLOW_BODY."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    size = 0
    while True:
        try:
            async with patience(BLOCK_CAP_S):
                block = await _block(request.content)
        except TimeoutError:
            raise Rejected(Code.SLOW_BODY, limit=f"{BLOCK_CAP_S:g}", size=f"{size:,}") from None
        except (ConnectionError, web.RequestPayloadError):
            announced = "an unknown number" if request.content_length is None else request.content_length
            raise Rejected(Code.UPLOAD_TRUNCATED, path=path, announced=announced, size=size) from None
        if not block:
            return
        size += len(block)
        yield block


async def _block(content: StreamReader) -> bytes:
    parts, size = [], 0
    while size < BLOCK_BYTES and (part := await content.readany()):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _range(request: web.BaseRequest, file: File, headers: dict[str, str]) -> tuple[int, int] | None:
    """Return the first byte that is asked for and how many; everything for what is no single range, None for none."""
    asked = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if asked is None or not any(asked.groups()) or request.headers.get("If-Range", headers["ETag"]) != headers["ETag"]:
        return 0, file.size
    first, last = asked.groups()
    if not first:
        length = min(int(last), file.size)
        return (file.size - length, length) if length else None
    end = min(int(last) + 1, file.size) if last else file.size
    if last and int(last) < int(first):
        return 0, file.size
    return (int(first), end - int(first)) if int(first) < file.size else None


def _is_older(date: str | None, file: File) -> bool:
    """Tell whether a file has changed since a date of HTTP, in whole seconds; one that cannot be read is no matter."""
    if date is None:
        return False
    try:
        return file.modified // 1000 > parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return False


def _nothing() -> Reply:
    return Reply(204, b"", grade="documented")
