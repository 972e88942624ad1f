"""The rules of ``servesim migrate scan``: what is looked for, when it ends, and what takes its place.

Sources: the published pages on moving to Model Serving and on both retired generations; what GA answers otherwise is
in the contracts. Where a generation's call has no successor, the text says so.
"""

from __future__ import annotations

from typing import NamedTuple

from servesim.core.calendar import AUTO_CAPTURE, LEGACY, SERVERLESS_PREVIEW

ERROR, WARNING, NOTE = "error", "warning", "note"
"""It stops to work; it works, and means something else; it works."""


class Rule(NamedTuple):
    """One thing that is looked for."""

    id: str
    name: str
    what: str
    """What it is and why it matters, as a sentence."""
    ends: str
    """What of the calendar takes it away; empty where no date does."""
    severity: str
    instead: str
    """What takes its place, as a sentence."""
    before: str
    after: str


RULES = (
    Rule(
        "SRV001",
        "legacy-scoring-url",
        "A scoring URL of legacy MLflow Model Serving.",
        LEGACY,
        ERROR,
        "Score the endpoint of Model Serving that serves the model; it knows no stages, so make one for each.",
        "POST https://$HOST/model/iris/Production/invocations",
        "POST https://$HOST/serving-endpoints/iris-Production/invocations",
    ),
    Rule(
        "SRV002",
        "preview-scoring-url",
        "A scoring URL of the Serverless Real-Time Inference preview.",
        SERVERLESS_PREVIEW,
        ERROR,
        "Score the endpoint of Model Serving that serves the model; it knows no stages, so make one for each. The body stays.",
        "POST https://$HOST/model-endpoint/iris/Production/invocations",
        "POST https://$HOST/serving-endpoints/iris-Production/invocations",
    ),
    Rule(
        "SRV003",
        "legacy-control-call",
        "An operation of legacy MLflow Model Serving.",
        LEGACY,
        ERROR,
        "Manage endpoints with /api/2.0/serving-endpoints; nothing is enabled for a model, an endpoint is created that serves it.",
        'POST /api/2.0/preview/mlflow/endpoints/enable {"registered_model_name": "iris"}',
        'POST /api/2.0/serving-endpoints {"name": "iris-Production", "config": {"served_entities": [{"entity_name": "main.ml.iris", "entity_version": "1", "workload_size": "Small", "scale_to_zero_enabled": true}]}}',
    ),
    Rule(
        "SRV004",
        "preview-control-call",
        "An operation of the Serverless Real-Time Inference preview.",
        SERVERLESS_PREVIEW,
        ERROR,
        "Manage endpoints with /api/2.0/serving-endpoints; nothing is enabled for a model, an endpoint is created that serves it.",
        'PUT /api/2.0/preview/mlflow/endpoints-v2/update-compute-config {"registered_model_name": "iris", "stage": "Staging", "desired_workload_config_spec": {"workload_size_id": "Medium", "scale_to_zero_enabled": true}}',
        'PUT /api/2.0/serving-endpoints/iris-Staging/config {"served_entities": [{"entity_name": "main.ml.iris", "entity_version": "2", "workload_size": "Medium", "scale_to_zero_enabled": true}]}',
    ),
    Rule(
        "SRV005",
        "state-word",
        "A state that only a retired generation answers with; a loop that waits for it never ends.",
        LEGACY,
        ERROR,
        "Wait for state.ready of GET /api/2.0/serving-endpoints/{name}, or for state.config_update after a change.",
        'while status["endpoint_status"]["state"] != "ENDPOINT_STATE_READY": ...',
        'while endpoint["state"]["ready"] != "READY" or endpoint["state"]["config_update"] == "IN_PROGRESS": ...',
    ),
    Rule(
        "SRV006",
        "served-models-spelling",
        "The older spelling of what an endpoint serves; it is still taken.",
        "",
        NOTE,
        "Write served_entities, with entity_name and entity_version in place of model_name and model_version.",
        '{"served_models": [{"model_name": "main.ml.iris", "model_version": "1"}]}',
        '{"served_entities": [{"entity_name": "main.ml.iris", "entity_version": "1"}]}',
    ),
    Rule(
        "SRV007",
        "stage-call",
        "A call that moves or reads stages: an endpoint of Model Serving does not follow them, and Unity Catalog has none.",
        "",
        WARNING,
        "Give the version an alias in Unity Catalog, and move the endpoint to it by a PUT of its config.",
        'client.transition_model_version_stage("iris", "2", "Production", archive_existing_versions=True)',
        'client.set_registered_model_alias("main.ml.iris", "production", "2")\nPUT /api/2.0/serving-endpoints/iris-Production/config {"served_entities": [{"entity_name": "main.ml.iris", "entity_version": "2", "workload_size": "Small", "scale_to_zero_enabled": true}]}',
    ),
    Rule(
        "SRV008",
        "stage-uri",
        "A model addressed by its stage, which Unity Catalog does not have.",
        "",
        WARNING,
        "Address it by an alias.",
        "models:/iris/Production",
        "models:/main.ml.iris@production",
    ),
    Rule(
        "SRV009",
        "bare-split-body",
        "A body of MLflow 1.x: a frame in split orient by itself, which Model Serving refuses with 400.",
        LEGACY,
        ERROR,
        "Put it below the key dataframe_split; the predictions come below the key predictions.",
        'requests.post(url, data=frame.to_json(orient="split"), headers=headers)\nresponse.json()[0]',
        'requests.post(url, json={"dataframe_split": json.loads(frame.to_json(orient="split"))}, headers=headers)\nresponse.json()["predictions"][0]',
    ),
    Rule(
        "SRV010",
        "format-content-type",
        "A content type of MLflow 1.x, which Model Serving refuses with 415.",
        LEGACY,
        ERROR,
        "Send application/json, and name the form by a key of the body: dataframe_split or dataframe_records.",
        "Content-Type: application/json; format=pandas-split",
        'Content-Type: application/json\n{"dataframe_split": {"columns": ["a"], "data": [[1.0]]}}',
    ),
    Rule(
        "SRV011",
        "bare-list-body",
        "A body of MLflow 1.x: a list by itself, which Model Serving refuses with 400.",
        LEGACY,
        ERROR,
        "Put records below the key dataframe_records, and arrays below inputs; the predictions come below the key predictions.",
        'requests.post(url, json=frame.to_dict(orient="records"), headers=headers)',
        'requests.post(url, json={"dataframe_records": frame.to_dict(orient="records")}, headers=headers)',
    ),
    Rule(
        "SRV012",
        "records-without-signature",
        "Records for a model that has no signature: nothing keeps their columns in order, so a model without names may take one for another.",
        "",
        WARNING,
        "Log the model with a signature, or send dataframe_split, which keeps the order.",
        '{"dataframe_records": [{"width": 5.1, "length": 3.5}]}',
        '{"dataframe_split": {"columns": ["length", "width"], "data": [[3.5, 5.1]]}}',
    ),
    Rule(
        "SRV013",
        "auto-capture-config",
        "Inference tables by auto_capture_config, which are no longer to be had.",
        AUTO_CAPTURE,
        ERROR,
        "Use the inference table of AI Gateway.",
        '{"auto_capture_config": {"catalog_name": "main", "schema_name": "ml", "enabled": true}}',
        'PUT /api/2.0/serving-endpoints/iris/ai-gateway {"inference_table_config": {"catalog_name": "main", "schema_name": "ml", "enabled": true}}',
    ),
    Rule(
        "SRV014",
        "workload-size-id",
        "The size of a workload as the Serverless Real-Time Inference preview spells it.",
        SERVERLESS_PREVIEW,
        ERROR,
        "Write workload_size in the served entity.",
        '{"workload_size_id": "Small", "scale_to_zero_enabled": true}',
        '{"workload_size": "Small", "scale_to_zero_enabled": true}',
    ),
)

