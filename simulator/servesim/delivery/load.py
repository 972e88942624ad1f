"""``servesim load``: load tests that end with a verdict and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from servesim.delivery.load_options import Asked, of_the_test, test_options
from servesim.delivery.load_target import CouldNotRun, require_extra

_ENDING = "Exit code 0: pass, 1: fail, 2: wrong usage, 4: inconclusive, 5: it could not run."


class _Tests(click.Group):
    """The tests by name; a dash stands for an underscore too."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None for a name that is none."""
        return super().get_command(ctx, cmd_name.replace("-", "_"))


@click.group("load", cls=_Tests, short_help="Load tests with a verdict and a report.")
def command() -> None:
    """Put an endpoint under load and say what holds: pass, fail, or inconclusive.

    \b
    servesim load traffic_split                     against a servesim that it starts and ends
    servesim load rollout --url https://my.workspace.example --endpoint fraud
    servesim load script locustfile.py -- --users 5 --run-time 30s

    Without --url it starts servesim with profile `load`. Otherwise the server named is loaded: nothing that the
    environment names is, DATABRICKS_TOKEN apart. Each run leaves report.html, run.json and junit.xml in --out.

    Exit code 0: pass, 1: fail, 2: wrong usage, 4: inconclusive, 5: it could not run.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are


def _test(name: str, short: str, teaching: str) -> None:
    """Add the command of a load test."""

    @click.pass_context
    def run(context: click.Context, /, **options: Any) -> None:
        _run(context, of_the_test(name, options))

    run.__doc__ = f"{short}\n\n{teaching}\n\n{_ENDING}"
    command.add_command(click.command(name, short_help=short)(test_options(name)(run)))


_test(
    "traffic_split",
    "Judge whether the endpoint's traffic split is kept.",
    "Reads the configured routes, sends requests in every format that the model takes, counts who answers, and ends "
    "when as many are counted as the verdict needs, or as soon as it fails.",
)
_test(
    "rollout",
    "Move the split in steps under traffic and judge each.",
    "Gives the challenger 10, 50 and 100 percent of the endpoint's traffic while requests are sent; the others share "
    "the rest as before. Judges each step by the requests that were sent in it; those within --drain after a switch "
    "are left out.",
)
_test(
    "cold_start",
    "Let an endpoint scale to zero, then burst (servesim only).",
    "Moves servesim's clock between the phases until nothing runs, then sends everything at once: requests are held, "
    "and are to be answered in order, none lost. It needs servesim, and its admin token where it is not the usual one.",
)
_test(
    "saturation",
    "Add users until requests are refused, and see it heal.",
    "In servesim, 429s are to begin where provisioned concurrency and queue say, and to go when replicas have been "
    "added. Elsewhere it tells where they began.",
)
_test(
    "retirement",
    "Send traffic across the end of a retired surface (servesim only).",
    "Half of the users ask --retiring, half an endpoint of Model Serving beside it, while servesim's clock goes across "
    "the end that the answers announce: up to then all are answered, from then on all are refused, nothing is lost, "
    "and the endpoint beside it never notices.",
)


class _Script(click.Command):
    """Says of options that it has not where locust's belong."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; raise click's errors."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            told = f"{error.message} Options of locust follow `--`."
            raise click.NoSuchOption(error.option_name, told, error.possibilities, ctx) from None


@command.command("script", cls=_Script, short_help="Run any locustfile, with a report.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("locust_arguments", nargs=-1, type=click.UNPROCESSED)
@test_options("script")
@click.pass_context
def _script(context: click.Context, /, file: Path, locust_arguments: tuple[str, ...], **options: Any) -> None:
    """Run a locustfile of your own; what follows `--` is for locust.

    \b
    servesim load script locustfile.py -- --users 5 --run-time 30s
    servesim load script locustfile.py --url https://my.workspace.example --max-error-rate 0.01

    It finds DATABRICKS_HOST and DATABRICKS_TOKEN in its environment, and is to end by itself. Its scoring requests are
    counted by status, latency and who answered. The split is judged if enough of them are sent for it. If they aren't,
    and no limit is given, none of them may fail.

    Exit code 0: pass, 1: fail, 2: wrong usage, 4: inconclusive, 5: it could not run.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    _run(context, of_the_test("script", options, file, locust_arguments))


@command.command("report", short_help="Make the report of a run again.")
@click.argument("document", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="RUN.JSON")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="[default: beside it]")
def _report(document: Path, out: Path | None) -> None:
    """Make report.html and junit.xml again from a run's document, run.json.

    Exit code 0: they are written, whatever the run's outcome was, 2: wrong usage, 5: it could not be done.
    """
    from servesim.delivery.load_files import write_reports  # noqa: PLC0415 - the help needs none of it
    from servesim.load.document import NoRun, read_run  # noqa: PLC0415 - as above

    try:
        run = read_run(document)
        require_extra()
        written = write_reports(run, out or document.parent)
    except NoRun as error:
        raise click.BadParameter(str(error), param_hint="RUN.JSON") from error
    except OSError as error:
        raise CouldNotRun(f"the report can't be written: {error}") from error
    for path in written:
        click.echo(path)


def _run(context: click.Context, asked: Asked) -> None:
    from servesim.delivery.load_run import run  # noqa: PLC0415 - the help needs none of it
    from servesim.load.ending import CODES  # noqa: PLC0415 - as above

    outcome = run(asked)
    if code := CODES[outcome]:
        context.exit(code)
