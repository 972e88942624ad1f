"""Asking a workspace, as its clients do, what is served on the retired generations."""

from __future__ import annotations

import functools
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from servesim.core.calendar import LEGACY
from servesim.core.registry import ACTIVE
from servesim.delivery.admin_client import Negative, NotReached
from servesim.delivery.client import Target, Unreachable, call, checked_url, no_answer
from servesim.delivery.defaults import DEFAULT_TOKEN, DEFAULT_URL
from servesim.delivery.migration.served import (
    NO_STAGE,
    SURFACES,
    Inventory,
    ServedCompute,
    ServedModel,
    ServedVersion,
    published_ends,
)
from servesim.service.clock import wall_second
from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servesim.delivery.client import Answered

PAGES = 1000
"""More pages of one list are no list."""


class Refused(Negative):
    """The workspace answered with an error."""

    def __init__(self, path: str, answered: Answered) -> None:
        """Tell what was asked and what came back."""
        found = answered.document
        fields = found if isinstance(found, dict) else {}
        self.code = str(fields.get("error_code", ""))
        self.said = plain(str(fields.get("message", "no message")))
        super().__init__(f"{path} was answered {answered.status} {self.code}: {self.said}")


class Workspace:
    """Calls the public API of a workspace; every failure is one of the commands'."""

    def __init__(self, url: str, token: str) -> None:
        """Call this workspace with this token."""
        self.url = checked_url(url)
        self._target = Target(self.url, token)

    def ask(self, path: str, **query: str | None) -> Answered:
        """Return the answer to a GET; raise Refused or NotReached."""
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        try:
            answered = call(self._target, f"{path}?{asked}" if asked else path)
        except Unreachable as reason:
            raise NotReached(f"asked {self.url}; {no_answer(reason)}. Name the workspace with --host.") from reason
        except ValueError as error:  # a token that no header can hold
            raise click.UsageError(str(error)) from error
        if not answered.well:
            raise Refused(path, answered)
        if not isinstance(answered.document, dict):
            raise Negative(f"{self.url}{path} did not answer with a JSON object; is it a workspace?")
        return answered

    def get(self, path: str, **query: str | None) -> dict[str, Any]:
        """Return the document of an answer."""
        document: dict[str, Any] = self.ask(path, **query).document
        return document

    def pages(self, path: str, field: str, **query: str | None) -> Iterator[dict[str, Any]]:
        """Yield the entries of a list that comes in pages."""
        token: str | None = None
        for _ in range(PAGES):
            page = self.get(path, **query, page_token=token)
            yield from page.get(field, ())
            token = page.get("next_page_token")
            if not token:
                return


def inventory_of(workspace: Workspace, today: int | None = None) -> Inventory:
    """Ask both generations for all that they serve today; one that refuses to be asked is a note."""
    now = wall_second() * 1000 if today is None else today
    ends, models, notes, closed = published_ends(), [], [], []
    for generation, surface in SURFACES.items():
        try:
            answered = workspace.ask(f"{surface.api}/list")
        except Refused as refusal:
            if refusal.code != "FEATURE_DISABLED":
                raise
            notes.append(f"{surface.title.capitalize()} cannot be asked: {refusal.said}")
            closed.append(generation)
            continue
        ends[generation] = ends[generation]._replace(retired_on=_sunset(answered, ends[generation].retired_on))
        listed = answered.document.get("endpoints" if generation == LEGACY else "endpoint_statuses", ())
        models += [_model(workspace, generation, entry) for entry in listed]
    ordered = sorted(models, key=lambda one: (one.model, one.generation))
    return Inventory(now, tuple(ordered), ends, tuple(notes), tuple(closed))


def _sunset(answered: Answered, published: int | None) -> int | None:
    """Return the end that an answer announces; else the published one."""
    told = answered.headers.get("Sunset")
    try:
        return round(parsedate_to_datetime(told).timestamp() * 1000) if told else published
    except ValueError:
        return published


