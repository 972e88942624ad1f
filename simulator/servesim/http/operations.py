"""What else the control plane of GA Model Serving does with an endpoint: settings, permissions, what can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core.access import Level
from servesim.core.commands import StartEndpoint, StopEndpoint
from servesim.core.endpoint import EVENTS_KEPT
from servesim.core.errors import Code, Rejected
from servesim.core.permissions import find as find_by_id
from servesim.generations import ga, ga_optimization, ga_permissions, ga_requests, ga_settings
from servesim.generations.fields import Fields
from servesim.http.reply import Reply, encode
from servesim.service import logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from servesim.core.access import Principal
    from servesim.core.commands import ChangeSetting
    from servesim.core.deployment import Deployment
    from servesim.core.endpoint import Endpoint
    from servesim.http.calls import Call
    from servesim.http.control import Rendered

TEXT = "text/plain; charset=utf-8"


class Operations:
    """The operations below one endpoint, and its permissions."""

    def __init__(self, rendered: Rendered) -> None:
        """Share the rendered bytes of endpoints."""
        self._rendered = rendered

    # --- settings ---------------------------------------------------------------------------------

    async def tags(self, call: Call) -> Reply:
        """Add, replace and take away tags."""
        command = ga_requests.read_tags(call.parameters["name"], await call.json(), call.session.principal)
        endpoint = call.session.workspace.clock.execute(command)
        return Reply(200, encode(ga.render_tags(endpoint)), grade="documented")

    async def rate_limits(self, call: Call) -> Reply:
        """Replace the deprecated rate limits."""
        endpoint = await self._set(call, ga_settings.read_rate_limits)
        return Reply(200, encode({"rate_limits": ga.render_setting(endpoint, "rate_limits")}), grade="documented")

    async def gateway(self, call: Call) -> Reply:
        """Replace the AI Gateway config."""
        endpoint = await self._set(call, ga_settings.read_gateway)
        return Reply(200, encode(ga.render_setting(endpoint, "ai_gateway")), grade="documented")

    async def notifications(self, call: Call) -> Reply:
        """Replace the e-mail notifications."""
        endpoint = await self._set(call, ga_settings.read_notifications)
        kept = ga.render_setting(endpoint, "email_notifications")
        return Reply(200, encode({"email_notifications": kept, "name": endpoint.name}), grade="documented")

    async def telemetry(self, call: Call) -> Reply:
        """Replace the telemetry config; raise TELEMETRY_UNSUPPORTED or TELEMETRY_WHILE_UPDATING.

        A config that names neither tables nor a profile changes nothing, and is answered like any other: observed.
        """
        workspace = call.session.workspace
        name = call.parameters["name"]
        command = ga_settings.read_telemetry(name, await call.json(), call.session.principal)
        endpoint = _endpoint(call, Level.CAN_MANAGE)
        await workspace.clock.healing.updated(endpoint)
        endpoint = workspace.world.get(name)
        if endpoint.in_transition:
            workspace.clock.healing.left_updating(endpoint)
            raise Rejected(Code.TELEMETRY_WHILE_UPDATING, endpoint=name)
        if endpoint.active is None:
            raise Rejected(Code.TELEMETRY_UNSUPPORTED, endpoint=name)
        if command is not None:
            endpoint = workspace.clock.execute(command)
        return self._rendered.whole(call, endpoint, "observed")

    async def _set(self, call: Call, read: Callable[[str, Any, Principal], ChangeSetting]) -> Endpoint:
        command = read(call.parameters["name"], await call.json(), call.session.principal)
        endpoint: Endpoint = call.session.workspace.clock.execute(command)
        return endpoint

    # --- stop and start ---------------------------------------------------------------------------

    async def stop(self, call: Call) -> Reply:
        """Let an endpoint's compute go."""
        return await self._suspend(call, StopEndpoint(call.parameters["name"], call.session.principal))

    async def start(self, call: Call) -> Reply:
        """Deploy the config of a stopped endpoint again."""
        return await self._suspend(call, StartEndpoint(call.parameters["name"], call.session.principal))

    async def _suspend(self, call: Call, command: StopEndpoint | StartEndpoint) -> Reply:
        clock = call.session.workspace.clock
        endpoint = clock.execute(command)
        # What the real calls answer is not known; the endpoint itself is what a caller can use.
        reply = self._rendered.whole(call, endpoint, "chosen")
        await clock.settle()
        return reply

    async def build_logs(self, call: Call) -> Reply:
        """Answer with what the build of an entity printed."""
        deployment = await _deployment(call)
        return Reply(200, encode({"logs": logs.build_log(deployment)}), grade="chosen")

    async def logs(self, call: Call) -> Reply:
        """Answer with what the server process of an entity printed."""
        deployment = await _deployment(call)
        return Reply(200, encode({"logs": logs.server_log(call.session.workspace, deployment)}), grade="documented")

    async def events(self, call: Call) -> Reply:
        """Answer with the last events of an endpoint."""
        endpoint = _endpoint(call, Level.CAN_VIEW)
        limit = Fields(dict(call.request.query)).whole("limit", least=1)
        return Reply(200, encode(ga.render_events(endpoint, limit or EVENTS_KEPT)), grade="observed")

    async def metrics(self, call: Call) -> Reply:
        """Answer with the last minute's metrics as Prometheus reads them."""
        endpoint = _endpoint(call, Level.CAN_VIEW)
        from servesim.generations import ga_metrics  # noqa: PLC0415 - a server starts sooner without it

        text = ga_metrics.render(call.session.workspace.world, endpoint)
        return Reply(200, text.encode(), TEXT, grade="documented")

    async def openapi(self, call: Call) -> Reply:
        """Answer with the endpoint's own OpenAPI document."""
        endpoint = _endpoint(call, Level.CAN_VIEW)
        from servesim.generations import ga_openapi  # noqa: PLC0415 - a server starts sooner without it

        document = ga_openapi.render(call.session.workspace.world, endpoint, call.base_url)
        return Reply(200, encode(document), grade="documented")

    async def optimization(self, call: Call) -> Reply:
        """Answer whether a registered version can be optimized; raise MODEL_MISSING or VERSION_MISSING."""
        world = call.session.workspace.world
        info = ga_optimization.optimization_info(world, call.parameters["model"], call.parameters["version"])
        return Reply(200, encode(info), grade="recorded")

    # --- permissions ------------------------------------------------------------------------------

    async def permissions(self, call: Call) -> Reply:
        """Answer with who may do what with an endpoint."""
        endpoint = _by_id(call)
        return self._permissions(call, endpoint)

    async def set_permissions(self, call: Call) -> Reply:
        """Replace what was granted."""
        return await self._grant(call, replace=True)

    async def update_permissions(self, call: Call) -> Reply:
        """Add to what was granted."""
        return await self._grant(call, replace=False)

    async def permission_levels(self, call: Call) -> Reply:
        """Answer with the levels that exist."""
        _by_id(call)
        return Reply(200, encode(ga_permissions.render_levels()), grade="documented")

    async def _grant(self, call: Call, *, replace: bool) -> Reply:
        body, principal = await call.json(), call.session.principal
        command = ga_requests.read_permissions(call.parameters["id"], body, principal, replace=replace)
        return self._permissions(call, call.session.workspace.clock.execute(command))

    def _permissions(self, call: Call, endpoint: Endpoint) -> Reply:
        document = ga_permissions.render_permissions(call.session.workspace.world, endpoint)
        return Reply(200, encode(document), grade="recorded")


def _endpoint(call: Call, needed: Level) -> Endpoint:
    """Return the endpoint that a call names, as it is now; raise ENDPOINT_MISSING or NOT_PERMITTED."""
    workspace = call.session.workspace
    workspace.clock.now()
    endpoint = workspace.world.get(call.parameters["name"])
    workspace.world.require(call.session.principal, endpoint, needed)
    return endpoint


def _by_id(call: Call) -> Endpoint:
    """Return the endpoint whose permissions a call reads; that viewing it is enough for that is chosen."""
    world = call.session.workspace.world
    endpoint = find_by_id(world, call.parameters["id"])
    world.require(call.session.principal, endpoint, Level.CAN_VIEW)
    return endpoint


async def _deployment(call: Call) -> Deployment:
    """Return the deployment whose logs a call asks for; ``config_version`` stands in the query, or in a body."""
    endpoint = _endpoint(call, Level.CAN_VIEW)
    asked: dict[str, Any] = dict(call.request.query)
    if call.request.can_read_body:
        asked = {**Fields(await call.json()).values, **asked}
    version = Fields(asked).whole("config_version", least=1)
    return logs.find(endpoint, call.parameters["entity"], version)
