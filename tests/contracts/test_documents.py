"""Every document: it is OpenAPI, and its examples are what it says of them."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from servesim.contracts.conformity import FORM, request_violations, response_violations
from servesim.contracts.documents import SURFACES, document
from servesim.contracts.operations import operations, resolved, responses


def holders(operation):
    """The request (its status is None) and the responses of an operation."""
    request = {None: operation.spec["requestBody"]} if "requestBody" in operation.spec else {}
    return request | {status: response for status, (_, response) in responses(operation).items()}


def examples(surface):
    """Each example of a request or a response, with its operation and where it stands."""
    for one in operations(surface):
        for status, holder in holders(one).items():
            for media_type, content in holder.get("content", {}).items():
                for name, example in content.get("examples", {}).items():
                    yield one, status, media_type, name, resolved("", example)[1]["value"]


def written(media_type, value, surface):
    if media_type == FORM:
        return urlencode(value).encode()
    # MLflow's server labels some plain text as JSON.
    plain = not media_type.endswith("json") or (surface == "scoring" and isinstance(value, str))
    return value.encode() if plain else json.dumps(value).encode()


@pytest.mark.parametrize("surface", SURFACES)
def test_it_is_openapi(surface):
    assert list(OpenAPIV31SpecValidator(json.loads(json.dumps(document(surface)))).iter_errors()) == []


@pytest.mark.parametrize("surface", SURFACES)
def test_every_example_is_one(surface):
    for one, status, media_type, name, value in examples(surface):
        body = written(media_type, value, surface)
        if status is None:
            found = request_violations(one.method, one.path, {}, media_type, body, surfaces=(surface,))
        else:
            found = response_violations(one.method, one.path, int(status), media_type, body, surfaces=(surface,))
        assert found == [], (one.id, status, name)


def test_whatever_has_a_body_has_examples():
    shown = {(one.id, status) for surface in SURFACES for one, status, *_ in examples(surface)}
    bare = [
        (one, status, holder)
        for one in operations()
        for status, holder in holders(one).items()
        if (one.id, status) not in shown
    ]
    assert not [one.id for one, _, holder in bare if "content" in holder]
    # The answer to HEAD has no body, nor has a redirect, or what tells that something was done with a file.
    assert {status for one, status, _ in bare if one.method != "HEAD"} <= {"200", "204", "307"}
    assert {one.surface for one, *_ in bare} == {"registry", "unity_catalog", "scoring"}
