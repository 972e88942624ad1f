"""`servesim workspace` against a server of this process: its lines work in a shell."""

from __future__ import annotations

import http.client
import json
import shlex

import pytest

from servesim.delivery.admin_client import span


def exports(text):
    """Read export lines as a shell does."""
    pairs = [shlex.split(line)[1].split("=", 1) for line in text.splitlines() if line.startswith("export ")]
    return dict(pairs)


def asks(variables, path="/api/2.0/serving-endpoints"):
    connection = http.client.HTTPConnection(variables["DATABRICKS_HOST"].removeprefix("http://"), timeout=30)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {variables['DATABRICKS_TOKEN']}"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.fixture
def made(command):
    result = command(
        "workspace", "new", "tests", "--clock", "frozen", "--seed", "7", "--user", "a@b.c", "--user", "d@e.f"
    )
    assert result.exit_code == 0, result.output
    yield result
    command("workspace", "remove", "tests")


def test_new_prints_lines_that_point_clients_at_it(made, command):
    variables = exports(made.stdout)
    assert asks(variables) == (200, {"endpoints": []})
    assert variables["SERVESIM_WORKSPACE"] == "tests"
    assert made.stderr == "workspace tests\n"
    assert "# d@e.f: export DATABRICKS_TOKEN=" in made.stdout
    assert json.loads(command("clock", "now", "-w", "tests", "--json").stdout)["mode"] == "frozen"


def test_a_name_is_not_needed(command):
    variables = exports(command("workspace", "new").stdout)
    assert asks(variables)[0] == 200
    name = variables["SERVESIM_WORKSPACE"]
    assert command("workspace", "remove", name).stdout == f"workspace {name} is gone\n"
    assert asks(variables)[0] == 403
    assert command("workspace", "remove", name).exit_code == 1


def test_it_can_have_a_port_of_its_own(command, here):
    variables = exports(command("workspace", "new", "ported", "--port", "0").stdout)
    assert variables["DATABRICKS_HOST"] != here.host
    assert asks(variables)[0] == 200
    assert asks({**variables, "DATABRICKS_TOKEN": here.token})[0] == 403
    command("workspace", "remove", "ported")


def test_a_scenario_file_is_sent(command, tmp_path):
    path = tmp_path / "world.yaml"
    entity = "{entity_name: main.ml.fraud, entity_version: 1}"
    path.write_text(
        "workspace: other\nclock: frozen\nprofile: quick.yaml\nprincipals: [{user: a@b.c, token: token-of-a}]\n"
        "models: [{name: main.ml.fraud, version: 1, stub: {constant: 0.5}}]\n"
        f"endpoints: [{{name: fraud, config: {{served_entities: [{entity}]}}}}]\n"
    )
    (tmp_path / "quick.yaml").write_text("container_build: 1s\n")
    variables = exports(command("workspace", "new", "mine", "--scenario", str(path)).stdout)
    assert variables["DATABRICKS_TOKEN"] == "token-of-a"
    status, listed = asks(variables)
    assert [one["name"] for one in listed["endpoints"]] == ["fraud"]
    again = command("workspace", "reset", "mine")
    assert again.stdout == "workspace mine begins again at 2026-01-05T09:00:00Z\n"
    assert asks(variables) == (status, listed)
    command("workspace", "remove", "mine")


def test_a_scenario_that_cannot_be_read_is_wrong_usage(command, tmp_path):
    assert command("workspace", "new", "--scenario", str(tmp_path / "none.yaml")).exit_code == 2


def test_list_shows_them_all(command, made, here):
    lines = command("workspace", "list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "NOW", "CLOCK", "ENDPOINTS", "REQUESTS", "PRINCIPALS"]
    assert here.workspace.name in [line.split()[0] for line in lines]
    assert any(line.startswith("tests") and line.endswith("a@b.c, d@e.f") for line in lines)
    assert "token" not in command("workspace", "list", "--json").stdout


def test_json_has_the_tokens_once(command):
    document = json.loads(command("workspace", "new", "short", "--json").stdout)
    assert list(document["tokens"]) == ["user@example.com"]
    assert json.loads(command("workspace", "reset", "short", "--json").stdout)["name"] == "short"
    assert json.loads(command("workspace", "remove", "short", "--json").stdout) == {}


def test_exit_codes(command, made):
    assert command("workspace", "new", "tests").exit_code == 1
    assert command("workspace", "new", "--clock", "sundial").exit_code == 2
    assert command("workspace", "list", "--url", "http://127.0.0.1:1").exit_code == 5


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "0s"), (1_500, "1.5s"), (60_000, "1m"), (5_430_000, "1h30m30s"), (90_000_000, "1d1h")]
)
def test_durations_are_written_as_people_do(ms, text):
    assert span(ms) == text
