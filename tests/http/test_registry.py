"""The workspace registry over the wire: models, versions, stages, tags, searches and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

HEAD = "/api/2.0/mlflow/"
NOW = 1767603600000
"""Simulated."""
INVALID = (400, "INVALID_PARAMETER_VALUE")
MISSING = (404, "RESOURCE_DOES_NOT_EXIST")
MLMODEL = """\
artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
    loader_module: mlflow.sklearn
    python_version: 3.11.7
mlflow_version: 3.17.2
model_uuid: 0123456789abcdef0123456789abcdef
"""


class Registry:
    """The registry of one workspace as one caller sees it."""

    def __init__(self, wire, head=HEAD):
        self.wire = wire
        self.head = head

    def get(self, path, **query):
        return self.wire.call("GET", f"{self.head}{path}?{urlencode(query, doseq=True, quote_via=quote)}")

    def send(self, method, path, **fields):
        return self.wire.call(method, self.head + path, fields)

    def post(self, path, **fields):
        return self.send("POST", path, **fields)

    def create(self, name="m", **fields):
        answer = self.post("registered-models/create", name=name, **fields)
        assert answer.status == 200, answer.body
        return answer.json["registered_model"]

    def move(self, version, stage, **fields):
        return self.post("model-versions/transition-stage", name="m", version=version, stage=stage, **fields)

    def stages(self, name="m"):
        """Return the stage of each version, the oldest first."""
        found = self.get("model-versions/search", filter=f"name='{name}'", order_by="version_number").json
        return [version["current_stage"] for version in found["model_versions"]]

    def everything(self):
        """Return the bytes that a refused call must leave alone."""
        paths = ("registered-models/search", "model-versions/search")
        return [self.get(path).body for path in paths]


@pytest.fixture
def registry(wire):
    return Registry(wire)


@pytest.fixture
def stages(registry):
    """Make the model ``m`` with four versions: None, Staging, Production, Staging."""
    registry.create()
    for number, stage in enumerate((None, "Staging", "Production", "Staging"), start=1):
        registry.wire.handle.models.stub("m", "constant", value=number)
        if stage:
            assert registry.move(str(number), stage).status == 200
    return registry


@pytest.fixture
def folder(tmp_path):
    """Write the files of a model that nobody loads."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text(MLMODEL)
    (tmp_path / "model" / "requirements.txt").write_text("mlflow==3.17.2\n")
    (tmp_path / "model" / "conda.yaml").write_text("dependencies:\n- pip:\n  - mlflow==3.17.2\nname: mlflow-env\n")
    return str(tmp_path / "model")


# --- models ---------------------------------------------------------------------------------------


def test_a_model_comes_changes_and_goes(registry):
    made = registry.create("m", tags=[{"key": "a", "value": "b"}], description="d")
    expected = {
        "name": "m",
        "creation_timestamp": NOW,
        "last_updated_timestamp": NOW,
        "user_id": "tester@example.com",
        "description": "d",
        "tags": [{"key": "a", "value": "b"}],
    }
    assert made == expected
    assert registry.get("registered-models/get", name="m").json == {"registered_model": expected}
    changed = registry.send("PATCH", "registered-models/update", name="m", description="e")
    assert changed.json["registered_model"]["description"] == "e"
    renamed = registry.post("registered-models/rename", name="m", new_name="n")
    assert renamed.json == {"registered_model": expected | {"name": "n", "description": "e"}}
    assert registry.get("registered-models/get", name="m").status == 404
    assert registry.send("DELETE", "registered-models/delete", name="n").json == {}
    assert registry.get("registered-models/get", name="n").status == 404
    assert registry.everything() == [b"{}", b"{}"]


def test_an_update_without_a_description_leaves_it(registry, folder):
    registry.create(description="d")
    assert registry.send("PATCH", "registered-models/update", name="m").json["registered_model"]["description"] == "d"
    registry.post("model-versions/create", name="m", source=folder, description="v")
    changed = registry.send("PATCH", "model-versions/update", name="m", version="1").json
    assert changed["model_version"]["description"] == "v"
    changed = registry.send("PATCH", "model-versions/update", name="m", version="1", description="").json
    assert "description" not in changed["model_version"]


