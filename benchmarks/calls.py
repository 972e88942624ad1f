"""The requests that the benchmarks send, as bytes for the built-in client and as a script for wrk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

TOKEN = "dapi-servesim"  # noqa: S105 - the published default token of a server on loopback
HOST = "127.0.0.1"

ENDPOINT = "fraud"
SCORING_PATH = f"/serving-endpoints/{ENDPOINT}/invocations"
GET_PATH = f"/api/2.0/serving-endpoints/{ENDPOINT}"
LIST_PATH = "/api/2.0/serving-endpoints"


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, the same bytes every time."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {TOKEN}"})

    def raw(self) -> bytes:
        """Return what goes over the wire."""
        headers = {"Host": HOST, **self.headers}
        if self.body:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(self.body))}
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    def lua(self) -> str:
        """Return a script with which wrk sends the same."""
        headers = dict(self.headers)
        if self.body:
            headers["Content-Type"] = "application/json"
        lines = [f"wrk.method = {json.dumps(self.method)}", f"wrk.body = {json.dumps(self.body.decode())}"]
        lines += [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items()]
        return "\n".join(lines) + "\n"


def score(document: object, path: str = SCORING_PATH) -> Call:
    """Return a scoring request."""
    return Call("POST", path, json.dumps(document).encode())


ONE_ROW = score({"dataframe_split": {"columns": ["a", "b", "c", "d"], "data": [[5.1, 3.5, 1.4, 0.2]]}})
GET_ONE = Call("GET", GET_PATH)
LIST_ALL = Call("GET", LIST_PATH)
