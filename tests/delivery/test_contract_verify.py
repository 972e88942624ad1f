"""`servesim contract verify`: what it finds in recordings and HAR files, and its exit codes."""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.request
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

import servesim
from servesim.contracts.operations import operations
from servesim.delivery.cli import main

ENDPOINTS = "/api/2.0/serving-endpoints"
GOOD = {
    "method": "GET",
    "path": ENDPOINTS,
    "query": "",
    "status": 200,
    "request": {"content_type": ""},
    "response": {"content_type": "application/json", "json": {"endpoints": []}, "headers": ["content-type"]},
}


def changed(**parts):
    return {**GOOD, **parts}


def answered(**response):
    return changed(response={**GOOD["response"], **response})


@pytest.fixture
def verify(tmp_path, monkeypatch):
    """Verify exchanges, or the text of a file; return the result of the command."""
    monkeypatch.chdir(tmp_path)

    def run(written, *options):
        text = written if isinstance(written, str) else "".join(f"{json.dumps(one)}\n" for one in written)
        (tmp_path / "r.jsonl").write_text(text, encoding="utf-8")
        return CliRunner().invoke(main, ["contract", "verify", "r.jsonl", *options], catch_exceptions=False)

    return run


@pytest.fixture
def found(verify):
    """Verify exchanges; return the verdict and what was wrong, by case."""

    def run(*exchanges, options=()):
        result = verify(exchanges, "--json", *options)
        document = json.loads(result.stdout)
        assert result.exit_code == (1 if document["failed"] else 0)
        return {
            one["name"]: (one["verdict"], [wrong["message"] for wrong in one["wrong"]]) for one in document["cases"]
        }

    return run


def test_what_a_client_of_servesim_does_is_allowed(recorder, verify):
    with servesim.run(unknown_models="stub") as sim:
        running = recorder(sim.host)
        config = {
            "served_entities": [
                {"entity_name": "main.ml.a", "entity_version": "1", "environment_vars": {"A": "secret"}}
            ]
        }
        for method, path, body in (
            ("GET", "/api/2.0/preview/scim/v2/Me", None),
            ("POST", ENDPOINTS, {"name": "a", "config": config}),
            *[("GET", f"{ENDPOINTS}/a", None)] * 3,
            ("POST", "/serving-endpoints/a/invocations", {"inputs": [1]}),
            ("GET", f"{ENDPOINTS}/none", None),
            ("POST", "/api/2.0/secrets/put", {"scope": "none", "key": "k", "string_value": "secret"}),
            ("DELETE", f"{ENDPOINTS}/a", None),
            ("GET", "/api/2.0/clusters/list?token=secret", None),
        ):
            send(running.url + path, method, body, sim.token)
        running.end()
        result = verify(running.file.read_text(), "--json")
    assert result.exit_code == 0
    cases = json.loads(result.stdout)["cases"]
    assert {one["name"]: one["verdict"] for one in cases} == {
        "get_me": "passed",
        "create_endpoint": "passed",
        "get_endpoint": "passed",
        "query_endpoint": "passed",
        "put_secret": "passed",
        "delete_endpoint": "passed",
        "GET /api/2.0/clusters/list": "skipped",
    }


def send(url, method, document, token):
    data = None if document is None else json.dumps(document).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        error.read()


def test_an_answer_that_drifts_is_found(found):
    drift = found(
        GOOD,
        answered(json={"endpoints": "none"}),
        changed(status=299),
        answered(content_type="text/html"),
    )
    verdict, messages = drift["list_endpoints"]
    assert verdict == "failed"
    assert [message.partition(":")[0] for message in messages] == [
        "response body /endpoints",
        "status",
        "response content type",
    ]


def test_a_body_that_is_not_json_is_found_and_one_that_was_left_out_is_not(found):
    broken = {"content_type": "application/json", "headers": []}
    assert found(changed(response={**broken, "omitted": "not JSON"}))["list_endpoints"][0] == "failed"
    assert (
        found(changed(response={**broken, "omitted": "longer than 1,048,576 bytes"}))["list_endpoints"][0] == "passed"
    )


def test_a_header_that_is_missing_is_found(found):
    me = {"path": "/api/2.0/preview/scim/v2/Me", "status": 401}
    name = next(one.id for one in operations("workspace") if one.path.endswith("/Me"))
    document = {"error_code": 401, "message": "Credential was not sent."}
    refused = changed(**me, response={"content_type": "application/json", "json": document, "headers": []})
    assert found(refused)[name][0] == "passed"
    well = changed(path=me["path"], response={"content_type": "application/json", "omitted": "x", "headers": []})
    assert found(well)[name] == ("failed", ["response header X-Databricks-Org-Id: is missing"])


