from dataclasses import fields

import pytest

from servesim.core.profile import EVIDENCE, FAITHFUL, INSTANT, PROFILES, Profile, override


def test_every_value_has_its_evidence():
    assert set(EVIDENCE) == {field.name for field in fields(Profile)} - {"name"}
    assert {evidence.grade for evidence in EVIDENCE.values()} <= {"documented", "recorded", "observed", "chosen"}
    assert all(evidence.source for evidence in EVIDENCE.values())


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_spans_run_from_least_to_most(profile):
    spans = [value for field in fields(profile) if isinstance(value := getattr(profile, field.name), tuple)]
    assert len(spans) == 5
    assert all(0 <= least <= most for least, most in spans)


def test_profiles_go_by_their_names():
    assert PROFILES == {"faithful": FAITHFUL, "instant": INSTANT}


def test_single_values_can_be_overridden():
    mine = override(INSTANT, "mine", {"cold_start_ms": (1, 2), "entity_limit": 3})
    assert (mine.name, mine.cold_start_ms, mine.entity_limit) == ("mine", (1, 2), 3)
    assert mine.container_build_ms == INSTANT.container_build_ms


@pytest.mark.parametrize("name", ["name", "cold_start", "endpoints"])
def test_a_value_that_no_profile_has_is_refused(name):
    with pytest.raises(KeyError, match=name):
        override(FAITHFUL, "mine", {name: 1})
