"""Who may do what with a registered model over HTTP: five levels and every call."""

from urllib.parse import urlencode

import pytest

HEAD = "/api/2.0/mlflow/"
LEVELS = [
    None,
    "CAN_READ",
    "CAN_EDIT",
    "CAN_MANAGE_STAGING_VERSIONS",
    "CAN_MANAGE_PRODUCTION_VERSIONS",
    "CAN_MANAGE",
]
M, ONE, TWO = {"name": "m"}, {"name": "m", "version": "1"}, {"name": "m", "version": "2"}
MOVE, OWN_MOVE = "model-versions/transition-stage", "databricks/model-versions/transition-stage"

NEEDS = {
    "get": ("CAN_READ", "GET", "registered-models/get", M),
    "the service's get": ("CAN_READ", "GET", "databricks/registered-models/get", M),
    "latest versions": ("CAN_READ", "POST", "registered-models/get-latest-versions", M),
    "latest versions by GET": ("CAN_READ", "GET", "registered-models/get-latest-versions", M),
    "get a version": ("CAN_READ", "GET", "model-versions/get", ONE),
    "download uri": ("CAN_READ", "GET", "model-versions/get-download-uri", ONE),
    "permissions": ("CAN_READ", "GET", "permissions", {}),
    "permission levels": ("CAN_READ", "GET", "permissions/permissionLevels", {}),
    "update": ("CAN_EDIT", "PATCH", "registered-models/update", M | {"description": "x"}),
    "tag": ("CAN_EDIT", "POST", "registered-models/set-tag", M | {"key": "k", "value": "v"}),
    "untag": ("CAN_EDIT", "DELETE", "registered-models/delete-tag", M | {"key": "k"}),
    "register": ("CAN_EDIT", "POST", "model-versions/create", M | {"source": "dbfs:/x"}),
    "update a version": ("CAN_EDIT", "PATCH", "model-versions/update", ONE | {"description": "x"}),
    "tag a version": ("CAN_EDIT", "POST", "model-versions/set-tag", ONE | {"key": "k", "value": "v"}),
    "untag a version": ("CAN_EDIT", "DELETE", "model-versions/delete-tag", ONE | {"key": "k"}),
    "None to Staging": ("CAN_MANAGE_STAGING_VERSIONS", "POST", MOVE, ONE | {"stage": "Staging"}),
    "None to Archived": ("CAN_MANAGE_STAGING_VERSIONS", "POST", MOVE, ONE | {"stage": "Archived"}),
    "the service's None to Staging": ("CAN_MANAGE_STAGING_VERSIONS", "POST", OWN_MOVE, ONE | {"stage": "Staging"}),
    "None to Production": ("CAN_MANAGE_PRODUCTION_VERSIONS", "POST", MOVE, ONE | {"stage": "Production"}),
    "Production to Staging": ("CAN_MANAGE_PRODUCTION_VERSIONS", "POST", MOVE, TWO | {"stage": "Staging"}),
    "the service's Production to None": ("CAN_MANAGE_PRODUCTION_VERSIONS", "POST", OWN_MOVE, TWO | {"stage": "None"}),
    "rename": ("CAN_MANAGE", "POST", "registered-models/rename", M | {"new_name": "n"}),
    "delete a version": ("CAN_MANAGE", "DELETE", "model-versions/delete", ONE),
    "delete": ("CAN_MANAGE", "DELETE", "registered-models/delete", M),
    "grant": ("CAN_MANAGE", "PATCH", "permissions", {"access_control_list": []}),
    "replace grants": ("CAN_MANAGE", "PUT", "permissions", {"access_control_list": []}),
}


def send(caller, method, path, **fields):
    """Call the registry, or the permissions of the model ``m``."""
    if path.startswith("permissions"):
        path = f"/api/2.0/permissions/registered-models/{caller.id}{path.removeprefix('permissions')}"
    else:
        path = HEAD + path
    if method == "GET":
        return caller.call("GET", f"{path}?{urlencode(fields)}")
    return caller.call(method, path, fields)