def test_a_request_counts_where_it_was_answered_well(found):
    sent = {"content_type": "application/json", "json": {"name": 5}}
    create = changed(method="POST", request=sent)
    verdict, messages = found({**create, "response": {**GOOD["response"], "omitted": "x"}})["create_endpoint"]
    assert verdict == "failed"
    assert any(
        message.startswith("request body /name") and message.endswith("was answered 200") for message in messages
    )
    document = {"error_code": "INVALID_PARAMETER_VALUE", "message": "no", "details": []}
    refused = {**create, "status": 400, "response": {**GOOD["response"], "json": document}}
    assert not any("request" in message for message in found(refused)["create_endpoint"][1])


def test_a_call_that_nothing_covers_is_told_and_strictly_a_violation(found):
    unknown = changed(path="/api/2.0/clusters/list")
    assert found(unknown, GOOD)["GET /api/2.0/clusters/list"] == ("skipped", [])
    strict = found(unknown, options=["--strict"])
    assert strict["GET /api/2.0/clusters/list"] == ("failed", ["no operation of the contracts covers it"])


def test_calls_of_other_surfaces_are_left_out(found):
    scored = changed(
        method="POST", path="/serving-endpoints/a/invocations", response={**GOOD["response"], "omitted": "x"}
    )
    unknown = changed(path="/api/2.0/clusters/list")
    assert found(scored, GOOD, unknown, options=["--surface", "control", "--strict"]).keys() == {
        "list_endpoints",
        "GET /api/2.0/clusters/list",
    }


@pytest.mark.parametrize(
    ("exchanges", "said"),
    [
        ([], "there is no exchange in r.jsonl"),
        ([GOOD, changed(path="/x")], "no exchange is a call of data in r.jsonl"),
    ],
    ids=["no exchange", "another surface"],
)
def test_nothing_to_check_is_exit_code_5(verify, exchanges, said):
    result = verify(exchanges, "--surface", "data")
    assert (result.exit_code, f"nothing was checked: {said}" in result.stderr) == (5, True), result.stderr


def test_a_fault_of_many_exchanges_is_told_once(verify):
    drift = answered(json={"endpoints": "none"})
    wrong = json.loads(verify([GOOD, *[drift] * 14], "--json").stdout)["cases"][0]["wrong"]
    assert [one["call"] for one in wrong] == [f"r.jsonl, lines 2, 3, 4 and 11 more: GET {ENDPOINTS} -> 200"]
    missing = [changed(path=f"{ENDPOINTS}/{name}", status=299) for name in "ab"]
    wrong = json.loads(verify(missing, "--json").stdout)["cases"][0]["wrong"]
    assert [one["call"] for one in wrong] == [f"r.jsonl, lines 1, 2: GET {ENDPOINTS}/{{name}} -> 299"]