def _model(workspace: Workspace, generation: str, entry: dict[str, Any]) -> ServedModel:
    model, surface = str(entry["registered_model_name"]), SURFACES[generation]
    named = {"registered_model_name": model}
    versions = workspace.get(f"{surface.api}/list-versions", **named)
    aliases = workspace.get(f"{surface.api}/list-version-aliases", **named).get("aliases", ())
    stages = {row["version"]: row.get("current_stage", NO_STAGE) for row in registered_versions(workspace, model)}
    rows = versions.get("endpoint_versions" if generation == LEGACY else "endpoint_statuses", ())
    return ServedModel(
        model,
        generation,
        _state(entry.get("state")),
        tuple(_version(row, stages) for row in rows),
        tuple(sorted((row["alias"], row["endpoint_version_name"]) for row in aliases)),
        tuple(_compute(entry)),
    )


def ended_model(workspace: Workspace, generation: str, model: str) -> ServedModel | None:
    """Return what a generation that answers no more served of a model, by the stages of its versions; or None."""
    rows = [row for row in registered_versions(workspace, model) if _was_served(row, generation)]
    versions = [
        ServedVersion(row["version"], row["current_stage"], "FAILED" if "FAILED" in row["status"] else "ENDED")
        for row in rows
    ]
    aliases = {one.stage: one.number for one in versions if one.stage in ACTIVE}
    return ServedModel(model, generation, "ENDED", tuple(versions), tuple(aliases.items())) if versions else None


def _was_served(row: dict[str, Any], generation: str) -> bool:
    stage = row.get("current_stage", NO_STAGE)
    return stage in ACTIVE or (generation == LEGACY and stage == NO_STAGE)


def registered_versions(workspace: Workspace, model: str) -> list[dict[str, Any]]:
    """Return the versions of a model of the workspace registry, the oldest first."""
    mark = '"' if "'" in model else "'"
    found = workspace.pages(
        "/api/2.0/mlflow/model-versions/search", "model_versions", filter=f"name={mark}{model}{mark}"
    )
    return sorted(found, key=lambda row: int(row["version"]))


def _version(row: dict[str, Any], stages: dict[str, str]) -> ServedVersion:
    number = str(row["endpoint_version_name"])
    status = row.get("service_status") or {"state": row.get("state"), "message": row.get("state_message")}
    return ServedVersion(number, stages.get(number, NO_STAGE), _state(status.get("state")), status.get("message") or "")


def _state(word: str | None) -> str:
    """Return the short word of a state, whose prefix says what it is the state of."""
    return str(word or "UNKNOWN").rpartition("_STATE_")[2]


def _compute(entry: dict[str, Any]) -> Iterator[ServedCompute]:
    for config in entry.get("compute_config") or ():
        spec = config.get("workload_spec") or {}
        scales = str(spec.get("scale_to_zero_enabled", False)).lower() == "true"
        yield ServedCompute(config.get("stage", ""), spec.get("workload_size_id", ""), scales)
    if "actual_cluster_config" in entry:
        yield ServedCompute(node_type=(entry["actual_cluster_config"] or {}).get("node_type_id", ""))


def public_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``workspace``, which is asked by the public API."""

    @functools.wraps(function)
    def run(host: str, token: str, **options: Any) -> None:
        workspace = Workspace(host, token)
        try:
            function(workspace=workspace, **options)
        except (KeyError, TypeError, AttributeError, ValueError) as error:  # an answer that is no workspace's
            raise Negative(f"{workspace.url} does not answer as a workspace does; is it one?") from error

    return _host_option(_token_option(run))


_host_option = click.option(
    "--host",
    envvar="DATABRICKS_HOST",
    show_envvar=True,
    default=DEFAULT_URL,
    show_default=True,
    metavar="URL",
    help="Which workspace.",
)
_token_option = click.option(
    "--token",
    envvar="DATABRICKS_TOKEN",
    show_envvar=True,
    default=DEFAULT_TOKEN,
    show_default="that of `servesim serve`",
    metavar="TOKEN",
)
