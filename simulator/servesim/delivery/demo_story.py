"""What the demo does, one step after the other, and what has to come of each.

Rules: a step returns in words what came, or raises Unmet with what came instead; the first that does not
hold is the last that is taken.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from servesim.delivery import demo_models
from servesim.delivery.client import CSV, JSON
from servesim.delivery.demo_models import BROKEN, FOREST, LOGISTIC, MODEL, VERSIONS
from servesim.delivery.demo_stage import ENDPOINT, REQUESTS, Stage, Unmet, require
from servesim.delivery.demo_words import (
    counted,
    entity_input,
    messages_of,
    shares_of,
    state_of,
    traffic_input,
)

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE = "31m"
COLD_START_S = (10, 20)
AFTERWARDS = 50
"""Requests after the failed update."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, what is expected in words, and what takes it."""

    title: str
    expected: str
    take: Callable[[Stage], str]


def register(stage: Stage) -> str:
    """Train and register the models."""
    stage.trained = trained = demo_models.train_and_register(stage.folder)
    imported = stage.import_registry()
    right = {name: f"{VERSIONS[name]} {name}, {share:.0%} right" for name, share in trained.accuracy.items()}
    differ = f"1 and 2 disagree on {len(trained.disagreements)} of {len(trained.rows)} flowers"
    came = f"{MODEL}: {right[LOGISTIC]}; {right[FOREST]}; 3 {BROKEN}; {differ}"
    require(imported == len(VERSIONS), f"{came}; servesim finds {imported} versions")
    return came


def create(stage: Stage) -> str:
    """Create the endpoint and wait for it."""
    from databricks.sdk.service.serving import EndpointCoreConfigInput  # noqa: PLC0415 - an extra

    began = stage.now()
    config = EndpointCoreConfigInput(
        name=ENDPOINT,
        served_entities=[entity_input(LOGISTIC), entity_input(FOREST)],
        traffic_config=traffic_input({LOGISTIC: 90, FOREST: 10}),
    )
    endpoint = stage.client.serving_endpoints.create_and_wait(ENDPOINT, config=config)
    came = f"{state_of(endpoint)} after {stage.since(began)}; {shares_of(endpoint)}"
    require(state_of(endpoint) == "READY and NOT_UPDATING", came)
    require(shares_of(endpoint) == "forest 10%, logistic 90%", came)
    return came


def query_split(stage: Stage) -> str:
    """Query with pandas' split orientation."""
    return stage.query({"dataframe_split": {"columns": stage.trained.columns, "data": stage.sample()}})


def query_records(stage: Stage) -> str:
    """Query with pandas' records orientation."""
    return stage.query({"dataframe_records": stage.records()})


def query_instances(stage: Stage) -> str:
    """Query with the row format of TensorFlow Serving."""
    return stage.query({"instances": stage.records()})


def query_inputs(stage: Stage) -> str:
    """Query with the column format of TensorFlow Serving."""
    columns = [list(column) for column in zip(*stage.sample(), strict=True)]
    return stage.query({"inputs": dict(zip(stage.trained.columns, columns, strict=True))})


def query_csv(stage: Stage) -> str:
    """Query with CSV, which the SDK does not send."""
    lines = [stage.trained.columns, *([str(value) for value in row] for row in stage.sample())]
    body = "".join(",".join(line) + "\n" for line in lines).encode()
    return f"{stage.post(body, CSV, None)} answered; {stage.ask_both(body, CSV)}"


def observe_split(stage: Stage) -> str:
    """Send requests and count who answers."""
    return stage.observe({LOGISTIC: 90, FOREST: 10})


def even_split(stage: Stage) -> str:
    """Move the split to halves."""
    return stage.move({LOGISTIC: 50, FOREST: 50})


def all_to_forest(stage: Stage) -> str:
    """Move everything to the forest; who has no share is reached by its own URL."""
    came = stage.move({LOGISTIC: 0, FOREST: 100})
    body = json.dumps({"dataframe_records": stage.records()}).encode()
    return f"{came}; {stage.post(body, JSON, LOGISTIC)} still answers at its own URL"


