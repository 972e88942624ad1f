"""The paths of OAuth, which are served outside of a workspace's authentication."""

from __future__ import annotations

WELL_KNOWN = "/.well-known/databricks-config"
OIDC = "/oidc"
DISCOVERY = OIDC + "/.well-known/oauth-authorization-server"
TOKEN = OIDC + "/v1/token"
