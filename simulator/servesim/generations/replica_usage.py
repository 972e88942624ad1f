"""What a replica is said to use of its processor and memory: simulated ones have neither to look at."""

from __future__ import annotations

IDLE_CPU = 2.3
"""Percent that an idle Small endpoint was observed to use."""
IDLE_MEMORY = 6.8
"""The same of memory; no load was observed to change it."""
WHOLE = 100.0


def processor(busy: float) -> float:
    """Return percent in use while so many percent of the provisioned concurrency work: chosen, from idle to all."""
    return IDLE_CPU + (WHOLE - IDLE_CPU) * busy / WHOLE
