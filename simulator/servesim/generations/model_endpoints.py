"""What the JSON of both retired generations has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.registry import ACTIVE

if TYPE_CHECKING:
    from servesim.core.eventlog import LogLine
    from servesim.core.model_endpoint import ModelEndpoint
    from servesim.generations.fields import Fields


def read_version(fields: Fields) -> str:
    """Return the name of a version of an endpoint, its number; raise BAD_FIELD."""
    return fields.label("endpoint_version_name")


def render_aliases(endpoint: ModelEndpoint) -> list[dict[str, str]]:
    """Return which version each stage's URL leads to; a stage without one is not there."""
    aliases = endpoint.aliases
    return [{"alias": str(stage), "endpoint_version_name": aliases[stage]} for stage in ACTIVE if stage in aliases]


def told(line: LogLine, message: str, **fields: str) -> str:
    """Return what a line of the event log says; what nobody is named for, servesim did."""
    if line.what == "stage points to" and not line.subject:
        return f"{line.detail} is served by no version"
    return message.format(subject=line.subject or "servesim", detail=line.detail, **fields)
