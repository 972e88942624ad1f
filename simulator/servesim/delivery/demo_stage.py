"""What the demo's steps share: the server that they talk to, ways to ask it, and what an answer has to be."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from servesim.delivery import demo_models
from servesim.delivery.client import JSON, Target, call, scoring_path
from servesim.delivery.demo_models import FOREST, LOGISTIC, Trained
from servesim.delivery.demo_words import counted, entity_input, spoken, traffic_input
from servesim.service import sources
from servesim.service.instants import instant_of

if TYPE_CHECKING:
    from pathlib import Path

    from databricks.sdk import WorkspaceClient

    from servesim.delivery.handle import LocalServer, Servesim

ENDPOINT = "iris"
REQUESTS = 200
"""Requests that show a split."""
SURE = 4
"""Standard deviations that a split may be off its shares; one honest split in 16,000 is further off."""
SWITCH_S = 60
"""More than a change of the shares alone takes, and much less than a build."""


class Unmet(Exception):  # noqa: N818 - an outcome, not a failure of ours
    """A step came out otherwise than expected."""


def require(held: bool, came: str) -> None:  # noqa: FBT001 - the condition is what it is about
    """Raise Unmet with what came unless a condition holds."""
    if not held:
        raise Unmet(came)


@dataclass(slots=True)
class Stage:
    """One run of the demo. What asks the endpoint requires that scikit-learn itself predicts the same."""

    server: LocalServer
    here: Servesim
    client: WorkspaceClient
    folder: Path
    trained: Trained = field(init=False)
    """Since the first step."""

    def now(self) -> int:
        """Return the simulated instant, in milliseconds since 1970."""
        return instant_of(self.here.clock.now())

    def since(self, began: int) -> str:
        """Return how much simulated time has passed, in words."""
        return spoken((self.now() - began) / 1000)

    def builds(self) -> int:
        """Return how many container builds have begun so far."""
        return sum(line.what == "deployment building" for line in self.here.log)

    def import_registry(self) -> int:
        """Read what was registered, as ``servesim serve --mlflow-registry`` does; return how many versions."""
        uri = demo_models.registry_uri(self.folder)
        return int(self.server.run(sources.import_registry(self.here.workspace, uri)))

    def sample(self) -> list[list[float]]:
        """Return the few rows that are sent in every format."""
        return [self.trained.rows[number] for number in self.trained.sample()]

    def records(self) -> list[dict[str, float]]:
        """Return the sample with the columns' names."""
        return [dict(zip(self.trained.columns, row, strict=True)) for row in self.sample()]

    def query(self, request: dict[str, Any]) -> str:
        """Send one request with the SDK, and the same to each model by its own URL."""
        from databricks.sdk.service.serving import DataframeSplitInput  # noqa: PLC0415 - an extra

        split = request.get("dataframe_split")
        typed = {"dataframe_split": DataframeSplitInput.from_dict(split)} if split else request
        answer = self.client.serving_endpoints.query(ENDPOINT, **typed)
        entity = str(answer.served_model_name)
        self.compare(entity, answer.predictions, self.trained.sample())
        return f"{entity} answered; {self.ask_both(json.dumps(request).encode(), JSON)}"

    def ask_both(self, body: bytes, content_type: str) -> str:
        """Send the sample to each model by its own URL."""
        for entity in (LOGISTIC, FOREST):
            answered = self.post(body, content_type, entity)
            require(answered == entity, f"{answered} answered at the URL of {entity}")
        return f"{len(self.sample())} rows from each model, equal to scikit-learn's"

    def post(self, body: bytes, content_type: str, entity: str | None) -> str:
        """Send the sample without the SDK and return who answered."""
        target = Target(self.here.host, self.here.token)
        answered = call(target, scoring_path(ENDPOINT, entity), body, content_type)
        require(answered.well, f"{answered.status}: {answered.document}")
        name = str(answered.headers.get("Served-Model-Name"))
        self.compare(name, answered.document.get("predictions"), self.trained.sample())
        return name

    def one(self, row: int) -> str:
        """Query for one row with the SDK and return who answered."""
        record = dict(zip(self.trained.columns, self.trained.rows[row], strict=True))
        answer = self.client.serving_endpoints.query(ENDPOINT, dataframe_records=[record])
        entity = str(answer.served_model_name)
        self.compare(entity, answer.predictions, [row])
        return entity

    def count(self, requests: int) -> Counter[str]:
        """Query for one row after the other and count who answers."""
        rows = len(self.trained.rows)
        return Counter(self.one(number % rows) for number in range(requests))

    def observe(self, shares: dict[str, int]) -> str:
        """Send requests and require that who answers agrees with the shares, in percent."""
        counts = self.count(REQUESTS)
        came = f"{REQUESTS} right answers: {counted(counts)}"
        for entity, share in shares.items():
            expected = REQUESTS * share / 100
            allowed = SURE * math.sqrt(expected * (100 - share) / 100)
            require(abs(counts[entity] - expected) <= allowed, came)
        return came

    def move(self, shares: dict[str, int]) -> str:
        """Change the shares alone, require that nothing is built for that, and observe them."""
        began, builds = self.now(), self.builds()
        self.client.serving_endpoints.update_config_and_wait(
            ENDPOINT,
            served_entities=[entity_input(name) for name in shares],
            traffic_config=traffic_input(shares),
        )
        built = self.builds() - builds
        came = f"{self.since(began)}, {built or 'nothing'} built"
        require(self.now() - began < SWITCH_S * 1000 and not built, came)
        return f"{came}; {self.observe(shares)}"

    def compare(self, entity: str, predictions: Any, rows: list[int]) -> None:
        """Require what scikit-learn predicts for these rows with the model of this entity."""
        own = self.trained.predictions.get(entity)
        expected = own and [own[row] for row in rows]
        require(predictions == expected, f"{entity} predicts {predictions}, scikit-learn {expected}")
