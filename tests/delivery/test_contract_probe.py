"""`servesim contract probe`: which answers it tells apart, what it writes, and that it leaves nothing behind."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

import servesim
from servesim.core.errors import Code
from servesim.delivery.cli import main
from servesim.delivery.client import Answered, Target, call
from servesim.delivery.contract_asking import Asking, Said, _template
from servesim.delivery.contract_questions import Question, reading
from servesim.generations.ga_texts import TEXTS
from servesim.service.answers import read_answers

CREATING = ("--allow-create", "servesim-probe", "--entity", "main.ml.fraud/1")
DOCTORED = {
    "endpoint missing": (404, "GONE", "Nothing is called {endpoint} {{here}}"),
    "not served": (404, "ENDPOINT_NOT_FOUND", "No endpoint to ask."),
    "level unknown": (422, "INVALID_PARAMETER_VALUE", "'{level}' is not a level"),
    "endpoint exists": (409, "RESOURCE_ALREADY_EXISTS", "Endpoint {endpoint} is there"),
    "traffic sum": (400, "INVALID_PARAMETER_VALUE", "The sum {total} is not 100"),
    "route unknown": (400, "INVALID_PARAMETER_VALUE", "{route} is not among {entities}"),
    "updating": (409, "RESOURCE_CONFLICT", "Wait for {endpoint}"),
}


@pytest.fixture
def doctored(tmp_path):
    """A file of answers that differ from servesim's."""
    answers = {
        name: {"status": status, "error_code": code, "message": message}
        for name, (status, code, message) in DOCTORED.items()
    }
    path = tmp_path / "doctored.yaml"
    path.write_text(yaml.safe_dump({"answers": answers}), encoding="utf-8")
    return path


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """Probe a workspace; return exit code, what was found by refusal, and the file."""
    monkeypatch.chdir(tmp_path)

    def run(sim, *options):
        where = ("--url", sim.host, "--token", sim.token)
        result = CliRunner().invoke(main, ["contract", "probe", *where, "--json", *options], catch_exceptions=False)
        assert result.exit_code in {0, 1}, result.output
        found = json.loads(result.stdout)
        wrong = {one["refusal"] for one in found["findings"] if one["verdict"] == "wrong"}
        return result.exit_code, wrong, found, tmp_path / "answers.yaml"

    return run


def test_servesim_agrees_with_itself(probe):
    with servesim.run() as sim:
        code, wrong, found, file = probe(sim)
        assert (code, wrong, found["wrong"], found["unsettled"], found["apart"]) == (0, set(), 0, 0, 1)
        assert found["is_servesim"]
        assert sim.workspace.world.endpoints == {}
        assert not [line for line in sim.log if "created" in str(line)]
    assert set(yaml.safe_load(file.read_text())["answers"]) == {
        "endpoint missing",
        "not served",
        "malformed body",
        "permissions missing",
        "level unknown",
        "scope missing",
    }


def test_with_an_endpoint_more_is_asked_and_nothing_is_left(probe):
    with servesim.run() as sim:
        sim.models.stub("main.ml.fraud", "echo")
        code, wrong, found, file = probe(sim, *CREATING)
        assert (code, wrong, found["unsettled"]) == (0, set(), 0)
        assert sim.workspace.world.endpoints == {}
    assert len(yaml.safe_load(file.read_text())["answers"]) == 26


def test_the_report_names_exactly_what_is_wrong(probe, doctored):
    with servesim.run(answers=doctored) as sim:
        sim.models.stub("main.ml.fraud", "echo")
        code, wrong, found, file = probe(sim, *CREATING)
    assert (code, wrong) == (1, set(DOCTORED))
    [one, *_] = [one for one in found["findings"] if one["refusal"] == "traffic sum"]
    assert one["ours"]["message"] == TEXTS[Code.TRAFFIC_SUM].template
    assert one["theirs"] == {
        "status": 400,
        "error_code": "INVALID_PARAMETER_VALUE",
        "message": DOCTORED["traffic sum"][2],
    }
    written = read_answers(file)
    for name, (status, error_code, message) in DOCTORED.items():
        assert written[Code(name)][:3] == (status, error_code, message)


