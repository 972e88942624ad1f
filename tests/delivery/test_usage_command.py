"""`servesim usage` against a server of this process."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def here(server):
    handle = server.open(clock="frozen", profile="instant", unknown_models="stub")
    yield handle
    handle.close()


def test_before_anything_ran(command):
    assert command("usage").stdout == "Nothing has run yet.\n"
    assert json.loads(command("usage", "--json").stdout) == {"usage": []}


def test_what_was_used_and_what_there_is(command, deploy, here):
    deploy("fraud")
    deploy("other")
    here.clock.advance("10m")
    heads, *rows = command("usage").stdout.splitlines()
    assert heads.split()[:2] == ["ENDPOINT", "ENTITY"]
    assert [row.split()[0] for row in rows] == ["fraud", "other"]
    (one,) = json.loads(command("usage", "--endpoint", "fraud", "--json").stdout)["usage"]
    assert (one["replica_seconds"], one["slot_seconds"], one["provisioned"]) == (600, 2400, 4)
    assert here.usage()[0] == one
    assert command("usage", "--endpoint", "none").stdout == "Nothing has run yet.\n"
