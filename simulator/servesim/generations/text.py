"""What an error is to a client, whichever table it stands in."""

from __future__ import annotations

from typing import NamedTuple


class Text(NamedTuple):
    """An error as the service gives it.

    ``grade`` speaks of the text as a whole (``recorded``, ``documented``, ``observed`` or ``chosen``), ``source``
    of what is known about it and about the status and code.
    """

    status: int
    error_code: str
    template: str
    grade: str
    source: str = "nothing is known about this refusal"


INVALID = (400, "INVALID_PARAMETER_VALUE")
MISSING = (404, "RESOURCE_DOES_NOT_EXIST")
