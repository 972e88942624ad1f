"""Callables that raise what nobody catches, answer what nobody can write, or never return."""

import asyncio
import json
import subprocess
import sys

import pytest

from servesim.models.stubs import score_callable

BODY = b'{"inputs": [1]}'


class Unwritable:
    """Looks like an array until it is written."""

    def tolist(self):
        raise RuntimeError("no list")


@pytest.mark.parametrize(
    "raised",
    [KeyboardInterrupt, GeneratorExit, SystemExit, asyncio.CancelledError, BaseException, pytest.fail.Exception],
)
def test_whatever_a_callable_raises_is_the_400_of_a_model_that_raised(raised):
    def predict(rows):
        raise raised("stop here")

    answer = score_callable(predict, BODY, "application/json")
    assert answer.status == 400
    assert raised.__name__ in json.loads(answer.body)["stack_trace"]


@pytest.mark.parametrize("prediction", [[Unwritable()], (n for n in [1]), {(1, 2): 3}, [10**5000]])
def test_what_cannot_be_written_is_the_scoring_servers_500(prediction):
    answer = score_callable(lambda rows: prediction, BODY, "application/json")
    assert (answer.status, answer.body) == (500, b"Internal Server Error")


NEVER = """
import contextlib, http.client, json, threading
from servesim.delivery.handle import LocalServer

def never(rows):
    started.set()
    threading.Event().wait()

def ask():
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection.getresponse()

started = threading.Event()
with LocalServer() as server:
    handle = server.open(profile="instant")
    handle.models.function("m", never)
    address = handle.host.removeprefix("http://")
    for path, body in (
        ("/api/2.0/serving-endpoints",
         {"name": "e", "config": {"served_entities": [{"entity_name": "m", "entity_version": "1"}]}}),
        ("/serving-endpoints/e/invocations", {"inputs": [1]}),
    ):
        connection = http.client.HTTPConnection(address)
        headers = {"Authorization": "Bearer " + handle.token, "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        if "invocations" not in path:
            connection.getresponse().read()
    started.wait()
    asking = threading.Thread(target=ask)
    asking.start()
asking.join()
print("ended")
"""


def test_a_callable_that_never_returns_keeps_neither_the_server_nor_the_process():
    run = subprocess.run([sys.executable, "-c", NEVER], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (0, "ended\n"), run.stderr
