"""The splits of a rollout."""

import pytest

from servesim.load.calls import CannotRun
from servesim.load.endpoint import challenger_of, stepped

SPLIT = {"champion": 90.0, "challenger": 10.0}


def test_the_one_with_the_least_traffic_takes_over_unless_another_is_named():
    assert challenger_of(SPLIT, "") == "challenger"
    assert challenger_of(SPLIT, "champion") == "champion"
    assert challenger_of({"old": 50.0, "new": 50.0}, "") == "new"


@pytest.mark.parametrize(("split", "named"), [({"one": 100.0}, ""), (SPLIT, "third")])
def test_nobody_else_can(split, named):
    with pytest.raises(CannotRun):
        challenger_of(split, named)


@pytest.mark.parametrize("share", [1, 10, 50, 99, 100])
def test_the_others_keep_their_proportions_in_whole_percent(share):
    split = stepped({"a": 60.0, "new": 10.0, "b": 30.0}, "new", share)
    assert list(split) == ["a", "new", "b"]
    assert split["new"] == share
    assert sum(split.values()) == 100
    assert all(value == int(value) >= 0 for value in split.values())
    assert abs(split["a"] - 2 * split["b"]) <= 2


def test_one_without_traffic_can_be_left():
    assert stepped({"old": 0.0, "older": 0.0, "new": 100.0}, "new", 40) == {"old": 30.0, "older": 30.0, "new": 40.0}


def test_what_cannot_be_split_in_whole_percent_is_refused():
    with pytest.raises(CannotRun, match="whole percent"):
        stepped({**{f"e{number}": 8.0 for number in range(12)}, "new": 4.0}, "new", 92)
