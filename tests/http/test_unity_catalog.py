"""Models in Unity Catalog over HTTP: one registry, seen by MLflow's calls and by the public API."""

import json
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest

from servesim.core.commands import SetModelAccess
from servesim.core.model_commands import FinishRegistration
from servesim.core.registry import Packed

MLFLOW = "/api/2.0/mlflow/unity-catalog/"
MODELS = "/api/2.1/unity-catalog/models"
WORKSPACE = "/api/2.0/mlflow/"
FRAUD = "main.ml.fraud"
NEW = "main.ml.new"


def model(name=FRAUD):
    return f"{MODELS}/{name}"


def version(number, name=FRAUD):
    return f"{MODELS}/{name}/versions/{number}"


def alias(word, name=FRAUD):
    return f"{MODELS}/{name}/aliases/{word}"


def got(wire, path, **query):
    answer = wire.call("GET", f"{path}?{urlencode(query)}" if query else path)
    assert answer.status == 200, answer.json
    return answer.json


def did(wire, method, path, **body):
    answer = wire.call(method, path, body)
    assert answer.status == 200, answer.json
    return answer.json


def refused(answer, status, code="INVALID_PARAMETER_VALUE", text=""):
    assert (answer.status, answer.json["error_code"]) == (status, code)
    assert text in answer.json["message"]


def everything(wire):
    """Return all that a refused call must leave alone."""
    names = [one["full_name"] for one in got(wire, MODELS).get("registered_models", [])]
    return [
        [got(wire, model(name), include_aliases="true"), got(wire, model(name) + "/versions"), by_mlflow(wire, name)]
        for name in names
    ]


def by_mlflow(wire, name=FRAUD):
    return got(wire, MLFLOW + "registered-models/get", name=name)["registered_model"]


def by_version(wire, number="1", name=FRAUD):
    return got(wire, MLFLOW + "model-versions/get", name=name, version=number)["model_version"]


# --- two faces of one registry --------------------------------------------------------------------


def test_what_one_face_makes_the_other_shows(wire):
    tags = [{"key": "team", "value": "risk"}]
    made = did(wire, "POST", MLFLOW + "registered-models/create", name=NEW, description="d", tags=tags)
    shown = got(wire, model(NEW), include_aliases="true")
    assert made["registered_model"] == {
        "name": NEW,
        "creation_timestamp": shown["created_at"],
        "last_updated_timestamp": shown["updated_at"],
        "user_id": shown["owner"],
        "description": "d",
        "tags": tags,
    }
    levels = {key: shown[key] for key in ("full_name", "catalog_name", "schema_name", "name", "comment", "tags")}
    assert levels == {
        "full_name": NEW,
        "catalog_name": "main",
        "schema_name": "ml",
        "name": "new",
        "comment": "d",
        "tags": tags,
    }
    did(wire, "POST", MODELS, catalog_name="main", schema_name="ml", name="other", comment="c")
    assert by_mlflow(wire, "main.ml.other")["description"] == "c"


def test_a_version_is_a_string_for_mlflow_and_an_integer_for_the_public_api(wire):
    did(wire, "POST", MLFLOW + "registered-models/create", name=NEW)
    sent = {"name": NEW, "source": "dbfs:/m", "run_id": "r1", "description": "first", "feature_deps": ""}
    made = did(wire, "POST", MLFLOW + "model-versions/create", **sent)["model_version"]
    assert (made["version"], made["status"], made["source"], made["run_id"]) == (
        "1",
        "PENDING_REGISTRATION",
        "dbfs:/m",
        "r1",
    )
    assert made == by_version(wire, "1", NEW)
    shown = got(wire, version(1, NEW))
    assert (shown["version"], shown["status"], shown["comment"]) == (1, "PENDING_REGISTRATION", "first")
    assert (shown["catalog_name"], shown["schema_name"], shown["model_name"]) == ("main", "ml", "new")
    assert shown["storage_location"] == made["storage_location"]
    where = got(wire, MLFLOW + "model-versions/get-download-uri", name=NEW, version="1")
    assert where == {"artifact_uri": made["storage_location"]}


def test_ids_are_of_the_model_and_not_of_its_name(wire):
    before = got(wire, model())
    did(wire, "PATCH", model(), new_name="scam")
    after = got(wire, model("main.ml.scam"))
    assert after["id"] == before["id"]
    assert after["metastore_id"] == before["metastore_id"]
    did(wire, "POST", MLFLOW + "registered-models/create", name=FRAUD)
    assert got(wire, model())["id"] != before["id"]


