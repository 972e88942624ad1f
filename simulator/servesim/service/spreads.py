"""Durations that may vary, as people write them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from servesim.core.spread import LONGEST_MS, Spread, constant
from servesim.service.instants import milliseconds

if TYPE_CHECKING:
    from servesim.core.registry import ModelVersion

_SHAPE = 'write a duration such as "300ms", or {median: 300ms, p99: 900ms} for a log-normal distribution'


def read_spread(written: Any) -> Spread:
    """Read a duration, or the median and 99th percentile of a log-normal one; raise ValueError."""
    if not isinstance(written, dict):
        return constant(_duration(written))
    if set(written) != {"median", "p99"}:
        raise ValueError(f"{written!r} is no duration: {_SHAPE}")
    median, p99 = _duration(written["median"]), _duration(written["p99"])
    if not 0 < median <= p99:
        raise ValueError(f"the median is longer than nothing and the p99 no shorter than it; got {written!r}")
    return Spread(median, p99)


def taking(model: ModelVersion, service_time: Any) -> ModelVersion:
    """Return a version whose requests take simulated time, as written; None for none. Raise ValueError."""
    return model if service_time is None else replace(model, service_time=read_spread(service_time))


def _duration(written: Any) -> int:
    if not isinstance(written, str | int | float) or isinstance(written, bool):
        raise ValueError(f"{written!r} is no duration: {_SHAPE}")  # noqa: TRY004 - what a user wrote is wrong, not a type
    duration = milliseconds(written)
    if not 0 <= duration <= LONGEST_MS:
        raise ValueError(f"{written!r} lies outside of 0 to 7 days")
    return duration
