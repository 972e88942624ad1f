"""How a workspace comes to have the serverless preview."""

import pytest

from servesim.core.enrolment import ADVICE, TABLE, Enrolment, Step, check, next_of
from servesim.core.errors import Code, Rejected
from servesim.core.model_endpoint_commands import MoveEnrolment


def test_four_steps_by_whom_they_are_for(labs):
    lab = labs()
    root, amy = lab.member("root", "admins"), lab.member("amy")
    steps = ((Step.REQUEST, amy), (Step.ENROL, None), (Step.ACCEPT_TERMS, root), (Step.ENABLE, root))
    seen = []
    for step, who in steps:
        with pytest.raises(Rejected) as caught:
            check(lab.world)
        assert caught.value.code is Code.PREVIEW_DISABLED
        seen.append(lab.do(MoveEnrolment(step, who)))
    assert seen == list(Enrolment)[1:]
    check(lab.world)
    assert [line.detail for line in lab.events("serverless preview")] == [str(state) for state in seen]


@pytest.mark.parametrize("step", [Step.ENROL, Step.ACCEPT_TERMS, Step.ENABLE])
def test_others_may_not_take_them(labs, step):
    lab = labs()
    amy = lab.member("amy")
    lab.world.enrolment = next(state for state, known in TABLE if known is step)
    assert lab.refusal(MoveEnrolment(step, amy)).code is Code.ENROLMENT_NOT_ADMIN


def test_not_even_an_admin_is_databricks(labs):
    lab = labs()
    root = lab.member("root", "admins")
    lab.world.enrolment = Enrolment.REQUESTED
    assert lab.refusal(MoveEnrolment(Step.ENROL, root)).fields["who"] == "Databricks"


@pytest.mark.parametrize("state", Enrolment)
def test_a_step_that_is_not_the_next_is_refused(labs, state):
    lab = labs()
    lab.world.enrolment = state
    for step in Step:
        if (state, step) not in TABLE:
            refusal = lab.refusal(MoveEnrolment(step, None))
            assert refusal.fields["next"] == str(next_of(state) or "none")
    assert (state in ADVICE) == (next_of(state) is not None)


def test_a_stranger_takes_no_step(labs):
    lab = labs()
    amy = lab.member("amy")
    lab.do(MoveEnrolment(Step.REQUEST, amy))
    stranger = type(amy)("nobody")
    assert lab.refusal(MoveEnrolment(Step.ENROL, stranger)).code is Code.MEMBER_MISSING
