"""What was seen of endpoints from outside, and how it is read.

A history is the list of what somebody did, what GET answered, and what invocations answered, in the order in which it
became known.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXECUTION_LIMIT_MS = 297_000
"""How long after its config was left an entity may still answer: documented on the limits page."""


class Look(NamedTuple):
    """What GET answered for an endpoint; a document of None stands for a 404."""

    instant: int
    endpoint: str
    document: Mapping[str, Any] | None

    def __str__(self) -> str:
        """Tell its state and its configs, not the whole document."""
        if self.document is None:
            return f"{place_of(self)} not there"
        parts = [
            f"{part} {version_of(self, part)} ({', '.join(one['name'] for one in entities_of(self, part))})"
            for part in ("config", "pending_config")
            if part in self.document
        ]
        return f"{place_of(self)} {', '.join([*map(str, self.document['state'].values()), *parts])}"


class Did(NamedTuple):
    """A change that was asked for, and the status with which it was answered."""

    instant: int
    endpoint: str
    what: str
    """``create``, ``update``, ``stop``, ``start`` or ``delete``."""
    status: int
    breaks: str | None = None
    """The rule that the request broke on purpose, if one."""


class Invoked(NamedTuple):
    """An invocation and its answer."""

    begun: int
    """How many observations the history had when it was asked."""
    unanswered_at: int
    """The last instant at which it was known to have no answer."""
    instant: int
    endpoint: str
    status: int
    served_by: str | None
    """The served entity that answered: ``Served-Model-Name``."""
    asked_for: str | None = None
    """The served entity whose own path was called; None for the split."""
    model: tuple[str, str] | None = None
    """Name and version of the model that answered, if its answer tells them."""


Observation = Look | Did | Invoked


class History(NamedTuple):
    """Everything that was seen, the oldest first."""

    seen: list[Observation]
    execution_limit_ms: int = EXECUTION_LIMIT_MS


def invocations(history: History) -> Iterator[tuple[int, Invoked]]:
    """Give the invocations with their places."""
    return ((place, one) for place, one in enumerate(history.seen) if isinstance(one, Invoked))


def names_in(history: History) -> list[str]:
    """List the endpoints that a history speaks of."""
    return list(dict.fromkeys(one.endpoint for one in history.seen))


def looks_at(history: History, name: str) -> list[Look]:
    """List the looks at an endpoint, whether it was there or not."""
    return [one for one in history.seen if isinstance(one, Look) and one.endpoint == name]


def looks_found(history: History) -> list[Look]:
    """List the looks that found an endpoint."""
    return [one for one in history.seen if isinstance(one, Look) and one.document is not None]


def successive(history: History) -> Iterator[tuple[Look, Look]]:
    """Give each two looks at one endpoint that follow each other; one of that name that came anew is another."""
    for name in names_in(history):
        for before, after in pairwise(looks_at(history, name)):
            if before.document and after.document and before.document["id"] == after.document["id"]:
                yield before, after


def looks_around(history: History, place: int, asked: Invoked) -> list[Look] | None:
    """Return the looks from the last before a question to the first after its answer; None if one of both is not."""
    mine = [
        (at, one) for at, one in enumerate(history.seen) if isinstance(one, Look) and one.endpoint == asked.endpoint
    ]
    before = [one for at, one in mine if at < asked.begun][-1:]
    after = [one for at, one in mine if at > place][:1]
    if not before or not after:
        return None
    return [*before, *(one for at, one in mine if asked.begun <= at < place), *after]


def configs_left(history: History, name: str, last: Look) -> Iterator[tuple[int, Look]]:
    """Give the first instant at which each config was seen to be left, and a look at it while it was active."""
    for before, after in pairwise(looks_at(history, name)):
        if (id_of(before), version_of(before)) != (id_of(after), version_of(after)):
            yield after.instant, before
        if after is last:
            return


def id_of(look: Look) -> str:
    """Return the id of an endpoint; empty if it was not there."""
    return str(look.document["id"]) if look.document else ""


def state_of(look: Look, what: str) -> str:
    """Return a word of its state; empty if it was not there."""
    return str(look.document["state"].get(what, "")) if look.document else ""


def version_of(look: Look, part: str = "config") -> int:
    """Return the number of a config; 0 if there is none."""
    return int(((look.document or {}).get(part) or {}).get("config_version", 0))


def newest_of(look: Look) -> int:
    """Return the highest number that it shows."""
    return max(version_of(look), version_of(look, "pending_config"))


def entities_of(look: Look, part: str) -> list[Mapping[str, Any]]:
    """List the served entities of a config."""
    return list(((look.document or {}).get(part) or {}).get("served_entities", ()))


def substance_of(look: Look, part: str) -> Any:
    """Return what was asked for in a config: no states, no times."""
    said = (look.document or {})[part]
    told = ("name", "entity_name", "entity_version", "workload_size", "workload_type", "scale_to_zero_enabled")
    return [[entity.get(key) for key in told] for entity in said["served_entities"]], said.get("traffic_config")


def serves(look: Look, asked: Invoked) -> bool:
    """Tell whether who answered stands in the config that was active."""
    return any(
        entity["name"] == asked.served_by
        and asked.model in {None, (entity.get("entity_name"), str(entity.get("entity_version")))}
        for entity in entities_of(look, "config")
    )


def who_answered(asked: Invoked) -> str:
    """Name who answered an invocation."""
    return f"{asked.served_by} ({' '.join(asked.model)})" if asked.model else str(asked.served_by)


def is_ok(status: int) -> bool:
    """Tell whether a status is one of success."""
    return 200 <= status < 300  # noqa: PLR2004 - the class of HTTP statuses


def place_of(one: Observation) -> str:
    """Begin a sentence about an observation."""
    return f"endpoint {one.endpoint} at {one.instant}:"