BY_ID = {rule.id: rule for rule in RULES}

_ENDPOINT = "/api/2.0/serving-endpoints/{name}"
OPERATIONS = {
    "enable": "POST /api/2.0/serving-endpoints, with the version to serve in config.served_entities",
    "disable": f"DELETE {_ENDPOINT}",
    "list": "GET /api/2.0/serving-endpoints",
    "get-status": f"GET {_ENDPOINT}, and read state.ready",
    "list-versions": f"GET {_ENDPOINT}, and read config.served_entities",
    "get-version-status": f"GET {_ENDPOINT}, and read state of the entity in config.served_entities",
    "list-version-aliases": f"GET {_ENDPOINT} of the endpoint that stands for the stage; an endpoint has no aliases",
    "update-cluster-config": f"PUT {_ENDPOINT}/config, with workload_size in place of a node type",
    "update-compute-config": f"PUT {_ENDPOINT}/config, with workload_size and scale_to_zero_enabled in the served entity",
    "restart-compute-config-update": f"PUT {_ENDPOINT}/config once more",
    "get-supported-workload-sizes": "Nothing: the sizes are Small, Medium and Large",
    "get-version-replicas": "Nothing: replicas are not told",
    "get-version-logs": f"GET {_ENDPOINT}/served-models/{{served_model}}/logs",
    "get-version-build-logs": f"GET {_ENDPOINT}/served-models/{{served_model}}/build-logs",
    "get-version-metrics": f"GET {_ENDPOINT}/metrics",
    "get-metric-history": f"GET {_ENDPOINT}/metrics",
    "get-event-history": f"Nothing in the published API: the Events tab of the endpoint; GET {_ENDPOINT} tells its state",
}
"""What does in GA what an operation of either generation did."""

LEGACY_OPERATIONS = (
    "enable", "disable", "list", "get-status", "list-versions", "list-version-aliases", "get-version-logs",
    "get-event-history", "get-metric-history", "update-cluster-config",
)  # fmt: skip
PREVIEW_OPERATIONS = (
    "enable", "disable", "list", "get-status", "list-versions", "get-version-status", "list-version-aliases",
    "update-compute-config", "restart-compute-config-update", "get-supported-workload-sizes", "get-version-replicas",
    "get-version-logs", "get-version-build-logs", "get-version-metrics", "get-event-history",
)  # fmt: skip
