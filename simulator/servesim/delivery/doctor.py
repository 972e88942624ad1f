"""``servesim doctor``: whether the clients of this shell would really talk to this servesim."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import click

from servesim.delivery import findings, logins
from servesim.delivery.client import is_header_text
from servesim.delivery.defaults import DEFAULT_ADMIN_TOKEN, DEFAULT_URL
from servesim.delivery.findings import Finding, Surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ADMIN = "/_servesim/v1"
HEALTH = "/_servesim/v1/health"
TOKEN = "/oidc/v1/token"  # noqa: S105 - the path that gives out tokens
ME = "/api/2.0/preview/scim/v2/Me"
PATIENCE_S = 10.0
"""Real seconds after which a server counts as one that does not answer."""
ANSWER_BYTES = 1_000_000

BREAKS = 1
COULD_NOT_RUN = 5

_ORDER = ("breaks", "note", "fine")
_STYLE = {"breaks": "bold red", "note": "yellow", "fine": "green"}
_OK = 200


class Bundle(NamedTuple):
    """A file of authorities and the variable that names it; without one, what its readers trust by default."""

    readers: str
    variable: str
    path: str | None


@click.command("doctor", short_help="Say whether clients of this shell would reach servesim.")
@click.option(
    "--url",
    envvar="SERVESIM_URL",
    show_envvar=True,
    default=DEFAULT_URL,
    show_default=True,
    help="The servesim that clients should reach.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(*, url: str, as_json: bool) -> None:
    """Say whether the clients of this shell would talk to servesim, and what would win over it.

    \b
    servesim doctor                                 the server of this shell
    servesim doctor --url http://127.0.0.1:9000     another one
    servesim doctor --json | jq '.findings[] | select(.level == "breaks")'

    It looks at what the Databricks SDK, MLflow, OpenAI's client, requests and curl look at before they call:
    variables, profiles in ~/.databrickscfg, .netrc, proxies, certificates. Then it asks the server itself: whether it
    is a servesim, and whether it takes the credential that clients would send it. A credential goes to --url alone, and
    only if clients would send it there; it is never printed. Run it in the shell and the Python environment that the
    clients run in.

    Exit code 0: nothing is in the way, 1: a finding breaks something, 2: wrong usage, 5: it could not look.
    """  # noqa: D301 - click reads the control character itself
    try:
        found = examine(checked(url), os.environ, Path.home())
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        click.echo(f"Error: it could not look around: {error}", err=True)
        sys.exit(COULD_NOT_RUN)
    broken = any(finding.level == "breaks" for finding in found)
    if as_json:
        document = {"url": url, "fine": not broken, "findings": [finding._asdict() for finding in found]}
        click.echo(json.dumps(document, indent=2))
    else:
        _print(found, url)
    sys.exit(BREAKS if broken else 0)


def checked(url: str) -> str:
    """Return a base URL without a slash at its end; raise BadParameter."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good:
        raise click.BadParameter(f"that is not the URL of a server; write e.g. {DEFAULT_URL}", param_hint="--url")
    return url.rstrip("/")


def examine(url: str, environ: Mapping[str, str], home: Path) -> list[Finding]:
    """Return what is found, what breaks first; raise OSError or RuntimeError if there is no looking."""
    file = logins.read_profiles(environ)
    around = Surroundings(url, environ, home, file, logins.login(environ, file))
    found = [*_server(around), *findings.looks(around)]
    return sorted(found, key=lambda finding: _ORDER.index(finding.level))


def _server(around: Surroundings) -> Iterator[Finding]:
    """Ask the server itself."""
    trusted, bundles = _trusted(around)
    yield from bundles
    if around.url.startswith("https") and trusted is None:
        return
    try:
        status, document = ask(around.url, HEALTH, authority=trusted)
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        yield Finding("breaks", around.url, f"Nobody answers: {reason}.", "Start `servesim serve`, or give its --url.")
        return
    if status != _OK or not isinstance(document, dict) or document.get("status") != "ok":
        so = f"Something answers there that is no servesim (GET {HEALTH}: {status})."
        yield Finding("breaks", around.url, so, "Give the --url that `servesim serve` printed.")
        return
    yield Finding("fine", around.url, "A servesim answers.")
    yield from _credential(around, trusted)
    yield from _admin(around, trusted)


def _credential(around: Surroundings, authority: Path | None) -> Iterator[Finding]:
    """Try what clients would send, if they would send it here."""
    login = around.login
    if login.problem or not login.method:
        return
    about = login.sources[logins.used_by(login.method)[-1]]
    if not findings.same_place(login.host, around.url):
        yield Finding("note", about, "Set; not tried, because clients would take it elsewhere.")
        return
    authorization = _authorization(around, authority)
    if not is_header_text(authorization):
        so = "Set, with a character that no header can hold, e.g. a line break at its end."
        yield Finding("breaks", about, so, "Export it anew, as `servesim serve` printed it.")
        return
    status, document = ask(around.url, ME, authorization, authority) if authorization else (0, None)
    if status == _OK:
        name = document.get("userName", "") if isinstance(document, dict) else ""
        yield Finding("fine", about, f"Set, and the one that the server takes: it stands for {name}.")
    else:
        asked = f"GET {ME}: {status}" if authorization else f"POST {TOKEN}"
        do = "Export the token that `servesim serve` printed, or what the scenario gives to this principal."
        yield Finding("breaks", about, f"Set, and the server does not take it ({asked}).", do)


