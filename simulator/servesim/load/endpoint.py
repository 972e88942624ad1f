"""What a load test reads of an endpoint, and the one thing it changes: the shares of its routes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.load.calls import ENDPOINTS, CannotRun, endpoint_path
from servesim.service.clock import Stopwatch, rest

if TYPE_CHECKING:
    from collections.abc import Collection

    from servesim.load.calls import Answer, Server

LONGEST_UPDATE_S = 1_800.0
_LOOK_S = 0.25
"""Between two looks at an update."""
_SETTINGS = (
    "name",
    "entity_name",
    "entity_version",
    "workload_size",
    "workload_type",
    "scale_to_zero_enabled",
    "min_provisioned_concurrency",
    "max_provisioned_concurrency",
    "environment_vars",
    "instance_profile_arn",
    "external_model",
)
"""Of a served entity: what a config takes; the rest of what a GET tells is the service's own."""
_PROVISIONED = re.compile(r"^provisioned_concurrent_requests_total\{([^}]*)\}\s+([0-9.eE+-]+)", re.MULTILINE)
_WHOLE = 100
_REFUSED = {401, 403}
_UNKNOWN = 404
_SHOWN = 20
"""Names of endpoints."""
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Endpoint(NamedTuple):
    """An endpoint as a GET tells it."""

    name: str
    entities: tuple[dict[str, Any], ...]
    split: dict[str, float]
    """Percentages by served entity, in the order of the routes."""
    update: str
    ready: str

    @property
    def config(self) -> dict[str, Any]:
        """Its config as a PUT takes it."""
        return self.with_split(self.split)

    def with_split(self, split: dict[str, float]) -> dict[str, Any]:
        """Return its config with other shares."""
        kept = [{key: entity[key] for key in _SETTINGS if key in entity} for entity in self.entities]
        routes = [
            {"served_model_name": name, "served_entity_name": name, "traffic_percentage": int(share)}
            for name, share in split.items()
        ]
        return {"served_entities": kept, "traffic_config": {"routes": routes}}

    def message(self, entity: str) -> str:
        """Return what the service says of an entity's deployment."""
        found = next((one for one in self.entities if one.get("name") == entity), {})
        return str(found.get("state", {}).get("deployment_state_message", ""))


def read(server: Server, name: str) -> Endpoint:
    """Read an endpoint that serves; raise CannotRun."""
    answer = _asked(server, endpoint_path(name))
    document = answer.document()
    if answer.status == _UNKNOWN:
        raise CannotRun(f"{server.url} has no endpoint {name!r}; {_listed(_names(server))}")
    if not answer.well or not isinstance(document, dict):
        raise CannotRun(f"endpoint {name!r} of {server.url} can't be read ({answer.said})")
    config = document.get("config") or {}
    routes = (config.get("traffic_config") or {}).get("routes") or []
    entities = tuple(config.get("served_entities") or ())
    split = {_route(route): float(route["traffic_percentage"]) for route in routes}
    if not split and len(entities) == 1:
        split = {str(entities[0].get("name")): 100.0}
    if not split:
        raise CannotRun(f"endpoint {name!r} serves nothing yet: it has no config with routes")
    state = document.get("state") or {}
    return Endpoint(name, entities, split, str(state.get("config_update", "")), str(state.get("ready", "")))


def only(server: Server) -> str:
    """Return the name of the only endpoint there is; raise CannotRun."""
    names = _names(server)
    if len(names) != 1:
        raise CannotRun(f"which endpoint of {server.url}? Name one with --endpoint; {_listed(names)}")
    return names[0]


def change_split(server: Server, endpoint: Endpoint, split: dict[str, float]) -> None:
    """Ask for other shares; raise CannotRun if that is refused."""
    answer = server.send("PUT", endpoint_path(endpoint.name) + "/config", endpoint.with_split(split))
    if not answer.well:
        raise CannotRun(f"the config of endpoint {endpoint.name!r} can't be changed ({answer.said})")


