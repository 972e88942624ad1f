"""Cases of the data plane: predictions in each format, and what is refused."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from servesim.delivery.client import (
    CSV,
    ENDPOINTS,
    JSON,
    Answered,
    Unreachable,
    call,
    endpoint_path,
    example_path,
    scoring_path,
)
from servesim.delivery.contract_cases_control import MISSING, NO_TOKEN
from servesim.delivery.contract_payloads import UNKNOWN, Sample, formats
from servesim.delivery.contract_talk import NotRun, dig, named, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from servesim.delivery.contract_payloads import Sent
    from servesim.delivery.contract_talk import Talk

SERVED_BY = "Served-Model-Name"
ROWS = b'{"dataframe_split": {"columns": ["a"], "data": [[1]]}}'
MALFORMED = {
    "nothing": b"",
    "no JSON": b"{not json",
    "no UTF-8": b'{"inputs": "\xff"}',
    "a list": b"[1]",
    "a text": b'"a"',
    "no format": b"{}",
    "an unknown format": b'{"rows": [1]}',
    "two formats": b'{"instances": [1], "inputs": [1]}',
    "a split that is a list": b'{"dataframe_split": []}',
    "records that are an object": b'{"dataframe_records": {}}',
    "a split without data": b'{"dataframe_split": {"columns": ["a"]}}',
    "a row that is too long": b'{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}',
}
"""Bodies that MLflow's scoring server refuses with 400 whatever the model."""
UNREAD_TYPES = ("text/plain", "application/xml", f"{JSON}; charset=latin-1", f"{CSV}; header=present")
"""Content types that it refuses with 415."""


def invoke_in_each_format(talk: Talk) -> None:
    """Rows are scored in each format, or refused as bad input; the answer tells which entity served it."""
    endpoint, entities = _scored(talk)
    for sent in formats(sample(talk, endpoint)):
        answered = talk.send("POST", scoring_path(endpoint), sent.body, content_type=sent.content_type)
        check_scored(talk, answered, sent, entities)


def invoke_one_entity(talk: Talk) -> None:
    """A served entity can be asked by its name, whatever its share."""
    endpoint, entities = _scored(talk)
    first = formats(sample(talk, endpoint))[0]
    for entity in entities:
        answered = talk.send("POST", scoring_path(endpoint, entity), first.body, content_type=first.content_type)
        check_scored(talk, answered, first, [entity])


def malformed_rows(talk: Talk) -> None:
    """What is no request in one of the formats is refused with 400, an error_code and a message."""
    endpoint, _ = _scored(talk)
    check_malformed(talk, partial(talk.send, "POST", scoring_path(endpoint)))


def wrong_content_types(talk: Talk) -> None:
    """Rows of another content type, or in another charset, are refused with 415."""
    endpoint, _ = _scored(talk)
    for content_type in UNREAD_TYPES:
        talk.status(talk.send("POST", scoring_path(endpoint), ROWS, content_type=content_type), 415)


def invoke_a_missing_endpoint(talk: Talk) -> None:
    """To ask an endpoint or entity that is not there is refused with 404 ENDPOINT_NOT_FOUND, which is another code."""
    talk.refused(talk.send("POST", scoring_path(MISSING), ROWS), 404, "ENDPOINT_NOT_FOUND")
    talk.refused(talk.send("POST", scoring_path(MISSING, "one"), ROWS), 404, "ENDPOINT_NOT_FOUND")


def invoke_a_missing_entity(talk: Talk) -> None:
    """To ask an entity that the endpoint does not serve is refused with 404 ENDPOINT_NOT_FOUND."""
    endpoint, _ = _scored(talk)
    talk.refused(talk.send("POST", scoring_path(endpoint, MISSING), ROWS), 404, "ENDPOINT_NOT_FOUND")


def invoke_without_a_good_token(talk: Talk) -> None:
    """A scoring request without a token is refused with 401, one with a wrong token with 403."""
    talk.hide(NO_TOKEN)
    for token, status in (("", 401), (NO_TOKEN, 403)):
        talk.refused(talk.send("POST", scoring_path(MISSING), ROWS, token=token), status, status)


SCORING = (
    invoke_in_each_format,
    invoke_one_entity,
    malformed_rows,
    wrong_content_types,
    invoke_a_missing_endpoint,
    invoke_a_missing_entity,
    invoke_without_a_good_token,
)


def check_scored(talk: Talk, answered: Answered, sent: Sent, entities: Sequence[str] = ()) -> None:
    """Expect predictions, of one of the entities if there are some; bad input is an answer too to what is a guess."""
    allowed = (200,) if sent.is_known else (200, 400)
    talk.that(answered.status in allowed, f"status {allowed[0]} for {sent.format}, not {answered.status}")
    if not answered.well:
        return
    talk.predicts(answered)
    if entities:
        entity = answered.headers.get(SERVED_BY)
        talk.that(entity in entities, f"a header {SERVED_BY} that names one of {', '.join(entities)}")


def check_malformed(talk: Talk, send: Callable[[bytes], Answered]) -> None:
    """Send each malformed body and expect it to be refused as one."""
    for name, body in MALFORMED.items():
        answered = send(body)
        if talk.that(answered.status == 400, f"status 400 for {name}, not {answered.status}"):  # noqa: PLR2004 - bad request
            talk.same(f"error_code for {name}", dig(answered.document, "error_code"), "BAD_REQUEST")


def sample(talk: Talk, endpoint: str) -> Sample:
    """Return what to send: what was given, the model's own example on servesim, or a guess."""
    if talk.plan.sample is not None:
        return talk.plan.sample
    try:
        document = call(talk.target, example_path(endpoint)).document
    except Unreachable:
        return UNKNOWN
    example = dig(document, "example")
    return Sample(example) if isinstance(example, dict) and example else UNKNOWN


def _scored(talk: Talk) -> tuple[str, list[str]]:
    """Return an endpoint that may be asked and the names of its entities; raise NotRun if there is none."""
    name = talk.plan.endpoint or _first_ready(talk)
    document = talk.get(endpoint_path(name)).document
    entities = named(rows(document, "config", "served_entities"))
    if not entities:
        raise NotRun(f"endpoint {name} serves nothing")
    return name, entities


def _first_ready(talk: Talk) -> str:
    if not talk.plan.may_score:
        raise NotRun("no endpoint may be asked for predictions; name one with --endpoint")
    ready = [one for one in rows(talk.get(ENDPOINTS).document, "endpoints") if dig(one, "state", "ready") == "READY"]
    for name in named(ready):
        return name
    raise NotRun("no endpoint is ready")
