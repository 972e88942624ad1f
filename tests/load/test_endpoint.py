"""What a load test reads of an endpoint, and what it sends, from answers as the service gives them."""

import json

import pytest

from servesim.load import calls, endpoint, payloads
from servesim.load.admin import Admin, admin_of
from servesim.load.calls import Answer, CannotRun, Server, scoring_path, server
from servesim.load.settings import Settings

ENTITY = {
    "name": "champion",
    "entity_name": "main.ml.fraud",
    "entity_version": "1",
    "workload_size": "Small",
    "scale_to_zero_enabled": True,
    "type": "UC_MODEL",
    "state": {"deployment": "DEPLOYMENT_READY", "deployment_state_message": "Scaled to zero"},
    "creator": "ann@example.com",
}
SERVING = {
    "name": "fraud",
    "state": {"ready": "READY", "config_update": "NOT_UPDATING"},
    "config": {
        "served_entities": [ENTITY, {**ENTITY, "name": "challenger", "state": {}}],
        "traffic_config": {
            "routes": [
                {"served_model_name": "champion", "traffic_percentage": 90},
                {"served_model_name": "challenger", "served_entity_name": "challenger", "traffic_percentage": 10},
            ]
        },
    },
}
PATH = "/api/2.0/serving-endpoints/fraud"
SCHEMA = {
    "type": "object",
    "properties": {
        "dataframe_split": {
            "type": "object",
            "properties": {
                "columns": {"const": ["amount"]},
                "data": {"items": {"prefixItems": [{"type": "number", "format": "double"}]}},
            },
        },
        "dataframe_records": {"items": {"required": ["amount"]}},
    },
}


class Answers:
    """Gives one answer after the other for each call; the last one for ever."""

    def __init__(self, **by_call):
        self.url = "http://host"
        self.by_call = {name.replace("__", " "): list(found) for name, found in by_call.items()}
        self.sent = []

    def answer(self, name):
        """Return the next answer."""
        found = self.by_call.get(name, [(404, {"message": "there is none"})])
        status, document = found.pop(0) if len(found) > 1 else found[0]
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return Answer(status, body, {})

    def get(self, path):
        """Answer by the last part of the path."""
        return self.answer(path.rpartition("/")[2].partition("?")[0])

    def send(self, method, path, document):
        """Keep what was sent."""
        self.sent.append((method, path, document))
        return self.answer("put")

    def call(self, method, path, body, content_type):
        """Answer a scoring request by its content type, or what it holds."""
        self.sent.append((method, path, body, content_type))
        form = "csv" if content_type == "text/csv" else next(iter(json.loads(body)))
        return self.answer(form if form in self.by_call else "post")


def test_an_endpoint_is_read():
    found = endpoint.read(Answers(fraud=[(200, SERVING)]), "fraud")
    assert found.split == {"champion": 90.0, "challenger": 10.0}
    assert (found.message("champion"), found.message("challenger"), found.message("nobody")) == (
        "Scaled to zero",
        "",
        "",
    )


def test_a_config_is_written_as_a_put_takes_it():
    answers = Answers(fraud=[(200, SERVING)], put=[(200, {})])
    endpoint.change_split(answers, endpoint.read(answers, "fraud"), {"champion": 50.0, "challenger": 50.0})
    ((method, path, config),) = answers.sent
    assert (method, path) == ("PUT", PATH + "/config")
    assert config["served_entities"][0] == {key: ENTITY[key] for key in list(ENTITY)[:5]}
    assert config["traffic_config"]["routes"][1] == {
        "served_model_name": "challenger",
        "served_entity_name": "challenger",
        "traffic_percentage": 50,
    }


def test_one_entity_has_all_traffic_where_no_routes_are_told():
    alone = {**SERVING, "config": {"served_entities": [ENTITY]}}
    assert endpoint.read(Answers(fraud=[(200, alone)]), "fraud").split == {"champion": 100.0}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such"}),
            "http://host has no endpoint 'fraud'; there are other$",
        ),
        ((401, {}), "refuses the token"),
        ((200, b"<html>"), "can't be read"),
        ((200, {"name": "fraud", "state": {}}), "serves nothing yet"),
    ],
)
def test_one_that_does_not_serve_cannot_be_loaded(answer, said):
    with pytest.raises(CannotRun, match=said):
        endpoint.read(
            Answers(fraud=[answer], **{"serving-endpoints": [(200, {"endpoints": [{"name": "other"}]})]}), "fraud"
        )


