"""What becomes of a run whose answers were looked at, and were not what they should be."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHECKS = ("validate_responses", "strict_evidence", "strict_faults")
"""Settings that a run can fail by; each is also a variable, ``SERVESIM_...``."""


class BadAnswers(AssertionError):  # noqa: N818 - a verdict, as every AssertionError is
    """Answers broke the contracts, or were chosen by servesim, or faults struck nothing; the text lists them."""


def checks_from_environment() -> dict[str, str]:
    """Return the settings that variables switch on or off."""
    variables = {name: f"SERVESIM_{name.upper()}" for name in CHECKS}
    return {name: os.environ[variable] for name, variable in variables.items() if variable in os.environ}


def complaints(found: Mapping[str, int]) -> Iterator[str]:
    """Yield a line for each complaint about answers."""
    for complaint, count in found.items():
        yield f"{complaint} ({count} x)" if count > 1 else complaint


def refuse_complaints(*found: Mapping[str, int]) -> None:
    """Raise BadAnswers if there are complaints about answers."""
    if lines := [line for each in found for line in complaints(each)]:
        only_faults = all(line.startswith("struck nothing") for line in lines)
        what = "has faults that struck nothing" if only_faults else "gave answers"
        raise BadAnswers("\n".join([f"servesim {what} that this run does not accept:", *lines]))


@contextmanager
def complaints_after(error: BaseException | None) -> Iterator[None]:
    """Let an error that is on its way go before complaints."""
    try:
        yield
    except BadAnswers:
        if error is None:
            raise
