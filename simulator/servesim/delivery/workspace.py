"""``servesim workspace``: further workspaces of a running server."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from servesim.core.profile import PROFILES
from servesim.delivery.admin_client import admin_options, columns, inside, show
from servesim.service.clock import MODES
from servesim.service.documents import DocumentError, plain, read_document

if TYPE_CHECKING:
    from servesim.delivery.admin_client import AdminClient


@click.group("workspace", no_args_is_help=True)
def command() -> None:
    """Make, list, reset and remove workspaces of a running server.

    \b
    servesim workspace new tests --clock frozen  prints lines that point clients at it
    eval "$(servesim workspace new)"             and so they are in this shell
    servesim workspace list
    servesim workspace reset tests               back to how it began; its tokens stay
    servesim workspace remove tests

    Each workspace has endpoints, models, principals and a clock of its own; its token tells it apart. Exit code
    0: done, 1: refused, 2: wrong usage, 5: no server was reached.
    """  # noqa: D301 - click wants the character itself to leave the lines below it as they are


@command.command("new", short_help="Make one and print the lines that point clients at it.")
@click.argument("name", required=False)
@click.option("--scenario", metavar="FILE", help="World to begin with (YAML); options given here win.")
@click.option("--clock", type=click.Choice(MODES), help="How its time moves.  [default: autojump]")
@click.option("--rate", type=float, help="Simulated seconds a real second, with --clock paced.  [default: 1]")
@click.option("--seed", type=int, help="Seed of every draw.  [default: 0]")
@click.option("--start-time", "start", metavar="ISO", help="Simulated instant to begin at.")
@click.option("--profile", metavar="NAME", help="Durations and limits: faithful, instant.  [default: faithful]")
@click.option("--unknown-models", type=click.Choice(["reject", "stub"]), help="What a create with one gets.")
@click.option("--port", type=click.IntRange(0, 65535), help="A port of its own, 0 for a free one.")
@click.option("--user", "users", multiple=True, metavar="EMAIL", help="Who is in it, an administrator; repeatable.")
@admin_options(workspace=False)
def new(client: AdminClient, name: str | None, users: tuple[str, ...], *, as_json: bool, **options: Any) -> None:
    """Make a workspace, NAME or a free name, and print the lines that point clients at it."""
    path = options.pop("scenario")
    try:
        content = _read(path) if path else {}
    except DocumentError as error:
        raise click.BadParameter(str(error), param_hint="--scenario") from error
    content |= {key: value for key, value in options.items() if value is not None}
    content |= {"workspace": name} if name else {}
    if users:
        content["principals"] = [*content.get("principals", ()), *({"user": user, "admin": True} for user in users)]
    made = client.post("/workspaces", content)
    if as_json:
        show(made)
        return
    click.echo(f"workspace {made['name']}", err=True)
    _print_exports(client, made)


def _read(path: str) -> dict[str, Any]:
    """Read a scenario; files that it names beside itself are named in full, for a server that runs elsewhere."""
    document = read_document(path, "scenario")
    content = dict(document.content or {})
    folder = document.path.resolve().parent
    if isinstance(content.get("profile"), str) and content["profile"] not in PROFILES:
        content["profile"] = str(folder / content["profile"])
    if "models" in content:
        content["models"] = [
            {**model, "mlflow": str(folder / model["mlflow"])} if "mlflow" in model else model
            for model in content["models"]
        ]
    return content


def _print_exports(client: AdminClient, made: dict[str, Any]) -> None:
    tokens = list(made["tokens"].items())
    # A workspace with a port of its own is called there; the others where this command called the server.
    click.echo(f"export DATABRICKS_HOST={shlex.quote(made['url'] if made.get('port') else client.url)}")
    for number, (principal, token) in enumerate(tokens):
        line = f"export DATABRICKS_TOKEN={shlex.quote(token)}"
        click.echo(line if number == 0 else f"# {plain(principal)}: {line}")
    click.echo(f"export SERVESIM_WORKSPACE={shlex.quote(made['name'])}")


@command.command("list")
@admin_options(workspace=False)
def list_all(client: AdminClient, *, as_json: bool) -> None:
    """List the workspaces of a server."""
    found = client.get("/workspaces")
    if as_json:
        show(found)
        return
    rows = [
        (one["name"], one["now"], one["mode"], len(one["endpoints"]), one["requests"], ", ".join(one["principals"]))
        for one in found["workspaces"]
    ]
    for line in columns(("NAME", "NOW", "CLOCK", "ENDPOINTS", "REQUESTS", "PRINCIPALS"), rows):
        click.echo(line)


@command.command("reset", short_help="Take one back to how it began.")
@click.argument("name")
@admin_options(workspace=False)
def reset(client: AdminClient, name: str, *, as_json: bool) -> None:
    """Take workspace NAME back to how it began; its tokens stay valid, what it holds is refused."""
    found = client.post(inside(name, "/reset"))
    if as_json:
        show(found)
    else:
        click.echo(f"workspace {name} begins again at {found['now']}")


@command.command("remove", short_help="Remove one with its tokens.")
@click.argument("name")
@admin_options(workspace=False)
def remove(client: AdminClient, name: str, *, as_json: bool) -> None:
    """Remove workspace NAME with its tokens."""
    found = client.delete(inside(name))
    if as_json:
        show(found)
    else:
        click.echo(f"workspace {name} is gone")
