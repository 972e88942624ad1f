"""Handlers that are made at their first call."""

from __future__ import annotations

import asyncio

import pytest

from servesim.http import (
    control,
    dbfs,
    express,
    files,
    files_registry,
    files_signed,
    legacy,
    operations,
    registry,
    registry_permissions,
    secrets,
    serverless_preview,
    serving,
    unity_catalog,
    unity_catalog_models,
)
from servesim.http.later import later


class Plane:
    made = 0

    def __init__(self):
        type(self).made += 1

    async def double(self, number):
        return 2 * number


@pytest.fixture(autouse=True)
def nothing_made(monkeypatch):
    monkeypatch.setattr(Plane, "made", 0)


def test_what_handles_is_made_once_and_at_the_first_call():
    plane = later(Plane)
    double = plane.double
    assert asyncio.iscoroutinefunction(double)
    assert Plane.made == 0
    assert [asyncio.run(double(2)), asyncio.run(plane.double(3))] == [4, 6]
    assert Plane.made == 1


def test_what_cannot_be_made_is_tried_again():
    attempts = iter([ImportError("not now"), None])

    def make():
        if problem := next(attempts):
            raise problem
        return Plane()

    plane = later(make)
    with pytest.raises(ImportError, match="not now"):
        asyncio.run(plane.double(2))
    assert asyncio.run(plane.double(2)) == 4


OWNERS = {
    "/api/2.0/serving-endpoints": [control.ControlPlane, operations.Operations, express],
    "/api/2.0/permissions/serving-endpoints": [operations.Operations],
    "/api/2.0/permissions/registered-models": [registry_permissions],
    "/api/2.0/mlflow/unity-catalog/": [unity_catalog],
    "/api/2.0/mlflow/endpoints-v2/": [serverless_preview],
    "/api/2.0/preview/mlflow/endpoints-v2/": [serverless_preview],
    "/api/2.0/preview/model-serving-api/": [serverless_preview],
    "/preview/": [serverless_preview],
    "/mlflow/": [serverless_preview],
    "/api/2.0/mlflow/endpoints/": [legacy],
    "/api/2.0/preview/mlflow/endpoints/": [legacy],
    "/api/2.0/mlflow/": [registry, files_registry],
    "/api/2.0/preview/mlflow/": [registry, files_registry],
    "/api/2.1/unity-catalog/": [unity_catalog_models],
    "/api/2.0/fs/": [files, files_signed],
    "/api/2.0/secrets/": [secrets],
    "/dbfs/": [dbfs],
    "/api/2.0/dbfs/": [dbfs],
}
"""Who answers, by what a path begins with."""


def test_each_route_has_a_handler():
    for method, path, handler in serving.routes():
        owners = next(found for begins, found in OWNERS.items() if path.startswith(begins))
        found = [owner for owner in owners if asyncio.iscoroutinefunction(getattr(owner, handler.__name__, None))]
        assert len(found) == 1, (method, path)
