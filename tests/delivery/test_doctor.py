"""``servesim doctor``: what would win over servesim, against what the real clients do."""

import http.server
import json
import os
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner

from servesim.delivery import doctor, findings, logins
from servesim.delivery.tls import throw_away

ELSEWHERE = "https://adb-1.2.azuredatabricks.net"
SECRET = "planted-secret"
HERE = "http://127.0.0.1:8765"


def around(environ, home, url=HERE):
    environ = {"DATABRICKS_CONFIG_FILE": str(home / ".databrickscfg"), **environ}
    file = logins.read_profiles(environ)
    return findings.Surroundings(url, environ, home, file, logins.login(environ, file))


def looked(environ, home, url=HERE):
    """Return level, text and advice by what they are about, without what every look has."""
    found = list(findings.looks(around(environ, home, url)))
    common = {*findings.SUPPORTED, "DATABRICKS_CONFIG_FILE"}
    return {finding.about: finding for finding in found if finding.about not in common}


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def profiles(home):
    def write(text):
        (home / ".databrickscfg").write_text(text, encoding="utf-8")

    return write


# --- the SDK's own order ----------------------------------------------------------------------------


@pytest.mark.sdk
@pytest.mark.parametrize(
    "case",
    [
        ({"HOST": "ours", "TOKEN": "t1"}, ""),
        ({"HOST": "ours/", "TOKEN": "t1"}, "[DEFAULT]\nhost = other\ntoken = t2\n"),
        ({"HOST": "ours"}, "[DEFAULT]\nhost = other\ntoken = t2\n"),
        ({"TOKEN": "t1"}, "[DEFAULT]\nhost = other\n"),
        ({"HOST": "", "TOKEN": ""}, "[DEFAULT]\nhost = other\ntoken = t2\n"),
        ({}, "[DEFAULT]\nhost = other\ntoken = t2\n"),
        ({}, "[one]\nhost = other\ntoken = t2\n"),
        ({}, "[DEFAULT]\nhost = other\n[one]\nhost = ours\ntoken = t1\n[__settings__]\ndefault_profile = one\n"),
        ({}, "[__settings__]\ndefault_profile = none\n"),
        ({}, ""),
        ({"CONFIG_PROFILE": "one"}, "[DEFAULT]\nhost = other\n[one]\ntoken = t2\n"),
        ({"CONFIG_PROFILE": "one", "HOST": "ours"}, "[one]\nhost = other\ntoken = t2\n"),
        ({"CONFIG_PROFILE": "one", "HOST": "ours", "TOKEN": "t1"}, "[one]\nhost = other\ntoken = t2\n"),
        ({"CONFIG_PROFILE": "one", "HOST": "ours", "TOKEN": "t1"}, "[one]\nclient_id = c\nclient_secret = s\n"),
        ({"CONFIG_PROFILE": "none", "HOST": "ours", "TOKEN": "t1"}, "[one]\nhost = other\n"),
        ({"CONFIG_PROFILE": "none", "HOST": "ours", "TOKEN": "t1"}, None),
        ({"HOST": "ours", "TOKEN": "t1", "CLIENT_ID": "c"}, ""),
        ({"HOST": "ours", "TOKEN": "t1", "CLIENT_ID": "c", "AUTH_TYPE": "pat"}, ""),
        ({"HOST": "ours", "TOKEN": "t1", "AUTH_TYPE": "basic"}, ""),
        ({"HOST": "ours", "USERNAME": "token", "PASSWORD": "t1"}, ""),
        ({"HOST": "ours", "USERNAME": "token", "TOKEN": "t1"}, ""),
        ({"HOST": "ours", "TOKEN": "t1", "CLUSTER_ID": "c"}, ""),
        ({"HOST": "ours", "TOKEN": "t1", "GROUP_ID": "7"}, ""),
        ({"HOST": "ours", "CLIENT_ID": "c", "CLIENT_SECRET": "s"}, ""),
        ({"HOST": "ours", "CLIENT_ID": "c"}, "[DEFAULT]\nclient_secret = s\n"),
    ],
)
def test_host_and_login_are_those_of_the_sdk(servesim_server, home, profiles, monkeypatch, case):
    from databricks.sdk.core import Config

    environ, file = case
    ours, other = servesim_server.url, servesim_server.url.replace("127.0.0.1", "localhost")
    if file is not None:
        profiles(file.replace("ours", ours).replace("other", other))
    given = {f"DATABRICKS_{name}": value.replace("ours", ours) for name, value in environ.items()}
    found = around(given, home).login
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ARM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("PATH", str(home))  # no command line tools to log in with
    for name, value in {**given, "DATABRICKS_CONFIG_FILE": str(home / ".databrickscfg")}.items():
        monkeypatch.setenv(name, value)
    try:
        config = Config()
    except ValueError:
        assert found.problem or not found.method or not found.host
        return
    assert (found.problem, found.host, found.method) == ("", config.host, config.auth_type)
    assert found.values.get("token") == config.token


