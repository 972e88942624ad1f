"""``servesim contract record``: what clients and a workspace say to each other, without their secrets."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from servesim.delivery.client import checked_url
from servesim.delivery.recording import Recording, Unreadable

if TYPE_CHECKING:
    from servesim.delivery.recording_proxy import RecordingProxy


@click.command("record", short_help="Record the calls to a workspace, without secrets.")
@click.option("--upstream", required=True, metavar="URL", help="The workspace.")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), show_default=True, help="Port to listen on; 0 picks one."
)
@click.option(
    "--out",
    default="recording.jsonl",
    show_default=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file that exchanges are appended to.",
)
def command(upstream: str, port: int, out: Path) -> None:
    """Stand between a client and a workspace until Ctrl-C, and write down what passes: a line of JSON for each call.

    \b
    servesim contract record --upstream https://my.workspace.example
    DATABRICKS_HOST=http://127.0.0.1:PORT python my_job.py
    servesim contract verify recording.jsonl

    It listens on loopback alone, and has no token of its own: clients send theirs. Tokens, secrets, plain text fields
    and the values of environment variables are taken out before anything is written; the file is readable by its owner
    alone.

    Exit code 0: stopped, 1: it could not begin or could not write, 2: wrong usage.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    try:
        upstream = checked_url(upstream)
    except click.BadParameter as error:
        error.param_hint = "--upstream"
        raise
    try:
        recording = Recording(out)
    except Unreadable as error:
        raise click.BadParameter(str(error), param_hint="--out") from error
    try:
        failure = asyncio.run(_record(upstream, port, recording))
    except OSError as error:
        raise click.ClickException(f"port {port} cannot be listened on: {error.strerror or error}") from error
    finally:
        recording.close()
    click.echo(_summary(recording))
    if failure is not None:
        raise click.ClickException(f"{out} cannot be written: {failure.strerror or failure}")


async def _record(upstream: str, port: int, recording: Recording) -> OSError | None:
    from servesim.delivery.recording_proxy import LOOPBACK, RecordingProxy  # noqa: PLC0415 - wrong usage is told without it

    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    proxy: RecordingProxy = RecordingProxy(upstream, recording, stopping)
    proxy.port = port
    async with proxy:
        click.echo(f"# recording what passes to {upstream} into {recording.path}; Ctrl-C ends it")
        click.echo(f"export DATABRICKS_HOST=http://{LOOPBACK}:{proxy.port}")
        await stopping.wait()
    return proxy.failure


def _summary(recording: Recording) -> str:
    number = recording.written
    lines = f"{number} exchange{'' if number == 1 else 's'} written to {recording.path}"
    return f"{lines}, {recording.left_out} left out: there is no room for more" if recording.left_out else lines
