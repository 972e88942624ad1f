"""``servesim serve --tls``: HTTPS that unmodified clients trust by the lines it prints, and nobody afterwards."""

import json
import os
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from servesim.delivery import tls

SERVE = [sys.executable, "-c", "from servesim.delivery.cli import main; main()", "serve", "--port", "0", "--tls"]
OTHERS = ("DATABRICKS_", "MLFLOW_", "OPENAI_", "SERVESIM_", "SSL_CERT_", "REQUESTS_", "CURL_")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
"""The machine's variables but for what clients read."""

SDK = """
from databricks.sdk import WorkspaceClient
client = WorkspaceClient()
print(client.current_user.me().user_name, client.config.discovery_url)
"""

OPENAI = """
import os, openai
client = openai.OpenAI(
    base_url=os.environ["DATABRICKS_HOST"] + "/serving-endpoints", api_key=os.environ["DATABRICKS_TOKEN"], max_retries=0
)
try:
    client.models.list()
except openai.APIStatusError as answer:
    print(answer.status_code)
"""

MLFLOW = """
from mlflow.deployments import get_deploy_client
print(get_deploy_client("databricks").list_endpoints())
"""


@pytest.fixture(scope="module")
def served():
    """Serve with TLS; give the lines that it prints as variables. The authority's file is gone once it has ended."""
    pytest.importorskip("trustme")
    process = subprocess.Popen([*SERVE, "--allowed-host", "sim.test:1"], stdout=subprocess.PIPE, text=True, env=CLEAN)
    exports = {}
    for line in process.stdout:
        name, _, value = line.strip().removeprefix("export ").partition("=")
        exports[name] = value
        if name == "NO_PROXY":
            break
    yield exports
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not Path(exports["SSL_CERT_FILE"]).parent.exists()


def run(command, variables):
    environ = {**CLEAN, "DATABRICKS_CONFIG_FILE": os.devnull, **variables}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def without(variables, *kept):
    """Leave out the variables of authorities that are not named: each client is to need its own alone."""
    return {name: value for name, value in variables.items() if name not in tls.VARIABLES or name in kept}


def test_the_lines_say_https_and_name_a_private_file(served):
    assert list(served) == [
        "DATABRICKS_HOST",
        "DATABRICKS_TOKEN",
        *tls.VARIABLES,
        "SERVESIM_URL",
        "SERVESIM_ADMIN_TOKEN",
        "NO_PROXY",
    ]
    assert served["DATABRICKS_HOST"].startswith("https://127.0.0.1:")
    file = Path(served["SSL_CERT_FILE"])
    assert {served[name] for name in tls.VARIABLES} == {str(file)}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "PRIVATE" not in file.read_text(encoding="ascii")


@pytest.mark.sdk
def test_the_sdk_trusts_it_and_discovers_https(served):
    answered = run([sys.executable, "-c", SDK], without(served, "REQUESTS_CA_BUNDLE"))
    discovery = f"{served['DATABRICKS_HOST']}/oidc/.well-known/oauth-authorization-server"
    assert answered.split() == ["user@example.com", discovery]


@pytest.mark.mlflow
def test_mlflow_trusts_it(served):
    assert run([sys.executable, "-c", MLFLOW], without(served, "REQUESTS_CA_BUNDLE")) == "[]"


def test_openai_s_client_trusts_it(served):
    pytest.importorskip("openai")
    assert run([sys.executable, "-c", OPENAI], without(served, "SSL_CERT_FILE")) in {"200", "501"}


