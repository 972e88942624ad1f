"""What the pool reads from MLflow registries."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from servesim.models.pool import (
    Answer,
    Loaded,
    LoadFailed,
    ReadFailed,
    RegistryVersion,
    WorkerKey,
    WorkerPool,
)

pytestmark = pytest.mark.mlflow

WithPool = Callable[..., Any]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_registrys_versions(with_pool: WithPool, pool_models: Path) -> None:
    uri = f"sqlite:///{pool_models}/registry.db"
    before = files(pool_models)
    versions = with_pool(lambda pool: pool.list_registry(uri))
    assert not isinstance(versions, ReadFailed)
    assert [(version.name, version.version, version.aliases) for version in versions] == [
        ("fraud", "1", ("champion",)),
        ("fraud", "2", ()),
        ("fraud", "3", ()),
    ]
    first, _, removed = versions
    assert first.contents is not None
    assert first.contents.path == str(pool_models / "probe")
    assert set(first.contents.texts) == {"MLmodel", "conda.yaml", "requirements.txt"}
    assert (first.stage, first.tags, first.description) == ("Production", (("team", "risk"),), "the first one")
    assert (first.status, first.reason) == ("READY", None)
    assert removed.contents is None
    assert removed.reason == f"FileNotFoundError: there is no model folder at {pool_models / 'removed'}"
    assert files(pool_models) == before


def test_one_version_is_found(with_pool: WithPool, pool_models: Path) -> None:
    uri = f"sqlite:///{pool_models}/registry.db"

    async def act(pool: WorkerPool) -> list[RegistryVersion | ReadFailed]:
        return [await pool.find(uri, "fraud", version) for version in ("1", "9")]

    found, missing = with_pool(act)
    assert isinstance(found, RegistryVersion)
    assert found.aliases == ("champion",)
    assert isinstance(missing, ReadFailed)
    assert missing.code == "RESOURCE_DOES_NOT_EXIST"


def test_a_registered_model_is_loaded_by_version_or_alias(with_pool: WithPool, pool_models: Path) -> None:
    uri = f"sqlite:///{pool_models}/registry.db"
    before = files(pool_models)

    async def act(pool: WorkerPool) -> list[object]:
        keys = [WorkerKey(f"models:/fraud{reference}", uri) for reference in ("/1", "@champion", "/2", "/9")]
        return [await pool.load(key) for key in keys]

    first, champion, refuses, missing = with_pool(act)
    assert isinstance(first, Loaded)
    assert champion == first
    assert isinstance(refuses, LoadFailed)
    assert refuses.reason == "RuntimeError: no weights here"
    assert isinstance(missing, LoadFailed)
    assert missing.reason == "MlflowException: Model Version (name=fraud, version=9) not found"
    assert files(pool_models) == before


def test_another_interpreter_is_told_where_a_registered_model_lies(
    with_pool: WithPool, pool_models: Path, other_python: str
) -> None:
    uri = f"sqlite:///{pool_models}/registry.db"

    async def act(pool: WorkerPool) -> list[object]:
        references = ("@champion", "@nobody")
        return [await pool.load(WorkerKey(f"models:/fraud{name}", uri, python=other_python)) for name in references]

    found, missing = with_pool(act)
    assert isinstance(found, Loaded)
    assert isinstance(missing, LoadFailed)
    assert missing.reason.startswith("MlflowException: ")


def test_a_server_that_does_not_answer_gives_the_reason(with_pool: WithPool) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{unused.getsockname()[1]}"
        outcome = with_pool(lambda pool: pool.list_registry(uri))
    assert isinstance(outcome, ReadFailed)
    assert "onnection refused" in outcome.reason


def test_a_registry_that_is_none_is_not_created(with_pool: WithPool, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to be read as one" * 40, encoding="utf-8")

    async def act(pool: WorkerPool) -> list[object]:
        names = ("missing.db", "text.db")
        return [await pool.list_registry(f"sqlite:///{tmp_path}/{name}") for name in names]

    missing, text = with_pool(act)
    assert isinstance(missing, ReadFailed)
    assert "there is no MLflow registry at " in missing.reason
    assert isinstance(text, ReadFailed)
    assert "file is not a database" in text.reason + text.log
    assert not (tmp_path / "missing.db").exists()


def test_scoring_writes_nothing_beside_the_server(
    with_pool: WithPool, pool_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    key = WorkerKey(str(pool_models / "probe"))
    answer = with_pool(lambda pool: pool.score(key, b'{"inputs": ["echo x"]}', "application/json"))
    assert isinstance(answer, Answer)
    assert list(tmp_path.iterdir()) == []