def test_a_host_without_a_scheme_is_https(home):
    found = looked({"DATABRICKS_HOST": "127.0.0.1:8765", "DATABRICKS_TOKEN": "t"}, home)["DATABRICKS_HOST"]
    assert found.level == "breaks"
    assert "without a scheme it means https" in found.so
    assert found.do == f"export DATABRICKS_HOST={HERE}"


# --- each thing that may win ------------------------------------------------------------------------

GOOD = {"DATABRICKS_HOST": HERE, "DATABRICKS_TOKEN": "t"}
REQUESTS = "Has a password for 127.0.0.1, which `requests` sends"


@pytest.mark.parametrize(
    ("environ", "about", "level", "said"),
    [
        ({}, "DATABRICKS_HOST", "fine", "Leads to this servesim"),
        ({"DATABRICKS_HOST": "http://localhost:8765/"}, "DATABRICKS_HOST", "fine", "Leads to this"),
        ({"DATABRICKS_HOST": ""}, "DATABRICKS_HOST", "breaks", "Not set"),
        ({"DATABRICKS_HOST": ELSEWHERE}, "DATABRICKS_HOST", "breaks", f"Clients go to {ELSEWHERE}, not to {HERE}"),
        ({"DATABRICKS_HOST": "http://[::1"}, "DATABRICKS_HOST", "breaks", "what is no URL"),
        ({"DATABRICKS_TOKEN": ""}, "DATABRICKS_TOKEN", "breaks", "no way to log in"),
        ({"DATABRICKS_CLIENT_ID": "c"}, "login", "breaks", "DATABRICKS_CLIENT_ID and DATABRICKS_TOKEN"),
        ({"ARM_CLIENT_ID": "c"}, "login", "breaks", "ARM_CLIENT_ID and DATABRICKS_TOKEN"),
        ({"DATABRICKS_AUTH_TYPE": "azure-cli"}, "DATABRICKS_AUTH_TYPE", "breaks", "by azure-cli alone"),
        ({"DATABRICKS_AUTH_TYPE": "pat"}, "DATABRICKS_AUTH_TYPE", "fine", "by pat alone"),
        ({"DATABRICKS_AUTH_TYPE": "pat", "DATABRICKS_CLIENT_ID": "c"}, "DATABRICKS_CLIENT_ID", "note", "not used"),
        ({"DATABRICKS_GROUP_ID": "7"}, "DATABRICKS_GROUP_ID", "breaks", "act for a group"),
        ({"DATABRICKS_CLUSTER_ID": "c"}, "DATABRICKS_CLUSTER_ID", "fine", "do not use it"),
        ({"DATABRICKS_CONFIG_PROFILE": "p"}, "DATABRICKS_CONFIG_PROFILE", "note", "profile p"),
        ({"MLFLOW_TRACKING_URI": "databricks"}, "MLFLOW_TRACKING_URI", "note", "501"),
        ({"MLFLOW_TRACKING_URI": "http://u:p@m"}, "MLFLOW_TRACKING_URI", "fine", "do not use it"),
        ({"MLFLOW_DEPLOYMENTS_TARGET": "databricks"}, "MLFLOW_DEPLOYMENTS_TARGET", "fine", "Leads where"),
        ({"MLFLOW_DEPLOYMENTS_TARGET": "databricks://p"}, "MLFLOW_DEPLOYMENTS_TARGET", "breaks", "goes elsewhere"),
        ({"MLFLOW_DEPLOYMENTS_TARGET": "http://gate"}, "MLFLOW_DEPLOYMENTS_TARGET", "breaks", "goes elsewhere"),
        ({"MLFLOW_ENABLE_DB_SDK": "False"}, "MLFLOW_ENABLE_DB_SDK", "note", "a .netrc wins"),
        ({"OPENAI_BASE_URL": HERE + "/serving-endpoints/"}, "OPENAI_BASE_URL", "fine", "Leads to this"),
        ({"OPENAI_BASE_URL": HERE + "/v1"}, "OPENAI_BASE_URL", "breaks", "a path that is not there"),
        ({"OPENAI_BASE_URL": "https://x.test/v1"}, "OPENAI_BASE_URL", "note", "goes to https://x.test"),
        ({"HTTP_PROXY": "http://u:p@proxy:3128"}, "HTTP_PROXY", "breaks", "go to the proxy http://proxy:3128"),
        ({"http_proxy": "http://proxy", "NO_PROXY": "127.0.0.1"}, "http_proxy", "fine", "NO_PROXY keeps it away"),
        ({"ALL_PROXY": "http://proxy", "no_proxy": "a.test", "NO_PROXY": "127.0.0.1"}, "ALL_PROXY", "breaks", "proxy"),
    ],
)
def test_each_variable_is_named_with_what_it_does(home, environ, about, level, said):
    found = looked({**GOOD, **environ}, home)[about]
    assert found.level == level
    assert said in found.so
    assert found.do or level == "fine" or found.about == "DATABRICKS_CONFIG_FILE"


