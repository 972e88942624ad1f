"""The distributions are complete: each is installed without extras into an empty environment, and used.

Run by tox's `package` environment, which brings `build` and hatchling.
"""

import json
import re
import signal
import subprocess
import sys
import tarfile
import urllib.request
import venv
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.package

ROOT = Path(__file__).parents[2]
DATA = [name for name in ("contracts", "loadtests", "scenarios") if any((ROOT / name).rglob("*.*"))]
TOKEN = "dapi-package-check"

# What a plain import may cost: none of these, which are slow or start something.
HEAVY = {"aiohttp", "asyncio", "click", "databricks", "mlflow", "numpy", "pandas", "rich", "yaml"}


def run(*command, **options):
    """Run a command that has to succeed; return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def built(kind, source, target):
    """Build one distribution with the backend of this environment."""
    run(sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", target, source)
    (path,) = target.iterdir()
    return path


@pytest.fixture(scope="session")
def sdist(tmp_path_factory):
    return built("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def wheels(sdist, tmp_path_factory):
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (source,) = unpacked.iterdir()
    return {
        "checkout": built("wheel", ROOT, tmp_path_factory.mktemp("wheel")),
        "sdist": built("wheel", source, tmp_path_factory.mktemp("wheel-from-sdist")),
    }


@pytest.fixture(scope="session", params=["checkout", "sdist"])
def installed(request, wheels, tmp_path_factory):
    """Install one wheel into an empty environment; yield its commands and a directory with nothing in it."""
    home = tmp_path_factory.mktemp(f"venv-{request.param}")
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", wheels[request.param])
    away = tmp_path_factory.mktemp("away")
    return SimpleNamespace(python=python, servesim=home / "bin" / "servesim", away=away)


def contents(wheel):
    """Map the name of each file in a wheel to its bytes, without the wheel's own records."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}


def test_both_wheels_hold_the_same_files(wheels):
    assert contents(wheels["checkout"]) == contents(wheels["sdist"])


def test_the_wheel_holds_the_whole_source(wheels):
    source = ROOT / "simulator"
    expected = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = {name for name in contents(wheels["checkout"]) if not name.startswith("servesim/_data/")}
    assert shipped == expected
    assert {"pytest_servesim.py", "servesim/py.typed"} <= shipped


@pytest.mark.parametrize("folder", DATA)
def test_the_wheel_holds_the_data(wheels, folder):
    source = ROOT / folder
    expected = {
        f"servesim/_data/{folder}/{path.relative_to(source).as_posix()}"
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected
    assert expected <= contents(wheels["checkout"]).keys()


def test_the_sdist_holds_what_a_packager_needs(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "tox.ini", "tests/package/test_wheel.py"} <= names


def test_requirements_are_satisfied(installed):
    run(installed.python, "-m", "pip", "check")


def test_version_is_that_of_the_metadata(installed):
    metadata = "import importlib.metadata; print(importlib.metadata.version('servesim'))"
    version = run(installed.python, "-c", metadata).strip()
    assert version in run(installed.servesim, "--version", cwd=installed.away)


def heavy_modules(python, statement, **options):
    """Name the modules of HEAVY that a statement imports in a fresh interpreter, unless pytest does too."""
    before = "try:\n    import pytest\nexcept ImportError:\n    pass\nimport sys\nbefore = set(sys.modules)"
    probe = f"{before}\n{statement}\nprint(*(set(sys.modules) - before))"
    brought = run(python, "-c", probe, **options).split()
    return {name.partition(".")[0] for name in brought} & HEAVY


def test_import_brings_nothing_heavy(installed):
    assert heavy_modules(installed.python, "import servesim", cwd=installed.away) == set()


GUEST = """
import sys

def test_plain():
    assert not {heavy} & set(sys.modules)
"""


def test_plugin_is_a_guest_that_costs_nothing(installed, tmp_path):
    """Run another project's tests with the plugin loaded and not used; it has a folder `simulator` too."""
    run(installed.python, "-m", "pip", "install", "--quiet", "pytest")
    assert heavy_modules(installed.python, "import pytest_servesim", cwd=tmp_path) == set()
    (tmp_path / "simulator").mkdir()
    (tmp_path / "simulator" / "__init__.py").touch()
    (tmp_path / "test_guest.py").write_text(GUEST.format(heavy=HEAVY), encoding="utf-8")
    printed = run(installed.python, "-m", "pytest", "-W", "error", tmp_path, cwd=tmp_path)
    assert re.search(r"plugins:.*servesim-", printed)
    assert "1 passed" in printed


def test_server_answers_and_stops(installed):
    """Start a server on a free port, ask it for its endpoints, end it as Ctrl-C would."""
    command = [installed.servesim, "serve", "--port", "0", "--token", TOKEN]
    with subprocess.Popen(command, cwd=installed.away, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = first_address(server.stdout)
            request = urllib.request.Request(
                f"{address}/api/2.0/serving-endpoints", headers={"Authorization": f"Bearer {TOKEN}"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                body = json.load(answer)
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=30)
        finally:
            server.kill()
    assert isinstance(body.get("endpoints", []), list)
    assert server.returncode == 0


def first_address(lines):
    """Read up to the line that names the server's address."""
    seen = []
    for line in lines:
        seen.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+|http://localhost:\d+", line):
            return found[0]
    pytest.fail(f"the server ended without naming its address: {''.join(seen)}")
