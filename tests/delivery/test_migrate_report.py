"""`servesim migrate report`: what is told of calls that were made, what never is, and files that are none."""

from __future__ import annotations

import base64
import json

import pytest
from click.testing import CliRunner

from servesim.delivery import recording
from servesim.delivery.cli import main
from servesim.delivery.migration.report_calls import Call, Caller, Callers
from servesim.delivery.migration.report_judge import body_change, verdict_of
from servesim.delivery.recording import Exchange, Recording, Side

SCORING = "/model/iris/Production/invocations"
PRINCIPAL = "6f1a2b3c-0000-1111-2222-333344445555"
SECRET = "dapi0123456789abcdef"


def report(*arguments, given=None):
    return CliRunner().invoke(main, ["migrate", "report", *map(str, arguments)], catch_exceptions=False, input=given)


def a_request(path=SCORING, **fields):
    return {
        "instant": "2025-06-02T09:00:00Z", "method": "POST", "path": path, "status": 200,
        "requester": "ann@example.com", **fields,
    }  # fmt: skip


def an_entry(path=SCORING, authorization="", body=None, content_type="application/json"):
    headers = [{"name": "Content-Type", "value": content_type}]
    headers += [{"name": "authorization", "value": authorization}] if authorization else []
    request = {
        "method": "POST",
        "url": f"https://u:{SECRET}@h.example{path}?token={SECRET}",
        "headers": headers,
        **({} if body is None else {"postData": {"mimeType": content_type, "text": body}}),
    }
    return {"startedDateTime": "2025-06-02T11:00:00.000+02:00", "request": request, "response": {"status": 200}}


def signed(**claims):
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims))
    return "Bearer " + ".".join([*parts, SECRET])


@pytest.fixture
def journal(tmp_path):
    def write(*requests):
        file = tmp_path / "journal.json"
        file.write_text(json.dumps({"requests": requests, "kept": len(requests)}), encoding="utf-8")
        return file

    return write


@pytest.fixture
def har(tmp_path):
    def write(*entries):
        file = tmp_path / "browser.har"
        file.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}), encoding="utf-8")
        return file

    return write


# --- what is told -----------------------------------------------------------------------------------


def test_calls_are_counted_by_what_they_are(journal):
    file = journal(
        a_request(instant="2025-06-03T09:00:00Z"),
        a_request(status=400, requester=PRINCIPAL),
        a_request("/model-endpoint/iris/1/invocations"),
        a_request("/serving-endpoints/iris/invocations"),
        a_request("/api/2.0/serving-endpoints", method="GET"),
    )
    result = report("--journal", file, "--today", "2025-09-20")
    assert result.exit_code == 1
    assert result.output.startswith(
        f"POST {SCORING}: 2 calls, 1 refused\n"
        "    SRV001 legacy-scoring-url: broken since 2025-09-15, 5 days ago\n"
        "    seen: 2025-06-02T09:00:00Z to 2025-06-03T09:00:00Z\n"
        f"    by: {PRINCIPAL} (1), ann@example.com (1)\n"
        "    instead: POST /serving-endpoints/iris-Production/invocations.\n"
    )
    assert "SRV002 preview-scoring-url: the serverless preview is retired; no day was published" in result.output
    assert result.output.endswith("3 of 5 calls need a change: 2 are broken today.\n")


def test_a_users_token_is_advised_against_a_service_principals_is_not(journal):
    told = json.loads(report("--journal", journal(a_request(), a_request(requester=PRINCIPAL)), "--json").output)
    advised = {one["name"]: (one["kind"], bool(one["advice"])) for one in told["scoring_callers"]}
    assert advised == {"ann@example.com": ("user", True), PRINCIPAL: ("service principal", False)}
    text = report("--journal", journal(a_request(requester=PRINCIPAL))).output
    assert "service principal: with OAuth" not in text


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--today", "2025-09-14"], 0),
        (["--today", "2025-09-15"], 1),
        (["--today", "2025-06-01", "--by", "2025-09-15"], 0),
        (["--today", "2025-06-01", "--by", "2025-09-16"], 1),
        (["--date", "legacy=2999-01-01"], 0),
    ],
)
def test_the_day_counts(journal, options, code):
    assert report("--journal", journal(a_request()), *options).exit_code == code