def scale_to_zero(stage: Stage) -> str:
    """Let the endpoint stand idle."""
    stage.here.clock.advance(IDLE)
    endpoint = stage.client.serving_endpoints.get(ENDPOINT)
    messages = messages_of(endpoint.config)
    came = f"{state_of(endpoint)}; {', '.join(f'{name}: {messages[name]}' for name in sorted(messages))}"
    require(state_of(endpoint).startswith("READY") and messages.keys() == {LOGISTIC, FOREST}, came)
    require(all("scaled to zero" in message.lower() for message in messages.values()), came)
    return came


def cold_start(stage: Stage) -> str:
    """Query what is scaled to zero."""
    began = stage.now()
    entity = stage.one(0)
    seconds = (stage.now() - began) / 1000
    came = f"{entity} answered, and right, after {seconds:.1f} s"
    require(entity == FOREST and COLD_START_S[0] <= seconds <= COLD_START_S[1], came)
    return came


def failed_update(stage: Stage) -> str:
    """Deploy a version that cannot load."""
    from databricks.sdk.errors import OperationFailed  # noqa: PLC0415 - an extra

    api = stage.client.serving_endpoints
    entities = [entity_input(FOREST), entity_input(BROKEN)]
    try:
        api.update_config_and_wait(
            ENDPOINT, served_entities=entities, traffic_config=traffic_input({FOREST: 50, BROKEN: 50})
        )
    except OperationFailed:
        endpoint = api.get(ENDPOINT)
    else:
        raise Unmet("the SDK waited for the update and raised nothing")
    reason = messages_of(endpoint.pending_config).get(BROKEN, "")
    came = f'OperationFailed; {state_of(endpoint)}: "{reason}"'
    require(state_of(endpoint) == "READY and UPDATE_FAILED" and demo_models.REASON in reason, came)
    return came


def old_config_serves(stage: Stage) -> str:
    """Query after the failed update."""
    counts = stage.count(AFTERWARDS)
    endpoint = stage.client.serving_endpoints.get(ENDPOINT)
    came = f"{AFTERWARDS} right answers: {counted(counts)}; {shares_of(endpoint)}"
    require(counts == {FOREST: AFTERWARDS} and shares_of(endpoint) == "forest 100%, logistic 0%", came)
    return came


def delete(stage: Stage) -> str:
    """Delete the endpoint."""
    from databricks.sdk.errors import NotFound  # noqa: PLC0415 - an extra

    api = stage.client.serving_endpoints
    api.delete(ENDPOINT)
    for attempt in (lambda: api.get(ENDPOINT), lambda: stage.one(0)):
        try:
            attempt()
        except NotFound:
            continue
        raise Unmet("it still answers")
    return "404 to a read and to a query"


FORMATS = {
    "dataframe_split": query_split,
    "dataframe_records": query_records,
    "instances": query_instances,
    "inputs": query_inputs,
    "text/csv": query_csv,
}

STORY = (
    Step(
        "Train two scikit-learn models, register three versions with MLflow",
        "a registry with three versions, the third of which cannot load",
        register,
    ),
    Step(
        "Create an endpoint: 90% logistic, 10% forest",
        "READY and NOT_UPDATING; forest 10%, logistic 90%",
        create,
    ),
    *(
        Step(f"Query with {name}", "each model predicts what scikit-learn itself does", take)
        for name, take in FORMATS.items()
    ),
    Step(f"Send {REQUESTS} requests", "right answers, in shares near 90% and 10%", observe_split),
    Step(
        "Move the split to 50/50",
        "in less than a minute, nothing built; right answers, in shares near one half",
        even_split,
    ),
    Step(
        "Move the split to 0/100",
        "in less than a minute, nothing built; right answers, each of them from forest",
        all_to_forest,
    ),
    Step(f"Send nothing for {IDLE}", "READY, both entities scaled to zero", scale_to_zero),
    Step(
        "Query again: a cold start",
        f"the request is held for {COLD_START_S[0]} to {COLD_START_S[1]} s, then forest answers",
        cold_start,
    ),
    Step(
        "Update to a version that cannot load",
        "OperationFailed from the SDK; READY and UPDATE_FAILED, with the model's own reason",
        failed_update,
    ),
    Step(
        "Query after the failed update",
        f"the old config keeps serving: {AFTERWARDS} right answers from forest",
        old_config_serves,
    ),
    Step("Delete the endpoint", "404 to a read and to a query", delete),
)
