"""`servesim timeline` against a server of this process: what it prints, and how it follows."""

from __future__ import annotations

import json
import re

import pytest

from servesim.delivery import timeline


@pytest.fixture
def here(server):
    handle = server.open(clock="frozen", unknown_models="stub")
    yield handle
    handle.close()


def test_what_happened_and_what_is_ahead(command, deploy):
    deploy("fraud")
    lines = command("timeline").stdout.splitlines()
    assert lines[0].split() == ["INSTANT", "ENDPOINT", "WHAT", "ABOUT"]
    assert re.fullmatch(r"2026-01-05T09:00:00Z  fraud +config asked for +tester@example.com  version 1", lines[-6])
    assert lines[-4] == ""
    assert lines[-3].startswith("Now 2026-01-05T09:00:00Z: frozen; next in 8m: ")
    assert lines[-1].startswith("2026-01-05T09:08:00Z  in 8m  fraud/")


def test_of_one_endpoint(command, deploy):
    deploy("fraud")
    deploy("other")
    text = command("timeline", "--endpoint", "other").stdout
    assert "other" in text
    assert "fraud" not in text
    assert command("timeline", "--endpoint", "none").stdout.startswith("Nothing has happened yet.\n")


def test_the_last_lines(command, deploy):
    deploy("fraud")
    assert len(json.loads(command("timeline", "--last", "2", "--json").stdout)["events"]) == 2


def test_following_goes_on_where_it_was_and_begins_anew_after_a_reset(command, deploy, here, monkeypatch):
    deploy("fraud")
    get = timeline.admin_options.__globals__["AdminClient"].get
    asked = []

    def look(client, path, **query):
        if query.get("after") is not None:
            asked.append(query["after"])
            if len(asked) == 1:
                here.clock.advance("10m")
            elif len(asked) == 2:
                here.reset() if hasattr(here, "reset") else here._server.run(here.workspace.reset())
            elif len(asked) == 4:
                raise KeyboardInterrupt
            query["wait"] = 1
        return get(client, path, **query)

    monkeypatch.setattr("servesim.delivery.admin_client.AdminClient.get", look)
    result = command("timeline", "--follow", "--json")
    assert result.exit_code == 0
    events = [json.loads(line) for line in result.stdout.splitlines()]
    sequences = [event["sequence"] for event in events]
    began = sequences.index(1, 1)
    assert sequences == [*range(1, began + 1), *range(1, len(sequences) - began + 1)]
    assert "config serving" in [event["what"] for event in events[:began]]


def test_followed_lines_stand_below_each_other(command, deploy, monkeypatch):
    deploy("fraud")
    get = timeline.admin_options.__globals__["AdminClient"].get

    def look(client, path, **query):
        if query.get("after") is not None:
            raise KeyboardInterrupt
        return get(client, path, **query)

    monkeypatch.setattr("servesim.delivery.admin_client.AdminClient.get", look)
    lines = command("timeline", "--follow").stdout.splitlines()
    assert {line.index("  ") for line in lines} == {20}
    assert len({line[26:38] for line in lines}) == 2


def test_exit_codes(command):
    assert command("timeline", "--url", "http://127.0.0.1:1").exit_code == 5
    assert command("timeline", "--workspace", "nobody").exit_code == 1
    assert command("timeline", "--last", "many").exit_code == 2
