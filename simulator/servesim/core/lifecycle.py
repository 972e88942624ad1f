"""What entering a phase does: its timers, its effect, and what it means for the endpoint and its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servesim.core import capacity, container, secrets, tickets
from servesim.core import deployment as deployments
from servesim.core.commands import Alarm, Due, LoadModel, Signal
from servesim.core.deployment import BROKEN, CREATING, SERVES, Cause, Deployment, Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.core.commands import LoadFinished, WorkerDied
    from servesim.core.workspace import Workspace


_ENTERED = {phase: f"deployment {phase}" for phase in Phase}

BUILD_LOG_CHARACTERS = 100_000
"""How much is kept of what loading a model printed; the oldest goes first."""


def send(world: Workspace, deployment: Deployment, signal: Signal, reason: str = "") -> bool:
    """Move a deployment along its table; return whether the table knew the signal in its phase."""
    entered = deployments.TABLE.get((deployment.phase, signal))
    if entered is None:
        return False
    if entered is not Phase.LEAVING:
        _cancel_timers(world, deployment)
    left, deployment.phase = deployment.phase, entered
    deployment.reason = reason
    _note(world, deployment, reason)
    _ON_ENTER[entered](world, deployment)
    world.deployment_moved(deployment, seen=not {left, entered} <= CREATING)
    return True


def on_signal_due(world: Workspace, due: Due) -> None:
    """Send a deployment the signal that its timer stood for."""
    deployment = world.deployments[due.deployment_id]
    reasons = {
        Signal.TIMED_OUT: str(Cause.TIMED_OUT),
        Signal.LOAD_FAILED: deployment.doom,
        Signal.BUILD_FAILED: deployment.doom,
    }
    signal = Signal(due.what)
    send(world, deployment, signal, reasons.get(signal, ""))


def _note(world: Workspace, deployment: Deployment, detail: str = "", *, what: str = "") -> None:
    endpoint = world.owner(deployment)
    what = what or _ENTERED[deployment.phase]
    if endpoint is None:
        world.note(what, deployment.endpoint, deployment.spec.name, detail)
    else:
        world.happened(endpoint, what, deployment.spec.name, detail)


def load_finished(world: Workspace, command: LoadFinished) -> None:
    """Take the outcome of loading a model; one that nobody waits for any more changes nothing."""
    deployment = world.deployments.get(command.deployment_id)
    signal = Signal.LOADED if command.error is None else Signal.LOAD_FAILED
    if deployment is None or (deployment.phase, signal) not in deployments.TABLE:
        return
    deployment.build_log = (deployment.build_log + command.log)[-BUILD_LOG_CHARACTERS:]
    send(world, deployment, signal, command.error or "")


def worker_died(world: Workspace, command: WorkerDied) -> None:
    """Let a deployment recover whose process ended by itself; any other is left as it is."""
    deployment = world.deployments.get(command.deployment_id)
    if deployment is not None:
        send(world, deployment, Signal.DIED)


def request_ended(world: Workspace, deployment: Deployment) -> None:
    """Take note that a running request ended; the last one lets its deployment rest or go."""
    deployment.in_flight -= 1
    deployment.last_active = world.timeline.now
    if deployment.held and deployment.phase in SERVES:
        capacity.let_in(world, deployment)
    elif deployment.phase in BROKEN:
        capacity.end(world, deployment)
    if deployment.in_flight:
        return
    if deployment.phase is Phase.DRAINING:
        send(world, deployment, Signal.DRAINED)
    elif deployment.phase is Phase.READY:
        _watch_idleness(world, deployment)


def check_idle(world: Workspace, due: Due) -> None:
    """Scale a deployment to zero if it was idle for long enough, or look again when it would be."""
    deployment = world.deployments[due.deployment_id]
    deployment.timers = [timer for timer in deployment.timers if timer.event.what is not Alarm.IDLE_CHECK]
    idle = world.timeline.now - deployment.last_active
    if deployment.in_flight:
        return  # the last request to end looks again
    if idle < world.profile.idle_to_zero_ms:
        _watch_idleness(world, deployment)
    else:
        send(world, deployment, Signal.IDLE)


def _watch_idleness(world: Workspace, deployment: Deployment) -> None:
    if not deployment.spec.scale_to_zero:
        return
    if not any(timer.event.what is Alarm.IDLE_CHECK for timer in deployment.timers):
        due = deployment.last_active + world.profile.idle_to_zero_ms
        _after(world, deployment, due - world.timeline.now, Alarm.IDLE_CHECK)


def _cancel_timers(world: Workspace, deployment: Deployment) -> None:
    for timer in deployment.timers:
        world.timeline.cancel(timer)
    deployment.timers.clear()


def _after(world: Workspace, deployment: Deployment, delay: int, what: Signal | Alarm) -> None:
    due = Due(what, deployment.endpoint_id, deployment.id)
    deployment.timers.append(world.timeline.schedule(delay, due))


def _drawn(world: Workspace, stream: str, deployment: Deployment, ordinal: int, span: tuple[int, int]) -> int:
    return world.draws.stream(stream, deployment.id).between(ordinal, *span)


def _building(world: Workspace, deployment: Deployment) -> None:
    owner = world.model_endpoints_by_id.get(deployment.endpoint_id)
    span = getattr(world.profile, owner.generation.build_span) if owner else world.profile.container_build_ms
    delay = _drawn(world, "build", deployment, 0, span)
    deployment.doom = container.problem(world, deployment.model)
    ends = Signal.BUILD_FAILED if deployment.doom else Signal.BUILT
    _after(world, deployment, delay + _ordered_delay(deployment), ends)


def _ordered_delay(deployment: Deployment) -> int:
    return deployment.fault.delay_ms if deployment.fault else 0


def _provisioning(world: Workspace, deployment: Deployment) -> None:
    # What had to be built was delayed there already. A delay uses up nothing of the time limit.
    ordered = _ordered_delay(deployment) if deployment.built else 0
    if not deployment.built:
        deployment.built = True
        _note(world, deployment, what="container built")
    delay = ordered + _drawn(world, "resources", deployment, 0, world.profile.resources_ms)
    if not (deployment.fault and deployment.fault.effect == "hang"):
        _after(world, deployment, delay, Signal.PROVISIONED)
    deployment.deadline = world.timeline.now + ordered + _deploy_timeout(world, deployment)
    _set_deadline(world, deployment)


def _set_deadline(world: Workspace, deployment: Deployment) -> None:
    _after(world, deployment, deployment.deadline - world.timeline.now, Signal.TIMED_OUT)


def _deploy_timeout(world: Workspace, deployment: Deployment) -> int:
    kind = deployment.spec.workload_type
    if "GPU" not in kind:
        return world.profile.deploy_timeout_cpu_ms
    if kind in {"GPU_SMALL", "GPU_MEDIUM", "MULTIGPU_MEDIUM"}:
        return world.profile.deploy_timeout_gpu_ms
    return world.profile.deploy_timeout_large_gpu_ms


def _loading(world: Workspace, deployment: Deployment) -> None:
    _set_deadline(world, deployment)
    if deployment.fault and deployment.fault.effect == "fail":
        deployment.doom = deployment.fault.message or "this failure was ordered"
    else:
        deployment.doom = secrets.missing(world, deployment.creator, deployment.spec.environment) or ""
    if deployment.doom:
        _after(world, deployment, 0, Signal.LOAD_FAILED)
    else:
        _reloading(world, deployment)


def _reloading(world: Workspace, deployment: Deployment) -> None:
    world.effects.append(LoadModel(deployment.id, deployment.model, deployment.spec.environment))


def _ready(world: Workspace, deployment: Deployment) -> None:
    deployment.last_active = world.timeline.now
    _watch_idleness(world, deployment)
    capacity.begin(world, deployment)


def _starting(world: Workspace, deployment: Deployment) -> None:
    deployment.cold_starts += 1
    capacity.usage_of(world, deployment).cold_starts += 1
    delay = _drawn(world, "cold start", deployment, deployment.cold_starts, world.profile.cold_start_ms)
    _after(world, deployment, delay, Signal.STARTED)


def _recovering(world: Workspace, deployment: Deployment) -> None:
    deployment.deaths += 1
    delay = _drawn(world, "recovery", deployment, deployment.deaths, world.profile.recovery_ms)
    _after(world, deployment, delay, Signal.RECOVERED)


def _draining(world: Workspace, deployment: Deployment) -> None:
    capacity.begin(world, deployment)
    if deployment.in_flight:
        _after(world, deployment, world.profile.execution_limit_ms, Alarm.DRAIN_LIMIT)
    else:
        send(world, deployment, Signal.DRAINED)


def _gone(world: Workspace, deployment: Deployment) -> None:
    _ended(world, deployment)
    # Its logs may be asked for later, and keep it; nobody asks for its metrics.
    deployment.traffic = None
    del world.deployments[deployment.id]


def _ended(world: Workspace, deployment: Deployment) -> None:
    tickets.refuse_held(world, deployment)
    capacity.end(world, deployment)


def _scaled_to_zero(world: Workspace, deployment: Deployment) -> None:
    capacity.end(world, deployment)


def _nothing(_world: Workspace, _deployment: Deployment) -> None:
    """Enter a phase that waits for something else."""


_ON_ENTER: dict[Phase, Callable[[Workspace, Deployment], None]] = {
    Phase.BUILDING: _building,
    Phase.PROVISIONING: _provisioning,
    Phase.LOADING: _loading,
    Phase.READY: _ready,
    Phase.SCALED_TO_ZERO: _scaled_to_zero,
    Phase.STARTING: _starting,
    Phase.RECOVERING: _recovering,
    Phase.RELOADING: _reloading,
    Phase.LEAVING: _nothing,
    Phase.DRAINING: _draining,
    Phase.FAILED: _ended,
    Phase.ABORTED: _ended,
    Phase.STOPPED: _nothing,
    Phase.GONE: _gone,
}


def begin(world: Workspace, deployment: Deployment, phase: Phase) -> None:
    """Start a deployment's life: building, or as one that has been serving for a while."""
    deployment.phase = phase
    world.deployments[deployment.id] = deployment
    _note(world, deployment)
    _ON_ENTER[phase](world, deployment)