def test_an_update_is_waited_for(monkeypatch):
    monkeypatch.setattr(endpoint, "rest", lambda seconds: None)
    updating = {**SERVING, "state": {"config_update": "IN_PROGRESS"}}
    split = {"champion": 90.0, "challenger": 10.0, "retired": 0.0}
    alone = {"routes": [{"served_model_name": "champion", "traffic_percentage": 100}]}
    stale = {**SERVING, "config": {**SERVING["config"], "traffic_config": alone}}
    answers = Answers(fraud=[(200, stale), (200, updating), (200, updating), (200, SERVING)])
    assert endpoint.await_split(answers, "fraud", split).split == {"champion": 90.0, "challenger": 10.0}
    failed = {**SERVING, "state": {"config_update": "UPDATE_FAILED"}}
    with pytest.raises(CannotRun, match="ended as UPDATE_FAILED"):
        endpoint.await_split(Answers(fraud=[(200, failed)]), "fraud", split)


def test_a_refused_config_ends_the_run():
    answers = Answers(fraud=[(200, SERVING)], put=[(409, {"message": "being updated"})])
    with pytest.raises(CannotRun, match="409: being updated"):
        endpoint.change_split(answers, endpoint.read(answers, "fraud"), {"champion": 100.0})


@pytest.mark.parametrize(("names", "said"), [(["one"], None), ([], "there are none"), (["b", "a"], "there are a, b")])
def test_the_only_endpoint_is_taken(names, said):
    listed = {"serving-endpoints": [(200, {"endpoints": [{"name": name} for name in names]})]}
    if said is None:
        assert endpoint.only(Answers(**listed)) == "one"
        return
    with pytest.raises(CannotRun, match=said):
        endpoint.only(Answers(**listed))


def test_the_provisioned_concurrency_is_read_whatever_the_label():
    text = (
        b"# TYPE provisioned_concurrent_requests_total gauge\n"
        b'provisioned_concurrent_requests_total{served_entity="champion"} 4 1767603600000\n'
        b'provisioned_concurrent_requests_total{replica="1",served_entity="champion"} 4 1767603600000\n'
        b'provisioned_concurrent_requests_total{replica="2",model="new"} 8.0\n'
        b'request_count_total{served_entity="champion"} 9\n'
    )
    assert endpoint.provisioned(Answers(metrics=[(200, text)]), "fraud", {"champion", "new"}) == {
        "champion": 8.0,
        "new": 8.0,
    }
    assert endpoint.provisioned(Answers(), "fraud", ()) is None


# --- payloads -------------------------------------------------------------------------------------


def accepted(settings, **answers):
    """Return what is sent, and the notes."""
    return payloads.accepted(Answers(**answers), settings)


SETTINGS = Settings(endpoint="fraud", payloads=3)
OPENAPI = {
    "paths": {
        "/served-models/champion/invocations": {
            "post": {"requestBody": {"content": {"application/json": {"schema": SCHEMA}}}}
        }
    }
}


def test_requests_are_made_from_the_published_signature_in_every_format_that_is_taken():
    refusal = (400, {"message": "no CSV here"})
    found = accepted(SETTINGS, openapi=[(200, OPENAPI)], post=[(200, {})], csv=[refusal])
    forms = [payload.format for payload in found.payloads]
    assert sorted(set(forms)) == ["dataframe_records", "dataframe_split", "inputs", "instances"]
    assert len(set(forms[:4])) == 4
    assert len(found.payloads) == 4 * 3
    assert "csv is not sent: the endpoint refused it (400: no CSV here)" in found.notes
    again = accepted(SETTINGS, openapi=[(200, OPENAPI)], post=[(200, {})], csv=[refusal])
    assert found == again


