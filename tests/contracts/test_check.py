"""The contract suite: what it asks for, what it makes and removes, and what it does without the things it needs."""

from __future__ import annotations

import http.server
import json
import threading
from typing import ClassVar
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from servesim.contracts.documents import SURFACES
from servesim.delivery.cli import main
from servesim.delivery.client import JSON, Target
from servesim.delivery.contract_cases import CASES
from servesim.delivery.contract_payloads import Sample, formats, sample_from, sample_of
from servesim.delivery.contract_talk import Plan, Talk, dig, rows
from servesim.delivery.handle import LocalServer

ENDPOINTS = "/api/2.0/serving-endpoints"


def check(*options):
    """Run the command; return its result."""
    return CliRunner().invoke(main, ["contract", "check", *options], catch_exceptions=False)


def found(*options):
    """Run the command; return its exit code and its JSON."""
    result = check(*options, "--json")
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(scope="module")
def server():
    with LocalServer() as local:
        yield local


@pytest.fixture
def here(server):
    handle = server.open(scenario="scenarios/fraud-90-10.yaml")
    yield handle
    handle.close()


@pytest.fixture
def login(here):
    return ["--url", here.host, "--token", here.token]


def requests_of(handle):
    """Return method and path of every call on the workspace's record."""
    return [(one.method, one.path) for one in handle.requests(1000)]


# --- cases --------------------------------------------------------------------------------------------


def test_cases_are_named_and_described():
    names = [(case.surface, case.name) for case in CASES]
    assert len(set(names)) == len(names)
    assert {case.surface for case in CASES} == set(SURFACES)
    assert all(case.shows.endswith(".") or case.shows.endswith("...") for case in CASES)


def test_reading_changes_nothing(here, login):
    code, document = found(*login, "--read-only", "--endpoint", "fraud")
    assert (code, document["read_only"], document["failed"]) == (0, True, 0)
    assert {method for method, path in requests_of(here) if not path.startswith("/serving-endpoints/")} == {"GET"}
    assert [endpoint.name for endpoint in here.workspace.world.endpoints.values()] == ["fraud"]


def test_nothing_is_left_behind(here, login):
    code, document = found(*login)
    assert (code, document["skipped"]) == (0, 0)
    assert list(here.workspace.world.endpoints) == ["fraud"]
    assert here.workspace.world.secrets == {}


def test_nothing_is_left_behind_by_a_run_that_breaks(here, login, monkeypatch):
    def broken(*_):
        raise RuntimeError("stop")

    monkeypatch.setattr("servesim.delivery.contract_cases_chain._settled", broken)
    with pytest.raises(RuntimeError, match="stop"):
        check(*login)
    assert list(here.workspace.world.endpoints) == ["fraud"]
    assert here.workspace.world.secrets == {}


def test_without_an_endpoint_the_chain_needs_a_model(server):
    handle = server.open(unknown_models="stub")
    login = ["--url", handle.host, "--token", handle.token]
    code, document = found(*login)
    skipped = {case["name"]: case["why"] for case in document["cases"] if case["verdict"] == "skipped"}
    assert code == 0
    assert "--entity NAME/VERSION" in skipped["create"]
    code, document = found(*login, "--entity", "main.ml.fraud/7")
    skipped = {case["name"] for case in document["cases"] if case["verdict"] == "skipped"}
    assert code == 0
    assert "create" not in skipped
    assert "invoke-in-each-format" not in skipped, "the new endpoint is asked"
    handle.close()


def test_an_endpoint_of_somebody_else_is_asked_only_if_it_is_named(here, login, monkeypatch):
    monkeypatch.setattr("servesim.delivery.contract_check.is_loopback", lambda _host: False)
    _, document = found(*login)
    assert document["read_only"]
    why = {case["name"]: case["why"] for case in document["cases"] if case["verdict"] == "skipped"}
    assert "name one with --endpoint" in why["invoke-in-each-format"]
    assert not [path for _, path in requests_of(here) if path.startswith("/serving-endpoints/fraud/")]
    _, document = found(*login, "--endpoint", "fraud")
    assert "invoke-in-each-format" not in {c["name"] for c in document["cases"] if c["verdict"] == "skipped"}


