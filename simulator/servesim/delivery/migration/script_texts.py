"""The parts of the script that `servesim migrate plan --script` writes; what differs from plan to plan is in `script`."""

from __future__ import annotations

HEAD = '''#!/usr/bin/env python3
"""{title}

Read it, then run it. It says what it does, and can be run again: what is there already is left as it is.

    {install}
    export DATABRICKS_HOST=https://... DATABRICKS_TOKEN=...
    python migrate.py

Exit code 0: all went well, 1: something did not. Then nothing is turned off.
"""

{standard}

{imports}
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, OperationFailed
from databricks.sdk.service.serving import (
    EndpointCoreConfigInput,
    ServedEntityInput,
    ServingEndpointAccessControlRequest,
    ServingEndpointPermissionLevel,
)
{later}
LEGACY = "/api/2.0/preview/mlflow/endpoints"
PREVIEW = "/api/2.0/preview/mlflow/endpoints-v2"

FAILURES = ({errors})

{tracking}workspace = WorkspaceClient()
problems = []
'''

REGISTER = '''models = MlflowClient(registry_uri="databricks")
unity_catalog = MlflowClient(registry_uri="databricks-uc")


def register(model, versions, target, aliases):
    """Copy versions to Unity Catalog with their tags, unless they are there; return the copies' numbers."""
    there = copies_in(target)
    for version in versions:
        if f"models:/{model}/{version}" not in there and not has_files(model, version):
            raise RuntimeError(f"models:/{model}/{version} has no files; plan with --keep-registry")
    numbers = {}
    for version in versions:
        source = f"models:/{model}/{version}"
        if source not in there:
            original = models.get_model_version(model, version)
            copy = models.copy_model_version(source, target)
            for key, value in {**original.tags, "copied_from": source}.items():
                unity_catalog.set_model_version_tag(target, copy.version, key, value)
            if original.description:
                unity_catalog.update_model_version(target, copy.version, original.description)
            there[source] = str(copy.version)
        numbers[version] = there[source]
        print(f"{source} is {target} version {numbers[version]}")
    for key, value in models.get_registered_model(model).tags.items():
        unity_catalog.set_registered_model_tag(target, key, value)
    for alias, version in aliases.items():
        unity_catalog.set_registered_model_alias(target, alias, numbers[version])
    return numbers


def has_files(model, version):
    """Tell whether a version is a model that was logged: a stub is none."""
    asked = {"name": model, "version": version}
    found = workspace.api_client.do("GET", "/api/2.0/mlflow/model-versions/list-artifacts", query=asked)
    return any(file["path"] == "MLmodel" for file in found.get("files", ()))


def copies_in(target):
    """Return the number of each copy by what it was copied from."""
    try:
        unity_catalog.get_registered_model(target)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}
    numbers = [found.version for found in unity_catalog.search_model_versions(f"name='{target}'")]
    found = [unity_catalog.get_model_version(target, number) for number in numbers]
    return {one.tags["copied_from"]: str(one.version) for one in found if "copied_from" in one.tags}
'''

