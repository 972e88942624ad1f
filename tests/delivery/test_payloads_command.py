"""``servesim payloads generate``: the same bytes for the same seed, from a file, a model's folder or a server."""

import base64
import json
import os
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner

from servesim.delivery.cli import main
from servesim.payloads.enforce import enforce
from servesim.payloads.parse import parse
from servesim.payloads.refusal import Refused
from servesim.payloads.signature import Signature

FRAUD = Signature.of({"amount": "double", "country": "string"}, {"top": ("long", 3)})
NO_NETWORK = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch):
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def signature(tmp_path):
    path = tmp_path / "signature.json"
    path.write_text(json.dumps(FRAUD.to_json()))
    return str(path)


def generate(*arguments):
    return CliRunner().invoke(main, ["payloads", "generate", *arguments], catch_exceptions=False)


def lines(result):
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def body(line):
    return base64.b64decode(line["body_base64"]) if "body_base64" in line else line["body"].encode()


def test_every_payload_is_one_that_the_model_accepts(signature):
    found = lines(generate("--signature", signature, "--count", "20", "--json"))
    assert len(found) == 20
    assert found[0]["body"] == '{"dataframe_split": {"columns": ["amount", "country"], "data": [[0.0, ""]]}}'
    for line in found:
        assert line.keys() == {"content_type", "format", "body"}
        enforce(parse(body(line), line["content_type"], FRAUD), FRAUD)


def test_what_is_malformed_is_refused_as_it_says(signature):
    found = lines(generate("--signature", signature, "--count", "60", "--malformed", "--json"))
    assert len({line["reason"] for line in found}) > 5
    for line in found:
        with pytest.raises(Refused) as caught:
            enforce(parse(body(line), line["content_type"], FRAUD), FRAUD)
        assert (caught.value.status, caught.value.error_code) == (line["status"], line["error_code"])


def test_one_format(signature):
    found = lines(generate("--signature", signature, "--format", "csv", "--count", "5", "--json"))
    assert {(line["format"], line["content_type"]) for line in found} == {("csv", "text/csv")}


def test_people_see_the_bodies(signature):
    result = generate("--signature", signature, "--count", "1")
    head, request = result.stdout.splitlines()
    assert (head, json.loads(request)["dataframe_split"]["data"]) == (
        "# dataframe_split as application/json",
        [[0.0, ""]],
    )
    wrong = generate("--signature", signature, "--count", "1", "--malformed").stdout
    assert wrong.startswith("# dataframe_split as text/plain: content type that no model reads -> 415\n")


def test_the_same_seed_gives_the_same_bytes(signature, tmp_path):
    def printed(seed, hash_seed):
        command = "from servesim.delivery.cli import main; main()"
        arguments = ["payloads", "generate", "--signature", signature, "--seed", seed, "--json", "--malformed"]
        # Not measured: hypothesis makes its table of characters anew, which takes seconds when every line is counted.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        environ |= {"PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", command, *arguments], env=environ, cwd=tmp_path, capture_output=True, check=True
        )
        return run.stdout

    assert printed("1", "1") == printed("1", "2")
    assert [path.name for path in tmp_path.iterdir()] == ["signature.json"]  # and nothing of hypothesis is left


def test_another_seed_gives_others(signature):
    first, second = (lines(generate("--signature", signature, "--seed", seed, "--json")) for seed in "12")
    assert first[0] == second[0]  # the plainest
    assert first != second


def test_files_with_an_index(signature, tmp_path):
    folder = tmp_path / "requests"
    result = generate("--signature", signature, "--count", "6", "--malformed", "--out", str(folder))
    assert (result.exit_code, result.stdout) == (0, "")
    index = [json.loads(line) for line in (folder / "payloads.jsonl").read_text().splitlines()]
    assert [line["file"] for line in index] == sorted(path.name for path in folder.iterdir() if path.suffix != ".jsonl")
    assert index[0]["file"] == "00001-dataframe_split-content-type-that-no-model-reads.json"
    assert (folder / index[0]["file"]).read_bytes().startswith(b'{"dataframe_split"')
    assert index[0]["content_type"] == "text/plain"
    again = generate("--signature", signature, "--out", str(folder))
    assert (again.exit_code, "is not empty" in again.stderr) == (2, True)


def test_a_few_are_all_there_are(tmp_path):
    path = tmp_path / "flag.json"
    path.write_text('{"flag": "boolean"}')
    result = generate("--signature", str(path), "--format", "csv", "--count", "100", "--json")
    assert len(lines(result)) == 14  # one to three rows of two values
    assert "There are 14 different ones alone." in result.stderr


# --- whose signature ------------------------------------------------------------------------------


def test_of_a_model_s_folder(tmp_path):
    (tmp_path / "MLmodel").write_text(yaml.safe_dump({"signature": FRAUD.to_json()}))
    found = lines(generate("--model", str(tmp_path), "--count", "1", "--json"))
    assert json.loads(found[0]["body"])["dataframe_split"]["columns"] == ["amount", "country"]


def test_of_an_endpoint(servesim):
    from servesim.delivery.client import Target, call

    servesim.models.stub("main.ml.fraud", "echo", signature=FRAUD)
    entity = {"name": "champion", "entity_name": "main.ml.fraud", "entity_version": "1", "workload_size": "Small"}
    target = Target(servesim.host, servesim.token)
    made = {"name": "fraud", "config": {"served_entities": [entity]}}
    assert call(target, "/api/2.0/serving-endpoints", json.dumps(made).encode()).status == 200
    servesim.clock.advance("2h")
    asked = ["--url", servesim.host, "--token", servesim.token, "--endpoint", "fraud", "--json"]
    for line in lines(generate(*asked, "--entity", "champion")):
        answer = call(target, "/serving-endpoints/fraud/invocations", body(line), line["content_type"])
        assert answer.status == 200, (line, answer.body)
    assert lines(generate(*asked)) == lines(generate(*asked, "--entity", "champion"))
    other = generate(*asked, "--entity", "other")
    assert (other.exit_code, "of the served entity other" in other.stderr) == (1, True)


