"""Models in worker processes: loading, environments, what they print, other interpreters."""

from __future__ import annotations

import json
import sys
import venv
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from servesim.models.answer import Answer
from servesim.models.pool import (
    Loaded,
    LoadFailed,
    Outcome,
    TimedOut,
    WorkerKey,
    WorkerPool,
)
from servesim.models.pool_nursery import environment

pytestmark = pytest.mark.mlflow

WithPool = Callable[..., Any]

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def do(pool: WorkerPool, key: WorkerKey, deed: str) -> Awaitable[Outcome]:
    """Have the probe do something."""
    body = json.dumps({"inputs": [deed]}).encode()
    return pool.score(key, body, "application/json")


def said(outcome: Outcome) -> Any:
    """The prediction for the one row."""
    assert isinstance(outcome, Answer), outcome
    assert outcome.status == 200, outcome
    return json.loads(outcome.body)["predictions"][0]


def command_of(process: int) -> str:
    """The program that a process was started as."""
    return Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8").split("\0")[0]


def test_a_model_is_loaded_by_its_path(with_pool: WithPool, pool_models: Path) -> None:
    async def act(pool: WorkerPool) -> Loaded | LoadFailed:
        return await pool.load(WorkerKey(str(pool_models / "demanding")))

    outcome = with_pool(act)
    assert isinstance(outcome, Loaded)
    assert outcome.input_example is not None
    assert json.loads(outcome.input_example) == {"inputs": ["echo hello"]}
    assert outcome.inputs is not None
    assert json.loads(outcome.inputs)[0]["type"] == "string"


def test_version_differences_stand_in_the_build_log(with_pool: WithPool, pool_models: Path) -> None:
    async def act(pool: WorkerPool) -> Loaded | LoadFailed:
        return await pool.load(WorkerKey(str(pool_models / "demanding")))

    outcome = with_pool(act)
    assert isinstance(outcome, Loaded)
    header, numpy, missing = outcome.build_log
    assert header.startswith(f"Python {sys.version_info.major}.{sys.version_info.minor}")
    assert numpy.startswith("numpy: the model requires numpy==1.0.0, the interpreter has ")
    assert missing == (
        "a-package-that-nobody-has: the model requires a-package-that-nobody-has>=2, the interpreter has none"
    )


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("refuses", "RuntimeError: no weights here"),
        ("needs", "ModuleNotFoundError: No module named 'a_package_that_nobody_has'"),
        ("leaves", "the process that loaded the model ended with exit status 9"),
        ("nowhere", "FileNotFoundError: there is no model folder at "),
        (".", 'MlflowException: Could not find an "MLmodel" configuration file at '),
    ],
)
def test_a_failed_load_gives_the_real_reason(with_pool: WithPool, pool_models: Path, model: str, reason: str) -> None:
    key = WorkerKey(str(pool_models / model))
    outcome = with_pool(lambda pool: pool.load(key))
    assert isinstance(outcome, LoadFailed)
    assert outcome.reason.startswith(reason)
    assert "\n" not in outcome.reason


def test_a_failed_load_has_the_traceback_and_the_output(with_pool: WithPool, pool_models: Path) -> None:
    key = WorkerKey(str(pool_models / "refuses"))

    async def act(pool: WorkerPool) -> tuple[Loaded | LoadFailed, str]:
        return await pool.load(key), pool.output(key)

    outcome, printed = with_pool(act)
    assert isinstance(outcome, LoadFailed)
    assert "in load_context" in outcome.log
    assert "and more lines" in outcome.log
    assert printed.startswith("about to refuse\n")


def test_scoring_a_model_that_cannot_be_loaded_gives_that_reason(with_pool: WithPool, pool_models: Path) -> None:
    key = WorkerKey(str(pool_models / "needs"))
    outcome = with_pool(lambda pool: do(pool, key, "echo x"))
    assert isinstance(outcome, LoadFailed)


def test_a_load_past_its_cap_is_a_failure(with_pool: WithPool, pool_models: Path) -> None:
    key = WorkerKey(str(pool_models / "hangs"))

    async def act(pool: WorkerPool) -> Loaded | LoadFailed:
        return await pool.load(key)

    assert with_pool(act, load_cap_s=0.3) == LoadFailed("loading took longer than 0.3 s", "")


def test_environment_variables_are_set(with_pool: WithPool, probe: WorkerKey) -> None:
    key = WorkerKey(probe.source, environment=(("GREETING", "hällo"), ("TZ", "UTC")))

    async def act(pool: WorkerPool) -> list[Any]:
        return [said(await do(pool, key, f"environment {name}")) for name in ("GREETING", "TZ")]

    assert with_pool(act) == ["hällo", "UTC"]