def test_a_model_without_a_signature_has_its_example_sent():
    example = {"example": {"dataframe_records": [{"amount": 1.5, "country": "DE"}]}}
    simulated = Settings(endpoint="fraud", simulated=True)
    found = accepted(simulated, openapi=[(400, {"message": "none"})], fraud=[(200, example)], post=[(200, {})])
    assert {payload.format for payload in found.payloads} == {
        "dataframe_records",
        "dataframe_split",
        "instances",
        "inputs",
        "csv",
    }
    with pytest.raises(CannotRun, match="--payload FILE"):  # the real service tells no example
        accepted(SETTINGS, openapi=[(400, {"message": "none"})], fraud=[(200, example)], post=[(200, {})])


@pytest.mark.parametrize(
    ("name", "text", "form", "content_type"),
    [
        ("request.json", '{"instances": [1]}', "instances", "application/json"),
        ("request.json", '{"messages": []}', "json", "application/json"),
        ("rows.CSV", "amount\n1\n", "csv", "text/csv"),
    ],
)
def test_a_file_is_sent_as_it_is(tmp_path, name, text, form, content_type):
    path = tmp_path / name
    path.write_text(text)
    (sent,) = accepted(Settings(endpoint="fraud", payload=str(path)), post=[(200, {})], csv=[(200, {})]).payloads
    assert (sent.format, sent.content_type, sent.body.decode()) == (form, content_type, text)


@pytest.mark.parametrize("text", ["{", None])
def test_a_file_that_is_no_request_is_refused(tmp_path, text):
    path = tmp_path / "request.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CannotRun):
        accepted(Settings(endpoint="fraud", payload=str(path)))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_who_may_not_ask_sends_nothing(status):
    with pytest.raises(CannotRun, match=f"{status}: no"):
        accepted(SETTINGS, openapi=[(200, OPENAPI)], post=[(status, {"message": "no"})])


def test_an_endpoint_that_is_full_says_nothing_of_a_format():
    full = (429, {"message": "too many"})
    found = accepted(SETTINGS, openapi=[(200, OPENAPI)], post=[full], csv=[(503, {})])
    assert len({payload.format for payload in found.payloads}) == 5


# --- servers --------------------------------------------------------------------------------------


def test_a_server_is_https_unless_it_says_otherwise():
    assert server("my.workspace.example/", "t") == Server("https://my.workspace.example", "t")
    assert server("http://127.0.0.1:1", "").url == "http://127.0.0.1:1"
    assert "secret" not in repr(server("https://h", "secret"))


@pytest.mark.parametrize(
    "url", ["", "ftp://h", "http://", "http://user:password@h", "http://h?token", "http://h:0", "http://[::"]
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(CannotRun) as caught:
        server(url, "t")
    assert "password@" not in str(caught.value)
    assert "?token" not in str(caught.value)


def test_a_token_that_no_header_can_hold_is_refused():
    with pytest.raises(CannotRun, match="no header can hold"):
        server("http://h", "token\n")


def test_who_is_told_to_wait_asks_again_some_times(monkeypatch):
    slept = []
    monkeypatch.setattr(calls, "rest", slept.append)
    answers = [Answer(429, b"", {"Retry-After": "3"}), Answer(503, b"", {}), Answer(200, b"{}", {})]
    monkeypatch.setattr(Server, "call", lambda *_: answers.pop(0) if len(answers) > 1 else answers[0])
    assert Server("http://host", "").get(PATH).status == 200
    assert slept == [3.0, 1.0]
    answers[:] = [Answer(429, b"", {"Retry-After": "3600"})]
    assert Server("http://host", "").send("PUT", PATH, {}).status == 429
    assert slept[2:] == [10.0] * 4


def test_a_server_that_is_not_there_cannot_be_loaded():
    with pytest.raises(CannotRun, match="doesn't answer"):
        server("http://127.0.0.1:1", "t").get("/")


def test_a_path_is_one_name_long():
    assert scoring_path("a/b") == "/serving-endpoints/a%2Fb/invocations"


def test_servesim_s_own_calls_need_a_token():
    assert admin_of("http://h", "default", {}) is None
    assert isinstance(admin_of("http://h", "default", {"SERVESIM_ADMIN_TOKEN": "t"}), Admin)