def test_tags_come_and_go(registry):
    registry.create()
    registry.wire.handle.models.stub("m", "echo")
    for kind, named in (("registered-models", {}), ("model-versions", {"version": "1"})):
        for key, value in (("a", "1"), ("b", ""), ("a", "2")):
            assert registry.post(f"{kind}/set-tag", name="m", key=key, value=value, **named).json == {}
        answer = registry.get(f"{kind}/get", name="m", **named).json
        assert next(iter(answer.values()))["tags"] == [{"key": "a", "value": "2"}, {"key": "b", "value": ""}]
        for key in ("a", "b", "never there"):
            assert registry.send("DELETE", f"{kind}/delete-tag", name="m", key=key, **named).json == {}
        answer = registry.get(f"{kind}/get", name="m", **named).json
        assert "tags" not in next(iter(answer.values()))


def test_the_service_s_own_form_tells_id_and_level(registry):
    registry.create()
    found = registry.get("databricks/registered-models/get", name="m").json["registered_model_databricks"]
    assert len(found.pop("id")) == 32
    assert found == {
        "name": "m",
        "creation_timestamp": NOW,
        "last_updated_timestamp": NOW,
        "user_id": "tester@example.com",
        "description": "",
        "tags": [],
        "permission_level": "CAN_MANAGE",
    }


def test_an_id_outlives_the_name_and_no_other_model_gets_it(registry):
    def number(name):
        found = registry.get("databricks/registered-models/get", name=name).json
        return found["registered_model_databricks"]["id"]

    registry.create("m")
    first = number("m")
    registry.post("registered-models/rename", name="m", new_name="n")
    assert number("n") == first
    registry.send("DELETE", "registered-models/delete", name="n")
    registry.create("n")
    assert number("n") != first


@pytest.mark.parametrize("name", ["a b", "a.b", "a.b.c.d", ".a", "100%", "%2F", "ü+&=?#", "'", '"', "{x}", "a..b"])
def test_names_that_need_care_are_found_again(registry, name):
    registry.create(name)
    assert registry.get("registered-models/get", name=name).json["registered_model"]["name"] == name
    quoted = name.replace("'", "''")
    found = registry.get("registered-models/search", filter=f"name = '{quoted}'").json
    assert [model["name"] for model in found["registered_models"]] == [name]
    assert registry.send("DELETE", "registered-models/delete", name=name).json == {}


def test_get_and_delete_take_a_body_and_a_query(registry):
    for name in "abc":
        registry.create(name)
    assert registry.send("GET", "registered-models/get", name="a").json["registered_model"]["name"] == "a"
    assert registry.send("DELETE", "registered-models/delete", name="a").json == {}
    assert registry.wire.call("DELETE", HEAD + "registered-models/delete?name=b").json == {}
    # The query counts more, as where both are said elsewhere.
    answer = registry.wire.call("GET", HEAD + "registered-models/get?name=c", {"name": "none"})
    assert answer.json["registered_model"]["name"] == "c"
    assert registry.wire.call("DELETE", HEAD + "registered-models/delete").json["error_code"] == INVALID[1]


def test_the_preview_paths_are_the_same_registry(wire, folder):
    preview = Registry(wire, "/api/2.0/preview/mlflow/")
    preview.create("m")
    assert preview.post("model-versions/create", name="m", source=folder).status == 200
    for path in ("registered-models/get", "databricks/registered-models/get", "registered-models/get-latest-versions"):
        assert preview.get(path, name="m").body == Registry(wire).get(path, name="m").body


# --- versions -------------------------------------------------------------------------------------


