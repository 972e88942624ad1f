"""The container, the compose file and the CI examples, as far as they can be tried without a container engine."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from servesim.delivery import serve
from servesim.delivery.cli import main

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PIPELINES = ["github-actions.yaml", "gitlab-ci.yaml"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def instructions(keyword):
    """Return what follows an instruction in the last stage of the Dockerfile, in order."""
    stage = re.split(r"(?m)^FROM ", DOCKERFILE)[-1]
    return re.findall(rf"(?m)^\s*{keyword} +(.*)$", stage)


def pipeline(name):
    return yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))


def texts(value):
    """Yield every string in a document."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(inner)


def parse(arguments):
    """Have click parse a command line of servesim without running it; it raises what it would print."""
    name, *rest = arguments
    top = click.Context(main)
    command = main.get_command(top, name)
    assert command, f"servesim has no command {name!r}"
    return command.make_context(name, rest, parent=top).params


def settings_of_image():
    return dict(pair.split("=", 1) for line in instructions("ENV") for pair in shlex.split(line))


def commands():
    """Collect every command line of servesim that an example shows, with where it stands."""
    shown = {
        "Dockerfile": [["servesim", *json.loads(instructions("CMD")[-1])]],
        "Dockerfile, its comment": [shlex.split(re.search(r"servesim serve --unknown[^`]*", DOCKERFILE)[0])],
        "compose.yaml": [["servesim", *COMPOSE["services"]["servesim"]["command"]]],
    }
    for name in PIPELINES:
        lines = [text for text in texts(pipeline(name)) if text.startswith("servesim ")]
        shown[name] = [shlex.split(re.split("[>&]", line)[0]) for line in lines]
    lines = (EXAMPLES / "README.md").read_text(encoding="utf-8").splitlines()
    shown["README.md"] = [shlex.split(re.split("[>&]", line[2:])[0]) for line in lines if line.startswith("$ servesim")]
    return [(name, line) for name, lines in shown.items() for line in lines]


@pytest.mark.parametrize(("where", "line"), commands(), ids=[f"{where}-{n}" for n, (where, _) in enumerate(commands())])
def test_every_command_line_parses(monkeypatch, where, line):
    for name, value in settings_of_image().items():
        monkeypatch.setenv(name, value)
    assert line[0] == "servesim", where
    parse(line[1:])


def test_a_command_line_that_does_not_parse_is_found():
    with pytest.raises(click.UsageError):
        parse(["serve", "--unknown-model", "stub"])


def test_every_variable_is_an_option():
    known = {one.envvar for one in serve.command.params if isinstance(one, click.Option)}
    files = [EXAMPLES / name for name in (*PIPELINES, "README.md")] + [ROOT / "Dockerfile", ROOT / "compose.yaml"]
    used = {name for path in files for name in re.findall(r"SERVESIM_[A-Z_]+", path.read_text(encoding="utf-8"))}
    assert used - known == {"SERVESIM_IMAGE"}


def test_the_container_serves_everywhere_by_intent_and_as_nobody_in_particular(monkeypatch):
    for name, value in settings_of_image().items():
        monkeypatch.setenv(name, value)
    options = parse(json.loads(instructions("CMD")[-1]))
    assert json.loads(instructions("ENTRYPOINT")[-1]) == ["servesim"]
    assert (options["host"], options["allow_remote"]) == ("0.0.0.0", True)  # noqa: S104 - within a container
    assert [str(options["port"])] == instructions("EXPOSE")
    (user,) = instructions("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert f"--uid {user.partition(':')[0]} " in DOCKERFILE
    assert DOCKERFILE.index("useradd") < DOCKERFILE.index("USER")


def test_what_the_image_copies_is_there_and_not_ignored():
    copied = re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", DOCKERFILE)
    sources = {name for line in copied for name in line.split()}
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert sources == {line[1:] for line in ignore if line.startswith("!")}
    assert "*" in ignore
    assert all((ROOT / name).exists() for name in sources)


def test_the_image_is_built_from_all_that_the_wheel_holds():
    import tomllib

    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    folders = {Path(name).parts[0] for name in build["targets"]["wheel"]["only-include"]}
    assert folders <= set(re.findall(r"(?m)^COPY (\w+) \w+$", DOCKERFILE))


def health(url):
    port = url.rpartition(":")[2]
    command = json.loads(re.search(r"HEALTHCHECK.*?CMD (\[.*?\])$", DOCKERFILE, re.MULTILINE)[1])
    command = [sys.executable if word == "python" else word for word in command]
    environment = {**os.environ, "SERVESIM_PORT": port}
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60).returncode