def test_a_terminal_of_80_columns_shows_faults_below_the_table(verify, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("servesim.delivery.contract_report.is_terminal", lambda _stream: True)
    name = "/api/2.0/" + "clusters" * 12
    lines = verify([answered(json={"endpoints": "none"}), changed(path=name)]).stdout.splitlines()
    assert f"GET {name}" in "".join(line.split("│")[1].strip() for line in lines if line.startswith("│")).replace(
        "GET", "GET "
    ), "folded, not cut"
    below = lines.index("list_endpoints failed")
    assert lines[below + 1].startswith(f"r.jsonl, line 1: GET {ENDPOINTS} -> 200: response body /endpoints:")
    assert not any("│" in line for line in lines[below:])


HAR = {
    "request": {
        "method": "GET",
        "url": f"https://my.workspace.example{ENDPOINTS}?x=1#there",
        "headers": [],
        "queryString": [],
    },
    "response": {
        "status": 200,
        "headers": [{"name": "Content-Type", "value": "application/json; charset=utf-8"}],
        "content": {"mimeType": "application/json", "text": '{"endpoints": []}'},
    },
}


def test_a_har_file_is_read(verify):
    packed = json.loads(json.dumps(HAR))
    packed["response"]["content"] |= {"text": base64.b64encode(b'{"endpoints": 1}').decode(), "encoding": "base64"}
    posted = json.loads(json.dumps(HAR))
    posted["request"] |= {"method": "POST", "postData": {"mimeType": "application/json", "text": '{"name": 5}'}}
    posted["response"]["content"] = {"size": 10}
    result = verify(json.dumps({"log": {"version": "1.2", "entries": [HAR, packed, posted]}}), "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["exchanges"]) == (1, 3)
    listed, created = found["cases"]
    assert [wrong["call"] for wrong in listed["wrong"]] == [f"r.jsonl, entry 2: GET {ENDPOINTS} -> 200"]
    twice = verify(json.dumps({"log": {"version": "1.2", "entries": [packed, packed]}}), "--json")
    assert json.loads(twice.stdout)["cases"][0]["wrong"][0]["call"].startswith("r.jsonl, entries 1, 2: GET ")
    assert [wrong["call"] for wrong in created["wrong"]][:1] == [f"r.jsonl, entry 3: POST {ENDPOINTS} -> 200"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no\n", "r.jsonl, line 1: this is no exchange"),
        ("{}\n", "line 1: this is no exchange"),
        (json.dumps(GOOD) + "\n[]\n", "line 2: this is no exchange"),
        (json.dumps(changed(status="200")), "line 1: this is no exchange"),
        (json.dumps(changed(query=None)), "line 1: this is no exchange"),
        (json.dumps(changed(response=None)), "line 1: this is no exchange"),
        ('{"log": {"entries": [{}]}}', "entry 1: this is no exchange"),
        ("[" * 100_000, "line 1: this is no exchange"),
    ],
)
def test_a_file_that_is_no_recording_is_exit_code_2(verify, text, said):
    result = verify(text)
    assert (result.exit_code, said in result.stderr) == (2, True), result.output


def test_a_file_that_is_not_there_is_exit_code_2():
    result = CliRunner().invoke(main, ["contract", "verify", "nowhere.jsonl"])
    assert (result.exit_code, "nowhere.jsonl: No such file" in result.stderr) == (2, True)


def test_people_are_shown_a_line_for_each_operation(verify):
    result = verify([GOOD, answered(json={"endpoints": "dapi-a-token-in-a-har"})])
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[1].split()[:4] == ["list_endpoints", "control", "failed", "recorded"]
    assert f"r.jsonl, line 2: GET {ENDPOINTS} -> 200: response body /endpoints: " in lines[1]
    assert lines[-1] == "r.jsonl, 2 exchanges: 0 cases passed, 1 failed."
    assert "dapi-a-token" not in result.output


def test_junit_is_written(verify, tmp_path):
    result = verify([GOOD, changed(path="/x")], "--junit", "v.xml", "--strict")
    assert result.exit_code == 1
    root = ET.parse(tmp_path / "v.xml").getroot()  # noqa: S314 - written by the command just now
    assert root.get("name") == "servesim contract verify r.jsonl"
    assert [(one.get("name"), one.get("failures")) for one in root] == [("control", "0"), ("-", "1")]


# --- files that mean harm -------------------------------------------------------------------------

HOSTILE = "\x1b[31mEVIL\x1b]0;t\x07\u202e\ud800\uffff\x00"


@pytest.mark.parametrize("strict", [True, False])
def test_what_a_file_holds_changes_nothing_on_a_terminal_or_in_xml(verify, tmp_path, strict):
    exchanges = [changed(path=f"/{HOSTILE}", method=HOSTILE), changed(path=f"{ENDPOINTS}/{HOSTILE}"), GOOD]
    result = verify(exchanges, "--junit", "v.xml", *["--strict"] * strict)
    assert "EVIL" in result.stdout
    assert (result.stdout + result.stderr).replace("\n", "").isprintable()
    document = ET.parse(tmp_path / "v.xml")  # noqa: S314 - was written just now
    names = [case.get("name") for case in document.iter("testcase")]
    assert any("\\x1b[31mEVIL" in name for name in names)


def test_the_table_of_a_terminal_is_as_harmless(verify, monkeypatch):
    monkeypatch.setattr("servesim.delivery.contract_report.is_terminal", lambda _stream: True)
    result = verify([changed(path=f"/{HOSTILE}", method=HOSTILE)], "--strict")
    assert "EVIL" in result.stdout
    assert result.stdout.replace("\n", "").isprintable()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes in folders")
def test_a_pipe_is_no_recording_and_holds_up_nobody(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        result = CliRunner().invoke(main, ["contract", "verify", str(path)], catch_exceptions=False)
        assert (result.exit_code, "no ordinary file" in result.stderr) == (2, True)


@pytest.mark.parametrize("log", [5, {"entries": {"a": 1}}, {}, None])
def test_a_log_without_entries_is_no_har_file(verify, log):
    result = verify(json.dumps({"log": log}))
    assert (result.exit_code, "so it is no HAR file" in result.stderr) == (2, True)
