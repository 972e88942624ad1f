"""Who in this process sent a request: a call that ``start`` began, or a model in a thread of its own.

A sender is recognised by the local address of the socket that it sends on. While it acts, a profile function of its
thread notes the address of every socket that it sends on; only then, so that nobody else pays for it.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from types import FrameType

    from servesim.core.routing import Ticket

_METHODS = frozenset({"send", "sendall", "sendmsg", "write"})
"""Of sockets, and ``write`` of what encrypts for one."""


class Sender:
    """Whoever sends requests and is told, on the server's event loop, how far they come."""

    works_for: tuple[Ticket, ...] = ()
    """The request whose model sends, then the one whose model sent that, and so on."""

    def came(self, request: str) -> None:
        """Note that a request (method and path) has come."""

    def admitted(self, ticket: Ticket) -> None:
        """Note that a scoring request has been let in, running or held."""

    def answered(self) -> None:
        """Note that a request has its answer."""


class ModelAtWork(Sender):
    """A Python callable that answers a request."""

    def __init__(self, tickets: tuple[Ticket, ...]) -> None:
        """Keep the request, and those that wait for its answer in turn."""
        self.works_for = tickets


sent_by: ContextVar[Sender | None] = ContextVar("sent_by", default=None)
"""On the server's event loop: who sent the request that is being answered."""

_acting: ContextVar[tuple[Senders, Sender] | None] = ContextVar("acting", default=None)
"""In a thread or task of a client: for whom it acts."""


class Senders:
    """The senders of this process that one server knows."""

    def __init__(self) -> None:
        """Know none."""
        self.acting: set[Sender] = set()
        """Those that act now: without any, no request is looked at."""
        self.expected: dict[Hashable, Sender] = {}
        """By workspace: whose a request is that comes from an address which nobody is known to send from."""
        self._by_address: dict[tuple[str, int], Sender] = {}

    @contextlib.contextmanager
    def act(self, sender: Sender) -> Iterator[None]:
        """Let this thread, or this task, act for a sender until the end of the block."""
        self.acting.add(sender)
        token = _acting.set((self, sender))
        _watch.begin()
        try:
            yield
        finally:
            _watch.end()
            _acting.reset(token)
            self.acting.discard(sender)
            for address, owner in list(self._by_address.items()):
                if owner is sender:
                    self._by_address.pop(address, None)

    def note(self, address: tuple[str, int], sender: Sender) -> None:
        """Note what a sender sends from: an address is of whoever sent from it last."""
        self._by_address[address] = sender

    def find(self, address: tuple[str, int], workspace: Hashable) -> Sender | None:
        """Return who sent a request from an address to a workspace."""
        found = self._by_address.get(address)
        if found is None and (found := self.expected.get(workspace)) is not None:
            self._by_address[address] = found
        return found


def acting() -> Sender | None:
    """Return for whom this thread or task acts."""
    found = _acting.get()
    return None if found is None else found[1]


class _Watch(threading.local):
    """Watches what a thread sends as long as somebody acts in it."""

    def __init__(self) -> None:
        """Begin with nobody, once for each thread."""
        self._actors = 0
        self._ours = False

    def begin(self) -> None:
        """Watch, unless another profiler is at work here: its figures are not ours to take."""
        self._actors += 1
        if sys.getprofile() is None:
            self._ours = True
            sys.setprofile(_on_call)

    def end(self) -> None:
        """Stop with the last."""
        self._actors -= 1
        if not self._actors and self._ours:
            self._ours = False
            if sys.getprofile() is _on_call:  # not what somebody has put in its place since
                sys.setprofile(None)


_watch = _Watch()


def _on_call(_frame: FrameType, event: str, function: Any) -> None:
    if event != "c_call" or function.__name__ not in _METHODS:
        return
    target = getattr(function.__self__, "owner", function.__self__)
    found = _acting.get()
    if found is None or not isinstance(target, socket.socket):
        return
    with contextlib.suppress(OSError):  # a socket that is closed sends nothing either
        address = target.getsockname()
        if isinstance(address, tuple):
            found[0].note(address[:2], found[1])