def test_what_was_written_gives_the_same_bytes_back(probe, doctored):
    def answers(sim):
        for question in reading():
            body = (
                question.body
                if question.body is None or isinstance(question.body, bytes)
                else json.dumps(question.body).encode()
            )
            answered = call(Target(sim.host, sim.token), question.path, body, method=question.method)
            yield answered.status, answered.body, answered.headers["Content-Type"]

    with servesim.run(answers=doctored) as sim:
        expected = list(answers(sim))
    with servesim.run(answers=doctored) as sim:
        file = probe(sim)[3]
    with servesim.run(answers=file) as sim:
        assert list(answers(sim)) == expected
    with servesim.run() as sim:
        assert list(answers(sim)) != expected


def test_the_file_names_neither_host_nor_token(probe, doctored):
    with servesim.run(answers=doctored) as sim:
        file = probe(sim)[3]
        text = file.read_text()
        assert sim.token not in text
        assert sim.host.partition("://")[2] not in text


def test_an_endpoint_that_should_have_been_refused_is_removed(probe, monkeypatch):
    import re

    monkeypatch.setattr("servesim.generations.ga_requests.ENDPOINT_NAME", re.compile(".*"))
    monkeypatch.setattr("servesim.delivery.contract_probe.ENDPOINT_NAME", re.compile(".*"))
    with servesim.run(validate_responses=False) as sim:
        _, _, found, _ = probe(sim, "--allow-create", "servesim-probe")
        [one] = [one for one in found["findings"] if one["refusal"] == "name invalid"]
        assert (one["verdict"], one["why"]) == ("unsettled", "the workspace does not refuse it")
        assert sim.workspace.world.endpoints == {}


def run_probe(*options):
    return CliRunner().invoke(main, ["contract", "probe", *options], catch_exceptions=False)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with servesim.run() as sim:
        monkeypatch.setenv("DATABRICKS_HOST", sim.host)
        monkeypatch.setenv("DATABRICKS_TOKEN", sim.token)
        yield sim


def test_a_name_that_is_taken_is_left_alone(here):
    token = Target(here.host, here.token)
    call(token, "/api/2.0/serving-endpoints", b'{"name": "mine"}')
    result = run_probe("--allow-create", "mine")
    assert result.exit_code == 5
    assert "the name 'mine' is not free" in result.stderr
    assert list(here.workspace.world.endpoints) == ["mine"]


def test_what_cannot_be_removed_is_told(here, monkeypatch):
    send = Asking._send

    def but_no_delete(self, method, path, *rest, **options):
        gone = method == "DELETE" and path.endswith("servesim-probe")
        return Answered(500, b"{}", {}) if gone else send(self, method, path, *rest, **options)

    monkeypatch.setattr(Asking, "_send", but_no_delete)
    result = run_probe("--allow-create", "servesim-probe")
    assert result.exit_code == 5
    assert "what was made could not be removed: servesim-probe" in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--url", "http://127.0.0.1:1"), 5, "could not be asked"),
        (("--token", "token-that-is-wrong"), 5, "403 403 Invalid access token."),
        (("--token", "a\nb"), 2, "no header can hold"),
        (("--allow-create", "no name"), 2, "'no name' is no name of an endpoint"),
        (("--entity", "main.ml.fraud/1"), 2, "give both"),
        (("--allow-create", "a", "--entity", "main.ml.fraud"), 2, "is not NAME/VERSION"),
        (("--out", "nowhere/answers.yaml"), 2, "cannot be written"),
    ],
)
def test_what_is_in_the_way_is_told(here, options, code, said):
    result = run_probe(*options)
    assert (result.exit_code, said in result.stderr) == (code, True), result.output
    assert "token-that-is-wrong" not in result.output


def test_people_are_shown_ours_and_theirs(tmp_path, monkeypatch, doctored):
    monkeypatch.chdir(tmp_path)
    with servesim.run(answers=doctored) as sim:
        result = run_probe("--url", sim.host, "--token", sim.token)
    assert result.exit_code == 1
    assert "This is servesim itself" in result.stdout
    lines = [line.split("  ")[-1] for line in result.stdout.splitlines()]
    assert "ours: 404 RESOURCE_DOES_NOT_EXIST Endpoint with name '{endpoint}' does not exist." in lines
    assert "theirs: 404 GONE Nothing is called {endpoint} {{here}}" in lines
    assert "answers written to answers.yaml." in lines[-1]


