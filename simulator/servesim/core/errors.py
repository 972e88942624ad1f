"""What the world can refuse, as a code with fields; each generation gives it a status and a text."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Every reason for which a command or a request is refused."""

    BAD_FIELD = "bad field"
    BODY_TOO_LARGE = "body too large"
    DUPLICATE_ENTITY = "duplicate entity"
    DUPLICATE_ROUTE = "duplicate route"
    ENDPOINT_EXISTS = "endpoint exists"
    ENDPOINT_LIMIT = "endpoint limit"
    ENDPOINT_MISSING = "endpoint missing"
    ENTITIES_MISSING = "entities missing"
    ENTITY_LIMIT = "entity limit"
    ENTITY_NOT_SERVED = "entity not served"
    ENVIRONMENT_LIMIT = "environment limit"
    EXECUTION_LIMIT = "execution limit"
    HELD_TOO_LONG = "held too long"
    INFERENCE_TABLE_RETIRED = "inference table retired"
    MALFORMED_BODY = "malformed body"
    MIXED_TWINS = "mixed twins"
    MODEL_MISSING = "model missing"
    NAME_INVALID = "name invalid"
    NAME_RESERVED = "name reserved"
    NEEDS_CONFIG = "needs config"
    NO_UPDATE = "no update"
    NOT_SERVED = "not served"
    NOT_SIMULATED = "not simulated"
    QUEUE_FULL = "queue full"
    REGISTRY_UNREADABLE = "registry unreadable"
    RELOAD_FAILED = "reload failed"
    ROUTES_MISSING = "routes missing"
    ROUTE_UNKNOWN = "route unknown"
    SIZE_TWICE = "size twice"
    TAG_KEY_INVALID = "tag key invalid"
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

    def __str__(self) -> str:
        """Say it in words, for people who call the handle."""
        named = ", ".join(f"{name} {value!r}" for name, value in self.fields.items())
        return f"{self.code} ({named})" if named else str(self.code)
