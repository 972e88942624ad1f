"""Where the Databricks SDK would go and how it would log in, by the variables and profiles of this machine.

The SDK itself cannot be asked: making its `Config` calls the host that it has found, which may be a real workspace.
What is here is its order: variables first; a profile only if none of them says anything about host or login, or if one
is named, and then only for what variables left open; two ways to log in are an error unless one is chosen. It is the
order of the newest SDK: old ones read neither a default profile of `__settings__` nor a group.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_FILE = "~/.databrickscfg"
SIZE_LIMIT = 256 * 1024
"""Characters of a file of profiles that is looked at: thousands of profiles."""
SETTINGS_SECTION = "__settings__"

# Attribute of the SDK's Config: its variables, of which the first that is set counts, and the way to log in to which
# it belongs.
ATTRIBUTES: dict[str, tuple[tuple[str, ...], str]] = {
    "host": (("DATABRICKS_HOST",), ""),
    "token": (("DATABRICKS_TOKEN",), "pat"),
    "username": (("DATABRICKS_USERNAME",), "basic"),
    "password": (("DATABRICKS_PASSWORD",), "basic"),
    "client_id": (("DATABRICKS_CLIENT_ID",), "oauth"),
    "client_secret": (("DATABRICKS_CLIENT_SECRET",), "oauth"),
    "oidc_token_env": (("DATABRICKS_OIDC_TOKEN_ENV",), "env-oidc"),
    "oidc_token_filepath": (("DATABRICKS_OIDC_TOKEN_FILEPATH", "DATABRICKS_OIDC_TOKEN_FILE"), "file-oidc"),
    "google_service_account": (("DATABRICKS_GOOGLE_SERVICE_ACCOUNT",), "google"),
    "google_credentials": (("GOOGLE_CREDENTIALS",), "google"),
    "azure_workspace_resource_id": (("DATABRICKS_AZURE_RESOURCE_ID",), "azure"),
    "azure_use_msi": (("ARM_USE_MSI",), "azure"),
    "azure_client_secret": (("ARM_CLIENT_SECRET",), "azure"),
    "azure_client_id": (("ARM_CLIENT_ID",), "azure"),
    "azure_tenant_id": (("ARM_TENANT_ID",), "azure"),
    "auth_type": (("DATABRICKS_AUTH_TYPE",), ""),
    "group_id": (("DATABRICKS_GROUP_ID",), ""),
}
PAT, BASIC, M2M = "pat", "basic", "oauth-m2m"
_NEEDS = {PAT: ("token",), BASIC: ("username", "password"), M2M: ("client_id", "client_secret")}
"""What servesim can answer, in the SDK's order, with what each needs beside the host."""


@dataclass(slots=True)
class Login:
    """What the SDK would use: each attribute's value, and where it comes from."""

    values: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    """Why the SDK would refuse; empty if it would not."""

    @property
    def host(self) -> str:
        """The base URL, as the SDK completes it; empty if there is none."""
        return full_host(self.values.get("host", ""))

    @property
    def method(self) -> str:
        """``pat``, ``basic`` or ``oauth-m2m``; empty where it is another way, or none."""
        chosen = self.values.get("auth_type", "")
        for method, needed in _NEEDS.items():
            fits = method == M2M or "group_id" not in self.values
            if (not chosen or chosen == method) and fits and all(name in self.values for name in needed):
                return method
        return ""


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """The profiles of a file, each with the keys it sets."""

    path: Path
    profiles: dict[str, dict[str, str]]
    default: str | None
    """The profile that is read when none is named."""
    problem: str = ""


def used_by(method: str) -> tuple[str, ...]:
    """Name the attributes that a way to log in uses; empty for one that servesim does not know."""
    return _NEEDS.get(method, ())


def profile_source(name: str, path: Path) -> str:
    """Name a profile as the place that something comes from."""
    return f"profile {name} in {path}"


def full_host(host: str) -> str:
    """Complete a host as the SDK does: https without a scheme, no slash at the end, no port 443."""
    if not host:
        return ""
    try:
        parts = urlsplit(host if "://" in host else f"https://{host}")
    except ValueError:
        return host
    netloc = parts.netloc.removesuffix(":443")
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), parts.query, parts.fragment))


def read_profiles(environ: Mapping[str, str]) -> ProfileFile:
    """Read the file that the SDK would read; one that is not there has no profiles."""
    path = Path(environ.get("DATABRICKS_CONFIG_FILE") or DEFAULT_FILE).expanduser()
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(_content(path))
    except (FileNotFoundError, NotADirectoryError):
        return ProfileFile(path, {}, None)
    except (OSError, UnicodeDecodeError) as error:
        return ProfileFile(path, {}, None, f"it cannot be read ({type(error).__name__})")
    except _Unfit as error:
        return ProfileFile(path, {}, None, str(error))
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        return ProfileFile(path, {}, None, "it is no file of profiles" + (f" (line {line})" if line else ""))
    common = dict(parser.defaults())
    profiles = {name: _own(parser, name) for name in parser.sections()}
    settings = profiles.pop(SETTINGS_SECTION, {})
    if common:
        profiles = {"DEFAULT": common, **profiles}
    named = settings.get("default_profile", "").strip()
    return ProfileFile(path, profiles, named or ("DEFAULT" if common else None))


class _Unfit(Exception):  # noqa: N818 - what is so, not a failure of ours
    """A path leads to what nobody keeps profiles in."""


def _content(path: Path) -> str:
    if path.exists() and not path.is_file():  # some have no end, some wait for a writer
        raise _Unfit("it is no ordinary file")
    with path.open(encoding="utf-8") as file:
        text = file.read(SIZE_LIMIT + 1)
    if len(text) > SIZE_LIMIT:
        raise _Unfit(f"it is longer than {SIZE_LIMIT:,} characters")
    return text


def _own(parser: configparser.ConfigParser, section: str) -> dict[str, str]:
    """Return what stands in a section itself: unlike configparser, the SDK adds nothing of DEFAULT."""
    return dict(parser._sections[section])  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public way


def login(environ: Mapping[str, str], file: ProfileFile) -> Login:
    """Return what the SDK would use."""
    found = Login()
    for name, (variables, _way) in ATTRIBUTES.items():
        variable = next((one for one in variables if environ.get(one)), None)
        if variable is not None:
            found.values[name] = environ[variable]
            found.sources[name] = variable
    _add_profile(found, environ, file)
    ways = {way: found.sources[name] for name, (_, way) in ATTRIBUTES.items() if way and name in found.values}
    if not found.problem and len(ways) > 1 and "auth_type" not in found.values:
        found.problem = f"more than one way to log in is configured: {' and '.join(sorted(set(ways.values())))}"
    return found


def _add_profile(found: Login, environ: Mapping[str, str], file: ProfileFile) -> None:
    named = environ.get("DATABRICKS_CONFIG_PROFILE")
    if not named and (_decided(found) or file.default is None):
        return
    if file.problem:
        found.problem = f"{file.path}: {file.problem}"
    elif file.profiles or file.path.exists():
        name = named or file.default or ""
        if name not in file.profiles:
            found.problem = f"{file.path} has no profile {name!r}"
            return
        for key, value in file.profiles[name].items():
            if key not in found.values:
                found.values[key] = value
                found.sources[key] = profile_source(name, file.path)


def _decided(found: Login) -> bool:
    """Whether the SDK looks at no profile, because variables say something of host or login."""
    return any(way or name == "host" for name, (_, way) in ATTRIBUTES.items() if name in found.values)
