"""Real MLflow models for the worker pool's tests, built once a session in a process of their own."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
import venv
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from servesim.models import pool as pool_module
from servesim.models.pool import WorkerKey, WorkerPool
from servesim.models.pool_nursery import Nurseries, Nursery

Shared = Callable[[str, Callable[[], Any]], Any]

_HERE = Path(__file__).parent
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def _needs(*packages: str) -> None:
    """Skip without importing: these packages warn when imported, and warnings are errors here."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


def _build(script: str, folder: Path) -> Path:
    command = [sys.executable, "-W", "ignore", str(_HERE / script), str(folder)]
    # Nothing of servesim runs in it, so nothing is measured there.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")} | _QUIET
    built = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="session")
def golden_models(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the models that the recorded pairs were recorded from."""
    _needs("mlflow", "sklearn")
    return shared("golden_models", lambda: _build("golden_models.py", tmp_path_factory.mktemp("golden_models")))


@pytest.fixture(scope="session")
def pool_models(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models that do what they're told, and `registry.db` that lists some of them."""
    _needs("mlflow")
    return shared("pool_models", lambda: _build("pool_models.py", tmp_path_factory.mktemp("pool_models")))


@pytest.fixture
def probe(pool_models: Path) -> WorkerKey:
    """The model that does what a request says."""
    return WorkerKey(str(pool_models / "probe"))


@pytest.fixture(scope="session")
def other_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another interpreter's path; it has this one's packages, but not through PYTHONPATH."""
    folder = tmp_path_factory.mktemp("other_python")
    venv.create(folder, symlinks=True)
    packages = next((folder / "lib").glob("python*/site-packages"))
    here = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "here.pth").write_text("\n".join(here), encoding="utf-8")
    return str(folder / "bin" / "python")


class _Lent:
    """Nurseries that outlive the pool which uses them: importing MLflow takes seconds."""

    def __init__(self, nurseries: Nurseries) -> None:
        self._nurseries = nurseries

    async def get(self, python: str | None = None) -> Nursery:
        return await self._nurseries.get(python)

    async def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def _workshop() -> Iterator[tuple[asyncio.Runner, _Lent]]:
    """An event loop with a nursery in it that has imported MLflow."""
    _needs("mlflow")
    with asyncio.Runner() as runner:
        nurseries = Nurseries(sys.executable, cap_s=120)
        runner.run(nurseries.get())
        yield runner, _Lent(nurseries)
        runner.run(nurseries.close())


@pytest.fixture
def with_pool(_workshop: tuple[asyncio.Runner, _Lent], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run `act(pool)` with a pool of its own, `settings` as WorkerPool takes them."""
    runner, lent = _workshop
    monkeypatch.setattr(pool_module, "Nurseries", lambda *_, **__: lent)

    def run(act: Callable[[WorkerPool], Awaitable[Any]], **settings: Any) -> Any:
        async def body() -> Any:
            pool = WorkerPool(**settings)
            try:
                return await act(pool)
            finally:
                await pool.close()

        return runner.run(body())

    return run
