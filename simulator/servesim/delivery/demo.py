"""``servesim demo``: two real models through a working day of an endpoint, each step checked."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from servesim.delivery.extras import MissingExtra, needs

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES = ("databricks.sdk", "mlflow", "sqlalchemy", "sklearn")
_LOOPBACK = "127.0.0.1,localhost"
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "GIT_PYTHON_REFRESH": "quiet",
}


@click.command("demo")
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR", help="Keep models and registry in this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the steps and the timeline as JSON.")
def command(keep: Path | None, *, as_json: bool) -> None:
    """Watch an endpoint live through a working day, in seconds.

    Trains two scikit-learn models, registers them with MLflow, and has the unmodified databricks-sdk create
    an endpoint, query it in every format, move its traffic, wake it from zero, fail an update and delete it.
    Every step is checked. Nothing leaves this machine.

    Exit code 0: every step held, 1: one did not, 2: wrong usage.
    """
    try:
        _require_extras()
    except MissingExtra as missing:
        raise click.ClickException(str(missing)) from missing
    with _folder(keep) as folder, _undisturbed():
        from servesim.delivery.demo_run import run  # noqa: PLC0415 - slow to import, and --help needs none of it

        held = run(folder, keep=keep is not None, as_json=as_json)
    sys.exit(0 if held else 1)


def _require_extras() -> None:
    with needs("mlflow,clients"):
        for name in _PACKAGES:
            if importlib.util.find_spec(name) is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Give a folder for the models: one that is removed at the end, or a new one that stays."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="servesim-demo-") as name:
            yield Path(name).resolve()
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        used = any(keep.iterdir())
    except OSError as error:
        raise click.BadParameter(
            f"{keep} is not a folder to write to: {error.strerror}", param_hint="--keep"
        ) from error
    if used:
        raise click.BadParameter(f"{keep} is not empty; name a new folder", param_hint="--keep")
    yield keep.resolve()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep what this shell says to clients, proxies and MLflow out; it is as before at the end."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("DATABRICKS_", "MLFLOW_")):
            del os.environ[name]
    os.environ.update(_QUIET, NO_PROXY=_LOOPBACK, no_proxy=_LOOPBACK)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
