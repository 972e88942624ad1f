"""A throw-away certificate authority: HTTPS on this machine without anybody's real certificate.

The authority and the server's key are made anew at each start and its private key is never written down, so a file
that a client went on trusting vouches for nobody afterwards.
"""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from servesim.delivery.extras import needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

AUTHORITY_FILE = "ca.pem"
LOOPBACK = ("localhost", "127.0.0.1", "::1")

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""What clients read, in this order: requests (databricks-sdk, MLflow) the first, then the second; curl the second, then
the third; httpx (OpenAI), urllib, aiohttp and Go (Terraform and the Databricks CLI, on Linux) the third."""


class Tls(NamedTuple):
    """What the server shows, and the file of the authority that clients have to trust."""

    context: ssl.SSLContext
    authority: Path


@contextmanager
def throw_away(hosts: Iterable[str], folder: Path | None = None) -> Iterator[Tls]:
    """Make an authority and a certificate for loopback and these hosts; raise MissingExtra, OSError, ValueError.

    The authority's certificate is written to ``ca.pem`` in ``folder``, which keeps it; without one, to a folder of its
    own that only this user can enter and that is removed at the end.
    """
    with needs("tls"):
        import trustme  # noqa: PLC0415 - an extra, imported by whoever asks for it

    authority = trustme.CA(organization_name="servesim", organization_unit_name="throw-away authority")
    certificate = authority.issue_cert(*names(hosts))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    certificate.configure_cert(context)
    with _folder(folder) as place:
        file = (place / AUTHORITY_FILE).absolute()
        file.write_bytes(authority.cert_pem.bytes())
        yield Tls(context, file)


def names(hosts: Iterable[str]) -> list[str]:
    """List what the certificate is for: loopback's names and these hosts, each without port or brackets."""
    return list(dict.fromkeys([*LOOPBACK, *(_bare(host) for host in hosts)]))


def _bare(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        name, _, port = host.rpartition(":")
        return (name if name and port.isdecimal() else host).strip("[]")


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="servesim-tls-") as made:
        yield Path(made)
