"""`servesim invoke` against a server of this process: what it sends, what it prints, and its exit codes."""

from __future__ import annotations

import http.server
import json
import socket
import threading

import pytest
from click.testing import CliRunner

from servesim.delivery.cli import main
from servesim.delivery.handle import LocalServer
from servesim.payloads.example import as_request

ROWS = [{"amount": 12.5}, {"amount": 3.0}]
RECORDS = json.dumps({"dataframe_records": ROWS})
ENDPOINTS = "/api/2.0/serving-endpoints"


@pytest.fixture(scope="module")
def server():
    with LocalServer() as local:
        yield local


@pytest.fixture
def here(server):
    handle = server.open(poll="settle")
    yield handle
    handle.close()


@pytest.fixture
def invoke(here, monkeypatch):
    """Run the command with this workspace's variables; a proxy that nothing listens on stands in the way."""
    monkeypatch.setenv("DATABRICKS_HOST", here.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", here.token)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    def run(*arguments, **options):
        return CliRunner().invoke(main, ["invoke", *arguments], catch_exceptions=False, **options)

    return run


def deploy(here, **shares):
    """Create the endpoint `fraud` with an entity for each registered model, named by its last segment."""
    from servesim.delivery.client import Target, call

    entities = [
        {"name": name, "entity_name": f"main.ml.{name}", "entity_version": "1", "workload_size": "Small"}
        for name in shares
    ]
    routes = [{"served_entity_name": name, "traffic_percentage": share} for name, share in shares.items()]
    config = {"served_entities": entities, "traffic_config": {"routes": routes}}
    target = Target(here.host, here.token)
    created = call(target, ENDPOINTS, json.dumps({"name": "fraud", "config": config}).encode())
    assert created.status == 200, created.document
    assert call(target, f"{ENDPOINTS}/fraud").document["state"]["ready"] == "READY"


@pytest.fixture
def fraud(here):
    """An endpoint with a champion that has an example of its own and a challenger that has none."""
    here.models.stub("main.ml.champion", "echo", example={"dataframe_records": ROWS})
    here.models.stub("main.ml.challenger", "constant", value=0.5)
    deploy(here, champion=100, challenger=0)


# --- what is sent ---------------------------------------------------------------------------------


def test_text_is_sent_as_json(fraud, invoke):
    result = invoke("fraud", "--data", RECORDS)
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"predictions": ROWS})


def test_entity_and_request_id_go_to_standard_error(fraud, invoke):
    result = invoke("fraud", "--data", RECORDS)
    entity, _, request_id = result.stderr.strip().partition(", request ")
    assert entity == "served entity champion"
    assert len(request_id) == 36


def test_an_entity_is_asked_whatever_its_share(fraud, invoke):
    result = invoke("fraud", "--entity", "challenger", "--data", RECORDS)
    assert json.loads(result.stdout) == {"predictions": [0.5, 0.5]}
    assert result.stderr.startswith("served entity challenger, ")


def test_a_file_is_sent(fraud, invoke, tmp_path):
    path = tmp_path / "request.json"
    path.write_text(RECORDS)
    assert json.loads(invoke("fraud", "--data", f"@{path}").stdout) == {"predictions": ROWS}


@pytest.mark.parametrize("name", ["rows.csv", "ROWS.CSV"])
def test_a_csv_file_is_sent_as_csv(fraud, invoke, tmp_path, name):
    path = tmp_path / name
    path.write_text("amount\n12.5\n3.0\n")
    assert json.loads(invoke("fraud", "--data", f"@{path}").stdout) == {"predictions": ROWS}


def test_the_content_type_can_be_given(fraud, invoke, tmp_path):
    path = tmp_path / "rows.txt"
    path.write_text("amount\n12.5\n3.0\n")
    result = invoke("fraud", "--data", f"@{path}", "--content-type", "text/csv")
    assert json.loads(result.stdout) == {"predictions": ROWS}


