"""When parts of the service end: dates as data, each with its evidence, and what is refused because of them.

Rules: an end comes in two steps, either of which may have no date; from ``no_new_from`` on nothing new begins, from
``retired_on`` on nothing answers any more. The first instant of a day belongs to what comes after it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from servesim.core.errors import Code, Rejected

if TYPE_CHECKING:
    from servesim.core.profile import Profile
    from servesim.core.workspace import Workspace

MIGRATION_PAGE = "https://docs.databricks.com/aws/en/machine-learning/model-serving/migrate-model-serving"
GATEWAY_PAGE = "https://docs.databricks.com/aws/en/ai-gateway/inference-tables"

LEGACY = "legacy"
SERVERLESS_PREVIEW = "serverless_preview"
AUTO_CAPTURE = "value:*:auto_capture_config.enabled=true"
"""What ends is a generation, ``operation:<operation>``, ``field:<operation>:<path>`` or
``value:<operation>:<path>=<JSON>``; ``*`` stands for every operation."""


class Ending(NamedTuple):
    """When something ends, in one or two steps; instants in milliseconds since 1970, None where no day is known."""

    what: str
    no_new_from: int | None
    retired_on: int | None
    instead: str
    """What to use, as a sentence."""
    link: str
    grade: str = "chosen"
    source: str = "a date of your own"


CALENDAR = (
    Ending(
        LEGACY,
        1_755_820_800_000,  # 2025-08-22T00:00:00Z
        1_757_894_400_000,  # 2025-09-15T00:00:00Z
        "Create a Model Serving endpoint (/api/2.0/serving-endpoints) with the model, and query that.",
        MIGRATION_PAGE,
        "documented",
        "migration page: no new endpoints from 22 August 2025, end of life on 15 September 2025; UTC is chosen",
    ),
    Ending(
        SERVERLESS_PREVIEW,
        None,
        None,
        "Create a Model Serving endpoint (/api/2.0/serving-endpoints) with the model, and query that.",
        MIGRATION_PAGE,
        "documented",
        "its pages say that it is retired; no day was ever published",
    ),
    Ending(
        AUTO_CAPTURE,
        None,
        1_767_225_600_000,  # 2026-01-01T00:00:00Z
        "Use inference tables of AI Gateway.",
        GATEWAY_PAGE,
        "chosen",
        "refusals are recorded in 2026; the day is not known",
    ),
)


def iso(instant: int) -> str:
    """Write an instant of the years 1 to 9999 as ISO 8601 in UTC, with milliseconds only where there are some."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)
    return moment.isoformat(timespec="milliseconds" if instant % 1000 else "seconds").replace("+00:00", "Z")


def ending_of(profile: Profile, what: str) -> Ending | None:
    """Return when something ends; None if its end is in no calendar."""
    for ending in profile.calendar:
        if ending.what == what:
            return ending
    return None


def check_open(world: Workspace, what: str) -> None:
    """Raise SURFACE_RETIRED once a generation answers nothing any more."""
    ending = ending_of(world.profile, what)
    if ending is not None and ending.retired_on is not None and world.timeline.now >= ending.retired_on:
        raise retired(world, ending, ending.retired_on, Code.SURFACE_RETIRED)


def check_new(world: Workspace, what: str) -> None:
    """Raise SURFACE_RETIRED, or SURFACE_CLOSED once nothing new may begin in a generation."""
    check_open(world, what)
    ending = ending_of(world.profile, what)
    if ending is not None and ending.no_new_from is not None and world.timeline.now >= ending.no_new_from:
        raise retired(world, ending, ending.no_new_from, Code.SURFACE_CLOSED)


def retired(world: Workspace, ending: Ending, since: int, code: Code, **fields: object) -> Rejected:
    """Return the refusal of something because of its date."""
    return Rejected(
        code,
        what=ending.what,
        since=iso(since),
        now=iso(world.timeline.now),
        instead=ending.instead,
        link=ending.link,
        **fields,
    )
