"""What could have been seen before: by moments, by lags, within bounds."""

import pytest

from servesim.core.access import Principal
from servesim.core.commands import (
    ChangeTags,
    ConfigRequest,
    CreateEndpoint,
    DeleteEndpoint,
    EntitySpec,
    MoveTo,
)
from servesim.core.model_commands import AddModel
from servesim.core.registry import ModelVersion
from servesim.core.workspace import Workspace
from servesim.service.past import MOMENTS_KEPT, Past, watch

ANA = Principal("ana@example.com", "Ana")
MINUTE = 60_000


@pytest.fixture
def world():
    world = Workspace()
    world.execute(AddModel(ModelVersion("m", "1", "stub", "{}")))
    return world


def create(world, name="e"):
    config = ConfigRequest((EntitySpec("a", "m", "1"),), None)
    return world.execute(CreateEndpoint(name, ANA, config, serving=True))


def tag(world, value):
    world.execute(ChangeTags("e", None, (("team", value),), ()))


def tags(moment):
    seen = moment.named("e")
    return None if seen is None else [one.get("value") for one in seen.document.get("tags", [])]


def wait(world, ms):
    world.execute(MoveTo(world.timeline.now + ms))


def test_before_the_last_change_is_whatever_stood_before_it(world):
    past = watch(world)
    assert past.find(None, tags) is None
    create(world)
    assert past.find(None, tags) is None, "there was none"
    for value in "ab":
        tag(world, value)
    assert past.find(None, tags) == ["a"]
    create(world, "another")
    assert past.find(None, tags) == ["a"], "another endpoint's change is none of this one's"
    world.execute(DeleteEndpoint("e"))
    assert past.find(None, tags) == ["b"]


def test_a_lag_is_counted_from_now_to_the_millisecond(world):
    create(world)
    past = watch(world)
    for value in "abc":
        wait(world, MINUTE)
        tag(world, value)
    assert [past.find(lag, tags) for lag in (0, 1, MINUTE, MINUTE + 1, 2 * MINUTE + 1)] == [
        ["c"],
        ["b"],
        ["b"],
        ["a"],
        [],
    ]
    assert past.find(10 * MINUTE, tags) == [], "nothing is older than the first look"


def test_what_did_not_change_is_kept_once_and_moments_are_bounded(world):
    create(world)
    create(world, "still")
    past = watch(world)
    for number in range(MOMENTS_KEPT + 10):
        tag(world, str(number))
    past.note()
    moments = past._moments
    assert len(moments) == MOMENTS_KEPT
    assert len({id(moment.named("still")) for moment in moments}) == 1


def test_the_recorder_of_the_world_goes_on_recording(world):
    recorded = []
    world.recorder = recorded.append
    past = watch(world)
    create(world)
    assert (watch(world), [type(command) for command in recorded]) == (past, [CreateEndpoint])
    assert isinstance(world.recorder, Past)


def test_a_name_is_known_as_long_as_the_past_knows_it(world):
    past = watch(world)
    gone = create(world).id
    world.execute(DeleteEndpoint("e"))
    assert (past.name_of(gone), past.name_of("no id")) == ("e", "")