def test_with_nothing_in_the_way_nothing_is_said(home):
    assert {about for about, one in looked(GOOD, home).items() if one.level == "breaks"} == set()


def test_a_no_proxy_in_small_letters_that_wins_is_named(home):
    environ = {**GOOD, "HTTP_PROXY": "http://proxy", "no_proxy": "a.test", "NO_PROXY": "127.0.0.1"}
    assert "no_proxy is set without 127.0.0.1, and wins" in looked(environ, home)["HTTP_PROXY"].do


@pytest.mark.parametrize("proxy", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    "exempt",
    [{}, {"NO_PROXY": "127.0.0.1"}, {"NO_PROXY": "a.test"}, {"NO_PROXY": "a.test, 127.0.0.1"}, {"no_proxy": "*"}],
    ids=str,
)
def test_requests_sees_the_same_proxies(home, monkeypatch, proxy, exempt):
    utils = pytest.importorskip("requests.utils")
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    environ = {proxy: "http://proxy.test:3128", **exempt}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    really = bool(utils.select_proxy(HERE, utils.get_environ_proxies(HERE)))
    found = looked({**GOOD, **environ}, home)
    assert really == (proxy in found and found[proxy].level == "breaks")


@pytest.mark.parametrize(
    ("text", "wins"),
    [
        ("machine 127.0.0.1 login me password x\n", True),
        ("default login me password x\n", True),
        ("machine elsewhere login me password x\n", False),
        ("machine\n", False),
    ],
)
def test_requests_reads_the_same_netrc(home, monkeypatch, text, wins):
    utils = pytest.importorskip("requests.utils")
    path = home / "rc"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    assert bool(utils.get_netrc_auth(HERE)) == wins
    found = looked({**GOOD, "NETRC": str(path)}, home)
    assert (str(path) in found) == wins
    assert not wins or REQUESTS in found[str(path)].so


def test_the_netrc_of_the_home_folder_counts(home):
    (home / ".netrc").write_text("machine 127.0.0.1 login me password x\n", encoding="utf-8")
    assert looked(GOOD, home)[str(home / ".netrc")].level == "breaks"


def test_other_profiles_are_named_with_where_they_lead(home, profiles):
    profiles(f"[DEFAULT]\nhost = {ELSEWHERE}\n[here]\nhost = {HERE}\n[prod]\nhost = {ELSEWHERE}\ntoken = {SECRET}\n")
    named = {about: one for about, one in looked(GOOD, home).items() if about.startswith("profile")}
    assert [about.split()[1] for about in named] == ["DEFAULT", "prod"]
    assert all(one.level == "note" and ELSEWHERE in one.so for one in named.values())


def test_a_profile_that_wins_is_named(home, profiles):
    profiles(f"[DEFAULT]\nhost = {ELSEWHERE}\ntoken = {SECRET}\n")
    (about,) = [about for about, one in looked({}, home).items() if one.level == "breaks"]
    assert about.startswith("profile DEFAULT in ")


