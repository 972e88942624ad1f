"""GA Model Serving: what an endpoint is told beside its config, read into JSON that is kept and answered as it is.

Fields that the API does not know are left out, so nothing that is only written (``…_plaintext``) ever comes back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from servesim.core.commands import ChangeSetting
from servesim.generations.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servesim.core.access import Principal

LIMIT_KEYS = ("user", "endpoint", "user_group", "service_principal")
PII_BEHAVIORS = ("NONE", "BLOCK", "MASK")
TELEMETRY_FEATURES = tuple(f"TELEMETRY_FEATURE_{name}" for name in ("LOGS", "METRICS", "TRACES", "INFERENCE_TABLE"))
TELEMETRY_TABLES = tuple(f"{name}_table" for name in ("annotations", "logs", "metrics", "traces"))


def read_rate_limits(name: str, body: Any, principal: Principal) -> ChangeSetting:
    """Turn the body of the deprecated rate limits into its command; raise Rejected."""
    return ChangeSetting(name, principal, "rate_limits", json.dumps(_limits(Fields(body))))


def read_gateway(name: str, body: Any, principal: Principal) -> ChangeSetting:
    """Turn the body of an AI Gateway config, which replaces the whole, into its command; raise Rejected."""
    gateway = _gateway(Fields(body), name)
    return ChangeSetting(name, principal, "ai_gateway", json.dumps(gateway) if gateway else "")


def read_notifications(name: str, body: Any, principal: Principal) -> ChangeSetting:
    """Turn the body of the e-mail notifications into its command; raise Rejected."""
    lists = Fields(body).inner("email_notifications") or Fields({})
    kept = _sent_texts(lists, "on_update_success", "on_update_failure")
    # Lists of nobody are as good as none: chosen, so that GET tells of none either.
    return ChangeSetting(name, principal, "email_notifications", json.dumps(kept) if kept else "")


def read_telemetry(name: str, body: Any, principal: Principal) -> ChangeSetting | None:
    """Turn the body of a telemetry config, whose absence takes it away, into its command; raise Rejected.

    None stands for no change: the config names neither tables nor a profile.
    """
    config = Fields(body).inner("telemetry_config")
    kept = _telemetry(config) if config else ""
    return None if kept is None else ChangeSetting(name, principal, "telemetry_config", kept)


def read_settings(fields: Fields, endpoint: str, *, with_config: bool) -> Iterator[tuple[str, str]]:
    """Yield the settings in the body of a create as JSON by field; raise Rejected."""
    if gateway := fields.inner("ai_gateway"):
        yield "ai_gateway", json.dumps(_gateway(gateway, endpoint))
    if policy := fields.text("budget_policy_id", ""):
        yield "budget_policy_id", json.dumps(policy)
    if limits := _limits(fields):
        yield "rate_limits", json.dumps(limits)
    telemetry = fields.inner("telemetry_config")
    if telemetry and with_config and (kept := _telemetry(telemetry)):  # dropped in silence otherwise: observed
        yield "telemetry_config", kept


def _limits(fields: Fields) -> list[dict[str, Any]]:
    return [_limit(limit) for limit in fields.items("rate_limits")]


def _limit(fields: Fields) -> dict[str, Any]:
    """Read a limit; what was left out, such as the key, is not filled in: chosen, no answer shows it."""
    read = {
        "calls": fields.whole("calls", least=0),
        "tokens": fields.whole("tokens", least=0),
        "key": fields.choice("key", LIMIT_KEYS, "endpoint"),
        "principal": fields.text("principal", ""),
        "renewal_period": fields.choice("renewal_period", ("minute",), "minute"),
    }
    return {name: value for name, value in read.items() if fields.has(name)}


def _gateway(fields: Fields, endpoint: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in ("fallback_config", "usage_tracking_config"):
        if part := fields.inner(name):
            kept[name] = _switch(part)
    if guardrails := fields.inner("guardrails"):
        sides = ((side, guardrails.inner(side)) for side in ("input", "output"))
        kept["guardrails"] = {side: _guard(found) for side, found in sides if found}
    if table := fields.inner("inference_table_config"):
        named = {name: table.text(name) for name in ("catalog_name", "schema_name") if table.has(name)}
        # Documented: the prefix is the endpoint's name unless another was sent.
        prefix = table.text("table_name_prefix", endpoint)
        kept["inference_table_config"] = {**named, "table_name_prefix": prefix, **_switch(table)}
    if limits := _limits(fields):
        kept["rate_limits"] = limits
    return dict(sorted(kept.items()))


def _switch(fields: Fields) -> dict[str, Any]:
    return {"enabled": fields.flag("enabled")} if fields.has("enabled") else {}


def _guard(fields: Fields) -> dict[str, Any]:
    kept: dict[str, Any] = _sent_texts(fields, "invalid_keywords", "valid_topics")
    if pii := fields.inner("pii"):
        kept["pii"] = {"behavior": pii.choice("behavior", PII_BEHAVIORS, "NONE")}
    if fields.has("safety"):
        kept["safety"] = fields.flag("safety")
    return kept


def _telemetry(fields: Fields) -> str | None:
    """Return a telemetry config as JSON; None for one that would have no profile, which the service discards."""
    tables = fields.inner("table_names")
    profile = fields.text("telemetry_profile_id", "")
    features = fields.texts("enabled_telemetry_features")
    for feature in features:
        if feature not in TELEMETRY_FEATURES:
            raise fields.bad("enabled_telemetry_features", f"some of {', '.join(TELEMETRY_FEATURES)}")
    table = fields.inner("inference_table_config")
    kept = {
        "tables": {name: tables.text(name) for name in TELEMETRY_TABLES if tables.has(name)} if tables else {},
        "profile": profile,
        "features": features,
        "inference_table": _payload_table(table) if table else None,
    }
    return json.dumps(kept) if tables or profile else None


def _payload_table(fields: Fields) -> dict[str, Any]:
    kept: dict[str, Any] = {"name": fields.text("name")} if fields.has("name") else {}
    fraction = fields.values.get("sampling_fraction")
    if fraction is None:
        return kept
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
        raise fields.bad("sampling_fraction", "a number from 0 to 1")
    return {**kept, "sampling_fraction": fraction}


def _sent_texts(fields: Fields, *names: str) -> dict[str, Any]:
    return {name: fields.texts(name) for name in names if fields.has(name)}
