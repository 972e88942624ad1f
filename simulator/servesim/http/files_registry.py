"""The files of versions in the workspace registry, as MLflow reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.http.file_places import Place
from servesim.http.files import PAGE, page_of
from servesim.http.files_signed import sign
from servesim.http.parameters import fields_of
from servesim.http.registry_calls import readable_version
from servesim.http.reply import Reply, encode
from servesim.service.artifact_paths import confined

if TYPE_CHECKING:
    from servesim.generations.fields import Fields
    from servesim.http.calls import Call
    from servesim.service.artifact_files import File


async def list_artifacts(call: Call) -> Reply:
    """List what lies in a folder of a version; of a file itself alone. Raise Rejected."""
    fields = await fields_of(call)
    place = await _place(call, fields)
    file = place.session.workspace.artifacts.files(place.key).get(place.path)
    if file is not None:
        return Reply(200, encode({"files": [_file(file)]}), grade="observed")
    entries, following = page_of(place, fields.text("page_token", ""), PAGE)
    document: dict[str, object] = {
        "files": [
            {"path": entry.path, "is_dir": True} if entry.file is None else _file(entry.file) for entry in entries
        ]
    }
    if following:
        document["next_page_token"] = following
    return Reply(200, encode(document), grade="observed")


async def get_signed_download_uri(call: Call) -> Reply:
    """Give a URL from which a file of a version is read; raise Rejected."""
    place = await _place(call, await fields_of(call))
    place.session.workspace.artifacts.file(place.key, place.path)
    return Reply(200, encode({"signed_uri": sign(call, place, "GET"), "headers": []}), grade="observed")


def _file(file: File) -> dict[str, object]:
    return {"path": file.path, "is_dir": False, "file_size": file.size}


async def _place(call: Call, fields: Fields) -> Place:
    model, version = readable_version(call, fields)
    path = fields.text("path", "")
    return await Place(call.session, model, version, confined(path) if path else "").opened()
