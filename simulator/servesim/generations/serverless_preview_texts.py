"""What the serverless preview refuses: status, code and text, beside the evidence for it."""

from __future__ import annotations

from servesim.core.errors import Code
from servesim.generations.text import INVALID, MISSING, Text

TEXTS: dict[Code, Text] = {
    Code.PREVIEW_DISABLED: Text(
        404,
        "FEATURE_DISABLED",
        "Serverless Real-Time Inference is not enabled for this workspace: it is {state}. To go on, {advice}. "
        "A simulated workspace begins with it by --serverless-preview enabled, or serverless_preview=.",
        "chosen",
        "status and code are observed at get-status, the text is not known",
    ),
    Code.PREVIEW_NOT_ENABLED: Text(
        *MISSING,
        "Registered model '{model}' is not served by Serverless Real-Time Inference. Enable it first: "
        'POST /api/2.0/preview/mlflow/endpoints-v2/enable {{"registered_model_name": ...}}.',
        "chosen",
        "status and code are observed, the text is not known",
    ),
    Code.PREVIEW_VERSION_MISSING: Text(
        *MISSING,
        "Version '{version}' of registered model '{model}' is not served; served are {served}. Versions in Staging "
        "and Production are, by their numbers.",
        "chosen",
        "that other versions cannot be served is documented; status, code and text are not known",
    ),
    Code.LEGACY_STILL_ON: Text(
        *INVALID,
        "Registered model '{model}' is still served by Legacy MLflow Model Serving, which has to be disabled first: "
        'POST /api/2.0/preview/mlflow/endpoints/disable {{"registered_model_name": ...}}.',
        "chosen",
        "that legacy serving must be off first is documented; status, code and text are not known",
    ),
    Code.NO_FAILED_UPDATE: Text(
        *INVALID,
        "Version {version} of registered model '{model}' has no failed update of its compute config to try again.",
        "chosen",
    ),
    Code.REPLICA_MISSING: Text(
        *MISSING,
        "Replica '{replica}' does not exist, or not any more; there are {known}.",
        "chosen",
        "status and code are observed, the text is not known",
    ),
    Code.BUILD_LOGS_MISSING: Text(
        *MISSING,
        "The build logs of version {version} of registered model '{model}' could not be parsed: its container is not "
        "built.",
        "chosen",
        "status, code and the words 'could not be parsed' are observed, the rest of the text is not known",
    ),
    Code.MODEL_IN_UC: Text(
        *INVALID,
        "'{model}' is a name of Unity Catalog, and this surface ({surface}) serves models of the workspace registry "
        "alone. Create a Model Serving endpoint with it instead: POST /api/2.0/serving-endpoints.",
        "chosen",
        "the pages speak of the workspace registry and of stages, which Unity Catalog has not",
    ),
    Code.CLUSTERS_NOT_PERMITTED: Text(
        403,
        "PERMISSION_DENIED",
        "{principal} may not create clusters, which is needed to change what is served ({what}). An administrator can "
        "grant the entitlement 'allow-cluster-create'.",
        "chosen",
        "that the right is needed is documented; status, code and text are not known",
    ),
}