@pytest.mark.parametrize("variable", ["CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_curl_trusts_it(served, variable):
    url = f"{served['DATABRICKS_HOST']}/_servesim/v1/health"
    assert json.loads(run(["curl", "--silent", "--show-error", url], without(served, variable))) == {"status": "ok"}


def test_who_was_told_of_no_authority_does_not(served):
    url = f"{served['DATABRICKS_HOST']}/_servesim/v1/health"
    done = subprocess.run(["curl", "--silent", url], env={**CLEAN, **without(served)}, capture_output=True, check=False)
    assert done.returncode == 60  # curl: the peer's certificate cannot be authenticated


@pytest.mark.parametrize(
    ("words", "exit_code"), [("wait --timeout 60s", 5), ("clock now", 5), ("invoke fraud --data {}", 5)]
)
def test_a_command_that_was_told_of_no_authority_says_so_at_once(served, words, exit_code):
    environ = {**CLEAN, **without(served), "SERVESIM_URL": served["SERVESIM_URL"]}
    command = [*SERVE[:3], *words.split()]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == exit_code
    assert "shows a certificate that is not trusted here" in done.stderr
    assert "SSL_CERT_FILE names its authority" in done.stderr


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "sim.test"])
def test_the_certificate_is_for_every_name_that_was_given(served, name):
    port = served["DATABRICKS_HOST"].rpartition(":")[2]
    url = f"https://{f'[{name}]' if ':' in name else name}:{port}/_servesim/v1/health"
    command = ["curl", "--silent", "--show-error", "--connect-to", f"::127.0.0.1:{port}", url]
    assert json.loads(run(command, served)) == {"status": "ok"}


def test_another_name_is_not_in_it(served):
    port = served["DATABRICKS_HOST"].rpartition(":")[2]
    command = ["curl", "--silent", "--connect-to", f"::127.0.0.1:{port}", f"https://bank.test:{port}/"]
    assert subprocess.run(command, env={**CLEAN, **served}, capture_output=True, check=False).returncode == 60


def test_a_folder_of_one_s_own_keeps_the_file_and_each_start_is_a_new_authority(tmp_path):
    pytest.importorskip("trustme")
    folder = tmp_path / "trust"
    read = []
    for _ in range(2):
        with tls.throw_away(["::1"], folder) as made:
            assert made.authority == folder / "ca.pem"
            assert made.context.minimum_version == ssl.TLSVersion.TLSv1_2
            read.append(made.authority.read_bytes())
    assert (folder / "ca.pem").read_bytes() == read[1] != read[0]
    assert [path.name for path in folder.iterdir()] == ["ca.pem"]


def test_the_option_for_a_folder_serves_https_and_leaves_the_file(tmp_path):
    pytest.importorskip("trustme")
    folder = tmp_path / "trust"
    process = subprocess.Popen(
        [*SERVE[:-1], "--tls-dir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=CLEAN
    )
    url = process.stdout.readline().strip().rpartition("=")[2]
    command = ["curl", "--silent", "--show-error", f"{url}/_servesim/v1/health"]
    assert json.loads(run(command, {"SSL_CERT_FILE": str(folder / "ca.pem")})) == {"status": "ok"}
    # What is no TLS, and who does not trust it, are mistakes of clients: no traceback, and the server goes on.
    for wrong in (url.replace("https", "http"), url):
        assert subprocess.run(["curl", "--silent", wrong], env=CLEAN, capture_output=True, check=False).returncode
    assert json.loads(run(command, {"SSL_CERT_FILE": str(folder / "ca.pem")})) == {"status": "ok"}
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    assert [path.name for path in folder.iterdir()] == ["ca.pem"]


@pytest.mark.parametrize(
    ("hosts", "names"),
    [
        ([], []),
        (["127.0.0.1", "localhost"], []),
        (["0.0.0.0"], ["0.0.0.0"]),  # noqa: S104 - an address like another
        (["sim:8765", "[fe80::1]:8765", "fe80::2"], ["sim", "fe80::1", "fe80::2"]),
    ],
)
def test_names_come_without_port_and_once(hosts, names):
    assert tls.names(hosts) == ["localhost", "127.0.0.1", "::1", *names]


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    from click.testing import CliRunner

    from servesim.delivery.serve import command

    monkeypatch.setitem(sys.modules, "trustme", None)
    result = CliRunner().invoke(command, ["--port", "0", "--tls"])
    assert result.exit_code == 1
    assert "pip install 'servesim[tls]'" in result.output
