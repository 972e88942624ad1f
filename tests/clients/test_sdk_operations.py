"""Every operation of the SDK's serving API that servesim simulates, by the unmodified SDK."""

import io

import pytest

databricks = pytest.importorskip("databricks.sdk", reason="the extra `clients` is not installed")

from databricks.sdk import errors  # noqa: E402 - only where the SDK is installed
from databricks.sdk.service import serving  # noqa: E402
from databricks.sdk.service.serving import (  # noqa: E402
    AiGatewayConfig,
    AiGatewayInferenceTableConfig,
    AiGatewayRateLimit,
    AiGatewayRateLimitKey,
    AiGatewayRateLimitRenewalPeriod,
    AiGatewayUsageTrackingConfig,
    EndpointCoreConfigInput,
    EndpointTag,
    RateLimit,
    RateLimitKey,
    RateLimitRenewalPeriod,
    ServedEntityInput,
    ServingEndpointAccessControlRequest,
    ServingEndpointPermissionLevel,
)

pytestmark = [pytest.mark.sdk, pytest.mark.servesim(poll="settle")]

MODEL = "main.ml.fraud"
NOT_SIMULATED = {
    "create_provisioned_throughput_endpoint",
    "create_provisioned_throughput_endpoint_and_wait",
    "http_request",
    "update_provisioned_throughput_endpoint_config",
    "update_provisioned_throughput_endpoint_config_and_wait",
}
COVERED = {
    *("build_logs", "create", "create_and_wait", "delete", "export_metrics", "get", "get_open_api", "list", "logs"),
    *("get_permission_levels", "get_permissions", "set_permissions", "update_permissions", "patch", "put"),
    *("patch_telemetry_config", "put_ai_gateway", "query", "update_config", "update_config_and_wait"),
    *("update_notifications", "wait_get_serving_endpoint_not_updating"),
    *("get_open_ai_client", "get_langchain_chat_open_ai_client"),
}
"""Driven here, in test_sdk.py or in test_openai.py; the last two only make another client."""


@pytest.fixture
def endpoints(world):
    """Give the serving API of a workspace in which ``fraud`` is ready; its model has a signature."""
    world.models.stub(MODEL, "constant", value=0.5, version=9, signature={"amount": "double"})
    found = world.client().serving_endpoints
    entity = ServedEntityInput(entity_name=MODEL, entity_version="9", name="champion", scale_to_zero_enabled=True)
    found.create_and_wait("fraud", config=EndpointCoreConfigInput(name="fraud", served_entities=[entity]))
    return found


def text_of(contents):
    return contents.read().decode() if isinstance(contents, io.IOBase) or hasattr(contents, "read") else contents


def test_there_is_no_operation_that_nobody_thought_of(endpoints):
    found = {name for name in dir(type(endpoints)) if not name.startswith("_")}
    assert found - NOT_SIMULATED <= COVERED


@pytest.mark.skipif(not hasattr(serving, "EndpointTags"), reason="older SDKs read a bare list, which is no answer now")
def test_patch_changes_tags(endpoints):
    got = endpoints.patch("fraud", add_tags=[EndpointTag("team", "risk"), EndpointTag("urgent")])
    assert {(tag.key, tag.value) for tag in got.tags} == {("team", "risk"), ("urgent", None)}
    got = endpoints.patch("fraud", add_tags=[EndpointTag("team", "fraud")], delete_tags=["urgent", "unknown"])
    assert [(tag.key, tag.value) for tag in got.tags] == [("team", "fraud")]
    assert [(tag.key, tag.value) for tag in endpoints.get("fraud").tags] == [("team", "fraud")]
    assert [(tag.key, tag.value) for tag in next(iter(endpoints.list())).tags] == [("team", "fraud")]
    assert not endpoints.patch("fraud", delete_tags=["team"]).tags
    assert not endpoints.get("fraud").tags


def test_put_replaces_rate_limits(endpoints):
    limit = RateLimit(calls=10, key=RateLimitKey.USER, renewal_period=RateLimitRenewalPeriod.MINUTE)
    (got,) = endpoints.put("fraud", rate_limits=[limit]).rate_limits
    assert (got.calls, got.key) == (10, RateLimitKey.USER)
    assert not endpoints.put("fraud").rate_limits


def test_put_ai_gateway_replaces_the_whole(endpoints):
    table = AiGatewayInferenceTableConfig(catalog_name="main", schema_name="ml", enabled=True)
    limit = AiGatewayRateLimit(
        calls=5, key=AiGatewayRateLimitKey.ENDPOINT, renewal_period=AiGatewayRateLimitRenewalPeriod.MINUTE
    )
    got = endpoints.put_ai_gateway("fraud", inference_table_config=table, rate_limits=[limit])
    assert got.inference_table_config.table_name_prefix == "fraud"
    assert got.rate_limits[0].calls == 5
    kept = endpoints.get("fraud").ai_gateway
    assert kept.as_dict() == AiGatewayConfig.from_dict(got.as_dict()).as_dict()

    endpoints.put_ai_gateway("fraud", usage_tracking_config=AiGatewayUsageTrackingConfig(enabled=True))
    kept = endpoints.get("fraud").ai_gateway
    assert kept.usage_tracking_config.enabled
    assert kept.inference_table_config is None
    endpoints.put_ai_gateway("fraud")
    assert endpoints.get("fraud").ai_gateway is None


@pytest.mark.skipif(not hasattr(serving.ServingEndpointsAPI, "update_notifications"), reason="newer SDKs only")
def test_update_notifications(endpoints):
    wanted = serving.EmailNotifications(on_update_failure=["ops@example.com"])
    got = endpoints.update_notifications("fraud", email_notifications=wanted)
    assert got.name == "fraud"
    assert got.email_notifications.on_update_failure == ["ops@example.com"]
    assert endpoints.get("fraud").email_notifications.on_update_failure == ["ops@example.com"]


