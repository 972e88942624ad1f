"""Whether an address is this machine's own."""

from __future__ import annotations


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address, without a port, is this machine's own."""
    import ipaddress  # noqa: PLC0415 - a server that nobody administers and nobody uploads to needs none

    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"
