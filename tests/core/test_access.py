"""Who may do what with an endpoint: levels, what gives them, and that every command asks."""

import pytest

from servesim.core.access import ADMINS, GRANT_LIMIT, USERS, Directory, Grantee, Level, Member, Principal, grantee_of
from servesim.core.commands import (
    Admit,
    ChangeSetting,
    ChangeTags,
    CreateEndpoint,
    DeleteEndpoint,
    Finish,
    PutMember,
    RemoveMember,
    SetPermissions,
    StartEndpoint,
    StopEndpoint,
    UpdateConfig,
)
from servesim.core.errors import Code
from servesim.core.updates import TAG_LIMIT

VIEW, QUERY, MANAGE = Level.CAN_VIEW, Level.CAN_QUERY, Level.CAN_MANAGE
BOB = Principal("bob@example.com", "Bob")
ROBOT = Principal("robot", "Robot", "ServicePrincipal")


@pytest.fixture
def lab(lab, ana):
    """A world in which Ana, Bob and a service principal have served endpoint ``e``, which Ana made."""
    lab.do(PutMember(Member(ana, ("makers",))))
    lab.do(PutMember(Member(BOB, ("readers", "writers"))))
    lab.do(PutMember(Member(ROBOT)))
    lab.serve()
    return lab


def user(name):
    return Grantee("user", name)


def group(name):
    return Grantee("group", name)


def grant(lab, *grants, replace=False, principal=None):
    return lab.do(SetPermissions(lab.world.get("e").id, principal, grants, replace))


def level(lab, principal, name="e"):
    return lab.world.level(principal, lab.world.get(name))


# --- levels ---------------------------------------------------------------------------------------


def test_the_creator_manages_and_nobody_else_has_a_right(lab, ana):
    assert [level(lab, who) for who in (ana, BOB, ROBOT, Principal("eve"))] == [MANAGE, None, None, None]


GRANTS = {
    "to the user": ([(user(BOB.name), QUERY)], QUERY),
    "to another user": ([(user("eve"), QUERY)], None),
    "to a group of the user": ([(group("readers"), VIEW)], VIEW),
    "to another group": ([(group("makers"), MANAGE)], None),
    "to all users": ([(group(USERS), VIEW)], VIEW),
    "to the admins": ([(group(ADMINS), VIEW)], None),
    "the highest of several, first": ([(group("readers"), QUERY), (user(BOB.name), VIEW)], QUERY),
    "the highest of several, last": ([(user(BOB.name), VIEW), (group("writers"), MANAGE)], MANAGE),
    "a group of the user's name": ([(group(BOB.name), VIEW)], None),
    "a service principal of the user's name": ([(Grantee("service_principal", BOB.name), VIEW)], None),
    "a user of a group's name": ([(user("readers"), VIEW)], None),
}


@pytest.mark.parametrize(("grants", "expected"), GRANTS.values(), ids=GRANTS)
def test_what_a_grant_gives_a_user(lab, grants, expected):
    grant(lab, *grants)
    assert level(lab, BOB) == expected


def test_a_service_principal_is_granted_by_its_kind(lab):
    grant(lab, (user(ROBOT.name), MANAGE))
    assert level(lab, ROBOT) is None
    grant(lab, (Grantee("service_principal", ROBOT.name), QUERY))
    assert level(lab, ROBOT) is QUERY


def test_the_kind_that_counts_is_the_one_that_the_workspace_knows(lab):
    grant(lab, (user(ROBOT.name), MANAGE))
    for _ in range(2):  # what was worked out for one must not be given to the other
        assert level(lab, Principal(ROBOT.name)) is None
        assert level(lab, ROBOT) is None


def test_admins_manage_everything_and_need_no_grant(lab):
    root = lab.member("root", ADMINS)
    grant(lab, (user("root"), VIEW), replace=True)
    assert level(lab, root) is MANAGE


def test_a_service_principal_manages_what_it_made(lab):
    endpoint = lab.do(CreateEndpoint("mine", ROBOT, lab.config()))
    assert endpoint.acl == {Grantee("service_principal", ROBOT.name): MANAGE}
    assert [level(lab, who, "mine") for who in (ROBOT, BOB)] == [MANAGE, None]


