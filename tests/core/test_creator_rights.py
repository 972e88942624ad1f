"""An endpoint serves with the rights of whoever made it: they are asked about at every deployment."""

import pytest

from servesim.core.access import ADMINS, USERS, Member, Principal
from servesim.core.commands import (
    Admit,
    ChangeTags,
    CreateEndpoint,
    DeleteEndpoint,
    EntitySpec,
    Finish,
    PutMember,
    RemoveMember,
    SetModelAccess,
    StartEndpoint,
    StopEndpoint,
    UpdateConfig,
)
from servesim.core.errors import Code
from servesim.core.model_commands import AddModel
from servesim.core.registry import ModelVersion

MINUTE = 60_000


@pytest.fixture
def lab(lab, ana):
    """A world of Ana, who makes endpoints, and Root, an admin."""
    lab.do(PutMember(Member(ana, ("makers",))))
    lab.member("root", ADMINS)
    return lab


ROOT = Principal("root", "Root")


def leaves(lab, ana):
    lab.do(RemoveMember(ana.name))


def loses_the_model(lab, _ana):
    lab.do(SetModelAccess("m", ("root", "others")))


LOST = {
    "left the workspace": (leaves, "is no member of this workspace any more"),
    "may not execute the model": (loses_the_model, "may not execute model 'm'"),
}


@pytest.fixture(params=LOST.values(), ids=LOST)
def lost(request):
    """A way to lose one's rights, and how it is said."""
    return request.param


def test_an_update_is_refused_whoever_asks_for_it(lab, ana, lost):
    lose, said = lost
    lab.serve()
    lose(lab, ana)
    for principal in (ROOT, Principal("root")):
        refusal = lab.refusal(UpdateConfig("e", principal, lab.config(lab.entity(version="2"))))
        assert (refusal.code, refusal.fields) == (Code.CREATOR_LOST_RIGHTS, {"creator": ana.name, "lost": said})


def test_an_update_that_changes_nothing_but_shares_is_refused_as_well(lab, ana, lost):
    lab.serve(lab.entity("a"), lab.entity("b"), a=90, b=10)
    lost[0](lab, ana)
    config = lab.config(lab.entity("a"), lab.entity("b"), a=10, b=90)
    assert lab.refusal(UpdateConfig("e", ROOT, config)).code is Code.CREATOR_LOST_RIGHTS


def test_a_stopped_endpoint_cannot_be_started_or_updated(lab, ana, lost):
    lab.serve()
    lab.stop()
    lost[0](lab, ana)
    assert lab.refusal(StartEndpoint("e", ROOT)).code is Code.CREATOR_LOST_RIGHTS
    assert lab.refusal(StartEndpoint("e")).code is Code.CREATOR_LOST_RIGHTS
    assert lab.refusal(UpdateConfig("e", ROOT, lab.config())).code is Code.CREATOR_LOST_RIGHTS


def test_what_serves_goes_on_serving_and_can_be_stopped_changed_and_deleted(lab, ana, lost):
    lab.serve(lab.entity(scale_to_zero=True))
    lost[0](lab, ana)
    lab.run(30 * MINUTE)
    ticket = lab.do(Admit("e", principal=ROOT))
    lab.run(MINUTE)
    lab.do(Finish(ticket.number, 200))
    assert (ticket.state, lab.deployment().phase) == ("done", "ready")
    lab.do(ChangeTags("e", ROOT, (("team", "ml"),), ()))
    lab.do(StopEndpoint("e", ROOT))
    lab.do(DeleteEndpoint("e", ROOT))


def test_an_update_in_progress_is_let_go_on(lab, ana, lost):
    endpoint = lab.create()
    lost[0](lab, ana)
    lab.run(10 * MINUTE)
    assert endpoint.phase == "serving"


def test_nothing_is_made_of_a_model_that_its_creator_may_not_execute(lab, ana):
    loses_the_model(lab, ana)
    refusal = lab.refusal(CreateEndpoint("e", ana, lab.config()))
    assert (refusal.code, refusal.fields["creator"]) == (Code.CREATOR_LOST_RIGHTS, ana.name)
    lab.do(CreateEndpoint("e", ana))  # without a config nothing is executed
    assert lab.refusal(UpdateConfig("e", ROOT, lab.config())).code is Code.CREATOR_LOST_RIGHTS
    lab.do(CreateEndpoint("f", ROOT, lab.config()))


def test_nothing_is_made_by_a_stranger(lab):
    eve = Principal("eve")
    assert lab.refusal(CreateEndpoint("e", eve, lab.config())).code is Code.CREATOR_LOST_RIGHTS


def test_the_rights_of_who_asks_do_not_matter(lab, ana):
    bob = lab.member("bob", ADMINS)
    lab.serve()
    lab.do(SetModelAccess("m", (ana.name,)))
    lab.do(UpdateConfig("e", bob, lab.config(lab.entity(version="2"))))
    lab.run(10 * MINUTE)
    lab.do(StopEndpoint("e", bob))
    lab.do(StartEndpoint("e", bob))


@pytest.mark.parametrize("allowed", [("ana@example.com",), ("makers",), (USERS,), None])
def test_a_model_may_be_executed_by_name_by_group_and_by_all(lab, ana, allowed):
    loses_the_model(lab, ana)
    lab.do(SetModelAccess("m", allowed))
    lab.do(CreateEndpoint("e", ana, lab.config()))


@pytest.mark.parametrize("allowed", [(), ("bob",), ("makers2",), (ADMINS,)])
def test_anybody_else_may_not(lab, ana, allowed):
    lab.do(SetModelAccess("m", allowed))
    assert lab.refusal(CreateEndpoint("e", ana, lab.config())).code is Code.CREATOR_LOST_RIGHTS


def test_every_entity_is_asked_about(lab, ana):
    lab.do(AddModel(ModelVersion("n", "1", "stub", "{}")))
    lab.do(SetModelAccess("n", ()))
    other = EntitySpec("b", "n", "1")
    lab.serve()
    refusal = lab.refusal(UpdateConfig("e", ana, lab.config(lab.entity(), other, a=100, b=0)))
    assert refusal.fields["lost"] == "may not execute model 'n'"


def test_rights_can_be_given_back(lab, ana, lost):
    lab.serve()
    lost[0](lab, ana)
    lab.do(PutMember(Member(ana)))
    lab.do(SetModelAccess("m", None))
    lab.put(lab.entity(version="2"))


def test_where_nobody_was_ever_a_member_nobody_loses_a_right(labs, ana):
    lab = labs()
    lab.do(SetModelAccess("m", ()))
    lab.serve()
    lab.do(UpdateConfig("e", ana, lab.config(lab.entity(version="2"))))


def test_access_to_a_model_that_is_not_registered(lab):
    refusal = lab.refusal(SetModelAccess("n", ()))
    assert (refusal.code, refusal.fields) == (Code.MODEL_MISSING, {"model": "n", "near": None, "known": ["m"]})
