"""Console sessions of pages, run as they stand; and the workspaces of the published documents.

A module that has the text of a page in ``PAGE`` takes ``example``: each command of the page's ``console`` blocks, with
what the page shows below it and what it printed when all of them ran, one after the other, in a shell and a folder of
their own. If the first starts a server, the shell has the lines that the server prints. ``prepare(folder)`` and
``VARIABLES`` of the module, if there are any, make the folder ready and add to the environment.
"""

from __future__ import annotations

import contextlib
import fnmatch
import http.client
import json
import os
import re
import shlex
import string
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


# --- the published documents: see from_the_ui.py --------------------------------------------------

ADMIN_TOKEN = "admin-of-documents"
SPAN = re.compile(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*|servesim [^`]*)`")
"""What a docstring says that is called or run."""
ASKED: pytest.StashKey[list[str]] = pytest.StashKey()


class Curled(NamedTuple):
    """The arguments of a curl command that say what it asks."""

    method: str
    url: str
    body: str | None

    @classmethod
    def of(cls, words):
        given = iter(words)
        method, url, body = None, "", None
        for word in given:
            if word == "-X":
                method = next(given)
            elif word in {"-d", "--data"}:
                body = next(given)
            elif word in {"-u", "-H"}:
                next(given)
            elif not word.startswith("-"):
                url = word
        return cls(method or ("GET" if body is None else "POST"), url, body)


class World:
    """A workspace in which the calls of a document are made, by whoever, and what was asked of it."""

    def __init__(self, handle, asked):
        """Ask a workspace; keep what is asked in a list of lines."""
        self.sim = handle
        self.clock, self.models, self.principals = handle.clock, handle.models, handle.principals
        self.asked = asked
        self.headers = None  # of the last answer

    def ask(self, method, path, body=None, *, token=None, text=None):
        """Make a call; return its status and its document."""
        self._note(method, path, json.dumps(body) if text is None and body is not None else text)
        path = path.replace("{id}", self.sim.workspace.name) if path.startswith("/_servesim") else path
        token = ADMIN_TOKEN if path.startswith("/_servesim") else token or self.sim.token
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(self.sim.host.removeprefix("http://"), timeout=60)
        try:
            connection.request(method, path, text if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            self.headers = answer.headers
            got = answer.read()
            return answer.status, json.loads(got) if got else None
        finally:
            connection.close()

    def do(self, method, path, body=None, **options):
        """Make a call that is answered 200; return its document."""
        status, document = self.ask(method, path, body, **options)
        assert status == 200, (method, path, document)
        return document

    def until(self, path, is_so, body=None):
        """Poll until it is so; return the last document. Time moves because somebody asks."""
        for _ in range(100):
            document = self.do("GET", path, body)
            if is_so(document):
                return document
        raise AssertionError(document)

    def move(self, model, version, stage, *, archive=False, **options):
        """Move a version of a model of the workspace registry to a stage."""
        body = {"name": model, "version": version, "stage": stage, "archive_existing_versions": archive, **options}
        return self.do("POST", "/api/2.0/mlflow/databricks/model-versions/transition-stage", body)

    def curl(self, line, **variables):
        """Run a published curl line as it stands; return the JSON that it printed."""
        environment = {name: text for name, text in os.environ.items() if not name.startswith(POINTING)}
        environment |= {"NO_PROXY": "*", "no_proxy": "*", "CURL_HOME": os.devnull, **variables}
        words = [string.Template(word).safe_substitute(variables) for word in shlex.split(line.replace("\\\n", " "))]
        method, url, body = Curled.of(words[1:])
        self._note(method, url.removeprefix(self.sim.host), body)
        done = subprocess.run(
            ["sh", "-c", line], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        return json.loads(done.stdout)

    def run(self, line, code=0):
        """Run a command of servesim against this workspace; return what it printed to standard output."""
        from click.testing import CliRunner

        from servesim.delivery.cli import main

        self.asked.append(line)
        variables = {
            "SERVESIM_URL": self.sim.host,
            "SERVESIM_ADMIN_TOKEN": ADMIN_TOKEN,
            "SERVESIM_WORKSPACE": self.sim.workspace.name,
            "DATABRICKS_HOST": self.sim.host,
            "DATABRICKS_TOKEN": self.sim.token,
        }
        done = CliRunner().invoke(main, shlex.split(line)[1:], env=variables, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done.stdout

    def _note(self, method, path, body):
        self.asked.append(f"{method} {path}")
        if body is not None:
            with contextlib.suppress(ValueError):
                self.asked.append(f"{method} {path} {json.dumps(json.loads(body))}")


@pytest.fixture(scope="session")
def published_server():
    """One server for every document: its workspaces are told apart by their tokens."""
    from servesim.delivery.handle import LocalServer

    with LocalServer() as local:
        local.server.admin_token = ADMIN_TOKEN
        yield local


@pytest.fixture
def opens(request, published_server):
    """Open workspaces by their options."""
    asked, opened = request.node.stash.setdefault(ASKED, []), []

    def open_one(**options):
        opened.append(published_server.open(**options))
        return World(opened[-1], asked)

    yield open_one
    for handle in opened:
        handle.close()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Have a test make the calls and run the commands that its docstring says."""
    result = yield
    said = [" ".join(one.split()) for one in SPAN.findall(pyfuncitem.obj.__doc__ or "")]
    asked = pyfuncitem.stash.get(ASKED, [])
    assert [one for one in said if one not in asked] == [], f"said, and not among what was asked: {asked}"
    return result