@pytest.mark.parametrize("name", [USERS, ADMINS, "readers"])
def test_a_stranger_is_in_no_group(lab, name):
    grant(lab, (group(name), MANAGE), (user("eve"), MANAGE))
    assert level(lab, Principal("eve")) is None
    assert level(lab, Principal(name)) is None


def test_who_is_removed_has_no_right_left_and_gets_it_back_with_the_membership(lab, ana):
    lab.do(RemoveMember(ana.name))
    assert level(lab, ana) is None
    lab.do(PutMember(Member(ana)))
    assert level(lab, ana) is MANAGE


def test_where_nobody_was_ever_a_member_everybody_may_do_everything(labs):
    lab = labs()
    lab.serve()
    assert level(lab, Principal("eve")) is MANAGE
    lab.do(DeleteEndpoint("e", Principal("eve")))


def test_a_workspace_whose_last_member_left_is_not_open_to_everybody(labs, ana):
    lab = labs()
    lab.serve()
    lab.member("bob")
    lab.do(RemoveMember("bob"))
    assert not lab.world.directory.members
    assert level(lab, ana) is None
    assert lab.refusal(DeleteEndpoint("e", ana)).code is Code.NOT_PERMITTED


def test_servesim_itself_may_do_everything(lab):
    lab.world.require(None, lab.world.get("e"), MANAGE)


# --- what was worked out before -------------------------------------------------------------------


def test_a_level_is_worked_out_once(lab, monkeypatch):
    asked = []
    answer = Directory.level
    monkeypatch.setattr(Directory, "level", lambda *known: asked.append(known) or answer(*known))
    assert [level(lab, BOB) for _ in range(3)] == [None, None, None]
    assert len(asked) == 1


def test_another_grant_is_seen_at_once(lab):
    for granted in (VIEW, MANAGE, QUERY):
        grant(lab, (user(BOB.name), granted))
        assert level(lab, BOB) is granted
    grant(lab, replace=True)
    assert level(lab, BOB) is None


def test_another_group_is_seen_at_once(lab):
    grant(lab, (group("readers"), VIEW), (group("owners"), MANAGE))
    assert level(lab, BOB) is VIEW
    lab.do(PutMember(Member(BOB, ("owners",))))
    assert level(lab, BOB) is MANAGE
    lab.do(PutMember(Member(BOB)))
    assert level(lab, BOB) is None


def test_strangers_are_not_kept(lab, ana):
    endpoint = lab.world.get("e")
    for number in range(100):
        assert lab.world.level(Principal(f"eve{number}"), endpoint) is None
    assert lab.world.level(ana, endpoint) is MANAGE
    assert set(endpoint.levels) == {ana.name}


# --- changing permissions -------------------------------------------------------------------------


def test_adding_keeps_what_was_granted_and_replacing_does_not(lab, ana):
    endpoint = grant(lab, (user(BOB.name), VIEW), (group("readers"), QUERY))
    assert endpoint.acl == {grantee_of(ana): MANAGE, user(BOB.name): VIEW, group("readers"): QUERY}
    grant(lab, (user(BOB.name), QUERY))
    assert endpoint.acl[user(BOB.name)] is QUERY
    grant(lab, (group("readers"), VIEW))
    assert endpoint.acl[group("readers")] is VIEW, "adding can lower a level, too"
    grant(lab, (user(BOB.name), VIEW), replace=True)
    assert endpoint.acl == {user(BOB.name): VIEW}
    assert level(lab, ana) is None, "replacing takes the creator's right, unless it is given again"


def test_replacing_by_nothing_leaves_the_admins_alone(lab, ana):
    root = lab.member("root", ADMINS)
    grant(lab, replace=True, principal=ana)
    assert lab.world.get("e").acl == {}
    assert lab.refusal(DeleteEndpoint("e", ana)).code is Code.NOT_PERMITTED
    grant(lab, (grantee_of(ana), MANAGE), principal=root)
    lab.do(DeleteEndpoint("e", ana))


@pytest.mark.parametrize("replace", [False, True])
def test_of_two_grants_to_one_grantee_the_later_counts(lab, replace):
    grant(lab, (user(BOB.name), MANAGE), (user(BOB.name), VIEW), replace=replace)
    assert level(lab, BOB) is VIEW