def challenger_of(split: dict[str, float], named: str) -> str:
    """Return the entity that takes over: the one that is named, or the one with the least traffic; raise CannotRun."""
    if len(split) < 2:  # noqa: PLR2004 - who takes over, and from whom
        raise CannotRun(f"a rollout needs two routes, and there is one: {', '.join(split)}")
    if named and named not in split:
        raise CannotRun(f"there is no route to {named!r}; there are {', '.join(split)}")
    return named or min(reversed(list(split)), key=lambda name: split[name])


def stepped(split: dict[str, float], challenger: str, share: int) -> dict[str, float]:
    """Return a split in whole percent in which the challenger has this share; the last of the others gets the rest."""
    others = {name: percentage for name, percentage in split.items() if name != challenger}
    whole = sum(others.values())
    left = _WHOLE - share
    given: dict[str, float] = {}
    for name, percentage in others.items():
        part = percentage / whole if whole else 1 / len(others)
        given[name] = float(round(left * part))
    last = list(others)[-1]
    given[last] += left - sum(given.values())
    if given[last] < 0:  # many small ones were rounded up
        raise CannotRun(f"{left} % can't be split among {', '.join(others)} in whole percent")
    return {name: float(share) if name == challenger else given[name] for name in split}


def await_split(server: Server, name: str, split: dict[str, float]) -> Endpoint:
    """Look until an endpoint's update to these shares has ended; raise CannotRun if it fails, or takes half an hour.

    A look can be older than the update, and tell of the shares before it.
    """
    watch = Stopwatch()
    asked = _with_traffic(split)
    while (found := read(server, name)).update == "IN_PROGRESS" or (
        found.update == "NOT_UPDATING" and _with_traffic(found.split) != asked
    ):
        if watch.seconds() > LONGEST_UPDATE_S:
            raise CannotRun(f"the update of endpoint {name!r} has not ended after {LONGEST_UPDATE_S:g} s")
        rest(_LOOK_S)
    if found.update != "NOT_UPDATING":
        raise CannotRun(f"the update of endpoint {name!r} ended as {found.update}")
    return found


def provisioned(server: Server, name: str, entities: Collection[str]) -> dict[str, float] | None:
    """Return the provisioned concurrency by entity, from the endpoint's metrics; None if they can't be read.

    Which label names the entity is not published: the one whose value is the name of one is taken, else the first.
    """
    try:
        answer = server.get(endpoint_path(name) + "/metrics")
    except CannotRun:
        return None
    if not answer.well:
        return None
    found: dict[str, float] = {}
    for labels, value in _PROVISIONED.findall(answer.body.decode("utf-8", "replace")):
        named = dict(_LABEL.findall(labels))
        values = list(named.values())
        entity = next((value for value in values if value in entities), values[0] if values else "")
        found[entity] = found.get(entity, 0.0) + float(value)
    return found


def _with_traffic(split: dict[str, float]) -> dict[str, float]:
    return {name: share for name, share in split.items() if share}


def _asked(server: Server, path: str) -> Answer:
    answer = server.get(path)
    if answer.status in _REFUSED:
        raise CannotRun(
            f"{server.url} refuses the token ({answer.said}). Set DATABRICKS_TOKEN to one of that workspace"
        )
    return answer


def _names(server: Server) -> list[str]:
    answer = _asked(server, ENDPOINTS)
    document = answer.document()
    if not answer.well or not isinstance(document, dict):
        raise CannotRun(f"{server.url} doesn't say which endpoints it has ({answer.said})")
    return [str(one["name"]) for one in document.get("endpoints") or [] if isinstance(one, dict) and "name" in one]


def _listed(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"there are {shown}" if names else "there are none"


def _route(route: dict[str, Any]) -> str:
    return str(route.get("served_entity_name") or route.get("served_model_name"))
