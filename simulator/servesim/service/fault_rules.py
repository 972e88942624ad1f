"""Faults as people write them, the same in scenarios, in the admin API and in Python; and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servesim.core.commands import AddFault
from servesim.core.faults import (
    DEPLOYMENT,
    EFFECTS,
    OF_QUERIES,
    QUERIES,
    QUERY,
    STALE_READS,
    Fault,
)
from servesim.service.instants import instant_of, iso, milliseconds, writable
from servesim.service.operation_names import NAMES
from servesim.service.routes import RouteReply, answered
from servesim.service.spreads import read_spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servesim.core.faults import Order
    from servesim.service.hub import HostedWorkspace

FAILED_MESSAGE = "servesim was told to let this deployment fail"
ANY = "any"
MOST_TIMES = 1_000_000
BODY_LIMIT = 64 * 1024
"""Bytes of an answer that stands in place of the service's own."""
TEXT_LIMIT = 10_000
"""Characters of a name or message."""
LONGEST_RETRY_S = 86_400
_TRIED_AGAIN = (429, 503)
"""Statuses that clients are told by ``Retry-After`` when to try again."""
_WHOLE = 100

COMMON = ("effect", "operation", "endpoint", "entity", "principal", "skip", "times", "after", "before", "share")
_OWN = {
    "fail": ("message",),
    "hang": ("message",),
    "delay": ("message", "delay"),
    "status": ("status", "message", "error_code", "body", "headers", "retry_after"),
    "truncate": ("cut_at",),
    "stale": ("lag",),
    "skew": ("split",),
}
"""What an effect takes beside what all of them do."""
KEYS = (*COMMON, *dict.fromkeys(key for own in _OWN.values() for key in own))
_NEVER_NEGATIVE = {"delay": "a delay is longer than nothing"}
_NEEDED = {"delay": "delay", "status": "status", "skew": "split"}


def read_rule(entry: Mapping[str, Any], now: int) -> Fault:
    """Read a fault; ``now`` is what its durations count from. Raise ValueError that names the key."""
    effect = _effect(entry)
    given = {key: value for key, value in entry.items() if value is not None or key in {"times", "retry_after"}}
    allowed = (*COMMON, *_OWN.get(effect, ()))
    for key in entry:
        if key not in KEYS:
            raise ValueError(f"{_short(key)} is no key of a fault; it has {', '.join(KEYS)}")
        if key not in allowed:
            raise ValueError(f"{key} is not for the effect {effect}, which takes {', '.join(allowed)}")
    needed = _NEEDED.get(effect)
    if needed is not None and needed not in given:
        raise ValueError(f"{needed} is missing: the effect {effect} needs it")
    operation = _operation(effect, given.get("operation"), given.get("entity"))
    default = FAILED_MESSAGE if effect == "fail" else ""
    after, before = (_instant(given, key, now) for key in ("after", "before"))
    if after is not None and before is not None and before < after:
        raise ValueError("after lies behind before: between them is no instant, and it would never strike")
    return Fault(
        effect,
        _text(given, "endpoint"),
        _text(given, "entity"),
        _text(given, "message") or default,
        times=_times(given, 1 if operation == DEPLOYMENT else None),
        operation=operation,
        principal=_text(given, "principal"),
        skip=_whole(given, "skip", 0, MOST_TIMES),
        after=after,
        before=before,
        share=_share(given),
        **_own(effect, given),
    )


def _effect(entry: Mapping[str, Any]) -> str:
    effect = entry.get("effect")
    if not isinstance(effect, str) or effect not in EFFECTS:
        raise ValueError(f"effect is one of {', '.join(EFFECTS)}; got {_short(effect)}")
    return effect


