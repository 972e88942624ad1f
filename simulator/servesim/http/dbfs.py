"""The calls to DBFS that MLflow's client makes when it registers a model whose run is kept elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from servesim.http.calls import not_simulated
from servesim.http.files import blocks
from servesim.http.reply import Reply, encode, error
from servesim.service.artifact_paths import invalid
from servesim.service.dbfs import ROOT, below

if TYPE_CHECKING:
    from servesim.http.calls import Call
    from servesim.service.artifact_files import Entry

_PREFIX = "/dbfs"


async def upload(call: Call) -> Reply:
    """Keep a file; raise Rejected."""
    workspace = call.session.workspace
    workspace.store.check_host()
    try:
        path = below(unquote(call.request.rel_url.raw_path.removeprefix(_PREFIX), errors="strict")) or ""
    except UnicodeDecodeError:
        raise invalid(call.request.rel_url.raw_path, "it is not UTF-8") from None
    if "/" not in path:
        raise invalid(path, f"a file lies in a folder below {ROOT}")
    await workspace.uploads.write(path, blocks(call.request, path), call.request.content_length)
    return Reply(200, b"", grade="observed")


async def listing(call: Call) -> Reply:
    """List a folder; raise NOT_SIMULATED for one that is not below the root."""
    asked = call.request.query.get("path", "")
    path = below(asked)
    if path is None:
        raise not_simulated(call.request, call.session, f"Of DBFS it knows what lies below {ROOT} alone.")
    workspace = call.session.workspace
    entries = workspace.uploads.listing(path) if path else []
    if not entries:
        text = f"No file or directory exists on path {asked}."
        return error(404, "RESOURCE_DOES_NOT_EXIST", text, workspace.next_request_id(), "chosen")
    folder = path.partition("/")[0]
    return Reply(200, encode({"files": [_file(folder, entry) for entry in entries]}), grade="documented")


def _file(folder: str, entry: Entry) -> dict[str, object]:
    size, modified = (entry.file.size, entry.file.modified) if entry.file else (0, 0)
    path = f"{ROOT}/{folder}/{entry.path}"
    return {"path": path, "is_dir": entry.file is None, "file_size": size, "modification_time": modified}
