"""`servesim requests` against a server of this process: lists, inference tables as files, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from click.testing import CliRunner

from servesim.delivery import tables
from servesim.delivery.cli import main
from servesim.delivery.client import Target, call
from servesim.generations.inference_table import COLUMNS

ADMIN = "admin-of-tests"
ENDPOINTS = "/api/2.0/serving-endpoints"
BODY = {"dataframe_records": [{"amount": 12.5}], "client_request_id": "mine-7"}
TABLE = {"catalog_name": "main", "schema_name": "ml", "enabled": True}


@pytest.fixture
def here(server):
    handle = server.open(poll="settle")
    yield handle
    handle.close()


@pytest.fixture
def fraud(here):
    """An endpoint with an inference table, and three requests: one fine, one refused by its model, one unknown."""
    here.models.stub("main.ml.fraud", "echo", signature={"amount": "double"})
    entity = {"entity_name": "main.ml.fraud", "entity_version": "1", "workload_size": "Small"}
    send(here, ENDPOINTS, {"name": "fraud", "config": {"served_entities": [entity]}})
    send(here, f"{ENDPOINTS}/fraud/ai-gateway", {"inference_table_config": TABLE}, method="PUT")
    assert send(here, f"{ENDPOINTS}/fraud")["state"]["ready"] == "READY"
    for body in (BODY, {"dataframe_records": [{"amount": "x"}]}):
        call(Target(here.host, here.token), "/serving-endpoints/fraud/invocations", json.dumps(body).encode())
    call(Target(here.host, here.token), "/serving-endpoints/none/invocations", b"{}")
    return here


def send(here, path, body=None, method="POST"):
    content = None if body is None else json.dumps(body).encode()
    answered = call(Target(here.host, here.token), path, content, **({} if body is None else {"method": method}))
    assert answered.status == 200, answered.document
    return answered.document


@pytest.fixture
def requests(here):
    """Run the command for this workspace."""

    def run(*arguments):
        asked = ["--url", here.host, "--admin-token", ADMIN, "--workspace", here.workspace.name]
        return CliRunner().invoke(main, ["requests", *arguments, *asked], catch_exceptions=False)

    return run


def test_the_last_requests_stand_at_the_end(fraud, requests):
    ran = requests("list", "--kind", "scoring")
    assert ran.exit_code == 0
    head, *lines = ran.stdout.splitlines()
    assert head.split() == ["AT", "STATUS", "CALL", "ENTITY", "REQUEST"]
    assert [line.split()[1] for line in lines] == ["200", "400", "404"]
    assert "POST /serving-endpoints/fraud/invocations" in lines[0]
    assert "fraud-1" in lines[0]
    assert "ENDPOINT_NOT_FOUND" in lines[2]


def test_a_list_can_be_cut_chosen_and_read_by_programs(fraud, requests):
    (one,) = json.loads(requests("list", "--endpoint", "fraud", "--last", "1", "--json").stdout)["requests"]
    assert (one["status"], one["entity"]) == (400, "fraud-1")
    assert requests("list", "--endpoint", "other").stdout == ""


def test_rows_come_once_the_delay_has_passed(fraud, requests):
    ran = requests("export", "--endpoint", "fraud")
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert ran.stderr.startswith("0 rows; 2 more will come")
    fraud.clock.advance("61m")
    ran = requests("export", "--endpoint", "fraud")
    first, second = map(json.loads, ran.stdout.splitlines())
    assert ran.stderr == "2 rows.\n"
    assert list(first) == list(COLUMNS)
    assert (first["client_request_id"], first["status_code"], second["status_code"]) == ("mine-7", 200, 400)
    assert json.loads(first["request"]) == BODY
    assert json.loads(first["response"]) == {"predictions": [{"amount": 12.5}]}
    ids = [
        one["request_id"] for one in json.loads(requests("list", "--endpoint", "fraud", "--json").stdout)["requests"]
    ]
    assert [second["databricks_request_id"], first["databricks_request_id"]] == ids


def test_an_endpoint_without_a_table_has_no_rows(fraud, requests):
    send(fraud, f"{ENDPOINTS}/fraud/ai-gateway", {}, method="PUT")
    call(Target(fraud.host, fraud.token), "/serving-endpoints/fraud/invocations", json.dumps(BODY).encode())
    fraud.clock.advance("61m")
    assert len(requests("export", "--endpoint", "fraud").stdout.splitlines()) == 2


@pytest.mark.mlflow
def test_parquet_has_the_published_types(fraud, requests, tmp_path):
    import pyarrow
    import pyarrow.parquet

    fraud.clock.advance("61m")
    path = tmp_path / "rows.parquet"
    ran = requests("export", "--endpoint", "fraud", "--output", str(path))
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "", f"2 rows in {path}.\n")
    table = pyarrow.parquet.read_table(path)
    assert {field.name: str(field.type) for field in table.schema} == {
        "databricks_request_id": "string",
        "request_date": "date32[day]",
        "client_request_id": "string",
        "request_time": "timestamp[us, tz=UTC]",
        "status_code": "int32",
        "sampling_fraction": "double",
        "execution_duration_ms": "int64",
        "request": "string",
        "response": "string",
        "logging_error_codes": "list<element: string>",
        "served_entity_id": "string",
        "requester": "string",
    }
    lines = requests("export", "--endpoint", "fraud").stdout.splitlines()
    for row, line in zip(table.to_pylist(), map(json.loads, lines), strict=True):
        assert row == {
            **line,
            "request_date": date.fromisoformat(line["request_date"]),
            "request_time": datetime.fromisoformat(line["request_time"]).astimezone(UTC),
        }


@pytest.mark.mlflow
def test_parquet_of_no_rows_still_has_its_columns(fraud, requests, tmp_path):
    import pyarrow.parquet

    path = tmp_path / "rows"
    requests("export", "--endpoint", "fraud", "--format", "parquet", "--output", str(path))
    assert pyarrow.parquet.read_table(path).column_names == list(COLUMNS)


def test_parquet_without_its_extra_says_what_to_install(fraud, requests, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ran = requests("export", "--endpoint", "fraud", "--output", str(tmp_path / "rows.parquet"))
    assert ran.exit_code == 1
    assert "pip install 'servesim[mlflow]'" in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays_unless_told(fraud, requests, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("mine", encoding="utf-8")
    fraud.clock.advance("61m")
    ran = requests("export", "--endpoint", "fraud", "--output", str(path))
    assert ran.exit_code == 2
    assert "--force replaces it" in ran.stderr
    assert path.read_text(encoding="utf-8") == "mine"
    assert requests("export", "--endpoint", "fraud", "--output", str(path), "--force").exit_code == 0
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("force", [True, False], ids=["force", "no-force"])
def test_a_file_is_written_whole_or_not_at_all(tmp_path, force):
    path = tmp_path / "rows"
    tables.write_whole(path, b"1", force=force)
    assert path.read_bytes() == b"1"
    if not force:
        with pytest.raises(FileExistsError):
            tables.write_whole(path, b"2", force=False)
    with pytest.raises(OSError, match="No such file"):
        tables.write_whole(tmp_path / "none" / "rows", b"2", force=force)
    assert [one.name for one in tmp_path.iterdir()] == ["rows"]
    assert path.read_bytes() == b"1"


def test_a_folder_that_is_missing_is_named(fraud, requests, tmp_path):
    ran = requests("export", "--endpoint", "fraud", "--output", str(tmp_path / "none" / "rows"))
    assert ran.exit_code == 2
    assert "cannot be written: No such file or directory" in ran.stderr


def test_a_summary_for_programs(fraud, requests, tmp_path):
    fraud.clock.advance("61m")
    path = tmp_path / "rows.jsonl"
    ran = requests("export", "--endpoint", "fraud", "--output", str(path), "--json")
    told = json.loads(ran.stdout)
    assert (told["rows"], told["waiting"], told["output"]) == (2, 0, str(path))
    whole = json.loads(requests("export", "--endpoint", "fraud", "--json").stdout)
    assert (len(whole["rows"]), whole["columns"]) == (2, COLUMNS)


@pytest.mark.mlflow
@pytest.mark.parametrize("command", [[], ["list"], ["export"]], ids=["group", "list", "export"])
def test_the_examples_of_the_help_run(fraud, tmp_path, monkeypatch, command):
    monkeypatch.setenv("SERVESIM_URL", fraud.host)
    monkeypatch.setenv("SERVESIM_ADMIN_TOKEN", ADMIN)
    monkeypatch.setenv("SERVESIM_WORKSPACE", fraud.workspace.name)
    monkeypatch.chdir(tmp_path)
    help_ = CliRunner().invoke(main, ["requests", *command, "--help"]).stdout
    examples = [line.split()[1:] for line in help_.splitlines() if line.startswith("  servesim requests ")]
    assert len(examples) == 2
    for example in examples:
        assert CliRunner().invoke(main, example, catch_exceptions=False).exit_code == 0, example


def test_an_unknown_endpoint_is_named(fraud, requests):
    ran = requests("export", "--endpoint", "frod")
    assert ran.exit_code == 1
    assert "Endpoint with name 'frod' does not exist." in ran.stderr


def test_a_secret_that_a_model_answers_is_not_in_the_rows(fraud, requests):
    fraud.workspace.vault._in_use["d"] = {"planted-secret-9"}
    fraud.workspace.vault._stale = True
    body = {"dataframe_records": [{"amount": 1.5}], "client_request_id": "planted-secret-9"}
    call(Target(fraud.host, fraud.token), "/serving-endpoints/fraud/invocations", json.dumps(body).encode())
    fraud.clock.advance("61m")
    last = json.loads(requests("export", "--endpoint", "fraud").stdout.splitlines()[-1])
    assert "planted" not in last["request"]
