"""Which dates concern a body: fields and values of one operation or of every one, however the body is written."""

from __future__ import annotations

import json

import pytest

from servesim.core.calendar import Ending
from servesim.generations.dated import Dated


def used(what, document, operation="update_config", body=None):
    dated = Dated((Ending(what, None, 1, "", ""),))
    return bool([*dated.used(operation, json.dumps(document).encode() if body is None else body, document)])


SIZE = 'value:update_config:served_entities.workload_size="Small"'
CAPTURE = "value:*:auto_capture_config.enabled=true"


@pytest.mark.parametrize(
    ("what", "document", "expected"),
    [
        ("field:update_config:name", {"name": "x"}, True),
        ("field:update_config:name", {"name": ""}, True),
        ("field:update_config:name", {"name": None}, False),
        ("field:update_config:name", {"config": {"name": "x"}}, False),
        ("field:*:name", {"config": {"name": "x"}}, True),
        ("field:*:config.name", {"config": [{"config": {"name": "x"}}]}, True),
        ("field:create_endpoint:name", {"name": "x"}, False),
        ("field:update_config:name", [1], False),
        ("field:update_config:name.first", {"name": "first"}, False),
        (SIZE, {"served_entities": [{"workload_size": "Large"}, {"workload_size": "Small"}]}, True),
        (SIZE, {"served_entities": [{"workload_size": "Large"}]}, False),
        (SIZE, {"served_entities": [{"workload_size": "small"}]}, False),
        (CAPTURE, {"config": {"auto_capture_config": {"enabled": True}}}, True),
        (CAPTURE, {"auto_capture_config": {"enabled": "True"}}, True),
        (CAPTURE, {"auto_capture_config": {"enabled": False}}, False),
        (CAPTURE, {"auto_capture_config": {"enabled": "false"}}, False),
        (CAPTURE, {"auto_capture_config": {"enabled": 1}}, False),
        (CAPTURE, {"enabled": True}, False),
        ("value:update_config:a=1", {"a": 1.0}, True),
        ("value:update_config:a=1", {"a": "1"}, True),
        ("value:update_config:a=1", {"a": True}, False),
        ('value:update_config:a=["x"]', {"a": ["x"]}, False),  # lists are looked through
        ('value:update_config:a="x"', {"a": ["x"]}, True),
    ],
)
def test_a_rule_concerns_what_it_names(what, document, expected):
    assert used(what, document) is expected


@pytest.mark.parametrize(
    "body",
    [b'{"\\u006eame": "x"}', '{"name": "x"}'.encode("utf-16"), '{"name": "x"}'.encode("utf-32")],
    ids=["escape", "utf-16", "utf-32"],
)
def test_no_way_of_writing_a_key_hides_it(body):
    assert used("field:update_config:name", {"name": "x"}, body=body)


def test_a_calendar_of_surfaces_alone_asks_for_nothing():
    dated = Dated((Ending("legacy", 1, 2, "", ""),))
    assert (dated.operations, dated.rules, dated.name_operations) == ({}, (), False)
    dated = Dated((Ending(CAPTURE, 1, 2, "", ""),))
    assert not dated.name_operations
    assert Dated((Ending(SIZE, 1, 2, "", ""),)).name_operations
    assert Dated((Ending("operation:update_tags", 1, 2, "", ""),)).name_operations
