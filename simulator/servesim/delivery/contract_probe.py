"""``servesim contract probe``: a workspace is asked for the answers that servesim had to choose."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from servesim.delivery.admin_client import columns, show
from servesim.delivery.client import Target, checked_url, host_option, is_header_text, token_option
from servesim.delivery.contract_asking import APART, RIGHT, UNSETTLED, WRONG, Asking
from servesim.delivery.contract_talk import CouldNotRun
from servesim.generations.ga_requests import ENDPOINT_NAME
from servesim.service.documents import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from servesim.core.errors import Code
    from servesim.delivery.contract_asking import Finding
    from servesim.generations.text import Text

SOME_ARE_WRONG = 1
COULD_NOT_RUN = 5
LONGEST_NAME = 60
HEADS = ("QUESTION", "REFUSAL", "VERDICT", "ANSWER")
HEAD = """\
# Refusals as a workspace words them, asked for by `servesim contract probe`.
# `servesim serve --answers FILE`, `servesim.run(answers=...)` and `answers:` in a scenario give them as recorded.
"""


@click.command("probe", short_help="Ask a workspace for the answers that servesim had to choose.")
@host_option
@token_option
@click.option("--allow-create", "create", metavar="NAME", help="Ask what needs an endpoint: one of this name is made.")
@click.option("--entity", metavar="NAME/VERSION", help="A model version that this endpoint may begin to deploy.")
@click.option(
    "--out",
    default="answers.yaml",
    show_default=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file for the answers; one that is there is replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(url: str, token: str, create: str | None, entity: str | None, out: Path, *, as_json: bool) -> None:
    """Ask how a workspace refuses, tell which refusals of servesim's are wrong, and write what it said to a file.

    \b
    servesim contract probe --url https://my.workspace.example
    servesim contract probe --url https://my.workspace.example --allow-create servesim-probe
    servesim serve --answers answers.yaml

    It asks after names that nobody has and sends bodies that cannot be read, so that nothing changes. With
    --allow-create it makes an endpoint without a config, which costs nothing, and changes that are refused; with
    --entity as well a deployment may begin. Whatever was made is deleted at the end.

    Exit code 0: every refusal that was seen is as servesim has it, 1: some are not, 2: wrong usage, 5: it could not
    run.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    asking = Asking(_target(url, token))
    created = _created(create, entity)
    try:
        settled = asking.run(create, created)
        out.write_text(_written(settled), encoding="utf-8")
    except CouldNotRun as reason:
        click.echo(f"Error: {asking.target.url} could not be asked: {plain(str(reason))}.", err=True)
        sys.exit(COULD_NOT_RUN)
    except OSError as error:
        raise click.BadParameter(f"{out} cannot be written: {error.strerror}", param_hint="--out") from error
    if as_json:
        show(_as_document(asking, out))
    else:
        click.echo("\n".join(_lines(asking.findings)))
        if asking.is_servesim:
            click.echo("\nThis is servesim itself: what it answers says nothing of a real workspace.")
        click.echo(f"\n{asking.target.url}: {_counted(asking.findings)}; {len(settled)} answers written to {out}.")
    if any(one.verdict == WRONG for one in asking.findings):
        sys.exit(SOME_ARE_WRONG)


def _target(url: str, token: str) -> Target:
    if not is_header_text(token):
        raise click.BadParameter("it has a character that no header can hold", param_hint="--token")
    return Target(checked_url(url), token)


def _created(create: str | None, entity: str | None) -> tuple[str, str] | None:
    if create is not None and (not ENDPOINT_NAME.fullmatch(create) or len(create) > LONGEST_NAME):
        text = f"{create!r} is no name of an endpoint, or is longer than {LONGEST_NAME} characters"
        raise click.BadParameter(text, param_hint="--allow-create")
    if entity is None:
        return None
    name, _, version = entity.rpartition("/")
    if not name or not version:
        raise click.BadParameter(f"{entity!r} is not NAME/VERSION; write e.g. main.ml.fraud/1", param_hint="--entity")
    if create is None:
        raise click.UsageError("--entity is for the endpoint that --allow-create makes; give both")
    return name, version


# --- what is written ------------------------------------------------------------------------------


def _written(settled: Mapping[Code, Text]) -> str:
    import yaml  # noqa: PLC0415 - wrong usage is told without it

    answers = {
        str(code): {
            "status": text.status,
            "error_code": text.error_code,
            "message": text.template,
            "source": text.source,
        }
        for code, text in settled.items()
    }
    written: str = yaml.safe_dump({"answers": answers}, sort_keys=False, width=120)
    return HEAD + written


# --- what is printed ------------------------------------------------------------------------------


def _counted(findings: list[Finding]) -> str:
    numbers = Counter(one.verdict for one in findings)
    words = {RIGHT: "right", WRONG: "wrong", APART: "different on purpose", UNSETTLED: "not settled"}
    return "of servesim's answers " + ", ".join(
        f"{numbers[verdict]} {word}" for verdict, word in words.items() if numbers[verdict] or verdict in {RIGHT, WRONG}
    )


def _lines(findings: list[Finding]) -> list[str]:
    rows: list[tuple[str, str, str, str]] = []
    for one in findings:
        first, *others = _told(one)
        rows.append((one.asks, str(one.code or "-"), one.verdict, first))
        rows.extend(("", "", "", other) for other in others)
    return columns(HEADS, rows)


def _told(one: Finding) -> Iterator[str]:
    if one.verdict == RIGHT:
        yield str(one.theirs)
        return
    if one.why:
        yield one.why
    yield f"ours: {one.ours}"
    yield f"theirs: {one.theirs}"


def _as_document(asking: Asking, out: Path) -> dict[str, Any]:
    findings = asking.findings
    numbers = Counter(one.verdict for one in findings)
    return {
        "url": asking.target.url,
        "is_servesim": asking.is_servesim,
        "file": str(out),
        **{verdict: numbers[verdict] for verdict in (RIGHT, WRONG, APART, UNSETTLED)},
        "findings": [
            {
                "asks": one.asks,
                "refusal": None if one.code is None else str(one.code),
                "call": one.call,
                "verdict": one.verdict,
                "why": one.why,
                "ours": one.ours._asdict(),
                "theirs": one.theirs._asdict(),
            }
            for one in findings
        ],
    }
