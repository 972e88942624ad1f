"""Which models have a signature: by their ``MLmodel`` files, or by a running servesim."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from servesim.delivery.admin_client import AdminClient, inside
from servesim.delivery.defaults import DEFAULT_ADMIN_TOKEN
from servesim.delivery.migration.scan_files import MODEL_FILE, Walk
from servesim.service import bounded_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_OF_URL = "For --url."
_MOST_BYTES = 1024 * 1024


def signature_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``signatures``, to be called: whether models have one, by their names."""

    @functools.wraps(function)
    def run(models: tuple[str, ...], url: str | None, admin_token: str, workspace: str, **options: Any) -> None:
        def signatures() -> dict[str, bool]:
            asked = [] if url is None else AdminClient(url, admin_token).get(inside(workspace, "/models"))["models"]
            try:
                return {**of_rows(asked), **of_options(models)}
            except NoModel as error:
                raise click.BadParameter(str(error), param_hint="--models") from error

        function(signatures=signatures, **options)

    command: Callable[..., None] = run
    for option in (
        click.option("-w", "--workspace", envvar="SERVESIM_WORKSPACE", default="default", metavar="NAME", help=_OF_URL),
        click.option(
            "--admin-token", envvar="SERVESIM_ADMIN_TOKEN", default=DEFAULT_ADMIN_TOKEN, metavar="TOKEN", help=_OF_URL
        ),
        click.option("--url", metavar="URL", help="A running servesim to ask which models have a signature."),
        click.option(
            "--models",
            multiple=True,
            metavar="[NAME=]FOLDER",
            help="Models, some maybe without signature: a folder with MLmodel files in or below it; repeatable.",
        ),
    ):
        command = option(command)
    return command


class NoModel(ValueError):  # noqa: N818 - named for what is so
    """What was named as a model is none; the text says why."""


def of_files(files: Iterable[Path]) -> dict[str, bool]:
    """Return whether models have a signature, by the names of their folders; one that cannot be read is left out."""
    known: dict[str, bool] = {}
    for file in files:
        found = _has_signature(file)
        if found is not None:
            name = file.resolve().parent.name
            known[name] = known.get(name, True) and found
    return known


def of_options(given: Sequence[str]) -> dict[str, bool]:
    """Return the same for ``NAME=FOLDER``, or for a folder of models; raise NoModel."""
    known: dict[str, bool] = {}
    for one in given:
        name, is_named, folder = one.partition("=")
        path = Path(folder if is_named else name)
        if not path.is_dir():
            raise NoModel(f"{str(path)!r} is no folder; give a folder that mlflow.save_model wrote, or one of such.")
        files = [path / MODEL_FILE] if is_named else Walk([path]).models
        found = of_files(files)
        if not found:
            raise NoModel(f"{str(path)!r} holds no {MODEL_FILE} file that can be read, so it is no folder of models.")
        known |= dict.fromkeys([name], all(found.values())) if is_named else found
    return known


def of_rows(rows: Iterable[dict[str, Any]]) -> dict[str, bool]:
    """Return the same for the models of a running servesim, by their names and the last parts of these."""
    known: dict[str, bool] = {}
    for row in rows:
        if row["kind"] is not None:
            for name in {row["name"], row["name"].rpartition(".")[2]}:
                known[name] = known.get(name, True) and row["signature"] is not None
    return known


def _has_signature(file: Path) -> bool | None:
    if not file.is_file():  # a pipe by that name would never end
        return None
    try:
        with file.open("rb") as stream:
            document = bounded_yaml.read(stream.read(_MOST_BYTES).decode())
    except (OSError, ValueError):
        return None
    return bool(document.get("signature")) if isinstance(document, dict) else None
