"""Every refusal of a scoring request that the data plane answers itself: status, code and text, beside the evidence."""

from __future__ import annotations

from servesim.core.errors import Code
from servesim.generations.text import Text

TEXTS: dict[Code, Text] = {
    Code.STOPPED: Text(
        400,
        "BAD_REQUEST",
        "Endpoint '{endpoint}' is stopped. Start it before it is queried.",
        "chosen",
        "the status is documented, code and text are not",
    ),
    Code.NOT_SERVED: Text(
        404,
        "ENDPOINT_NOT_FOUND",
        "The given endpoint does not exist, please retry after checking the specified model and version deployment "
        "exists.",
        "recorded",
        "an answer of a real workspace",
    ),
    Code.ENTITY_NOT_SERVED: Text(
        404,
        "ENDPOINT_NOT_FOUND",
        "The given endpoint does not exist, please retry after checking the specified model and version deployment "
        "exists.",
        "chosen",
        "the sentence that is recorded for an unknown endpoint",
    ),
    Code.VERSION_NOT_SERVED: Text(
        404,
        "RESOURCE_DOES_NOT_EXIST",
        "Nothing is served at {path}: {why}.",
        "chosen",
        "the answer for a version that is not served was never published; 404 is what clients waited out",
    ),
    Code.VERSION_NOT_UP: Text(
        503,
        "TEMPORARILY_UNAVAILABLE",
        "{path} does not answer yet: {state}.",
        "chosen",
        "clients wait out 404 and 503 while a version is deployed; no body was ever published",
    ),
    Code.WRONG_SCORING_URL: Text(
        404,
        "RESOURCE_DOES_NOT_EXIST",
        "Nothing is served at {path}. This model is served at {right}: a published page names the other URL.",
        "chosen",
        "the answer at the URL that the page slips into is not known",
    ),
    Code.HELD_TOO_LONG: Text(
        504,
        "DEADLINE_EXCEEDED",
        "The request to '{entity}' of endpoint '{endpoint}' was held for {waited} s of real time. {advice}",
        "chosen",
        "servesim's own: simulated time did not come",
    ),
    Code.QUEUE_FULL: Text(
        429,
        "RESOURCE_EXHAUSTED",
        "Too many concurrent requests. Consider increasing the provisioned concurrency of the served entity.",
        "documented",
        "the sentence stands on the debugging page, the error_code is chosen",
    ),
    Code.PARALLEL_LIMIT: Text(
        429,
        "RESOURCE_EXHAUSTED",
        "Exceeded max number of parallel requests. Please contact your Databricks representative to increase the limit",
        "documented",
        "the sentence stands on the debugging page, the error_code is chosen",
    ),
    Code.QPS_LIMIT: Text(
        429,
        "REQUEST_LIMIT_EXCEEDED",
        "REQUEST_LIMIT_EXCEEDED: Exceeded workspace rate limit for model serving requests.",
        "chosen",
        "code and text as far as 'rate limit for' are recorded, the rest is not known",
    ),
    Code.RATE_LIMIT: Text(
        429,
        "REQUEST_LIMIT_EXCEEDED",
        "REQUEST_LIMIT_EXCEEDED: Exceeded {key} rate limit for endpoint {endpoint}: {calls} calls per minute.",
        "chosen",
        "code and shape after the recorded refusal by the workspace's rate limit",
    ),
    Code.RELOAD_FAILED: Text(
        500,
        "INTERNAL_ERROR",
        "Served entity '{entity}' could not load its model again: {reason}",
        "chosen",
        "nothing is known about the answer of a replica that lost its model",
    ),
    Code.WORKER_ENDED: Text(
        500,
        "INTERNAL_ERROR",
        "The server process of served entity '{entity}' ended while it had this request.",
        "chosen",
        "nothing is known about the answer of a replica that crashes",
    ),
    Code.EXECUTION_LIMIT: Text(
        504,
        "DEADLINE_EXCEEDED",
        "Timed out while evaluating the model. Verify that the model evaluates within the timeout.",
        "recorded",
        "the sentence is recorded, the error_code is chosen",
    ),
}
