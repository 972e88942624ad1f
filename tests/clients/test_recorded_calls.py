"""What clients send here is what they were recorded to send: nothing about servesim changes their calls."""

import itertools
import json
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

RECORDED = [
    json.loads(line)
    for line in Path(__file__).with_name("recorded_calls.jsonl").read_text(encoding="utf-8").splitlines()
]
"""``{client, call, method, path, query, headers, body}``; of the headers those that speak of the request."""

SDK = "databricks-sdk 0.156.0"
MLFLOW = "mlflow 3.17.2"
QUIET = {"Host", "User-Agent", "Accept-Encoding", "Connection", "Content-Length"}
"""Headers that say nothing about the call."""


def recorded(client, call):
    return [
        {key: line[key] for key in ("method", "path", "query", "headers", "body")}
        for line in RECORDED
        if (line["client"], line["call"]) == (client, call)
    ]


def plain(sent):
    headers = {name: value for name, value in sorted(sent.headers.items()) if name not in QUIET}
    if "Authorization" in headers:
        headers["Authorization"] = headers["Authorization"].partition(" ")[0] + " ***"
    if "X-MLflow-Client-Version" in headers:
        headers["X-MLflow-Client-Version"] = "*"
    return {
        "method": sent.method,
        "path": sent.path,
        "query": sent.query,
        "headers": headers,
        "body": sent.body,
    }


def is_at_least(package, least):
    """Tell whether the calls of this version are the recorded ones."""
    try:
        return tuple(map(int, version(package).split(".")[:2])) >= least
    except PackageNotFoundError:
        return False


# --- the SDK --------------------------------------------------------------------------------------


def made(client):
    """Create the endpoint that was recorded, wait for it, and return the serving API."""
    client.serving_endpoints.create_and_wait("ep", config=recorded_config())
    return client.serving_endpoints


def identified(client):
    return made(client).get("ep").id


def recorded_config():
    from databricks.sdk.service import serving as s

    entity = s.ServedEntityInput(
        entity_name="main.d.m",
        entity_version="1",
        name="e1",
        scale_to_zero_enabled=True,
        workload_size="Small",
    )
    traffic = s.TrafficConfig(routes=[s.Route(served_model_name="e1", traffic_percentage=100)])
    return s.EndpointCoreConfigInput(name="ep", served_entities=[entity], traffic_config=traffic)


def control_calls():
    from databricks.sdk.service import serving as s

    config = recorded_config()
    entity, traffic = config.served_entities[0], config.traffic_config
    gateway = s.AiGatewayConfig(usage_tracking_config=s.AiGatewayUsageTrackingConfig(enabled=True))
    return {
        "create": lambda client: client.serving_endpoints.create(
            "ep",
            config=config,
            ai_gateway=gateway,
            route_optimized=True,
            tags=[s.EndpointTag(key="k", value="v")],
        ),
        "create_and_wait": made,
        "get": lambda client: made(client).get("ep"),
        "list": lambda client: list(client.serving_endpoints.list()),
        "update_config": lambda client: made(client).update_config(
            "ep", served_entities=[entity], traffic_config=traffic
        ),
        "update_config_and_wait": lambda client: made(client).update_config_and_wait("ep", served_entities=[entity]),
        "delete": lambda client: made(client).delete("ep"),
        "current_user.me": lambda client: client.current_user.me(),
    }


def query_calls():
    from databricks.sdk.service import serving as s

    return {
        "query dataframe_split": lambda client: made(client).query(
            "ep", dataframe_split=s.DataframeSplitInput(columns=["a"], data=[[1]])
        ),
        "query dataframe_records": lambda client: made(client).query("ep", dataframe_records=[{"a": 1}]),
        "query instances": lambda client: made(client).query("ep", instances=[[1]]),
        "query inputs": lambda client: made(client).query("ep", inputs={"a": [1]}),
        "query client_request_id": lambda client: made(client).query("ep", inputs=[1], client_request_id="rid"),
    }


def setting_calls():
    from databricks.sdk.service import serving as s

    return {
        "patch": lambda client: made(client).patch("ep", add_tags=[s.EndpointTag("k", "v")], delete_tags=["z"]),
        "put": lambda client: made(client).put(
            "ep",
            rate_limits=[s.RateLimit(calls=1, key=s.RateLimitKey.USER, renewal_period=s.RateLimitRenewalPeriod.MINUTE)],
        ),
        "put_ai_gateway": lambda client: made(client).put_ai_gateway(
            "ep",
            inference_table_config=s.AiGatewayInferenceTableConfig(
                "c", enabled=True, schema_name="s", table_name_prefix="p"
            ),
            rate_limits=[
                s.AiGatewayRateLimit(
                    calls=5,
                    key=s.AiGatewayRateLimitKey.ENDPOINT,
                    renewal_period=s.AiGatewayRateLimitRenewalPeriod.MINUTE,
                )
            ],
            usage_tracking_config=s.AiGatewayUsageTrackingConfig(enabled=True),
        ),
        "update_notifications": lambda client: made(client).update_notifications(
            "ep", email_notifications=s.EmailNotifications(on_update_failure=["a@b"])
        ),
        "patch_telemetry_config": lambda client: made(client).patch_telemetry_config("ep"),
    }


