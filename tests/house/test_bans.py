"""The lint rule against the machine's time and chance catches what it is meant to catch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIMULATOR = ROOT / "simulator"
CLOCK = SIMULATOR / "servesim" / "service" / "clock.py"
SOURCES = sorted(SIMULATOR.rglob("*.py"))

CAUGHT = {
    "time.time": "import time\nnow = time.time()",
    "time under an alias": "import time as t\nnow = t.monotonic()",
    "a name from time": "from time import perf_counter",
    "a name from time under an alias": "from time import sleep as rest",
    "time_ns": "import time\nnow = time.time_ns()",
    "asyncio.sleep": "import asyncio\n\nasync def wait(): await asyncio.sleep(1)",
    "asyncio.sleep by name": "from asyncio import sleep",
    "datetime.now": "from datetime import UTC, datetime\nnow = datetime.now(UTC)",
    "datetime.now under an alias": "import datetime as dt\nnow = dt.datetime.now(dt.UTC)",
    "datetime.utcnow": "import datetime\nnow = datetime.datetime.utcnow()",
    "datetime.today": "from datetime import datetime\nnow = datetime.today()",
    "date.today": "from datetime import date\ntoday = date.today()",
    "random": "import random",
    "a name from random": "from random import Random",
    "numpy.random": "import numpy as np\nrng = np.random.default_rng()",
    "secrets": "from secrets import token_hex",
    "os.urandom": "from os import urandom",
    "uuid1": "import uuid\nname = uuid.uuid1()",
    "uuid4": "from uuid import uuid4",
    "threading.Timer": "import threading\nthreading.Timer(1, print)",
    "sched": "import sched",
}

PASSES = {
    "datetime values": "from datetime import UTC, datetime\nstart = datetime(2026, 1, 5, tzinfo=UTC)",
    "an instant that was given": "from datetime import UTC, datetime\nat = datetime.fromtimestamp(0, tz=UTC)",
    "a module of that name elsewhere": "from servesim.core import draws as random",
    "asyncio events": "import asyncio\ndone = asyncio.Event()",
    "the time zone": "import time\ntime.tzset()",
    "uuid5": "import uuid\nname = uuid.uuid5(uuid.NAMESPACE_URL, 'x')",
    "threads": "import threading\nlock = threading.Lock()",
}


def is_banned(source: str, path: Path) -> bool:
    """Ask ruff, with the project's own settings, what it says of this text at this path."""
    ruff = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--no-cache",
        "--select=TID251",
        f"--stdin-filename={path}",
        "-",
    ]
    answer = subprocess.run(ruff, input=source + "\n", cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode in {0, 1}, answer.stderr
    return answer.returncode == 1


@pytest.mark.parametrize("source", CAUGHT.values(), ids=CAUGHT)
def test_time_and_chance_are_caught(source):
    assert is_banned(source, SIMULATOR / "servesim" / "models" / "worker_main.py")


@pytest.mark.parametrize("source", PASSES.values(), ids=PASSES)
def test_everything_else_passes(source):
    assert not is_banned(source, SIMULATOR / "servesim" / "core" / "sample.py")


def test_tests_are_checked_too():
    assert is_banned("import time\ntime.sleep(1)", ROOT / "tests" / "core" / "test_sample.py")


def test_the_clock_alone_is_free():
    assert not is_banned("import time\nnow = time.monotonic()", CLOCK)
    assert is_banned("import time\nnow = time.monotonic()", CLOCK.with_name("gateway.py"))


def test_the_simulation_of_routers_alone_draws_by_numpy():
    simulation = SIMULATOR / "servesim" / "verification" / "simulation.py"
    draws = "import numpy\ndraws = numpy.random.Generator(numpy.random.PCG64(1))"
    assert not is_banned(draws, simulation)
    assert is_banned(draws, simulation.with_name("plan.py"))


@pytest.mark.parametrize(
    ("source", "drawn"),
    [
        ("numpy.random.Generator(numpy.random.PCG64(seed))", {"Generator", "PCG64"}),
        ("numpy.random.default_rng()", {"default_rng"}),
        ("from numpy.random import Generator", {"from"}),
        ("import time", {"import"}),
    ],
)
def test_what_the_simulation_uses_is_seen(source, drawn):
    assert chance_and_time(source) == drawn


def test_the_simulation_of_routers_draws_from_seeds_alone():
    source = (SIMULATOR / "servesim" / "verification" / "simulation.py").read_text(encoding="utf-8")
    assert chance_and_time(source) == {"Generator", "PCG64"}
    assert not re.search(r"\bPCG64\(\)", source)


def chance_and_time(source: str) -> set[str]:
    """Name what a module takes from numpy.random, and whether it imports what else would be banned."""
    tree = ast.parse(source)
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"numpy.random", "random"}
    }
    imports = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    banned = [line for line in imports if re.search(r"\b(time|random|secrets|os|uuid|datetime)\b", line)]
    return used | {line.split()[0] for line in banned}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(SIMULATOR).as_posix())
def test_no_line_of_the_product_lifts_the_ban(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"(?m)^.*#.*(?:noqa:.*TID251|noqa\s*$|ruff:\s*noqa).*$", text) == []


# An event loop is a clock as well, but ruff doesn't know which objects are loops.
LOOP_CLOCK = {"call_at", "call_later", "time", "timeout", "timeout_at", "wait_for"}

# What is loaded, scored or ended for real has a cap in real seconds; past it, the outcome is a failure.
REAL_CAPS = {
    "servesim/delivery/lines.py": "lines of the request log that are written together",
    "servesim/http/rim.py": "how long a connection may be idle",
    "servesim/models/host.py": "scoring in a thread",
    "servesim/models/pool_nursery.py": "starting and ending the process that forks workers",
    "servesim/models/pool_process.py": "loading and scoring in a worker, and its end",
    "servesim/service/clock.py": "the one module that knows real time",
}


def loop_clock_calls(source: str) -> list[int]:
    """List the lines that read a loop's clock or set a loop's timer."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    methods = [(call, call.func.attr) for call in calls if isinstance(call.func, ast.Attribute)]
    return [call.lineno for call, name in methods if name in LOOP_CLOCK and (name != "time" or not call.args)]


@pytest.mark.parametrize(
    "call",
    [
        "loop.time()",
        "asyncio.get_running_loop().call_later(1, f)",
        "loop.call_at(2, f)",
        "asyncio.timeout(3)",
    ],
)
def test_clocks_of_event_loops_are_caught(call):
    assert loop_clock_calls(call) == [1]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(SIMULATOR).as_posix())
def test_a_loop_s_clock_is_for_caps_alone(path):
    calls = loop_clock_calls(path.read_text(encoding="utf-8"))
    assert bool(calls) == (path.relative_to(SIMULATOR).as_posix() in REAL_CAPS), calls
