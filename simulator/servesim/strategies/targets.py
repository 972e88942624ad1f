"""What a lifecycle is walked on: the protocol that a wrapper fulfils, and servesim itself by plain HTTP."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol
from urllib.parse import quote, urlsplit

from servesim.service.instants import instant_of
from servesim.strategies.configs import OfferedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST_S = 60.0
"""Real seconds after which no answer is expected any more."""
HELD_STEPS = 60
"""A held invocation is waited for by as many steps of simulated time: ten minutes, twice the execution limit."""


class Answer(NamedTuple):
    """What a target answered; ``document`` is the JSON of the body."""

    status: int
    document: Any = None
    served_by: str | None = None
    """The served entity that answered an invocation: its ``Served-Model-Name`` header."""


class Open(Protocol):
    """An invocation that was asked and may not be answered yet."""

    @property
    def held(self) -> bool:
        """Whether it waits for time to pass."""

    def answer(self) -> Answer:
        """Return its answer, which must be near: it is not held."""


class Target(Protocol):
    """What every target can do; none of the calls raises for a refusal, an error is an answer.

    What a target may have beside it, and what is not walked without:

    - ``stop(name) -> Answer`` and ``start(name) -> Answer``;
    - ``advance(seconds)``: moves the clock by so much, and lets happen what is due;
    - ``order(effect, name)``: the next deployment of an endpoint will ``fail``, ``delay`` or ``hang``;
      ``calm()``: takes orders back that have not been used up;
    - ``ask(name, entity) -> Open``: an invocation that other steps may overtake;
    - ``close()``: called at the end of a walk.
    """

    @property
    def models(self) -> Sequence[OfferedModel]:
        """The registered model versions that configs may name."""

    def now(self) -> int:
        """Return the instant of its clock, in milliseconds."""

    def create(self, name: str, body: dict[str, Any]) -> Answer:
        """Create an endpoint of a whole body: name, config and what stands beside it."""

    def update(self, name: str, config: dict[str, Any]) -> Answer:
        """Put another config."""

    def get(self, name: str) -> Answer:
        """Look at an endpoint: 200 with its document, or 404."""

    def delete(self, name: str) -> Answer:
        """Delete an endpoint."""

    def invoke(self, name: str, entity: str | None) -> Answer:
        """Ask an endpoint, or one of its served entities by its own path, and wait for the answer.

        The document of an answer that went well is ``{"predictions": [...]}``.
        """


def can(target: Target, *what: str) -> bool:
    """Tell whether a target has all of some capabilities beside those that every target has."""
    return all(callable(getattr(target, name, None)) for name in what)


class Handle(Protocol):
    """What is used of a workspace's handle: what ``servesim.run()`` and the fixture ``servesim`` give."""

    host: str
    token: str
    clock: Any
    models: Any
    faults: Any

    def start(self, call: Callable[..., Any], /, *args: Any) -> Any:
        """Make a call in a thread."""

    def close(self) -> None:
        """Forget the workspace."""


class ServesimTarget:
    """A workspace of servesim, asked by plain HTTP; has every capability.

    To walk your own client, override the calls that it makes and inherit the others. ``frozen`` is the mode in which
    the most can happen between two events; in ``autojump`` and ``paced`` invocations are waited for.
    """

    payload: ClassVar[Any] = {"inputs": [1]}
    """The body of every invocation."""

    def __init__(self, sim: Handle, models: Sequence[OfferedModel] | None = None) -> None:
        """Use a workspace; without ``models`` (registered already) three stubs that tell who answers are registered."""
        self.sim = sim
        self._address = urlsplit(sim.host).netloc
        self._models = tuple(models) if models is not None else tuple(self._stubs())

    def _stubs(self) -> list[OfferedModel]:
        offered = []
        for name, version in (("main.walk.fraud", "1"), ("main.walk.fraud", "2"), ("main.walk.churn", "1")):
            value = f"{name}/{version}"
            self.sim.models.stub(name, "constant", version=version, value=value)
            offered.append(OfferedModel(name, version, value))
        return offered

    @property
    def models(self) -> Sequence[OfferedModel]:
        """The registered model versions."""
        return self._models

    def now(self) -> int:
        """Return the simulated instant, in milliseconds."""
        return instant_of(self.sim.clock.now())

    def advance(self, seconds: float) -> None:
        """Move simulated time."""
        self.sim.clock.advance(seconds)

    def create(self, name: str, body: dict[str, Any]) -> Answer:  # noqa: ARG002 - for clients that take it apart
        """Create an endpoint."""
        return self.call("POST", "/api/2.0/serving-endpoints", body)

    def update(self, name: str, config: dict[str, Any]) -> Answer:
        """Put another config."""
        return self.call("PUT", f"{_control(name)}/config", config)

    def get(self, name: str) -> Answer:
        """Look at an endpoint."""
        return self.call("GET", _control(name))

    def delete(self, name: str) -> Answer:
        """Delete an endpoint."""
        return self.call("DELETE", _control(name))

    def stop(self, name: str) -> Answer:
        """Stop an endpoint."""
        return self.call("POST", f"{_control(name)}/config:stop", {})

    def start(self, name: str) -> Answer:
        """Start a stopped endpoint."""
        return self.call("POST", f"{_control(name)}/config:start", {})

    def invoke(self, name: str, entity: str | None) -> Answer:
        """Ask, and move simulated time for as long as the request is held, at most ten minutes."""
        if self.sim.clock.mode != "frozen":
            return self.score(name, entity)
        waiting = self.ask(name, entity)
        for _ in range(HELD_STEPS):
            if not waiting.held:
                break
            self.advance(10)
        return waiting.answer()

    def ask(self, name: str, entity: str | None) -> Open:
        """Ask, and return once the request is held or answered."""
        return _Started(self.sim.start(self.score, name, entity))

    def score(self, name: str, entity: str | None) -> Answer:
        """Make the call of an invocation; it may be made in another thread."""
        path = f"/serving-endpoints/{quote(name, safe='')}"
        if entity is not None:
            path += f"/served-models/{quote(entity, safe='')}"
        return self.call("POST", f"{path}/invocations", self.payload)

    def order(self, effect: str, name: str) -> None:
        """Let the next deployment of an endpoint fail, take five minutes longer, or hang until it times out."""
        if effect == "fail":
            self.sim.faults.fail_next("ordered by a walk", endpoint=name)
        elif effect == "delay":
            self.sim.faults.delay_next("5m", endpoint=name)
        else:
            self.sim.faults.hang_next(endpoint=name)

    def calm(self) -> None:
        """Take back what was ordered."""
        for number in self.sim.faults.list():
            self.sim.faults.remove(number)

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Make one call on a connection of its own."""
        headers = {"Authorization": f"Bearer {self.sim.token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(self._address, timeout=LONGEST_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            document = json.loads(response.read())
            return Answer(response.status, document, response.headers.get("Served-Model-Name"))
        finally:
            connection.close()


def _control(name: str) -> str:
    return f"/api/2.0/serving-endpoints/{quote(name, safe='')}"


class _Started:
    """A call that the handle has started."""

    def __init__(self, pending: Any) -> None:
        self._pending = pending

    @property
    def held(self) -> bool:
        """Whether its request waits for simulated time."""
        return bool(self._pending.state == "held")

    def answer(self) -> Answer:
        """Return its answer."""
        answer: Answer = self._pending.result()
        return answer
