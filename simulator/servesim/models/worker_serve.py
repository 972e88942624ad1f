"""What a worker does with the frames on its channel: load one model, score, or look something up.

Loaded by path beside `worker_main.py`, and imported by the server for the frames' layout: the standard
library at import, MLflow from the process that has imported it already.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = struct.Struct(">II")
"""Lengths in bytes of a frame's head (JSON) and body (raw), in network order."""

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""Bound of one head or body: four times the largest request body that the service documents."""

Head = dict[str, Any]
Reply = tuple[Head, bytes]

_INTERNAL_ERROR: Reply = (
    {"status": 500, "content_type": "text/plain; charset=utf-8"},
    b"Internal Server Error",
)


def pack(head: Head, body: bytes = b"") -> bytes:
    """One frame, ready to be written."""
    encoded = json.dumps(head, separators=(",", ":")).encode()
    return b"".join((HEADER.pack(len(encoded), len(body)), encoded, body))


def serve(requests: BinaryIO, send: Callable[[bytes], None], facts: Any) -> None:
    """Answer frames in their order until the other side closes; `facts` is the neighbour `worker_facts`."""
    worker = Worker(facts)
    while (frame := _read(requests)) is not None:
        head, body = frame
        try:
            answer = worker.answer(head, body)
        except (SystemExit, KeyboardInterrupt):
            traceback.print_exc()
            _flush()
            send(pack(*_INTERNAL_ERROR))
            raise
        _flush()  # the server reads what was printed before it passes the answer on
        send(pack(*answer))


def _read(stream: BinaryIO) -> tuple[Head, bytes] | None:
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    head, body = HEADER.unpack(header)
    return json.loads(stream.read(head)), stream.read(body)


class Worker:
    """One model in memory, or one look at a folder or registry."""

    def __init__(self, facts: Any) -> None:
        """Start without a model."""
        self._facts = facts
        self._model: Any = None
        self._schema: Any = None
        self._invocations: Any = None
        self._mlflow_exception: Any = None

    def answer(self, head: Head, body: bytes) -> Reply:
        """Do one job; a job other than scoring fails as a value."""
        job = head["job"]
        if job == "score":
            return self._score(body, head["content_type"])
        try:
            os.chdir(head["folder"])  # relative paths mean what they mean to the server
            result = self._load(head) if job == "load" else self._facts.JOBS[job](head)
        except BaseException as error:  # noqa: BLE001 - a model's code may raise anything, SystemExit included
            return failure(error), b""
        return {"done": True}, json.dumps(result).encode()

    def _load(self, head: Head) -> Head:
        """Load by MLflow's own loader, in the environment that the entity declares."""
        os.environ.update(head["environment"])
        os.environ["_MLFLOW_IS_IN_SERVING_ENVIRONMENT"] = "true"  # as MLflow's own server does
        time.tzset()
        path = self._facts.resolve(head["source"], head["registry_uri"])
        # Its warnings are about versions, which stand in the build log, and cost 0.3 s a load.
        self._model = sys.modules["mlflow.pyfunc"].load_model(path, suppress_warnings=True)
        self._schema = self._model.metadata.get_input_schema()
        self._invocations = sys.modules["mlflow.pyfunc.scoring_server"].invocations
        self._mlflow_exception = sys.modules["mlflow.exceptions"].MlflowException
        described: Head = self._facts.describe(path, self._model.metadata)
        described["differences"] = self._facts.differences(described)
        return described

    def _score(self, body: bytes, content_type: str | None) -> Reply:
        """Answer as MLflow's scoring server does, its bare 500 included.

        SystemExit goes through: MLflow's server answers its bare 500 too, and then ends with that status
        (observed with `mlflow models serve` 3.17).
        """
        try:
            result = self._invocations(body, content_type, self._model, self._schema)
        except self._mlflow_exception as error:
            text = error.serialize_as_json()
            return _reply(error.get_http_status_code(), "application/json", text)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:  # noqa: BLE001 - the framework around MLflow's server does the same
            traceback.print_exc()
            return _INTERNAL_ERROR
        return _reply(result.status, result.mimetype, result.response)


def _reply(status: int, mimetype: str, text: str) -> Reply:
    charset = "; charset=utf-8" if mimetype.startswith("text/") else ""
    body = text.encode("utf-8", "surrogatepass")
    if len(body) > MAX_FRAME_BYTES:
        sys.stderr.write(f"The answer of {len(body)} bytes is over the bound of {MAX_FRAME_BYTES}.\n")
        return _INTERNAL_ERROR
    return {"status": status, "content_type": mimetype + charset}, body


def failure(error: BaseException) -> Head:
    """What went wrong, in one line and in full."""
    log = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    code = getattr(error, "error_code", None)
    return {"failed": one_line(error), "log": log, "code": str(code or type(error).__name__)}


def one_line(error: BaseException) -> str:
    """The exception's type and the first line of what it says that isn't empty."""
    lines = (line.strip() for line in str(error).splitlines())
    text = next((line for line in lines if line), "")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # replaced or closed by the model
            stream.flush()
