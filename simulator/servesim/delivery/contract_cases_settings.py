"""Cases of an endpoint's settings and permissions, on the endpoint that the suite has made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.delivery.contract_cases_chain import NAME, PATH, ready
from servesim.delivery.contract_cases_workspace import ME
from servesim.delivery.contract_cases_workspace import PERMISSIONS as PERMISSIONS_PATH
from servesim.delivery.contract_talk import dig, rows

if TYPE_CHECKING:
    from typing import Any

    from servesim.delivery.contract_talk import Talk


def tags(talk: Talk) -> None:
    """Tags are added, replaced and taken away in one call, which answers with those there are."""
    ready(talk)
    body = {"add_tags": [{"key": "team", "value": "risk"}, {"key": "alone"}], "delete_tags": ["made-by"]}
    answered = talk.send("PATCH", PATH + "/tags", body)
    expected = [{"key": "team", "value": "risk"}, {"key": "alone"}]
    if talk.status(answered):
        talk.that(_by_key(answered.document) == _by_key({"tags": expected}), "the tags team and alone, and no other")
    talk.that(_by_key(talk.get(PATH).document) == _by_key({"tags": expected}), "the same tags in GET")


def a_tag_that_cannot_be(talk: Talk) -> None:
    """A key with a reserved character is refused in the service's words."""
    ready(talk)
    answered = talk.send("PATCH", PATH + "/tags", {"add_tags": [{"key": "a=b"}]})
    if talk.status(answered, 400):
        talk.that("Endpoint tag key a=b is" in str(dig(answered.document, "message")), "the key in the message")


def ai_gateway(talk: Talk) -> None:
    """The AI Gateway's config is replaced whole and stands in GET; an empty one takes it away."""
    ready(talk)
    config = {"usage_tracking_config": {"enabled": False}}
    answered = talk.send("PUT", PATH + "/ai-gateway", config)
    if talk.status(answered):
        talk.same("the answer", answered.document, config)
        talk.same("ai_gateway in GET", dig(talk.get(PATH).document, "ai_gateway"), config)
    talk.status(talk.send("PUT", PATH + "/ai-gateway", {}))


def rate_limits(talk: Talk) -> None:
    """The deprecated rate limits are echoed by their own call, and not by GET."""
    ready(talk)
    limits = [{"calls": 100, "key": "user", "renewal_period": "minute"}]
    answered = talk.send("PUT", PATH + "/rate-limits", {"rate_limits": limits})
    if talk.status(answered):
        talk.same("rate_limits", dig(answered.document, "rate_limits"), limits)
        talk.that("rate_limits" not in (talk.get(PATH).document or {}), "no rate_limits in GET")
    talk.status(talk.send("PUT", PATH + "/rate-limits", {"rate_limits": []}))


def notifications(talk: Talk) -> None:
    """Who is written to is replaced, and told with the endpoint's name."""
    ready(talk)
    kept: dict[str, list[str]] = {"on_update_success": [], "on_update_failure": []}
    answered = talk.send("PATCH", PATH + "/notifications", {"email_notifications": kept})
    if talk.status(answered):
        talk.same("name", dig(answered.document, "name"), NAME)
        talk.same("email_notifications", dig(answered.document, "email_notifications"), kept)


def telemetry(talk: Talk) -> None:
    """A telemetry config that names nothing changes nothing and is answered with the endpoint."""
    ready(talk)
    answered = talk.send("PATCH", PATH + "/telemetry-config", {})
    if talk.status(answered):
        talk.same("name", dig(answered.document, "name"), NAME)


def readings(talk: Talk) -> None:
    """Events tell of the container's build; metrics are there once a config serves, as text."""
    ready(talk)
    events = talk.get(PATH + "/events")
    if talk.status(events):
        kinds = {one.get("event_type") for one in rows(events.document, "events")}
        talk.that("SERVED_ENTITY_CONTAINER_EVENT" in kinds, "an event of type SERVED_ENTITY_CONTAINER_EVENT")
    metrics = talk.get(PATH + "/metrics")
    if talk.status(metrics):
        talk.that(b"request_count_total" in metrics.body, "request_count_total among the metrics")
    for limit in ("0", "x"):
        talk.refused(talk.get(f"{PATH}/events?limit={limit}"), 400, "INVALID_PARAMETER_VALUE")


def grants(talk: Talk) -> None:
    """PATCH adds to what is granted, PUT replaces it; the caller and the administrators keep what is theirs."""
    path = f"{PERMISSIONS_PATH}/{ready(talk)}"
    me = dig(talk.get(ME).document, "userName")
    for method, level in (("PATCH", "CAN_VIEW"), ("PATCH", "CAN_QUERY")):
        answered = talk.send(
            method, path, {"access_control_list": [{"group_name": "users", "permission_level": level}]}
        )
        if talk.status(answered):
            talk.same("level of the group users", _level(answered.document, "group_name", "users"), level)
            talk.that(_level(answered.document, "group_name", "admins"), "the group admins among the permissions")
    field = "service_principal_name" if "@" not in str(me) else "user_name"
    mine = [{field: me, "permission_level": "CAN_MANAGE"}]
    answered = talk.send("PUT", path, {"access_control_list": mine})
    if talk.status(answered):
        talk.same("level of the caller", _level(answered.document, field, me), "CAN_MANAGE")
        talk.that(_level(answered.document, "group_name", "users") is None, "no grant for the group users any more")


def a_level_that_is_none(talk: Talk) -> None:
    """A level that serving endpoints do not have is refused with 400."""
    body = {"access_control_list": [{"group_name": "users", "permission_level": "CAN_RUN"}]}
    talk.status(talk.send("PATCH", f"{PERMISSIONS_PATH}/{ready(talk)}", body), 400)


SETTINGS = (tags, a_tag_that_cannot_be, ai_gateway, rate_limits, notifications, telemetry, readings)
PERMISSIONS = (grants, a_level_that_is_none)


def _by_key(document: Any) -> dict[Any, Any]:
    return {one.get("key"): one.get("value") for one in rows(document, "tags")}


def _level(document: Any, field: str, name: Any) -> Any:
    """Return the level that somebody has, None for nobody."""
    for one in rows(document, "access_control_list"):
        if one.get(field) == name:
            return dig(one, "all_permissions", 0, "permission_level")
    return None