CHANGES = {
    "description": lambda wire: did(wire, "PATCH", MLFLOW + "registered-models/update", name=FRAUD, description="x"),
    "comment": lambda wire: did(wire, "PATCH", model(), comment="x"),
    "version's description": lambda wire: did(
        wire, "PATCH", MLFLOW + "model-versions/update", name=FRAUD, version="1", description="x"
    ),
    "version's comment": lambda wire: did(wire, "PATCH", version(1), comment="x"),
    "tag": lambda wire: did(wire, "POST", MLFLOW + "registered-models/set-tag", name=FRAUD, key="k", value="v"),
    "version's tag": lambda wire: did(
        wire, "POST", MLFLOW + "model-versions/set-tag", name=FRAUD, version="1", key="k", value="v"
    ),
    "alias": lambda wire: did(wire, "POST", MLFLOW + "registered-models/alias", name=FRAUD, alias="a", version="1"),
    "public alias": lambda wire: did(wire, "PUT", alias("a"), version_num=1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_by_every_reader_at_once(wire, change):
    before = everything(wire), by_version(wire), got(wire, version(1), include_aliases="true")
    CHANGES[change](wire)
    after = everything(wire), by_version(wire), got(wire, version(1), include_aliases="true")
    assert after != before
    assert by_version(wire) == after[1]
    texts = json.dumps([after[0][0][0], after[2]]), json.dumps([after[0][0][2], after[1]])
    expected = {"tag": '"k"', "version's tag": '"k"', "alias": '"a"', "public alias": '"a"'}.get(change, '"x"')
    assert all(expected in text for text in texts)


def test_tags_are_set_and_taken_away_again(wire):
    for path, more in (("registered-models/", {}), ("model-versions/", {"version": "1"})):
        before = everything(wire), by_version(wire)
        named = {"name": FRAUD, "key": "k", **more}
        did(wire, "POST", f"{MLFLOW}{path}set-tag", value="v", **named)
        did(wire, "DELETE", f"{MLFLOW}{path}delete-tag", **named)
        after = everything(wire), by_version(wire)
        assert '"k"' not in json.dumps(after)
        assert len(json.dumps(after)) == len(json.dumps(before))


def test_a_delete_may_name_its_object_in_the_query_or_in_a_body(wire):
    named = {"name": FRAUD, "version": "1"}
    assert wire.call("DELETE", f"{MLFLOW}model-versions/delete?{urlencode(named)}").json == {}
    did(wire, "DELETE", MLFLOW + "model-versions/delete", name=FRAUD, version="2")
    assert got(wire, model() + "/versions") == {}
    assert wire.call("DELETE", f"{MLFLOW}registered-models/delete?name={FRAUD}").json == {}
    refused(wire.call("GET", model()), 404, "RESOURCE_DOES_NOT_EXIST")


# --- aliases --------------------------------------------------------------------------------------


def test_an_alias_names_a_version_on_both_faces(wire):
    set_by_api = did(wire, "PUT", alias("champion"), version_num=2)
    assert {key: set_by_api[key] for key in set_by_api if key != "id"} == {
        "alias_name": "champion",
        "version_num": 2,
        "model_name": "fraud",
        "catalog_name": "main",
        "schema_name": "ml",
    }
    assert by_mlflow(wire)["aliases"] == [{"alias": "champion", "version": "2"}]
    assert by_version(wire, "2")["aliases"] == [{"alias": "champion", "version": "2"}]
    by_alias = got(wire, MLFLOW + "registered-models/alias", name=FRAUD, alias="champion")["model_version"]
    assert by_alias == by_version(wire, "2")
    assert got(wire, alias("champion"))["version"] == 2
    assert "aliases" not in by_version(wire, "1")
    did(wire, "DELETE", MLFLOW + "registered-models/alias", name=FRAUD, alias="champion")
    refused(wire.call("GET", alias("champion")), 404, "RESOURCE_DOES_NOT_EXIST", "champion")
    asked = urlencode({"name": FRAUD, "alias": "champion"})
    refused(wire.call("GET", f"{MLFLOW}registered-models/alias?{asked}"), 404, "RESOURCE_DOES_NOT_EXIST")


def test_aliases_are_shown_where_they_are_asked_for(wire):
    did(wire, "PUT", alias("champion"), version_num=2)
    for path in (model(), version(2), alias("champion")):
        assert "aliases" not in got(wire, path)
        assert "aliases" not in got(wire, path, include_aliases="false")
        (shown,) = got(wire, path, include_aliases="true", include_browse="true")["aliases"]
        assert (shown["alias_name"], shown["version_num"]) == ("champion", 2)
    assert "aliases" not in got(wire, version(1), include_aliases="true")
    listed = got(wire, MODELS)["registered_models"] + got(wire, model() + "/versions")["model_versions"]
    assert not any("aliases" in one or "tags" in one for one in listed)


def test_the_aliases_of_a_version_go_with_it(wire):
    for word, number in (("old", 1), ("champion", 2), ("best", 2)):
        did(wire, "PUT", alias(word), version_num=number)
    did(wire, "DELETE", version(2))
    assert by_mlflow(wire)["aliases"] == [{"alias": "old", "version": "1"}]
    refused(wire.call("GET", alias("champion")), 404, "RESOURCE_DOES_NOT_EXIST")


def test_moving_an_alias_changes_no_endpoint(wire):
    did(wire, "PUT", alias("champion"), version_num=1)
    before = wire.ready().body, wire.score().body
    did(wire, "PUT", alias("champion"), version_num=2)
    did(wire, "POST", MLFLOW + "registered-models/alias", name=FRAUD, alias="champion", version="2")
    assert got(wire, alias("champion"))["version"] == 2
    assert (wire.call("GET", "/api/2.0/serving-endpoints/fraud").body, wire.score().body) == before


BAD_ALIASES = ["", "a b", "v1", "latest", "1", "a/b", "x" * 256]


@pytest.mark.parametrize("word", BAD_ALIASES)
def test_what_is_no_alias_is_refused(wire, word):
    before = everything(wire)
    refused(wire.call("POST", MLFLOW + "registered-models/alias", {"name": FRAUD, "alias": word, "version": "1"}), 400)
    if word:
        refused(wire.call("PUT", alias(quote(word, safe="")), {"version_num": 1}), 400)
    assert everything(wire) == before


def test_an_alias_of_a_version_that_does_not_exist_is_refused(wire):
    before = everything(wire)
    refused(wire.call("PUT", alias("champion"), {"version_num": 9}), 404, "RESOURCE_DOES_NOT_EXIST")
    for number in (0.5, "one", -1, None, True, [1]):
        refused(wire.call("PUT", alias("champion"), {"version_num": number}), 400)
    assert everything(wire) == before


# --- there are no stages --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["model-versions/transition-stage", "databricks/model-versions/transition-stage"],
)
def test_no_stage_is_given_to_a_version_in_unity_catalog(wire, path):
    body = {"name": FRAUD, "version": "1", "stage": "Production", "archive_existing_versions": False}
    refused(wire.call("POST", WORKSPACE + path, body), 400, text="Unity Catalog")


def test_a_model_in_unity_catalog_has_no_latest_versions_by_stage(wire):
    refused(
        wire.call("POST", WORKSPACE + "registered-models/get-latest-versions", {"name": FRAUD}),
        400,
        text="databricks-uc",
    )


def test_there_is_no_stage_to_be_seen(wire):
    assert "current_stage" not in by_version(wire)
    assert not any("stage" in key for key in got(wire, version(1)))


# --- names ----------------------------------------------------------------------------------------

BAD_NAMES = {
    "one level": ("fraud", "specify all three levels"),
    "two levels": ("ml.fraud", "specify all three levels"),
    "four levels": ("a.b.c.d", "specify all three levels"),
    "an empty level": ("main..fraud", "specify all three levels"),
    "dots alone": ("..", "specify all three levels"),
    "a slash": ("main.ml/x.fraud", "/"),
    "empty": ("", "cannot be empty"),
    "spaces alone": ("  ", "cannot be empty"),
}

NAMED = {
    "create": ("POST", MLFLOW + "registered-models/create", {}),
    "get": ("GET", MLFLOW + "registered-models/get", {}),
    "update": ("PATCH", MLFLOW + "registered-models/update", {"description": "x"}),
    "delete": ("DELETE", MLFLOW + "registered-models/delete", {}),
    "set-tag": ("POST", MLFLOW + "registered-models/set-tag", {"key": "k", "value": "v"}),
    "delete-tag": ("DELETE", MLFLOW + "registered-models/delete-tag", {"key": "k"}),
    "set alias": ("POST", MLFLOW + "registered-models/alias", {"alias": "a", "version": "1"}),
    "get alias": ("GET", MLFLOW + "registered-models/alias", {"alias": "a"}),
    "delete alias": ("DELETE", MLFLOW + "registered-models/alias", {"alias": "a"}),
    "create version": ("POST", MLFLOW + "model-versions/create", {"source": "s"}),
    "finalize": ("POST", MLFLOW + "model-versions/finalize", {"version": "1"}),
    "get version": ("GET", MLFLOW + "model-versions/get", {"version": "1"}),
    "update version": ("PATCH", MLFLOW + "model-versions/update", {"version": "1", "description": "x"}),
    "delete version": ("DELETE", MLFLOW + "model-versions/delete", {"version": "1"}),
    "set version's tag": ("POST", MLFLOW + "model-versions/set-tag", {"version": "1", "key": "k", "value": "v"}),
    "delete version's tag": ("DELETE", MLFLOW + "model-versions/delete-tag", {"version": "1", "key": "k"}),
    "download uri": ("GET", MLFLOW + "model-versions/get-download-uri", {"version": "1"}),
    "credentials": (
        "POST",
        MLFLOW + "model-versions/generate-temporary-credentials",
        {"version": "1", "operation": "MODEL_VERSION_OPERATION_READ"},
    ),
    "lineage": ("POST", MLFLOW + "model-versions/emit-lineage", {"version": "1"}),
}


def ask(wire, call, name):
    method, path, more = NAMED[call]
    if method == "GET":
        return wire.call("GET", f"{path}?{urlencode({'name': name, **more})}")
    return wire.call(method, path, {"name": name, **more})


@pytest.mark.parametrize("call", NAMED)
def test_names_that_are_none(wire, call):
    before = everything(wire)
    for name, text in BAD_NAMES.values():
        refused(ask(wire, call, name), 400, text=text)
    assert everything(wire) == before


@pytest.mark.parametrize("call", [call for call in NAMED if call != "create"])
def test_a_model_that_does_not_exist(wire, call):
    before = everything(wire)
    refused(ask(wire, call, "main.ml.frau"), 404, "RESOURCE_DOES_NOT_EXIST", "main.ml.frau")
    assert everything(wire) == before


@pytest.mark.parametrize("call", [call for call, (_, _, more) in NAMED.items() if "version" in more])
def test_a_version_that_does_not_exist(wire, call, monkeypatch):
    before = everything(wire)
    method, path, more = NAMED[call]
    for number, status in (("9", 404), ("one", 400), ("-1", 400), ("", 400), ("1" * 30, 400), ("¹", 400)):
        monkeypatch.setitem(NAMED, call, (method, path, {**more, "version": number}))
        code = "RESOURCE_DOES_NOT_EXIST" if status == 404 else "INVALID_PARAMETER_VALUE"
        refused(ask(wire, call, FRAUD), status, code)
    assert everything(wire) == before


PATHS = [
    ("GET", "", None),
    ("PATCH", "", {"comment": "x"}),
    ("DELETE", "", None),
    ("GET", "/versions", None),
    ("GET", "/versions/1", None),
    ("PATCH", "/versions/1", {"comment": "x"}),
    ("DELETE", "/versions/1", None),
    ("PATCH", "/versions/1/finalize", {}),
    ("GET", "/aliases/a", None),
    ("PUT", "/aliases/a", {"version_num": 1}),
    ("DELETE", "/aliases/a", None),
]


@pytest.mark.parametrize(("method", "rest", "body"), PATHS, ids=[f"{method} {rest}" for method, rest, _ in PATHS])
def test_names_that_are_none_in_a_path(wire, method, rest, body):
    before = everything(wire)
    for name, text in BAD_NAMES.values():
        if name.strip(".") and name.strip():
            refused(wire.call(method, MODELS + "/" + quote(name, safe="") + rest, body), 400, text=text)
    gone = wire.call(method, MODELS + "/main.ml.frau" + rest, body)
    refused(gone, 404, "RESOURCE_DOES_NOT_EXIST", "main.ml.frau")
    assert everything(wire) == before


def test_an_encoded_name_is_the_name(wire):
    assert got(wire, MODELS + "/main%2Eml%2Efraud") == got(wire, model())
    did(wire, "POST", MODELS, catalog_name="main", schema_name="ml", name="größe")
    assert got(wire, MODELS + "/" + quote("main.ml.größe"))["name"] == "größe"
    assert by_mlflow(wire, "main.ml.größe")["name"] == "main.ml.größe"


def test_the_case_of_a_name_matters(wire):
    refused(wire.call("GET", model("Main.ml.Fraud")), 404, "RESOURCE_DOES_NOT_EXIST", FRAUD)


def test_a_new_name_has_no_space_and_no_dot_in_a_level(wire):
    before = everything(wire)
    refused(wire.call("POST", MLFLOW + "registered-models/create", {"name": "main.ml.a b"}), 400, text="spaces")
    for levels in (("main", "ml", "a.b"), ("ma.in", "ml", "a"), ("main", "m l", "a"), ("main", "ml", "a/b")):
        body = dict(zip(("catalog_name", "schema_name", "name"), levels, strict=True))
        refused(wire.call("POST", MODELS, body), 400)
    for body in ({"name": "a"}, {"catalog_name": "main", "schema_name": "", "name": "a"}, {}, {"full_name": FRAUD}):
        refused(wire.call("POST", MODELS, body), 400)
    assert everything(wire) == before


def test_a_name_that_is_taken(wire):
    before = everything(wire)
    for answer in (
        wire.call("POST", MLFLOW + "registered-models/create", {"name": FRAUD}),
        wire.call("POST", MODELS, {"catalog_name": "main", "schema_name": "ml", "name": "fraud"}),
    ):
        refused(answer, 400, "RESOURCE_ALREADY_EXISTS", FRAUD)
    assert everything(wire) == before


def test_renaming(wire):
    did(wire, "PUT", alias("champion"), version_num=2)
    did(wire, "POST", MODELS, catalog_name="main", schema_name="ml", name="taken")
    before = everything(wire)
    for new in ("a.b", "", "a.b.c.d", "a/b", "main.ml.a b", "taken", "main.ml.taken"):
        assert wire.call("PATCH", model(), {"new_name": new}).status == 400
    for new in ("fresh", "a.b", "main.ml.taken"):
        assert wire.call("PATCH", MLFLOW + "registered-models/update", {"name": FRAUD, "new_name": new}).status == 400
    assert everything(wire) == before
    assert did(wire, "PATCH", model(), new_name="fresh")["full_name"] == "main.ml.fresh"
    moved = did(wire, "PATCH", MLFLOW + "registered-models/update", name="main.ml.fresh", new_name="other.ml.fresh")
    assert moved["registered_model"]["name"] == "other.ml.fresh"
    assert did(wire, "PATCH", model("other.ml.fresh"), new_name="again")["full_name"] == "other.ml.again"
    did(wire, "PATCH", model("other.ml.again"), new_name="other.ml.fresh")
    assert got(wire, alias("champion", "other.ml.fresh"))["version"] == 2
    assert by_version(wire, "2", "other.ml.fresh")["name"] == "other.ml.fresh"
    assert wire.call("GET", model()).status == 404


# --- lists ----------------------------------------------------------------------------------------


def test_models_come_in_pages(wire):
    names = [f"main.ml.m{number}" for number in range(5)]
    for name in reversed(names):
        did(wire, "POST", MLFLOW + "registered-models/create", name=name)
    for path, key in ((MODELS, "full_name"), (MLFLOW + "registered-models/search", "name")):
        pages, token = [], {}
        while token is not None:
            page = got(wire, path, max_results=2, **token)
            pages.append([one[key] for one in page["registered_models"]])
            token = {"page_token": page["next_page_token"]} if "next_page_token" in page else None
        assert pages == [[FRAUD, *names[:1]], names[1:3], names[3:]]


def test_what_goes_between_two_pages_shifts_nothing(wire):
    for number in range(4):
        did(wire, "POST", MLFLOW + "registered-models/create", name=f"main.ml.m{number}")
    page = got(wire, MODELS, max_results=3)
    did(wire, "DELETE", model("main.ml.m0"))
    did(wire, "DELETE", model("main.ml.m1"))
    rest = got(wire, MODELS, max_results=3, page_token=page["next_page_token"])
    assert [one["name"] for one in rest["registered_models"]] == ["m2", "m3"]


def test_versions_come_in_pages_the_newest_first(wire):
    for _ in range(9):
        did(wire, "POST", MLFLOW + "model-versions/create", name=FRAUD, source="s")
    first = got(wire, model() + "/versions", max_results=8)
    second = got(wire, model() + "/versions", page_token=first["next_page_token"])
    assert [one["version"] for one in first["model_versions"] + second["model_versions"]] == list(range(11, 0, -1))
    found = got(wire, MLFLOW + "model-versions/search", filter=f"name='{FRAUD}'")["model_versions"]
    assert [one["version"] for one in found] == [str(number) for number in range(11, 0, -1)]
    assert not any("aliases" in one or "tags" in one for one in found)


def test_a_schema_can_be_listed_alone(wire):
    for name in ("main.mlx.a", "main.m.b", "other.ml.c"):
        did(wire, "POST", MLFLOW + "registered-models/create", name=name)
    listed = got(wire, MODELS, catalog_name="main", schema_name="ml")["registered_models"]
    assert [one["full_name"] for one in listed] == [FRAUD]
    assert got(wire, MODELS, catalog_name="none", schema_name="ml") == {}
    assert got(wire, MODELS, max_results=0) == got(wire, MODELS)
    for half in ("catalog_name", "schema_name"):
        refused(wire.call("GET", f"{MODELS}?{half}=main"), 400, text="both")


def test_models_of_the_workspace_registry_are_not_in_unity_catalog(wire):
    wire.handle.models.stub("plain", "echo")
    wire.handle.models.stub("a/b.c.d", "echo")
    assert [one["full_name"] for one in got(wire, MODELS)["registered_models"]] == [FRAUD]
    found = got(wire, MLFLOW + "registered-models/search")["registered_models"]
    assert [one["name"] for one in found] == [FRAUD]


def test_page_tokens_are_good_for_their_list_alone(wire):
    for number in range(3):
        did(wire, "POST", MLFLOW + "registered-models/create", name=f"main.ml.m{number}")
    token = got(wire, MODELS, max_results=1)["next_page_token"]
    of_schema = urlencode({"page_token": token, "catalog_name": "main", "schema_name": "ml"})
    refused(wire.call("GET", f"{MODELS}?{of_schema}"), 400, text="page token")
    for path in (model() + "/versions", MLFLOW + "registered-models/search?a=b"):
        sign = "&" if "?" in path else "?"
        for bad in ("nonsense", "x" * 8_000, "ÿ", "W10"):
            refused(wire.call("GET", f"{path}{sign}{urlencode({'page_token': bad})}"), 400, text="page token")
    refused(wire.user("ann@example.com", groups=["admins"]).call("GET", f"{MODELS}?page_token={token}"), 400)


@pytest.mark.parametrize("number", ["-1", "one", "1.5", "99999999999"])
def test_numbers_of_results_that_are_none(wire, number):
    filtered = urlencode({"filter": f"name='{FRAUD}'"})
    for path in (
        MODELS + "?",
        model() + "/versions?",
        MLFLOW + "registered-models/search?",
        f"{MLFLOW}model-versions/search?{filtered}&",
    ):
        refused(wire.call("GET", f"{path}max_results={number}"), 400, text="max_results")


def test_a_huge_number_of_results_is_as_many_as_there_may_be(wire):
    assert len(got(wire, MODELS, max_results=999_999_999)["registered_models"]) == 1


FILTERS = [
    "",
    "run_id = 'x'",
    "name LIKE 'a'",
    f"name='{FRAUD}' AND run_id='x'",
    f"name={FRAUD}",
    "name='",
    "'" * 2_500,
]


@pytest.mark.parametrize("text", FILTERS, ids=range(len(FILTERS)))
def test_versions_are_searched_by_one_name_alone(wire, text):
    refused(wire.call("GET", f"{MLFLOW}model-versions/search?{urlencode({'filter': text})}"), 400, text="name = ")


def test_versions_of_a_missing_model_are_none(wire):
    assert got(wire, MLFLOW + "model-versions/search", filter="name = 'main.ml.none'") == {}
    searched = urlencode({"filter": "name = 'fraud'"})
    refused(wire.call("GET", f"{MLFLOW}model-versions/search?{searched}"), 400, text="specify all three levels")
    assert len(got(wire, MLFLOW + "model-versions/search", filter=f' name = "{FRAUD}" ')["model_versions"]) == 2


# --- who may do what ------------------------------------------------------------------------------


@pytest.fixture
def owned(wire):
    """Give an owner, with a model of theirs that has two versions, and somebody else."""
    owner, other = wire.user("owner@example.com"), wire.user("other@example.com")
    did(owner, "POST", MODELS, catalog_name="main", schema_name="ml", name="mine")
    did(owner, "POST", MLFLOW + "model-versions/create", name="main.ml.mine", source="s")
    did(owner, "PUT", alias("a", "main.ml.mine"), version_num=1)
    return owner, other


CHANGING = [
    call
    for call, (method, _, _) in NAMED.items()
    if method != "GET" and call not in {"create", "credentials", "lineage"}
]


@pytest.mark.parametrize("call", CHANGING)
def test_a_model_is_changed_by_its_owner_and_admins_alone(wire, owned, call):
    owner, other = owned
    before = everything(owner)
    refused(ask(other, call, "main.ml.mine"), 403, "PERMISSION_DENIED", "main.ml.mine")
    assert everything(owner) == before
    assert ask(wire, call, "main.ml.mine").status == 200


def test_everybody_who_may_execute_a_model_may_read_it(owned):
    owner, other = owned
    for path in (model("main.ml.mine"), version(1, "main.ml.mine"), alias("a", "main.ml.mine")):
        assert got(other, path) == got(owner, path)
    operation = {"name": "main.ml.mine", "version": "1", "operation": "MODEL_VERSION_OPERATION_READ_WRITE"}
    asked = MLFLOW + "model-versions/generate-temporary-credentials"
    refused(other.call("POST", asked, operation), 403, "PERMISSION_DENIED")
    assert did(owner, "POST", asked, **operation)["credentials"]["storage_mode"] == "DEFAULT_STORAGE"


def test_a_model_that_somebody_may_not_execute_is_not_shown_to_them(wire, owned, servesim_server):
    _, other = owned

    async def restrict():
        wire.handle.workspace.clock.execute(SetModelAccess("main.ml.mine", ("owner@example.com",)))

    servesim_server.run(restrict())
    names = [one["full_name"] for one in got(other, MODELS)["registered_models"]]
    assert names == [FRAUD]
    assert len(got(other, MLFLOW + "registered-models/search")["registered_models"]) == 1
    assert got(other, MLFLOW + "model-versions/search", filter="name = 'main.ml.mine'") == {}
    for call in ("get", "get alias", "get version", "download uri", "credentials", "lineage"):
        refused(ask(other, call, "main.ml.mine"), 403, "PERMISSION_DENIED")
    for path in (model("main.ml.mine"), version(1, "main.ml.mine"), alias("a", "main.ml.mine")):
        refused(other.call("GET", path), 403, "PERMISSION_DENIED")


def test_a_model_gets_another_owner(owned):
    owner, other = owned
    assert did(owner, "PATCH", model("main.ml.mine"), owner="other@example.com")["owner"] == "other@example.com"
    refused(owner.call("PATCH", model("main.ml.mine"), {"comment": "x"}), 403, "PERMISSION_DENIED")
    did(other, "PATCH", model("main.ml.mine"), comment="x")
    refused(other.call("PATCH", model("main.ml.mine"), {"owner": "nobody@example.com"}), 400)


# --- registering ----------------------------------------------------------------------------------


def test_credentials_say_that_files_lie_with_the_service(wire):
    did(wire, "POST", MLFLOW + "model-versions/create", name=FRAUD, source="s")
    asked = MLFLOW + "model-versions/generate-temporary-credentials"
    read, write = "MODEL_VERSION_OPERATION_READ", "MODEL_VERSION_OPERATION_READ_WRITE"
    given = did(wire, "POST", asked, name=FRAUD, version="3", operation=write)["credentials"]
    assert given["storage_mode"] == "DEFAULT_STORAGE"
    assert given["expiration_time"] > by_version(wire)["creation_timestamp"]
    assert did(wire, "POST", asked, name=FRAUD, version="1", operation=read)["credentials"].keys() == given.keys()
    refused(wire.call("POST", asked, {"name": FRAUD, "version": "3", "operation": read}), 400, text="PENDING")
    refused(wire.call("POST", asked, {"name": FRAUD, "version": "1", "operation": write}), 400, text="registered")
    for operation in ({}, {"operation": "READ"}, {"operation": 1}):
        refused(wire.call("POST", asked, {"name": FRAUD, "version": "1", **operation}), 400, text="operation")
    native = "/api/2.1/unity-catalog/temporary-model-version-credentials"
    levels = {"catalog_name": "main", "schema_name": "ml", "model_name": "fraud", "version": 1}
    assert did(wire, "POST", native, **levels, operation="READ_MODEL_VERSION").keys() == given.keys()
    refused(wire.call("POST", native, {**levels, "operation": "READ_WRITE_MODEL_VERSION"}), 400, text="registered")
    refused(wire.call("POST", native, {**levels, "operation": read}), 400, text="operation")


def test_files_go_through_the_files_api(wire):
    path = MLFLOW + "registered-models:is-databricks-sdk-models-artifact-repository-enabled"
    assert got(wire, path) == {"is_databricks_sdk_models_artifact_repository_enabled": True}


def test_lineage_is_taken_and_changes_nothing(wire):
    before = everything(wire)
    body = {"model_version_lineage_info": {"entities": [], "direction": "DOWNSTREAM"}}
    assert did(wire, "POST", MLFLOW + "model-versions/emit-lineage", name=FRAUD, version="1", **body) == {}
    assert everything(wire) == before


def test_a_number_is_given_once(wire):
    made = [
        did(wire, "POST", MLFLOW + "model-versions/create", name=FRAUD, source="s")["model_version"]["version"]
        for _ in range(2)
    ]
    did(wire, "DELETE", version(4))
    made.append(did(wire, "POST", MLFLOW + "model-versions/create", name=FRAUD, source="s")["model_version"]["version"])
    assert made == ["3", "4", "5"]


# --- MLflow's native store ------------------------------------------------------------------------

SECURABLE = "/api/2.1/unity-catalog/securable-tags/FUNCTION/"
SUBENTITY = "/api/2.1/unity-catalog/subentity-tags/FUNCTION/"


def test_tags_by_the_native_calls(wire):
    tag = {"key": "k", "value": "v"}
    for path, read in ((SECURABLE + FRAUD, model()), (f"{SUBENTITY}{FRAUD}/1", version(1))):
        did(wire, "PATCH", path, changes={"add_tags": [tag]})
        assert got(wire, read)["tags"] == [tag]
        before = everything(wire)
        for changes in ({}, {"add_tags": [tag, tag]}, {"add_tags": [tag], "remove": ["k"]}, {"remove": [1]}, [1], "x"):
            refused(wire.call("PATCH", path, {"changes": changes}), 400)
        assert everything(wire) == before
        did(wire, "PATCH", path, changes={"remove": ["k"]})
        assert "tags" not in got(wire, read)
    refused(wire.call("PATCH", SECURABLE.replace("FUNCTION", "TABLE") + FRAUD, {"changes": {"remove": ["k"]}}), 400)


def test_a_version_by_the_native_call(wire):
    levels = {"catalog_name": "main", "schema_name": "ml", "model_name": "fraud"}
    sent = {"source": "s", "comment": "c", "run_id": "r", "tags": [{"key": "k", "value": "v"}]}
    made = did(wire, "POST", MODELS + "/versions", **levels, **sent)
    assert {key: made[key] for key in sent} == sent
    assert (made["version"], made["status"]) == (3, "PENDING_REGISTRATION")
    assert by_version(wire, "3")["source"] == "s"
    refused(wire.call("POST", MODELS + "/versions", {**levels, "model_name": "no"}), 404, "RESOURCE_DOES_NOT_EXIST")
    refused(wire.call("POST", MODELS + "/versions", {"source": "s"}), 400)


# --- what is not JSON, or not the right kind of it ------------------------------------------------

WRONG = {
    "name a number": ("POST", "registered-models/create", {"name": 1}),
    "tags an object": ("POST", "registered-models/create", {"name": NEW, "tags": {"a": "b"}}),
    "tags of numbers": ("POST", "registered-models/create", {"name": NEW, "tags": [{"key": "a", "value": 1}]}),
    "a tag without a key": ("POST", "registered-models/create", {"name": NEW, "tags": [{"value": "b"}]}),
    "description a list": ("PATCH", "registered-models/update", {"name": FRAUD, "description": []}),
    "version a list": ("PATCH", "model-versions/update", {"name": FRAUD, "version": [1], "description": "x"}),
    "an endless description": ("PATCH", "registered-models/update", {"name": FRAUD, "description": "x" * 20_000}),
    "an endless key": ("POST", "registered-models/set-tag", {"name": FRAUD, "key": "k" * 300, "value": "v"}),
    "an empty key": ("POST", "registered-models/set-tag", {"name": FRAUD, "key": "", "value": "v"}),
    "an endless name": ("POST", "registered-models/create", {"name": "main.ml." + "x" * 300}),
    "a control character": ("POST", "registered-models/create", {"name": "main.ml.a\nb"}),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_fields_are_named_and_change_nothing(wire, case):
    before = everything(wire)
    method, path, body = WRONG[case]
    refused(wire.call(method, MLFLOW + path, body), 400)
    assert everything(wire) == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b'{"name": NaN}'])
