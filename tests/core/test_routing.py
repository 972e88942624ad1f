import pytest
from hypothesis import given
from hypothesis import strategies as st

from servesim.core.commands import Finish, Route
from servesim.core.endpoint import Config
from servesim.core.errors import Code
from servesim.core.routing import pick

BELOW_ONE = 1 - 2**-53


def config(*shares):
    return Config(1, (), tuple(Route(name, share) for name, share in shares), 0)


@pytest.mark.parametrize(
    ("fraction", "entity"),
    [(0.0, "a"), (0.0999999, "a"), (0.1, "b"), (0.5999999, "b"), (0.6, "c"), (BELOW_ONE, "c")],
)
def test_shares_lie_end_to_end(fraction, entity):
    assert pick(config(("a", 10), ("b", 50), ("c", 40)), fraction) == entity


@given(st.floats(0, 1, exclude_max=True))
def test_none_of_the_traffic_is_none_and_all_is_all(fraction):
    assert pick(config(("z", 0), ("a", 100), ("y", 0)), fraction) == "a"


@given(st.integers(0, 100), st.integers(0, 99))
def test_each_percent_goes_where_it_belongs(share, percent):
    point = (percent + 0.5) / 100
    assert pick(config(("a", share), ("b", 100 - share)), point) == ("a" if percent < share else "b")


def test_a_config_that_leaves_a_gap_is_an_error_of_ours():
    with pytest.raises(AssertionError):
        pick(config(("a", 99)), 0.995)


def test_a_split_comes_out_about_as_asked_and_the_same_each_time(labs):
    def run():
        lab = labs(seed=5)
        lab.serve(lab.entity("a"), lab.entity("b", "2"), a=90, b=10)
        answered = []
        for _ in range(2_000):
            ticket = lab.admit()
            lab.do(Finish(ticket.number, 200))
            answered.append(ticket.entity)
        return answered

    answered = run()
    assert 160 < answered.count("b") < 240
    assert run() == answered


def test_a_request_to_one_entity_uses_no_draw(labs):
    def split(*, with_direct):
        lab = labs()
        lab.serve(lab.entity("a"), lab.entity("b", "2"), a=50, b=50)
        chosen = []
        for _ in range(50):
            if with_direct:
                assert lab.admit("b").entity == "b"
            chosen.append(lab.admit().entity)
        return chosen

    assert split(with_direct=True) == split(with_direct=False)


def test_an_entity_without_a_share_is_reached_by_its_own_address_only(lab):
    lab.serve(lab.entity("a"), lab.entity("b", "2"), a=100, b=0)
    assert {lab.admit().entity for _ in range(200)} == {"a"}
    assert lab.admit("b").deployment.spec.name == "b"


def test_an_entity_without_a_route_is_reached_by_its_own_address(lab):
    lab.serve(lab.entity("a"), lab.entity("b", "2"), a=100)
    assert lab.admit("b").entity == "b"


def test_an_entity_that_is_broken_takes_its_share_and_no_more(lab):
    from servesim.core.commands import WorkerDied

    lab.serve(lab.entity("a", min_concurrency=200, max_concurrency=200), lab.entity("b", "2"), a=50, b=50)
    lab.load_errors["b"] = "no such file"
    lab.do(WorkerDied(lab.deployment("b").id))
    lab.run(60_000)
    tickets = [lab.admit() for _ in range(200)]
    states = {name: {ticket.state for ticket in tickets if ticket.entity == name} for name in "ab"}
    assert states == {"a": {"running"}, "b": {"refused"}}
    assert {ticket.refusal.code for ticket in tickets if ticket.refusal} == {Code.NOT_SERVED}
    assert 70 < sum(ticket.entity == "b" for ticket in tickets) < 130
    assert len(lab.events("not answered")) == sum(ticket.entity == "b" for ticket in tickets)
    assert len(lab.world.tickets) == lab.deployment("a").in_flight
