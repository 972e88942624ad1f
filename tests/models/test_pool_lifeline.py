"""No worker outlives the server, however it ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.mlflow,
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for strangers' ends by pidfd"),
]

_PATIENCE_MS = 10_000


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


def _ends(descriptor: int) -> bool:
    """Whether the process behind a pidfd ends in time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(_PATIENCE_MS))


@pytest.fixture
def server(pool_models: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with a pool of three workers, two of them busy for ever."""
    script = Path(__file__).with_name("pool_server.py")
    command = [sys.executable, str(script), str(pool_models / "probe")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        yield process
        process.kill()


def _processes(server: subprocess.Popen[str]) -> list[int]:
    """The nursery and its workers, as pidfds: these can't be mistaken for later processes."""
    assert server.stdout is not None
    workers = [int(word) for word in server.stdout.readline().split()]
    assert len(workers) == 3
    return [os.pidfd_open(process) for process in (_parent(workers[0]), *workers)]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_all_end_with_the_server(server: subprocess.Popen[str], how: signal.Signals) -> None:
    descriptors = _processes(server)
    server.send_signal(how)
    assert all(_ends(descriptor) for descriptor in descriptors)
    for descriptor in descriptors:
        os.close(descriptor)


def test_workers_end_when_the_nursery_is_killed(server: subprocess.Popen[str]) -> None:
    nursery, *workers = _processes(server)
    signal.pidfd_send_signal(nursery, signal.SIGKILL)
    assert all(_ends(descriptor) for descriptor in workers)
    for descriptor in (nursery, *workers):
        os.close(descriptor)


def test_ctrl_c_in_the_terminal_is_the_servers_alone(server: subprocess.Popen[str]) -> None:
    descriptors = _processes(server)
    for descriptor in descriptors:
        signal.pidfd_send_signal(descriptor, signal.SIGINT)
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    assert poll.poll(200) == []
    for descriptor in descriptors:
        os.close(descriptor)
