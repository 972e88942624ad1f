"""Numbers and texts of a load run as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servesim.load.document import Run


_LONG = 1e9


def number(value: float | None) -> str:
    """Write a measured value with three digits or so; a dash for none."""
    if value is None:
        return "-"
    if abs(value) >= _LONG:
        return f"{value:.1e}"
    if value == int(value) or abs(value) >= 1000:  # noqa: PLR2004 - from there on decimals say nothing
        return f"{value:,.0f}"
    return f"{value:.3g}"


def span(seconds: float) -> str:
    """Write seconds."""
    return f"{seconds:.1f} s"


def sent_for(run: Mapping[str, Any]) -> float:
    """Return for how many seconds requests were sent, by which a rate goes; those of the series are whole ones."""
    return float(run["requests"].get("seconds", run["seconds"]))


def split_text(split: dict[str, float]) -> str:
    """Write a split in one line."""
    return ", ".join(f"{name} {share:g} %" for name, share in split.items())


def summary(run: Run) -> str:
    """Say in one sentence what was sent and what came."""
    requests = run["requests"]
    latency: dict[str, Any] = requests.get("latency_ms") or {}
    shown = [f"{name} {number(latency[name])} ms" for name in ("p50", "p95", "p99") if latency.get(name) is not None]
    errors = f"{requests['errors']:,} error{'s' * (requests['errors'] != 1)}"
    speed = f"{number(requests['rps'])} a second"
    return ", ".join([f"{requests['count']:,} requests in {span(sent_for(run))}", speed, *shown, errors])


def place(run: Run) -> str:
    """Say what was tested: endpoint, server, and whether it is servesim."""
    told = f" of {run['endpoint']}" if run.get("endpoint") else ""
    server = f" at {run['url']}" if run.get("url") else ""
    return f"{run['test']}{told}{server}{' (servesim)' if run.get('simulated') else ''}"
