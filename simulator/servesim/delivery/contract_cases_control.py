"""Cases of the control plane that leave no endpoint behind: reads, and what is refused."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from servesim.delivery.client import ENDPOINTS, endpoint_path
from servesim.delivery.contract_talk import NotRun, dig, named, rows

if TYPE_CHECKING:
    from servesim.delivery.contract_talk import Talk

MISSING = "servesim-contract-missing"
NO_TOKEN = "dapi-servesim-contract-wrong"  # noqa: S105 - good for nothing
NAME_RULE = "maximum 63 characters"


def list_endpoints(talk: Talk) -> None:
    """LIST names every endpoint once, with both twins of its entities."""
    document = _listed(talk, ENDPOINTS)
    names = [one.get("name") for one in rows(document, "endpoints")]
    talk.same("how many names differ", len(set(map(str, names))), len(names))
    talk.that(all("pending_config" not in one for one in rows(document, "endpoints")), "no pending_config in LIST")


def list_with_slash(talk: Talk) -> None:
    """LIST answers with a slash at the end of its path as without: mlflow.deployments sends one."""
    with_slash = _listed(talk, ENDPOINTS + "/")
    without = _listed(talk, ENDPOINTS)
    told, expected = ([one.get("name") for one in rows(document, "endpoints")] for document in (with_slash, without))
    talk.same("what the two name", told, expected)


def endpoint_details(talk: Talk) -> None:
    """GET of an endpoint gives its state, its config with both twins, and an id of 32 hexadecimal digits."""
    for name in _names(talk):
        answered = talk.get(endpoint_path(name))
        if talk.status(answered):
            check_endpoint(talk, answered.document, name)


def endpoint_path_as_clients_write_it(talk: Talk) -> None:
    """A lone question mark (Go) or a slash behind an endpoint's path changes nothing."""
    name = _names(talk)[0]
    for end in ("?", "/"):
        answered = talk.get(endpoint_path(name) + end)
        if talk.status(answered):
            talk.same("name", dig(answered.document, "name"), name)


def endpoint_readings(talk: Talk) -> None:
    """Events, metrics and the OpenAPI document of an endpoint can be read, or are refused in the service's words."""
    for name in _names(talk):
        path = endpoint_path(name)
        events = talk.get(path + "/events?limit=1")
        if talk.status(events):
            talk.that(len(rows(events.document, "events")) <= 1, "no more events than the limit")
        talk.status(talk.get(path + "/metrics", headers={"Accept": "text/plain"}), 200, 404)
        talk.status(talk.get(path + "/openapi", headers={"Accept": "text/plain"}), 200, 400)


def entity_readings(talk: Talk) -> None:
    """Logs and build logs of a served entity are one text each; whether its model can be optimized is told."""
    name, entity = _served(talk)
    path = f"{endpoint_path(name)}/served-models/{quote(str(entity.get('name')), safe='')}"
    for kind in ("logs", "build-logs"):
        answered = talk.get(f"{path}/{kind}")
        if talk.status(answered):
            talk.that(isinstance(dig(answered.document, "logs"), str), "logs as text")
    model = f"{quote(str(entity.get('entity_name')), safe='')}/{quote(str(entity.get('entity_version')), safe='')}"
    talk.status(talk.get(f"{ENDPOINTS}/get-model-optimization-info/{model}"))


def missing_endpoint(talk: Talk) -> None:
    """An endpoint that is not there is refused with 404 RESOURCE_DOES_NOT_EXIST, whatever is asked of it."""
    for end in ("", "/events", "/metrics", "/openapi", "/served-models/one/logs"):
        answered = talk.get(f"{ENDPOINTS}/{MISSING}{end}")
        if talk.refused(answered, 404, "RESOURCE_DOES_NOT_EXIST"):
            talk.that(MISSING in str(dig(answered.document, "message")), "the endpoint's name in the message")


def no_token(talk: Talk) -> None:
    """A call without a token is refused with 401, and the number stands as its error_code."""
    for path in (ENDPOINTS, f"{ENDPOINTS}/{MISSING}"):
        talk.refused(talk.get(path, token=""), 401, 401)


def wrong_token(talk: Talk) -> None:
    """A token that nobody knows is refused with 403, not 401, and is not repeated."""
    talk.hide(NO_TOKEN)
    for path in (ENDPOINTS, f"{ENDPOINTS}/{MISSING}"):
        talk.refused(talk.get(path, token=NO_TOKEN), 403, 403)


def token_as_password(talk: Talk) -> None:
    """Basic credentials of the user `token` are good as a Bearer token is: curl -u token:..."""
    pair = base64.b64encode(f"token:{talk.target.token}".encode()).decode()
    talk.hide(pair)
    talk.status(talk.get(ENDPOINTS, headers={"Authorization": f"Basic {pair}"}))


def unknown_routes(talk: Talk) -> None:
    """A path that nobody knows is refused, with an error_code and a message: no client takes it for an answer."""
    for method, path in (
        ("GET", "/api/2.0/servesim-contract/unknown"),
        ("GET", f"{ENDPOINTS}/{MISSING}/unknown"),
        ("POST", f"/serving-endpoints/{MISSING}/unknown"),
    ):
        answered = talk.send(method, path, None if method == "GET" else {})
        talk.that(answered.status >= 400, "a refusal")  # noqa: PLR2004 - the classes of HTTP's errors
        talk.that(isinstance(dig(answered.document, "error_code"), str), "an error_code in words")
        talk.that(isinstance(dig(answered.document, "message"), str), "a message")


