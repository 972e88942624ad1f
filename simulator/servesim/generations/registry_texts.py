"""Every error of the model registries and of the files in them: status, code and text, beside the evidence for it."""

from __future__ import annotations

from servesim.core.errors import Code
from servesim.generations.text import INVALID, MISSING, Text

_DENIED = (403, "PERMISSION_DENIED")
_NOT_FOUND = (404, "NOT_FOUND")
_OPEN_SOURCE = "open source MLflow's own server; whether the service says the same is not known"

TEXTS: dict[Code, Text] = {
    # --- models and versions ----------------------------------------------------------------------
    Code.MODEL_MISSING: Text(
        *MISSING,
        "Registered model '{model}' does not exist.{hint}",
        "chosen",
        "that it fails at once is observed, the text is not known",
    ),
    Code.VERSION_MISSING: Text(
        *MISSING,
        "Version {version} of registered model '{model}' does not exist; it has {known}.",
        "chosen",
        "that it fails at once is observed, the text is not known",
    ),
    Code.VERSION_NOT_READY: Text(
        *INVALID,
        "Version {version} of registered model '{model}' cannot be served: its status is {status}. {why}",
        "chosen",
        "nothing is known about serving a version whose registration has not ended",
    ),
    Code.VERSION_NUMBER_INVALID: Text(
        *INVALID,
        "'{version}' is no version of a model: versions are whole numbers from 1 on.",
        "chosen",
        "that open source MLflow refuses it with 400 is documented, the text is not the same",
    ),
    Code.VERSION_ACTIVE: Text(
        *INVALID,
        "Version {version} of registered model '{model}' is in stage {stage}; only what is in None or Archived can be "
        "deleted. Move it there first.",
        "chosen",
        "the rule is documented on the page about the workspace registry, status, code and text are not known",
    ),
    Code.MODEL_EXISTS: Text(
        400,
        "RESOURCE_ALREADY_EXISTS",
        "Registered model '{model}' already exists.",
        "chosen",
        "status and code are documented: MLflow's clients go on by them; the text is not known",
    ),
    Code.MODEL_NAME_EMPTY: Text(
        *INVALID,
        "Got an invalid name ''. Registered Model names cannot be empty strings.",
        "recorded",
        "a refusal of a real workspace",
    ),
    Code.MODEL_NAME_INVALID: Text(
        *INVALID,
        "'{model}' is no name of a registered model: {why}.",
        "chosen",
        "that names cannot contain '/' or ':' is open source MLflow's rule; the text is not known",
    ),
    Code.MODEL_NAME_LEVELS: Text(
        *INVALID,
        "'{model}' is no name in Unity Catalog: specify all three levels, <catalog>.<schema>.<model>.",
        "chosen",
        "the words 'specify all three levels' are those that MLflow's client looks for; the rest is not known",
    ),
    Code.MODEL_ELSEWHERE: Text(
        *INVALID,
        "'{model}' is a name of Unity Catalog. The workspace registry does not know it: use the registry "
        "'databricks-uc', or a name without three levels.",
        "chosen",
    ),
    Code.MODEL_NOT_PERMITTED: Text(
        *_DENIED,
        "You need {needed} on registered model '{model}' for this; an administrator or whoever manages the model can "
        "grant it.",
        "chosen",
        "that permission levels are enforced is documented, the text is not known",
    ),
    Code.MODEL_PERMISSIONS_MISSING: Text(
        *MISSING,
        "Registered model with id '{id}' does not exist. Permissions are kept by the model's id, not by its name: "
        "databricks/registered-models/get tells it.",
        "chosen",
    ),
    Code.MODEL_LEVEL_UNKNOWN: Text(
        *INVALID,
        "'{level}' is no permission level of a registered model; those are CAN_READ, CAN_EDIT, "
        "CAN_MANAGE_STAGING_VERSIONS, CAN_MANAGE_PRODUCTION_VERSIONS and CAN_MANAGE.",
        "chosen",
        "the levels are documented, their refusal is not",
    ),
    Code.MODEL_LIMIT: Text(
        429,
        "RESOURCE_EXHAUSTED",
        "There are {limit} {what}, which is as many as there may be. Delete some first.",
        "chosen",
        "limits are documented for Unity Catalog, their refusal is not",
    ),
    Code.MODEL_TAG_INVALID: Text(
        *INVALID,
        "'{key}' is no key of a tag: keys have 1 to {most} characters and no control characters.",
        "chosen",
    ),
    Code.STAGE_INVALID: Text(
        *INVALID,
        "Invalid Model Version stage: {stage}. Value must be one of None, Staging, Production, Archived.",
        "documented",
        _OPEN_SOURCE,
    ),
    Code.STAGE_IN_UC: Text(
        *INVALID,
        "'{model}' is a model in Unity Catalog, where versions have no stages. Give the version an alias instead.",
        "chosen",
        "that there are no stages is documented; MLflow's clients refuse the call themselves",
    ),
    Code.ARCHIVE_INACTIVE: Text(
        *INVALID,
        "Model version transition cannot archive existing model versions because '{stage}' is not an Active stage. "
        "Valid stages are ['Staging', 'Production']",
        "chosen",
        "the text is open source MLflow's, which answers it with 500, a status that its clients try again for minutes; "
        "whether the service has the rule is not known",
    ),
    Code.ALIAS_INVALID: Text(
        *INVALID,
        "'{alias}' is no alias: use letters, digits, '_' and '-', and neither a number, 'latest' nor v1, v2 and so on.",
        "chosen",
        "the rules are open source MLflow's",
    ),
    Code.ALIAS_MISSING: Text(
        *MISSING,
        "Registered model '{model}' has no alias '{alias}'; it has {known}.",
        "chosen",
    ),
    # --- searching --------------------------------------------------------------------------------
    Code.FILTER_INVALID: Text(
        *INVALID,
        "The filter {filter} cannot be read: {reason}. Write for example name = 'fraud' AND tags.team = 'risk'.",
        "chosen",
    ),
    Code.ORDER_INVALID: Text(
        *INVALID,
        "Results cannot be ordered by {order}: {reason}.",
        "chosen",
    ),
    Code.PAGE_TOKEN_INVALID: Text(
        *INVALID,
        "'{token}' is no page token of this search; send the next_page_token of its answer before, with the same "
        "filter and order.",
        "chosen",
    ),
    # --- sources and files ------------------------------------------------------------------------
    Code.SOURCE_OUTSIDE: Text(
        *INVALID,
        "The source '{source}' lies outside the folders that servesim registers models from: {root}. Move it there, "
        "or name another folder: servesim serve --model-root DIR.",
        "chosen",
        "servesim's own: the service reads no folder of a client's machine",
    ),
    Code.SOURCE_UNREADABLE: Text(
        *INVALID,
        "The source '{source}' cannot be registered: {reason}.",
        "chosen",
        "servesim's own: the service reads no folder of a client's machine",
    ),
    Code.UPLOADS_NEED_LOOPBACK: Text(
        *_DENIED,
        "Loading a model runs its code, so models are registered over HTTP only while servesim listens on loopback. "
        "Name them when the server starts: --model, --mlflow-registry or a scenario.",
        "chosen",
        "servesim's own",
    ),
    Code.PATH_INVALID: Text(
        *INVALID,
        "'{path}' is no path of a file here: {reason}.",
        "chosen",
    ),
    Code.FILE_MISSING: Text(
        *_NOT_FOUND,
        "The file '{path}' does not exist.",
        "chosen",
        "the code is what MLflow's client looks for; the text is not known",
    ),
    Code.FOLDER_MISSING: Text(
        *_NOT_FOUND,
        "The directory '{path}' does not exist.",
        "chosen",
        "the code is what MLflow's client looks for; the text is not known",
    ),
    Code.FILE_EXISTS: Text(
        409,
        "ALREADY_EXISTS",
        "The file '{path}' already exists. Send overwrite=true to replace it.",
        "chosen",
        "that it is refused with 409 is documented, the text is not known",
    ),
    Code.VERSION_SEALED: Text(
        *INVALID,
        "Version {version} of registered model '{model}' is registered: its files do not change any more. Register "
        "another version.",
        "chosen",
    ),
    Code.UPLOAD_QUOTA: Text(
        *INVALID,
        "This upload of {size} bytes does not fit: servesim keeps {limit} bytes of artifacts. Delete versions, or "
        "allow more: servesim serve --artifact-quota.",
        "chosen",
        "servesim's own",
    ),
    Code.UPLOAD_TRUNCATED: Text(
        *INVALID,
        "The upload of '{path}' ended after {size} of {announced} bytes; nothing of it was kept. Send it again.",
        "chosen",
        "servesim's own",
    ),
    Code.UPLOADS_BUSY: Text(
        429,
        "RESOURCE_EXHAUSTED",
        "{limit} uploads are on their way, and none of them has ended within {seconds} s. Try again later.",
        "chosen",
        "servesim's own",
    ),
    Code.SIGNED_URL_INVALID: Text(
        *_DENIED,
        "This URL is not good for this call, or not any more: ask for another with create-upload-url or "
        "create-download-url.",
        "chosen",
    ),
    # --- express deployments ----------------------------------------------------------------------
    Code.NOT_EXPRESS: Text(
        *INVALID,
        "Version {version} of model '{model}' cannot be staged for an express deployment: {rule}. It stays "
        "registered, and is deployed by an ordinary container build.",
        "chosen",
        "the rules are documented on the express deployments page, the code is what MLflow's client looks at; the "
        "text is not known",
    ),
}
