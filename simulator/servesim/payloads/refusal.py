"""Refusals of the scoring layer, as values that carry their status, code, message and evidence."""

import json
import reprlib
from typing import Any, Final

from servesim.payloads.texts import Evidence, Text

JSON_TYPE: Final = "application/json"
_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200

TEXT_TYPE: Final = "text/plain; charset=utf-8"

_CLASSES: Final = {
    "BAD_REQUEST": ("KAM00", "INVALID_PARAMETER_VALUE"),
    "INVALID_PARAMETER_VALUE": ("KAM00", "INVALID_PARAMETER_VALUE"),
    "INTERNAL_ERROR": ("XXM00", "CLIENT_INTERNAL_ERROR"),
}


class Refused(Exception):  # noqa: N818 - named for what the client sees
    """A request that is answered with an error.

    `error_code` None means a plain text answer. `sqlstate` and `error_class` are left out of the JSON when None.
    """

    def __init__(
        self,
        status: int,
        error_code: str | None,
        message: str,
        *,
        evidence: Evidence = "recorded",
        sqlstate: str | None = None,
        error_class: str | None = None,
        stack_trace: str | None = None,
    ) -> None:
        """Keep the fields as given."""
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message
        self.evidence = evidence
        self.sqlstate = sqlstate
        self.error_class = error_class
        self.stack_trace = stack_trace

    @property
    def content_type(self) -> str:
        """The content type that belongs to `body()`."""
        return TEXT_TYPE if self.error_code is None else JSON_TYPE

    def body(self) -> bytes:
        """Return the bytes that the client gets, in the key order of MLflow 3.17."""
        if self.error_code is None:
            return self.message.encode("utf-8", "backslashreplace")
        fields = {"error_code": self.error_code, "message": self.message}
        optional = {"sqlstate": self.sqlstate, "error_class": self.error_class, "stack_trace": self.stack_trace}
        fields |= {name: value for name, value in optional.items() if value is not None}
        return json.dumps(fields).encode("ascii")


def plain(status: int, text: Text, **fields: Any) -> Refused:
    """Return a text/plain refusal."""
    return Refused(status, None, text.template.format(**fields), evidence=text.evidence)


def bad_request(text: Text, *, stack_trace: str | None = None, **fields: Any) -> Refused:
    """Return a 400 BAD_REQUEST: the body cannot be read, or the model raised."""
    return _coded(400, "BAD_REQUEST", text, stack_trace, fields)


def invalid_parameter(text: Text, **fields: Any) -> Refused:
    """Return a 400 INVALID_PARAMETER_VALUE: the body was read, its values do not fit the model."""
    return _coded(400, "INVALID_PARAMETER_VALUE", text, None, fields)


def schema_failure(text: Text, **fields: Any) -> Refused:
    """Return a 400 INVALID_PARAMETER_VALUE of the class that MLflow keeps for schema enforcement."""
    message = text.template.format(**fields)
    return Refused(
        400,
        "INVALID_PARAMETER_VALUE",
        message,
        evidence=text.evidence,
        sqlstate="KAM01",
        error_class="SCHEMA_ENFORCEMENT_FAILED",
    )


def not_implemented(text: Text, **fields: Any) -> Refused:
    """Return a 501 NOT_IMPLEMENTED: MLflow may read this, this package does not."""
    return Refused(501, "NOT_IMPLEMENTED", text.template.format(**fields), evidence=text.evidence)


def shown(data: Any) -> str:
    """Return data as a message prints it: shortened, where MLflow prints a whole DataFrame."""
    return _SHORT.repr(data)


def _coded(status: int, code: str, text: Text, stack_trace: str | None, fields: dict[str, Any]) -> Refused:
    sqlstate, error_class = _CLASSES[code]
    return Refused(
        status,
        code,
        text.template.format(**fields),
        evidence=text.evidence,
        sqlstate=sqlstate,
        error_class=error_class,
        stack_trace=stack_trace,
    )