def changes_of_a_missing_endpoint(talk: Talk) -> None:
    """A change of an endpoint that is not there is refused with 404 RESOURCE_DOES_NOT_EXIST."""
    config = {"served_entities": [{"entity_name": "main.servesim.contract", "entity_version": "1"}]}
    for method, end, body in (
        ("PUT", "/config", config),
        ("PATCH", "/tags", {"add_tags": [{"key": "a"}]}),
        ("PUT", "/rate-limits", {"rate_limits": []}),
        ("PUT", "/ai-gateway", {}),
        ("PATCH", "/notifications", {"email_notifications": {}}),
        ("POST", "/config:stop", {}),
        ("POST", "/config:start", {}),
        ("DELETE", "", None),
    ):
        talk.refused(talk.send(method, f"{ENDPOINTS}/{MISSING}{end}", body), 404, "RESOURCE_DOES_NOT_EXIST")


def endpoint_names(talk: Talk) -> None:
    """A name that no endpoint can have is refused in the service's words."""
    for name in ("", "-edge", "edge-", "a b", "a" * 64):
        answered = talk.send("POST", ENDPOINTS, {"name": name})
        if talk.refused(answered, 400, "INVALID_PARAMETER_VALUE"):
            talk.that(NAME_RULE in str(dig(answered.document, "message")), f"{NAME_RULE!r} in the message")
    talk.refused(talk.send("POST", ENDPOINTS, {"name": "databricks-mine"}), 400, "INVALID_PARAMETER_VALUE")


def bodies_that_are_none(talk: Talk) -> None:
    """A create whose body is no JSON object is refused with 400."""
    for body in (b"", b"{", b"[]", b'"name"', b"\xff"):
        talk.status(talk.send("POST", ENDPOINTS, body), 400)


def config_rules(talk: Talk) -> None:
    """A config that breaks a rule is refused with 400 INVALID_PARAMETER_VALUE and creates nothing."""
    name = "servesim-contract-refused"
    one = {"name": "one", "entity_name": "main.servesim.contract", "entity_version": "1"}
    two = {**one, "name": "two"}
    route = {"served_model_name": "one", "traffic_percentage": 90}
    for config in (
        {"served_entities": [one, one], "traffic_config": {"routes": [route]}},
        {"served_entities": [one, two]},
        {"served_entities": [one], "traffic_config": {"routes": [route]}},
        {"served_entities": [one], "traffic_config": {"routes": [{**route, "served_model_name": "three"}]}},
        {"served_entities": [{**one, "workload_size": "Enormous"}]},
    ):
        answered = talk.send("POST", ENDPOINTS, {"name": name, "config": config})
        if answered.well:
            talk.undo[f"endpoint {name}"] = lambda: talk.send("DELETE", f"{ENDPOINTS}/{name}")
        talk.refused(answered, 400, "INVALID_PARAMETER_VALUE")
    talk.refused(talk.get(f"{ENDPOINTS}/{name}"), 404, "RESOURCE_DOES_NOT_EXIST")


READING = (
    list_endpoints,
    list_with_slash,
    missing_endpoint,
    no_token,
    wrong_token,
    token_as_password,
    unknown_routes,
)
LOOKING = (endpoint_details, endpoint_path_as_clients_write_it, endpoint_readings, entity_readings)
"""What needs an endpoint: that of the suite will do."""
REFUSED = (changes_of_a_missing_endpoint, endpoint_names, bodies_that_are_none, config_rules)


def check_endpoint(talk: Talk, document: Any, name: str) -> None:
    """Expect what holds of every endpoint and no schema can say."""
    talk.same("name", dig(document, "name"), name)
    talk.that(re.fullmatch("[0-9a-f]{32}", str(dig(document, "id"))), "an id of 32 hexadecimal digits")
    for part in ("config", "pending_config"):
        config = dig(document, part)
        if config is None:
            continue
        entities, models = rows(config, "served_entities"), rows(config, "served_models")
        told = [(one.get("name"), one.get("entity_name"), one.get("entity_version")) for one in entities]
        twins = [(one.get("name"), one.get("model_name"), one.get("model_version")) for one in models]
        talk.that(told == twins and told, f"served_models of {part} that say the same as its served_entities")
        routes = rows(config, "traffic_config", "routes")
        talk.same(f"sum of the shares of {part}", sum(_share(route) for route in routes), 100)
        same = all(route.get("served_model_name") == route.get("served_entity_name") for route in routes)
        talk.that(same, f"routes of {part} that name each entity in both ways")


def _share(route: dict[str, Any]) -> int:
    share = route.get("traffic_percentage")
    return share if isinstance(share, int) else 0


def _listed(talk: Talk, path: str) -> Any:
    answered = talk.get(path)
    if talk.status(answered):
        talk.that(isinstance(dig(answered.document, "endpoints"), list), "a list of endpoints")
    return answered.document


def _names(talk: Talk) -> list[str]:
    """Return the endpoints that are looked at: the named one, or the first few; raise NotRun if there is none."""
    if talk.plan.endpoint is not None:
        return [talk.plan.endpoint]
    if "names" not in talk.kept:
        found = rows(talk.get(ENDPOINTS).document, "endpoints")
        talk.kept["names"] = named(found)[: talk.plan.most_endpoints]
    names: list[str] = talk.kept["names"]
    if not names:
        raise NotRun("there is no endpoint to look at")
    return names


def _served(talk: Talk) -> tuple[str, dict[str, Any]]:
    """Return an endpoint and a served entity of its active config; raise NotRun if there is none."""
    for name in _names(talk):
        document = talk.get(endpoint_path(name)).document
        for entity in rows(document, "config", "served_entities"):
            if all(named([entity], field) for field in ("name", "entity_name", "entity_version")):
                return name, entity
    raise NotRun("no endpoint serves a version of a model")
