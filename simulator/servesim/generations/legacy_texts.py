"""Every refusal of legacy serving that no other surface has: status, code and text, beside the evidence."""

from __future__ import annotations

from servesim.core.errors import Code
from servesim.generations.text import INVALID, Text

TEXTS: dict[Code, Text] = {
    Code.LEGACY_NOT_ENABLED: Text(
        *INVALID,
        "Serving is not enabled for registered model '{model}'. Enable it first: POST "
        "/api/2.0/preview/mlflow/endpoints/enable.",
        "chosen",
        "status and code are observed where a model is not served, the text is not known",
    ),
    Code.LEGACY_VERSION_MISSING: Text(
        *INVALID,
        "Version '{version}' of registered model '{model}' is not served: archived versions are not, and those that are "
        "not registered yet. Served are: {served}.",
        "chosen",
        "the code is the one for a model that is not served",
    ),
}
