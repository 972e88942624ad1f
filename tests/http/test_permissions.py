"""Who may do what over HTTP: three levels, groups, admins, and what a stranger is told."""

import pytest

ENDPOINTS = "/api/2.0/serving-endpoints"
ENTITY = {"entity_name": "main.ml.fraud", "entity_version": "1"}
FRAUD = f"{ENDPOINTS}/fraud"
PUT = {"served_entities": [{**ENTITY, "entity_version": "2"}]}

NEEDS = [
    ("View", "GET", FRAUD, None),
    ("View", "GET", f"{FRAUD}/metrics", None),
    ("View", "GET", f"{FRAUD}/events", None),
    ("View", "GET", f"{FRAUD}/served-models/fraud-1/logs", None),
    ("View", "GET", f"{FRAUD}/served-models/fraud-1/build-logs", None),
    ("Query", "POST", "/serving-endpoints/fraud/invocations", {"inputs": [1]}),
    ("Query", "POST", "/serving-endpoints/fraud/served-models/fraud-1/invocations", {"inputs": [1]}),
    ("Manage", "PUT", f"{FRAUD}/config", PUT),
    ("Manage", "PATCH", f"{FRAUD}/tags", {"add_tags": [{"key": "a"}]}),
    ("Manage", "PUT", f"{FRAUD}/rate-limits", {"rate_limits": []}),
    ("Manage", "PUT", f"{FRAUD}/ai-gateway", {}),
    ("Manage", "PATCH", f"{FRAUD}/notifications", {"email_notifications": {}}),
    ("Manage", "PATCH", f"{FRAUD}/telemetry-config", {}),
    ("Manage", "POST", f"{FRAUD}/config:stop", None),
    ("Manage", "POST", f"{FRAUD}/config:start", None),
    ("Manage", "DELETE", FRAUD, None),
]
LEVELS = {"View": "CAN_VIEW", "Query": "CAN_QUERY", "Manage": "CAN_MANAGE"}
ORDER = [None, "View", "Query", "Manage"]


@pytest.fixture
def alice(wire):
    """Give a second user, who has no right on the endpoint ``fraud``."""
    wire.id = wire.ready().json["id"]
    return wire.user("alice@example.com")


def grant(wire, *entries, method="PUT"):
    body = {"access_control_list": [dict(entry) for entry in entries]}
    answer = wire.call(method, f"/api/2.0/permissions/serving-endpoints/{wire.id}", body)
    assert answer.status == 200
    return answer.json


@pytest.mark.parametrize("given", ORDER)
@pytest.mark.parametrize("need", NEEDS, ids=lambda need: f"{need[1]} {need[2]}")
def test_each_call_needs_its_level(wire, alice, given, need):
    needed, method, path, body = need
    if given:
        grant(wire, {"user_name": "alice@example.com", "permission_level": LEVELS[given]})
    before = wire.list()
    answer = alice.call(method, path, body)
    if ORDER.index(given) >= ORDER.index(needed):
        assert answer.status != 403
    else:
        assert (answer.status, answer.json["error_code"]) == (403, "PERMISSION_DENIED")
        assert answer.json["message"] == f"User does not have permission '{needed}' on Endpoint fraud"
        assert wire.list() == before


def test_the_answer_tells_the_callers_own_level(wire, alice):
    grant(wire, {"user_name": "alice@example.com", "permission_level": "CAN_QUERY"})
    assert alice.call("GET", FRAUD).json["permission_level"] == "CAN_QUERY"
    assert wire.call("GET", FRAUD).json["permission_level"] == "CAN_MANAGE"
    assert alice.call("GET", FRAUD).json["permission_level"] == "CAN_QUERY"


def test_list_shows_what_a_caller_may_view(wire, alice):
    assert alice.call("GET", ENDPOINTS).json == {"endpoints": []}
    grant(wire, {"group_name": "users", "permission_level": "CAN_VIEW"})
    (seen,) = alice.call("GET", ENDPOINTS).json["endpoints"]
    assert (seen["name"], seen["permission_level"]) == ("fraud", "CAN_VIEW")


def test_rights_come_by_group_and_go_with_it(wire, alice):
    bob = wire.user("bob@example.com", groups=["analysts"])
    grant(wire, {"group_name": "analysts", "permission_level": "CAN_QUERY"})
    assert bob.score().status == 200
    assert alice.score().status == 403
    grant(wire)
    assert bob.score().status == 403