def test_the_servers_own_variables_stay_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "x")
    monkeypatch.setenv("PYTHONPATH", "here")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    own, other = environment(sys.executable), environment("/other/python")
    assert not {"DATABRICKS_TOKEN", "PYTHONWARNINGS"} & own.keys()
    assert own["PYTHONPATH"] == "here"
    assert "PYTHONPATH" not in other
    assert other["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_keys_with_other_variables_have_other_workers(with_pool: WithPool, probe: WorkerKey) -> None:
    other = WorkerKey(probe.source, environment=(("A", "1"),))

    async def act(pool: WorkerPool) -> set[Any]:
        return {said(await do(pool, key, "pid")) for key in (probe, other, probe)}

    assert len(with_pool(act)) == 2


def test_what_is_printed_is_there_with_the_answer(with_pool: WithPool, probe: WorkerKey) -> None:
    async def act(pool: WorkerPool) -> str:
        await do(pool, probe, "print one")
        await do(pool, probe, "complain two")
        return pool.output(probe)

    assert with_pool(act) == "probe loaded\nonetwo\n"


def test_output_is_bounded_and_its_end_is_kept(with_pool: WithPool, probe: WorkerKey) -> None:
    async def act(pool: WorkerPool) -> tuple[Outcome, str]:
        await pool.load(probe)
        return await do(pool, probe, "endless_line"), pool.output(probe)

    outcome, printed = with_pool(act, score_cap_s=0.3, output_bytes=1000)
    assert outcome == TimedOut(0.3)
    assert printed == "x" * 1000


def test_output_outlives_the_worker(with_pool: WithPool, probe: WorkerKey) -> None:
    async def act(pool: WorkerPool) -> str:
        await do(pool, probe, "print last words")
        await do(pool, probe, "kill")
        return pool.output(probe)

    assert with_pool(act).endswith("last words")


def test_workers_draw_alike(with_pool: WithPool, probe: WorkerKey) -> None:
    other = WorkerKey(probe.source, environment=(("A", "1"),))

    async def act(pool: WorkerPool) -> list[Any]:
        return [said(await do(pool, key, "draws")) for key in (probe, other)]

    first, second = with_pool(act)
    assert first == second


def test_large_answers_come_whole(with_pool: WithPool, probe: WorkerKey) -> None:
    size = 5 * 1024 * 1024

    async def act(pool: WorkerPool) -> Outcome:
        return await do(pool, probe, f"big {size}")

    assert len(said(with_pool(act))) == size


def test_relative_paths_start_in_the_servers_folder(
    with_pool: WithPool, pool_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pool_models)
    key = WorkerKey("probe")

    async def act(pool: WorkerPool) -> Outcome:
        return await do(pool, key, "folder")

    assert said(with_pool(act)) == str(pool_models)


@needs_linux
def test_another_interpreter_runs_the_model(with_pool: WithPool, probe: WorkerKey, other_python: str) -> None:
    key = WorkerKey(probe.source, python=other_python)

    async def act(pool: WorkerPool) -> tuple[Any, str]:
        process = said(await do(pool, key, "pid"))
        return said(await do(pool, key, "echo hello")), command_of(process)

    assert with_pool(act) == ("hello", other_python)


def test_an_interpreter_without_mlflow_is_named(with_pool: WithPool, probe: WorkerKey, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    bare = str(tmp_path / "bare" / "bin" / "python")
    outcome = with_pool(lambda pool: pool.load(WorkerKey(probe.source, python=bare)))
    assert isinstance(outcome, LoadFailed)
    assert outcome.reason == f"the interpreter {bare} has no mlflow: install mlflow there"


@pytest.mark.parametrize(
    ("python", "reason"),
    [
        ("/nowhere/python", "the interpreter /nowhere/python can't be started: No such file or directory"),
        ("/bin/true", "the interpreter /bin/true ended with exit status 0 before MLflow was imported"),
    ],
)
def test_an_interpreter_that_is_none_is_named(with_pool: WithPool, probe: WorkerKey, python: str, reason: str) -> None:
    outcome = with_pool(lambda pool: pool.load(WorkerKey(probe.source, python=python)))
    assert isinstance(outcome, LoadFailed)
    assert outcome.reason.startswith(reason)


def test_windows_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(RuntimeError, match="can't: use WSL"):
        WorkerPool()