@pytest.mark.skipif(not hasattr(serving.ServingEndpointsAPI, "patch_telemetry_config"), reason="newer SDKs only")
def test_patch_telemetry_config(endpoints):
    config = serving.TelemetryConfig.from_dict({"table_names": {"logs_table": "main.ml.logs"}})
    got = endpoints.patch_telemetry_config("fraud", telemetry_config=config)
    assert got.telemetry_config.telemetry_profile_id
    assert endpoints.patch_telemetry_config("fraud").telemetry_config is None


def test_build_logs_and_logs(endpoints):
    assert endpoints.build_logs("fraud", "champion").logs
    assert endpoints.logs("fraud", "champion").logs is not None
    with pytest.raises(errors.NotFound, match="it has 'champion'"):
        endpoints.logs("fraud", "challenger")
    with pytest.raises(errors.NotFound):
        endpoints.build_logs("nothing", "champion")


def test_export_metrics(endpoints):
    endpoints.query("fraud", dataframe_records=[{"amount": 1.5}])
    text = text_of(endpoints.export_metrics("fraud").contents)
    line = next(line for line in text.splitlines() if line.startswith("request_count_total"))
    assert 'served_entity="champion"' in line
    assert float(line.rpartition("}")[2].split()[0]) == 1


@pytest.mark.skipif("contents" not in serving.GetOpenApiResponse.__dataclass_fields__, reason="newer SDKs only")
def test_get_open_api(endpoints):
    answer = endpoints.get_open_api("fraud")
    document = text_of(answer.contents)
    assert '"openapi":"3.1.0"' in document
    assert "/served-models/champion/invocations" in document


def test_permissions(world, endpoints):
    world.principals.add(user="alice@example.com", groups=["analysts"])
    made = endpoints.get("fraud").id
    levels = {level.permission_level for level in endpoints.get_permission_levels(made).permission_levels}
    assert levels == set(ServingEndpointPermissionLevel)

    query = ServingEndpointAccessControlRequest(
        user_name="alice@example.com", permission_level=ServingEndpointPermissionLevel.CAN_QUERY
    )
    got = endpoints.set_permissions(made, access_control_list=[query])
    assert granted(got) == {("alice@example.com", "CAN_QUERY", False), ("admins", "CAN_MANAGE", True)}
    view = ServingEndpointAccessControlRequest(
        group_name="analysts", permission_level=ServingEndpointPermissionLevel.CAN_VIEW
    )
    endpoints.update_permissions(made, access_control_list=[view])
    merged = endpoints.get_permissions(made)
    assert merged.object_id == f"/serving-endpoints/{made}"
    assert merged.object_type == "serving-endpoint"
    assert granted(merged) == granted(got) | {("analysts", "CAN_VIEW", False)}
    assert granted(endpoints.set_permissions(made)) == {("admins", "CAN_MANAGE", True)}


def granted(permissions):
    return {
        (entry.user_name or entry.group_name, one.permission_level.value, bool(one.inherited))
        for entry in permissions.access_control_list
        for one in entry.all_permissions
    }


def test_permissions_go_by_id(endpoints):
    with pytest.raises(errors.NotFound, match="by the endpoint's id"):
        endpoints.get_permissions("fraud")


def test_a_route_optimized_endpoint_is_queried_over_the_data_plane(world, endpoints):
    from databricks.sdk import WorkspaceClient

    world.principals.add(service_principal="robot", client_secret="planted-client-secret")
    entity = ServedEntityInput(entity_name=MODEL, entity_version="2", scale_to_zero_enabled=True)
    config = EndpointCoreConfigInput(name="fast", served_entities=[entity])
    made = endpoints.create_and_wait("fast", config=config, route_optimized=True)
    assert made.endpoint_url == f"{world.host}/serving-endpoints/fast/invocations"

    def grant(level):
        entry = ServingEndpointAccessControlRequest(service_principal_name="robot", permission_level=level)
        endpoints.update_permissions(made.id, access_control_list=[entry])

    client = WorkspaceClient(host=world.host, client_id="robot", client_secret="planted-client-secret")
    grant(ServingEndpointPermissionLevel.CAN_VIEW)
    with pytest.raises(ValueError, match="User is not authorized to the requested authorizations"):
        client.serving_endpoints_data_plane.query("fast", dataframe_records=[{"amount": 1.5}])
    grant(ServingEndpointPermissionLevel.CAN_QUERY)
    answer = client.serving_endpoints_data_plane.query("fast", dataframe_records=[{"amount": 1.5}])
    assert answer.predictions == [2]


def test_an_endpoint_is_stopped_and_started_over_the_wire(world, endpoints):
    api = world.client().api_client
    api.do("POST", "/api/2.0/serving-endpoints/fraud/config:stop")
    stopped = api.do("GET", "/api/2.0/serving-endpoints/fraud")
    assert (stopped["state"]["ready"], stopped["state"]["suspend"]) == ("NOT_READY", "STOPPED")
    with pytest.raises(errors.BadRequest, match="is stopped"):
        endpoints.query("fraud", dataframe_records=[{"amount": 1.5}])
    api.do("POST", "/api/2.0/serving-endpoints/fraud/config:start")
    started = endpoints.wait_get_serving_endpoint_not_updating("fraud")
    assert started.config.config_version == 2
    assert endpoints.query("fraud", dataframe_records=[{"amount": 1.5}]).predictions == [0.5]
