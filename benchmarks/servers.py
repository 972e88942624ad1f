"""The servers that the rows compare."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from processes import HERE, Process, free_port

if TYPE_CHECKING:
    from pathlib import Path

INSTALLS: dict[str, tuple[str, ...]] = {"base": ("orjson", "uvloop"), "fast": ()}
"""What each install lacks of what the benchmarks' environment has."""
HEALTH = "/_servesim/v1/health"
WORLD = HERE / "world.yaml"
WORLD_LIMITS = HERE / "world_limits.yaml"


def bare() -> Process:
    """Return the bare aiohttp handler."""
    port = free_port()
    return Process([sys.executable, str(HERE / "bare_server.py"), str(port)], port)


def command_line(install: str, world: Path = WORLD, *options: str, profile: Path | None = None) -> Process:
    """Return ``servesim serve`` with a world; its request log goes to /dev/null."""
    port = free_port()
    serve = ("serve", "--port", str(port), "--scenario", str(world), *options)
    launcher = [*_launcher(install), *(("--profile", str(profile)) if profile else ())]
    return Process([*launcher, "cli", *serve], port, ready=HEALTH)


def made_in_core(install: str, *, endpoints: int = 0, requests: int = 0) -> Process:
    """Return a server of a world with this many endpoints, which has answered this many requests."""
    port = free_port()
    size = ("--endpoints", str(endpoints), "--requests", str(requests))
    return Process([*_launcher(install), "world", "--port", str(port), *size], port, ready=HEALTH)


def _launcher(install: str) -> list[str]:
    without = [word for module in INSTALLS[install] for word in ("--without", module)]
    return [sys.executable, str(HERE / "product_server.py"), *without]