def test_a_version_comes_changes_and_goes(registry, folder):
    registry.create()
    sent = {"source": folder, "run_id": "r", "run_link": "http://x/r", "model_id": "m-1"}
    sent["tags"] = [{"key": "k", "value": "v"}]
    made = registry.post("model-versions/create", name="m", description="d", **sent).json["model_version"]
    expected = {
        "name": "m",
        "version": "1",
        "creation_timestamp": NOW,
        "last_updated_timestamp": NOW,
        "user_id": "tester@example.com",
        "current_stage": "None",
        "description": "d",
        "status": "READY",
        **sent,
    }
    assert made == expected
    assert registry.get("model-versions/get", name="m", version="1").json == {"model_version": expected}
    assert registry.get("registered-models/get", name="m").json["registered_model"]["latest_versions"] == [expected]
    assert registry.get("model-versions/get-download-uri", name="m", version="1").json == {"artifact_uri": folder}
    changed = registry.send("PATCH", "model-versions/update", name="m", version="1", description="e").json
    assert changed == {"model_version": expected | {"description": "e"}}
    second = registry.post("model-versions/create", name="m", source=folder).json["model_version"]
    assert second["version"] == "2"
    assert registry.send("DELETE", "model-versions/delete", name="m", version="2").json == {}
    assert registry.get("model-versions/get", name="m", version="2").status == 404
    # No number comes twice.
    assert registry.post("model-versions/create", name="m", source=folder).json["model_version"]["version"] == "3"


def test_a_source_that_nobody_can_read_is_a_version_that_failed(registry):
    registry.create()
    made = registry.post("model-versions/create", name="m", source="dbfs:/x/y").json["model_version"]
    assert made["status"] == "FAILED_REGISTRATION"
    assert "dbfs:/x/y" in made["status_message"]
    # Of versions that are not ready none is the latest: documented.
    assert "latest_versions" not in registry.get("registered-models/get", name="m").json["registered_model"]
    assert registry.get("registered-models/get-latest-versions", name="m").json == {}
    assert registry.get("model-versions/get-download-uri", name="m", version="1").json == {"artifact_uri": "dbfs:/x/y"}


def test_a_version_that_brings_its_environment_is_ready_at_the_next_read(registry, folder):
    """A read moves time to when it is: MLflow would ask again every three seconds."""
    packed = Path(folder) / "_databricks"
    packed.mkdir()
    (packed / "model_version.tar").write_bytes(b"")
    (packed / "model_environment.tar").write_bytes(b"x")
    (Path(folder) / "MLmodel").write_text(MLMODEL + "databricks_runtime: client.4.9\n")
    registry.create()
    made = registry.post("model-versions/create", name="m", source=folder).json["model_version"]
    assert made["status"] == "PENDING_REGISTRATION"
    read = registry.get("model-versions/get", name="m", version="1").json["model_version"]
    assert read["status"] == "READY"
    assert read["last_updated_timestamp"] > made["last_updated_timestamp"]


def test_versions_are_strings_and_are_taken_as_numbers_too(registry):
    registry.wire.handle.models.stub("m", "echo")
    assert registry.send("GET", "model-versions/get", name="m", version=1).json["model_version"]["version"] == "1"


def test_a_read_follows_every_change(stages):
    """What is kept is never what was."""
    paths = {
        "model": lambda: stages.get("registered-models/get", name="m").body,
        "own form": lambda: stages.get("databricks/registered-models/get", name="m").body,
        "version": lambda: stages.get("model-versions/get", name="m", version="2").body,
    }
    changes = (
        lambda: stages.send("PATCH", "registered-models/update", name="m", description="x"),
        lambda: stages.post("registered-models/set-tag", name="m", key="a", value="b"),
        lambda: stages.move("2", "Archived"),
    )
    for change in changes:
        before = {name: read() for name, read in paths.items()}
        assert before == {name: read() for name, read in paths.items()}
        assert change().status == 200
        after = {name: read() for name, read in paths.items()}
        assert after["model"] != before["model"]
        assert after["own form"] != before["own form"]
    assert after["version"] != before["version"]


# --- stages ---------------------------------------------------------------------------------------


def test_a_transition_moves_one_version(stages):
    moved = stages.move("1", "Staging").json["model_version"]
    assert (moved["version"], moved["current_stage"]) == ("1", "Staging")
    assert stages.stages() == ["Staging", "Staging", "Production", "Staging"]


def test_a_transition_archives_the_others_of_the_stage(stages):
    assert stages.move("1", "Staging", archive_existing_versions=True).status == 200
    assert stages.stages() == ["Staging", "Archived", "Production", "Archived"]
    # One that is there already is not archived, the others are.
    assert stages.move("3", "Production", archive_existing_versions="true").status == 200
    assert stages.stages() == ["Staging", "Archived", "Production", "Archived"]