def test_bodies_that_are_no_object(wire, body):
    before = everything(wire)
    for method, path in (
        ("POST", MLFLOW + "registered-models/create"),
        ("POST", MLFLOW + "model-versions/finalize"),
        ("POST", MODELS),
        ("PATCH", model()),
        ("PUT", alias("a")),
    ):
        assert wire.call(method, path, body).status == 400
    assert everything(wire) == before


def test_what_the_public_api_does_not_have_is_not_simulated(wire):
    for method, path in (("PUT", model()), ("POST", version(1)), ("GET", "/api/2.1/unity-catalog/catalogs")):
        assert wire.call(method, path, {}).status == 501


MLMODEL = b"""
flavors:
  python_function:
    loader_module: own
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "double", "name": "a", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
"""
FINALIZE = MLFLOW + "model-versions/finalize"


def uploaded(wire, name=FRAUD, **files):
    """Begin a version, and upload files whose names are written with two underscores for a dot."""
    made = did(wire, "POST", MLFLOW + "model-versions/create", name=name, source="s")["model_version"]["version"]
    for file, content in files.items():
        path = f"{name.replace('.', '/')}/{made}/{file.replace('__', '.')}"
        headers = {"Content-Type": "application/octet-stream"}
        assert wire.call("PUT", f"/api/2.0/fs/files/Models/{path}?overwrite=true", content, headers).status in {
            200,
            204,
        }
    return made