@pytest.mark.parametrize(("content", "said"), [(b"[one\n", "file of profiles (line 1)"), (b"\xff", "cannot be read")])
def test_a_file_that_cannot_be_read_is_named(home, content, said):
    (home / ".databrickscfg").write_bytes(content)
    assert said in looked(GOOD, home)[str(home / ".databrickscfg")].so
    assert said in looked({"DATABRICKS_CONFIG_PROFILE": "p"}, home)["login"].so


@pytest.mark.parametrize(
    ("version", "level"), [("0.39.1", "breaks"), ("0.40.0", "fine"), ("1.0", "fine"), ("", "note")]
)
def test_versions_are_compared_with_what_is_supported(home, monkeypatch, version, level):
    monkeypatch.setattr(findings, "_version", lambda _name: version if _name == "databricks-sdk" else "")
    found = {one.about: one.level for one in findings.looks(around(GOOD, home))}
    assert found["databricks-sdk"] == level


# --- the command against servers --------------------------------------------------------------------


def ask(*options, **environ):
    """Run the command as a process of its own with these variables alone."""
    base = {"PATH": os.environ["PATH"], "HOME": environ.pop("HOME"), "COLUMNS": "200"}
    run = [sys.executable, "-c", "from servesim.delivery.cli import main; main()", "doctor", *options]
    done = subprocess.run(run, env={**base, **environ}, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    return done


def told(done):
    return {one["about"]: one for one in json.loads(done.stdout)["findings"]}


def test_everything_right_is_exit_code_0(servesim, home):
    done = ask("--url", servesim.host, "--json", **servesim.env, HOME=str(home))
    assert done.returncode == 0, done.stdout
    document = json.loads(done.stdout)
    assert (document["url"], document["fine"]) == (servesim.host, True)
    found = told(done)
    assert found[servesim.host]["so"] == "A servesim answers."
    assert "stands for tester@example.com" in found["DATABRICKS_TOKEN"]["so"]


def test_a_token_that_the_server_does_not_take_is_exit_code_1(servesim, home):
    done = ask("--json", **{**servesim.env, "SERVESIM_URL": servesim.host, "DATABRICKS_TOKEN": SECRET}, HOME=str(home))
    assert done.returncode == 1
    assert told(done)["DATABRICKS_TOKEN"]["level"] == "breaks"
    assert SECRET not in done.stdout


@pytest.mark.parametrize(("secret", "level"), [("right-secret", "fine"), (SECRET, "breaks")])
def test_a_client_s_secret_is_tried_by_asking_for_a_token(servesim_server, home, secret, level):
    scenario = home / "world.yaml"
    scenario.write_text("principals: [{service_principal: robot, client_id: robot, client_secret: right-secret}]")
    with servesim_server.open(scenario=scenario) as sim:
        environ = {"DATABRICKS_HOST": sim.host, "DATABRICKS_CLIENT_ID": "robot", "DATABRICKS_CLIENT_SECRET": secret}
        done = ask("--url", sim.host, "--json", **environ, HOME=str(home))
    found = told(done)["DATABRICKS_CLIENT_SECRET"]
    assert (done.returncode, found["level"]) == (int(level == "breaks"), level)
    assert secret not in done.stdout
    assert ("stands for robot" in found["so"]) == (level == "fine")


def test_the_admin_token_is_tried_too(servesim, servesim_server, home, monkeypatch):
    monkeypatch.setattr(servesim_server.server, "admin_token", "of-mine")
    for token, level in (("of-mine", "fine"), (SECRET, "note")):
        done = ask("--url", servesim.host, "--json", **servesim.env, SERVESIM_ADMIN_TOKEN=token, HOME=str(home))
        assert done.returncode == 0
        assert told(done)["SERVESIM_ADMIN_TOKEN"]["level"] == level
        assert token not in done.stdout


def test_a_token_stays_here_if_clients_would_take_it_elsewhere(servesim, home):
    environ = {**servesim.env, "DATABRICKS_HOST": ELSEWHERE, "DATABRICKS_TOKEN": SECRET}
    done = ask("--url", servesim.host, "--json", **environ, HOME=str(home))
    assert done.returncode == 1
    assert "not tried" in told(done)["DATABRICKS_TOKEN"]["so"]


def test_the_table_says_it_for_people(servesim, home):
    done = ask("--url", servesim.host, **servesim.env, DATABRICKS_CLIENT_ID="[red]x[/red]", HOME=str(home))
    assert done.returncode == 1
    assert "what to do" in done.stdout
    assert done.stdout.splitlines()[-1] == f"{servesim.host}: 1 in the way, see above."


def test_nobody_there_is_a_finding(home):
    done = ask("--url", "http://127.0.0.1:1", "--json", HOME=str(home))
    assert done.returncode == 1
    assert "Nobody answers" in told(done)["http://127.0.0.1:1"]["so"]


@pytest.fixture
def stranger():
    """Serve something that is no servesim, and that should see no token."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers.get("Authorization"))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"welcome")

        def log_message(self, *_):
            pass

    seen = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server, seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_server_is_found_out_and_gets_no_token(stranger, home):
    server, seen = stranger
    url = f"http://127.0.0.1:{server.server_port}"
    done = ask("--url", url, "--json", DATABRICKS_HOST=url, DATABRICKS_TOKEN=SECRET, HOME=str(home))
    assert done.returncode == 1
    assert "no servesim" in told(done)[url]["so"]
    assert seen == [None]


def test_authorities_are_tried_for_each_reader(stranger, home):
    pytest.importorskip("trustme")
    server, _ = stranger
    url = f"https://127.0.0.1:{server.server_port}"
    with throw_away([], home / "one") as good, throw_away([], home / "two") as bad:
        server.socket = good.context.wrap_socket(server.socket, server_side=True)
        file = good.authority
        found = doctor.examine(url, {"REQUESTS_CA_BUNDLE": str(file), "SSL_CERT_FILE": str(bad.authority)}, home)
        by_name = {one.about: one for one in found}
        assert by_name["REQUESTS_CA_BUNDLE"].level == "fine"
        assert by_name["SSL_CERT_FILE"].level == "breaks"
        assert "would not trust the server" in by_name["SSL_CERT_FILE"].so
        assert "no servesim" in by_name[url].so
        by_name = {one.about: one for one in doctor.examine(url, {"CURL_CA_BUNDLE": str(home / "none")}, home)}
        assert by_name["CURL_CA_BUNDLE"].so.endswith("the file is not there.")
        assert by_name["SSL_CERT_FILE"].level == "breaks"
        assert url not in by_name


def test_no_secret_is_ever_printed(servesim, home):
    """Plant one in every variable and file that the command reads."""
    variables = [name for names, _ in logins.ATTRIBUTES.values() for name in names]
    variables += [*findings.NO_ACCOUNT, "OPENAI_API_KEY", "SERVESIM_ADMIN_TOKEN", "SERVESIM_TOKEN"]
    environ = dict.fromkeys(variables, SECRET)
    with_user = f"http://{SECRET}:{SECRET}@127.0.0.1:1/{SECRET}?{SECRET}"
    urls = ("DATABRICKS_HOST", "HTTP_PROXY", "ALL_PROXY", "MLFLOW_TRACKING_URI", "OPENAI_BASE_URL")
    environ |= dict.fromkeys(urls, with_user)
    environ["DATABRICKS_AUTH_TYPE"] = "pat"
    (home / ".netrc").write_text(f"machine 127.0.0.1 login {SECRET} password {SECRET}\n", encoding="utf-8")
    (home / ".databrickscfg").write_text(f"[prod]\nhost = {with_user}\ntoken = {SECRET}\n", encoding="utf-8")
    for options in ([], ["--json"]):
        done = ask("--url", servesim.host, *options, **environ, HOME=str(home))
        assert done.returncode == 1
        assert "prod" in done.stdout
        assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("url", ["127.0.0.1:8765", "ftp://x", "http://", "http://x:99999", f"http://u:{SECRET}@x"])
def test_what_is_no_url_is_wrong_usage(url):
    result = CliRunner().invoke(doctor.command, ["--url", url])
    assert result.exit_code == 2
    assert "not the URL of a server" in result.output
    assert SECRET not in result.output


def test_a_look_that_fails_is_exit_code_5(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(doctor.Path, "home", nobody)
    result = CliRunner().invoke(doctor.command, [])
    assert result.exit_code == 5
    assert "could not look around" in result.output