@pytest.mark.parametrize("stage", ["staging", "STAGING", "Staging"])
def test_the_case_of_a_stage_does_not_matter(stages, stage):
    assert stages.move("1", stage).json["model_version"]["current_stage"] == "Staging"


def test_the_service_s_own_transition(stages):
    answer = stages.post(
        "databricks/model-versions/transition-stage",
        name="m",
        version="1",
        stage="Production",
        archive_existing_versions=True,
        comment="ship it",
    )
    moved = answer.json["model_version_databricks"]
    assert moved["current_stage"] == "Production"
    assert moved["permission_level"] == "CAN_MANAGE"
    assert moved["open_requests"] == []
    assert moved["email_subscription_status"] == "UNSUBSCRIBED"
    assert stages.stages() == ["Production", "Staging", "Archived", "Staging"]


LATEST = [
    ({}, ["1", "4", "3"]),
    ({"stages": []}, ["1", "4", "3"]),
    ({"stages": ["Staging"]}, ["4"]),
    ({"stages": ["production", "None"]}, ["1", "3"]),
    ({"stages": ["Archived"]}, []),
]


@pytest.mark.parametrize(("fields", "versions"), LATEST)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_latest_version_of_each_stage(stages, method, fields, versions):
    path = "registered-models/get-latest-versions"
    answer = stages.post(path, name="m", **fields) if method == "POST" else stages.get(path, name="m", **fields)
    assert [version["version"] for version in answer.json.get("model_versions", [])] == versions


def test_a_transition_changes_no_endpoint(stages):
    entity = {"entity_name": "m", "entity_version": "3"}
    before = stages.wire.ready(entities=(entity,)).body
    assert stages.move("1", "Production", archive_existing_versions=True).status == 200
    assert stages.wire.call("GET", "/api/2.0/serving-endpoints/fraud").body == before
    assert stages.wire.score().json == {"predictions": [3]}


# --- searches -------------------------------------------------------------------------------------


def names(answer):
    assert answer.status == 200, answer.body
    return [model["name"] for model in answer.json.get("registered_models", [])]


def numbers(answer):
    assert answer.status == 200, answer.body
    return [f"{one['name']}/{one['version']}" for one in answer.json.get("model_versions", [])]


@pytest.fixture
def several(registry):
    """Make four models, of which two have versions."""
    for name, team in (("b", "risk"), ("a", "risk"), ("Fraud", "ads"), ("fraud_eu", "ads")):
        registry.create(name, tags=[{"key": "team", "value": team}])
    for name in ("a", "a", "Fraud"):
        registry.wire.handle.models.stub(name, "echo")
    registry.post("model-versions/set-tag", name="a", version="2", key="good", value="yes")
    return registry


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["Fraud", "a", "b", "fraud_eu"]),
        ({"filter": "name LIKE 'raud'"}, ["Fraud", "fraud_eu"]),
        ({"filter": "name ILIKE 'fraud%'"}, ["Fraud", "fraud_eu"]),
        ({"filter": "tags.team = 'risk'", "order_by": "name DESC"}, ["b", "a"]),
        ({"order_by": ["creation_timestamp DESC", "name DESC"]}, ["fraud_eu", "b", "a", "Fraud"]),
        ({"order_by": "last_updated_timestamp ASC"}, ["Fraud", "a", "b", "fraud_eu"]),
        ({"max_results": 2}, ["Fraud", "a"]),
    ],
)
def test_searching_models(several, query, found):
    assert names(several.get("registered-models/search", **query)) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["Fraud/1", "a/2", "a/1"]),
        ({"filter": "name='a'"}, ["a/2", "a/1"]),
        ({"filter": "name='a' AND version_number < 2"}, ["a/1"]),
        ({"filter": "tags.good = 'yes'"}, ["a/2"]),
        ({"filter": "run_id = ''"}, ["Fraud/1", "a/2", "a/1"]),
        ({"filter": "source_path LIKE 'dbfs:%'"}, []),
        ({"order_by": ["name DESC", "version_number ASC"]}, ["a/1", "a/2", "Fraud/1"]),
        ({"order_by": "version DESC", "max_results": 1}, ["a/2"]),
    ],
)
def test_searching_versions(several, query, found):
    assert numbers(several.get("model-versions/search", **query)) == found


