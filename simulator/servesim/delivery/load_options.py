"""What a load test is asked for on the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from servesim.delivery.client import checked_url, is_header_text
from servesim.delivery.defaults import DEFAULT_ADMIN_TOKEN, DEFAULT_TOKEN
from servesim.service.shipped import scenario_file, shipped

if TYPE_CHECKING:
    from collections.abc import Callable

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class Asked:
    """One run; its text has no token in it."""

    test: str
    url: str | None
    """None: servesim is started."""
    token: str = field(repr=False)
    admin_token: str = field(repr=False)
    scenario: Path | None
    out: Path
    as_json: bool
    users: int | None
    """None: a script says it itself."""
    spawn_rate: float | None
    processes: int
    settings: dict[str, Any]
    """Fields of ``servesim.load.settings.Settings`` by name, those that were named alone."""
    file: Path | None = None
    """A locustfile of the user's, for ``script``."""
    locust_arguments: tuple[str, ...] = ()


def of_the_test(test: str, options: dict[str, Any], file: Path | None = None, rest: tuple[str, ...] = ()) -> Asked:
    """Return what is asked for; raise click's errors for what can't be."""
    given = dict(options)
    for option in ("token", "admin_token"):
        if not is_header_text(given[option]):
            raise click.BadParameter("it has a character that no header can hold", param_hint=f"--{option}")
    if given["url"] and given["scenario"]:
        raise click.UsageError("--scenario is for the servesim that is started; with --url none is")
    url = given.pop("url") or None
    if url is not None:
        url = checked_url(url)
    else:  # the one that is started needs no secret, and no real token is lent to it
        given |= {"token": DEFAULT_TOKEN, "admin_token": DEFAULT_ADMIN_TOKEN}
    names = ("token", "admin_token", "scenario", "out", "as_json", "users", "spawn_rate", "processes")
    own = {name: given.pop(name) for name in names}
    settings = {name: value for name, value in given.items() if value is not None}
    if (floor := settings.get("floor", 0)) > (detect := settings.get("detect", floor * 2)) / 2:
        raise click.BadParameter(f"at most half of --detect {detect:g}, not {floor:g}", param_hint="--floor")
    return Asked(test, url, settings=settings, file=file, locust_arguments=rest, **own)


def test_options(test: str) -> Decorator:
    """Give a command the options of a test."""
    judged = _OF_A_SPLIT if test in {"traffic_split", "rollout", SCRIPT} else ()
    made = [*_WHERE, *_users(test), *judged, *_OWN.get(test, ())]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed([*made, *_LIMITS, *_RESULT]):
            function = option(function)
        return function

    return decorate


