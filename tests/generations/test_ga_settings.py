"""Settings to what is kept of them: types as the API has them, unknown fields left out, refusals by field."""

import json

import pytest

from servesim.core.access import Principal
from servesim.core.errors import Code, Rejected
from servesim.generations import ga_settings

WHO = Principal("tester@example.com")


def gateway(**body):
    return json.loads(ga_settings.read_gateway("fraud", body, WHO).value)


def refused(read, body):
    with pytest.raises(Rejected) as rejected:
        read("fraud", body, WHO)
    assert rejected.value.code is Code.BAD_FIELD
    return rejected.value.fields["field"]


def test_numbers_and_switches_that_came_as_text_are_kept_as_what_they_are():
    limit = {"calls": "5", "renewal_period": "minute"}
    assert gateway(rate_limits=[limit], usage_tracking_config={"enabled": "true"}) == {
        "rate_limits": [{"calls": 5, "renewal_period": "minute"}],
        "usage_tracking_config": {"enabled": True},
    }
    kept = ga_settings.read_rate_limits("fraud", {"rate_limits": [limit]}, WHO).value
    assert json.loads(kept) == [{"calls": 5, "renewal_period": "minute"}]


def test_every_field_of_a_gateway_is_kept():
    guard = {
        "invalid_keywords": ["x"],
        "valid_topics": ["y"],
        "pii": {"behavior": "MASK"},
        "safety": True,
    }
    whole = {
        "fallback_config": {"enabled": True},
        "guardrails": {"input": guard, "output": {"pii": {"behavior": "NONE"}}},
        "inference_table_config": {
            "catalog_name": "main",
            "schema_name": "ml",
            "table_name_prefix": "rows",
            "enabled": True,
        },
        "rate_limits": [
            {"calls": 1, "tokens": 2, "key": "user_group", "principal": "analysts", "renewal_period": "minute"}
        ],
        "usage_tracking_config": {"enabled": False},
    }
    assert gateway(**whole) == whole
    assert list(gateway(**whole)) == sorted(whole)


def test_unknown_fields_are_left_out_at_every_depth():
    planted = {"key_plaintext": "planted", "unknown": "planted"}
    kept = gateway(
        guardrails={"input": {**planted, "safety": True}, "sideways": planted},
        inference_table_config=planted,
        rate_limits=[planted],
        fallback_config=planted,
        **planted,
    )
    assert "planted" not in json.dumps(kept)
    assert kept["guardrails"] == {"input": {"safety": True}}
    assert kept["inference_table_config"] == {"table_name_prefix": "fraud"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"guardrails": {"output": {"pii": {"behavior": "HIDE"}}}}, "guardrails.output.pii.behavior"),
        ({"guardrails": {"input": {"safety": "perhaps"}}}, "guardrails.input.safety"),
        ({"guardrails": {"input": {"valid_topics": "all"}}}, "guardrails.input.valid_topics"),
        ({"inference_table_config": {"catalog_name": 1}}, "inference_table_config.catalog_name"),
        ({"usage_tracking_config": {"enabled": 1}}, "usage_tracking_config.enabled"),
        ({"rate_limits": [{"calls": "many"}]}, "rate_limits[0].calls"),
    ],
)
def test_a_gateway_that_is_wrong_names_its_field(body, field):
    assert refused(ga_settings.read_gateway, body) == field


@pytest.mark.parametrize("fraction", [-0.1, 1.1, True, "0.5"])
def test_a_sampling_fraction_is_a_share(fraction):
    body = {"telemetry_config": {"inference_table_config": {"sampling_fraction": fraction}}}
    assert refused(ga_settings.read_telemetry, body) == "telemetry_config.inference_table_config.sampling_fraction"
