"""`servesim why` against a server of this process."""

from __future__ import annotations

import json


def test_why_tells_the_story(command, deploy, score, here):
    deploy("fraud")
    here.clock.advance("10m")
    answer = score("fraud").result()
    result = command("why", answer.headers["X-Request-Id"])
    assert result.exit_code == 0
    asked, routed, answered = result.stdout.splitlines()
    assert asked == "tester@example.com asked POST /serving-endpoints/fraud/invocations at 2026-01-05T09:10:00Z."
    assert routed.startswith("By config version 1 of 'fraud' the shares are 'fraud-1' 100 % (0.00 to 1.00); ")
    assert answered.startswith("Version 1 of 'main.ml.fraud' (served entity 'fraud-1') answered 200 at ")


def test_why_of_a_refused_control_plane_call(command, call):
    refused = call("DELETE", "/api/2.0/serving-endpoints/none")
    request_id = json.loads(refused.body)["details"][0]["request_id"]
    result = command("why", request_id)
    assert "RESOURCE_DOES_NOT_EXIST: Endpoint with name 'none' does not exist." in result.stdout
    assert "Evidence for the text: recorded" in result.stdout
    assert json.loads(command("why", request_id, "--json").stdout)["refused"]["grade"] == "recorded"


def test_exit_codes(command):
    unknown = command("why", "a/b?c")
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert "no request 'a/b?c' on record" in unknown.stderr
    assert command("why").exit_code == 2
    assert command("why", "1", "--url", "http://127.0.0.1:1").exit_code == 5