def test_a_deployment_that_never_ends_is_given_up(here, login, monkeypatch):
    pauses = []
    monkeypatch.setattr("servesim.delivery.contract_talk.rest", pauses.append)
    here._server.run(here.workspace.clock.set_mode("frozen"))
    code, document = found(*login, "--timeout", "0")
    assert code == 1
    wrong = {case["name"]: case["wrong"] for case in document["cases"] if case["wrong"]}
    assert [one["message"] for one in wrong["becomes-ready"]] == [
        "expected an end of the update within 0 s of real time"
    ]
    assert list(here.workspace.world.endpoints) == ["fraud"]


def test_a_failed_deployment_is_told(here, login):
    here.faults.fail_next("out of memory")
    code, document = found(*login)
    assert code == 1
    [case] = [case for case in document["cases"] if case["name"] == "becomes-ready"]
    [wrong] = [wrong for wrong in case["wrong"] if "UPDATE_FAILED" in wrong["message"]]
    assert (wrong["operation"], wrong["evidence"]) == ("get_endpoint", "recorded")


def test_pauses_grow_while_nothing_changes(monkeypatch):
    pauses = []
    monkeypatch.setattr("servesim.delivery.contract_talk.rest", pauses.append)
    looks = Talk(Target("http://127.0.0.1:1", ""), Plan(("control",), patience_s=1e9)).looks()
    for _ in range(13):
        next(looks)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]


# --- a server of one's own ----------------------------------------------------------------------------


class Odd(http.server.BaseHTTPRequestHandler):
    """Answers as the test says: ``answers`` are status, headers and body, the last of them for ever."""

    answers: ClassVar[list] = []
    asked: ClassVar[list] = []

    def do_GET(self):
        self.asked.append((self.path, self.headers.get("Authorization")))
        status, headers, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base class's names

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def odd():
    """Start a server that answers what it is given, one after the other."""
    started = []

    def start(*answers):
        handler = type("Handler", (Odd,), {"answers": list(answers), "asked": []})
        httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        started.append(httpd)
        return f"http://127.0.0.1:{httpd.server_port}", handler

    yield start
    for httpd in started:
        httpd.shutdown()
        httpd.server_close()


NAMELESS = {"state": {"ready": "READY"}, "config": {"served_entities": [{"name": None, "entity_version": None}, {}]}}
"""An endpoint of which nothing can stand in a path."""


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"null", b"{}", b'{"endpoints": 5}', b"\xff", b'"text"', b"[" * 10_000),
        json.dumps({**NAMELESS, "endpoints": [NAMELESS], "workspaces": [{}]}).encode(),
    ],
)
def test_answers_of_any_shape_are_wrong_and_break_nothing(odd, body):
    url, handler = odd((200, {"Content-Type": JSON}, body))
    every = [part for name in SURFACES for part in ("--surface", name)]
    login = ["--url", url, "--token", "a-token-of-tests", *every]
    code, document = found(*login, "--entity", "a/1")
    assert code == 1
    assert document["failed"] > 20
    for options in ([], ["--endpoint", "a"]):
        found(*login, "--read-only", *options)
    assert [path for path, _ in handler.asked if "None" in path] == []


def test_a_limit_is_waited_for(odd, monkeypatch):
    pauses = []
    monkeypatch.setattr("servesim.delivery.contract_talk.rest", pauses.append)
    limit = (429, {"Content-Type": JSON, "Retry-After": "3"}, b'{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"m"}')
    url, handler = odd(limit, limit, (200, {"Content-Type": JSON}, b'{"endpoints":[]}'))
    talk = Talk(Target(url, "token-of-tests"), Plan(("control",)))
    assert talk.get(ENDPOINTS).status == 200
    assert (pauses, len(handler.asked), talk.wrong) == ([3.0, 3.0], 3, [])


def test_a_limit_is_not_waited_for_without_end(odd, monkeypatch):
    monkeypatch.setattr("servesim.delivery.contract_talk.rest", lambda _seconds: None)
    url, handler = odd((429, {"Content-Type": JSON, "Retry-After": "9" * 30}, b"{}"))
    assert Talk(Target(url, ""), Plan(("control",))).get(ENDPOINTS).status == 429
    assert len(handler.asked) == 4


