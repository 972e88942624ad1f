"""docs/admin.md: every example runs against a real server, and every operation and command has one."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from servesim.http.admin import OPERATIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/admin.md").read_text(encoding="utf-8")
COMMANDS = Path(sys.executable).parent


class Example(NamedTuple):
    """A command of the page and what it shows."""

    command: str
    shown: list[str]


def examples() -> list[Example]:
    """Read the page's session; what starts the server stands in its first block."""
    found: list[Example] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)[1:]:
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Example(line[2:], []))
            elif line.startswith("> "):
                found[-1] = found[-1]._replace(command=f"{found[-1].command}\n{line[2:]}")
            else:
                found[-1].shown.append(line)
    return found


@pytest.fixture(scope="module")
def ran(shared, tmp_path_factory):
    """Give what each command of the session printed, and the server's own log."""
    return shared("admin-session", lambda: run_session(tmp_path_factory.mktemp("admin")))


def run_session(folder):
    """Run the session in a folder."""
    log = folder / "serve.log"
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("DATABRICKS_", "SERVESIM_"))}
    environment = {**kept, "PATH": f"{COMMANDS}:{os.environ['PATH']}", "HOME": str(folder)}
    serve = [COMMANDS / "servesim", "serve", "--port", "0", "--clock", "frozen", "--unknown-models", "stub"]
    with log.open("w") as output, subprocess.Popen(serve, stdout=output, env=environment, cwd=folder) as server:
        try:
            while "export NO_PROXY" not in log.read_text() and server.poll() is None:
                pass
            exports = "\n".join(line for line in log.read_text().splitlines() if line.startswith("export "))
            commands = (f"printf '\\036'\n{example.command}" for example in examples())
            script = "\n".join(["exec 2>&1", exports, *commands])
            run = subprocess.run(
                ["bash", "-c", script],
                env=environment,
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=100,
            )
        finally:
            server.terminate()
    return run.stdout.split("\036")[1:], log.read_text()


@pytest.mark.parametrize("number", range(len(examples())))
def test_an_example_shows_what_is_so(ran, number):
    printed, _ = ran
    example = examples()[number]
    lines = printed[number].removesuffix("\n").split("\n") if printed[number].strip() else []
    # What goes to standard error may come before or after.
    unmatched = [line for line in lines if not any(_fits(line, shown) for shown in example.shown)]
    missing = [shown for shown in example.shown if not any(_fits(line, shown) for line in lines)]
    assert (unmatched, missing) == ([], []), f"{example.command}\nprinted\n{printed[number]}"


def _fits(line: str, shown: str) -> bool:
    pattern = "*".join(part.replace("[", "[[]").replace("?", "[?]").replace("*", "[*]") for part in shown.split("..."))
    return fnmatch.fnmatchcase(line.rstrip(), pattern)


def test_the_server_prints_the_lines_that_the_page_shows(ran):
    start = re.search(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)[1].splitlines()
    printed = [line for line in ran[1].splitlines() if line.startswith("export ")]
    assert start[1:] == [re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8765", line) for line in printed]


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: f"{row.method} {row.path}")
def test_every_operation_is_listed_and_has_an_example_that_succeeds(ran, row):
    if row.path.count("/") > 2:
        assert f"| `{row.method} {row.path}` |" in PAGE
    path = re.sub(r"\\\{\w+\\\}", "[^/?]+", re.escape(row.path))
    assert re.search(rf"(?m)^- {row.method} {path}(\?\S*)? -> 20[01]$", ran[1]), "no example calls it with success"


def test_every_operation_that_is_listed_exists():
    listed = set(re.findall(r"(?m)^\| `([A-Z]+ /_servesim/v1\S*)` \|", PAGE))
    assert listed <= {f"{row.method} {row.path}" for row in OPERATIONS}


@pytest.mark.parametrize("name", ["clock", "timeline", "wait", "why", "workspace", "requests"])
def test_every_command_that_uses_the_api_has_an_example(name):
    assert any(example.command.startswith(f"servesim {name} ") for example in examples())