def test_a_creator_manages_what_it_created_and_an_admin_everything(wire, alice):
    assert alice.create("hers").status == 200
    assert alice.call("GET", f"{ENDPOINTS}/hers").json["permission_level"] == "CAN_MANAGE"
    boss = wire.user("boss@example.com", groups=["admins"])
    assert boss.call("DELETE", f"{ENDPOINTS}/hers").json == {}
    assert boss.score().status == 200


def test_patch_merges_and_put_replaces(wire, alice):
    grant(wire, {"user_name": "alice@example.com", "permission_level": "CAN_VIEW"})
    merged = grant(wire, {"group_name": "analysts", "permission_level": "CAN_QUERY"}, method="PATCH")
    assert [sorted(set(entry) & {"user_name", "group_name"}) for entry in merged["access_control_list"]] == [
        ["group_name"],
        ["user_name"],
        ["group_name"],
    ]
    raised = grant(wire, {"user_name": "alice@example.com", "permission_level": "CAN_MANAGE"}, method="PATCH")
    assert len(raised["access_control_list"]) == 3
    assert alice.call("GET", FRAUD).json["permission_level"] == "CAN_MANAGE"
    assert len(grant(wire)["access_control_list"]) == 1


ADMINS = {
    "group_name": "admins",
    "all_permissions": [
        {"permission_level": "CAN_MANAGE", "inherited": True, "inherited_from_object": ["/serving-endpoints/"]}
    ],
}


def test_permissions_as_they_are_answered(wire, alice):
    robot = "1f0e2d3c-0000-0000-0000-000000000000"
    wire.handle.principals.add(service_principal=robot)
    answer = grant(
        wire,
        {"user_name": "alice@example.com", "permission_level": "CAN_QUERY"},
        {"user_name": "nobody@example.com", "permission_level": "CAN_VIEW"},
        {"service_principal_name": robot, "permission_level": "CAN_VIEW"},
        {"group_name": "analysts", "permission_level": "CAN_MANAGE"},
    )

    def direct(level):
        return [{"permission_level": level, "inherited": False}]

    assert answer == {
        "object_id": f"/serving-endpoints/{wire.id}",
        "object_type": "serving-endpoint",
        "access_control_list": [
            {"group_name": "analysts", "all_permissions": direct("CAN_MANAGE")},
            {
                "service_principal_name": robot,
                "display_name": robot,
                "all_permissions": direct("CAN_VIEW"),
            },
            {"user_name": "alice@example.com", "display_name": "alice", "all_permissions": direct("CAN_QUERY")},
            {"user_name": "nobody@example.com", "all_permissions": direct("CAN_VIEW")},
            ADMINS,
        ],
    }


def test_admins_who_were_granted_something_have_one_entry(wire, alice):
    (entry,) = grant(wire, {"group_name": "admins", "permission_level": "CAN_VIEW"})["access_control_list"]
    assert entry["all_permissions"] == [
        {"permission_level": "CAN_VIEW", "inherited": False},
        *ADMINS["all_permissions"],
    ]


@pytest.mark.parametrize(
    "entry",
    [
        {"user_name": "alice@example.com", "permission_level": "CAN_READ"},
        {"user_name": "alice@example.com"},
        {"permission_level": "CAN_VIEW"},
        {"user_name": "a", "group_name": "b", "permission_level": "CAN_VIEW"},
        {"user_name": "", "permission_level": "CAN_VIEW"},
    ],
    ids=str,
)
def test_a_bad_entry_changes_nothing(wire, alice, entry):
    path = f"/api/2.0/permissions/serving-endpoints/{wire.id}"
    before = wire.call("GET", path).body
    good = {"user_name": "alice@example.com", "permission_level": "CAN_MANAGE"}
    answer = wire.call("PATCH", path, {"access_control_list": [good, entry]})
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert wire.call("GET", path).body == before


def test_an_update_by_somebody_else_is_refused_when_the_creator_has_left(wire, alice):
    hers = alice.create("hers").json
    wire.call("GET", f"{ENDPOINTS}/hers")
    wire.handle.principals.remove("alice@example.com")
    answer = wire.call("PUT", f"{ENDPOINTS}/hers/config", PUT)
    assert (answer.status, answer.json["error_code"]) == (403, "PERMISSION_DENIED")
    assert "alice@example.com" in answer.json["message"]
    assert wire.call("GET", f"{ENDPOINTS}/hers").json["id"] == hers["id"]
    assert wire.score("hers").status == 200
