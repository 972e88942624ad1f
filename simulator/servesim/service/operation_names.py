"""What the operations of the simulated service are called: as in the contracts, which stand above this layer."""

from __future__ import annotations

import re

from servesim.core.faults import QUERIES

ENDPOINTS = "/api/2.0/serving-endpoints"
_ONE = ENDPOINTS + "/{name}"
_ENTITY = _ONE + "/served-models/{entity}"
_PERMISSIONS = "/api/2.0/permissions/serving-endpoints/{id}"
_SECRETS = "/api/2.0/secrets/"

REGISTRY = "/api/2.0/mlflow/"
"""Below it are the calls of the workspace's model registry."""
PREVIEW = "/api/2.0/preview/mlflow/"
"""The older name of the same place."""
UNITY_CATALOG = REGISTRY + "unity-catalog/"
"""Below it are MLflow's calls to Unity Catalog, which never had an older name."""
ENDPOINTS_V2 = REGISTRY + "endpoints-v2/"
"""Below it are the calls of the serverless preview."""
LEGACY = REGISTRY + "endpoints/"
"""Below it are the calls of legacy serving."""
PUBLISHED = "/preview/mlflow/endpoints-v2/"
"""The serverless preview's place as its page prints it, without what stands before."""
_SLIP = "/preview/model-serving-api/endpoints-v2/update-compute-config"
SLIPS = (_SLIP, "/api/2.0" + _SLIP)
"""Where the preview's page has one of its calls; clients send it with the others."""
_MODELS = REGISTRY + "registered-models/"
_VERSIONS = REGISTRY + "model-versions/"
_UC_MODELS = UNITY_CATALOG + "registered-models"
_UC_VERSIONS = UNITY_CATALOG + "model-versions/"
_CATALOG = "/api/2.1/unity-catalog/"
_CATALOG_MODELS = _CATALOG + "models"
_FILES = "/api/2.0/fs/"
_MODEL_PERMISSIONS = "/api/2.0/permissions/registered-models/{id}"