def test_enabling_breaks_before_the_rest(journal):
    enable = a_request("/api/2.0/preview/mlflow/endpoints/enable")
    told = json.loads(report("--journal", journal(enable), "--json").output)
    assert told["retired"][0]["breaks_on"] == "2025-08-22"


FRAME = b'{"columns": ["a"], "data": [[1]]}'
BODIES = {
    "split": ("application/json", FRAME, '{"dataframe_split": <the body>}'),
    "split by type": ("application/json; format=pandas-split", b"{}", '{"dataframe_split": <the body>}'),
    "records": ("application/json", b'[{"a": 1}]', '{"dataframe_records": <the body>}'),
    "arrays": ("application/json", b"[[1]]", '{"inputs": <the body>}'),
    "of 2.x": ("application/json", b'{"inputs": [1]}', "as it was"),
    "CSV": ("text/csv", b"a\n1\n", "as it was"),
    "unknown": ("application/json", b'{"a"', "not of a form"),
    "not there": ("application/json", None, "not written down"),
}


@pytest.mark.parametrize(("content_type", "body", "change"), BODIES.values(), ids=BODIES)
def test_how_a_body_changes(content_type, body, change):
    call = Call(None, Caller("x", "user"), "POST", SCORING, content_type, body, 200)
    assert body_change(call).startswith(change)


CALLS = {
    "a stage": ("POST", "/api/2.0/mlflow/databricks/model-versions/transition-stage", None, "SRV007"),
    "the older spelling": ("POST", "/api/2.0/serving-endpoints", {"config": {"served_models": []}}, "SRV006"),
    "tables": (
        "PUT", "/api/2.0/serving-endpoints/x/config", {"auto_capture_config": {"enabled": True}}, "SRV013",
    ),
    "no tables": ("PUT", "/api/2.0/serving-endpoints/x/config", {"auto_capture_config": {"enabled": False}}, None),
    "something else": ("POST", "/model/iris/edit", None, None),
    "strange bodies": ("POST", "/api/2.0/serving-endpoints", {"config": [1]}, None),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "rule"), CALLS.values(), ids=CALLS)
def test_what_calls_belong_to(method, path, body, rule):
    content = None if body is None else json.dumps(body).encode()
    verdict = verdict_of(Call(None, Caller("x", "user"), method, path, "application/json", content, 200))
    assert (verdict and verdict.rule) == rule


# --- who called, and what is never told -------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "caller"),
    [
        (f"Bearer {SECRET}", ("token 1", "token of somebody")),
        (f"Basic {base64.b64encode(f'token:{SECRET}'.encode()).decode()}", ("token 1", "token of somebody")),
        (signed(sub="ann@example.com"), ("ann@example.com", "user")),
        (signed(sub=PRINCIPAL), (PRINCIPAL, "service principal")),
        (signed(sub=SECRET), ("token 1", "token of somebody")),
        ("Bearer a.b.c", ("token 1", "token of somebody")),
        ("", ("not written down", "unknown")),
    ],
)
def test_who_a_header_stands_for(header, caller):
    assert Callers().of_header(header) == caller


def test_one_token_is_one_caller():
    callers = Callers()
    names = [callers.of_header(header).name for header in ("Bearer a", "Bearer b", "Basic dG9rZW46YQ==")]
    assert names == ["token 1", "token 2", "token 1"]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_secret_is_printed(har, form):
    entries = [
        an_entry(authorization=f"Bearer {SECRET}", body=json.dumps([{"password": SECRET}])),
        an_entry(authorization=signed(sub=SECRET), body=f'{{"columns": ["{SECRET}"], "data": []}}'),
        an_entry("/api/2.0/serving-endpoints", f"Bearer {SECRET}", '{"config": {"served_models": []}}'),
    ]
    result = report("--har", har(*entries), *form)
    assert result.exit_code == 1
    assert SECRET not in result.output


def test_har_knows_instants_and_bodies(har):
    told = json.loads(report("--har", har(an_entry(body=FRAME.decode())), "--json").output)["retired"][0]
    assert told["first"] == "2025-06-02T09:00:00Z"
    assert told["bodies"][0]["change"].startswith('{"dataframe_split"')


def test_a_body_with_half_a_character_is_read(har):
    told = json.loads(report("--har", har(an_entry(body='{"columns": ["\ud800"], "data": []}')), "--json").output)
    assert told["retired"][0]["bodies"][0]["change"].startswith('{"dataframe_split"')


