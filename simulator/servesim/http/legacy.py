"""The control plane of legacy MLflow Model Serving: which models have a cluster, and how their versions do on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core import model_endpoints
from servesim.core.model_endpoint import LEGACY
from servesim.core.model_endpoint_commands import ChangeCompute, DisableModel, EnableModel
from servesim.generations import legacy as api
from servesim.generations.legacy_events import render_events
from servesim.generations.model_endpoints import read_version, render_aliases
from servesim.http.model_endpoints import Surface, done, kept, observed
from servesim.http.parameters import fields_or_form
from servesim.http.reply import encode
from servesim.service.logs import build_log, server_log

if TYPE_CHECKING:
    from servesim.core.model_endpoint import ModelEndpoint
    from servesim.generations.fields import Fields
    from servesim.http.calls import Call
    from servesim.http.reply import Reply

NAME = LEGACY.name
_SURFACE = Surface(LEGACY, api.read_model)


# --- changes --------------------------------------------------------------------------------------


async def enable(call: Call) -> Reply:
    """Serve every version of a model that is not archived; raise Rejected, as everything below."""
    return await done(call, EnableModel(NAME, await _model(call), call.session.principal))


async def disable(call: Call) -> Reply:
    """Serve a model no more: its cluster ends."""
    return await done(call, DisableModel(NAME, await _model(call), call.session.principal))


async def _model(call: Call) -> str:
    _SURFACE.open(call)
    return api.read_model(await fields_or_form(call))


async def update_cluster_config(call: Call) -> Reply:
    """Replace the cluster of a model by another one; nothing is served in between."""
    endpoint, fields = await _SURFACE.asked(call)
    cluster = api.read_cluster(fields, endpoint.compute[None])
    return await done(call, ChangeCompute(NAME, endpoint.model.name, call.session.principal, None, cluster))


# --- status, for which people poll ------------------------------------------------------------------


async def get_status(call: Call) -> Reply:
    """Answer with the state of a model's endpoint."""
    return await _SURFACE.polled(call, lambda endpoint, _: b'{"endpoint_status":%b}' % _status(endpoint))


async def list_versions(call: Call) -> Reply:
    """Answer with the states of the versions that are served."""

    def render(endpoint: ModelEndpoint, _: Fields) -> bytes:
        if endpoint.in_transition:  # that an environment is built shows here alone, and moves no revision
            return encode({"endpoint_versions": api.render_versions(endpoint)})
        return kept(endpoint, "versions", lambda: {"endpoint_versions": api.render_versions(endpoint)})

    return await _SURFACE.polled(call, render)


async def list_version_aliases(call: Call) -> Reply:
    """Answer with the version that each stage's URL leads to."""

    def render(endpoint: ModelEndpoint, _: Fields) -> bytes:
        return kept(endpoint, "aliases", lambda: {"aliases": render_aliases(endpoint)})

    return await _SURFACE.polled(call, render)


# --- other reads ------------------------------------------------------------------------------------


async def list_endpoints(call: Call) -> Reply:
    """Answer with the state of each endpoint whose model the caller may read; never moves time."""
    return _SURFACE.listed(call, "endpoints", _status)


async def get_version_logs(call: Call) -> Reply:
    """Answer with what the build of a version's environment and its server process printed."""
    endpoint, fields = await _SURFACE.asked(call)
    number = read_version(fields)
    if number in api.pending(endpoint):
        return observed({"logs": ""})
    deployment = model_endpoints.version_of(endpoint, number).deployment
    return observed({"logs": build_log(deployment) + server_log(call.session.workspace, deployment)})


async def get_event_history(call: Call) -> Reply:
    """Answer with what happened to an endpoint."""
    endpoint, _ = await _SURFACE.asked(call)
    return observed({"events": render_events(endpoint)})


async def get_metric_history(call: Call) -> Reply:
    """Answer with how many requests succeeded and failed, by minute."""
    endpoint, _ = await _SURFACE.asked(call)
    return observed({"metrics": api.render_metrics(endpoint)})


def _status(endpoint: ModelEndpoint) -> bytes:
    return kept(endpoint, "status", lambda: api.render_endpoint(endpoint))