# --- what an answer is taken for ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "fields", "template"),
    [
        ("no 'a-b'", {"endpoint": "a-b"}, "no '{endpoint}'"),
        ("no a-bc and x-a-b", {"endpoint": "a-b"}, "no a-bc and x-a-b"),
        ("a-b, a-b.", {"endpoint": "a-b"}, "{endpoint}, {endpoint}."),
        ("{a-b}", {"endpoint": "a-b"}, "{{{endpoint}}}"),
        ("braces {x}", {}, "braces {{x}}"),
        ("a-b in a-b-c", {"entity": "a-b", "endpoint": "a-b-c"}, "{entity} in {endpoint}"),
        ("endpoint of endpoint", {"endpoint": "of", "x": "endpoint"}, "{x} {endpoint} {x}"),
        ("asked by bob@example.com", {}, "asked by <user>"),
        ("at 2026-01-05T09:00:00Z", {}, "at <time>"),
        ("see https://x.example/y?z=1", {}, "see <url>"),
        ("workspace 1234567890123456", {}, "workspace <id>"),
        ("host adb-1.2.azuredatabricks.net", {}, "host <workspace>"),
        ("from 10.1.2.3", {}, "from <address>"),
    ],
)
def test_a_message_becomes_a_template(message, fields, template):
    assert _template(message, fields) == template


def asked(status, document, question=None, **before):
    asking = Asking(Target("https://my.workspace.example", "dapi-the-token"))
    asking.findings.extend(before.get("findings", ()))
    question = question or Question("q", Code.TRAFFIC_SUM, "PUT", "/p", fields={"total": "87"}, may_begin=True)
    return asking._judged(question, Answered(status, json.dumps(document).encode(), {}))


def refusal(message, error_code="INVALID_PARAMETER_VALUE"):
    return {"error_code": error_code, "message": message}


@pytest.mark.parametrize(
    ("status", "document", "why"),
    [
        (200, {}, "does not refuse it"),
        (401, refusal("no"), "may not ask this"),
        (403, refusal("no"), "may not ask this"),
        (429, refusal("slow"), "no refusal of this call"),
        (503, refusal("later"), "no refusal of this call"),
        (302, {}, "no refusal of this call"),
        (409, refusal("busy"), "an update is in progress"),
        (400, {"message": "no"}, "no error_code and message"),
        (400, refusal("no", 400), "no error_code and message"),
        (400, {"error_code": "A"}, "no error_code and message"),
        (400, [], "no error_code and message"),
        (400, refusal("x" * 5000), "its text cannot be kept"),
        (400, refusal("\x1b[31m"), "its text cannot be kept"),
        (400, refusal("\ud800"), "its text cannot be kept"),
    ],
)
def test_what_is_no_refusal_of_the_call_settles_nothing(status, document, why):
    found = asked(status, document)
    assert (found.verdict, found.text) == ("unsettled", None)
    assert why in found.why


def test_an_answer_to_something_that_comes_first_settles_nothing():
    missing = Question("m", Code.MODEL_MISSING, "PUT", "/p", fields={"model": "a.b.c"})
    first = asked(404, refusal("No model a.b.c."), missing)
    assert first.verdict == "wrong"
    twins = Question("t", Code.MIXED_TWINS, "PUT", "/p", behind=Code.MODEL_MISSING)
    assert asked(404, refusal("No model a.b.c."), twins, findings=[first]).verdict == "unsettled"
    assert asked(400, refusal("Not both."), twins, findings=[first]).verdict == "wrong"


def test_what_is_said_of_this_workspace_alone_is_left_out():
    document = refusal("Sum 87 at my.workspace.example for dapi-the-token. [ReqId: 1-2-3]")
    found = asked(400, document)
    assert found.theirs == Said(400, "INVALID_PARAMETER_VALUE", "Sum {total} at <workspace> for REDACTED.")


def test_fields_that_are_not_known_are_taken_from_ours():
    question = Question("v", Code.VERSION_MISSING, "PUT", "/p", fields={"model": "m", "version": "9"})
    ours = TEXTS[Code.VERSION_MISSING]
    message = ours.template.format(model="m", version="9", known="'1', '2'")
    found = asked(ours.status, refusal(message, ours.error_code), question)
    assert (found.verdict, found.text.template) == ("right", ours.template)
