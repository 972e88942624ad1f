"""Files of answers: what they change, on which server, and what is refused in them."""

from __future__ import annotations

import ast
import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import servesim
from servesim.core.errors import Code
from servesim.generations.ga_texts import TEXTS
from servesim.service.answers import MORE_FIELDS, changed, fields_of, read_answers
from servesim.service.documents import DocumentError

SOURCES = Path(servesim.__file__).parent
ENDPOINTS = "/api/2.0/serving-endpoints"
GOOD = """\
answers:
  endpoint missing:
    status: 404
    error_code: ENDPOINT_GONE
    message: "No '{endpoint}' {{here}}."
    source: asked on a Tuesday
  not served: {status: 410, error_code: GONE, message: "{endpoint} is gone"}
"""


@pytest.fixture
def written(tmp_path):
    """Write a file of answers."""

    def write(text):
        path = tmp_path / "answers.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def ask(sim, method, path, body=None):
    request = urllib.request.Request(
        sim.host + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {sim.token}", "Content-Type": "application/json", "X-Servesim-Evidence": "1"},
        method=method,
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    answer = refused.value
    return answer.code, json.loads(answer.read()), answer.headers["X-Servesim-Evidence"]


def test_a_file_changes_what_it_names_alone(written):
    texts = read_answers(written(GOOD))
    assert set(changed(texts)) == {Code.ENDPOINT_MISSING, Code.NOT_SERVED}
    assert {text.grade for text in changed(texts).values()} == {"recorded"}
    assert texts[Code.ENDPOINT_MISSING].source == "asked on a Tuesday"
    assert texts[Code.UPDATING] is TEXTS[Code.UPDATING]


def test_a_server_answers_in_the_words_of_the_file(written):
    with servesim.run(answers=written(GOOD)) as sim:
        status, document, grade = ask(sim, "GET", f"{ENDPOINTS}/a")
        assert (status, document["error_code"], document["message"]) == (404, "ENDPOINT_GONE", "No 'a' {here}.")
        assert "details" in document
        assert grade == "recorded"
        assert ask(sim, "POST", "/serving-endpoints/a/invocations", {}) == (
            410,
            {"error_code": "GONE", "message": "a is gone"},
            "recorded",
        )


def test_other_servers_of_the_process_answer_in_their_own_words(written):
    with servesim.run(answers=written(GOOD)) as _, servesim.run() as other:
        assert ask(other, "GET", f"{ENDPOINTS}/a")[1]["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    with servesim.run() as later:
        assert ask(later, "GET", f"{ENDPOINTS}/a")[1]["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_a_reset_keeps_the_words(written):
    with servesim.run(answers=str(written(GOOD))) as sim:
        sim._server.run(sim.workspace.reset())
        assert ask(sim, "GET", f"{ENDPOINTS}/a")[1]["error_code"] == "ENDPOINT_GONE"


def test_a_scenario_names_a_file_beside_it(written, tmp_path):
    written(GOOD)
    scenario = tmp_path / "world.yaml"
    scenario.write_text("answers: answers.yaml\n", encoding="utf-8")
    with servesim.run(scenario=scenario) as sim:
        assert ask(sim, "GET", f"{ENDPOINTS}/a")[1]["error_code"] == "ENDPOINT_GONE"


def test_serve_takes_a_file(written, server_process):
    server = server_process("--answers", str(written(GOOD)))
    status, body = server.call("GET", f"{ENDPOINTS}/a")
    assert (status, json.loads(body)["error_code"]) == (404, "ENDPOINT_GONE")


ENTRY = "answers:\n  endpoint missing: {status: 404, error_code: E, message: %s}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "null is not of type"),
        ("answers: []\n", "answers: "),
        ("other: {}\n", "('other' was unexpected)"),
        ("{}\n", '"answers" is a required property'),
        ("answers:\n  endpoint lost: {status: 404, error_code: E, message: m}\n", "line 2: answers.endpoint lost: "),
        ("answers:\n  endpoint lost: {status: 404, error_code: E, message: m}\n", "did you mean 'endpoint limit'?"),
        ("answers:\n  zzz: {status: 404, error_code: E, message: m}\n", "docs/fidelity.md lists them"),
        ("answers:\n  updating: {status: 200, error_code: E, message: m}\n", "line 2: answers.updating.status: 200"),
        ("answers:\n  updating: {status: 600, error_code: E, message: m}\n", "600 is greater than the maximum of 599"),
        ("answers:\n  updating: {status: '409', error_code: E, message: m}\n", "is not of type"),
        ("answers:\n  updating: {status: 409, error_code: '', message: m}\n", "error_code"),
        ("answers:\n  updating: {status: 409, error_code: E}\n", '"message" is a required property'),
        ("answers:\n  updating: {status: 409, error_code: E, message: m, grade: recorded}\n", "'grade'"),
        (ENTRY % "'{name}'", "answers.endpoint missing.message: {name} is no field of this refusal; it has {endpoint}"),
        (ENTRY % "'{endpoint.__class__}'", "{endpoint.__class__} is no field"),
        (ENTRY % "'{endpoint[0]}'", "{endpoint[0]} is no field"),
        (ENTRY % "'{endpoint!r}'", "{endpoint!r} is no field"),
        (ENTRY % "'{endpoint:>99999999}'", "{endpoint:>99999999} is no field"),
        (ENTRY % "'{}'", "{} is no field"),
        (ENTRY % "'{0}'", "{0} is no field"),
        (ENTRY % "'a { brace'", "a brace that is part of the text is written twice"),
        ("answers:\n  no update: {status: 400, error_code: E, message: m}\n  no update: {}\n", "stands twice"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(written, text, said):
    path = written(text)
    with pytest.raises(DocumentError) as refused:
        read_answers(path)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{path}, line ")


def test_a_file_that_is_not_there_is_named():
    with (
        pytest.raises(ValueError, match=r"answers: .*nowhere\.yaml: No such file"),
        servesim.run(answers="nowhere.yaml"),
    ):
        pass


def test_the_example_of_the_page_is_good(written):
    page = Path(__file__).parents[2] / "docs/contracts.md"
    [example] = re.findall(r"(?s)```yaml\n(.*?)```", page.read_text(encoding="utf-8"))
    [text] = changed(read_answers(written(example))).values()
    assert text.template.format(endpoint="a") == "Endpoint 'a' is there already {since yesterday}."


def raised():
    """Return the fields that each refusal is raised with, wherever its code and fields stand together."""
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Rejected":
                [code] = [one.attr for one in node.args if isinstance(one, ast.Attribute)] or [None]
                if code in Code.__members__:  # that of a generation has no name here
                    yield Code[code], {one.arg for one in node.keywords}


def test_a_message_may_name_only_what_every_refusal_of_its_kind_knows():
    seen = set()
    for code, fields in raised():
        made = {"hint"} if code is Code.MODEL_MISSING else set()
        assert fields_of(code) <= fields | made, code
        seen.add(code)
    assert seen >= set(MORE_FIELDS)


def test_a_key_changes_nothing_on_a_terminal(written):
    with pytest.raises(DocumentError) as refused:
        read_answers(written('answers: {"\\e[31mfoo": {status: 404, error_code: X, message: a}}'))
    assert r"answers.\x1b[31mfoo: servesim has no refusal" in str(refused.value)
    assert str(refused.value).isprintable()
