"""Whatever is secret in what passes `servesim contract record` never reaches its file, in no form."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import urllib.error
import urllib.request
from urllib.parse import quote, quote_plus, urlencode

import pytest

import servesim
from servesim.delivery import redaction
from servesim.delivery.recording import Exchange, Recording, Side
from servesim.delivery.redaction import REDACTED, Redactor

ENDPOINTS = "/api/2.0/serving-endpoints"
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
TEXT = ("Content-Type", "text/plain")


def unique(name, special=""):
    """Make a value of which no part stands in another."""
    return f"{hashlib.sha256(name.encode()).hexdigest()[:24]}{special}"


PLANTED = {
    "bearer token": unique("bearer token", "/+="),
    "basic password": unique("basic password", " pässword"),
    "cookie": unique("cookie"),
    "set cookie": unique("set cookie"),
    "databricks header": unique("databricks header"),
    "query token": unique("query token", " token"),
    "client secret": unique("client secret", "&=%"),
    "client secret in basic": unique("client secret in basic"),
    "access token": unique("access token"),
    "assertion": unique("assertion"),
    "plaintext": unique("plaintext", ' "quoted" \\ text\n'),
    "nested plaintext": unique("nested plaintext"),
    "secret": unique("secret", "välue"),
    "secret bytes": unique("secret bytes"),
    "secret read": unique("secret read"),
    "variable": unique("variable"),
    "number": "918273645546372819",
    "list of keys": unique("list of keys"),
}


def encoded(value):
    return base64.b64encode(value.encode()).decode()


def forms(value):
    """Give a value as it could come back; base64 also from within something longer."""
    yield value
    yield json.dumps(value)[1:-1]
    yield quote(value, safe="")
    yield quote(value)
    yield quote_plus(value)
    yield value.encode().hex()
    yield value.encode().hex().upper()
    yield encoded(value).rstrip("=")
    yield base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")


def parts(value):
    """Give what shows that a value is there: its forms, and what base64 makes of it within something longer."""
    yield from forms(value)
    for before in ("x", "xy", "xyz"):
        yield encoded(f"{before}{value}")[8:-8]


def found_in(text):
    return {name for name, value in PLANTED.items() for form in parts(value) if form in text}


def exchange(path="/api/2.0/x", query="", status=200, request=((), b""), response=((), b"")):
    return Exchange("POST", path, query, status, Side(*request), Side(*response))


def as_json(document, *headers):
    return (JSON, *headers), json.dumps(document).encode()


def planting():
    """Yield exchanges in which each planted value stands where such a value stands."""
    bearer = ("Authorization", f"Bearer {PLANTED['bearer token']}")
    yield exchange(request=((bearer,), b""))
    yield exchange(request=((("authorization", f"Basic {encoded('token:' + PLANTED['basic password'])}"),), b""))
    yield exchange(
        request=((("Cookie", f"a=b; session={PLANTED['cookie']}"),), b""),
        response=((("Set-Cookie", f'id="{PLANTED["set cookie"]}"; Path=/; HttpOnly'),), b""),
    )
    yield exchange(request=((("X-Databricks-GCP-SA-Access-Token", PLANTED["databricks header"]),), b""))
    yield exchange(query=urlencode({"a": "1", "access_token": PLANTED["query token"]}))
    yield exchange(
        "/oidc/v1/token",
        request=(
            (FORM,),
            urlencode({"client_secret": PLANTED["client secret"], "assertion": PLANTED["assertion"]}).encode(),
        ),
        response=as_json({"access_token": PLANTED["access token"], "token_type": "Bearer", "expires_in": 3600}),
    )
    robot = encoded(f"robot:{PLANTED['client secret in basic']}")
    yield exchange(
        "/oidc/v1/token", request=((FORM, ("Authorization", f"Basic {robot}")), b"grant_type=client_credentials")
    )
    external = {"openai_config": {"openai_api_key_plaintext": PLANTED["plaintext"]}}
    yield exchange(ENDPOINTS, request=as_json({"config": {"served_entities": [{"external_model": external}]}}))
    deep = {"a": [{"b_plaintext": {"c": [PLANTED["nested plaintext"]]}}], "api_key": int(PLANTED["number"])}
    yield exchange(request=as_json(deep))
    yield exchange(request=as_json({"password": [PLANTED["list of keys"], PLANTED["list of keys"]]}))
    put = {"scope": "s", "key": "k", "string_value": PLANTED["secret"]}
    yield exchange("/api/2.0/secrets/put", request=as_json(put))
    yield exchange(
        "/api/2.0/secrets/put",
        request=as_json({"scope": "s", "key": "k", "bytes_value": encoded(PLANTED["secret bytes"])}),
    )
    yield exchange("/api/2.0/secrets/get", response=as_json({"key": "k", "value": encoded(PLANTED["secret read"])}))
    variables = {"KEY": PLANTED["variable"], "REF": "{{secrets/s/k}}", "PIN": 4711}
    entity = {"entity_name": "a.b.c", "environment_vars": variables}
    yield exchange(ENDPOINTS, request=as_json({"config": {"served_entities": [entity]}}), response=as_json(entity))


LONGER = (("x", ""), ("xy", "z"), ("xyz", "yz"), ("", "xyz"))


def echoing(value):
    """Yield exchanges in which a value comes back where nothing tells that it is secret."""
    for form in (*forms(value), *(encoded(f"{before}{value}{behind}") for before, behind in LONGER)):
        yield exchange(f"/a/{quote(form, safe='')}", query=urlencode({"q": form, form: "1"}))
        yield exchange(request=as_json([form, {form: form}]), response=as_json({"message": f"no {form}!"}))
        yield exchange(
            request=((TEXT,), f"before {form} behind".encode()), response=((FORM,), urlencode({"a": form}).encode())
        )
        yield exchange(response=((JSON, ("X-Own", form)), b"{}"), request=((TEXT,), json.dumps({"a": form}).encode()))
        yield exchange(request=((("Content-Type", f"text/plain; x={form}"),), b"x"))


@pytest.fixture
def recording(tmp_path):
    file = Recording(tmp_path / "r.jsonl")
    yield file
    file.close()


def test_what_was_planted_is_not_written(recording):
    for one in planting():
        recording.add(one)
    text = recording.path.read_text()
    assert found_in(text) == set()
    assert text.count(REDACTED) >= len(PLANTED) - 6
    assert "{{secrets/s/k}}" in text
    assert "4711" not in text


def test_what_was_planted_is_not_written_when_it_comes_back(recording):
    for one in planting():
        recording.add(one)
    for value in PLANTED.values():
        for one in echoing(value):
            recording.add(one)
    assert recording.left_out == 0
    assert found_in(recording.path.read_text()) == set()


def test_a_secret_that_comes_back_in_its_own_exchange_is_not_written(recording):
    for one in planting():
        for value in PLANTED.values():
            recording.add(one._replace(path=f"/p/{quote(value, safe='')}") if one.path == "/api/2.0/x" else one)
    token = ("Authorization", f"Bearer {PLANTED['bearer token']}")
    body = json.dumps({"inputs": [PLANTED["bearer token"]]}).encode()
    recording.add(exchange("/serving-endpoints/a/invocations", request=((JSON, token), body), response=((TEXT,), body)))
    [*_, last] = recording.path.read_text().splitlines()
    assert not any(form in last for form in parts(PLANTED["bearer token"]))


def test_the_search_would_find_a_planted_value(recording, monkeypatch):
    monkeypatch.setattr(Redactor, "learn", lambda *_: None)
    for rule in ("is_secret", "is_secret_number", "is_secret_parameter"):
        monkeypatch.setattr(redaction.names, rule, lambda _: False)
    for one in planting():
        recording.add(one)
    assert found_in(recording.path.read_text()) == set(PLANTED) - {
        *("bearer token", "basic password", "cookie", "set cookie", "databricks header", "client secret in basic"),
        *("secret read", "variable"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "dapi0123456789abcdef0123456789abcdef",
        "dapi0123456789abcdef0123456789abcdef-2",
        "dose0123456789abcdef0123456789abcdef",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
        "AKIA0123456789ABCDEF",
        "ghp_0123456789abcdefghij0123456789abcdef",
        "sk-0123456789abcdefghijABCD",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nabc",
    ],
)
def test_what_looks_like_a_token_is_not_written_wherever_it_stands(recording, text):
    recording.add(exchange(request=as_json({"a": f"see {text}."}), response=((TEXT,), f"x {text} y".encode())))
    written = recording.path.read_text()
    assert json.dumps(text)[1:-1] not in written
    assert "abc" not in written or "BEGIN" not in text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("curl -H 'Authorization: Bearer abc.def-ghi'", "abc.def-ghi"),
        ("client_secret=abcdef", "abcdef"),
        ("password: 'abc def'", "abc def"),
        ('{"openai_api_key_plaintext": "abc\\"def"', "def"),
        ("access_token = abcdef, x", "abcdef"),
        ("AZURE_CLIENT_SECRET=abcdef", "abcdef"),
        ("x_plaintext: abcdef", "abcdef"),
    ],
)
def test_a_secret_that_a_text_names_is_not_written(recording, text, secret):
    recording.add(exchange(request=as_json({"a": text}), response=((TEXT,), f"see {text}".encode())))
    assert secret not in recording.path.read_text()


CODED = "k/+%a=b c?d!'&<x>"


@pytest.mark.parametrize(
    "coded",
    [
        quote(CODED, safe="!'()*-_.~"),
        quote(quote(CODED, safe=""), safe=""),
        quote(quote(quote(CODED))),
        quote(CODED, safe="/+"),
        quote(CODED, safe="=?"),
        html.escape(CODED),
        html.escape(quote(CODED, safe="'&")),
        CODED.replace("/", "\\/"),
        "".join(f"\\u{ord(sign):04x}" for sign in CODED),
    ],
)
def test_a_text_with_a_secret_in_another_coding_is_left_out(recording, coded):
    said = as_json({"message": f"no {coded}!"}, ("X-Token", CODED))
    recording.add(exchange(f"/api/{quote(coded, safe='')}", query=urlencode({"q": coded}), request=said))
    line = json.loads(recording.path.read_text())
    assert line["request"]["json"] == {"message": REDACTED}
    assert (line["path"], line["query"]) == (f"/api/{REDACTED}", f"q={REDACTED}")


def test_a_text_that_is_coded_too_often_is_left_out(recording):
    text = "a b"
    for _ in range(8):
        text = quote(text, safe="")
    recording.add(exchange(request=as_json([text, "100% & more, a%20b"])))
    assert json.loads(recording.path.read_text())["request"]["json"] == [REDACTED, "100% & more, a%20b"]


SECRET = "pl41nSecretVal"


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "TOKEN",
        "accessToken",
        "token_value",
        "tokenValue",
        "secretKey",
        "secret_key",
        "clientSecret",
        "passWord",
        "user_password",
        "pwd",
        "passphrase",
        "api_key_value",
        "apikey",
        "privateKeyData",
        "tokens",
        "access_tokens",
        "secrets",
        "passwords",
        "credential",
        "auth",
        "basic_auth",
        "proxy-authorization",
        "x-api-key",
        "bearer",
        "session",
        "sessionid",
        "set-cookie",
        "cookies",
        "id_jwt",
        "sas",
        "sasToken",
        "connection_string",
        "connectionString",
        "stringValue",
        "bytesValue",
        "AWS_SECRET_ACCESS_KEY",
        "signing_key",
        "encryption_key",
        "account_key",
        "subscription_key",
        "tokén",
        "\uff54oken",
        "token2",
        "password1",
        "Environment_Vars",
        "environmentVars",
        "env_vars",
    ],
)
def test_a_field_is_secret_in_any_spelling(recording, name):
    said = as_json({f" {name}\t": SECRET, "a": {name.replace("_", " "): [SECRET]}, "b": json.dumps({name: SECRET})})
    recording.add(exchange(request=said, response=as_json({"message": f"no {SECRET}"})))
    assert SECRET not in recording.path.read_text()


@pytest.mark.parametrize(
    "document",
    [
        {"environment_vars": [{"name": "A", "value": SECRET}]},
        {"environment_vars": f"A={SECRET}"},
        {"env": {"A": SECRET}},
        {"headers": [{"name": "Authorization", "value": SECRET}]},
        [{"Key": "password", "Value": SECRET}],
        {"field": "X-Signature", "values": [SECRET]},
        {"body": json.dumps(json.dumps({"environment_vars": {"A": SECRET}}))},
        {"body": "\ufeff" + json.dumps([{"name": "password", "value": SECRET}])},
        {"url": f"https://user:{SECRET}@db.example/x"},
        {"url": f"see https://{SECRET}@db.example/x"},
        {"url": f"https://blob.example/x?a=b&sig={SECRET}"},
        {"url": quote(f"https://blob.example/x?a=b&sig={SECRET}", safe="")},
    ],
)
@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "text/event-stream"])
def test_a_secret_that_stands_deeper_is_not_written(recording, document, media_type):
    data = json.dumps(document).encode()
    body = b"event: x\r\ndata: " + data + b"\r\n\r\ndata: [DONE]\n" if "event" in media_type else b"\xef\xbb\xbf" + data
    recording.add(exchange(response=((("Content-Type", media_type),), body)))
    written = recording.path.read_text()
    assert SECRET not in written
    assert REDACTED in written
    assert "omitted" not in written


def test_the_value_of_a_name_that_stands_twice_is_known(recording):
    twice = f'{{"password": "{SECRET}", "password": "x"}}'.encode()
    again = json.dumps({"a": twice.decode()}).encode()
    for body in (twice, again):
        recording.add(exchange(request=((JSON,), body), response=as_json({"message": f"no {SECRET}"})))
    assert SECRET not in recording.path.read_text()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (f"/a;token={SECRET}/b", ""),
        (f"/a;%74oken={SECRET}", ""),
        (f"/a;token%3D{SECRET}", ""),
        (f"/a%253Bsig%253D{SECRET}", ""),
        ("/a", f"key={SECRET}"),
        ("/a", f"X-Amz-Signature={SECRET}"),
        ("/a", f"a=b;sig={SECRET}"),
        ("/a", "r=" + quote(quote(f"https://h/?x=y&token={SECRET}", safe=""), safe="")),
        ("/a", "r=" + quote(f"https://user:{SECRET}@h/", safe="")),
        ("/a", "filter=" + quote(json.dumps({"password": SECRET}))),
    ],
)
def test_a_secret_in_an_address_is_not_written(recording, path, query):
    recording.add(exchange(path, query))
    written = recording.path.read_text()
    assert SECRET not in written
    assert json.loads(written)["path"].startswith("/a" if query else "/")


@pytest.mark.parametrize(
    "name", ["X-Auth", "Cookie", "Ocp-Apim-Subscription-Key", "X-Signature", "X-Session", "X_Api_Key"]
)
def test_the_value_of_a_secret_header_is_known(recording, name):
    recording.add(exchange(request=(((name, SECRET),), b""), response=as_json({"message": f"no {SECRET}"})))
    assert SECRET not in recording.path.read_text()


def test_bytes_that_are_no_text_are_written_as_far_as_they_can_be(recording):
    recording.add(exchange("/a\udcff", "a=\udcff&\udcff=\ud800"))
    assert recording.written == 1


def test_words_of_a_model_are_no_secrets_elsewhere(recording):
    chosen = {"choices": [{"logprobs": {"content": [{"token": "Hello", "logprob": -0.1}]}}], "text": "Hello"}
    usage = {"prompt_tokens": 1, "total_tokens": 2, "prompt_tokens_details": {"cached_tokens": 0}}
    recording.add(exchange(response=as_json({**chosen, "usage": usage})))
    body = json.loads(recording.path.read_text())["response"]["json"]
    assert (body["text"], body["usage"]) == ("Hello", usage)


@pytest.mark.parametrize(
    "document",
    [
        {"token_endpoint": "https://h/token", "token_type": "Bearer", "has_password": True, "session_count": 3},
        {"secret_scope": "team", "tokenizer": "cl100k", "disaster": "no", "authorization_endpoint": "https://h/a"},
        {"a": "a+b=c & d; 5 < 6, 100%, {x}, [y]", "b": '{"c": "{\\"d\\":  1}"}'},
        {"name": "risk-scoring-of-production", "state": {"ready": "READY"}},
        {"next_page_token": "abcdef", "resource_credential_strategy": "EMBEDDED_CREDENTIALS"},
        {"openai_api_key": "{{secrets/s/k}}", "scope": "secrets", "permission_level": "CAN_MANAGE"},
        {"message": "Secret does not exist with scope: s and key: k", "error_code": "RESOURCE_DOES_NOT_EXIST"},
        {"predictions": [1.5, None, True, "none"], "max_tokens": 5},
        {"message": "Bearer token is not valid. [ReqId: 1]"},
    ],
)
def test_what_is_no_secret_stays(recording, document):
    recording.add(exchange(response=as_json(document)))
    assert json.loads(recording.path.read_text())["response"]["json"] == document


@pytest.mark.parametrize(
    "text",
    [
        "a." * 200_000,
        "%25" * 100_000,
        "&amp;" * 60_000,
        "?a=" * 100_000,
        "://" * 100_000,
        "[" * 300_000,
        "eyJ" * 100_000,
        "token" * 60_000,
        "bearer " * 50_000,
        "token=" * 60_000,
    ],
)
def test_a_long_text_is_looked_through_in_time(text):
    assert Redactor().text(text)


def test_a_recorder_that_can_remember_no_more_secrets_writes_no_more(recording, monkeypatch):
    monkeypatch.setattr(redaction, "KEPT", 2)
    for number in range(3):
        recording.add(exchange(request=((("Authorization", f"Bearer another-token-{number}"),), b"")))
    assert (recording.written, recording.left_out) == (1, 2)


# --- the whole way ------------------------------------------------------------------------------------


def test_a_session_with_servesim_is_recorded_without_its_secrets(recorder, tmp_path):
    scenario = tmp_path / "world.yaml"
    scenario.write_text(
        "principals:\n"
        "  - {service_principal: 11111111-2222-3333-4444-555555555555, client_id: robot, token: dapi-of-the-robot,\n"
        f"     admin: true, client_secret: '{PLANTED['client secret']}'}}\n"
        "models:\n  - {name: main.ml.echo, version: 1, stub: echo}\n",
        encoding="utf-8",
    )
    with servesim.run(scenario=scenario) as sim:
        running = recorder(sim.host)
        form = {"grant_type": "client_credentials", "scope": "all-apis", "client_id": "robot"}
        asked = urlencode({**form, "client_secret": PLANTED["client secret"]}).encode()
        _, body = send(running.url + "/oidc/v1/token", asked)
        token = json.loads(body)["access_token"]
        for path, document in (
            ("/api/2.0/secrets/scopes/create", {"scope": "s"}),
            ("/api/2.0/secrets/put", {"scope": "s", "key": "k", "string_value": PLANTED["secret"]}),
            (ENDPOINTS, {"name": "echo", "config": {"served_entities": [entity()]}}),
            *[(f"{ENDPOINTS}/echo", None)] * 3,
            ("/serving-endpoints/echo/invocations", {"inputs": [token, PLANTED["secret"], encoded(token)]}),
            (f"{ENDPOINTS}/{quote(token, safe='')}", None),
        ):
            status, body = send(running.url + path, document, token)
        assert (status, token in body.decode()) == (404, True)
        text = running.end()
    assert len(text.splitlines()) == 9
    assert found_in(text) == set()
    assert not any(form in text for form in parts(token))
    answer = json.loads(text.splitlines()[7])["response"]["json"]
    assert answer == {"predictions": [REDACTED, REDACTED, REDACTED]}
    assert PLANTED["client secret"] not in running.said


def entity():
    variables = {"KEY": PLANTED["variable"], "REF": "{{secrets/s/k}}"}
    return {"entity_name": "main.ml.echo", "entity_version": "1", "environment_vars": variables}


def send(url, document, token=None):
    data = document if document is None or isinstance(document, bytes) else json.dumps(document).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
