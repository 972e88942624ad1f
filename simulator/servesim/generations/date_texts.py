"""Refusals because of a date, and those of a workspace on its way to the serverless preview.

Rules: a refusal because of a date names the simulated now, the date, what to use instead, and how a test begins at
another time. What the service itself is known to say (of ``auto_capture_config``) stands in its own table.
"""

from __future__ import annotations

from servesim.core.errors import Code
from servesim.generations.text import INVALID, Text

FEATURE_DISABLED = (404, "FEATURE_DISABLED")
_TIME = (
    " The simulated time of this workspace is {now}; to see it as it was, begin earlier, with --start-time or start=."
)
_PAGE = " {instead} See {link}." + _TIME
_UNKNOWN = "nothing is known about calls after an end; 404 FEATURE_DISABLED is the one refusal of what is off"

TEXTS: dict[Code, Text] = {
    Code.SURFACE_RETIRED: Text(
        *FEATURE_DISABLED,
        "The surface '{what}' is retired since {since} and answers no more." + _PAGE,
        "chosen",
        _UNKNOWN,
    ),
    Code.SURFACE_CLOSED: Text(
        *FEATURE_DISABLED,
        "Nothing new begins on the surface '{what}' since {since}; what was enabled before goes on." + _PAGE,
        "chosen",
        "that it is refused is documented with its day; code and text are not",
    ),
    Code.OPERATION_RETIRED: Text(
        *FEATURE_DISABLED, "The operation '{operation}' is retired since {since}. {instead}" + _TIME, "chosen", _UNKNOWN
    ),
    Code.FIELD_RETIRED: Text(
        *INVALID, "The field '{field}' is retired since {since}: leave it out. {instead}" + _TIME, "chosen"
    ),
    Code.VALUE_RETIRED: Text(
        *INVALID, "The field '{field}' takes {value} no more since {since}. {instead}" + _TIME, "chosen"
    ),
    Code.ENROLMENT_STEP: Text(
        *INVALID,
        "The workspace's enrolment in the serverless preview is '{state}': the step '{step}' is not the next one, "
        "which is '{next}'.",
        "chosen",
        "the order of the steps is documented; they are no calls of the service",
    ),
    Code.ENROLMENT_NOT_ADMIN: Text(
        403,
        "PERMISSION_DENIED",
        "The step '{step}' is taken by {who}, not by '{principal}'.",
        "chosen",
        "who takes which step is documented; they are no calls of the service",
    ),
}