def test_a_version_is_ready_once_its_files_were_read(wire):
    number = uploaded(wire, MLmodel=MLMODEL, requirements__txt=b"mlflow\n")
    served = [{"entity_name": FRAUD, "entity_version": number}]
    assert wire.create("early", served).status == 400
    made = did(wire, "POST", FINALIZE, name=FRAUD, version=number)["model_version"]
    assert made == by_version(wire, number)
    assert (made["status"], "status_message" in made) == ("READY", False)
    assert did(wire, "POST", FINALIZE, name=FRAUD, version=number)["model_version"] == made
    assert did(wire, "PATCH", version(number) + "/finalize")["status"] == "READY"
    assert wire.create("late", served).status == 200


@pytest.mark.parametrize(
    "files", [{}, {"MLmodel": b"flavors: ["}, {"requirements__txt": b"mlflow"}], ids=["none", "broken", "no MLmodel"]
)
def test_files_that_are_no_model_let_the_registration_fail(wire, files):
    number = uploaded(wire, **files)
    made = did(wire, "POST", FINALIZE, name=FRAUD, version=number)["model_version"]
    assert made["status"] == "FAILED_REGISTRATION"
    assert made["status_message"]
    assert got(wire, version(number))["status"] == "FAILED_REGISTRATION"
    assert wire.create("fraud", [{"entity_name": FRAUD, "entity_version": number}]).status == 400
    read = {"name": FRAUD, "version": number, "operation": "MODEL_VERSION_OPERATION_READ"}
    refused(wire.call("POST", MLFLOW + "model-versions/generate-temporary-credentials", read), 400, text="FAILED")


