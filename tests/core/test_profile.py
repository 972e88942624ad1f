from dataclasses import fields

import pytest

from servesim.core.profile import DATED, EVIDENCE, FAITHFUL, INSTANT, LOAD, PROFILES, Profile, override


def test_every_value_has_its_evidence():
    assert set(EVIDENCE) == {field.name for field in fields(Profile)} - {"name"}
    assert {evidence.grade for evidence in EVIDENCE.values()} <= {"documented", "recorded", "observed", "chosen"}
    assert all(evidence.source for evidence in EVIDENCE.values())


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_spans_run_from_least_to_most(profile):
    values = [getattr(profile, field.name) for field in fields(profile) if field.name.endswith("_ms")]
    spans = [value for value in values if isinstance(value, tuple)]
    assert len(spans) == 10
    assert all(0 <= least <= most for least, most in spans)


def test_profiles_go_by_their_names():
    assert list(PROFILES) == ["faithful", "faithful@2026-11", "instant", "load"]
    assert [*PROFILES.values()] == [FAITHFUL, DATED["2026-11"], INSTANT, LOAD]


def test_faithful_is_the_newest_of_its_months():
    assert list(DATED) == sorted(DATED)
    assert [*DATED.values()][-1] is FAITHFUL


def test_a_month_stays_as_it_was_published():
    """A change of these values is a new month; this test is not changed, it gets a sibling."""
    published = {
        "container_build_ms": (480_000, 480_000),
        "resources_ms": (120_000, 120_000),
        "config_switch_ms": (30_000, 30_000),
        "cold_start_ms": (10_000, 20_000),
        "recovery_ms": (30_000, 30_000),
        "idle_to_zero_ms": 1_800_000,
        "deploy_timeout_cpu_ms": 1_800_000,
        "deploy_timeout_gpu_ms": 3_600_000,
        "deploy_timeout_large_gpu_ms": 7_200_000,
        "execution_limit_ms": 297_000,
        "payload_limit_bytes": 16_777_216,
        "endpoint_limit": 1_000,
        "entity_limit": 15,
        "environment_limit": 30,
    }
    assert {name: getattr(DATED["2026-11"], name) for name in published} == published


def test_single_values_can_be_overridden():
    mine = override(INSTANT, "mine", {"cold_start_ms": (1, 2), "entity_limit": 3})
    assert (mine.name, mine.cold_start_ms, mine.entity_limit) == ("mine", (1, 2), 3)
    assert mine.container_build_ms == INSTANT.container_build_ms


@pytest.mark.parametrize("name", ["name", "cold_start", "endpoints"])
def test_a_value_that_no_profile_has_is_refused(name):
    with pytest.raises(KeyError, match=name):
        override(FAITHFUL, "mine", {name: 1})
