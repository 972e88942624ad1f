"""What was asked of a workspace and what it answered: the last calls, bounded in number and in bytes.

Rules: keeping a call copies nothing and works nothing out, because every scoring request pays for it; who reads
the record pays (``recorded.py``). No body of a control-plane call is kept, and no answer that may hold a secret.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from servesim.core.access import Principal
    from servesim.core.endpoint import Config
    from servesim.core.errors import Code
    from servesim.core.routing import Ticket
    from servesim.core.timeline import Timer
    from servesim.core.workspace import Workspace
    from servesim.service.recorded import RequestRecord

COUNT_LIMIT = 10_000
"""How many calls are kept; the oldest go first."""
BYTES_LIMIT = 64 * 1024 * 1024
"""Bytes of bodies and answers that are kept together."""
BODY_LIMIT = 1_000_000
"""Of a longer body or answer of a scoring request only the length is kept."""
ANSWER_LIMIT = 16 * 1024
"""The same for answers of the control plane."""

_SECRET = ("/oidc", "/api/2.0/secrets", "/api/2.0/token", "/api/2.0/fs/create-")
"""Answers below these paths may hold what nobody else should read."""


class Answered(Protocol):
    """An answer as it left."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def body(self) -> bytes:
        """Bytes of the body."""

    @property
    def content_type(self) -> str:
        """As in the header."""

    @property
    def grade(self) -> str:
        """How its text is known; may be empty."""


class Trouble(Protocol):
    """Which ordered faults struck a call."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """As they were ordered."""

    @property
    def effects(self) -> tuple[str, ...]:
        """What each of them does."""


class Sent(NamedTuple):
    """An answer that is kept without all that it held."""

    status: int
    body: bytes
    content_type: str
    grade: str


class Scored(NamedTuple):
    """A scoring request with what is at hand once it has been answered."""

    request_id: str
    target: str
    """Path and query."""
    principal: Principal
    endpoint: str
    entity: str | None
    """The entity that it named."""
    body: bytes
    sent: Answered
    ticket: Ticket | None
    timer: Timer | None
    """What it waited for when it came, if it was held."""
    code: Code | None
    """Why it was refused, if the world did that."""


ScoredFields = tuple[
    str, str, "Principal", str, str | None, bytes, Answered, "Ticket | None", "Timer | None", "Code | None"
]
"""The fields of Scored as a plain tuple, which is made in a tenth of the time."""


class Managed(NamedTuple):
    """A control-plane call that was answered."""

    method: str
    path: str
    requester: str
    sent: Sent
    trouble: Trouble | None = None
    """What ordered faults did to it."""


class Kept(NamedTuple):
    """A call as it is kept."""

    size: int
    """Bytes that count."""
    instant: int
    gateway: str | None
    """The endpoint's AI Gateway settings as JSON, as they were."""
    config: Config | None
    """The endpoint's active config when it was answered."""
    call: ScoredFields | Managed
    lengths: tuple[int, int] | None
    """Of body and answer, where they were too long to keep, or secret."""


class Requests:
    """The last calls of one workspace, the oldest first."""

    __slots__ = ("_bytes", "_kept", "count")

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: deque[tuple[Any, ...]] = deque()
        self._bytes = 0
        self.count = 0
        """How many there ever were."""

    def scored(self, world: Workspace, call: ScoredFields) -> None:
        """Keep a scoring request; plain tuples, because this is paid for by every one."""
        size, lengths = len(call[1]) + len(call[5]) + len(call[6].body), None
        if size > BODY_LIMIT:
            lengths = len(call[5]), len(call[6].body)
            call = _shortened(Scored(*call))
            size = len(call[1]) + len(call[5]) + len(call[6].body)
        endpoint = world.endpoints.get(call[3])
        self.count += 1
        self._bytes += size
        if endpoint is None:
            self._kept.append((size, world.timeline.now, None, None, call, lengths))
        else:
            gateway = endpoint.settings.get("ai_gateway")
            self._kept.append((size, world.timeline.now, gateway, endpoint.active, call, lengths))
        if len(self._kept) > COUNT_LIMIT or self._bytes > BYTES_LIMIT:
            self._forget()

    def managed(self, world: Workspace, call: Managed) -> None:
        """Keep a control-plane call."""
        size, lengths = len(call.sent.body), None
        if size > ANSWER_LIMIT or call.path.startswith(_SECRET):
            lengths = 0, size
            size, call = 0, call._replace(sent=call.sent._replace(body=b""))
        size += len(call.path)
        self.count += 1
        self._bytes += size
        self._kept.append((size, world.timeline.now, None, None, call, lengths))
        if len(self._kept) > COUNT_LIMIT or self._bytes > BYTES_LIMIT:
            self._forget()

    def _forget(self) -> None:
        while len(self._kept) > COUNT_LIMIT or self._bytes > BYTES_LIMIT:
            self._bytes -= self._kept.popleft()[0]

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[RequestRecord]:
        """Yield what is kept, the oldest first."""
        return (_recorded().record(number, kept) for number, kept in self._numbered())

    def __reversed__(self) -> Iterator[RequestRecord]:
        """Yield what is kept, the newest first."""
        return (_recorded().record(number, kept) for number, kept in self._numbered()[::-1])

    def find(self, wanted: str) -> RequestRecord | None:
        """Return a call by its request id, or by its number."""
        for number, kept in self._numbered()[::-1]:
            if str(number) == wanted or _recorded().request_id(kept.call) == wanted:
                found: RequestRecord = _recorded().record(number, kept)
                return found
        return None

    def _numbered(self) -> list[tuple[int, Kept]]:
        return list(enumerate(map(Kept._make, self._kept), self.count - len(self._kept) + 1))


def _shortened(call: Scored) -> Scored:
    """Leave out what is too long to keep."""
    sent = call.sent
    body = call.body if len(call.body) <= BODY_LIMIT else b""
    answer = sent.body if len(sent.body) <= BODY_LIMIT else b""
    return call._replace(body=body, sent=Sent(sent.status, answer, sent.content_type, sent.grade))


def _recorded() -> ModuleType:
    """Return what reads the record: a server starts sooner without it."""
    from servesim.service import recorded  # noqa: PLC0415 - who reads the record pays for it

    return recorded
