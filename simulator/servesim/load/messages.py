"""What locust's processes tell each other: tallies from the workers to the master, what to do the other way.

locust itself is in the variables of its environment alone; nothing of it is imported before it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.service.clock import wall_second

if TYPE_CHECKING:
    from collections.abc import Callable

    from servesim.load.tally import Tally

REPORT_S = 1.0
"""Between two reports of a worker; locust's own three seconds would make a short test wait."""
KEY = "servesim"
ASK, WORK, ROUND, DRAIN = "servesim_ask", "servesim_work", "servesim_round", "servesim_drain"


def is_worker(environment: Any) -> bool:
    """Tell whether this process has users and is judged elsewhere."""
    from locust.runners import WorkerRunner  # noqa: PLC0415 - locust patches what is imported before it

    return isinstance(environment.runner, WorkerRunner)


def is_master(environment: Any) -> bool:
    """Tell whether this process judges, and its users are elsewhere."""
    from locust.runners import MasterRunner  # noqa: PLC0415 - as above

    return isinstance(environment.runner, MasterRunner)


def share_tally(environment: Any, tally: Tally) -> None:
    """Let a worker report its tally, and the master add up those that come and judge them."""
    events = environment.events
    if is_worker(environment):
        import locust.runners  # noqa: PLC0415 - as above
        from locust.runners import STATE_STOPPED  # noqa: PLC0415 - as above

        locust.runners.WORKER_REPORT_INTERVAL = REPORT_S

        def report(data: dict[str, Any], **_: Any) -> None:
            over = environment.runner.state == STATE_STOPPED
            data[KEY] = tally.report(wall_second() + over)  # nothing more is sent in this second

        events.report_to_master.add_listener(report)
        events.quitting.add_listener(_leave_the_verdict)
    elif is_master(environment):

        def take(client_id: str, data: dict[str, Any], **_: Any) -> None:
            if KEY in data:
                tally.take(client_id, data[KEY])

        events.worker_report.add_listener(take)


def _leave_the_verdict(environment: Any, **_: Any) -> None:
    environment.process_exit_code = 0


def listen(environment: Any, kind: str, heard: Callable[[Any], None]) -> None:
    """Hear what the master tells; without workers it is what this process tells itself."""
    if not is_master(environment):
        environment.runner.register_message(kind, lambda msg, **_: heard(msg.data))


def tell(environment: Any, kind: str, data: Any) -> None:
    """Tell all workers, or this process if it has the users."""
    environment.runner.send_message(kind, data)


def answer(environment: Any, kind: str, said: Callable[[], tuple[str, Any] | None]) -> None:
    """Answer each worker that asks, with what is said then; None is no answer yet."""

    def asked(msg: Any, **_: Any) -> None:
        found = said()
        if found is not None:
            environment.runner.send_message(*found, msg.node_id)

    if is_master(environment):
        environment.runner.register_message(kind, asked)


def workers(environment: Any) -> list[str]:
    """Name the workers that are connected."""
    return list(environment.runner.clients) if is_master(environment) else []


def are_lost(environment: Any, names: list[str]) -> bool:
    """Tell whether all of these workers, and there are some, will report no more."""
    from locust.runners import STATE_MISSING  # noqa: PLC0415 - as above

    clients = environment.runner.clients if is_master(environment) else {}
    return bool(names) and all(name not in clients or clients[name].state == STATE_MISSING for name in names)
