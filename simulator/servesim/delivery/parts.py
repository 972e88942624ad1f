"""The parts of both handles on a workspace: each a name for every operation, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.delivery.operations import (
    ClockOperations,
    ModelOperations,
    Part,
    RouteOperations,
    WorkspaceOperations,
    awaiting,
    blocking,
)
from servesim.delivery.pending import StartOperations
from servesim.delivery.retired import ModelEndpointOperations, ServerlessPreviewOperations
from servesim.delivery.staging import FaultOperations, PrincipalOperations, SecretOperations

if TYPE_CHECKING:
    from servesim.delivery.handle import LocalServer
    from servesim.service.hub import HostedWorkspace


class Operations:
    """Everything that both handles of a workspace do."""

    def __init__(self, server: LocalServer, workspace: HostedWorkspace) -> None:
        """Hold on to a workspace of a server."""
        self.here = WorkspaceOperations(server.server.hub, workspace)
        self.clock = ClockOperations(workspace)
        self.models = ModelOperations(workspace)
        self.routes = RouteOperations(workspace)
        self.secrets = SecretOperations(workspace)
        self.principals = PrincipalOperations(server.server.hub, workspace)
        self.faults = FaultOperations(workspace)
        self.serverless_preview = ServerlessPreviewOperations(workspace)
        self.model_endpoints = ModelEndpointOperations(workspace)
        self.start = StartOperations(workspace)


class ClockHandle(Part[ClockOperations]):
    """The simulated clock of a workspace."""

    now = blocking(ClockOperations.now)
    advance = blocking(ClockOperations.advance)
    run_until = blocking(ClockOperations.run_until)
    set_mode = blocking(ClockOperations.set_mode)

    @property
    def mode(self) -> str:
        """``autojump``, ``frozen`` or ``paced``."""
        return self._operations.mode


class ModelsHandle(Part[ModelOperations]):
    """The registered models of a workspace."""

    stub = blocking(ModelOperations.stub)
    function = blocking(ModelOperations.function)
    mlflow = blocking(ModelOperations.mlflow)
    allow = blocking(ModelOperations.allow)
    list = blocking(ModelOperations.list)


class RoutesHandle(Part[RouteOperations]):
    """Answers to paths that servesim does not simulate."""

    add = blocking(RouteOperations.add)
    remove = blocking(RouteOperations.remove)
    list = blocking(RouteOperations.list)


class AsyncClockHandle(Part[ClockOperations]):
    """The simulated clock of a workspace, for coroutines."""

    now = awaiting(ClockOperations.now)
    advance = awaiting(ClockOperations.advance)
    run_until = awaiting(ClockOperations.run_until)
    set_mode = awaiting(ClockOperations.set_mode)

    @property
    def mode(self) -> str:
        """``autojump``, ``frozen`` or ``paced``."""
        return self._operations.mode


class AsyncModelsHandle(Part[ModelOperations]):
    """The registered models of a workspace, for coroutines."""

    stub = awaiting(ModelOperations.stub)
    function = awaiting(ModelOperations.function)
    mlflow = awaiting(ModelOperations.mlflow)
    allow = awaiting(ModelOperations.allow)
    list = awaiting(ModelOperations.list)


class AsyncRoutesHandle(Part[RouteOperations]):
    """Answers to paths that servesim does not simulate, for coroutines."""

    add = awaiting(RouteOperations.add)
    remove = awaiting(RouteOperations.remove)
    list = awaiting(RouteOperations.list)


class SecretsHandle(Part[SecretOperations]):
    """The secrets of a workspace."""

    put = blocking(SecretOperations.put)
    delete = blocking(SecretOperations.delete)
    list = blocking(SecretOperations.list)


class PrincipalsHandle(Part[PrincipalOperations]):
    """Who may call a workspace."""

    add = blocking(PrincipalOperations.add)
    remove = blocking(PrincipalOperations.remove)
    list = blocking(PrincipalOperations.list)


class FaultsHandle(Part[FaultOperations]):
    """Trouble that is ordered."""

    add = blocking(FaultOperations.add)
    fail_next = blocking(FaultOperations.fail_next)
    delay_next = blocking(FaultOperations.delay_next)
    hang_next = blocking(FaultOperations.hang_next)
    remove = blocking(FaultOperations.remove)
    list = blocking(FaultOperations.list)
    report = blocking(FaultOperations.report)
    unused = blocking(FaultOperations.unused)


class AsyncSecretsHandle(Part[SecretOperations]):
    """The secrets of a workspace, for coroutines."""

    put = awaiting(SecretOperations.put)
    delete = awaiting(SecretOperations.delete)
    list = awaiting(SecretOperations.list)


class AsyncPrincipalsHandle(Part[PrincipalOperations]):
    """Who may call a workspace, for coroutines."""

    add = awaiting(PrincipalOperations.add)
    remove = awaiting(PrincipalOperations.remove)
    list = awaiting(PrincipalOperations.list)


class AsyncFaultsHandle(Part[FaultOperations]):
    """Trouble that is ordered, for coroutines."""

    add = awaiting(FaultOperations.add)
    fail_next = awaiting(FaultOperations.fail_next)
    delay_next = awaiting(FaultOperations.delay_next)
    hang_next = awaiting(FaultOperations.hang_next)
    remove = awaiting(FaultOperations.remove)
    list = awaiting(FaultOperations.list)
    report = awaiting(FaultOperations.report)
    unused = awaiting(FaultOperations.unused)


class ServerlessPreviewHandle(Part[ServerlessPreviewOperations]):
    """How a workspace comes to have the serverless preview."""

    state = blocking(ServerlessPreviewOperations.state)
    step = blocking(ServerlessPreviewOperations.step)
    enable = blocking(ServerlessPreviewOperations.enable)


class ModelEndpointsHandle(Part[ModelEndpointOperations]):
    """The registered models that a retired generation serves."""

    enable = blocking(ModelEndpointOperations.enable)
    disable = blocking(ModelEndpointOperations.disable)
    list = blocking(ModelEndpointOperations.list)
    calendar = blocking(ModelEndpointOperations.calendar)


class AsyncServerlessPreviewHandle(Part[ServerlessPreviewOperations]):
    """How a workspace comes to have the serverless preview, for coroutines."""

    state = awaiting(ServerlessPreviewOperations.state)
    step = awaiting(ServerlessPreviewOperations.step)
    enable = awaiting(ServerlessPreviewOperations.enable)


class AsyncModelEndpointsHandle(Part[ModelEndpointOperations]):
    """The registered models that a retired generation serves, for coroutines."""

    enable = awaiting(ModelEndpointOperations.enable)
    disable = awaiting(ModelEndpointOperations.disable)
    list = awaiting(ModelEndpointOperations.list)
    calendar = awaiting(ModelEndpointOperations.calendar)