BODY = '''

def create(name, entity, version, size, scale_to_zero):
    """Create an endpoint, unless it is there and serves that already."""
    try:
        served = workspace.serving_endpoints.get(name)
    except NotFound:
        wanted = ServedEntityInput(
            entity_name=entity, entity_version=version, workload_size=size, scale_to_zero_enabled=scale_to_zero
        )
        workspace.serving_endpoints.create(name, config=EndpointCoreConfigInput(name=name, served_entities=[wanted]))
        print(f"{name} is created with {entity} version {version}")
        return
    config = served.config if served.config and served.config.served_entities else served.pending_config
    if [(one.entity_name, one.entity_version) for one in config.served_entities] != [(entity, version)]:
        raise RuntimeError(f"{name} is there already and serves something else; rename or delete it")
    print(f"{name} is there already")


def wait(name):
    """Wait until an endpoint is ready; raise OperationFailed."""
    found = workspace.serving_endpoints.wait_get_serving_endpoint_not_updating(name, timeout=timedelta(hours=1))
    if found.state.ready.value != "READY":
        raise OperationFailed(f"{name} is {found.state.ready.value}")
    print(f"{name} is READY")


def permit(name, *grants):
    """Grant levels on an endpoint."""
    wanted = [
        ServingEndpointAccessControlRequest(**{kind: who}, permission_level=ServingEndpointPermissionLevel(level))
        for kind, who, level in grants
    ]
    found = workspace.serving_endpoints.get(name)
    workspace.serving_endpoints.update_permissions(found.id, access_control_list=wanted)
    for _, who, level in grants:
        print(f"{name}: {who} {level}")


def score(path, body, content_type="application/json"):
    """Send a request; return the answer."""
    headers = {**workspace.config.authenticate(), "Content-Type": content_type}
    return requests.post(workspace.config.host + path, json=body, headers=headers, timeout=600)


def score_as_before(path, body):
    """Send a request in the form that the old URL takes: the new one, or that of MLflow 1.x; return the answer."""
    answer = score(path, body)
    split, records = body.get("dataframe_split"), body.get("dataframe_records")
    if answer.status_code in (400, 415, 500) and split is not None:
        answer = score(path, split)
    elif answer.status_code in (400, 415, 500) and records is not None:
        answer = score(path, records, "application/json; format=pandas-records")
    return answer


def compare(old, new, body):
    """Send one request to both URLs and hold the predictions against each other."""
    if body is None:
        problems.append(f"{old} is not compared: its version has no input example. Plan with --example MODEL=FILE")
        return
    before, after = score_as_before(old, body), score(new, body)
    for path, answer in ((old, before), (new, after)):
        if answer.status_code != 200:
            problems.append(f"{path} answered {answer.status_code}: {answer.text[:500]}")
            return
    bare = not (isinstance(before.json(), dict) and "predictions" in before.json())
    told = before.json() if bare else before.json()["predictions"]
    if not alike(told, after.json()["predictions"]):
        problems.append(f"{new} predicts {after.text[:500]}, {old} predicted {before.text[:500]}")
        return
    print(f"{new} predicts what {old} does")
    if bare:
        print("  its callers get the predictions bare now; the new URL answers {'predictions': ...}")


def alike(one, other):
    """Tell whether predictions are the same, but for the last digits of numbers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9) or (one != one and other != other)
    return one == other


def is_on(model, api):
    """Tell whether a retired generation still serves a model."""
    try:
        workspace.api_client.do("GET", f"{api}/get-status", query={"registered_model_name": model})
    except (NotFound, BadRequest) as error:
        print(f"{model} is not served by {api} any more: {error}")
        return False
    return True


def disable(model, api):
    """Turn a retired generation off for a model."""
    if is_on(model, api):
        workspace.api_client.do("POST", f"{api}/disable", body={"registered_model_name": model})
        print(f"{model} is off at {api}")
'''

EXAMPLE = '''

def example(model, version):
    """Return the input example that was logged with a version, as a request; None if none was."""
    try:
        folder = mlflow.artifacts.download_artifacts(f"models:/{model}/{version}", registry_uri="databricks")
        logged = mlflow.models.Model.load(folder).load_input_example(folder)
    except MlflowException as error:
        print(f"models:/{model}/{version} cannot be read: {error}")
        return None
    return None if logged is None else json.loads(convert_input_example_to_serving_input(logged))
'''

MAIN = """

for move in ({moves}):
    try:
        move()
    except FAILURES as error:
        problems.append(f"{{move.__doc__}} {{type(error).__name__}}: {{error}}")

if problems:
    print("Nothing is turned off:", *problems, sep="\\n", file=sys.stderr)
    sys.exit(1)

# Last, once no caller uses the old URLs{how}:
{disables}
"""
