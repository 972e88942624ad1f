"""What routes and models answered stays readable, whatever it is."""

from __future__ import annotations

import json

ADMIN = "/_servesim/v1/workspaces/default"


def test_an_answer_that_nests_too_deep_hides_no_other_request(server_process):
    server = server_process()
    route = {"method": "GET", "path": "/deep", "status": 400, "text": "[" * 9_000}
    assert server.call("POST", f"{ADMIN}/routes", route, admin=True)[0] == 201
    assert server.call("GET", "/deep")[0] == 400
    for path in ("requests", "requests/1", "requests/1/why", "requests/nobody"):
        status, answer = server.call("GET", f"{ADMIN}/{path}", admin=True)
        assert status == (404 if path.endswith("nobody") else 200), answer
    assert json.loads(server.call("GET", f"{ADMIN}/requests", admin=True)[1])["requests"][0]["path"] == "/deep"
