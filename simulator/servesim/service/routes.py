"""Paths that servesim does not simulate, answered as a user says: fixed content, or a Python callable.

Rules: what is simulated always wins, and a route over it is refused when it is added; of two routes that fit a call
the one added last answers; nothing is ever passed on to anywhere else.
"""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from servesim.service.patterns import ANY, Pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

METHODS = frozenset({ANY, "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
ROUTE_LIMIT = 1_000
"""How many routes a workspace has at most."""
BODY_LIMIT = 1024 * 1024
"""Bytes of a fixed answer."""
ANSWER_LIMIT = 16 * 1024 * 1024
"""Bytes of what a callable answers, and of the body that it is called with."""
HEADER_LIMIT = 50
OWN = ("/_servesim/", "/oidc/", "/.well-known/")
"""What is below these is answered without a workspace's token, or not at all."""
GRADE = "route"
"""What the answer of a route is marked with."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_VALUE = re.compile(r"[\x20-\x7e]{0,4000}")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_WITHOUT_BODY = frozenset({204, 205, 304})
_KEYS = frozenset({"method", "path", "status", "json", "text", "headers"})


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """A call that a route answers, as its callable gets it."""

    method: str
    path: str
    params: dict[str, str]
    """By the names in the route's path; ``*`` is what its end stood for."""
    query: dict[str, str]
    headers: dict[str, str]
    """By name in lower case, without the credential."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON, None if there is none; raise ValueError."""
        return json.loads(self.body) if self.body else None


class RouteReply(NamedTuple):
    """An answer with all that a callable may say: JSON, or text instead."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed: it is read once, when the answer is made
    text: str | None = None


class Answered(NamedTuple):
    """The bytes of an answer, checked."""

    status: int
    body: bytes
    content_type: str
    headers: dict[str, str]


@dataclass(slots=True, eq=False)
class Route:
    """One route: its fixed answer, or the callable that answers."""

    method: str
    pattern: Pattern
    fixed: Answered | None
    function: Callable[[RouteRequest], Any] | None = None
    number: int = 0
    hits: int = 0
    described: dict[str, Any] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Return the route as JSON."""
        return {"number": self.number, **self.described, "hits": self.hits}


def read_route(entry: Mapping[str, Any]) -> Route:
    """Read a route as scenarios and the admin API write it; raise ValueError that names the key."""
    unknown = sorted(entry.keys() - _KEYS)
    if unknown:
        raise ValueError(f"{unknown[0]}: a route has {', '.join(sorted(_KEYS))}")
    for key in ("method", "path"):
        if not isinstance(entry.get(key), str):
            raise ValueError(f"{key}: a route has one, as text")  # noqa: TRY004 - what a user wrote is wrong, not a type
    if "json" in entry and "text" in entry:
        raise ValueError("json, text: a route answers with one of them")
    reply = RouteReply(entry.get("json"), entry.get("status", 200), entry.get("headers", {}), entry.get("text"))
    if "json" not in entry and "text" not in entry:
        reply = reply._replace(text="")
    return fixed_route(entry["method"], entry["path"], reply)


def fixed_route(method: str, path: str, reply: RouteReply) -> Route:
    """Return a route that always answers the same; raise ValueError."""
    answer = answered(reply, BODY_LIMIT)
    content = {"json": json.loads(_encoded(reply.body))} if reply.text is None else {"text": reply.text}
    return _route(method, path, answer, None, {"status": answer.status, **content, "headers": dict(reply.headers)})


def function_route(method: str, path: str, function: Any) -> Route:
    """Return a route that a callable answers; raise TypeError for what cannot be called, ValueError."""
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise TypeError(f"a route is answered by a plain function of the request, called in a thread; got {function!r}")
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return _route(method, path, None, function, {"function": name})


def _route(
    method: str,
    path: str,
    fixed: Answered | None,
    function: Callable[[RouteRequest], Any] | None,
    answer: dict[str, Any],
) -> Route:
    if method.upper() not in METHODS:
        raise ValueError(f"method: {method!r} is none of {', '.join(sorted(METHODS))}")
    described = {"method": method.upper(), "path": path, **answer}
    return Route(method.upper(), Pattern(path), fixed, function, described=described)


def answered(value: Any, limit: int = ANSWER_LIMIT) -> Answered:
    """Return what a callable returned as bytes: JSON, ``(status, JSON)`` or RouteReply; raise ValueError."""
    if isinstance(value, RouteReply):
        reply = value
    elif isinstance(value, tuple):
        if len(value) != len(("status", "JSON")):
            raise ValueError("a route answers with JSON, (status, JSON) or RouteReply")
        reply = RouteReply(value[1], value[0])
    else:
        reply = RouteReply(value)
    headers = _headers(reply.headers)
    if reply.text is None:
        body, default = _encoded(reply.body), "application/json"
    elif isinstance(reply.text, str):
        body, default = reply.text.encode(), "text/plain; charset=utf-8"
    else:
        raise ValueError(f"text: {type(reply.text).__name__} is not text")
    status = _status(reply.status)
    if status in _WITHOUT_BODY:
        body = b""
    if len(body) > limit:
        raise ValueError(f"the answer has {len(body):,} bytes; a route answers at most {limit:,}")
    return Answered(status, body, headers.pop("content-type", default), headers)


def _encoded(document: Any) -> bytes:
    try:
        return json.dumps(document, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"json: the answer is no JSON: {error}") from error


def _status(status: Any) -> int:
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:  # noqa: PLR2004 - HTTP's
        raise ValueError(f"status: {status!r} is no status of an answer, 200 to 599")
    return status


def _headers(headers: Any) -> dict[str, str]:
    if not hasattr(headers, "items") or len(headers) > HEADER_LIMIT:
        raise ValueError(f"headers: at most {HEADER_LIMIT} names with values")
    read = {}
    for name, value in headers.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
            raise ValueError(f"headers: {str(name)[:200]!r} is no header that a route can set")
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise ValueError(f"headers: the value of {name} is not printable ASCII text")
        read["content-type" if name.lower() == "content-type" else name] = value
    return read


class Found(NamedTuple):
    """The route of a call and what the names in its path stand for."""

    route: Route
    params: dict[str, str]


def no_path(_path: str) -> Collection[str]:
    """Return no method: nothing is simulated."""
    return ()


class Routes:
    """The routes of one workspace; used on the server's event loop."""

    def __init__(self, simulated: Callable[[str], Collection[str]] = no_path) -> None:
        """Begin with none; ``simulated`` tells the methods that servesim itself answers on a path."""
        self.simulated = simulated
        self._routes: dict[int, Route] = {}
        self._added = 0

    def __len__(self) -> int:
        return len(self._routes)

    def add(self, route: Route) -> int:
        """Add a route and return its number; raise ValueError for a simulated path, or for one too many."""
        path = route.pattern.sample()
        taken = set(self.simulated(path))
        clash = sorted(taken if route.method == ANY else taken & {route.method})
        if clash:
            raise ValueError(
                f"path: servesim simulates {', '.join(clash)} {route.pattern.path} itself, and a route never stands "
                "in its way"
            )
        if path.startswith(OWN):
            raise ValueError(f"path: what is below {', '.join(OWN)} is servesim's own")
        if len(self._routes) >= ROUTE_LIMIT:
            raise ValueError(f"a workspace has at most {ROUTE_LIMIT:,} routes; remove some")
        self._added += 1
        route.number = self._added
        self._routes[route.number] = route
        return route.number

    def remove(self, number: int) -> None:
        """Remove a route; raise KeyError if there is none of that number."""
        if self._routes.pop(number, None) is None:
            raise KeyError(f"there is no route {number}")

    def list(self) -> list[dict[str, Any]]:
        """Return every route as JSON, the oldest first."""
        return [route.describe() for route in self._routes.values()]

    def clear(self) -> None:
        """Remove every route."""
        self._routes.clear()

    def find(self, method: str, path: str) -> Found | None:
        """Return the route that answers a call, the last added first, and count the hit."""
        for route in reversed(self._routes.values()):
            if route.method in (method, ANY) and (params := route.pattern.match(path)) is not None:
                route.hits += 1
                return Found(route, params)
        return None
