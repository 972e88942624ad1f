"""docs/contracts.md: every console example runs against a `servesim serve`, and every option of check is listed."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from servesim.contracts.documents import SURFACES
from servesim.delivery.contract_check import command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/contracts.md").read_text(encoding="utf-8")
COMMANDS = Path(sys.executable).parent


class Example(NamedTuple):
    """A command of the page and what it shows."""

    command: str
    shown: list[str]


def examples() -> list[Example]:
    """Read the page's session."""
    found: list[Example] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Example(line[2:], []))
            else:
                found[-1].shown.append(line)
    return found


SERVE, *SESSION = examples()


@pytest.fixture(scope="module")
def printed(shared, tmp_path_factory):
    """Give what each command of the session printed."""
    return shared("contracts-session", lambda: run_session(tmp_path_factory.mktemp("contracts")))


def run_session(folder):
    """Run the session in a folder."""
    log = folder / "serve.log"
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("DATABRICKS_", "SERVESIM_"))}
    environment = {**kept, "PATH": f"{COMMANDS}:{os.environ['PATH']}", "HOME": str(folder)}
    arguments = SERVE.command.removesuffix(" &").split()
    serve = [COMMANDS / arguments[0], *arguments[1:], "--port", "0"]
    with log.open("w") as output, subprocess.Popen(serve, stdout=output, env=environment, cwd=folder) as server:
        try:
            while "export NO_PROXY" not in log.read_text() and server.poll() is None:
                pass
            exports = [line for line in log.read_text().splitlines() if line.startswith("export ")]
            commands = (f"printf '\\036'\n{example.command}" for example in SESSION)
            run = subprocess.run(
                ["bash", "-c", "\n".join(["exec 2>&1", *exports, *commands])],
                env=environment,
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=100,
            )
        finally:
            server.terminate()
    return run.stdout.split("\036")[1:]


@pytest.mark.parametrize("number", range(len(SESSION)))
def test_an_example_shows_what_is_so(printed, number):
    example = SESSION[number]
    lines = [line.rstrip() for line in printed[number].splitlines() if line.strip()]
    assert _fits(lines, [line for line in example.shown if line.strip()]), (
        f"{example.command}\nprinted\n{printed[number]}"
    )


def _fits(lines: list[str], shown: list[str]) -> bool:
    """Tell whether lines are those that are shown, of which one of dots alone stands for any number."""
    if not shown:
        return not lines
    if shown[0] == "...":
        return any(_fits(lines[start:], shown[1:]) for start in range(len(lines) + 1))
    return bool(lines) and _is(lines[0], shown[0]) and _fits(lines[1:], shown[1:])


def _is(line: str, shown: str) -> bool:
    pattern = "*".join(part.replace("[", "[[]").replace("?", "[?]").replace("*", "[*]") for part in shown.split("..."))
    return fnmatch.fnmatchcase(line, pattern.rstrip())


def test_every_surface_is_listed():
    assert tuple(re.findall(r"(?m)^\| `(\w+)` \|", PAGE)) == SURFACES


def test_every_option_of_check_is_listed():
    listed = set(re.findall(r"`(--[a-z-]+)", re.search(r"(?s)\| option \|.*?\n\n", PAGE)[0]))
    assert listed == {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
