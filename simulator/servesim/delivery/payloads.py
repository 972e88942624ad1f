"""``servesim payloads``: requests that a model accepts, or must refuse, from its signature."""

from __future__ import annotations

import base64
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from servesim.delivery.client import Target, Unreachable, call, checked_url, endpoint_path, no_answer, token_option
from servesim.delivery.extras import MissingExtra, needs
from servesim.payloads.encode import FORMATS
from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hypothesis.strategies import SearchStrategy

    from servesim.payloads.signature import Signature
    from servesim.strategies import Malformed, Payload

MOST = 10_000
MOST_BYTES = 4 * 1024 * 1024
"""Of a signature's file: a thousand columns are a tenth of it."""
REFUSED, UNREACHABLE = 1, 5
INDEX = "payloads.jsonl"


@click.group("payloads", short_help="Generate requests from a model's signature.")
def command() -> None:
    """Generate requests for a model: what it accepts, or must refuse.

    \b
    servesim payloads generate --model ./fraud --count 20
    servesim payloads generate --signature signature.json --malformed --json

    Exit code 0: done, 1: refused, or there is no signature, 2: wrong usage, 5: no server was reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are


@command.command("generate")
@click.option("--signature", "signature_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--model", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of an MLflow model."
)
@click.option("--url", envvar="DATABRICKS_HOST", show_envvar=True, help="A server, whose --endpoint publishes OpenAPI.")
@click.option("--endpoint", help="The endpoint of that server.")
@click.option("--entity", help="One served entity of it.  [default: the first]")
@token_option
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="[default: every one that the signature can be sent in]"
)
@click.option("--count", type=click.IntRange(1, MOST), default=10, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed, the same bytes.")
@click.option("--malformed", is_flag=True, help="What the model must refuse, each with the reason.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write one file each into this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: content type, format, body, reason.")
def generate(**options: Any) -> None:
    """Print requests, the plainest first.

    \b
    servesim payloads generate --signature signature.json --format csv
    servesim payloads generate --model ./fraud --malformed --json
    servesim payloads generate --url http://127.0.0.1:8765 --endpoint fraud --out requests

    --signature takes what MLflow stores (`{"inputs": …, "params": …}`, or the inputs alone), or `{"amount": "double"}`.
    Give one of --signature, --model and --endpoint. Needs the extra `contract`.
    """  # noqa: D301 - as above
    if sum(options[name] is not None for name in ("signature_file", "model", "endpoint")) != 1:
        raise click.UsageError("Say for which model: --signature FILE, --model DIR, or --url URL --endpoint NAME.")
    try:
        with needs("contract"):
            import servesim.strategies  # noqa: F401, PLC0415 - an extra, imported by whoever asks for it
        signature = _signature(options)
        found = _drawn(signature, options)
    except MissingExtra as missing:
        raise click.ClickException(str(missing)) from missing
    except Unreachable as reason:
        click.echo(f"Error: no answer from {options['url']}: {no_answer(reason)}.", err=True)
        sys.exit(UNREACHABLE)
    _write(found, options["out"]) if options["out"] is not None else _print(found, as_json=options["as_json"])
    if len(found) < options["count"]:
        click.echo(f"There are {len(found)} different ones alone.", err=True)


# --- whose signature ------------------------------------------------------------------------------


def _signature(options: dict[str, Any]) -> Signature:
    if options["endpoint"] is not None:
        return _published(options)
    from servesim.strategies.examples import described  # noqa: PLC0415 - needs the extra
    from servesim.strategies.signatures import signature_of  # noqa: PLC0415 - as above

    try:
        if options["signature_file"] is not None:
            return signature_of(_text(options["signature_file"]))
        known = described(options["model"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        hint = "--model" if options["signature_file"] is None else "--signature"
        raise click.BadParameter(plain(str(error)), param_hint=hint) from error
    if known.signature is None:
        raise click.ClickException(f"{options['model']} says nothing to generate from: {known.reason}.")
    return known.signature


def _text(path: Path) -> bytes:
    with path.open("rb") as file:
        text = file.read(MOST_BYTES + 1)  # some files have no size, and no end
    if len(text) > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES:,} bytes")
    return text


def _published(options: dict[str, Any]) -> Signature:
    """Return the signature that an endpoint publishes."""
    from servesim.strategies.published import signature_of_openapi  # noqa: PLC0415 - needs the extra

    if options["url"] is None:
        raise click.UsageError("--endpoint needs the --url of its server, or DATABRICKS_HOST.")
    target = Target(checked_url(options["url"]), options["token"])
    path = endpoint_path(options["endpoint"]) + "/openapi"
    try:
        answered = call(target, path)
    except ValueError as error:  # a token that no header can hold
        raise click.UsageError(str(error)) from error
    document = answered.document
    if not answered.well:
        said = document.get("message") if isinstance(document, dict) else document
        raise click.ClickException(f"GET {target.url}{path} was answered with {answered.status}. {said}")
    try:
        return signature_of_openapi(document, options["entity"])
    except ValueError as error:
        raise click.ClickException(f"{error} with --signature.") from error


# --- what is drawn --------------------------------------------------------------------------------


def _drawn(signature: Signature, options: dict[str, Any]) -> list[Payload | Malformed]:
    from hypothesis.configuration import set_hypothesis_home_dir  # noqa: PLC0415 - an extra
    from hypothesis.errors import HypothesisException  # noqa: PLC0415 - as above

    from servesim.strategies import malformed, payloads  # noqa: PLC0415 - needs the extra
    from servesim.strategies.generate import drawn  # noqa: PLC0415 - as above

    make = malformed if options["malformed"] else payloads
    with tempfile.TemporaryDirectory(prefix="servesim-") as home:
        set_hypothesis_home_dir(home)  # or it would leave a folder in this one
        try:
            strategy: SearchStrategy[Any] = make(signature, options["form"])
            return drawn(strategy, options["count"], start=options["seed"])
        except HypothesisException as error:  # more choices than it draws for one value
            raise click.UsageError(
                "The signature is too large to draw a request for; give it fewer columns, or smaller fixed dimensions."
            ) from error
        except ValueError as error:
            raise click.ClickException(str(error)) from error
        finally:
            set_hypothesis_home_dir(None)


def _fields(found: Payload | Malformed) -> tuple[Payload, dict[str, Any]]:
    """Return the request and what JSON says about it."""
    from servesim.strategies import Malformed  # noqa: PLC0415 - needs the extra

    if isinstance(found, Malformed):
        said = {"reason": found.reason.value, "status": found.status, "error_code": found.error_code}
        return found.payload, {**_body(found.payload), **said}
    return found, _body(found)


def _body(payload: Payload) -> dict[str, Any]:
    about = {"content_type": payload.content_type, "format": payload.format}
    try:
        return {**about, "body": payload.body.decode("utf-8")}
    except UnicodeDecodeError:
        return {**about, "body_base64": base64.b64encode(payload.body).decode("ascii")}


# --- where it goes --------------------------------------------------------------------------------


def _print(found: Iterable[Payload | Malformed], *, as_json: bool) -> None:
    for payload, fields in map(_fields, found):
        if as_json:
            click.echo(json.dumps(fields))
            continue
        why = f": {fields['reason']} -> {fields['status']} {fields['error_code'] or ''}" if "reason" in fields else ""
        click.echo(f"# {payload.format} as {payload.content_type}{why}".rstrip())
        click.echo(payload.body.decode("utf-8", "backslashreplace").removesuffix("\n"))


def _write(found: list[Payload | Malformed], folder: Path) -> None:
    """Write one file each and an index; raise BadParameter for a folder that has something in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise click.BadParameter(f"{folder} is not empty: name a new folder.", param_hint="--out")
        lines = list(_write_each(found, folder))
        (folder / INDEX).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"{folder} cannot be written: {error.strerror}", param_hint="--out") from error
    click.echo(f"{len(found):,} requests in {folder}; {INDEX} says what each of them is.", err=True)


def _write_each(found: Iterable[Payload | Malformed], folder: Path) -> Iterator[dict[str, Any]]:
    for number, (payload, fields) in enumerate(map(_fields, found), start=1):
        why = "-" + re.sub(r"\W+", "-", fields["reason"].lower()) if "reason" in fields else ""
        name = f"{number:05}-{payload.format}{why}.{'csv' if payload.format == 'csv' else 'json'}"
        (folder / name).write_bytes(payload.body)
        yield {"file": name, **{key: value for key, value in fields.items() if not key.startswith("body")}}