@pytest.mark.parametrize("stdin", ["-", "@-"])
def test_standard_input_is_sent(fraud, invoke, stdin):
    assert json.loads(invoke("fraud", "--data", stdin, input=RECORDS).stdout) == {"predictions": ROWS}


def test_names_are_quoted(here, invoke):
    result = invoke("a/b c", "--data", RECORDS)
    assert result.exit_code == 1
    assert "/serving-endpoints/a%2Fb%20c/invocations was answered with 404" in result.stderr


# --- the version's own example --------------------------------------------------------------------


def test_the_example_of_the_largest_share_is_sent(fraud, invoke):
    result = invoke("fraud", "--example")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"predictions": ROWS})


def test_the_example_of_an_entity_is_sent_to_it(here, invoke):
    here.models.stub("main.ml.champion", "echo", example={"dataframe_records": ROWS})
    here.models.stub("main.ml.challenger", "echo", example=[{"amount": 7}])
    deploy(here, champion=90, challenger=10)
    result = invoke("fraud", "--example", "--entity", "challenger")
    assert json.loads(result.stdout) == {"predictions": [{"amount": 7}]}


def test_a_version_without_an_example_says_so(fraud, invoke):
    result = invoke("fraud", "--example", "--entity", "challenger")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "answered with 404 RESOURCE_DOES_NOT_EXIST" in result.stderr
    assert "Version 1 of 'main.ml.challenger' has no input example" in result.stderr


def test_an_example_of_an_unknown_entity_names_the_known(fraud, invoke):
    result = invoke("fraud", "--example", "--entity", "chalenger")
    assert result.exit_code == 1
    assert "has no served entity 'chalenger'; it has 'challenger', 'champion'." in result.stderr


def test_an_example_of_an_unknown_endpoint_is_an_error(invoke):
    result = invoke("frau", "--example")
    assert result.exit_code == 1
    assert "Endpoint with name 'frau' does not exist." in result.stderr


def test_an_endpoint_without_a_config_has_no_example(here, invoke):
    from servesim.delivery.client import Target, call

    call(Target(here.host, here.token), ENDPOINTS, b'{"name": "empty"}')
    result = invoke("empty", "--example")
    assert result.exit_code == 1
    assert "'empty' has no served entities" in result.stderr


def test_examples_need_a_token(here, fraud):
    from servesim.delivery.client import Target, call

    assert call(Target(here.host, "nobody"), "/_servesim/v1/examples/fraud").status == 403


@pytest.mark.parametrize(
    ("example", "request_"),
    [
        ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, None),
        ({"inputs": [1, 2], "params": {"x": 1}}, None),
        ({"instances": [[1]]}, None),
        ({"messages": [{"role": "user", "content": "hi"}]}, None),
        ({"a": 1}, {"dataframe_records": [{"a": 1}]}),
        ([{"a": 1}, {"a": 2}], {"dataframe_records": [{"a": 1}, {"a": 2}]}),
        ([[1, 2], [3, 4]], {"instances": [[1, 2], [3, 4]]}),
        (1.5, {"instances": [1.5]}),
    ],
)
def test_an_example_becomes_a_request(example, request_):
    assert as_request(json.dumps(example)) == (request_ or example)


# --- what is printed ------------------------------------------------------------------------------


def test_the_whole_answer_as_json(fraud, invoke):
    result = invoke("fraud", "--data", RECORDS, "--json")
    document = json.loads(result.stdout)
    assert len(document.pop("request_id")) == 36
    assert document == {"status": 200, "served_entity": "champion", "body": {"predictions": ROWS}}


def test_an_error_as_json(invoke):
    result = invoke("frau", "--data", RECORDS, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["status"], document["served_entity"]) == (1, 404, None)
    assert document["body"]["error_code"] == "ENDPOINT_NOT_FOUND"
    assert len(document["request_id"]) == 36


