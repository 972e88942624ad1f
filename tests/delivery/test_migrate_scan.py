"""`servesim migrate scan`: what it finds and where, what it leaves alone, when it fails, and what it reads at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from servesim.contracts.documents import document
from servesim.delivery.cli import main
from servesim.delivery.migration import scan as command
from servesim.delivery.migration import scan_files
from servesim.delivery.migration.scan_find import find
from servesim.delivery.migration.scan_patterns import control
from servesim.delivery.migration.scan_words import LEGACY_OPERATIONS, OPERATIONS, PREVIEW_OPERATIONS, RULES

LEGACY_URL = "https://h.example/model/iris/Production/invocations"
GA_URL = "https://h.example/serving-endpoints/iris/invocations"


def found(text, suffix="py", signatures=None):
    """Return what is found in a text: rules with their lines."""
    return [(one.rule.id, one.line) for one in find(text, f"x.{suffix}", suffix, signatures or {})]


def scan(*arguments):
    return CliRunner().invoke(main, ["migrate", "scan", *map(str, arguments)], catch_exceptions=False)


# --- what is found ----------------------------------------------------------------------------------

PYTHON = {
    "a URL": (f'url = "{LEGACY_URL}"', ["SRV001"]),
    "a twin of the UI": ('url = "/ajax-model/iris/1/invocations"', ["SRV001"]),
    "the preview": ('url = f"{host}/model-endpoint/{name}/{stage}/invocations"', ["SRV002"]),
    "its twin": ('url = "/ajax-model-endpoint/iris/1/invocations"', ["SRV002"]),
    "quoted": ('url = "https://h/model/my%20model/Staging/invocations"', ["SRV001"]),
    "added up": ('url = host + "/model/" + name + "/" + stage + "/invocations"', ["SRV001"]),
    "over lines": ('url = (\n    host\n    + "/model/"\n    + name\n    + "/1/invocations"\n)', ["SRV001"]),
    "formatted": ('path = "{}/{}/{}"\nurl = path.format("model", name, "1") + "/invocations"', []),
    "formatted whole": ('url = "{}/model/{}/1/{}".format(host, name, "invocations")', ["SRV001"]),
    "per cent": ('url = "%s/model-endpoint/%s/%s/invocations" % (host, name, stage)', ["SRV002"]),
    "joined": ('url = "/".join([host, "model", name, stage, "invocations"])', ["SRV001"]),
    "by a name": ('BASE = "https://h/model"\nurl = f"{BASE}/iris/1/invocations"', ["SRV001"]),
    "by a name in a function": ('BASE = "/model/"\ndef url(n):\n    return BASE + n + "/1/invocations"', ["SRV001"]),
    "operations": ('get(f"{h}/api/2.0/preview/mlflow/endpoints/get-status")', ["SRV003"]),
    "operations of the preview": ('get("/ajax-api/2.0/preview/mlflow/endpoints-v2/list-versions")', ["SRV004"]),
    "the other prefix": ('put("/preview/model-serving-api/endpoints-v2/update-compute-config")', ["SRV004"]),
    "a base": (
        'BASE = "/api/2.0/mlflow/endpoints-v2"\nget(f"{BASE}/{op}")\nget(f"{BASE}/enable")',
        ["SRV004", "SRV004"],
    ),
    "states": ('import mlflow\ndone = {"ENDPOINT_STATE_READY", "VERSION_STATE_FAILED"}', ["SRV005", "SRV005"]),
    "states of the preview": ('url = "endpoints-v2"\nbad = "SERVICE_STATE_FAILED"', ["SRV005"]),
    "the SDK's class": ("ServedModelInput(name='x')", ["SRV006"]),
    "stages": ("import mlflow\nclient.transition_model_version_stage('m', 1, 'Staging')", ["SRV007"]),
    "latest": ("from mlflow import x\nx.get_latest_versions('m', ['None'])", ["SRV007"]),
    "a URI": ("load('models:/iris/production')", ["SRV008"]),
    "split": ("requests.post(url, data=frame.to_json(orient='split'))", ["SRV009"]),
    "split by a name": (
        "def score(frame):\n    body = json.dumps(frame.to_dict('split'))\n    s.request('POST', u, data=body)",
        ["SRV009"],
    ),
    "split by hand": ("httpx.post(url, json={'columns': ['a'], 'data': [[1]]})", ["SRV009"]),
    "one of two": ("requests.post(u, json=a if b else frame.to_dict(orient='split'))", ["SRV009"]),
    "a literal": (f"urlopen(Request('{GA_URL}', '[[1]]'.encode()))", ["SRV011"]),
    "a list": (f"requests.post('{GA_URL}', json=array.tolist())", ["SRV011"]),
    "records": (f"URL = '{GA_URL}'\nrequests.post(URL, json=frame.to_dict(orient='records'))", ["SRV011"]),
    "content types": ("h = {'Content-Type': 'application/json; format=pandas-records'}", ["SRV010"]),
    "tables": ("config = {'auto_capture_config': {'enabled': True}}", ["SRV013"]),
    "sizes": ("spec = {'workload_size_id': 'Small'}", ["SRV014"]),
    "what Databricks runs": (f"# Databricks notebook source\n# MAGIC %sh\n# MAGIC curl {LEGACY_URL}", ["SRV001"]),
    "broken syntax": (f"x = (\nurl = '{LEGACY_URL}'  # {LEGACY_URL}", ["SRV001"]),
}


@pytest.mark.parametrize(("text", "rules"), PYTHON.values(), ids=PYTHON)
def test_python(text, rules):
    assert [rule for rule, _ in found(text)] == rules


OTHERS = {
    "curl": ("sh", f"curl -X POST {LEGACY_URL} \\\n  -d '[[1, 2]]'", [("SRV001", 1), ("SRV011", 2)]),
    "curl with a frame": (
        "sh", f"curl --data-raw '{{\"columns\": [\"a\"], \"data\": [[1]]}}' {GA_URL}", [("SRV009", 1)],
    ),
    "variables": ("sh", "curl $HOST/model/$NAME/$STAGE/invocations", [("SRV001", 1)]),
    "JavaScript": (
        "ts",
        f"const u = `${{host}}/model/${{name}}/1/invocations`;\nfetch('{GA_URL}', {{body: JSON.stringify([row])}})",
        [("SRV001", 1), ("SRV011", 2)],
    ),
    "Scala": ("scala", 'val u = host + "/model-endpoint/" + name + "/1/invocations"', [("SRV002", 1)]),
    "Power Query": ("pq", 'Url = Host & "/model/" & Name & "/Production/invocations"', [("SRV001", 1)]),
    "Terraform": (
        "tf", "config {\n  served_models {\n  }\n  auto_capture_config {\n  }\n}", [("SRV006", 2), ("SRV013", 4)],
    ),
    "YAML": ("yaml", "config:\n  served_models:\n    - model_name: iris\n", [("SRV006", 2)]),
    "JSON": ("json", '{"desired_workload_config_spec": {"workload_size_id": "Small"}}', [("SRV014", 1)]),
    "templates": ("yaml", 'url: "{{ host }}/model/{{ name }}/{{ stage }}/invocations"', [("SRV001", 1)]),
}  # fmt: skip


@pytest.mark.parametrize(("suffix", "text", "rules"), OTHERS.values(), ids=OTHERS)
def test_other_languages(suffix, text, rules):
    assert found(text, suffix) == rules


NOTHING = {
    "Django's URLs": ("py", 'urlpatterns = [path("model/<int:pk>/edit", edit), path("/model/a/b/", show)]'),
    "another service's": ("py", 'url = "https://api.example/v2/model/a/b/invocations"'),
    "SageMaker's": ("py", 'url = "https://runtime.sagemaker.example/endpoints/iris/invocations"'),
    "Bedrock's": ("py", 'url = "https://bedrock.example/model/claude/invoke"'),
    "its bodies": ("py", 'requests.post("https://runtime.example/endpoints/x/invocations", json=[1, 2])'),
    "GA's URLs": ("py", f'url = "{GA_URL}"\nother = "/serving-endpoints/a/served-models/b/invocations"'),
    "GA's bodies": ("py", f'requests.post("{GA_URL}", json={{"dataframe_split": frame.to_dict(orient="split")}})'),
    "a gateway's endpoints": ("py", 'get("/api/3.0/mlflow/gateway/endpoints/list")\nget("/api/2.0/endpoints/list")'),
    "comments": ("py", f"x = 1  # {LEGACY_URL}\n# {LEGACY_URL}"),
    "docstrings": ("py", f'def f():\n    """Once {LEGACY_URL}."""\n'),
    "comments elsewhere": ("ts", f"// {LEGACY_URL}"),
    "comments of YAML": ("yaml", f"# {LEGACY_URL}"),
    "states of others": ("py", 'state = "SERVICE_STATE_READY"\nother = "ENDPOINT_STATE_READY_SOON"'),
    "frames that are not sent": ("py", 'frame.to_json("x.json", orient="split")\nbody = frame.to_dict("records")'),
    "frames sent elsewhere": ("py", 'requests.post("https://h.example/api/rows", json=frame.to_dict(orient="split"))'),
    "lists sent elsewhere": ("py", f'A = "{GA_URL}"\nrequests.post("https://h.example/rows", json=[1])'),
    "registries of others": ("py", "registry.get_latest_versions('package')"),
    "URIs by version": ("py", "load('models:/iris/3')\nload('models:/main.ml.iris@production')"),
    "routes": ("json", '{"traffic_config": {"routes": [{"served_model_name": "a"}]}}'),
    "tables that are off": ("py", "config = {'auto_capture_config': None}"),
    "a name rebound": ("py", f"A = '{LEGACY_URL[:23]}'\ndef f(A):\n    return A + '/iris/1/invocations'"),
}


@pytest.mark.parametrize(("suffix", "text"), NOTHING.values(), ids=NOTHING)
def test_what_is_left_alone(suffix, text):
    assert found(text, suffix) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_what_a_rule_says_to_write_is_not_found_by_it(rule):
    before, after = (
        [one for one, _ in found(f'import mlflow\nurl = "{GA_URL}"\n{text}')] for text in (rule.before, rule.after)
    )
    assert rule.id in before
    assert rule.id not in after


def test_the_page_lists_every_rule():
    page = (Path(__file__).parents[2] / "docs/migrate.md").read_text(encoding="utf-8")
    assert [line[2:8] for line in page.splitlines() if line.startswith("| SRV")] == [rule.id for rule in RULES]


@pytest.mark.parametrize("surface", ["legacy", "serverless_preview"])
def test_every_operation_of_the_contracts_is_known(surface):
    paths = [path for path in document(surface)["paths"] if "invocations" not in path]
    operations = {control(path) for path in paths}
    listed = LEGACY_OPERATIONS if surface == "legacy" else PREVIEW_OPERATIONS
    assert operations == {(surface, one) for one in listed}
    assert set(listed) <= set(OPERATIONS)


# --- where ------------------------------------------------------------------------------------------

NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": [f"Once {LEGACY_URL}"]},
        {
            "cell_type": "code",
            "source": ["name = 'ü \"x\"'\n", 'u = "\u00fc"; BASE = "/model"; v = "/model/a/1/invocations"'],
            "outputs": [{"text": ["/model/shown/1/invocations"]}],
        },
        {"cell_type": "code", "source": "%sh\ncurl /model-endpoint/b/2/invocations"},
        {"cell_type": "code", "source": ["!curl /model/c/3/invocations\n", 'w = BASE + "/d/4/invocations"']},
        {"cell_type": "code", "source": ["%md\n", "/model/e/5/invocations"]},
    ],
    "metadata": {"kernelspec": {"language": "python"}},
}


@pytest.mark.parametrize("is_ascii", [True, False])
@pytest.mark.parametrize("indent", [None, 1])
def test_a_place_in_a_notebook_is_one_in_its_file(is_ascii, indent):
    text = json.dumps(NOTEBOOK, indent=indent, ensure_ascii=is_ascii)
    findings = find(text, "x.ipynb", "ipynb", {})
    lines = text.split("\n")
    assert [one.cell for one in findings] == [
        f"cell {cell}, line {line}" for cell, line in [(2, 2), (3, 2), (4, 1), (4, 2)]
    ]
    for one in findings[:3]:
        assert lines[one.line - 1][one.column - 1 :].startswith(one.found) or is_ascii
    assert findings[3].found == "/model/d/4/invocations"
    assert lines[findings[3].line - 1][findings[3].column - 1 :].startswith("BASE")


def test_a_place_in_a_script():
    (one,) = find(f'x = 1\nü = "{LEGACY_URL}"\n', "x.py", "py", {})
    assert (one.line, one.column, one.end_column) == (2, 23, 23 + len(one.found))
    assert one.found == "/model/iris/Production/invocations"


@pytest.mark.parametrize("text", ['{"cells": 1}', '{"cells": [{}]}', "[]", "{", '{"cells": [1]}', "[" * 100_000])
def test_what_is_no_notebook_is_read_as_text(text):
    assert found(f"{text}\n{LEGACY_URL}", "ipynb") == [("SRV001", 2)]


@pytest.mark.parametrize(
    ("url", "instead"),
    [
        (LEGACY_URL, "POST /serving-endpoints/iris-Production/invocations."),
        ("/model/my%20model/staging/invocations", "POST /serving-endpoints/my-model-Staging/invocations."),
        (
            "/model/iris/3/invocations",
            "POST /serving-endpoints/iris/invocations, of an endpoint that serves version 3.",
        ),
        ("/model-endpoint/{name}/Staging/invocations", "POST /serving-endpoints/{name}-Staging/invocations."),
    ],
)
def test_the_new_address(url, instead):
    (one,) = find(f'url = "{url}"', "x.py", "py", {})
    assert one.instead == instead


# --- when it fails ----------------------------------------------------------------------------------


@pytest.fixture
def legacy(tmp_path):
    (tmp_path / "score.py").write_text(f'url = "{LEGACY_URL}"\n', encoding="utf-8")
    return tmp_path


@pytest.fixture
def preview(tmp_path):
    (tmp_path / "score.py").write_text('url = "/model-endpoint/iris/1/invocations"\n', encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--today", "2025-09-14"], 0, "breaks on 2025-09-15, in 1 day"),
        (["--today", "2025-09-14T23:59:59Z"], 0, "breaks on 2025-09-15, within a day"),
        (["--today", "2025-09-15"], 1, "broken since 2025-09-15, today"),
        (["--today", "2025-09-16"], 1, "broken since 2025-09-15, 1 day ago"),
        (["--today", "2025-06-01", "--by", "2025-09-15"], 0, "none breaks before 2025-09-15"),
        (["--today", "2025-06-01", "--by", "2025-09-16"], 1, "1 breaks before 2025-09-16"),
        (["--date", "legacy=2999-01-01"], 0, "breaks on 2999-01-01"),
        ([], 1, "broken since 2025-09-15"),
    ],
)
def test_the_day_counts(legacy, options, code, told):
    result = scan(legacy, *options)
    assert (result.exit_code, told in result.output) == (code, True), result.output


def test_a_day_that_nobody_published_is_called_so(tmp_path):
    (tmp_path / "x.py").write_text("config = {'auto_capture_config': {'enabled': True}}\n", encoding="utf-8")
    chosen = "2026-01-01, 4 days ago; the day is not known, servesim chose it\n"
    assert chosen in scan(tmp_path, "--today", "2026-01-05").output
    own = "value:*:auto_capture_config.enabled=true=2026-01-02"
    assert "2026-01-02, 3 days ago\n" in scan(tmp_path, "--today", "2026-01-05", "--date", own).output


def test_what_begins_something_breaks_sooner(tmp_path):
    (tmp_path / "x.sh").write_text("curl $H/api/2.0/mlflow/endpoints/enable\n", encoding="utf-8")
    assert "breaks on 2025-08-22" in scan(tmp_path, "--today", "2025-08-01").output
    assert scan(tmp_path, "--today", "2025-08-22").exit_code == 1


def test_the_preview_has_no_day_unless_it_is_given_one(preview):
    result = scan(preview)
    assert result.exit_code == 0
    assert "no day was published" in result.output
    dated = scan(preview, "--date", "serverless_preview=2026-04-01", "--by", "2026-05-01", "--today", "2026-03-31")
    assert dated.exit_code == 1
    assert "breaks on 2026-04-01, in 1 day" in dated.output


@pytest.mark.parametrize(
    ("comment", "silenced"),
    [
        ("# servesim: ignore[SRV001]", True),
        ("# servesim: ignore", True),
        ("# servesim:ignore[SRV002, srv001]", True),
        ("# servesim: ignore[SRV002]", False),
        ("", False),
    ],
)
def test_a_comment_silences_a_line(tmp_path, comment, silenced):
    (tmp_path / "x.py").write_text(f'url = "{LEGACY_URL}"  {comment}\n', encoding="utf-8")
    result = scan(tmp_path)
    assert result.exit_code == (0 if silenced else 1)
    assert ("1 silenced" in result.output) == silenced


def test_a_rule_can_be_left_out(legacy):
    assert scan(legacy, "--ignore", "srv001").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Name files or folders"),
        (["nowhere"], "does not exist"),
        ([".", "--by", "soon"], "2026-04-01 will do"),
        ([".", "--date", "legcy=2026-01-01"], "did you mean 'legacy'"),
        ([".", "--ignore", "SRV999"], "There is no rule 'SRV999'"),
        (["--explain", "SRV999"], "There is no rule"),
        ([".", "--models", "nowhere"], "no folder"),
    ],
)
def test_wrong_usage(arguments, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = scan(*arguments)
    assert (result.exit_code, told in result.output) == (2, True), result.output


def test_rules_are_explained():
    assert "+ models:/main.ml.iris@production" in scan("--explain", "SRV008").output
    assert scan("--explain", "all").output.count("\nSRV") == len(RULES) - 1


# --- which models have a signature ------------------------------------------------------------------

RECORDS = f'requests.post("{GA_URL}", json={{"dataframe_records": rows}})\n'


def model(folder, *, signed):
    folder.mkdir(parents=True)
    inner = "signature:\n  inputs: '[]'\n" if signed else ""
    (folder / "MLmodel").write_text(f"flavors: {{}}\n{inner}", encoding="utf-8")


def test_a_model_beside_the_code_tells(tmp_path):
    (tmp_path / "x.py").write_text(RECORDS, encoding="utf-8")
    assert "not known whether the model has a signature" in scan(tmp_path).output
    model(tmp_path / "models/iris", signed=False)
    assert "SRV012 warning: dataframe_records for iris, which has no signature" in scan(tmp_path).output


def test_what_is_not_known_is_said_once():
    assert found(f"{RECORDS}x = 1\n{RECORDS}") == [("SRV012", 1)]
    assert found(f"{RECORDS}x = 1\n{RECORDS}", signatures={"iris": False}) == [("SRV012", 1), ("SRV012", 3)]


def test_a_model_with_a_signature_takes_records(tmp_path):
    (tmp_path / "x.py").write_text(RECORDS, encoding="utf-8")
    model(tmp_path / "elsewhere/m-1", signed=True)
    assert "Nothing of" in scan(tmp_path / "x.py", "--models", f"iris={tmp_path}/elsewhere/m-1").output
    (tmp_path / "elsewhere/m-1/MLmodel").write_bytes(b"\xff\xfe\x00 {")
    broken = scan(tmp_path / "x.py", "--models", tmp_path / "elsewhere")
    assert (broken.exit_code, "no MLmodel file that can be read" in broken.output) == (2, True)


def test_a_running_servesim_tells(here, command, tmp_path):
    (tmp_path / "x.py").write_text(RECORDS, encoding="utf-8")
    asked = ["migrate", "scan", str(tmp_path), "--url", here.host]
    here.models.stub("main.ml.iris", "echo", signature={"a": "double"})
    assert "Nothing of" in command(*asked).output
    here.models.stub("main.ml.iris", "echo")
    assert "for iris, which has no signature" in command(*asked).output
    assert command(*asked[:-1], "http://127.0.0.1:9").exit_code == 5


# --- which files ------------------------------------------------------------------------------------


def test_only_what_people_write_is_read(tmp_path):
    for name in (
        ".git/x.py",
        "env/x.py",
        "node_modules/a/x.js",
        "__pycache__/x.py",
        "kept/.tox/x.py",
        "a.md",
        "kept/x.py",
        "tests/x.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"u = '{LEGACY_URL}'", encoding="utf-8")
    (tmp_path / "env/pyvenv.cfg").touch()
    (tmp_path / "kept/loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "kept/again.py").symlink_to(tmp_path / "kept/x.py")
    (tmp_path / "binary.py").write_bytes(b"\0" * 10)
    (tmp_path / "large.json").write_bytes(b" " * (scan_files.FILE_LIMIT + 1))
    os.mkfifo(tmp_path / "pipe.py")
    os.mkfifo(tmp_path / "MLmodel")
    result = scan(tmp_path, "--format", "json", "--exclude", "tests")
    told = json.loads(result.output)
    assert [Path(one["path"]).name for one in told["findings"]] == ["again.py"]
    why = {Path(one["path"]).name: one["why"] for one in told["skipped"]}
    assert why == {
        ".git": "what others wrote, or programs", ".tox": "what others wrote, or programs",
        "env": "what others wrote, or programs", "node_modules": "what others wrote, or programs",
        "loop": "a link to a folder; name it to scan it", "tests": "excluded", "binary.py": "no text",
        "large.json": "larger than 2,097,152 bytes", "pipe.py": "no ordinary file",
    }  # fmt: skip
    assert told["other_kinds"] == 1
    assert "Not read, no text: " in scan(tmp_path).output


def test_many_and_deep_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(scan_files, "MOST_FILES", 2)
    monkeypatch.setattr(scan_files, "DEEPEST", 1)
    monkeypatch.setattr(command, "MOST_FINDINGS", 1)
    (tmp_path / "a/b/c").mkdir(parents=True)
    for name in ("1.py", "2.py", "3.py", "a/b/c/4.py"):
        (tmp_path / name).write_text(f"u = '{LEGACY_URL}'", encoding="utf-8")
    told = scan(tmp_path).output
    assert "Not read, more than 2 files: " in told
    assert "Not read, more than 1 folders deep: " in told
    assert "Not read, what comes after 1 findings: " in told


def test_somebody_who_looks_on_sees_how_far_it_is(legacy, monkeypatch):
    monkeypatch.setattr(command, "MANY_FILES", 1)
    quiet = scan(legacy)
    monkeypatch.setattr(command, "is_terminal", lambda _: True)
    told = scan(legacy)
    assert (quiet.stderr, told.stderr.strip()) == ("", "scanning")
    assert told.stdout == quiet.stdout


@pytest.mark.parametrize(
    "content",
    [
        f"u = '{LEGACY_URL}' # ü".encode("latin-1"),
        f"u = '{LEGACY_URL}'".encode("utf-16"),
        f"\ufeffu = '{LEGACY_URL}'".encode(),
        f"x = 1\r\nu = '{LEGACY_URL}'\r\n".encode(),
    ],
    ids=["latin-1", "utf-16", "a mark", "line ends"],
)
def test_encodings(tmp_path, content):
    (tmp_path / "x.py").write_bytes(content)
    assert scan(tmp_path).exit_code == 1


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f'x{number} = f"{{x{number - 1}}}{{x{number - 1}}}"' for number in range(300)),
        "x = " + "(" * 500 + "1" + ")" * 500,
        "u = " + " + ".join(['"/model/"'] * 2_000),
        "u = '" + "/model/{" * 2_000 + "'",
        "f = " + "lambda: " * 200 + "1",
    ],
    ids=["doubling", "brackets", "sums", "parts", "functions"],
)
def test_hostile_python_ends(text):
    assert found(text) == []


# --- for programs -----------------------------------------------------------------------------------


def test_json(legacy):
    told = json.loads(scan(legacy, "--format", "json", "--today", "2025-09-01", "--by", "2025-10-01").output)
    (one,) = told["findings"]
    assert (told["today"], told["by"], told["files"], told["broken"]) == ("2025-09-01", "2025-10-01", 1, 1)
    assert {name: one[name] for name in ("rule", "line", "column", "breaks_on", "broken", "severity")} == {
        "rule": "SRV001", "line": 1, "column": 25, "breaks_on": "2025-09-15", "broken": True, "severity": "error",
    }  # fmt: skip


def test_json_is_asked_for_as_of_the_siblings(legacy):
    told = scan(legacy, "--json").output
    assert told == scan(legacy, "--format", "json").output == scan(legacy, "--json", "--format", "json").output
    assert json.loads(told)["findings"]


@pytest.mark.parametrize("form", ["text", "sarif"])
def test_two_forms_at_once_are_wrong_usage(legacy, form):
    result = scan(legacy, "--json", "--format", form)
    assert (result.exit_code, "ask for one" in result.output) == (2, True)


def test_sarif(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.py").write_text(
        f'u = "{LEGACY_URL}"\nv = "{LEGACY_URL}"  # servesim: ignore\nload("models:/m/Staging")\n', encoding="utf-8"
    )
    (tmp_path / "bad.py").write_bytes(b"\0")
    result = scan(".", "--format", "sarif")
    log = json.loads(result.output)
    assert result.exit_code == 1
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.id for rule in RULES]
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in rules)
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["invocations"][0]["executionSuccessful"] is True
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "bad.py: no text"
    for one in run["results"]:
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["level"] in {"error", "warning", "note"}
        assert one["message"]["text"]
        (place,) = one["locations"]
        assert place["physicalLocation"]["artifactLocation"] == {"uri": "a%20b.py", "uriBaseId": "SRCROOT"}
        region = place["physicalLocation"]["region"]
        assert 0 < region["startColumn"] < region["endColumn"]
    assert [one.get("suppressions") for one in run["results"]] == [None, [{"kind": "inSource"}], None]
    assert "Broken since 2025-09-15, " in run["results"][0]["message"]["text"]
    assert [one["level"] for one in run["results"]] == ["error", "error", "warning"]


def test_a_name_that_is_no_utf_8_is_escaped_in_sarif(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(os.fsdecode(b"\xff.py")).write_text(f"u = '{LEGACY_URL}'", encoding="utf-8")
    (found,) = json.loads(scan(".", "--format", "sarif").output)["runs"][0]["results"]
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "%FF.py"


def test_an_absolute_path_is_an_address_in_sarif(legacy):
    log = json.loads(scan(legacy, "--format", "sarif").output)
    assert log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith(
        "file:///"
    )


def test_the_same_files_give_the_same_bytes(legacy):
    told = scan(legacy, "--today", "2026-01-01").output
    program = "from servesim.delivery.cli import main; main()"
    words = [sys.executable, "-c", program, "migrate", "scan", "--today", "2026-01-01", str(legacy)]
    hashing = {**os.environ, "PYTHONHASHSEED": "1"}  # otherwise than in this process
    other = subprocess.run(words, capture_output=True, check=False, text=True, env=hashing)
    assert (other.returncode, other.stdout) == (1, told)