def _span(_context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    from servesim.service.settings import seconds  # noqa: PLC0415 - the help needs none of it

    try:
        found = seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if not found and parameter.name != "drain_s":
        raise click.BadParameter("a time is longer than nothing")
    return found


def _milliseconds(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    if text is not None and text.strip()[-1:].isdigit():  # locust's option of this name has milliseconds, spans seconds
        raise click.BadParameter(f"{text!r} has no unit: write 300ms or 0.3s")
    found = _span(context, parameter, text)
    return None if found is None else round(found * 1000, 3)


def _steps(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    from servesim.load.settings import shares  # noqa: PLC0415 - the help needs none of it

    try:
        if text is not None:
            shares(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return text


def _path(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())


def _scenario(_context: click.Context, _parameter: click.Parameter, written: str | None) -> Path | None:
    if written is None or (path := scenario_file(written)).is_file():
        return None if written is None else path
    names = sorted(file.stem for file in shipped("scenarios").glob("*.yaml"))
    raise click.BadParameter(f"there is no file {written!r}, and no shipped world of that name: {', '.join(names)}.")


class _Number(click.FloatRange):
    """A number within bounds, and an ordinary one: ``nan`` lies in every range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; raise click's error."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number to go by.", param, ctx)
        return number


def _file(**more: Any) -> Any:
    return click.Path(exists=True, dir_okay=False, path_type=Path, **more)


_WHERE = (
    click.option("--url", metavar="URL", help="The server to load. [default: a servesim that is started and ended]"),
    click.option(
        "--token",
        envvar="DATABRICKS_TOKEN",
        show_envvar=True,
        default=DEFAULT_TOKEN,
        show_default="that of `servesim serve`",
        help="With --url. The variable is the better place: arguments can be read by others.",
    ),
    click.option(
        "--admin-token",
        envvar="SERVESIM_ADMIN_TOKEN",
        show_envvar=True,
        default=DEFAULT_ADMIN_TOKEN,
        show_default="that of `servesim serve`",
        help="With --url, for servesim's own calls.",
    ),
    click.option("--endpoint", "-e", metavar="NAME", help="Which endpoint. [default: the only one]"),
    click.option(
        "--scenario",
        callback=_scenario,
        metavar="FILE|NAME",
        help="World of the servesim that is started: a YAML file, or a shipped one, e.g. canary-rolls-back.",
    ),
    click.option("--seed", type=click.IntRange(0), help="Of servesim's draws and of the requests that are made up."),
)
_LIMITS = (
    click.option("--max-error-rate", type=_Number(0, 1), help="Share of requests that may fail, e.g. 0.01."),
    click.option(
        "--p99", "p99_ms", metavar="SPAN", callback=_milliseconds, help="Time in which 99 % are to be answered: 300ms."
    ),
    click.option("--min-rps", type=_Number(0), help="Requests a second that are to be reached."),
)
_RESULT = (
    click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        default="servesim-load",
        show_default=True,
        metavar="DIR",
        help="Folder for report.html, run.json, junit.xml and locust.log.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the run's document as JSON, for programs."),
)
_OF_A_SPLIT = (
    click.option(
        "--detect", type=_Number(0, 100, min_open=True, max_open=True),
        help="Percentage points by which a share that is off is to be seen. [default: 2]",
    ),
    click.option(
        "--alpha", type=_Number(0, 1, min_open=True, max_open=True),
        help="Chance, at most, that a router which is right fails. [default: 0.001]",
    ),
    click.option(
        "--power", type=_Number(0, 1, min_open=True, max_open=True),
        help="Chance, at least, that a router which is off by --detect fails. [default: 0.99]",
    ),
    click.option("--floor", type=_Number(0, 50), help="Points by which a share may be off. [default: 0]"),
)  # fmt: skip
_DURATION = click.option(
    "--duration", "duration_s", metavar="SPAN", callback=_span, help="Real time for a phase at most. [default: 60s]"
)
_PAYLOAD = (
    click.option(
        "--payload",
        type=_file(),
        callback=_path,
        help="A request to send, JSON or CSV. [default: made for the model's signature]",
    ),
    click.option("--retries", type=click.IntRange(0), help="How often a 429 or 503 is sent again. [default: 0]"),
    click.option("--header", metavar="NAME", help="Of the answer: names who gave it. [default: served-model-name]"),
)
_OWN = {
    "rollout": (
        click.option("--challenger", metavar="NAME", help="The route that grows. [default: that with the least]"),
        click.option("--steps", metavar="PERCENTS", callback=_steps, help="Its shares. [default: 10,50,100]"),
        click.option(
            "--drain", "drain_s", metavar="SPAN", callback=_span, help="Left out after each switch. [default: 2s]"
        ),
        click.option(
            "--restore/--no-restore", default=None, help="Whether the split is put back in the end. [default: restore]"
        ),
    ),
    "cold_start": (click.option("--rounds", type=click.IntRange(1), help="Bursts, each from zero. [default: 2]"),),
    "retirement": (
        click.option(
            "--retiring", metavar="PATH", help="What ends: model/NAME/STAGE. [default: model/churn/Production]"
        ),
        click.option("--step", "step_s", metavar="SPAN", callback=_span, help="Before it and after. [default: 3s]"),
    ),
    "saturation": (
        click.option("--step-users", type=click.IntRange(1), help="Added a step. [default: a tenth of --users]"),
        click.option("--step", "step_s", metavar="SPAN", callback=_span, help="How long a step is. [default: 3s]"),
    ),
}


def _users(test: str) -> tuple[Decorator, ...]:
    processes = click.option(
        "--processes",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Processes that the users are spread over.",
    )
    default = {"saturation": 100}.get(test, 10)
    if test == SCRIPT:
        return (
            click.option("--users", type=click.IntRange(1), help="At a time. [default: what the file says]"),
            click.option("--spawn-rate", type=_Number(0, min_open=True), help="Users started a second."),
            processes,
        )
    return (
        click.option("--users", type=click.IntRange(1), default=default, show_default=True, help="At a time."),
        click.option(
            "--spawn-rate",
            type=_Number(0, min_open=True),
            help="Users started a second. [default: all at once]",
        ),
        processes,
        _DURATION,
        *_PAYLOAD,
    )
