"""The pool answers what MLflow's own scoring server was recorded to answer."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from servesim.models.answer import Answer
from servesim.models.pool import Outcome, WorkerKey, WorkerPool

pytestmark = pytest.mark.mlflow

Pair = dict[str, Any]


def _recorded() -> list[Pair]:
    text = Path(__file__).with_name("recorded_pairs.jsonl").read_text(encoding="utf-8")
    pairs = [json.loads(line) for line in text.splitlines()]
    return [pair for pair in pairs if pair["request"]["method"] == "POST"]


PAIRS = _recorded()


def _body(request: Pair) -> bytes:
    if "body_b64" in request:
        return base64.b64decode(request["body_b64"])
    return str(request["body"] or "").encode()


async def _replay(pool: WorkerPool, folder: Path) -> dict[str, Outcome]:
    answers = {}
    for pair in sorted(PAIRS, key=lambda pair: str(pair["model"])):
        key = WorkerKey(str(folder / pair["model"]))
        content_type = pair["request"]["headers"].get("Content-Type")
        answers[pair["id"]] = await pool.score(key, _body(pair["request"]), content_type)
    return answers


@pytest.fixture(scope="module")
def replayed(shared: Callable[..., dict[str, Outcome]], golden_models: Path) -> dict[str, Outcome]:
    """The pool's answer to each recorded request."""

    async def run() -> dict[str, Outcome]:
        pool = WorkerPool(limit=2)
        try:
            return await _replay(pool, golden_models)
        finally:
            await pool.close()

    return shared("replayed", lambda: asyncio.run(run()))


def essence(status: int, content_type: str, text: str) -> tuple[Any, ...]:
    """What must be equal: an error's code and the message up to its first quote, else all of the JSON.

    What follows the quote is a value's `repr`, an order of a set or a library's own words.
    """
    if not content_type.startswith("application/json"):
        return status, content_type, text
    parsed = json.loads(text)
    if isinstance(parsed, dict) and "error_code" in parsed:
        return status, content_type, parsed["error_code"], re.split(r"['\"]", parsed["message"])[0]
    return status, content_type, parsed


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["id"] for pair in PAIRS])
def test_answers_as_recorded(pair: Pair, replayed: dict[str, Outcome]) -> None:
    answer = replayed[pair["id"]]
    assert isinstance(answer, Answer)
    recorded = pair["response"]
    expected = essence(recorded["status"], recorded["headers"]["content-type"], recorded["body"])
    assert essence(answer.status, answer.content_type, answer.body.decode()) == expected


def test_recorded_pairs_are_many() -> None:
    assert len(PAIRS) == 177