_CALLS = {
    "list_endpoints": ("GET", ENDPOINTS),
    "create_endpoint": ("POST", ENDPOINTS),
    "get_model_optimization_info": ("GET", ENDPOINTS + "/get-model-optimization-info/{model}/{version}"),
    "get_endpoint": ("GET", _ONE),
    "delete_endpoint": ("DELETE", _ONE),
    "update_config": ("PUT", _ONE + "/config"),
    "stop_endpoint": ("POST", _ONE + "/config:stop"),
    "start_endpoint": ("POST", _ONE + "/config:start"),
    "update_tags": ("PATCH", _ONE + "/tags"),
    "update_rate_limits": ("PUT", _ONE + "/rate-limits"),
    "update_ai_gateway": ("PUT", _ONE + "/ai-gateway"),
    "update_notifications": ("PATCH", _ONE + "/notifications"),
    "update_telemetry_config": ("PATCH", _ONE + "/telemetry-config"),
    "list_events": ("GET", _ONE + "/events"),
    "export_metrics": ("GET", _ONE + "/metrics"),
    "get_open_api": ("GET", _ONE + "/openapi"),
    "get_build_logs": ("GET", _ENTITY + "/build-logs"),
    "get_logs": ("GET", _ENTITY + "/logs"),
    "get_permissions": ("GET", _PERMISSIONS),
    "set_permissions": ("PUT", _PERMISSIONS),
    "update_permissions": ("PATCH", _PERMISSIONS),
    "get_permission_levels": ("GET", _PERMISSIONS + "/permissionLevels"),
    "get_me": ("GET", "/api/2.0/preview/scim/v2/Me"),
    "get_token": ("POST", "/oidc/v1/token"),
    "create_scope": ("POST", _SECRETS + "scopes/create"),
    "delete_scope": ("POST", _SECRETS + "scopes/delete"),
    "list_scopes": ("GET", _SECRETS + "scopes/list"),
    "put_secret": ("POST", _SECRETS + "put"),
    "delete_secret": ("POST", _SECRETS + "delete"),
    "list_secrets": ("GET", _SECRETS + "list"),
    "get_secret": ("GET", _SECRETS + "get"),
    "put_secret_acl": ("POST", _SECRETS + "acls/put"),
    "delete_secret_acl": ("POST", _SECRETS + "acls/delete"),
    "get_secret_acl": ("GET", _SECRETS + "acls/get"),
    "list_secret_acls": ("GET", _SECRETS + "acls/list"),
    "create_registered_model": ("POST", _MODELS + "create"),
    "get_registered_model": ("GET", _MODELS + "get"),
    "get_databricks_registered_model": ("GET", REGISTRY + "databricks/registered-models/get"),
    "search_registered_models": ("GET", _MODELS + "search"),
    "list_registered_models": ("GET", _MODELS + "list"),
    "update_registered_model": ("PATCH", _MODELS + "update"),
    "rename_registered_model": ("POST", _MODELS + "rename"),
    "delete_registered_model": ("DELETE", _MODELS + "delete"),
    "get_latest_versions": ("POST", _MODELS + "get-latest-versions"),
    "read_latest_versions": ("GET", _MODELS + "get-latest-versions"),
    "set_registered_model_tag": ("POST", _MODELS + "set-tag"),
    "delete_registered_model_tag": ("DELETE", _MODELS + "delete-tag"),
    "create_model_version": ("POST", _VERSIONS + "create"),
    "get_model_version": ("GET", _VERSIONS + "get"),
    "search_model_versions": ("GET", _VERSIONS + "search"),
    "update_model_version": ("PATCH", _VERSIONS + "update"),
    "delete_model_version": ("DELETE", _VERSIONS + "delete"),
    "get_model_version_download_uri": ("GET", _VERSIONS + "get-download-uri"),
    "list_model_version_artifacts": ("GET", _VERSIONS + "list-artifacts"),
    "get_model_version_signed_uri": ("GET", _VERSIONS + "get-signed-download-uri"),
    "set_model_version_tag": ("POST", _VERSIONS + "set-tag"),
    "delete_model_version_tag": ("DELETE", _VERSIONS + "delete-tag"),
    "transition_stage": ("POST", _VERSIONS + "transition-stage"),
    "transition_databricks_stage": ("POST", REGISTRY + "databricks/model-versions/transition-stage"),
    "get_model_permissions": ("GET", _MODEL_PERMISSIONS),
    "set_model_permissions": ("PUT", _MODEL_PERMISSIONS),
    "update_model_permissions": ("PATCH", _MODEL_PERMISSIONS),
    "get_model_permission_levels": ("GET", _MODEL_PERMISSIONS + "/permissionLevels"),
    "upload_external_file": ("POST", "/dbfs/databricks/mlflow/tmp-external-source/{file_path}"),
    "list_external_files": ("GET", "/api/2.0/dbfs/list"),
    "stage_deployment": ("POST", ENDPOINTS + ":stageDeployment"),
    "uc_create_registered_model": ("POST", _UC_MODELS + "/create"),
    "uc_get_registered_model": ("GET", _UC_MODELS + "/get"),
    "uc_search_registered_models": ("GET", _UC_MODELS + "/search"),
    "uc_update_registered_model": ("PATCH", _UC_MODELS + "/update"),
    "uc_delete_registered_model": ("DELETE", _UC_MODELS + "/delete"),
    "uc_set_registered_model_tag": ("POST", _UC_MODELS + "/set-tag"),
    "uc_delete_registered_model_tag": ("DELETE", _UC_MODELS + "/delete-tag"),
    "uc_set_registered_model_alias": ("POST", _UC_MODELS + "/alias"),
    "uc_get_model_version_by_alias": ("GET", _UC_MODELS + "/alias"),
    "uc_delete_registered_model_alias": ("DELETE", _UC_MODELS + "/alias"),
    "uc_is_sdk_artifact_repository_enabled": (
        "GET",
        _UC_MODELS + ":is-databricks-sdk-models-artifact-repository-enabled",
    ),
    "uc_create_model_version": ("POST", _UC_VERSIONS + "create"),
    "uc_get_model_version": ("GET", _UC_VERSIONS + "get"),
    "uc_search_model_versions": ("GET", _UC_VERSIONS + "search"),
    "uc_update_model_version": ("PATCH", _UC_VERSIONS + "update"),
    "uc_delete_model_version": ("DELETE", _UC_VERSIONS + "delete"),
    "uc_set_model_version_tag": ("POST", _UC_VERSIONS + "set-tag"),
    "uc_delete_model_version_tag": ("DELETE", _UC_VERSIONS + "delete-tag"),
    "uc_get_model_version_download_uri": ("GET", _UC_VERSIONS + "get-download-uri"),
    "uc_generate_temporary_credentials": ("POST", _UC_VERSIONS + "generate-temporary-credentials"),
    "uc_finalize_model_version": ("POST", _UC_VERSIONS + "finalize"),
    "uc_emit_lineage": ("POST", _UC_VERSIONS + "emit-lineage"),
    "catalog_create_model": ("POST", _CATALOG_MODELS),
    "catalog_list_models": ("GET", _CATALOG_MODELS),
    "catalog_get_model": ("GET", _CATALOG_MODELS + "/{full_name}"),
    "catalog_update_model": ("PATCH", _CATALOG_MODELS + "/{full_name}"),
    "catalog_delete_model": ("DELETE", _CATALOG_MODELS + "/{full_name}"),
    "catalog_list_model_versions": ("GET", _CATALOG_MODELS + "/{full_name}/versions"),
    "catalog_get_model_version": ("GET", _CATALOG_MODELS + "/{full_name}/versions/{version}"),
    "catalog_update_model_version": ("PATCH", _CATALOG_MODELS + "/{full_name}/versions/{version}"),
    "catalog_delete_model_version": ("DELETE", _CATALOG_MODELS + "/{full_name}/versions/{version}"),
    "catalog_get_version_by_alias": ("GET", _CATALOG_MODELS + "/{full_name}/aliases/{alias}"),
    "catalog_set_alias": ("PUT", _CATALOG_MODELS + "/{full_name}/aliases/{alias}"),
    "catalog_delete_alias": ("DELETE", _CATALOG_MODELS + "/{full_name}/aliases/{alias}"),
    "catalog_create_model_version": ("POST", _CATALOG_MODELS + "/versions"),
    "catalog_finalize_model_version": ("PATCH", _CATALOG_MODELS + "/{full_name}/versions/{version}/finalize"),
    "catalog_generate_temporary_credentials": ("POST", _CATALOG + "temporary-model-version-credentials"),
    "catalog_tag_model": ("PATCH", _CATALOG + "securable-tags/{type}/{full_name}"),
    "catalog_tag_model_version": ("PATCH", _CATALOG + "subentity-tags/{type}/{full_name}/{version}"),
    "download_file": ("GET", _FILES + "files/Models/{path}"),
    "upload_file": ("PUT", _FILES + "files/Models/{path}"),
    "get_file_metadata": ("HEAD", _FILES + "files/Models/{path}"),
    "delete_file": ("DELETE", _FILES + "files/Models/{path}"),
    "list_directory": ("GET", _FILES + "directories/Models/{path}"),
    "create_directory": ("PUT", _FILES + "directories/Models/{path}"),
    "get_directory_metadata": ("HEAD", _FILES + "directories/Models/{path}"),
    "begin_upload": ("POST", _FILES + "files/Models/{path}"),
    "create_upload_url": ("POST", _FILES + "create-upload-url"),
    "create_download_url": ("POST", _FILES + "create-download-url"),
    "create_upload_part_urls": ("POST", _FILES + "create-upload-part-urls"),
    "create_abort_upload_url": ("POST", _FILES + "create-abort-upload-url"),
    "preview_enable": ("POST", ENDPOINTS_V2 + "enable"),
    "preview_disable": ("POST", ENDPOINTS_V2 + "disable"),
    "preview_list": ("GET", ENDPOINTS_V2 + "list"),
    "preview_get_status": ("GET", ENDPOINTS_V2 + "get-status"),
    "preview_list_versions": ("GET", ENDPOINTS_V2 + "list-versions"),
    "preview_get_version_status": ("GET", ENDPOINTS_V2 + "get-version-status"),
    "preview_list_version_aliases": ("GET", ENDPOINTS_V2 + "list-version-aliases"),
    "preview_update_compute_config": ("PUT", ENDPOINTS_V2 + "update-compute-config"),
    "preview_restart_compute_config_update": ("POST", ENDPOINTS_V2 + "restart-compute-config-update"),
    "preview_get_supported_workload_sizes": ("GET", ENDPOINTS_V2 + "get-supported-workload-sizes"),
    "preview_get_version_replicas": ("GET", ENDPOINTS_V2 + "get-version-replicas"),
    "preview_get_version_logs": ("POST", ENDPOINTS_V2 + "get-version-logs"),
    "preview_get_version_build_logs": ("POST", ENDPOINTS_V2 + "get-version-build-logs"),
    "preview_get_version_metrics": ("GET", ENDPOINTS_V2 + "get-version-metrics"),
    "preview_get_event_history": ("GET", ENDPOINTS_V2 + "get-event-history"),
    "legacy_enable": ("POST", LEGACY + "enable"),
    "legacy_disable": ("POST", LEGACY + "disable"),
    "legacy_list": ("GET", LEGACY + "list"),
    "legacy_get_status": ("GET", LEGACY + "get-status"),
    "legacy_list_versions": ("GET", LEGACY + "list-versions"),
    "legacy_list_version_aliases": ("GET", LEGACY + "list-version-aliases"),
    "legacy_get_version_logs": ("POST", LEGACY + "get-version-logs"),
    "legacy_get_event_history": ("GET", LEGACY + "get-event-history"),
    "legacy_get_metric_history": ("GET", LEGACY + "get-metric-history"),
    "legacy_update_cluster_config": ("PUT", LEGACY + "update-cluster-config"),
}
"""Method and path of each call of the control plane that is somebody's: host discovery is nobody's."""

NAMES = (*_CALLS, *QUERIES)

_NAMED = re.compile(r"\{\w+\}")


def usual_path(path: str) -> str:
    """Return the path that the contracts have for a path as it was sent: of what has two, the newer one."""
    if path in SLIPS:
        return ENDPOINTS_V2 + "update-compute-config"
    if path.startswith(PUBLISHED):
        return ENDPOINTS_V2 + path.partition("/endpoints-v2/")[2]
    if not path.startswith(PREVIEW):
        return path
    newer = REGISTRY + path.removeprefix(PREVIEW)
    return path if newer.startswith(UNITY_CATALOG) else newer


def _shape(method: str, path: str) -> tuple[str, str]:
    return method, _NAMED.sub("{}", path)


_BY_SHAPE = {_shape(*call): name for name, call in _CALLS.items()}


def operation_of(method: str, path: str) -> str | None:
    """Return the operation of a method and a path as a routing table writes it; None for one that is no contract's."""
    return _BY_SHAPE.get(_shape(method, usual_path(path)))