def test_a_change_is_seen_by_who_keeps_what_readers_saw(lab):
    endpoint, world = lab.world.get("e"), lab.world
    before = (endpoint.revision, world.revision)
    grant(lab, (user(BOB.name), VIEW))
    assert endpoint.revision > before[0]
    assert world.revision > before[1]
    before = world.revision
    lab.do(PutMember(Member(BOB, (ADMINS,))))
    assert world.revision > before, "what a LIST shows to Bob is another"


def test_a_change_is_told(lab, ana):
    grant(lab, (user(BOB.name), VIEW), (group(USERS), QUERY), principal=ana)
    line = lab.world.log[-1]
    told = ("permissions changed", "e", ana.name, "bob@example.com CAN_VIEW, users CAN_QUERY")
    assert line[1:] == told


def test_permissions_go_with_the_endpoint_and_its_id(lab, ana):
    old = grant(lab, (user(BOB.name), MANAGE))
    lab.do(DeleteEndpoint("e"))
    refusal = lab.refusal(SetPermissions(old.id, ana, (), replace=False))
    assert (refusal.code, refusal.fields) == (Code.PERMISSIONS_MISSING, {"id": old.id})
    new = lab.serve()
    assert new.id != old.id
    assert level(lab, BOB) is None
    assert lab.refusal(SetPermissions(old.id, ana, (), replace=False)).code is Code.PERMISSIONS_MISSING


def test_the_grantees_of_an_endpoint_are_bounded(lab):
    many = tuple((user(f"user{number}"), VIEW) for number in range(GRANT_LIMIT - 1))
    grant(lab, *many)
    refusal = lab.refusal(SetPermissions(lab.world.get("e").id, None, ((user("one more"), VIEW),), replace=False))
    assert (refusal.code, refusal.fields["got"]) == (Code.BAD_FIELD, GRANT_LIMIT + 1)
    grant(lab, (user("user1"), MANAGE))
    grant(lab, (user("one more"), VIEW), replace=True)


def test_the_tags_of_an_endpoint_are_bounded(lab):
    many = tuple((f"tag{number}", None) for number in range(TAG_LIMIT))
    lab.do(ChangeTags("e", None, many, ()))
    refusal = lab.refusal(ChangeTags("e", None, (("one more", "1"),), ()))
    assert (refusal.code, refusal.fields["got"]) == (Code.BAD_FIELD, TAG_LIMIT + 1)
    lab.do(ChangeTags("e", None, (("one more", "1"),), ("tag0",)))
    assert len(lab.world.get("e").tags) == TAG_LIMIT


# --- every command asks ---------------------------------------------------------------------------


def asking(lab, who):
    """Return every command of somebody, each with the level that it needs."""
    config = lab.config(lab.entity(version="2"))
    return {
        "query": (Admit("e", principal=who), QUERY),
        "query an entity": (Admit("e", "a", principal=who), QUERY),
        "query no entity": (Admit("e", "x", principal=who), QUERY),
        "update": (UpdateConfig("e", who, config), MANAGE),
        "delete": (DeleteEndpoint("e", who), MANAGE),
        "stop": (StopEndpoint("e", who), MANAGE),
        "start": (StartEndpoint("e", who), MANAGE),
        "tags": (ChangeTags("e", who, (("team", "ml"),), ()), MANAGE),
        "setting": (ChangeSetting("e", who, "ai_gateway", "{}"), MANAGE),
        "permissions": (SetPermissions(lab.world.get("e").id, who, ((user(who.name), MANAGE),), replace=False), MANAGE),
    }


COMMANDS = (
    "query",
    "query an entity",
    "query no entity",
    "update",
    "delete",
    "stop",
    "start",
    "tags",
    "setting",
    "permissions",
)


@pytest.mark.parametrize("given", [None, *Level])
@pytest.mark.parametrize("what", COMMANDS)
def test_a_level_is_enough_or_nothing_changes(lab, what, given):
    if given:
        grant(lab, (user(BOB.name), given))
    if what == "start":
        lab.stop()
    command, needed = asking(lab, BOB)[what]
    if given is None or given < needed:
        refusal = lab.refusal(command)
        assert (refusal.code, refusal.fields) == (Code.NOT_PERMITTED, {"endpoint": "e", "needed": needed})
    elif what == "query no entity":
        assert lab.refusal(command).code is Code.ENTITY_NOT_SERVED
    else:
        lab.do(command)