def test_the_health_check_says_what_is_so(servesim_server):
    assert health(servesim_server.url) == 0
    assert health("http://127.0.0.1:1") != 0


def test_the_client_of_the_compose_file_waits_for_health_and_names_the_server():
    client, server = COMPOSE["services"]["client"], COMPOSE["services"]["servesim"]
    assert client["depends_on"] == {"servesim": {"condition": "service_healthy"}}
    assert client["environment"]["DATABRICKS_HOST"] == f"http://servesim:{instructions('EXPOSE')[-1]}"
    assert client["environment"]["DATABRICKS_TOKEN"] == server["environment"]["SERVESIM_TOKEN"]
    assert server["environment"]["SERVESIM_ALLOWED_HOST"] == client["environment"]["NO_PROXY"] == "servesim"
    assert server["ports"] == ["127.0.0.1:8765:8765"]
    mounted = ROOT / client["volumes"][0].partition(":")[0]
    assert (mounted / Path(client["entrypoint"][1]).name).is_file()
    assert client["build"]["args"]["EXTRAS"] in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_call_the_server_with_the_token_that_it_takes(name):
    found = set(texts(pipeline(name)))
    assert "dapi-ci" in found
    flat = json.dumps(pipeline(name))
    assert flat.count('"SERVESIM_TOKEN": "dapi-ci"') == flat.count('"DATABRICKS_TOKEN": "dapi-ci"') == 1
    assert '"SERVESIM_UNKNOWN_MODELS": "stub"' in flat
    assert {line for line in found if line.startswith("python ")} == {"python examples/score.py"}


@pytest.mark.sdk
def test_the_program_scores_as_the_service_job_runs_it(servesim_server, tmp_path):
    with servesim_server.open(unknown_models="stub") as sim:
        environ = {**os.environ, **sim.env, "DATABRICKS_CONFIG_FILE": os.devnull}
        run = [sys.executable, str(EXAMPLES / "score.py")]
        done = subprocess.run(run, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\[0\.\d+\]\n", done.stdout)


@pytest.mark.sdk
def test_the_session_of_the_page_works_as_it_is_typed(tmp_path):
    session = re.search(r"```console\n(\$ pip.*?)```", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.DOTALL)[
        1
    ]
    script = "\n".join(line.removeprefix("$ ") for line in session.splitlines() if "pip install" not in line)
    # A port that may be taken on this machine, which `wait` then has to be told: nothing else is changed.
    script = script.replace("serve --", "serve --port 0 --")
    begun = "trap 'kill $!; wait $!' EXIT\nuntil grep -q NO_PROXY lines; do :; done\n"
    script = script.replace("servesim wait\n", f"{begun}SERVESIM_URL=$(sed -n s/.*_URL=//p lines) servesim wait\n")
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    others = ("DATABRICKS_", "MLFLOW_", "OPENAI_", "SERVESIM_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    environ |= {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}"}
    command = ["bash", "-euc", script]
    run = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "clients of this shell talk to it." in run.stdout
    assert re.search(r"(?m)^\[0\.\d+\]$", run.stdout)


def line_of(name):
    """Return the line by which a pipeline runs tests with the plugin."""
    (line,) = {text for text in texts(pipeline(name)) if text.startswith("pytest ")}
    return line


@pytest.mark.sdk
@pytest.mark.parametrize("line", sorted({line_of(name) for name in PIPELINES}))
def test_the_tests_pass_as_the_plugin_jobs_run_them(pytester, guests, line):
    shutil.copy(EXAMPLES / "test_fraud.py", pytester.path)
    guests(*shlex.split(line)[1:], "-W", "error").assert_outcomes(passed=2)


@pytest.mark.sdk
@pytest.mark.mlflow
def test_the_test_of_a_training_job_passes(pytester, guests):
    shutil.copy(EXAMPLES / "test_registry.py", pytester.path)
    guests().assert_outcomes(passed=1)  # not with -W error: MLflow warns when it is imported
