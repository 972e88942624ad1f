"""Console sessions of pages, run as they stand.

A module that has the text of a page in ``PAGE`` takes ``example``: each command of the page's ``console`` blocks, with
what the page shows below it and what it printed when all of them ran, one after the other, in a shell and a folder of
their own. If the first starts a server, the shell has the lines that the server prints. ``prepare(folder)`` and
``VARIABLES`` of the module, if there are any, make the folder ready and add to the environment.
"""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

COMMANDS = Path(sys.executable).parent
POINTING = ("DATABRICKS_", "MLFLOW_", "SERVESIM_")


class Example(NamedTuple):
    """A command of a page, what the page shows of it, and what it printed."""

    command: str
    shown: list[str]
    printed: str = ""

    def check(self):
        """Assert that it printed what is shown; a line of dots alone stands for any number of lines."""
        printed, shown = (_filled(text) for text in (self.printed.splitlines(), self.shown))
        assert _fits(printed, shown), f"{self.command}\nprinted\n{self.printed}"

    def check_in_any_order(self):
        """Assert the same of one whose remarks may come before or after its result."""
        printed, shown = (_filled(text) for text in (self.printed.splitlines(), self.shown))
        unmatched = [line for line in printed if not any(_is(line, one) for one in shown)]
        missing = [one for one in shown if not any(_is(line, one) for line in printed)]
        assert (unmatched, missing) == ([], []), f"{self.command}\nprinted\n{self.printed}"


def _filled(lines):
    return [line.rstrip() for line in lines if line.strip()]


def _fits(lines, shown):
    if not shown:
        return not lines
    if shown[0].strip() == "...":
        return any(_fits(lines[start:], shown[1:]) for start in range(len(lines) + 1))
    return bool(lines) and _is(lines[0], shown[0]) and _fits(lines[1:], shown[1:])


def _is(line, shown):
    pattern = "*".join(part.replace("[", "[[]").replace("?", "[?]").replace("*", "[*]") for part in shown.split("..."))
    return fnmatch.fnmatchcase(line, pattern)


def examples(page):
    """Read the session of a page."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", page, flags=re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Example(line[2:], []))
            elif line.startswith("> "):
                found[-1] = found[-1]._replace(command=f"{found[-1].command}\n{line[2:]}")
            else:
                found[-1].shown.append(line)
    return found


def starts_a_server(example):
    return bool(re.fullmatch(r"servesim serve .*&", example.command))


def pytest_generate_tests(metafunc):
    if "example" in metafunc.fixturenames:
        found = examples(metafunc.module.PAGE)
        metafunc.parametrize("example", range(int(starts_a_server(found[0])), len(found)), indirect=True)


@pytest.fixture
def example(request, session):
    """Give one command with what it printed."""
    return examples(request.module.PAGE)[request.param]._replace(printed=session[0][request.param])


@pytest.fixture(scope="module")
def session(request, shared, tmp_path_factory):
    """Give what each command of the module's page printed, and what its server did."""
    module = request.module
    return shared(f"{module.__name__}-session", lambda: run(module, tmp_path_factory.mktemp("session")))


def run(module, folder):
    """Run the session of a module's page in a folder; return the outputs of its commands, and of its server."""
    if hasattr(module, "prepare"):
        module.prepare(folder)
    kept = {name: text for name, text in os.environ.items() if not name.startswith(POINTING)}
    environment = {**kept, "PATH": f"{COMMANDS}:{os.environ['PATH']}", "HOME": str(folder)}
    environment |= getattr(module, "VARIABLES", {})
    commands = [example.command for example in examples(module.PAGE)]
    if not starts_a_server(examples(module.PAGE)[0]):
        return run_commands(commands, [], folder, environment), ""
    serve, _, file = commands.pop(0).removesuffix("&").partition(">")
    log = folder / (file.strip() or "serve.log")
    words = [COMMANDS / "servesim", *serve.split()[1:], "--port", "0"]
    with log.open("w") as output, subprocess.Popen(words, stdout=output, env=environment, cwd=folder) as server:
        try:
            while "export NO_PROXY" not in log.read_text() and server.poll() is None:
                pass
            exports = [line for line in log.read_text().splitlines() if line.startswith("export ")]
            printed = run_commands(commands, exports, folder, environment)
        finally:
            server.terminate()
    return ["", *printed], log.read_text()


def run_commands(commands, before, folder, environment):
    """Run commands in one shell; return what each printed, to either stream."""
    script = ["exec 2>&1", *before, *(f"printf '\\036'\n{command}" for command in commands)]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    return done.stdout.split("\036")[1:]
