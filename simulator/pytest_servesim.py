"""The pytest plugin: ``servesim_server``, ``servesim`` and ``servesim_env``.

It imports pytest alone; everything else comes when a fixture is used, so it costs nothing where it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servesim.delivery.handle import LocalServer, Servesim
    from servesim.delivery.notebook import Environment

_NOT_SIMULATED: pytest.StashKey[dict[str, int]] = pytest.StashKey()
_UNUSED: pytest.StashKey[dict[str, int]] = pytest.StashKey()
"""Faults that struck nothing, each with its test."""
_MODES = ("autojump", "frozen", "paced")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the defaults of every workspace."""
    group = parser.getgroup("servesim", "Databricks Model Serving, simulated")
    group.addoption("--servesim-seed", type=int, default=0, help="seed of every workspace (default: 0)")
    group.addoption("--servesim-clock", choices=_MODES, default="autojump", help="how simulated time moves")
    group.addoption("--servesim-profile", default="faithful", help="durations and limits: faithful or instant")
    group.addoption(
        "--servesim-validate-responses", action="store_true", help="fail tests that got an answer off the contracts"
    )
    group.addoption(
        "--servesim-strict-evidence", action="store_true", help="fail tests that got an answer that servesim chose"
    )
    group.addoption(
        "--servesim-strict-faults", action="store_true", help="fail tests that ordered a fault that struck nothing"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.stash[_NOT_SIMULATED] = {}
    config.stash[_UNUSED] = {}
    config.addinivalue_line(
        "markers",
        "servesim(scenario=, clock=, rate=, poll=, start=, seed=, profile=, limits=, unknown_models=, "
        "mlflow_registry=, model_root=, private_libraries=, internet=, hold_timeout=, model_serving=, token_lifetime=, "
        "validate_responses=, strict_evidence=, strict_faults=, answers=, dates=, sunset_headers=, "
        "serverless_preview=): how the workspace of this test begins, "
        "how its time moves, and what fails it",
    )


@pytest.fixture(scope="session")
def servesim_server() -> Iterator[LocalServer]:
    """One servesim server on a loopback port for the whole session."""
    from servesim.delivery.handle import LocalServer  # noqa: PLC0415 - only when used

    with LocalServer() as server:
        yield server


@pytest.fixture
def servesim(servesim_server: LocalServer, request: pytest.FixtureRequest) -> Iterator[Servesim]:
    """Give a fresh workspace with ``.host``, ``.token``, ``.client()``, ``.clock`` and ``.models``."""
    try:
        handle = servesim_server.open(**_options(request))
    except ValueError as error:
        pytest.fail(str(error), pytrace=False)
    yield handle
    seen = request.config.stash[_NOT_SIMULATED]
    for call, count in handle.not_simulated.items():
        seen[call] = seen.get(call, 0) + count
    if handle.workspace.world.faults.orders:  # most tests order none
        told = request.config.stash[_UNUSED]
        told.update({f"{request.node.nodeid}  {words}": 1 for words in handle.faults.unused()})
    from servesim.delivery.complaints import BadAnswers  # noqa: PLC0415 - only when used

    try:
        handle.close()
    except BadAnswers as bad:
        pytest.fail(str(bad), pytrace=False)


@pytest.fixture
def servesim_env(servesim: Servesim, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Environment]:
    """Give what sets the variables of clients until the test ends, those of a serverless notebook if you name one."""

    def sets(serverless_environment: int | str | None = None, cpu_arch: str | None = None) -> Environment:
        variables = servesim.env(serverless_environment, cpu_arch)
        for name, value in variables.changes().items():
            if value is None:
                monkeypatch.delenv(name)
            else:
                monkeypatch.setenv(name, value)
        return variables

    return sets


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    options = {name: request.config.getoption(f"--servesim-{name}") for name in ("seed", "clock", "profile")}
    for name in ("validate_responses", "strict_evidence", "strict_faults"):
        if request.config.getoption(f"--servesim-{name.replace('_', '-')}"):
            options[name] = True
    # The nearest marker wins: function before class before module.
    for marker in reversed(list(request.node.iter_markers("servesim"))):
        options |= marker.kwargs
    return options


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand a worker's calls to the process that prints the summary (pytest-xdist)."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["servesim_not_simulated"] = session.config.stash[_NOT_SIMULATED]
        output["servesim_unused_faults"] = session.config.stash[_UNUSED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001 - the names are pytest-xdist's
    """Add up what the workers of pytest-xdist have seen."""
    seen = node.config.stash[_NOT_SIMULATED]
    for call, count in getattr(node, "workeroutput", {}).get("servesim_not_simulated", {}).items():
        seen[call] = seen.get(call, 0) + count
    node.config.stash[_UNUSED].update(getattr(node, "workeroutput", {}).get("servesim_unused_faults", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the calls that servesim does not simulate, and the faults that struck nothing."""
    seen = config.stash[_NOT_SIMULATED]
    if seen:
        terminalreporter.section("servesim: calls that are not simulated (answered 501)")
        for call, count in sorted(seen.items()):
            terminalreporter.line(f"{count:5}  {call}")
    if unused := config.stash[_UNUSED]:
        terminalreporter.section("servesim: faults that struck nothing")
        for line in sorted(unused):
            terminalreporter.line(line)
