"""Model versions that answer without MLflow."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from servesim.core.registry import ModelVersion
from servesim.payloads.signature import Signature

if TYPE_CHECKING:
    from servesim.models.stubs import Stub


_RELEASE = re.compile(r"[0-9]{1,4}(\.[0-9]{1,6}){1,3}[A-Za-z0-9.+-]{0,30}")


def stub_version(
    name: str,
    version: str,
    stub: Stub,
    signature: dict[str, str] | Signature | None = None,
    example: Any = None,
    *,
    mlflow: str = "",
) -> ModelVersion:
    """Return a version that answers by rule; ``example`` is a scoring request that it accepts.

    ``mlflow`` is the MLflow version of its environment, by which legacy serving tells its requests; raise
    ValueError for a text that is none.
    """
    source = json.dumps({"behaviour": stub.behaviour, "value": stub.value, "message": stub.message})
    return ModelVersion(
        name, version, "stub", source, signature=_schema(signature), example=_text(example), mlflow=_checked(mlflow)
    )


def function_version(
    name: str,
    version: str,
    key: str,
    signature: dict[str, str] | Signature | None = None,
    example: Any = None,
    *,
    mlflow: str = "",
) -> ModelVersion:
    """Return a version that the Python callable kept under ``key`` answers for; else as ``stub_version``."""
    return ModelVersion(
        name, version, "function", key, signature=_schema(signature), example=_text(example), mlflow=_checked(mlflow)
    )


def _checked(mlflow: str) -> str:
    """Return an MLflow version that a person gave; raise ValueError for a text that is none."""
    if mlflow and not _RELEASE.fullmatch(mlflow):
        message = f"an MLflow version has numbers with dots between them, such as 1.28.0; got {mlflow!r}"
        raise ValueError(message)
    return mlflow


def _schema(signature: dict[str, str] | Signature | None) -> str | None:
    if signature is None:
        return None
    schema = Signature.of(signature) if isinstance(signature, dict) else signature
    return json.dumps(schema.to_json())


def _text(example: Any) -> str | None:
    return None if example is None else json.dumps(example)