def _operation(effect: str, written: Any, entity: Any) -> str | None:
    of_deployment = effect in {"fail", "hang"} or (effect == "delay" and written is None)
    default = DEPLOYMENT if of_deployment else QUERY if effect in OF_QUERIES else ANY
    operation = default if written is None else written
    known = (DEPLOYMENT, QUERY, ANY, *NAMES)
    if not isinstance(operation, str) or operation not in known:
        import difflib  # noqa: PLC0415 - whoever writes it right pays nothing

        near = difflib.get_close_matches(str(operation)[:100], known, cutoff=0.5) or known
        raise ValueError(f"operation {_short(operation)} is unknown; there is {', '.join(near)}")
    if of_deployment != (operation == DEPLOYMENT) and not (effect == "delay" and operation == DEPLOYMENT):
        struck = "deployments alone" if of_deployment else "no deployment"
        raise ValueError(f"operation is {operation}, and the effect {effect} strikes {struck}")
    if effect in OF_QUERIES and operation not in {QUERY, *QUERIES}:
        raise ValueError(f"operation is {operation}, and the effect {effect} strikes scoring requests alone")
    if effect == "skew" and (entity is not None or operation in QUERIES[1:]):
        raise ValueError("the effect skew is about requests that no entity is named for; split says what they get")
    if effect == "stale" and operation not in {ANY, *STALE_READS}:
        raise ValueError(f"operation is {operation}, and the effect stale strikes {', '.join(STALE_READS)}")
    return None if operation == ANY else operation


def _own(effect: str, given: dict[str, Any]) -> dict[str, Any]:
    match effect:
        case "delay":
            return _delay(given["delay"])
        case "status":
            return _answer(given)
        case "truncate":
            return {"cut_at": _whole(given, "cut_at", 0, 2**31) if "cut_at" in given else None}
        case "stale":
            return {"lag_ms": _duration("lag", given["lag"]) if "lag" in given else None}
        case "skew":
            return {"split": _split(given["split"])}
    return {}


def _delay(written: Any) -> dict[str, int]:
    if isinstance(written, dict):
        spread = read_spread(written)
        return {"delay_ms": spread.median_ms, "delay_p99_ms": spread.p99_ms}
    delay_ms = _duration("delay", written)
    if not delay_ms:
        raise ValueError(f"a delay is longer than nothing; got {_short(written)}")
    return {"delay_ms": delay_ms, "delay_p99_ms": 0}


def _answer(given: dict[str, Any]) -> dict[str, Any]:
    """Read what stands in place of the service's own answer."""
    if "body" in given and ("message" in given or "error_code" in given):
        raise ValueError("body is all that is answered: leave message and error_code out, or body")
    written = given.get("body")
    text = written if isinstance(written, str) else None
    answer = answered(RouteReply(written, given["status"], given.get("headers", {}), text), BODY_LIMIT)
    headers = dict(answer.headers)
    if "body" in given or "content-type" in {name.lower() for name in given.get("headers", {})}:
        headers["Content-Type"] = answer.content_type
    own = [name for name in headers if name.lower() == "retry-after"]
    if own and given.get("retry_after") is not None:
        raise ValueError("retry_after is that header: leave it out, or the header")
    retry_after = given.get("retry_after", 0 if answer.status in _TRIED_AGAIN and not own else None)
    if retry_after is not None:
        headers["Retry-After"] = str(_whole({"retry_after": retry_after}, "retry_after", 0, LONGEST_RETRY_S))
    return {
        "status": answer.status,
        "error_code": _text(given, "error_code") or "",
        "body": answer.body.decode() if "body" in given or not answer.body else None,
        "headers": tuple(headers.items()),
    }


def _split(written: Any) -> tuple[tuple[str, int], ...]:
    shares = list(written.items()) if isinstance(written, dict) else []
    if not all(isinstance(share, int) and not isinstance(share, bool) and share >= 0 for _, share in shares):
        raise ValueError(f"split has a whole percentage for each served entity; got {_short(written)}")
    if not shares or sum(share for _, share in shares) != _WHOLE or not all(isinstance(one, str) for one, _ in shares):
        raise ValueError(f"split is {{entity: percent}}, and its shares add up to 100; got {_short(written)}")
    return tuple(shares)