@pytest.mark.parametrize("path", ["registered-models/search", "registered-models/list"])
def test_pages(several, path):
    seen, token = [], None
    while token != "":
        answer = several.get(path, max_results=3, **({"page_token": token} if token else {}))
        seen.append(names(answer))
        token = answer.json.get("next_page_token", "")
    assert seen == [["Fraud", "a", "b"], ["fraud_eu"]]


def test_a_list_filters_nothing(several):
    assert len(names(several.get("registered-models/list", filter="name = 'a'"))) == 4


def test_models_of_unity_catalog_are_not_found(several):
    assert not [model for model in names(several.get("registered-models/search")) if "main.ml" in model]
    assert not [row for row in numbers(several.get("model-versions/search")) if "main.ml" in row]


def test_somebody_else_s_page_token_is_refused(several):
    token = several.get("registered-models/search", max_results=1).json["next_page_token"]
    assert several.get("registered-models/search", page_token=token).status == 200
    other = Registry(several.wire.user("alice@example.com", groups=["admins"]))
    answer = other.get("registered-models/search", page_token=token)
    assert (answer.status, answer.json["error_code"]) == INVALID
    assert f"'{token}' is no page token of this search" in answer.json["message"]


# --- what is refused ------------------------------------------------------------------------------

M, V = {"name": "m"}, {"name": "m", "version": "1"}
REFUSED: dict[str, tuple[str, str, dict[str, Any], tuple[int, str], str]] = {
    "a model twice": ("POST", "registered-models/create", M, (400, "RESOURCE_ALREADY_EXISTS"), "'m' already exists"),
    "an empty name": (
        "POST",
        "registered-models/create",
        {"name": ""},
        INVALID,
        "Got an invalid name ''. Registered Model names cannot be empty strings.",
    ),
    "a blank name": ("POST", "registered-models/create", {"name": "  "}, INVALID, "names cannot be empty"),
    "no name": ("POST", "registered-models/create", {}, INVALID, "names cannot be empty"),
    "a slash": ("POST", "registered-models/create", {"name": "a/b"}, INVALID, "names cannot contain '/' or ':'"),
    "a colon": ("POST", "registered-models/create", {"name": "a:b"}, INVALID, "names cannot contain '/' or ':'"),
    "two dots": ("POST", "registered-models/create", {"name": ".."}, INVALID, "a name is not a path"),
    "NUL": ("POST", "registered-models/create", {"name": "a\0"}, INVALID, "control characters"),
    "a lone surrogate": ("POST", "registered-models/create", {"name": "\ud800"}, INVALID, "control characters"),
    "a long name": ("POST", "registered-models/create", {"name": "a" * 300}, INVALID, "256 characters at most"),
    "a UC name": ("POST", "registered-models/create", {"name": "a.b.c"}, INVALID, "'a.b.c' is a name of Unity Catalog"),
    "a name that is a number": ("POST", "registered-models/create", {"name": 5}, INVALID, "'name' must be a string"),
    "tags that are no list": ("POST", "registered-models/create", {"name": "n", "tags": "a"}, INVALID, "'tags'"),
    "a tag without a key": (
        "POST",
        "registered-models/create",
        {"name": "n", "tags": [{"value": "v"}]},
        INVALID,
        "'tags[0].key'",
    ),
    "a description that is a list": ("PATCH", "registered-models/update", M | {"description": []}, INVALID, "a string"),
    "a model that is not there": ("PATCH", "registered-models/update", {"name": "x"}, MISSING, "'x' does not exist"),
    "a UC model": ("GET", "registered-models/get", {"name": "main.ml.fraud"}, INVALID, "a name of Unity Catalog"),
    "a UC model's transition": (
        "POST",
        "model-versions/transition-stage",
        {"name": "main.ml.fraud", "version": "1", "stage": "Staging"},
        INVALID,
        "a name of Unity Catalog",
    ),
    "a UC model's latest versions": (
        "POST",
        "registered-models/get-latest-versions",
        {"name": "main.ml.fraud"},
        INVALID,
        "a name of Unity Catalog",
    ),
    "a new name that is taken": (
        "POST",
        "registered-models/rename",
        M | {"new_name": "n"},
        (400, "RESOURCE_ALREADY_EXISTS"),
        "'n' already exists",
    ),
    "no new name": ("POST", "registered-models/rename", M, INVALID, "names cannot be empty"),
    "a new name of UC": ("POST", "registered-models/rename", M | {"new_name": "a.b.c"}, INVALID, "'a.b.c'"),
    "a new name with a slash": ("POST", "registered-models/rename", M | {"new_name": "a/b"}, INVALID, "'a/b'"),
    "a version that is not there": ("GET", "model-versions/get", M | {"version": "9"}, MISSING, "it has '1'"),
    "another spelling of a version": ("GET", "model-versions/get", M | {"version": "01"}, MISSING, "Version 01 of"),
    "a version that is a word": ("GET", "model-versions/get", M | {"version": "latest"}, INVALID, "whole numbers"),
    "a version below 0": ("GET", "model-versions/get", M | {"version": "-1"}, INVALID, "whole numbers"),
    "a version in Arabic digits": ("GET", "model-versions/get", M | {"version": "\u0661"}, INVALID, "whole numbers"),
    "no version": ("GET", "model-versions/get", M, INVALID, "'version' must be a string"),
    "a version of no model": ("GET", "model-versions/get", V | {"name": "x"}, MISSING, "'x' does not exist"),
    "a version that is not there to delete": ("DELETE", "model-versions/delete", M | {"version": "9"}, MISSING, "9"),
    "a version of no model to delete": ("DELETE", "model-versions/delete", V | {"name": "x"}, MISSING, "'x'"),
    "a tag of no version": ("POST", "model-versions/set-tag", M | {"version": "9", "key": "k"}, MISSING, "9"),
    "a tag without a name": ("POST", "model-versions/set-tag", V | {"key": ""}, INVALID, "no key of a tag"),
    "no tag": ("DELETE", "model-versions/delete-tag", V, INVALID, "'key' must be a string"),
    "a tag that is a number": ("POST", "registered-models/set-tag", M | {"key": "k", "value": 1}, INVALID, "'value'"),
    "no source": ("POST", "model-versions/create", M, INVALID, "'source' must be a string"),
    "a version for no model": ("POST", "model-versions/create", {"name": "x", "source": "dbfs:/x"}, MISSING, "'x'"),
    "a stage that does not exist": (
        "POST",
        "model-versions/transition-stage",
        V | {"stage": "Live"},
        INVALID,
        "Invalid Model Version stage: Live. Value must be one of None, Staging, Production, Archived.",
    ),
    "a stage that does not exist, the service's form": (
        "POST",
        "databricks/model-versions/transition-stage",
        V | {"stage": "Live"},
        INVALID,
        "Invalid Model Version stage: Live.",
    ),
    "no stage": ("POST", "model-versions/transition-stage", V, INVALID, "'stage' must be a string"),
    "archiving in a stage that is not active": (
        "POST",
        "model-versions/transition-stage",
        V | {"stage": "Archived", "archive_existing_versions": True},
        INVALID,
        "because 'Archived' is not an Active stage. Valid stages are ['Staging', 'Production']",
    ),
    "archiving in None": (
        "POST",
        "databricks/model-versions/transition-stage",
        V | {"stage": "None", "archive_existing_versions": True},
        INVALID,
        "because 'None' is not an Active stage.",
    ),
    "archiving maybe": (
        "POST",
        "model-versions/transition-stage",
        V | {"stage": "Staging", "archive_existing_versions": "maybe"},
        INVALID,
        "true or false",
    ),
    "a transition of no version": (
        "POST",
        "model-versions/transition-stage",
        M | {"version": "9", "stage": "Staging"},
        MISSING,
        "Version 9",
    ),
    "latest versions of no stage": (
        "POST",
        "registered-models/get-latest-versions",
        M | {"stages": ["Live"]},
        INVALID,
        "Invalid Model Version stage: Live.",
    ),
    "a filter": ("GET", "registered-models/search", {"filter": "nam = 'a'"}, INVALID, "'nam' is no attribute"),
    "a filter of versions": ("GET", "model-versions/search", {"filter": "name = a"}, INVALID, "single quotes"),
    "an order": ("GET", "model-versions/search", {"order_by": "tags.x"}, INVALID, "cannot be ordered by tags.x"),
    "many results": ("GET", "registered-models/search", {"max_results": "1001"}, INVALID, "from 1 to 1000"),
    "huge results": ("GET", "model-versions/search", {"max_results": "9" * 400}, INVALID, "from 1 to 10000"),
    "no results": ("GET", "registered-models/list", {"max_results": "0"}, INVALID, "from 1 to 1000"),
    "results that are a word": ("GET", "registered-models/search", {"max_results": "all"}, INVALID, "an integer"),
    "a page token": ("GET", "model-versions/search", {"page_token": "x"}, INVALID, "is no page token of this search"),
}