@pytest.fixture
def owner(wire):
    """Make the model ``m``: version 1 in no stage, version 2 in Production."""
    assert send(wire, "POST", "registered-models/create", name="m").status == 200
    for value in (1, 2):
        wire.handle.models.stub("m", "constant", value=value)
    assert send(wire, "POST", MOVE, name="m", version="2", stage="Production").status == 200
    found = send(wire, "GET", "databricks/registered-models/get", name="m").json
    wire.id = found["registered_model_databricks"]["id"]
    return wire


@pytest.fixture
def alice(owner):
    """Give a second user, who has no right on the model."""
    alice = owner.user("alice@example.com")
    alice.id = owner.id
    return alice


def grant(owner, *entries, method="PUT"):
    answer = send(owner, method, "permissions", access_control_list=[dict(entry) for entry in entries])
    assert answer.status == 200, answer.body
    return answer.json


def seen(owner):
    calls = (("registered-models/search", {}), ("model-versions/search", {}), ("permissions", {}))
    return [send(owner, "GET", path, **fields).body for path, fields in calls]


@pytest.mark.parametrize("given", LEVELS)
@pytest.mark.parametrize("need", NEEDS.values(), ids=NEEDS)
def test_each_call_needs_its_level(owner, alice, given, need):
    needed, method, path, fields = need
    if given:
        grant(owner, {"user_name": "alice@example.com", "permission_level": given})
    if path == "registered-models/delete":
        assert send(owner, "POST", MOVE, **TWO, stage="Archived").status == 200
    before = seen(owner)
    answer = send(alice, method, path, **fields)
    if LEVELS.index(given) >= LEVELS.index(needed):
        assert answer.status == 200, answer.body
    else:
        assert (answer.status, answer.json["error_code"]) == (403, "PERMISSION_DENIED")
        assert f"You need {needed} on registered model 'm'" in answer.json["message"]
        assert seen(owner) == before


def test_archiving_needs_no_more_than_the_transition(owner, alice):
    grant(owner, {"user_name": "alice@example.com", "permission_level": "CAN_MANAGE_PRODUCTION_VERSIONS"})
    answer = send(alice, "POST", MOVE, name="m", version="1", stage="Production", archive_existing_versions=True)
    assert answer.json["model_version"]["current_stage"] == "Production"
    other = send(alice, "GET", "model-versions/get", name="m", version="2").json
    assert other["model_version"]["current_stage"] == "Archived"


def test_a_search_shows_what_the_caller_may_read(owner, alice):
    assert send(alice, "POST", "registered-models/create", name="own").status == 200

    def found(caller):
        models = send(caller, "GET", "registered-models/search").json.get("registered_models", [])
        versions = send(caller, "GET", "model-versions/search").json.get("model_versions", [])
        return [one["name"] for one in models], [one["name"] for one in versions]

    assert found(alice) == (["own"], [])
    assert found(owner) == (["m", "own"], ["m", "m"])  # an admin
    grant(owner, {"user_name": "alice@example.com", "permission_level": "CAN_READ"}, method="PATCH")
    assert found(alice) == (["m", "own"], ["m", "m"])


@pytest.mark.parametrize("level", LEVELS[1:])
def test_the_service_s_answers_tell_the_caller_s_own_level(owner, alice, level):
    grant(owner, {"user_name": "alice@example.com", "permission_level": level}, method="PATCH")
    for caller, own in ((alice, level), (owner, "CAN_MANAGE"), (alice, level)):
        found = send(caller, "GET", "databricks/registered-models/get", name="m").json
        assert found["registered_model_databricks"]["permission_level"] == own


def test_a_group_s_level_counts_and_admins_may_do_everything(owner):
    member = owner.user("bob@example.com", groups=["scorers"])
    admin = owner.user("root@example.com", groups=["admins"])
    assert send(member, "GET", "registered-models/get", name="m").status == 403
    grant(owner, {"group_name": "scorers", "permission_level": "CAN_READ"}, method="PATCH")
    assert send(member, "GET", "registered-models/get", name="m").status == 200
    assert send(admin, "POST", MOVE, **TWO, stage="Archived").status == 200
    assert send(admin, "DELETE", "registered-models/delete", name="m").status == 200