def test_the_answer_is_printed_as_it_came(fraud, invoke):
    assert invoke("fraud", "--data", RECORDS).stdout == json.dumps({"predictions": ROWS}) + "\n"


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_terminal_gets_it_indented(fraud, invoke, monkeypatch, flags):
    monkeypatch.setattr("servesim.delivery.invoke._is_terminal", lambda: True)
    result = invoke("fraud", "--data", RECORDS, *flags)
    assert "\n  " in result.stdout
    assert json.loads(result.stdout)


# --- what goes wrong ------------------------------------------------------------------------------


def test_an_unknown_endpoint_is_an_error_answer(here, invoke):
    result = invoke("frau", "--data", RECORDS)
    assert (result.exit_code, result.stdout) == (1, "")
    asked, so, *do = result.stderr.splitlines()[-3:]
    assert (
        asked == f"Error: POST {here.host}/serving-endpoints/frau/invocations was answered with 404 ENDPOINT_NOT_FOUND."
    )
    assert so.startswith("The given endpoint does not exist")
    assert do == [f"See what is there: GET {here.host}{ENDPOINTS}. A new endpoint answers once it is ready."]


def test_a_body_that_is_no_request_is_an_error_answer(fraud, invoke):
    result = invoke("fraud", "--data", "{}")
    assert result.exit_code == 1
    assert "was answered with 400" in result.stderr
    assert "servesim invoke fraud --example" in result.stderr


def test_a_wrong_token_is_an_error_answer(fraud, invoke):
    result = invoke("fraud", "--data", RECORDS, "--token", "dapi-other")
    assert result.exit_code == 1
    assert "Give a token that this server knows" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("--example", "--data", "{}")], ids=["nothing", "both"])
def test_one_thing_is_sent(invoke, arguments):
    result = invoke("fraud", *arguments)
    assert result.exit_code == 2
    assert "Say what to send" in result.stderr


def test_a_missing_file_is_wrong_usage(invoke, tmp_path):
    result = invoke("fraud", "--data", f"@{tmp_path / 'none.json'}")
    assert result.exit_code == 2
    assert "No such file" in result.stderr


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://", "http://127.0.0.1:port", "http://[::1"])
def test_what_is_no_url_is_wrong_usage(invoke, url):
    result = invoke("fraud", "--data", "{}", "--url", url)
    assert result.exit_code == 2
    assert "is not the URL of a server" in result.stderr


def test_a_token_that_no_header_holds_is_wrong_usage(invoke):
    assert invoke("fraud", "--data", "{}", "--token", "a\nb").exit_code == 2


def test_a_server_that_is_not_there(invoke):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        result = invoke("fraud", "--data", RECORDS, "--url", url)
    assert (result.exit_code, result.stdout) == (5, "")
    assert f"no answer from {url}" in result.stderr
    assert "servesim serve" in result.stderr


def test_a_url_without_a_scheme_is_https(invoke):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        name = f"localhost:{taken.getsockname()[1]}"
        result = invoke("fraud", "--data", RECORDS, "--url", name)
    assert result.exit_code == 5
    assert f"no answer from https://{name}" in result.stderr


# --- servers that are not servesim ----------------------------------------------------------------


class Other(http.server.BaseHTTPRequestHandler):
    """Redirects what is posted, answers everything else with a page."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        page = b"<html>sign in</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *arguments):
        """Stay silent."""


@pytest.fixture
def other():
    with http.server.HTTPServer(("127.0.0.1", 0), Other) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_a_redirect_is_not_followed(invoke, other):
    result = invoke("fraud", "--data", "{}", "--url", other)
    assert result.exit_code == 1
    assert "was answered with 302" in result.stderr
    assert "The answer has no text." in result.stderr


def test_a_server_without_examples(invoke, other):
    result = invoke("fraud", "--example", "--url", other)
    assert result.exit_code == 1
    assert "Only servesim gives out examples" in result.stderr
