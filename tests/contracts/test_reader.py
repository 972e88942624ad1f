import json

import pytest

from servesim.contracts.conformity import VIOLATIONS_SHOWN, request_violations, response_violations
from servesim.contracts.documents import METHODS, SURFACES, document, surfaces
from servesim.contracts.operations import find, operations, resolved, responses

ENDPOINTS = "/api/2.0/serving-endpoints"
MISSING = {
    "error_code": "RESOURCE_DOES_NOT_EXIST",
    "message": "Endpoint with name 'x' does not exist.",
    "details": [{"@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": "r", "serving_data": ""}],
}


def said(document, status=404, path=f"{ENDPOINTS}/x", content_type="application/json"):
    return [
        (one.where, one.message)
        for one in response_violations("GET", path, status, content_type, json.dumps(document).encode())
    ]


def test_a_bundled_document_refers_to_itself_alone():
    text = json.dumps(document())
    assert ".yaml#" not in text
    assert "$ref" in text


def test_links_to_operations_of_other_documents_are_left_out():
    for names in [(name,) for name in SURFACES] + [SURFACES]:
        known = {operation.id for operation in operations(*names)}
        links = document(*names)["components"].get("links", {})
        assert {link["operationId"] for link in links.values()} <= known
    assert document("control", "data")["components"]["links"].keys() > document("control")["components"]["links"].keys()


def test_a_surface_that_is_none_is_named():
    with pytest.raises(ValueError, match="there is no surface 'jobs': there are control, data"):
        surfaces("control", "jobs")


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", ENDPOINTS, "list_endpoints"),
        ("GET", ENDPOINTS + "/", "list_endpoints"),
        ("POST", ENDPOINTS, "create_endpoint"),
        ("get", f"{ENDPOINTS}/a%20b", "get_endpoint"),
        ("GET", f"{ENDPOINTS}/get-model-optimization-info/m/1", "get_model_optimization_info"),
        ("GET", f"{ENDPOINTS}/a/unknown", None),
        ("HEAD", ENDPOINTS, None),
    ],
)
def test_an_operation_is_found_as_it_was_asked_for(method, path, found):
    operation = find(method, path)
    assert (operation.id if operation else None) == found


def test_an_operation_of_another_surface_is_not_found():
    assert find("GET", ENDPOINTS, ("data",)) is None


def test_every_operation_and_response_carries_its_evidence():
    grades = {"documented", "recorded", "observed", "chosen"}
    for operation in operations():
        assert operation.evidence.grade in grades, operation.id
        assert operation.evidence.source, operation.id
        for status, (_, response) in responses(operation).items():
            assert response["x-evidence"]["grade"] in grades, (operation.id, status)
            assert response["x-evidence"]["source"], (operation.id, status)


def test_ids_are_unique():
    ids = [operation.id for operation in operations()]
    assert len(ids) == len(set(ids))
    assert {operation.method.lower() for operation in operations()} <= set(METHODS)


def test_a_response_as_it_should_be():
    assert said(MISSING) == []


@pytest.mark.parametrize(
    ("document", "options", "wrong"),
    [
        ({**MISSING, "error_code": "NOT_FOUND"}, {}, ("response body /error_code", '"NOT_FOUND"')),
        ({**MISSING, "message": 3}, {}, ("response body /message", '3: the value is not of type "string"')),
        (MISSING, {"status": 418}, ("status", "418 is not among 200, ")),
        (
            MISSING,
            {"content_type": "text/plain"},
            ("response content type", "'text/plain' is not among application/json"),
        ),
        (MISSING, {"path": "/api/2.0/nothing"}, ("status", "404 is not among 400, 401, 403, 408, 500, 501, 503")),
        ([], {}, ("response body", 'is not of type "object"')),
    ],
)
def test_a_response_that_breaks_its_contract(document, options, wrong):
    where, message = said(document, **options)[0]
    assert where == wrong[0]
    assert wrong[1] in message


def test_any_operation_may_say_that_a_date_has_ended_it():
    ended = {**MISSING, "error_code": "FEATURE_DISABLED"}
    assert said(ended) == said(ended, path=ENDPOINTS) == []
    assert said({**ended, "error_code": "NOT_FOUND"}, path=ENDPOINTS) == [
        ("status", "404 is not among 200, 401, 403, 500, 503")
    ]
    assert said(ended, status=410, path=ENDPOINTS)
    assert said(ended, path="/api/2.0/nothing"), "what was never there has not ended"


def test_a_value_that_may_be_a_secret_is_not_shown():
    shown = str(said({**MISSING, "error_code": "dapi-Secret-1", "hunter2": "hunter3"}))
    assert "dapi-Secret-1" not in shown
    assert "hunter3" not in shown


def test_a_body_that_is_no_json():
    (one,) = response_violations("GET", f"{ENDPOINTS}/x", 404, "application/json", b"{")
    assert str(one) == "get_endpoint: response body: cannot be read as application/json (JSONDecodeError)"


def test_a_body_that_nests_beyond_reason():
    body = b'{"error_code":' + b"[" * 5000 + b"]" * 5000 + b"}"
    assert response_violations("GET", f"{ENDPOINTS}/x", 404, "application/json", body)


def test_a_table_of_wrong_rows_is_cut():
    body = json.dumps({"endpoints": [1] * 500}).encode()
    assert len(response_violations("GET", ENDPOINTS, 200, "application/json", body)) <= VIOLATIONS_SHOWN


def test_a_part_that_is_wrong_is_not_unexpected_above_it_as_well():
    pointer, response = responses(find("GET", f"{ENDPOINTS}/x"))["200"]
    endpoint = resolved(pointer, response["content"]["application/json"]["examples"]["ready"])[1]["value"]
    config = {**endpoint["config"], "config_version": "one"}
    assert said(endpoint, 200) == []
    assert [where for where, _ in said({**endpoint, "config": config}, 200)] == ["response body /config/config_version"]
    assert [where for where, _ in said({**endpoint, "creator": 5}, 200)] == ["response body /creator"]
    nameless = {field: value for field, value in endpoint.items() if field != "name"}
    assert said(nameless, 200) == [("response body", '"name" is a required property')]
    [(where, message)] = said({**endpoint, "unheard_of": 5}, 200)
    assert where == "response body"
    assert "'unheard_of'" in message


def test_a_required_header_is_looked_for():
    path = "/serving-endpoints/x/invocations"
    body = b'{"predictions":[1]}'
    arguments = ("POST", path, 200, "application/json", body)
    assert response_violations(*arguments) == []
    assert [one.where for one in response_violations(*arguments, headers={})] == ["response header Served-Model-Name"]
    assert response_violations(*arguments, headers={"served-model-name": "a"}) == []


def test_requests():
    def wrong(document, path=ENDPOINTS, method="POST", content_type="application/json", query=()):
        body = b"" if document is None else json.dumps(document).encode()
        return [one.where for one in request_violations(method, path, dict(query), content_type, body)]

    assert wrong({"name": "fraud"}) == []
    assert wrong({"name": "-fraud"}) == ["request body /name"]
    assert wrong({"name": "fraud"}, content_type="text/csv") == ["request content type"]
    assert wrong(None) == ["request body"]
    assert wrong({}, "/nothing") == ["path"]
    events = f"{ENDPOINTS}/fraud/events"
    assert wrong(None, events, "GET", query={"limit": "5"}) == []
    assert wrong(None, events, "GET", query={"limit": "many"}) == ["query limit"]