def reading_calls():
    return {
        "logs": lambda client: made(client).logs("ep", "e1"),
        "build_logs": lambda client: made(client).build_logs("ep", "e1"),
        "export_metrics": lambda client: made(client).export_metrics("ep"),
        "get_open_api": lambda client: made(client).get_open_api("ep"),
    }


def permission_calls():
    from databricks.sdk.service import serving as s

    access, level = s.ServingEndpointAccessControlRequest, s.ServingEndpointPermissionLevel
    return {
        "get_permission_levels": lambda client: client.serving_endpoints.get_permission_levels(identified(client)),
        "get_permissions": lambda client: client.serving_endpoints.get_permissions(identified(client)),
        "set_permissions": lambda client: client.serving_endpoints.set_permissions(
            identified(client),
            access_control_list=[access(user_name="a@b", permission_level=level.CAN_QUERY)],
        ),
        "update_permissions": lambda client: client.serving_endpoints.update_permissions(
            identified(client),
            access_control_list=[access(group_name="g", permission_level=level.CAN_VIEW)],
        ),
    }


def sdk_calls():
    return control_calls() | query_calls() | setting_calls() | reading_calls() | permission_calls()


@pytest.mark.sdk
@pytest.mark.skipif(not is_at_least("databricks-sdk", (0, 156)), reason="the calls of a newer SDK are recorded")
@pytest.mark.servesim(poll="settle")
@pytest.mark.parametrize("call", dict.fromkeys(line["call"] for line in RECORDED if line["client"] == SDK))
def test_the_sdk_sends_what_was_recorded(servesim, sent, call):
    servesim.models.stub("main.d.m", "echo", signature={"a": "long"} if call == "get_open_api" else None)
    client = servesim.client()
    if call == "WorkspaceClient":
        assert [plain(one) for one in sent] == recorded(SDK, call)
        return
    sdk_calls()[call](client)
    expected = recorded(SDK, call)
    assert [without_id(plain(one)) for one in sent[-len(expected) :]] == expected


def without_id(call):
    """Put the id that was recorded in place of an endpoint's own."""
    return {**call, "path": re.sub(r"(?<=permissions/serving-endpoints/)[0-9a-f]{32}", "0123", call["path"])}


# --- MLflow ---------------------------------------------------------------------------------------

CONFIG = {"served_entities": [{"entity_name": "main.d.m", "entity_version": "1"}]}

MLFLOW_CALLS = {
    "list_endpoints": lambda client: client.list_endpoints(),
    "get_endpoint": lambda client: client.get_endpoint(endpoint="ep"),
    "create_endpoint": lambda client: client.create_endpoint(config={"name": "ep", "config": CONFIG}),
    "update_endpoint_config": lambda client: client.update_endpoint_config(endpoint="ep", config=CONFIG),
    "delete_endpoint": lambda client: client.delete_endpoint(endpoint="ep"),
    "update_endpoint_tags": lambda client: client.update_endpoint_tags(
        endpoint="ep", config={"add_tags": [{"key": "k", "value": "v"}], "delete_tags": ["z"]}
    ),
    "update_endpoint_rate_limits": lambda client: client.update_endpoint_rate_limits(
        endpoint="ep", config={"rate_limits": [{"calls": 1, "key": "user", "renewal_period": "minute"}]}
    ),
    "update_endpoint_ai_gateway": lambda client: client.update_endpoint_ai_gateway(
        endpoint="ep", config={"usage_tracking_config": {"enabled": True}}
    ),
    "predict": lambda client: client.predict(
        endpoint="ep", inputs={"dataframe_split": {"columns": ["a"], "data": [[1]]}}
    ),
}


@pytest.mark.mlflow
@pytest.mark.servesim(poll="settle")
@pytest.mark.parametrize("call", MLFLOW_CALLS)
def test_mlflow_sends_what_was_recorded(servesim, sent, call, monkeypatch):
    deployments = pytest.importorskip("mlflow.deployments", reason="the extra `mlflow` is not installed")
    servesim.models.stub("main.d.m", "echo")
    for name, value in servesim.env.items():
        monkeypatch.setenv(name, value)
    client = deployments.get_deploy_client("databricks")
    if call not in {"list_endpoints", "create_endpoint"}:
        client.create_endpoint(config={"name": "ep", "config": CONFIG})
        client.get_endpoint(endpoint="ep")
    sent.clear()
    MLFLOW_CALLS[call](client)
    expected = recorded(MLFLOW, call)
    if call == "update_endpoint_config":  # recorded with a config of nothing, which is refused here
        expected[1]["body"] = CONFIG
    # How often discovery is asked depends on what MLflow has kept from before.
    assert [call for call, _ in itertools.groupby(plain(one) for one in sent)] == expected
