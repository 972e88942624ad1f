"""The compute of a model's endpoint: by stage a workload size, or one cluster for every version."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from servesim.core.access import (
    Principal,  # noqa: TC001 - a command that was written down is rebuilt from its type hints
)


@dataclass(frozen=True, slots=True)
class Compute:
    """What versions run on; the core fills in number, instant and who asked."""

    size: str = "Small"
    scale_to_zero: bool = False
    node_type: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    version: int = 0
    created: int = 0
    by: Principal | None = None

    def asks_for_same(self, other: Compute) -> bool:
        """Tell whether versions would run alike on another."""
        return _asked(self) == _asked(other)


_asked = attrgetter("size", "scale_to_zero", "node_type", "tags")
