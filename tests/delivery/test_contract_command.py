"""`servesim contract check` and `export`: what they print, where they write, and their exit codes."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from servesim.contracts.documents import SURFACES, document
from servesim.delivery.cli import main


@pytest.fixture
def contract(here, monkeypatch):
    """Run a command of the group with this workspace's variables."""
    monkeypatch.setenv("DATABRICKS_HOST", here.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", here.token)
    monkeypatch.setenv("SERVESIM_ADMIN_TOKEN", "admin-of-tests")

    def run(*arguments):
        return CliRunner().invoke(main, ["contract", *arguments], catch_exceptions=False)

    return run


def test_a_check_prints_a_line_for_each_case(contract, here):
    result = contract("check", "--entity", "main.ml.fraud/1")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["CASE", "SURFACE", "VERDICT", "EVIDENCE", "WHAT", "WAS", "WRONG"]
    assert lines[1].split() == ["list-endpoints", "control", "passed", "recorded"]
    assert lines[-1].startswith(f"{here.host}: ")
    assert ", 0 failed" in lines[-1]
    assert here.token not in result.output


def test_a_skipped_case_says_what_it_needs(contract):
    result = contract("check", "--read-only")
    assert result.exit_code == 0
    assert "there is no endpoint to look at" in result.stdout
    assert "skipped." in result.stdout.splitlines()[-1]


def test_a_surface_is_checked_alone(contract):
    result = contract("check", "--surface", "admin", "--surface", "workspace", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["surfaces"] == ["workspace", "admin"]
    assert {case["surface"] for case in found["cases"]} == {"workspace", "admin"}


def test_what_is_wrong_is_printed_and_is_exit_code_1(contract, server, monkeypatch):
    monkeypatch.setattr("servesim.http.login.WORKSPACE_ID_HEADER", "X-Other")
    handle = server.open(validate_responses=False)
    result = contract("check", "--read-only", "--surface", "workspace", "--url", handle.host, "--token", handle.token)
    handle.close()
    assert result.exit_code == 1
    [line] = [line for line in result.stdout.splitlines() if line.startswith("who-calls ")]
    assert "failed" in line
    assert "X-Databricks-Org-Id" in result.stdout


def test_a_terminal_is_given_a_table(contract, monkeypatch):
    monkeypatch.setattr("servesim.delivery.contract_report.is_terminal", lambda _stream: True)
    result = contract("check", "--read-only")
    assert result.exit_code == 0
    assert "│ list-endpoints" in result.stdout


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--url", "http://127.0.0.1:1"), "nothing answers there"),
        (("--token", "token-that-is-wrong"), "the token is refused with 403"),
        (("--token", ""), "the token is refused with 401"),
        (("--surface", "admin", "--admin-token", "wrong-admin-token"), "the token is refused with 403"),
        (("--url", "http://127.0.0.1:1", "--surface", "scoring"), "nothing answers there"),
    ],
)
def test_a_check_that_cannot_run_is_exit_code_5(contract, options, text):
    result = contract("check", *options)
    assert (result.exit_code, result.stdout) == (5, "")
    assert text in result.stderr
    assert "token-that-is-wrong" not in result.stderr


def test_an_endpoint_that_is_there_already_is_left_alone(contract, call):
    assert call("POST", "/api/2.0/serving-endpoints", {"name": "servesim-contract-chain"}).status == 200
    result = contract("check", "--entity", "main.ml.fraud/1")
    assert result.exit_code == 5
    assert "there is an endpoint servesim-contract-chain already" in result.stderr
    assert call("GET", "/api/2.0/serving-endpoints/servesim-contract-chain").status == 200


@pytest.mark.parametrize(
    "options",
    [
        ("--url", "ftp://x"),
        ("--surface", "moon"),
        ("--entity", "main.ml.fraud"),
        ("--timeout", "soon"),
        ("--token", "a\nb"),
        ("--payload", "no-such-file.json"),
        ("--signature", "pyproject.toml"),
        ("--payload", "pyproject.toml"),
    ],
)
def test_wrong_usage_is_exit_code_2(contract, options):
    assert contract("check", *options).exit_code == 2


def test_a_report_that_cannot_be_written_is_wrong_usage(contract, tmp_path):
    result = contract("check", "--read-only", "--junit", str(tmp_path / "no" / "junit.xml"))
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_the_group_lists_its_commands():
    result = CliRunner().invoke(main, ["contract", "--help"])
    assert result.exit_code == 0
    assert "check" in result.stdout
    assert "export" in result.stdout
    assert CliRunner().invoke(main, ["contract", "moon"]).exit_code == 2


# --- export -------------------------------------------------------------------------------------------


def test_all_surfaces_are_exported_as_one_document(contract):
    assert json.loads(contract("export", "--format", "json").stdout) == json.loads(json.dumps(document()))


def test_yaml_reads_back_as_the_same_and_has_no_anchors(contract):
    written = contract("export", "--surface", "data").stdout
    assert written.startswith("openapi: 3.1.0\n")
    assert "&id" not in written
    assert yaml.safe_load(written)["paths"].keys() == document("data")["paths"].keys()


def test_a_file_for_each_surface(contract, tmp_path):
    result = contract("export", "--out", str(tmp_path / "contracts"), "--format", "json")
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "contracts").iterdir()} == {f"{name}.json" for name in SURFACES}
    for name in SURFACES:
        text = (tmp_path / "contracts" / f"{name}.json").read_text()
        assert json.loads(text) == json.loads(json.dumps(document(name)))
        assert ".yaml#" not in text, "it refers to itself alone"


def test_an_export_that_has_no_place_is_wrong_usage(contract, tmp_path):
    (tmp_path / "file").write_text("")
    assert contract("export", "--out", str(tmp_path / "file" / "folder")).exit_code == 2
