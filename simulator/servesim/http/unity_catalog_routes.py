"""The routes of models in Unity Catalog: those that MLflow calls, and the public ones."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from servesim.http.later import later

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from servesim.http import unity_catalog, unity_catalog_models
    from servesim.http.calls import Call
    from servesim.http.reply import Reply

    Handler = Callable[[Call], Awaitable[Reply]]
else:
    unity_catalog = later(lambda: import_module("servesim.http.unity_catalog"))
    unity_catalog_models = later(lambda: import_module("servesim.http.unity_catalog_models"))

MLFLOW = "/api/2.0/mlflow/unity-catalog/"
PUBLIC = "/api/2.1/unity-catalog/"


def routes() -> list[tuple[str, str, Handler]]:
    """List method, path and handler of each operation; a fixed path comes before one with a name in its place."""
    return [*_mlflow_routes(), *_public_routes()]


def _mlflow_routes() -> list[tuple[str, str, Handler]]:
    face, models, versions = unity_catalog, MLFLOW + "registered-models", MLFLOW + "model-versions/"
    return [
        ("GET", models + ":is-databricks-sdk-models-artifact-repository-enabled", face.uses_files_api),
        ("POST", models + "/create", face.create_model),
        ("GET", models + "/get", face.get_model),
        ("GET", models + "/search", face.search_models),
        ("PATCH", models + "/update", face.update_model),
        ("DELETE", models + "/delete", face.delete_model),
        ("POST", models + "/set-tag", face.set_model_tag),
        ("DELETE", models + "/delete-tag", face.delete_model_tag),
        ("POST", models + "/alias", face.set_alias),
        ("GET", models + "/alias", face.get_by_alias),
        ("DELETE", models + "/alias", face.delete_alias),
        ("POST", versions + "create", face.create_version),
        ("POST", versions + "finalize", face.finalize_version),
        ("GET", versions + "get", face.get_version),
        ("GET", versions + "search", face.search_versions),
        ("PATCH", versions + "update", face.update_version),
        ("DELETE", versions + "delete", face.delete_version),
        ("POST", versions + "set-tag", face.set_version_tag),
        ("DELETE", versions + "delete-tag", face.delete_version_tag),
        ("GET", versions + "get-download-uri", face.download_uri),
        ("POST", versions + "generate-temporary-credentials", face.credentials),
        ("POST", versions + "emit-lineage", face.emit_lineage),
    ]


def _public_routes() -> list[tuple[str, str, Handler]]:
    face, models = unity_catalog_models, PUBLIC + "models"
    one, alias = models + "/{full_name}", models + "/{full_name}/aliases/{alias}"
    version, tags = one + "/versions/{version}", "{type}/{full_name}"
    return [
        ("POST", models, face.create_model),
        ("GET", models, face.list_models),
        ("POST", models + "/versions", face.create_version),
        ("GET", one, face.get_model),
        ("PATCH", one, face.update_model),
        ("DELETE", one, face.delete_model),
        ("GET", alias, face.get_by_alias),
        ("PUT", alias, face.set_alias),
        ("DELETE", alias, face.delete_alias),
        ("GET", one + "/versions", face.list_versions),
        ("GET", version, face.get_version),
        ("PATCH", version, face.update_version),
        ("DELETE", version, face.delete_version),
        ("PATCH", version + "/finalize", face.finalize_version),
        ("POST", PUBLIC + "temporary-model-version-credentials", face.credentials),
        ("PATCH", PUBLIC + "securable-tags/" + tags, face.tag_model),
        ("PATCH", PUBLIC + "subentity-tags/" + tags + "/{version}", face.tag_version),
    ]
