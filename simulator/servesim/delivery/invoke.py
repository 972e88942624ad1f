"""``servesim invoke``: score from the shell."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from servesim.delivery.client import (
    CSV,
    JSON,
    Answered,
    Target,
    Unreachable,
    call,
    checked_url,
    example_path,
    host_option,
    no_answer,
    scoring_path,
    token_option,
)

ERROR_ANSWER = 1
UNREACHABLE = 5

_ADVICE = {
    400: "Compare the request with one that the model accepts: servesim invoke {endpoint} --example.",
    401: "Give a token: --token, or DATABRICKS_TOKEN as `servesim serve` printed it.",
    403: "Give a token that this server knows: --token, or DATABRICKS_TOKEN as `servesim serve` printed it.",
    404: "See what is there: GET {url}/api/2.0/serving-endpoints. A new endpoint answers once it is ready.",
    429: "Send fewer requests at once, or try again.",
    500: "The reason stands in the model's own error above, or in what `servesim serve` printed.",
    504: "Move simulated time to the instant named above, or serve with --clock autojump.",
}


@click.command("invoke")
@click.argument("endpoint")
@click.option("--entity", help="Ask this served entity, whatever its share of the traffic.")
@click.option("--example", is_flag=True, help="Send the model version's own input example.")
@click.option("--data", metavar="@FILE|TEXT|-", help="Send a file, the text itself, or standard input.")
@click.option("--content-type", help=f"[default: {CSV} for @FILE.csv, else {JSON}]")
@host_option
@token_option
@click.option("--json", "as_json", is_flag=True, help="Print status, served entity, request id and body as JSON.")
def command(**options: Any) -> None:
    """Score with ENDPOINT and print the answer.

    \b
    servesim invoke fraud --data '{"dataframe_records": [{"amount": 12.5}]}'
    servesim invoke fraud --data @rows.csv
    servesim invoke fraud --example --entity challenger

    The served entity and the request's id go to standard error. Exit code 0: the model answered, 1: an error
    answer, 2: wrong usage, 5: no server was reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    if options["example"] == (options["data"] is not None):
        raise click.UsageError("Say what to send: --example, or --data @FILE, --data TEXT, --data - (not both).")
    target = Target(checked_url(options["url"]), options["token"])
    try:
        body, content_type = _request(target, options)
        path = scoring_path(options["endpoint"], options["entity"])
        answered = call(target, path, body, content_type)
        _print(answered, as_json=options["as_json"])
        if not answered.well:
            _fail(f"POST {target.url}{path}", answered, options["endpoint"], target)
    except Unreachable as reason:
        click.echo(
            f"Error: no answer from {target.url}: {no_answer(reason) if reason.answers else reason}\n"
            "Start a server with `servesim serve`, or name another with --url or DATABRICKS_HOST.",
            err=True,
        )
        sys.exit(UNREACHABLE)
    except ValueError as error:  # a token or content type that no header can hold
        raise click.UsageError(str(error)) from error


def _request(target: Target, options: dict[str, Any]) -> tuple[bytes, str]:
    """Return what to send and its content type."""
    if options["example"]:
        return _example(target, options["endpoint"], options["entity"]), options["content_type"] or JSON
    data: str = options["data"]
    if data in {"-", "@-"}:
        return sys.stdin.buffer.read(), options["content_type"] or JSON
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape"), options["content_type"] or JSON
    path = Path(data[1:])
    try:
        content = path.read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint="--data") from error
    return content, options["content_type"] or (CSV if path.suffix.lower() == ".csv" else JSON)


def _example(target: Target, endpoint: str, entity: str | None) -> bytes:
    path = example_path(endpoint) + ("?" + urlencode({"entity": entity}) if entity else "")
    answered = call(target, path)
    document = answered.document
    if answered.well and isinstance(document, dict) and "example" in document:
        return json.dumps(document["example"]).encode()
    if isinstance(document, dict) and "error_code" in document:
        _fail(f"GET {target.url}{path}", answered, endpoint, target)
    click.echo(
        f"Error: GET {target.url}{path} was answered with {answered.status} and no example.\n"
        "Only servesim gives out examples. Send --data to this server.",
        err=True,
    )
    sys.exit(ERROR_ANSWER)


def _print(answered: Answered, *, as_json: bool) -> None:
    entity = answered.headers.get("Served-Model-Name")
    request_id = answered.headers.get("X-Request-Id") or _id_of_error(answered.document)
    if as_json:
        document = {
            "status": answered.status,
            "served_entity": entity,
            "request_id": request_id,
            "body": answered.document,
        }
        _print_json(document)
    elif answered.well:
        _print_body(answered)
    told = [f"served entity {entity}"] if entity else []
    told += [f"request {request_id}"] if request_id else []
    if told:
        click.echo(", ".join(told), err=True)


def _print_body(answered: Answered) -> None:
    """Print a body for people on a terminal, and as it came elsewhere."""
    if _is_terminal() and isinstance(answered.document, dict | list):
        _print_json(answered.document)
    else:
        click.echo(answered.body, nl=not answered.body.endswith(b"\n"))


def _print_json(document: Any) -> None:
    if not _is_terminal():
        click.echo(json.dumps(document))
        return
    from rich.console import Console  # noqa: PLC0415 - only where somebody looks at it

    Console(file=sys.stdout, soft_wrap=True).print_json(json.dumps(document), ensure_ascii=False)


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _id_of_error(document: Any) -> str | None:
    """Return the request's id as the control plane's errors carry it."""
    details = document.get("details") if isinstance(document, dict) else None
    found = [one.get("request_id") for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    return next((str(one) for one in found if one), None)


def _fail(asked: str, answered: Answered, endpoint: str, target: Target) -> None:
    """Say on standard error what was asked, what is so and what to do; exit 1."""
    document = answered.document
    fields = document if isinstance(document, dict) else {}
    code = fields.get("error_code")
    what = fields.get("message") or (document if isinstance(document, str) else json.dumps(document))
    click.echo(f"Error: {asked} was answered with {answered.status}{f' {code}' if code else ''}.", err=True)
    click.echo(str(what)[:2000].rstrip() or "The answer has no text.", err=True)
    if "has no input example" not in str(what):
        advice = _ADVICE.get(answered.status)
        if advice:
            click.echo(advice.format(endpoint=endpoint, url=target.url), err=True)
    sys.exit(ERROR_ANSWER)
