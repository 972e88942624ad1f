"""Model versions that answer without MLflow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from servesim.core.registry import ModelVersion
from servesim.payloads.signature import Signature

if TYPE_CHECKING:
    from servesim.models.stubs import Stub


def stub_version(
    name: str,
    version: str,
    stub: Stub,
    signature: dict[str, str] | Signature | None = None,
    example: Any = None,
) -> ModelVersion:
    """Return a version that answers by rule; ``example`` is a scoring request that it accepts."""
    source = json.dumps({"behaviour": stub.behaviour, "value": stub.value, "message": stub.message})
    return ModelVersion(name, version, "stub", source, signature=_schema(signature), example=_text(example))


def function_version(
    name: str,
    version: str,
    key: str,
    signature: dict[str, str] | Signature | None = None,
    example: Any = None,
) -> ModelVersion:
    """Return a version that the Python callable kept under ``key`` answers for."""
    return ModelVersion(name, version, "function", key, signature=_schema(signature), example=_text(example))


def _schema(signature: dict[str, str] | Signature | None) -> str | None:
    if signature is None:
        return None
    schema = Signature.of(signature) if isinstance(signature, dict) else signature
    return json.dumps(schema.to_json())


def _text(example: Any) -> str | None:
    return None if example is None else json.dumps(example)