READS = {
    "MLflow": lambda wire: by_version(wire, "3"),
    "MLflow by alias": lambda wire: got(wire, MLFLOW + "registered-models/alias", name=FRAUD, alias="a")[
        "model_version"
    ],
    "public": lambda wire: got(wire, version(3)),
    "public by alias": lambda wire: got(wire, alias("a")),
}


@pytest.mark.parametrize("read", READS)
def test_reading_a_version_that_is_being_staged_lets_time_pass(wire, servesim_server, read):
    did(wire, "POST", MLFLOW + "model-versions/create", name=FRAUD, source="s")
    did(wire, "PUT", alias("a"), version_num=3)
    workspace = wire.handle.workspace
    packed = Packed("client.4.9", "3.17.2", 10**8)

    async def finish():
        model = replace(workspace.world.registry.get(FRAUD, "1"), version="3", packed=packed)
        workspace.clock.execute(FinishRegistration(FRAUD, "3", model))

    servesim_server.run(finish())
    statuses = [one["status"] for one in got(wire, model() + "/versions")["model_versions"]]
    assert statuses == ["PENDING_REGISTRATION", "READY", "READY"]
    assert READS[read](wire)["status"] == "READY"


def test_the_logged_model_of_a_version_is_kept(wire):
    did(wire, "POST", MLFLOW + "model-versions/create", name=FRAUD, source="s", model_id="m-1")
    assert (by_version(wire, "3")["model_id"], got(wire, version(3))["model_id"]) == ("m-1", "m-1")
    refused(wire.call("POST", MLFLOW + "model-versions/create", {"name": FRAUD, "model_id": "m" * 20_000}), 400)
