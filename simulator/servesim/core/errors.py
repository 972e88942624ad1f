"""What the world can refuse, as a code with fields; each generation gives it a status and a text."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Every reason for which a command or a request is refused."""

    ALREADY_STOPPED = "already stopped"
    BAD_FIELD = "bad field"
    BODY_TOO_LARGE = "body too large"
    CONFIG_VERSION_MISSING = "config version missing"
    CREATOR_LOST_RIGHTS = "creator lost rights"
    DUPLICATE_ENTITY = "duplicate entity"
    DUPLICATE_ROUTE = "duplicate route"
    ENDPOINT_EXISTS = "endpoint exists"
    ENDPOINT_LIMIT = "endpoint limit"
    ENDPOINT_MISSING = "endpoint missing"
    ENTITIES_MISSING = "entities missing"
    ENTITY_LIMIT = "entity limit"
    ENTITY_MISSING = "entity missing"
    ENTITY_NOT_SERVED = "entity not served"
    ENVIRONMENT_LIMIT = "environment limit"
    EXECUTION_LIMIT = "execution limit"
    FAULT_LIMIT = "fault limit"
    FAULT_MISSING = "fault missing"
    HELD_TOO_LONG = "held too long"
    INFERENCE_TABLE_RETIRED = "inference table retired"
    LEVEL_UNKNOWN = "level unknown"
    MALFORMED_BODY = "malformed body"
    MEMBER_MISSING = "member missing"
    METRICS_MISSING = "metrics missing"
    MIXED_TWINS = "mixed twins"
    MODEL_MISSING = "model missing"
    NAME_INVALID = "name invalid"
    NAME_RESERVED = "name reserved"
    NEEDS_CONFIG = "needs config"
    NOTHING_TO_STOP = "nothing to stop"
    NOT_PERMITTED = "not permitted"
    NOT_SERVED = "not served"
    NOT_SIMULATED = "not simulated"
    NOT_STOPPED = "not stopped"
    NO_UPDATE = "no update"
    OPENAPI_NOT_READY = "openapi not ready"
    OPENAPI_NO_SIGNATURE = "openapi no signature"
    PERMISSIONS_MISSING = "permissions missing"
    OPERATION_LIMIT = "operation limit"
    PARALLEL_LIMIT = "parallel limit"
    QPS_LIMIT = "qps limit"
    QUEUE_FULL = "queue full"
    RATE_LIMIT = "rate limit"
    REGISTRY_UNREADABLE = "registry unreadable"
    RELOAD_FAILED = "reload failed"
    ROUTES_MISSING = "routes missing"
    ROUTE_UNKNOWN = "route unknown"
    SCOPE_DENIED = "scope denied"
    SCOPE_EXISTS = "scope exists"
    SCOPE_LIMIT = "scope limit"
    SCOPE_MISSING = "scope missing"
    SECRET_ACL_MISSING = "secret acl missing"  # noqa: S105 - a code, no password
    SECRET_LIMIT = "secret limit"  # noqa: S105 - a code, no password
    SECRET_MISSING = "secret missing"  # noqa: S105 - a code, no password
    SERVING_DISABLED = "serving disabled"
    SIZE_TWICE = "size twice"
    SLOW_BODY = "slow body"
    STOPPED = "stopped"
    STOP_WHILE_UPDATING = "stop while updating"
    TAG_KEY_INVALID = "tag key invalid"
    TELEMETRY_UNSUPPORTED = "telemetry unsupported"
    TELEMETRY_WHILE_UPDATING = "telemetry while updating"
    TRAFFIC_SUM = "traffic sum"
    UPDATING = "updating"
    VERSION_MISSING = "version missing"
    WORKER_ENDED = "worker ended"


class Rejected(Exception):  # noqa: N818 - a refusal is an ordinary answer here, not an error of ours
    """A command or request that the world refuses; nothing has changed."""

    def __init__(self, code: Code, **fields: object) -> None:
        """Keep the code and the fields that a text may name."""
        super().__init__(code, fields)
        self.code = code
        self.fields = fields
        self.heals_at: int | None = None
        """When the same would be admitted, if time alone heals it."""

    def healing_at(self, instant: int | None) -> Rejected:
        """Say when the same would be admitted; return the refusal."""
        self.heals_at = instant
        return self

    def __str__(self) -> str:
        """Say it in words, for people who call the handle."""
        named = ", ".join(f"{name} {value!r}" for name, value in self.fields.items())
        return f"{self.code} ({named})" if named else str(self.code)