@pytest.mark.parametrize(
    ("body", "is_shown"),
    [
        (b'{"message": "Bearer token-of-tests"}', True),
        (b'{"message": "token-of-tests-2"}', False),
        (b'{"message": "my-token-of-tests"}', False),
    ],
)
def test_a_token_is_found_as_a_whole(odd, body, is_shown):
    url, _ = odd((404, {"Content-Type": JSON}, body))
    talk = Talk(Target(url, "token-of-tests"), Plan(("control",)))
    talk.get(f"{ENDPOINTS}/x")
    assert any("shows a token" in wrong.message for wrong in talk.wrong) == is_shown


def test_what_a_server_says_of_a_token_is_not_repeated(odd):
    url, _ = odd((403, {"Content-Type": JSON}, b'{"error_code":403,"message":"who is token-of-tests?"}'))
    result = check("--url", url, "--token", "token-of-tests")
    assert result.exit_code == 5
    assert "token-of-tests" not in result.output
    assert "who is ***?" in result.stderr


def test_a_scoring_server_is_sent_no_token_of_a_workspace(odd, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", "token-of-tests")
    url, handler = odd((200, {"Content-Type": JSON}, b"{}"))
    check("--url", url, "--surface", "scoring")
    assert {authorization for _, authorization in handler.asked} == {None}
    check("--url", url, "--surface", "scoring", "--token", "token-of-tests")
    assert "Bearer token-of-tests" in {authorization for _, authorization in handler.asked}


def test_a_redirect_is_an_answer(odd):
    url, handler = odd((302, {"Location": "/elsewhere"}, b""))
    assert check("--url", url).exit_code == 1
    assert "/elsewhere" not in [path for path, _ in handler.asked]


# --- MLflow's scoring server --------------------------------------------------------------------------


@pytest.mark.mlflow
def test_mlflow_s_scoring_server_passes(scoring_server, tmp_path):
    payload = tmp_path / "request.json"
    payload.write_text(json.dumps(scoring_server.request))
    code, document = found("--url", scoring_server.url, "--surface", "scoring", "--payload", str(payload))
    assert [(case["name"], case["wrong"]) for case in document["cases"] if case["verdict"] != "passed"] == []
    assert code == 0


@pytest.mark.mlflow
def test_mlflow_s_scoring_server_takes_a_payload_made_for_its_signature(scoring_server, tmp_path):
    signature = tmp_path / "signature.json"
    signature.write_text(json.dumps({"inputs": '[{"type": "double", "name": "amount", "required": true}]'}))
    code, document = found("--url", scoring_server.url, "--surface", "scoring", "--signature", str(signature))
    assert (code, document["skipped"]) == (0, 0)


# --- payloads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("example", "request_"),
    [
        ('{"a": 1}', {"dataframe_records": [{"a": 1}]}),
        ("[[1, 2]]", {"instances": [[1, 2]]}),
        ('{"inputs": [1]}', {"inputs": [1]}),
    ],
)
def test_a_payload_may_be_an_input_example(example, request_):
    assert sample_from(example) == Sample(request_)


@pytest.mark.parametrize(
    ("inputs", "request_"),
    [
        ([{"name": "a", "type": "long"}, {"name": "b", "type": "string"}], {"columns": ["a", "b"], "data": [[1, "a"]]}),
        ([{"type": "double"}], {"data": [[1.0]]}),
    ],
)
def test_a_payload_is_made_for_columns(inputs, request_):
    assert sample_of(json.dumps({"inputs": inputs, "params": None})) == Sample({"dataframe_split": request_})


def test_a_payload_is_made_for_tensors():
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}
    assert sample_of(json.dumps({"inputs": [tensor]})).request == {"inputs": [[1, 1]]}
    named = [{**tensor, "name": "x"}]
    assert sample_of(json.dumps({"inputs": named})).request == {"inputs": {"x": [[1, 1]]}}


@pytest.mark.parametrize("signature", [{"a": "double"}, [{"name": "a", "type": "double"}]], ids=str)
def test_a_signature_has_each_form_of_payloads_generate(signature):
    sample = sample_of(json.dumps(signature))
    assert sample == Sample({"dataframe_split": {"columns": ["a"], "data": [[1.0]]}})
    assert sample.is_known


