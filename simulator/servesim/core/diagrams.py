"""The page that shows the tables as diagrams: ``python -m servesim.core.diagrams > docs/lifecycle.md``."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from servesim.core import deployment, endpoint, enrolment, model_endpoint
from servesim.core.deployment import Phase
from servesim.core.endpoint import EndpointPhase
from servesim.core.enrolment import Enrolment
from servesim.core.model_endpoint import EndpointState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_P = TypeVar("_P", bound=StrEnum)
_S = TypeVar("_S", bound=StrEnum)

_PAGE = """\
# The lives of things

Everything that happens to a deployment or an endpoint is an entry of a table, whichever generation the endpoint is of.
A signal that a table does not list for a state changes nothing; a command that would need it is refused. This page is
made from the tables, and a test fails when it is older than they are.

## A deployment

One model version on compute. A new one is built, gets its resources, and loads its model; what is *ready* may scale
to zero, start again when a request comes, or lose its process and recover. Requests are held while it is *starting*,
*recovering*, *reloading* or *leaving*. When no config names it any more it drains: what it has admitted may be
answered until the execution limit. A *stopped* one is another deployment, without compute, that stands in for it; the
one that takes its place at the start begins *provisioning* if the container was built before.

{deployment}
## An endpoint

An endpoint has an active config, which serves, and perhaps a pending one. A put makes a pending config; when all its
entities are ready it becomes the active one at once, and when one of them fails the old one goes on serving. Another
put is refused while an update runs. An endpoint that serves, and is not being updated, can be stopped: it answers no
request, a put replaces its config at once, and a start is an update to an equal config. Delete works in every state.

{endpoint}
## The endpoint of a model

What enabling legacy serving or the serverless preview makes for a registered model. While it is *ready* its versions
are deployed as the stages in the registry say, each as a deployment of the first table. A changed cluster of legacy
serving is a *relaunch*; compute of the preview changes beside what serves. A date of the calendar *ends* it.

{model_endpoint}
## The way to the serverless preview

How a workspace comes to have it: anybody requests it, Databricks enrols the workspace, and a workspace admin accepts
the terms and enables it.

{enrolment}"""


def page() -> str:
    """Return the page as Markdown with Mermaid diagrams."""
    lives = _diagram(deployment.TABLE, Phase.BUILDING, Phase.GONE)
    endpoints = _diagram(endpoint.TABLE, EndpointPhase.EMPTY, EndpointPhase.DELETED)
    models = _diagram(model_endpoint.TABLE, EndpointState.PENDING, EndpointState.OFF, EndpointState.ENDED)
    steps = _diagram(enrolment.TABLE, Enrolment.NOT_ENROLLED)
    return _PAGE.format(deployment=lives, endpoint=endpoints, model_endpoint=models, enrolment=steps)


def _diagram(table: Mapping[tuple[_P, _S], _P], first: _P, *last: _P) -> str:
    phases = [*type(first)]
    lines = [
        "stateDiagram-v2",
        *(f'state "{phase}" as {_key(phase)}' for phase in phases),
        f"[*] --> {_key(first)}",
        *_arrows(table),
        *(f"{_key(phase)} --> [*]" for phase in last),
    ]
    drawing = "\n    ".join(lines)
    rows = "".join(f"| {left} | {signal} | {entered} |\n" for (left, signal), entered in table.items())
    return f"```mermaid\n{drawing}\n```\n\n| In | on | it becomes |\n|---|---|---|\n{rows}"


def _arrows(table: Mapping[tuple[_P, _S], _P]) -> Iterator[str]:
    signals: dict[tuple[_P, _P], list[str]] = {}
    for (left, signal), entered in table.items():
        signals.setdefault((left, entered), []).append(str(signal))
    for (left, entered), labels in signals.items():
        yield f"{_key(left)} --> {_key(entered)} : {', '.join(labels)}"


def _key(phase: StrEnum) -> str:
    return phase.name.lower()


if __name__ == "__main__":
    sys.stdout.write(page())
