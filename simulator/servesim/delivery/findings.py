"""What a look around finds, and the looks that need no server: login, proxies, .netrc, MLflow, OpenAI, versions.

No finding holds a value that may be secret: of URLs it shows scheme, host and port, of everything else that it is set.
"""

from __future__ import annotations

import netrc
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from servesim.delivery import logins
from servesim.delivery.client import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from servesim.delivery.logins import Login, ProfileFile

Level = Literal["breaks", "note", "fine"]

SUPPORTED = {"databricks-sdk": "0.40", "mlflow": "2.22", "openai": "1.50"}
"""Distributions of clients, with the oldest version that servesim is tested with."""

NO_ACCOUNT = (
    "DATABRICKS_ACCOUNT_ID",
    "DATABRICKS_CLUSTER_ID",
    "DATABRICKS_SERVERLESS_COMPUTE_ID",
    "DATABRICKS_WAREHOUSE_ID",
    "DATABRICKS_WORKSPACE_ID",
)


class Finding(NamedTuple):
    """One thing that is so, and what to do about it (empty: nothing)."""

    level: Level
    about: str
    so: str
    do: str = ""


class Surroundings(NamedTuple):
    """What the looks look at."""

    url: str
    environ: Mapping[str, str]
    home: Path
    file: ProfileFile
    login: Login


def same_place(one: str, other: str) -> bool:
    """Whether two base URLs lead to one server; loopback goes by many names."""
    return _place(one) == _place(other)


