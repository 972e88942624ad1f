"""What `servesim contract probe` asks a workspace: calls that it refuses, each with the refusal of servesim's."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from servesim.core.errors import Code
from servesim.delivery.client import ENDPOINTS, scoring_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PERMISSIONS = "/api/2.0/permissions/serving-endpoints"
MISSING = "servesim-probe-missing"
MISSING_ID = "5e27e5100000400080000000000d0b0e"
MISSING_MODEL = "main.servesim_probe.missing"
BAD_NAME = "servesim probe!"
RESERVED_NAME = "databricks-servesim-probe"
BAD_LEVEL = "CAN_SERVESIM"
BAD_KEY = "servesim.probe"
BAD_VERSION = "987654321"
TOTAL = 87
"""What the shares of a split add up to that must add up to 100."""
NOBODY = {"user_name": "servesim-probe@example.com"}


class Question(NamedTuple):
    """A call that is refused, and servesim's refusal of it with what it knows."""

    asks: str
    code: Code
    method: str
    path: str
    body: Any = None
    """Sent as JSON; bytes as they are."""
    fields: Mapping[str, str] = MappingProxyType({})
    behind: Code | None = None
    """A refusal that a workspace may come to first: an answer like that one settles nothing."""
    may_begin: bool = False
    """Whether a deployment begins if the call is not refused."""


def reading() -> Iterator[Question]:
    """Yield what can be asked without changing anything: names are those of nothing, and bodies cannot be read."""
    path = f"{ENDPOINTS}/{MISSING}"
    it = {"endpoint": MISSING}
    yield Question("a missing endpoint", Code.ENDPOINT_MISSING, "GET", path, fields=it)
    for what in ("events", "metrics", "openapi", "served-models/one/logs", "served-models/one/build-logs"):
        name = what.rpartition("/")[2]
        yield Question(f"{name} of a missing endpoint", Code.ENDPOINT_MISSING, "GET", f"{path}/{what}", fields=it)
    query = scoring_path(MISSING)
    yield Question("a query of a missing endpoint", Code.NOT_SERVED, "POST", query, {"inputs": [1]}, it)
    yield Question("a malformed query of a missing endpoint", Code.NOT_SERVED, "POST", query, b'{"inputs": ', it)
    one = scoring_path(MISSING, "one")
    yield Question("a query of an entity of a missing endpoint", Code.NOT_SERVED, "POST", one, {"inputs": [1]}, it)
    yield Question("a create that is not JSON", Code.MALFORMED_BODY, "POST", ENDPOINTS, b'{"name": ')
    granted = f"{PERMISSIONS}/{MISSING_ID}"
    it = {"id": MISSING_ID}
    yield Question("permissions of an unknown id", Code.PERMISSIONS_MISSING, "GET", granted, fields=it)
    levels = f"{granted}/permissionLevels"
    yield Question("permission levels of an unknown id", Code.PERMISSIONS_MISSING, "GET", levels, fields=it)
    yield _bad_level("a level that is none, of an unknown id", MISSING_ID)
    it = {"scope": MISSING}
    for what in ("list", "acls/list"):
        path = f"/api/2.0/secrets/{what}?scope={MISSING}"
        yield Question(f"secrets/{what} of a missing scope", Code.SCOPE_MISSING, "GET", path, fields=it)


def creating(name: str, endpoint_id: str) -> Iterator[Question]:
    """Yield what needs an endpoint that serves nothing, and creates that are refused."""
    one = f"{ENDPOINTS}/{name}"
    it = {"endpoint": name}
    yield from _changes_of_a_missing_endpoint()
    yield Question("a create of a name that is taken", Code.ENDPOINT_EXISTS, "POST", ENDPOINTS, {"name": name}, it)
    for asks, code, bad in (
        ("a create of an invalid name", Code.NAME_INVALID, BAD_NAME),
        ("a create of a reserved name", Code.NAME_RESERVED, RESERVED_NAME),
    ):
        yield Question(asks, code, "POST", ENDPOINTS, {"name": bad}, {"endpoint": bad})
    gateway = {"name": f"{name}-x", "ai_gateway": {"usage_tracking_config": {"enabled": True}}}
    field = {"field": "ai_gateway"}
    yield Question("an AI Gateway without a config", Code.NEEDS_CONFIG, "POST", ENDPOINTS, gateway, field)
    tags = {"add_tags": [{"key": BAD_KEY, "value": "v"}]}
    yield Question("a tag with a reserved sign", Code.TAG_KEY_INVALID, "PATCH", one + "/tags", tags, {"key": BAD_KEY})
    yield Question("metrics of what never served", Code.METRICS_MISSING, "GET", one + "/metrics", fields=it)
    yield Question("the document of what never served", Code.OPENAPI_NOT_READY, "GET", one + "/openapi", fields=it)
    entity = {**it, "entity": MISSING, "entities": "none"}
    logs = f"{one}/served-models/{MISSING}/logs"
    yield Question("logs of a missing entity", Code.ENTITY_MISSING, "GET", logs, fields=entity)
    if endpoint_id:
        yield _bad_level("a level that is none", endpoint_id)
    yield from _configs_of_nothing(f"{one}/config")


