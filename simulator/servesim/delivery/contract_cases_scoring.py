"""Cases of MLflow's scoring server, `mlflow models serve`: a server of its own, with no token."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from servesim.delivery.client import JSON
from servesim.delivery.contract_cases_data import ROWS, UNREAD_TYPES, check_malformed, check_scored
from servesim.delivery.contract_payloads import UNKNOWN, formats
from servesim.delivery.contract_talk import NotRun

if TYPE_CHECKING:
    from servesim.delivery.client import Answered
    from servesim.delivery.contract_talk import Talk

INVOCATIONS = "/invocations"
SURFACE = ("scoring",)


def ping_and_health(talk: Talk) -> None:
    """/ping and /health say with 200 that the server is there."""
    for path in ("/ping", "/health"):
        talk.status(talk.get(path, surfaces=SURFACE))


def version(talk: Talk) -> None:
    """/version tells MLflow's version as text."""
    answered = talk.get("/version", surfaces=SURFACE)
    if talk.status(answered):
        talk.that(answered.body[:1].isdigit(), "a version that begins with a number")


def score_in_each_format(talk: Talk) -> None:
    """Rows are scored in each format, or refused as bad input where nobody knows what the model takes."""
    for sent in formats(talk.plan.sample or UNKNOWN):
        answered = _post(talk, sent.body, sent.content_type)
        check_scored(talk, answered, sent)


def malformed_input(talk: Talk) -> None:
    """What is no request in one of the formats is refused with 400, an error_code and a message."""
    check_malformed(talk, partial(_post, talk))


def wrong_types_of_content(talk: Talk) -> None:
    """Another content type, charset or parameter is refused with 415, as text."""
    for content_type in UNREAD_TYPES:
        talk.status(_post(talk, ROWS, content_type), 415)


def unknown_keys(talk: Talk) -> None:
    """Keys that nobody knows are ignored beside a format."""
    if talk.plan.sample is None:
        raise NotRun("no payload is known that the model accepts; give one with --payload or --signature")
    request = {**talk.plan.sample.request, "servesim_contract": 1}
    talk.status(talk.send("POST", INVOCATIONS, request, surfaces=SURFACE))


def wrong_methods(talk: Talk) -> None:
    """GET of /invocations is refused with 405, a path that nobody knows with 404."""
    talk.status(talk.get(INVOCATIONS, surfaces=SURFACE), 405)
    talk.status(talk.get("/servesim-contract-unknown", surfaces=SURFACE), 404)


CASES = (
    ping_and_health,
    version,
    score_in_each_format,
    malformed_input,
    wrong_types_of_content,
    unknown_keys,
    wrong_methods,
)


def _post(talk: Talk, body: bytes, content_type: str = JSON) -> Answered:
    return talk.send("POST", INVOCATIONS, body, content_type=content_type, surfaces=SURFACE)