@pytest.mark.parametrize("text", ["{}", '{"a": 1}', '{"a": "decimal"}', "5", '{"params": []}', '{"inputs": null}'])
def test_what_is_no_signature_is_refused(text, tmp_path):
    (tmp_path / "signature.json").write_text(text)
    result = check("--url", "http://127.0.0.1:1", "--signature", str(tmp_path / "signature.json"))
    assert (result.exit_code, "signature.json cannot be used: " in result.stderr) == (2, True), result.stderr


def test_a_payload_of_the_signature_must_be_scored(odd, tmp_path):
    (tmp_path / "signature.json").write_text('{"amount": "double", "country": "string"}')
    url, _ = odd((400, {"Content-Type": JSON}, b'{"error_code": "BAD_REQUEST", "message": "no"}'))
    code, document = found("--url", url, "--surface", "scoring", "--signature", str(tmp_path / "signature.json"))
    wrong = {case["name"]: [one["message"] for one in case["wrong"]] for case in document["cases"]}
    assert code == 1
    assert "expected status 200 for dataframe_split, not 400" in wrong["score-in-each-format"]


def test_an_endpoint_that_is_not_there_is_told_and_nothing_else_asked(here, login):
    result = check(*login, "--endpoint", "nope")
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr == f"Error: there is no endpoint 'nope' at {here.host}.\n"
    assert len(requests_of(here)) == 2, "LIST for the token, and the endpoint"


def test_the_refusal_of_an_entity_is_shown(here, login):
    code, document = found(*login, "--surface", "control", "--entity", "no.such.model/9")
    [create] = [case for case in document["cases"] if case["wrong"]]
    assert (code, create["name"]) == (1, "create")
    assert "Registered model 'no.such.model' does not exist." in create["wrong"][0]["message"]
    assert not [path for _, path in requests_of(here) if "None" in path]


def test_the_formats_of_a_payload():
    sent = {one.format: one.body for one in formats(Sample({"dataframe_records": [{"a": 1, "b": "x,y"}]}))}
    assert sent == {
        "dataframe_records": b'{"dataframe_records": [{"a": 1, "b": "x,y"}]}',
        "dataframe_split": b'{"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x,y"]]}}',
        "instances": b'{"instances": [{"a": 1, "b": "x,y"}]}',
        "inputs": b'{"inputs": {"a": [1], "b": ["x,y"]}}',
        "csv": b'a,b\n1,"x,y"\n',
    }


@pytest.mark.parametrize(
    "request_",
    [{"inputs": [1]}, {"dataframe_records": []}, {"instances": [[1]]}, {"dataframe_records": [{"a": [1]}]}],
)
def test_a_payload_that_is_no_plain_table_has_one_format(request_):
    assert [one.format for one in formats(Sample(request_))] == list(request_)


# --- small things -------------------------------------------------------------------------------------


def test_parts_of_documents():
    document = {"a": [{"b": 1}, 2]}
    assert dig(document, "a", 0, "b") == 1
    assert dig(document, "a", 5, "b") is None
    assert dig(document, "a", "b") is None
    assert rows(document, "a") == [{"b": 1}]
    assert rows(document, "b") == []


def test_junit(login, tmp_path):
    path = tmp_path / "junit.xml"
    assert check(*login, "--junit", str(path)).exit_code == 0
    suites = ET.parse(path).getroot()  # noqa: S314 - written by the command just now
    assert [suite.get("name") for suite in suites] == ["control", "workspace", "data"]
    assert {case.get("classname") for case in suites.iter("testcase")} == {"control", "workspace", "data"}
    assert sum(int(suite.get("tests")) for suite in suites) == len(list(suites.iter("testcase")))


def test_junit_of_a_failure(odd, tmp_path):
    url, _ = odd((200, {"Content-Type": JSON}, b"{}"))
    path = tmp_path / "junit.xml"
    assert check("--url", url, "--junit", str(path)).exit_code == 1
    suites = ET.parse(path).getroot()  # noqa: S314 - as above
    failures = [case for case in suites.iter("testcase") if case.find("failure") is not None]
    assert len(failures) == sum(int(suite.get("failures")) for suite in suites)
    assert failures[0].find("failure").get("message")