def _text(given: dict[str, Any], key: str) -> str | None:
    value = given.get(key)
    if not isinstance(value, str | None):
        raise ValueError(f"{key} is text; got {_short(value)}")  # noqa: TRY004 - what a user wrote is wrong, not a type
    if value and len(value) > TEXT_LIMIT:
        raise ValueError(f"{key} has at most {TEXT_LIMIT:,} characters; got {len(value):,}")
    return value


def _whole(given: dict[str, Any], key: str, least: int, most: int) -> int:
    value = given.get(key, least)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{key} is a whole number from {least} to {most:,}; got {_short(value)}")
    return value


def _times(given: dict[str, Any], default: int | None) -> int | None:
    times = given.get("times", default)
    return None if times is None else _whole({"times": times}, "times", 1, MOST_TIMES)


def _share(given: dict[str, Any]) -> float | None:
    share = given.get("share")
    if share is None:
        return None
    if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1:
        raise ValueError(f"share is a number from 0 to 1; got {_short(share)}")
    return float(share)


def _instant(given: dict[str, Any], key: str, now: int) -> int | None:
    written = given.get(key)
    if written is None:
        return None
    if isinstance(written, str) and "-" in written:
        return instant_of(written)
    return writable(now + _duration(key, written))


def _duration(key: str, written: Any) -> int:
    if not isinstance(written, str | int | float) or isinstance(written, bool):
        raise ValueError(f'{key} is a duration such as "20m"; got {_short(written)}')  # noqa: TRY004 - as above
    duration = milliseconds(written)
    if duration < 0:
        raise ValueError(f"{_NEVER_NEGATIVE.get(key, f'{key} is not before now')}; got {_short(written)}")
    return duration


def _short(value: Any) -> str:
    return repr(value)[:200]


# --- orders ---------------------------------------------------------------------------------------


def order(workspace: HostedWorkspace, rule: Mapping[str, Any]) -> int:
    """Order a fault as it is written and return its number; raise ValueError or Rejected."""
    fault = read_rule(rule, workspace.clock.now())
    number: int = workspace.clock.execute(AddFault(fault))
    if fault.effect == "stale":
        from servesim.service.past import watch  # noqa: PLC0415 - most worlds need no past

        watch(workspace.world)
    return number


def describe(order: Order) -> dict[str, Any]:
    """Return an order as JSON: flat, what it does beside how it fared."""
    fault = order.fault
    return {
        "number": order.number,
        "effect": fault.effect,
        "endpoint": fault.endpoint,
        "entity": fault.entity,
        "message": fault.message,
        "delay_ms": fault.delay_ms,
        "times": order.left,
        "operation": fault.operation or ANY,
        "principal": fault.principal,
        "skip": fault.skip,
        "after": None if fault.after is None else iso(fault.after),
        "before": None if fault.before is None else iso(fault.before),
        "share": fault.share,
        "matched": order.matched,
        "struck": order.struck,
        **_described(fault),
    }


def _described(fault: Fault) -> dict[str, Any]:
    match fault.effect:
        case "delay":
            return {"delay_p99_ms": fault.delay_p99_ms or fault.delay_ms}
        case "status":
            own = {"status": fault.status, "error_code": fault.error_code, "body": fault.body}
            return {**own, "headers": dict(fault.headers)}
        case "truncate":
            return {"cut_at": fault.cut_at}
        case "stale":
            return {"lag_ms": fault.lag_ms}
        case "skew":
            return {"split": dict(fault.split)}
    return {}


def words(order: Order) -> str:
    """Name an order in a line for people."""
    fault = order.fault
    where = [f"{key} {value}" for key in ("endpoint", "entity", "principal") if (value := getattr(fault, key))]
    effect = f"status {fault.status}" if fault.effect == "status" else fault.effect
    what = f"fault {order.number}: {', '.join([f'{effect} at {fault.operation or ANY}', *where])}"
    return f"{what} (matched {order.matched})" if order.matched else what
