"""What the world can refuse, as a code with fields; each generation gives it a status and a text."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Every reason for which a command or a request is refused."""

    ALIAS_INVALID = "alias invalid"
    ALIAS_MISSING = "alias missing"
    ALREADY_STOPPED = "already stopped"
    ARCHIVE_INACTIVE = "archive inactive"
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
    FILE_EXISTS = "file exists"
    FILE_MISSING = "file missing"
    FILTER_INVALID = "filter invalid"
    FOLDER_MISSING = "folder missing"
    HELD_TOO_LONG = "held too long"
    INFERENCE_TABLE_RETIRED = "inference table retired"
    LEVEL_UNKNOWN = "level unknown"
    MALFORMED_BODY = "malformed body"
    MEMBER_MISSING = "member missing"
    METRICS_MISSING = "metrics missing"
    MIXED_TWINS = "mixed twins"
    MODEL_ELSEWHERE = "model elsewhere"
    MODEL_EXISTS = "model exists"
    MODEL_LEVEL_UNKNOWN = "model level unknown"
    MODEL_LIMIT = "model limit"
    MODEL_MISSING = "model missing"
    MODEL_NAME_EMPTY = "model name empty"
    MODEL_NAME_INVALID = "model name invalid"
    MODEL_NAME_LEVELS = "model name levels"
    MODEL_NOT_PERMITTED = "model not permitted"
    MODEL_PERMISSIONS_MISSING = "model permissions missing"
    MODEL_TAG_INVALID = "model tag invalid"
    NAME_INVALID = "name invalid"
    NAME_RESERVED = "name reserved"
    NEEDS_CONFIG = "needs config"
    NOTHING_TO_STOP = "nothing to stop"
    NOT_EXPRESS = "not express"
    NOT_PERMITTED = "not permitted"
    NOT_SERVED = "not served"
    NOT_SIMULATED = "not simulated"
    NOT_STOPPED = "not stopped"
    NO_UPDATE = "no update"
    OPENAPI_NOT_READY = "openapi not ready"
    OPENAPI_NO_SIGNATURE = "openapi no signature"
    OPERATION_LIMIT = "operation limit"
    ORDER_INVALID = "order invalid"
    PAGE_TOKEN_INVALID = "page token invalid"  # noqa: S105 - a code, no password
    PARALLEL_LIMIT = "parallel limit"
    PATH_INVALID = "path invalid"
    PERMISSIONS_MISSING = "permissions missing"
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
    SIGNED_URL_INVALID = "signed url invalid"
    SIZE_TWICE = "size twice"
    SLOW_BODY = "slow body"
    SOURCE_OUTSIDE = "source outside"
    SOURCE_UNREADABLE = "source unreadable"
    STAGE_INVALID = "stage invalid"
    STAGE_IN_UC = "stage in uc"
    STOPPED = "stopped"
    STOP_WHILE_UPDATING = "stop while updating"
    TAG_KEY_INVALID = "tag key invalid"
    TELEMETRY_UNSUPPORTED = "telemetry unsupported"
    TELEMETRY_WHILE_UPDATING = "telemetry while updating"
    TRAFFIC_SUM = "traffic sum"
    UPDATING = "updating"
    UPLOADS_BUSY = "uploads busy"
    UPLOADS_NEED_LOOPBACK = "uploads need loopback"
    UPLOAD_QUOTA = "upload quota"
    UPLOAD_TRUNCATED = "upload truncated"
    VERSION_ACTIVE = "version active"
    VERSION_MISSING = "version missing"
    VERSION_NOT_READY = "version not ready"
    VERSION_NUMBER_INVALID = "version number invalid"
    VERSION_SEALED = "version sealed"
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