def test_of_an_endpoint_that_is_not_there(servesim):
    result = generate("--url", servesim.host, "--token", servesim.token, "--endpoint", "fraud")
    assert result.exit_code == 1
    assert "/api/2.0/serving-endpoints/fraud/openapi was answered with 404" in result.stderr


def test_of_a_server_that_is_not_there():
    result = generate("--url", NO_NETWORK, "--endpoint", "fraud")
    assert (result.exit_code, "no answer from http://127.0.0.1:9" in result.stderr) == (5, True)


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Say for which model"),
        (("--endpoint", "fraud"), "needs the --url"),
        (("--endpoint", "fraud", "--url", "ftp://x"), "is not the URL of a server"),
        (("--endpoint", "fraud", "--url", NO_NETWORK, "--token", "a\nb"), "no header can hold"),
    ],
    ids=["nothing", "no-url", "bad-url", "token"],
)
def test_wrong_usage(arguments, said):
    result = generate(*arguments)
    assert (result.exit_code, said in result.stderr) == (2, True)


def test_one_model_at_a_time(signature, tmp_path):
    result = generate("--signature", signature, "--model", str(tmp_path))
    assert (result.exit_code, "Say for which model" in result.stderr) == (2, True)


@pytest.mark.parametrize("content", ["", "5", "{}", '[{"type": "map"}]'], ids=["empty", "number", "object", "map"])
def test_a_file_that_is_no_signature(tmp_path, content):
    path = tmp_path / "signature.json"
    path.write_text(content)
    result = generate("--signature", str(path))
    assert (result.exit_code, "Invalid value for --signature" in result.stderr) == (2, True)


def tensor(*shape):
    return [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": shape}}]


def nested(depth):
    return {"type": "array", "items": nested(depth - 1)} if depth else {"type": "double"}


BEYOND = {
    "nested": ("[" * 100_000, "nests too deep"),
    "nested-inputs": (json.dumps({"inputs": "[" * 100_000}), "nests too deep"),
    "lists": ([nested(17)], "nested more than 16 deep"),
    "name": ([{"type": "double", "name": {"a": 1}}], "the name of a column is a text, got dict"),
    "surrogate": ([{"type": "double", "name": "\ud800"}], "which UTF-8 cannot write"),
    "twice": ([{"type": "double", "name": "a"}, {"type": "long", "name": "a"}], "two columns 'a'"),
    "columns": ([{"type": "double"}] * 1_001, "more than 1,000 columns"),
    "many": ({f"c{number}": "double" for number in range(1_001)}, "more than 1,000 columns"),
    "negative": (tensor(-1, -2), "-1 for any length, got [-1, -2]"),
    "fraction": (tensor(1.5), "-1 for any length, got [1.5]"),
    "dimensions": (tensor(*[1] * 17), "more than 16 dimensions"),
    "elements": (tensor(-1, 10_001), "more than 10,000 elements"),
    "no-spec": ([{"type": "tensor"}], "a tensor has a tensor-spec"),
    "param": ({"inputs": [{"type": "double"}], "params": [{"type": "double", "name": "p"}]}, "a default"),
    "rows": (tensor(257), "more than 256 rows"),
}


@pytest.mark.parametrize(("content", "said"), BEYOND.values(), ids=BEYOND)
def test_a_signature_that_is_beyond_the_bounds(tmp_path, content, said):
    path = tmp_path / "signature.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    result = generate("--signature", str(path))
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_a_signature_that_is_too_large_to_draw(signature, monkeypatch):
    from hypothesis.errors import Unsatisfiable

    def drawn(*_, **__):
        raise Unsatisfiable

    monkeypatch.setattr("servesim.strategies.generate.drawn", drawn)
    result = generate("--signature", signature)
    assert (result.exit_code, "too large to draw a request for" in result.stderr) == (2, True)


@pytest.mark.parametrize("case", BEYOND)
def test_the_contract_suite_has_the_same_bounds(tmp_path, case):
    content, said = BEYOND[case]
    path = tmp_path / "signature.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    result = CliRunner().invoke(main, ["contract", "check", "--url", NO_NETWORK, "--signature", str(path)])
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_a_file_without_end_is_no_signature():
    result = generate("--signature", "/dev/zero")
    assert (result.exit_code, "larger than" in result.stderr) == (2, True)


def test_a_folder_that_is_no_model(tmp_path):
    result = generate("--model", str(tmp_path))
    assert (result.exit_code, "has no file MLmodel" in result.stderr) == (2, True)


def test_a_model_without_a_signature(tmp_path):
    (tmp_path / "MLmodel").write_text("{}")
    result = generate("--model", str(tmp_path))
    assert (result.exit_code, "it has no signature" in result.stderr) == (1, True)


def test_a_format_that_the_signature_has_not(tmp_path):
    path = tmp_path / "signature.json"
    path.write_text('{"when": "datetime"}')
    result = generate("--signature", str(path), "--format", "csv")
    assert (result.exit_code, "choose one of dataframe_split" in result.stderr) == (1, True)


def test_without_hypothesis_the_extra_is_named(signature, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("servesim.strategies")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    result = generate("--signature", signature)
    assert result.exit_code == 1
    assert "pip install 'servesim[contract]'" in result.stderr
