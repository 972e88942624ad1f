"""``servesim wait``: until a server answers, or an endpoint of it is ready."""

from __future__ import annotations

import json
from typing import Any

import click

from servesim.delivery.admin_client import BASE, Negative, NotReached, show, url_option
from servesim.delivery.client import Answered, Target, Unreachable, call, checked_url, endpoint_path, no_answer
from servesim.delivery.defaults import DEFAULT_TOKEN
from servesim.service.clock import Stopwatch, rest
from servesim.service.settings import seconds

HEALTH = BASE + "/health"
LOOK_EVERY_S = 0.1
LONGEST_PAUSE_S = 1.0
"""Between two looks at an endpoint that stays as it is: each is a request on the server's record."""
ONE_CALL_S = 10.0


@click.command("wait", short_help="Wait until a server answers or an endpoint is ready.")
@click.option("--endpoint", "-e", metavar="NAME", help="Wait on until no update of it is in progress and it is ready.")
@click.option("--timeout", default="60s", show_default=True, help="Real time to wait at most.")
@click.option(
    "--token",
    envvar="DATABRICKS_TOKEN",
    show_envvar=True,
    default=DEFAULT_TOKEN,
    show_default="that of `servesim serve`",
    help="Token of the workspace, for --endpoint.",
)
@url_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(url: str, endpoint: str | None, timeout: str, token: str, *, as_json: bool) -> None:
    """Wait until a server answers, in a script that has just started it.

    \b
    servesim serve & servesim wait                     until it answers
    servesim wait --url http://servesim:8765           in another container
    servesim wait --endpoint fraud --timeout 5m        until the endpoint is ready

    What it waits for goes to standard error. Exit code 0: it is so, 1: the endpoint's update failed or it was not
    ready in time, 2: wrong usage, 5: no server answered in time.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are
    try:
        wait = _Wait(Target(checked_url(url), token), seconds(timeout), timeout)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--timeout") from error
    try:
        wait.for_server()
        state = wait.for_endpoint(endpoint) if endpoint else None
    except ValueError as error:  # a token that no header can hold
        raise click.UsageError(str(error)) from error
    if as_json:
        show({"url": wait.target.url, "endpoint": endpoint, "state": state, "waited_s": round(wait.watch.seconds(), 3)})
    else:
        click.echo(f"{endpoint} is ready" if endpoint else f"{wait.target.url} answers")


class _Wait:
    """One wait with its limit in real time."""

    def __init__(self, target: Target, limit_s: float, limit: str) -> None:
        self.target = target
        self.watch = Stopwatch()
        self._limit_s = limit_s
        self._limit = limit

    def for_server(self) -> None:
        """Wait until the health check is answered; raise Negative or NotReached."""
        said = False
        while True:
            reason = self._health()
            if reason is None:
                return
            if not said:
                click.echo(f"waiting for {self.target.url}{HEALTH}", err=True)
                said = True
            if self._is_over():
                raise NotReached(
                    f"asked {self.target.url} for {self._limit}; {reason}. Start `servesim serve`, or name another "
                    "server with --url."
                )

    def for_endpoint(self, endpoint: str) -> dict[str, Any]:
        """Wait until an endpoint is ready and return its state; raise Negative or NotReached."""
        seen, pause_s = None, LOOK_EVERY_S
        while True:
            state = self._state(endpoint)
            update, ready = state.get("config_update"), state.get("ready")
            if update not in {"IN_PROGRESS", "NOT_UPDATING"}:
                raise Negative(f"the update of endpoint {endpoint} ended as {update}; it is {ready}.")
            if update == "NOT_UPDATING":
                if ready == "READY":
                    return state
                raise Negative(f"endpoint {endpoint} is {ready}, and no update of it is in progress.")
            if state != seen:
                click.echo(f"waiting for endpoint {endpoint}: {ready}, update {update}", err=True)
                seen, pause_s = state, LOOK_EVERY_S
            if self._is_over(pause_s):
                raise Negative(
                    f"endpoint {endpoint} was not ready within {self._limit} of real time. Does simulated time move? "
                    "See `servesim clock now`, and `servesim clock advance 10m` where it is frozen."
                )
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _is_over(self, pause_s: float = LOOK_EVERY_S) -> bool:
        if self.watch.seconds() >= self._limit_s:
            return True
        rest(pause_s)
        return False

    def _health(self) -> str | None:
        """Return why the server is not there, None once it is; raise NotReached where waiting is of no use."""
        try:
            answered = self._get(HEALTH)
        except Unreachable as reason:
            if reason.answers:
                raise NotReached(f"asked {self.target.url}; {no_answer(reason)}.") from reason
            return no_answer(reason)
        return None if answered.well else f"its health check says {answered.status}"

    def _state(self, endpoint: str) -> dict[str, Any]:
        try:
            answered = self._get(endpoint_path(endpoint))
        except Unreachable as reason:
            raise NotReached(f"{self.target.url} answered and is gone ({reason}).") from reason
        document = answered.document
        if answered.well and isinstance(document, dict) and isinstance(document.get("state"), dict):
            state: dict[str, Any] = document["state"]
            return state
        text = document.get("message") if isinstance(document, dict) else None
        raise Negative(f"endpoint {endpoint}: answered {answered.status}: {text or json.dumps(document)[:500]}")

    def _get(self, path: str) -> Answered:
        return call(self.target, path, timeout_s=min(ONE_CALL_S, max(self._limit_s, 1.0)))