# --- where calls come from --------------------------------------------------------------------------


def test_what_a_server_writes_down_is_read(command, call):
    call("POST", SCORING, {"inputs": [1]})
    call("GET", "/api/2.0/preview/mlflow/endpoints/list")
    listed = command("requests", "list", "--json").output
    told = json.loads(report("--journal", "-", "--json", given=listed).output)
    assert {one["rule"] for one in told["retired"]} <= {"SRV001", "SRV003"}
    assert told["calls"] == json.loads(listed)["count"] == 2
    assert {one["path"] for one in told["retired"]} >= {SCORING}


def test_a_recording_is_read(tmp_path):
    file = tmp_path / "recording.jsonl"
    made = Recording(file)
    headers = [("Content-Type", "application/json"), ("Authorization", f"Bearer {SECRET}")]
    made.add(Exchange("POST", SCORING, "", 200, Side(headers, FRAME), Side(headers, b"[1]")))
    made.close()
    told = json.loads(report("--journal", file, "--json").output)["retired"][0]
    assert (told["rule"], told["first"]) == ("SRV001", None)
    assert told["bodies"][0]["change"].startswith('{"dataframe_split"')


def test_lines_of_requests_are_read(tmp_path):
    file = tmp_path / "lines.jsonl"
    file.write_text("\n".join(json.dumps(a_request(body=[[1]])) for _ in range(3)), encoding="utf-8")
    told = json.loads(report("--journal", file, "--json").output)
    assert (told["calls"], told["retired"][0]["bodies"][0]["change"][:9]) == (3, '{"inputs"')


def test_no_call_at_all(journal, tmp_path):
    assert "There is no call" in report("--journal", journal()).output
    (tmp_path / "empty").touch()
    result = report("--journal", tmp_path / "empty")
    assert (result.exit_code, "There is no call" in result.output) == (0, True)
    assert "1 call, and none needs a change." in report("--journal", journal(a_request("/x"))).output


LINE = json.dumps(a_request())
BAD = {
    "cut short": ("--journal", f"{LINE}\n{LINE[:50]}", "line 2 is cut short, or no JSON; `head -n 1 "),
    "its first line cut": ("--journal", LINE[:50], "line 1 is cut short, or no JSON; write it anew"),
    "no JSON": ("--journal", "a,b\n1,2\n", "line 1 is no JSON; a journal is what `servesim requests list"),
    "no call": ("--journal", '{"requests": [{"path": 1}]}', "request 1: this is no call (KeyError: 'instant')"),
    "no path": ("--journal", json.dumps([a_request(7)]), "request 1: this is no call (TypeError: text expected)"),
    "a table": ("--journal", '{"rows": [], "endpoint": "x"}', "is an inference table"),
    "HAR as journal": ("--journal", '{"log": {"entries": []}}', "is a HAR file, no journal; give it as --har"),
    "a journal as HAR": ("--har", '{"requests": []}', "is no HAR file: it has no log with entries"),
    "HAR cut short": ("--har", '{"log": {"entr', "is cut short, or no JSON: export it again"),
    "no HAR": ("--har", "a,b", "is no HAR file, which is JSON"),
    "no whole status": ("--journal", json.dumps([a_request(status=float("inf"))]), "is no call (OverflowError"),
    "no URL": ("--har", '{"log": {"entries": [{"request": {"method": "GET", "url": null}}]}}', "(TypeError: text "),
    "a strange entry": ("--har", '{"log": {"entries": [7]}}', "entry 1: this is no call"),
    "no UTF-8": ("--har", b"\xff\xfe", "not UTF-8 text"),
}


@pytest.mark.parametrize(("option", "content", "told"), BAD.values(), ids=BAD)
def test_files_that_are_none(tmp_path, option, content, told):
    (tmp_path / "f").write_bytes(content if isinstance(content, bytes) else content.encode())
    result = report(option, tmp_path / "f")
    assert (result.exit_code, told in result.output) == (2, True), result.output


def test_a_huge_file_is_refused(journal, monkeypatch):
    monkeypatch.setattr(recording, "FILE_LIMIT", 100)
    result = report("--journal", journal(a_request()))
    assert (result.exit_code, "larger than 100 bytes" in result.output) == (2, True)


def test_something_is_named():
    result = report()
    assert (result.exit_code, "--journal FILE or --har FILE" in result.output) == (2, True)
