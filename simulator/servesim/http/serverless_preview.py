"""The control plane of the serverless preview: which models it serves, on what, and how that goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core import model_endpoints
from servesim.core.errors import Code, Rejected
from servesim.core.model_endpoint import SERVERLESS_PREVIEW
from servesim.core.model_endpoint_commands import ChangeCompute, DisableModel, EnableModel, RestartUpdate
from servesim.generations import serverless_preview as api
from servesim.generations import serverless_preview_history as history
from servesim.generations.model_endpoints import read_version, render_aliases
from servesim.http.model_endpoints import Surface, done, kept, observed
from servesim.service.logs import build_log, server_log

if TYPE_CHECKING:
    from servesim.core.model_endpoint import ModelEndpoint, ServedVersion
    from servesim.generations.fields import Fields
    from servesim.http.calls import Call
    from servesim.http.reply import Reply

NAME = SERVERLESS_PREVIEW.name
_SURFACE = Surface(SERVERLESS_PREVIEW, api.read_model)


# --- changes --------------------------------------------------------------------------------------


async def enable(call: Call) -> Reply:
    """Serve the Staging and Production versions of a model; raise Rejected, as everything below."""
    model = api.read_model(await _SURFACE.fields(call))
    return await done(call, EnableModel(NAME, model, call.session.principal))


async def disable(call: Call) -> Reply:
    """Serve a model no more."""
    model = api.read_model(await _SURFACE.fields(call))
    return await done(call, DisableModel(NAME, model, call.session.principal))


async def update_compute_config(call: Call) -> Reply:
    """Give the versions in a stage other compute, beside what they have until it is ready."""
    fields = await _SURFACE.fields(call)
    model, stage = api.read_model(fields), api.read_stage(fields)
    compute = api.read_compute(fields, _SURFACE.find(call, fields).compute[stage])
    return await done(call, ChangeCompute(NAME, model, call.session.principal, stage, compute))


async def restart_compute_config_update(call: Call) -> Reply:
    """Try a version's failed update again."""
    fields = await _SURFACE.fields(call)
    model, version = api.read_model(fields), read_version(fields)
    return await done(call, RestartUpdate(NAME, model, version, call.session.principal))


# --- status, for which people poll ------------------------------------------------------------------


async def get_status(call: Call) -> Reply:
    """Answer with the state of a model's endpoint."""
    words = call.session.workspace.world.profile.preview_state_words

    def render(endpoint: ModelEndpoint, _: Fields) -> bytes:
        return b'{"endpoint_status":%b}' % _status(endpoint, words)

    return await _SURFACE.polled(call, render)


async def list_versions(call: Call) -> Reply:
    """Answer with the states of the versions that are served."""

    def render(endpoint: ModelEndpoint, _: Fields) -> bytes:
        parts = (_version(endpoint, served) for served in endpoint.served.values())
        return b'{"endpoint_statuses":[%b]}' % b",".join(parts)

    return await _SURFACE.polled(call, render)


async def get_version_status(call: Call) -> Reply:
    """Answer with the state of one version."""

    def render(endpoint: ModelEndpoint, fields: Fields) -> bytes:
        return b'{"endpoint_status":%b}' % _version(endpoint, _served(endpoint, fields))

    return await _SURFACE.polled(call, render)


async def list_version_aliases(call: Call) -> Reply:
    """Answer with the version that each stage's URL leads to."""

    def render(endpoint: ModelEndpoint, _: Fields) -> bytes:
        return kept(endpoint, "aliases", lambda: {"aliases": render_aliases(endpoint)})

    return await _SURFACE.polled(call, render, "documented")


# --- other reads ------------------------------------------------------------------------------------


async def list_endpoints(call: Call) -> Reply:
    """Answer with the state of each endpoint whose model the caller may read; never moves time."""
    words = call.session.workspace.world.profile.preview_state_words
    return _SURFACE.listed(call, "endpoint_statuses", lambda endpoint: _status(endpoint, words))


async def get_supported_workload_sizes(call: Call) -> Reply:
    """Answer with the workload sizes there are."""
    _SURFACE.open(call)
    return observed({"workload_sizes": api.render_sizes()})


async def get_version_replicas(call: Call) -> Reply:
    """Answer with the replicas of a version."""
    endpoint, served, _ = await _asked(call)
    return observed({"version_replicas": api.render_replicas(endpoint, served)})


async def get_version_logs(call: Call) -> Reply:
    """Answer with what a replica printed, or all of them together.

    One process answers for the replicas of a deployment, so that each of them has printed the same: chosen.
    """
    _, served, fields = await _asked(call)
    replica, workspace = fields.text("replica_id", ""), call.session.workspace
    if not replica:
        return observed({"logs": "".join(server_log(workspace, one) for one in served.deployments)})
    known = {found: deployment for found, _, deployment in api.replicas_of(served)}
    if replica not in known:
        raise Rejected(Code.REPLICA_MISSING, replica=replica, known=list(known))
    return observed({"logs": server_log(workspace, known[replica])})


async def get_version_build_logs(call: Call) -> Reply:
    """Answer with what the build of a version's container printed."""
    endpoint, served, _ = await _asked(call)
    log = build_log(served.deployment)
    if not log:
        raise Rejected(Code.BUILD_LOGS_MISSING, model=endpoint.model.name, version=served.number)
    return observed({"logs": log})


async def get_version_metrics(call: Call) -> Reply:
    """Answer with the traffic of a version by minute."""
    _, served, fields = await _asked(call)
    span = api.read_span(fields, call.session.workspace.clock.now())
    return observed({"data": history.render_metrics(served, *span), "bucket_interval_ms": api.BUCKET_MS})


async def get_event_history(call: Call) -> Reply:
    """Answer with what happened to an endpoint."""
    endpoint, _ = await _SURFACE.asked(call)
    return observed({"events": history.render_events(endpoint)})


# --- versions ---------------------------------------------------------------------------------------


async def _asked(call: Call) -> tuple[ModelEndpoint, ServedVersion, Fields]:
    endpoint, fields = await _SURFACE.asked(call)
    return endpoint, _served(endpoint, fields), fields


def _served(endpoint: ModelEndpoint, fields: Fields) -> ServedVersion:
    return model_endpoints.version_of(endpoint, read_version(fields))


def _version(endpoint: ModelEndpoint, served: ServedVersion) -> bytes:
    return kept(endpoint, ("version", served.number), lambda: api.render_version(endpoint, served))


def _status(endpoint: ModelEndpoint, words: str) -> bytes:
    return kept(endpoint, "status", lambda: api.render_endpoint(endpoint, words))