def shown(url: str) -> str:
    """Write a URL as far as it holds no secret."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "what is no URL"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}" if host else "what is no URL"


def _place(url: str) -> tuple[str, str, int | None, str] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    host = parts.hostname or ""
    return parts.scheme, "loopback" if is_loopback(host) else host, port, parts.path.rstrip("/")


def looks(around: Surroundings) -> Iterator[Finding]:
    """Look at everything that needs no server."""
    yield from _host(around)
    yield from _login(around)
    yield from _profiles(around)
    yield from _proxies(around)
    yield from _netrc(around)
    yield from _mlflow(around)
    yield from _openai(around)
    for name in NO_ACCOUNT:
        if around.environ.get(name):
            yield Finding("fine", name, "Set; serving calls do not use it.")
    yield from _versions()


def _host(around: Surroundings) -> Iterator[Finding]:
    host, export = around.login.host, f"export DATABRICKS_HOST={around.url}"
    source = around.login.sources.get("host", "DATABRICKS_HOST")
    if not host:
        yield Finding("breaks", source, "Not set, and no profile gives a host: clients know no server.", export)
    elif same_place(host, around.url):
        yield Finding("fine", source, "Leads to this servesim.")
    else:
        scheme = "" if "://" in around.login.values["host"] else " (without a scheme it means https)"
        yield Finding("breaks", source, f"Clients go to {shown(host)}{scheme}, not to {around.url}.", export)


def _login(around: Surroundings) -> Iterator[Finding]:
    login, environ = around.login, around.environ
    chosen = login.values.get("auth_type", "")
    if login.problem:
        do = "Unset all but DATABRICKS_HOST and DATABRICKS_TOKEN, DATABRICKS_CONFIG_PROFILE too."
        yield Finding("breaks", "login", f"The SDK refuses to begin: {login.problem}.", do)
    elif not login.method:
        if chosen and chosen not in {logins.PAT, logins.M2M}:
            so = f"Lets the SDK log in by {chosen} alone, which servesim does not simulate."
            yield Finding("breaks", login.sources["auth_type"], so, "unset DATABRICKS_AUTH_TYPE")
        else:
            so = "Not set, and nothing else that servesim takes is: clients have no way to log in."
            yield Finding("breaks", "DATABRICKS_TOKEN", so, "Export the token that `servesim serve` printed.")
    elif chosen:
        yield Finding("fine", login.sources["auth_type"], f"Lets the SDK log in by {chosen} alone; that can work.")
    used = {login.sources.get(name) for name in logins.used_by(login.method)}
    for name, (variables, way) in logins.ATTRIBUTES.items():
        for variable in variables:
            if way and name != "token" and environ.get(variable) and variable not in used:
                so = "Set, and not used: the SDK logs in another way."
                yield Finding("note", variable, so, f"unset {variable}, if you have no use for it.")
    if environ.get("DATABRICKS_GROUP_ID"):
        so = "Lets the SDK act for a group, for which it wants OAuth; servesim does not simulate that."
        yield Finding("breaks", "DATABRICKS_GROUP_ID", so, "unset DATABRICKS_GROUP_ID")


def _profiles(around: Surroundings) -> Iterator[Finding]:
    environ, file, login = around.environ, around.file, around.login
    if environ.get("DATABRICKS_CONFIG_FILE"):
        yield Finding("note", "DATABRICKS_CONFIG_FILE", f"Profiles are read from {file.path}.")
    if named := environ.get("DATABRICKS_CONFIG_PROFILE"):
        so = f"Adds what profile {named} says to what variables leave open."
        yield Finding("note", "DATABRICKS_CONFIG_PROFILE", so, "unset DATABRICKS_CONFIG_PROFILE")
    if file.problem and not login.problem:
        yield Finding("note", str(file.path), f"Not used now, but {file.problem}.", "Mend or remove it.")
    for name, values in file.profiles.items():
        about = logins.profile_source(name, file.path)
        host = logins.full_host(values.get("host", ""))
        if about not in login.sources.values() and host and not same_place(host, around.url):
            so = f"Not read now; leads to {shown(host)}."
            do = f"Mind code that names it: WorkspaceClient(profile={name!r}), databricks://{name}."
            yield Finding("note", about, so, do)


def _proxies(around: Surroundings) -> Iterator[Finding]:
    parts = urlsplit(around.url)
    host, environ = parts.hostname or "", around.environ
    exempt_by = next((name for name in ("no_proxy", "NO_PROXY") if environ.get(name)), "NO_PROXY")
    exempt = _is_exempt(host, environ.get(exempt_by, ""))
    for scheme in (parts.scheme, "all"):
        for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            if not environ.get(name):
                continue
            if exempt:
                yield Finding("fine", name, f"Set, but {exempt_by} keeps it away from {host}.")
                continue
            so = f"Calls to {around.url} would go to the proxy {shown(environ[name])}, and their tokens with them."
            won = f" ({exempt_by} is set without {host}, and wins)" if exempt_by == "no_proxy" else ""
            do = f"export NO_PROXY={host},localhost no_proxy={host},localhost{won}"
            yield Finding("breaks" if is_loopback(host) else "note", name, so, do)


def _is_exempt(host: str, names: str) -> bool:
    """Whether NO_PROXY names a host, or a domain that it is in."""
    exempt = [name.strip().lstrip(".").lower() for name in names.split(",")]
    return exempt == ["*"] or any(name and (host == name or host.endswith(f".{name}")) for name in exempt)


def _netrc(around: Surroundings) -> Iterator[Finding]:
    host = urlsplit(around.url).hostname or ""
    named = around.environ.get("NETRC")
    for path in [Path(named).expanduser()] if named else [around.home / ".netrc", around.home / "_netrc"]:
        if not path.is_file():
            continue  # nor is one read that has no end
        try:
            found = netrc.netrc(path).authenticators(host)
        except (netrc.NetrcParseError, OSError, UnicodeDecodeError):
            continue  # clients pass over it as well
        if found:
            so = f"Has a password for {host}, which `requests` sends instead of the token that a call gives."
            yield Finding("breaks", str(path), so, "Remove the entry, or export NETRC=/dev/null.")


def _mlflow(around: Surroundings) -> Iterator[Finding]:
    environ = around.environ
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        uri = environ.get(name, "")
        if re.fullmatch(r"databricks(-uc)?(://.*)?", uri):
            so = "Runs and models are asked for at a Databricks workspace; servesim simulates serving alone (501)."
            yield Finding("note", name, so, f"export {name}=sqlite:///mlflow.db")
        elif uri:
            yield Finding("fine", name, "Set; serving calls do not use it.")
    target = environ.get("MLFLOW_DEPLOYMENTS_TARGET", "")
    profile = target.partition("://")[2]
    leads_here = same_place(logins.full_host(around.file.profiles.get(profile, {}).get("host", "")), around.url)
    if target.startswith("databricks") and (not profile or leads_here):
        yield Finding("fine", "MLFLOW_DEPLOYMENTS_TARGET", "Leads where DATABRICKS_HOST or the profile leads.")
    elif target:
        so = "mlflow.deployments goes elsewhere unless code names its target."
        yield Finding("breaks", "MLFLOW_DEPLOYMENTS_TARGET", so, "export MLFLOW_DEPLOYMENTS_TARGET=databricks")
    if environ.get("MLFLOW_ENABLE_DB_SDK", "").lower() in {"false", "0"}:
        so = "MLflow calls without the SDK: no OAuth, and a .netrc wins over the token."
        yield Finding("note", "MLFLOW_ENABLE_DB_SDK", so, "unset MLFLOW_ENABLE_DB_SDK")


def _openai(around: Surroundings) -> Iterator[Finding]:
    base, wanted = around.environ.get("OPENAI_BASE_URL", ""), f"{around.url}/serving-endpoints"
    export = f"export OPENAI_BASE_URL={wanted}"
    if base and same_place(base, wanted):
        yield Finding("fine", "OPENAI_BASE_URL", "Leads to this servesim.")
    elif base and same_place(shown(base), around.url):
        yield Finding("breaks", "OPENAI_BASE_URL", "Leads to this servesim, but to a path that is not there.", export)
    elif base:
        so = f"OpenAI's client goes to {shown(base)} unless code gives it a base_url."
        yield Finding("note", "OPENAI_BASE_URL", so, export)
    elif _version("openai"):
        so = "Not set: OpenAI's client goes to OpenAI unless code gives it a base_url."
        yield Finding("note", "OPENAI_BASE_URL", so, export)


def _versions() -> Iterator[Finding]:
    for name, least in SUPPORTED.items():
        version = _version(name)
        if not version:
            so, do = "Not installed beside this servesim.", f"Clients elsewhere need {name}>={least}."
            yield Finding("note", name, so, do)
        elif _release(version) < _release(least):
            so = f"{version} is older than what servesim is tested with."
            yield Finding("breaks", name, so, f"pip install '{name}>={least}'")
        else:
            yield Finding("fine", name, f"{version}; supported from {least} on.")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _release(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:2]]
