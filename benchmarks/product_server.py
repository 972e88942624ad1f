"""servesim as a process of its own, with or without what the ``fast`` extra installs.

``product_server.py [--without MODULE]... [--profile FILE] cli ARGUMENT...`` runs the command line; ``... world
--port P [--endpoints N] [--requests N]`` serves a world that was made in the core, without limits on endpoints.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from dataclasses import replace
from pathlib import Path

from calls import TOKEN
from sampling import Sampler

LIFETIME_S = 900


def main() -> None:
    """Serve until a signal, and in no case for long."""
    signal.alarm(LIFETIME_S)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without", action="append", default=[], metavar="MODULE")
    parser.add_argument("--profile", type=Path, help="sample from SIGUSR1 on and write here at the end")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("cli")
    world = commands.add_parser("world")
    for name in ("port", "endpoints", "requests"):
        world.add_argument(f"--{name}", type=int, default=0)
    options, rest = parser.parse_known_args()
    for module in options.without:
        sys.modules[module] = None  # type: ignore[assignment]  # importing it fails as if it were not installed
    if options.profile:
        Sampler(options.profile)
    if options.command == "cli":
        from servesim.delivery.cli import main as command_line  # noqa: PLC0415 - once modules are taken away

        command_line(rest)
    else:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve(options.port, options.endpoints, options.requests))


def _loop_factory():  # noqa: ANN202 - as the command line chooses it
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return uvloop.new_event_loop


async def serve(port: int, endpoints: int, requests: int) -> None:
    """Make the world and serve it until a signal."""
    from worlds import USER, answer, fill  # noqa: PLC0415 - once modules are taken away

    from servesim.core.access import ADMINS, Member  # noqa: PLC0415 - as above
    from servesim.core.profile import FAITHFUL, UNLIMITED  # noqa: PLC0415 - as above
    from servesim.delivery.lines import LineLog  # noqa: PLC0415 - as above
    from servesim.http.server import Server  # noqa: PLC0415 - as above
    from servesim.models.host import ModelHost  # noqa: PLC0415 - as above
    from servesim.service.hub import Hub, WorkspaceSettings  # noqa: PLC0415 - as above

    hub = Hub(ModelHost())
    settings = WorkspaceSettings(profile=replace(FAITHFUL, endpoint_limit=UNLIMITED))
    world = hub.open(settings, {TOKEN: Member(USER, (ADMINS,))}).world
    if endpoints:
        fill(world, endpoints)
    answer(world, requests)
    server = Server(hub, log_call=LineLog(sys.stdout).write)
    await server.start(port=port)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await stopping.wait()
    await server.stop()


if __name__ == "__main__":
    main()