def test_a_model_that_no_client_made_is_everybody_s(wire):
    wire.handle.models.stub("declared", "echo")
    alice = wire.user("alice@example.com")
    assert send(alice, "GET", "registered-models/get", name="declared").status == 200
    assert send(alice, "POST", MOVE, name="declared", version="1", stage="Production").status == 200


# --- the permissions themselves -------------------------------------------------------------------


def test_put_replaces_and_patch_adds(owner):
    assert send(owner, "GET", "permissions").json == {
        "object_id": f"/registered-models/{owner.id}",
        "object_type": "registered-model",
        "access_control_list": [
            {
                "user_name": "tester@example.com",
                "display_name": "Tester",
                "all_permissions": [{"permission_level": "CAN_MANAGE", "inherited": False}],
            },
            {
                "group_name": "admins",
                "all_permissions": [
                    {
                        "permission_level": "CAN_MANAGE",
                        "inherited": True,
                        "inherited_from_object": ["/registered-models/root"],
                    }
                ],
            },
        ],
    }

    def granted(answer):
        return {
            next(iter(entry.values())): [one["permission_level"] for one in entry["all_permissions"]]
            for entry in answer["access_control_list"]
        }

    added = grant(owner, {"group_name": "a", "permission_level": "CAN_EDIT"}, method="PATCH")
    assert granted(added) == {"a": ["CAN_EDIT"], "tester@example.com": ["CAN_MANAGE"], "admins": ["CAN_MANAGE"]}
    entries = [
        {"service_principal_name": "job", "permission_level": "CAN_MANAGE_STAGING_VERSIONS"},
        {"user_name": "tester@example.com", "permission_level": "CAN_MANAGE"},
    ]
    replaced = granted(grant(owner, *entries))
    assert replaced == {
        "job": ["CAN_MANAGE_STAGING_VERSIONS"],
        "tester@example.com": ["CAN_MANAGE"],
        "admins": ["CAN_MANAGE"],
    }


def test_admins_who_were_granted_something_have_one_entry(owner):
    found = grant(owner, {"group_name": "admins", "permission_level": "CAN_READ"})["access_control_list"]
    assert [one["group_name"] for one in found] == ["admins"]
    levels = [(one["permission_level"], one["inherited"]) for one in found[0]["all_permissions"]]
    assert levels == [("CAN_READ", False), ("CAN_MANAGE", True)]


def test_the_levels_are_described(owner):
    levels = send(owner, "GET", "permissions/permissionLevels").json["permission_levels"]
    assert [one["permission_level"] for one in levels] == LEVELS[1:]
    assert all(one["description"] for one in levels)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"access_control_list": [{"user_name": "a", "permission_level": "CAN_QUERY"}]},
            "'CAN_QUERY' is no permission",
        ),
        ({"access_control_list": [{"user_name": "a", "permission_level": "can_read"}]}, "'can_read' is no permission"),
        ({"access_control_list": [{"user_name": "a"}]}, "'' is no permission level of a registered model"),
        ({"access_control_list": [{"permission_level": "CAN_READ"}]}, "exactly one of user_name, group_name"),
        (
            {"access_control_list": [{"user_name": "a", "group_name": "b", "permission_level": "CAN_READ"}]},
            "exactly one of user_name, group_name",
        ),
        ({"access_control_list": [{"user_name": "", "permission_level": "CAN_READ"}]}, "a string that is not empty"),
        ({"access_control_list": {}}, "a list"),
        ({"access_control_list": [5]}, "a JSON object"),
    ],
)
def test_grants_that_are_none_change_nothing(owner, body, said):
    before = seen(owner)
    answer = owner.call("PUT", f"/api/2.0/permissions/registered-models/{owner.id}", body)
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert said in answer.json["message"]
    assert seen(owner) == before


@pytest.mark.parametrize("model_id", ["0" * 32, "m", "root", "%2E%2E"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_permissions_are_kept_by_id(owner, method, model_id):
    body = None if method == "GET" else {"access_control_list": []}
    answer = owner.call(method, f"/api/2.0/permissions/registered-models/{model_id}", body)
    assert (answer.status, answer.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "databricks/registered-models/get tells it" in answer.json["message"]
