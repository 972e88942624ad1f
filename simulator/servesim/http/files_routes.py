"""The routes of the files of registered versions."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from servesim.http.later import later
from servesim.service.operation_names import PREVIEW, REGISTRY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.http import dbfs, files, files_registry, files_signed
    from servesim.http.calls import Call
    from servesim.http.reply import Reply

    Handler = Callable[[Call], Awaitable[Reply]]
else:
    dbfs = later(lambda: import_module("servesim.http.dbfs"))
    files = later(lambda: import_module("servesim.http.files"))
    files_registry = later(lambda: import_module("servesim.http.files_registry"))
    files_signed = later(lambda: import_module("servesim.http.files_signed"))

FILES = "/api/2.0/fs/files/Models/*"
DIRECTORIES = "/api/2.0/fs/directories/Models/*"
"""Those of volumes and of the workspace are no part of this: they are not simulated."""
FS = "/api/2.0/fs/"
UPLOADS = "/dbfs/databricks/mlflow/tmp-external-source/*"
"""Where MLflow's client puts the files of a model before it registers it; the rest of DBFS is not simulated."""


def routes() -> list[tuple[str, str, Handler]]:
    """List method, path and handler of each operation; ``*`` is whatever follows."""
    return [
        ("PUT", FILES, files.upload),
        ("GET", FILES, files.download),
        ("HEAD", FILES, files.download),
        ("DELETE", FILES, files.delete),
        ("POST", FILES, files.act),
        ("PUT", DIRECTORIES, files.create_directory),
        ("GET", DIRECTORIES, files.list_directory),
        ("HEAD", DIRECTORIES, files.find_directory),
        ("POST", FS + "create-upload-url", files_signed.create_upload_url),
        ("POST", FS + "create-download-url", files_signed.create_download_url),
        ("POST", FS + "create-upload-part-urls", files_signed.create_upload_part_urls),
        ("POST", FS + "create-abort-upload-url", files_signed.create_abort_upload_url),
        ("POST", UPLOADS, dbfs.upload),
        ("GET", "/api/2.0/dbfs/list", dbfs.listing),
        *(
            route
            for registry in (REGISTRY, PREVIEW)
            for route in (
                ("GET", registry + "model-versions/list-artifacts", files_registry.list_artifacts),
                ("GET", registry + "model-versions/get-signed-download-uri", files_registry.get_signed_download_uri),
            )
        ),
    ]