def _authorization(around: Surroundings, authority: Path | None) -> str:
    """Return what clients would send; empty if the server gives out no token for it."""
    values = around.login.values
    if around.login.method == logins.PAT:
        return f"Bearer {values['token']}"
    if around.login.method == logins.BASIC:
        return _basic(values["username"], values["password"])
    client = _basic(values["client_id"], values["client_secret"])
    _, document = ask(around.url, TOKEN, client, authority, "grant_type=client_credentials&scope=all-apis")
    token = document.get("access_token") if isinstance(document, dict) else None
    return f"Bearer {token}" if token else ""


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _admin(around: Surroundings, authority: Path | None) -> Iterator[Finding]:
    """Try the admin token: servesim's own commands need it."""
    name = "SERVESIM_ADMIN_TOKEN"
    token = around.environ.get(name) or DEFAULT_ADMIN_TOKEN
    status = ask(around.url, ADMIN, f"Bearer {token}", authority)[0] if is_header_text(token) else 0
    if status == _OK:
        yield Finding("fine", name, "The one that the server takes, or its default.")
    else:
        asked = f"GET {ADMIN}: {status}" if status else "no header can hold it"
        so = f"Not what the server takes ({asked}): `servesim clock` and its like are refused."
        yield Finding("note", name, so, "Export the one that `servesim serve` printed; see also its --allowed-host.")


def _trusted(around: Surroundings) -> tuple[Path | None, list[Finding]]:
    """Return a file of authorities with which the server is trusted, and what each reader's own file does."""
    environ = around.environ
    requests = next((name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if environ.get(name)), None)
    bundles = (
        ("requests (databricks-sdk, MLflow)", requests or "REQUESTS_CA_BUNDLE"),
        ("httpx (OpenAI), urllib, Go", "SSL_CERT_FILE"),
    )
    if not around.url.startswith("https"):
        names = [name for _, name in bundles if environ.get(name)]
        return None, [Finding("fine", name, "Set; an http URL has no use for it.") for name in names]
    trusted, found = None, []
    for readers, name in bundles:
        path, problem = environ.get(name), _distrust(around.url, environ.get(name))
        if not problem:
            trusted = trusted or Path(path or ssl.get_default_verify_paths().cafile or "")
            found.append(Finding("fine", name, f"Lets {readers} trust the server."))
        else:
            do = f"export {name}=… as `servesim serve --tls` printed it"
            found.append(Finding("breaks", name, f"{readers} would not trust the server: {problem}.", do))
    return trusted, found


def _distrust(url: str, path: str | None) -> str:
    """Say why a client with this file of authorities would not trust the server; empty if it would."""
    if not path:
        return "no file of authorities is given"
    try:
        ask(url, HEALTH, authority=Path(path))
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        missing = isinstance(error, FileNotFoundError)
        return "the file is not there" if missing else f"the file cannot be read ({error.strerror})"
    except ssl.SSLError as error:
        return error.reason or "the file holds no certificate"
    except (OSError, http.client.HTTPException):
        return ""  # not a matter of trust: the look at the server says what it is
    return ""


def ask(
    url: str, path: str, authorization: str = "", authority: Path | None = None, form: str | None = None
) -> tuple[int, Any]:
    """GET, or POST a form, straight from the server and past every proxy; raise OSError, HTTPException."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=authority)
        connection = http.client.HTTPSConnection(host, port, timeout=PATIENCE_S, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    headers = {"Authorization": authorization} if authorization else {}
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    with contextlib.closing(connection):
        connection.request("GET" if form is None else "POST", parts.path + path, form, headers)
        answer = connection.getresponse()
        body = answer.read(ANSWER_BYTES)
    try:
        return answer.status, json.loads(body)
    except (ValueError, RecursionError):
        return answer.status, None


def _print(found: list[Finding], url: str) -> None:
    if sys.stdout is None:
        return  # it was closed: the exit code tells
    from rich.console import Console  # noqa: PLC0415 - only where somebody looks at it
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table("", "about", "what is so", "what to do")
    for finding in found:
        texts = (Text(finding.level, _STYLE[finding.level]), *(Text(cell) for cell in finding[1:]))
        table.add_row(*texts)
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 140)
    console.print(table)
    broken = sum(finding.level == "breaks" for finding in found)
    verdict = f"{broken} in the way, see above" if broken else "clients of this shell talk to it"
    console.print(Text(f"{url}: {verdict}."), soft_wrap=True)