@pytest.fixture
def two(registry):
    """Make the models ``m``, with a version, and ``n``."""
    registry.create("m")
    registry.create("n")
    registry.wire.handle.models.stub("m", "echo")
    return registry


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_refusals_say_what_was_asked_and_change_nothing(two, refused):
    method, path, fields, expected, said = refused
    before = two.everything()
    answer = two.get(path, **fields) if method == "GET" else two.send(method, path, **fields)
    assert (answer.status, answer.json["error_code"]) == expected
    assert said in answer.json["message"]
    assert len(answer.body) < 2_000
    assert two.everything() == before


@pytest.mark.parametrize("path", ["registered-models/create", "model-versions/create", "model-versions/set-tag"])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MALFORMED_REQUEST"),
        (b"{", "MALFORMED_REQUEST"),
        (b"\xff", "MALFORMED_REQUEST"),
        (b"[]", "INVALID_PARAMETER_VALUE"),
        (b'"name"', "INVALID_PARAMETER_VALUE"),
        (b"null", "INVALID_PARAMETER_VALUE"),
        (b'{"name": null}', "INVALID_PARAMETER_VALUE"),
        (b'{"name": ["m"]}', "INVALID_PARAMETER_VALUE"),
        (b'{"name": {"m": 1}}', "INVALID_PARAMETER_VALUE"),
    ],
)
def test_bodies_that_are_no_call(two, path, body, code):
    before = two.everything()
    answer = two.wire.call("POST", HEAD + path, body)
    assert (answer.status, answer.json["error_code"]) == (400, code)
    assert two.everything() == before


