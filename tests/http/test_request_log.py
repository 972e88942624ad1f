"""One line for each call: who, what, and the answer; never a token."""

import base64

import pytest

ENDPOINTS = "/api/2.0/serving-endpoints"


@pytest.fixture
def lines(servesim_server, monkeypatch):
    collected = []
    monkeypatch.setattr(servesim_server.server, "_log_call", collected.append)
    return collected


def test_a_line_has_principal_call_and_answer(wire, lines):
    wire.ready()
    wire.score()
    assert lines == [
        f"tester@example.com POST {ENDPOINTS} -> 200 (recorded)",
        f"tester@example.com GET {ENDPOINTS}/fraud -> 200 (recorded)",
        f"tester@example.com GET {ENDPOINTS}/fraud -> 200 (recorded)",
        "tester@example.com POST /serving-endpoints/fraud/invocations -> 200 fraud-1 (recorded)",
    ]


def test_a_refusal_says_how_its_text_is_known(wire, lines):
    wire.call("GET", f"{ENDPOINTS}/none")
    wire.call("POST", ENDPOINTS, b"{")
    wire.call("GET", "/nowhere?x=1")
    wire.call("GET", ENDPOINTS, token=False)
    wire.ready()
    del lines[4:]
    wire.call("POST", "/serving-endpoints/fraud/invocations", {"nothing": 1})
    wire.call("POST", "/serving-endpoints/fraud/invocations", b"[" * 1_000)
    assert lines == [
        f"tester@example.com GET {ENDPOINTS}/none -> 404 (recorded)",
        f"tester@example.com POST {ENDPOINTS} -> 400 (chosen)",
        "tester@example.com GET /nowhere -> 501 (chosen)",
        f"- GET {ENDPOINTS} -> 401 (recorded)",
        "tester@example.com POST /serving-endpoints/fraud/invocations -> 400 fraud-1 (recorded)",
        "tester@example.com POST /serving-endpoints/fraud/invocations -> 400 fraud-1 (chosen)",
    ]
    wire.handle.workspace.not_simulated.clear()  # meant here, no news for the summary


def test_no_line_has_a_token(wire, lines):
    token = wire.handle.token
    basic = base64.b64encode(f"token:{token}".encode()).decode()
    wire.call("GET", ENDPOINTS)
    wire.call("GET", ENDPOINTS, headers={"Authorization": f"Basic {basic}"})
    wire.call("GET", ENDPOINTS, headers={"Authorization": "Bearer planted-unknown-token"})
    assert len(lines) == 3
    assert not [line for line in lines if token in line or basic in line or "planted" in line]


def test_a_line_is_one_line_of_ascii(wire, lines):
    wire.call("GET", f"{ENDPOINTS}/%0Ainjected%1b")
    wire.call("GET", f"{ENDPOINTS}/{'x' * 5000}")
    assert len(lines) == 2
    assert all(line.isascii() and line.isprintable() and len(line) < 600 for line in lines)