@pytest.mark.parametrize("what", ["update", "delete", "stop", "start", "tags", "setting"])
def test_what_does_not_exist_is_said_before_who_may(lab, what):
    command = asking(lab, BOB)[what][0]
    lab.do(DeleteEndpoint("e"))
    assert lab.refusal(command).code is Code.ENDPOINT_MISSING


def test_who_may_not_is_not_told_about_a_config_or_a_phase(lab, ana):
    lab.put(lab.entity(version="2"))
    for command in (UpdateConfig("e", BOB, lab.config(lab.entity(version="9"))), StopEndpoint("e", BOB)):
        assert lab.refusal(command).code is Code.NOT_PERMITTED
    assert lab.refusal(StopEndpoint("e", ana)).code is Code.STOP_WHILE_UPDATING


# --- members --------------------------------------------------------------------------------------


def test_a_request_that_is_held_goes_on_when_its_caller_leaves(lab):
    lab.serve(lab.entity(scale_to_zero=True), name="lazy")
    lab.run(30 * 60_000)
    lab.do(SetPermissions(lab.world.get("lazy").id, None, ((user(BOB.name), QUERY),), replace=False))
    ticket = lab.do(Admit("lazy", principal=BOB))
    assert ticket.state == "held"
    lab.do(RemoveMember(BOB.name))
    lab.run(60_000)
    assert (ticket.state, ticket.principal) == ("running", BOB)
    lab.do(Finish(ticket.number, 200))
    assert lab.refusal(Admit("lazy", principal=BOB)).code is Code.NOT_PERMITTED


def test_who_is_no_member_cannot_be_removed(lab):
    lab.world.level(BOB, lab.world.get("e"))
    refusal = lab.refusal(RemoveMember("eve"))
    assert (refusal.code, refusal.fields) == (Code.MEMBER_MISSING, {"name": "eve"})


def test_a_member_is_found_and_replaced_by_its_name():
    directory = Directory()
    assert directory.is_open
    directory.put(Member(BOB, ("readers", ADMINS), ("allow_cluster_create",)))
    assert not directory.is_open
    assert directory.find(BOB.name).is_admin
    assert directory.names(BOB.name) == {BOB.name, USERS, ADMINS, "readers"}
    directory.put(Member(BOB, ("writers",)))
    assert not directory.find(BOB.name).is_admin
    assert directory.names(BOB.name) == {BOB.name, USERS, "writers"}
    assert directory.groups() == [ADMINS, USERS, "writers"]
    assert (directory.find("eve"), directory.names("eve")) == (None, set())
    assert directory.remove(BOB.name)
    assert not directory.remove(BOB.name)
    assert directory.groups() == [ADMINS, USERS]
    assert not directory.is_open


# --- tags and settings ----------------------------------------------------------------------------


def test_tags_are_added_replaced_and_taken_away(lab, ana):
    endpoint = lab.do(ChangeTags("e", ana, (("team", "ml"), ("beta", None)), ()))
    assert endpoint.tags == {"team": "ml", "beta": None}
    revision = endpoint.revision
    lab.do(ChangeTags("e", ana, (("team", "ops"), ("new", "1")), ("beta", "never there", "new")))
    assert endpoint.tags == {"team": "ops"}, "what is both added and taken away is gone: chosen"
    assert endpoint.revision > revision
    assert lab.world.log[-1][1:] == ("tags changed", "e", "", "team, new, beta, never there, new")


def test_a_setting_is_replaced_and_taken_away_and_its_text_is_in_no_line(lab, ana):
    endpoint = lab.do(ChangeSetting("e", ana, "ai_gateway", '{"secret": "s3cr3t"}'))
    revision = endpoint.revision
    assert endpoint.settings == {"ai_gateway": '{"secret": "s3cr3t"}'}
    lab.do(ChangeSetting("e", ana, "rate_limits", "[]"))
    lab.do(ChangeSetting("e", ana, "ai_gateway", ""))
    lab.do(ChangeSetting("e", ana, "ai_gateway", ""))
    assert endpoint.settings == {"rate_limits": "[]"}
    assert endpoint.revision > revision
    assert "s3cr3t" not in str(lab.world.log)