def test_a_slash_in_a_query_does_not_make_another_call(two):
    answer = two.wire.call("GET", HEAD + "registered-models/get?name=m%2F..%2Fn")
    assert (answer.status, answer.json["error_code"]) == MISSING
    assert two.wire.call("GET", HEAD + "registered-models/get?name=%6D").json["registered_model"]["name"] == "m"
    assert two.wire.call("GET", HEAD + "registered-models/get?name=%ff").status == 404


# --- what is not simulated ------------------------------------------------------------------------

LEFT_OUT = [
    ("POST", "comments/create"),
    ("PATCH", "comments/update"),
    ("DELETE", "comments/delete"),
    ("POST", "registry-webhooks/create"),
    ("GET", "registry-webhooks/list"),
    ("PATCH", "registry-webhooks/update"),
    ("DELETE", "registry-webhooks/delete"),
    ("POST", "registry-webhooks/test"),
    ("POST", "transition-requests/create"),
    ("GET", "transition-requests/list"),
    ("POST", "transition-requests/approve"),
    ("POST", "transition-requests/reject"),
    ("DELETE", "transition-requests/delete"),
    ("POST", "registered-models/alias"),
]


@pytest.mark.parametrize(("method", "path"), LEFT_OUT)
def test_what_is_left_out_is_said_to_be(two, method, path):
    answer = two.send(method, path, name="m", version="1")
    assert (answer.status, answer.json["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert f"servesim does not simulate {method} {HEAD}{path}" in answer.json["message"]
    two.wire.handle.workspace.not_simulated.clear()


def test_a_route_of_one_s_own_answers_what_is_left_out(two):
    request = {"id": "7", "user_id": "a@b"}
    two.wire.handle.routes.add("POST", HEAD + "transition-requests/create", {"request": request})
    assert two.post("transition-requests/create", name="m", version="1", stage="Staging").json == {"request": request}