def deploying(name: str, entity: tuple[str, str]) -> Iterator[Question]:
    """Yield configs that are refused though their model is there; the last of them while another is deployed."""
    path = f"{ENDPOINTS}/{name}/config"
    model, version = entity
    blue, green = ({"name": name, **_entity(model, version)} for name in ("servesim-blue", "servesim-green"))

    def refused(asks: str, code: Code, body: dict[str, Any], **fields: str) -> Question:
        return Question(asks, code, "PUT", path, body, fields, may_begin=True)

    known = {"model": model, "version": BAD_VERSION}
    bad = [{**blue, "entity_version": BAD_VERSION}]
    yield refused("a version that is not there", Code.VERSION_MISSING, {"served_entities": bad}, **known)
    both = {"served_entities": [blue, green]}
    names = "'servesim-blue', 'servesim-green'"
    yield refused("two entities without a split", Code.ROUTES_MISSING, both, entities=names)
    yield refused("shares that do not add up", Code.TRAFFIC_SUM, {**both, **_split(57, 30)}, total=str(TOTAL))
    twice = {"served_entities": [blue, blue], **_split(50, 50)}
    yield refused("an entity's name twice", Code.DUPLICATE_ENTITY, twice, entity="servesim-blue")
    yield refused(
        "a route to no entity",
        Code.ROUTE_UNKNOWN,
        {"served_entities": [blue], **_routes(("servesim-red", 100))},
        route="servesim-red",
        entities="'servesim-blue'",
    )
    same = {"served_entities": [blue], **_routes(("servesim-blue", 50), ("servesim-blue", 50))}
    yield refused("two routes to an entity", Code.DUPLICATE_ROUTE, same, route="servesim-blue")
    sized = {"served_entities": [{**blue, "min_provisioned_concurrency": 4, "max_provisioned_concurrency": 4}]}
    yield refused("a size said twice", Code.SIZE_TWICE, sized, entity="servesim-blue")


def deployed(name: str, entity: tuple[str, str]) -> tuple[Question, dict[str, Any]]:
    """Return what is asked while a config is being deployed, and that config."""
    config = {"served_entities": [{"name": "servesim-blue", **_entity(*entity)}]}
    path = f"{ENDPOINTS}/{name}/config"
    return Question("an update during an update", Code.UPDATING, "PUT", path, config, {"endpoint": name}), config


def _changes_of_a_missing_endpoint() -> Iterator[Question]:
    path = f"{ENDPOINTS}/{MISSING}"
    it = {"endpoint": MISSING}
    tags = {"add_tags": [{"key": "servesim", "value": "probe"}]}
    yield Question("tags for a missing endpoint", Code.ENDPOINT_MISSING, "PATCH", path + "/tags", tags, it)
    yield Question("a delete of a missing endpoint", Code.ENDPOINT_MISSING, "DELETE", path, fields=it)


def _configs_of_nothing(path: str) -> Iterator[Question]:
    """Yield configs that deploy nothing, whether they are refused or not: no model of theirs is there."""
    none = [_entity(MISSING_MODEL, "1")]
    empty: dict[str, Any] = {"served_entities": []}
    yield Question("a config without entities", Code.ENTITIES_MISSING, "PUT", path, empty, may_begin=True)
    it = {"model": MISSING_MODEL}
    missing = Code.MODEL_MISSING
    yield Question("a model that is not there", missing, "PUT", path, {"served_entities": none}, it, may_begin=True)
    both = {"served_entities": none, "served_models": [{"model_name": MISSING_MODEL, "model_version": "1", **_SMALL}]}
    yield Question("both twins", Code.MIXED_TWINS, "PUT", path, both, behind=missing, may_begin=True)
    capture = {
        "served_entities": none,
        "auto_capture_config": {"enabled": True, "catalog_name": "main", "schema_name": "servesim_probe"},
    }
    retired = Code.INFERENCE_TABLE_RETIRED
    yield Question("a legacy inference table", retired, "PUT", path, capture, behind=missing, may_begin=True)


def _bad_level(asks: str, endpoint_id: str) -> Question:
    body = {"access_control_list": [{**NOBODY, "permission_level": BAD_LEVEL}]}
    path = f"{PERMISSIONS}/{quote(endpoint_id, safe='')}"
    fields = {"level": BAD_LEVEL}
    return Question(asks, Code.LEVEL_UNKNOWN, "PATCH", path, body, fields, behind=Code.PERMISSIONS_MISSING)


_SMALL = {"workload_size": "Small", "scale_to_zero_enabled": True}


def _entity(model: str, version: str) -> dict[str, Any]:
    return {"entity_name": model, "entity_version": version, **_SMALL}


def _split(blue: int, green: int) -> dict[str, Any]:
    return _routes(("servesim-blue", blue), ("servesim-green", green))


def _routes(*shares: tuple[str, int]) -> dict[str, Any]:
    routes = [{"served_model_name": entity, "traffic_percentage": share} for entity, share in shares]
    return {"traffic_config": {"routes": routes}}
