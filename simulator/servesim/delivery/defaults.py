"""Where `servesim serve` is and which tokens it takes unless told otherwise; light, so that commands start at once."""

from __future__ import annotations

DEFAULT_URL = "http://127.0.0.1:8765"
DEFAULT_TOKEN = "dapi-servesim"  # noqa: S105 - a published default for a server on loopback
DEFAULT_ADMIN_TOKEN = "servesim-admin"  # noqa: S105 - as above
