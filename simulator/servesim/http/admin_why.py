"""Why a request went as it did: the facts, and the same in plain words."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from servesim.core.errors import Code
from servesim.generations import ga_texts
from servesim.service import waiting
from servesim.service.instants import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from servesim.core.commands import Route
    from servesim.generations.text import Text
    from servesim.service.recorded import RequestRecord

_GRADES = {
    "recorded": "an answer of the real service has this text",
    "documented": "the text stands in the documentation",
    "observed": "the text was seen, if not word for word",
    "chosen": "the real text is not known; this one is servesim's",
    "route": "a route of yours answered",
    "injected": "a fault ordered it",
}


def explain(one: RequestRecord, texts: Mapping[Code, Text] = ga_texts.TEXTS) -> dict[str, Any]:
    """Return the facts about a request, and under ``story`` the sentences that tell them."""
    refused = _refused(one, texts) if one.status >= HTTPStatus.BAD_REQUEST else None
    facts = {
        "request_id": one.request_id,
        "number": one.number,
        "kind": one.kind,
        "asked": {"by": one.requester, "method": one.method, "path": one.path, "at": iso(_came(one))},
        "routed": _routed(one),
        "held": _held(one),
        "answered": {"at": iso(one.instant), "status": one.status, "by": _answered_by(one), "ms": _ran_ms(one)},
        "refused": refused,
        "faults": faults_of(one),
    }
    story = [*_asked(one), *_routing(one), *_waiting(one), *_trouble(one), *_ending(one, refused)]
    return {**facts, "story": story}


def faults_of(one: RequestRecord) -> list[dict[str, Any]]:
    """Return the ordered faults that struck a request, as JSON."""
    return [{"number": number, "effect": effect} for number, effect in one.faults]


_IN_PLACE = {"status", "reset", "expire_token"}
"""Effects of faults that let no model answer."""
_EFFECTS = {
    "status": "another answer stands in place of its own",
    "delay": "it took longer",
    "crash": "the process of its served entity ended",
    "skew": "the router dealt by other shares than those of the config",
    "reset": "its connection was reset, and nothing happened",
    "truncate": "its answer was cut short",
    "garble": "its answer was garbled",
    "lose_reply": "it was carried out, and the answer was lost",
    "stale": "it was answered with what had been so before",
    "expire_token": "its token counted as expired",
}


# --- facts ----------------------------------------------------------------------------------------


def _came(one: RequestRecord) -> int:
    return one.instant if one.admitted is None else one.admitted


def _routed(one: RequestRecord) -> dict[str, Any] | None:
    if one.admitted is None:
        return None
    return {
        "endpoint": one.endpoint,
        "config_version": one.config_version,
        "entity": one.entity,
        "named": one.draw is None,
        "draw": one.draw,
        "shares": None if one.routes is None else _shares(one.routes),
    }


def _shares(routes: tuple[Route, ...]) -> list[dict[str, Any]]:
    shares, edge = [], 0
    for route in routes:
        shares.append({"entity": route.entity, "percentage": route.percentage, "from": edge / 100})
        edge += route.percentage
        shares[-1]["to"] = edge / 100
    return shares


def _held(one: RequestRecord) -> dict[str, Any] | None:
    if one.held_for is None or one.admitted is None:
        return None
    until = one.started if one.started is not None else one.ended
    return {
        "waited_for": _words(one),
        "due": iso(one.held_for.due),
        "from": iso(one.admitted),
        "to": None if until is None else iso(until),
        "ms": None if until is None else until - one.admitted,
    }


def _words(one: RequestRecord) -> str:
    if one.held_for is None:
        return ""
    what = one.held_for.event.what
    return waiting.WORDS.get(what, str(what))


def _answered_by(one: RequestRecord) -> dict[str, str] | None:
    if one.started is None or one.code is not None or _IN_PLACE & {effect for _, effect in one.faults}:
        return None
    return {"entity": one.entity, "model": one.model, "version": one.version, "deployment_id": one.deployment_id}


def _ran_ms(one: RequestRecord) -> int | None:
    return None if one.started is None or one.ended is None else one.ended - one.started


def _refused(one: RequestRecord, texts: Mapping[Code, Text]) -> dict[str, Any]:
    text = texts.get(one.code) if one.code else _text_of(one, texts)
    return {
        "code": str(one.code) if one.code else None,
        "error_code": one.error.get("error_code"),
        "message": one.error.get("message"),
        "grade": one.grade or None,
        "source": text.source if text else None,
    }


def _text_of(one: RequestRecord, texts: Mapping[Code, Text]) -> Text | None:
    """Return the text that a control-plane refusal was made from: the longest that its message begins with."""
    message = one.error.get("message")
    if one.kind != "control" or not isinstance(message, str):
        return None
    error_code = one.error.get("error_code")
    fitting = [
        text
        for text in texts.values()
        if (text.status, text.error_code) == (one.status, error_code) and _begins(message, text.template)
    ]
    return max(fitting, key=lambda text: len(text.template), default=None)


def _begins(message: str, template: str) -> bool:
    start = template.partition("{")[0]
    return bool(start) and message.startswith(start)


# --- words ----------------------------------------------------------------------------------------


def _asked(one: RequestRecord) -> Iterator[str]:
    yield f"{one.requester} asked {one.method} {one.path} at {iso(_came(one))}."


def _routing(one: RequestRecord) -> Iterator[str]:
    if one.admitted is None:
        return
    config = f"config version {one.config_version} of '{one.endpoint}'"
    if not one.config_version:  # a model's endpoint has no configs: the registry says what it serves
        named = unquote(one.path.partition("?")[0].removesuffix("/").split("/")[-2])
        yield (
            f"At '{one.endpoint}' {named} led to version {one.entity}."
            if named != one.entity
            else (f"It named version {one.entity} of '{one.endpoint}'.")
        )
    elif one.draw is None:
        yield f"It named served entity '{one.entity}' of {config}, so the split had no say."
    elif one.routes is None:
        yield f"The draw {one.draw:.4f} sent it to '{one.entity}' by {config}, which has been replaced since."
    else:
        shares = ", ".join(
            f"'{share['entity']}' {share['percentage']} % ({share['from']:.2f} to {share['to']:.2f})"
            for share in _shares(one.routes)
        )
        yield f"By {config} the shares are {shares}; the draw {one.draw:.4f} fell on '{one.entity}'."


def _waiting(one: RequestRecord) -> Iterator[str]:
    held = _held(one)
    if held is None:
        return
    line = f"It was held from {held['from']}"
    line += f" to {held['to']} ({_span(held['ms'])} of simulated time)" if held["to"] else ""
    yield f"{line}: it waited for {held['waited_for']}, due at {held['due']}."


def _trouble(one: RequestRecord) -> Iterator[str]:
    for number, effect in one.faults:
        yield f"Fault {number} struck it, which was ordered: {_EFFECTS.get(effect, effect)}."


def _ending(one: RequestRecord, refused: dict[str, Any] | None) -> Iterator[str]:
    by = _answered_by(one)
    if by is not None:
        yield (
            f"Version {by['version']} of '{by['model']}' (served entity '{by['entity']}') answered {one.status} at "
            f"{iso(one.instant)}, {_span(_ran_ms(one) or 0)} of simulated time after it began."
        )
    else:
        yield f"{'servesim' if refused else 'It was'} answered {one.status} at {iso(one.instant)}."
    if refused is None:
        return
    named = f"{refused['error_code']}: " if refused["error_code"] else ""
    if refused["message"]:
        yield f"{named}{refused['message']}"
    if by is not None and not refused["grade"]:
        yield "The error is the model's own answer, or MLflow's."
    elif refused["grade"]:
        source = f"; {refused['source']}" if refused["source"] else ""
        meaning = _GRADES.get(refused["grade"], "as its grade says")
        yield f"Evidence for the text: {refused['grade']} ({meaning}{source})."
    if one.code is Code.HELD_TOO_LONG and one.held_for is not None:
        yield f"To let such a request run: servesim clock run-until {iso(one.held_for.due)}"


def _span(ms: int) -> str:
    return f"{ms / 1000:g} s"
