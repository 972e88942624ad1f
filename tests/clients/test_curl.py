"""curl, as the documentation writes it: ``curl -u token:$DATABRICKS_TOKEN``."""

import json
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.servesim(poll="settle")

CREATE = json.dumps(
    {
        "name": "fraud",
        "config": {"served_entities": [{"entity_name": "main.ml.fraud", "entity_version": "1"}]},
    }
)


@pytest.fixture
def curl(world):
    assert shutil.which("curl"), "this test drives curl, and there is none on PATH: install it"

    def run(path, *arguments):
        """Return the status and the body."""
        command = ["curl", "-q", "-s", "--noproxy", "*", "-u", f"token:{world.token}"]
        written = ["-w", "\n%{http_code}", *arguments, world.host + path]
        done = subprocess.run([*command, *written], capture_output=True, text=True, check=True, timeout=60)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body)

    return run


def test_the_whole_life_of_an_endpoint(curl):
    status, made = curl("/api/2.0/serving-endpoints", "-d", CREATE)  # -d sends a form content type
    assert (status, made["name"]) == (200, "fraud")
    status, got = curl("/api/2.0/serving-endpoints/fraud")
    assert (status, got["state"]["ready"]) == (200, "READY")
    rows = json.dumps({"dataframe_split": {"columns": ["amount"], "data": [[1.5], [2.5]]}})
    scored = curl(
        "/serving-endpoints/fraud/invocations",
        "-H",
        "Content-Type: application/json",
        "-X",
        "POST",
        "-d",
        rows,
    )
    assert scored == (200, {"predictions": [1, 1]})
    assert curl("/api/2.0/serving-endpoints/fraud", "-X", "DELETE") == (200, {})
    status, refused = curl("/api/2.0/serving-endpoints/fraud")
    assert (status, refused["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_body_that_curl_announces_first(curl, tmp_path):
    curl("/api/2.0/serving-endpoints", "-d", CREATE)
    curl("/api/2.0/serving-endpoints/fraud")
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps({"inputs": ["x" * 4096] * 600}), encoding="utf-8")
    assert rows.stat().st_size > 2**21  # curl asks before it sends so much, and waits a second for the answer
    scored = curl(
        "/serving-endpoints/fraud/invocations",
        *("-H", "Content-Type: application/json", "-H", "Expect: 100-continue"),
        *("--expect100-timeout", "30", "--max-time", "20", "--data-binary", f"@{rows}"),
    )
    assert scored == (200, {"predictions": [1] * 600})


def test_an_operator_s_afternoon(curl):
    endpoint = "/api/2.0/serving-endpoints/fraud"
    curl("/api/2.0/serving-endpoints", "-d", CREATE)
    made = curl(endpoint)[1]
    tags = json.dumps({"add_tags": [{"key": "team", "value": "risk"}]})
    assert curl(f"{endpoint}/tags", "-X", "PATCH", "-d", tags)[1] == {"tags": [{"key": "team", "value": "risk"}]}
    levels = curl(f"/api/2.0/permissions/serving-endpoints/{made['id']}/permissionLevels")[1]["permission_levels"]
    assert {level["permission_level"] for level in levels} == {"CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"}
    assert curl(f"{endpoint}/config:stop", "-X", "POST")[1]["state"]["suspend"] == "STOPPED"
    assert curl(f"{endpoint}/config:start", "-X", "POST")[1]["state"]["suspend"] == "NOT_SUSPENDED"
    assert curl(endpoint)[1]["config"]["config_version"] == 2
    assert "Endpoint stopped" in [event["message"] for event in curl(f"{endpoint}/events")[1]["events"]]
    assert curl(f"{endpoint}/served-models/fraud-1/build-logs?config_version=1")[1]["logs"]
