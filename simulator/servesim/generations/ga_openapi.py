"""The OpenAPI document of a GA endpoint, from the signatures of what it serves.

Recorded are the version of OpenAPI, ``info``, ``servers``, the keys of ``paths`` and one alternative for each input
format; everything else is chosen.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from servesim.core.errors import Code, Rejected
from servesim.payloads.example import as_request
from servesim.payloads.schemas import outputs_schema, request_schemas
from servesim.payloads.signature import Signature, Unsupported

if TYPE_CHECKING:
    from servesim.core.endpoint import Endpoint
    from servesim.core.registry import ModelVersion
    from servesim.core.workspace import Workspace

_JSON = "application/json"

_UNREAD = {
    "type": "object",
    "description": "This model's signature has types that servesim does not describe; MLflow itself checks requests.",
}

_ERROR = {
    "type": "object",
    "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
    "required": ["error_code", "message"],
}


def render(world: Workspace, endpoint: Endpoint, host_url: str) -> dict[str, Any]:
    """Return the document of a ready endpoint; ``host_url`` is scheme and host, without a slash at its end.

    Served entities without a signature are left out. Raises OPENAPI_NOT_READY or OPENAPI_NO_SIGNATURE.
    """
    config = endpoint.active
    if config is None or not world.is_ready(endpoint):
        raise Rejected(Code.OPENAPI_NOT_READY, endpoint=endpoint.name)
    paths = {
        f"/served-models/{entity.spec.name}/invocations": {"post": _operation(entity.spec.name, model)}
        for entity in config.entities
        if (model := world.deployments[entity.deployment_id].model).signature is not None
    }
    if not paths:
        raise Rejected(Code.OPENAPI_NO_SIGNATURE, endpoint=endpoint.name)
    return {
        "openapi": "3.1.0",
        "info": {"title": endpoint.name, "version": str(config.version)},
        "servers": [{"url": f"{host_url}/serving-endpoints/{endpoint.name}"}],
        "paths": paths,
    }


def _operation(entity: str, model: ModelVersion) -> dict[str, Any]:
    stored = json.loads(model.signature or "{}")
    content: dict[str, Any] = {"schema": _request(stored)}
    if model.example is not None:
        content["example"] = as_request(model.example)
    answer = {"type": "object", "properties": {"predictions": _predictions(stored)}, "required": ["predictions"]}
    return {
        "summary": f"Query served entity {entity}: version {model.version} of {model.name}.",
        "requestBody": {"required": True, "content": {_JSON: content}},
        "responses": {
            "200": {"description": "What the model answers.", "content": {_JSON: {"schema": answer}}},
            "default": {"description": "Why there is no answer.", "content": {_JSON: {"schema": _ERROR}}},
        },
    }


def _request(stored: dict[str, Any]) -> dict[str, Any]:
    try:
        forms = request_schemas(Signature.from_mlflow(stored.get("inputs"), stored.get("params")))
    except Unsupported:
        return _UNREAD
    return {"oneOf": list(forms.values())} if forms else {"type": "object"}


def _predictions(stored: dict[str, Any]) -> dict[str, Any]:
    try:
        return outputs_schema(Signature.from_mlflow(stored.get("outputs")))
    except ValueError:  # Unsupported is one
        return {}
