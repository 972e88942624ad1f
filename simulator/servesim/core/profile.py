"""Durations and limits as data, each with its evidence.

``faithful`` is what is known of the real service; ``instant`` deploys and starts at once and limits nothing; ``load``
is ``faithful`` within seconds. A file can override single values (see ``service/profiles.py``). ``faithful@2026-11`` is
what was known in that month.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from servesim.core.calendar import CALENDAR, Ending

SECOND = 1_000
MINUTE = 60 * SECOND


class Evidence(NamedTuple):
    """How a value is known: ``documented``, ``recorded``, ``observed`` or ``chosen``, and from where."""

    grade: str
    source: str


LIMITS = ("concurrency", "parallel", "rates", "qps", "operations")
"""What can be limited: requests in flight and in the queue of a served entity; in flight in the workspace; by an
endpoint's own rate limits; a second in the workspace; creates and updates. Which of them are is a profile's."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How long things take and how much is allowed. Pairs are (least, most), drawn evenly between."""

    name: str = "faithful"
    container_build_ms: tuple[int, int] = (8 * MINUTE, 8 * MINUTE)
    resources_ms: tuple[int, int] = (2 * MINUTE, 2 * MINUTE)
    config_switch_ms: tuple[int, int] = (30 * SECOND, 30 * SECOND)
    cold_start_ms: tuple[int, int] = (10 * SECOND, 20 * SECOND)
    recovery_ms: tuple[int, int] = (30 * SECOND, 30 * SECOND)
    idle_to_zero_ms: int = 30 * MINUTE
    deploy_timeout_cpu_ms: int = 30 * MINUTE
    deploy_timeout_gpu_ms: int = 60 * MINUTE
    deploy_timeout_large_gpu_ms: int = 120 * MINUTE
    execution_limit_ms: int = 297 * SECOND
    payload_limit_bytes: int = 16 * 1024 * 1024
    endpoint_limit: int = 1_000
    entity_limit: int = 15
    environment_limit: int = 30
    inference_table_delay_ms: int = 60 * MINUTE
    inference_table_sampling: float = 1.0
    replica_start_ms: tuple[int, int] = (10 * SECOND, 20 * SECOND)
    scale_down_ms: int = 5 * MINUTE
    queue_limit: int = 64
    parallel_limit: int = 4_096
    qps_limit: int = 200
    operation_limit: int = 50
    operation_window_ms: int = 5 * MINUTE
    staging_ms: tuple[int, int] = (2 * MINUTE, 2 * MINUTE)
    express_environment_limit_bytes: int = 10**9
    registered_model_limit: int = 5_000
    model_version_limit: int = 10_000
    preview_enable_ms: tuple[int, int] = (2 * MINUTE, 2 * MINUTE)
    cluster_start_ms: tuple[int, int] = (4 * MINUTE, 4 * MINUTE)
    environment_build_ms: tuple[int, int] = (5 * MINUTE, 5 * MINUTE)
    preview_state_words: str = "observed"
    calendar: tuple[Ending, ...] = CALENDAR
    limits: tuple[str, ...] = ("concurrency", "parallel", "rates")

    def with_limits(self, which: str) -> Profile:
        """Return the profile with ``all`` of LIMITS on, with ``none``, or with its own (``profile``)."""
        match which:
            case "all":
                return replace(self, limits=LIMITS)
            case "none":
                return replace(self, limits=())
        return self


EVIDENCE: dict[str, Evidence] = {
    "container_build_ms": Evidence("observed", "a new CPU model takes about ten minutes; the parts are chosen"),
    "resources_ms": Evidence("observed", "a new CPU model takes about ten minutes; the parts are chosen"),
    "config_switch_ms": Evidence("documented", "a change without new deployments updates for about 30 s"),
    "cold_start_ms": Evidence("documented", "custom models page: typically 10 to 20 s"),
    "recovery_ms": Evidence("chosen", "nothing is published about the time a crashed replica needs"),
    "idle_to_zero_ms": Evidence("documented", "custom models page: after 30 minutes without traffic"),
    "deploy_timeout_cpu_ms": Evidence("documented", "timeouts page: 30 minutes after the build"),
    "deploy_timeout_gpu_ms": Evidence("documented", "timeouts page: 60 minutes after the build"),
    "deploy_timeout_large_gpu_ms": Evidence("documented", "timeouts page: 120 minutes after the build"),
    "execution_limit_ms": Evidence("documented", "limits page: 297 s (the AWS pages also say 597 s)"),
    "payload_limit_bytes": Evidence("documented", "limits page: 16 MB a request"),
    "endpoint_limit": Evidence("documented", "limits page: 1,000 endpoints a workspace"),
    "entity_limit": Evidence("observed", "15 are accepted; the pages say 10"),
    "environment_limit": Evidence("documented", "limits page: 30 variables a served model"),
    "inference_table_delay_ms": Evidence("documented", "inference tables page: rows are there within 1 hour"),
    "inference_table_sampling": Evidence("recorded", "rows of real tables say 1.0; the share of requests in the table"),
    "replica_start_ms": Evidence("chosen", "one more is said to come almost immediately; here it takes a cold start"),
    "scale_down_ms": Evidence("documented", "custom models page: evaluated every 5 minutes"),
    "queue_limit": Evidence("chosen", "requests queue up to a threshold that is documented to exist and not disclosed"),
    "parallel_limit": Evidence("chosen", "documented to exist; as many as a workspace may have provisioned"),
    "qps_limit": Evidence("documented", "limits page: 200 a second and workspace, route-optimized endpoints apart"),
    "operation_limit": Evidence("documented", "limits page: 50 creates and updates in 5 minutes"),
    "operation_window_ms": Evidence("documented", "limits page: 50 creates and updates in 5 minutes"),
    "staging_ms": Evidence("chosen", "registration with an environment is documented to take longer, not how long"),
    "express_environment_limit_bytes": Evidence(
        "documented", "express deployments page: 1 GB; that it is decimal is chosen"
    ),
    "registered_model_limit": Evidence("chosen", "limits are published for Unity Catalog, of a metastore"),
    "model_version_limit": Evidence("chosen", "limits are published for Unity Catalog, of a metastore"),
    "preview_enable_ms": Evidence("chosen", "its page says a few minutes until an enabled model is ready"),
    "cluster_start_ms": Evidence("observed", "clients of legacy serving waited about four minutes"),
    "environment_build_ms": Evidence(
        "chosen", "legacy serving builds an environment for each version; nobody says for how long"
    ),
    "preview_state_words": Evidence(
        "observed", "ENDPOINT_STATE_READY on the wire; its page prints READY (`documented`)"
    ),
    "calendar": Evidence("documented", "each date has its own evidence"),
    "limits": Evidence("chosen", "all are documented; the two that few tests expect have to be asked for"),
}

FAITHFUL = Profile()

UNLIMITED = 2**53
"""A limit that nothing reaches."""

INSTANT = replace(
    FAITHFUL,
    name="instant",
    container_build_ms=(0, 0),
    resources_ms=(0, 0),
    config_switch_ms=(0, 0),
    cold_start_ms=(0, 0),
    recovery_ms=(0, 0),
    inference_table_delay_ms=0,
    replica_start_ms=(0, 0),
    staging_ms=(0, 0),
    preview_enable_ms=(0, 0),
    cluster_start_ms=(0, 0),
    environment_build_ms=(0, 0),
    limits=(),
    endpoint_limit=UNLIMITED,
    entity_limit=UNLIMITED,
    environment_limit=UNLIMITED,
    registered_model_limit=UNLIMITED,
    model_version_limit=UNLIMITED,
)

LOAD = replace(
    FAITHFUL,
    name="load",
    container_build_ms=(SECOND, SECOND),
    resources_ms=(SECOND, SECOND),
    config_switch_ms=(SECOND, SECOND),
    cold_start_ms=(SECOND, 2 * SECOND),
    recovery_ms=(SECOND, SECOND),
    replica_start_ms=(SECOND, 2 * SECOND),
    scale_down_ms=5 * SECOND,
    idle_to_zero_ms=20 * SECOND,
    deploy_timeout_cpu_ms=MINUTE,
    deploy_timeout_gpu_ms=MINUTE,
    deploy_timeout_large_gpu_ms=MINUTE,
    inference_table_delay_ms=SECOND,
    staging_ms=(SECOND, SECOND),
    preview_enable_ms=(SECOND, SECOND),
    cluster_start_ms=(SECOND, SECOND),
    environment_build_ms=(SECOND, SECOND),
)
"""``faithful`` for load tests in real time: what takes minutes takes seconds; limits and counts stay."""

DATED = {"2026-11": FAITHFUL}
"""``faithful`` by the month in which its values became known, the oldest first. What is here never changes: new
knowledge is a new month."""

PROFILES = {
    "faithful": FAITHFUL,
    **{f"faithful@{month}": profile for month, profile in DATED.items()},
    "instant": INSTANT,
    "load": LOAD,
}


def override(base: Profile, name: str, values: dict[str, Any]) -> Profile:
    """Return ``base`` with some values replaced; KeyError for a name that no profile has."""
    known = {field.name for field in fields(Profile)} - {"name"}
    for key in values:
        if key not in known:
            raise KeyError(key)
    return replace(base, name=name, **values)
