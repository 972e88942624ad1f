"""A world with an endpoint, straight from the commands that make one."""

from collections.abc import Callable

import pytest

from servesim.core.access import Principal
from servesim.core.commands import Admit, CreateEndpoint, Finish, LoadFinished, MoveTo, Step
from servesim.core.model_commands import AddModel
from servesim.core.registry import ModelVersion
from servesim.core.workspace import Workspace
from servesim.generations import ga_requests

WHO = Principal("tester@example.com", "Tester")


class Made:
    """A workspace and its endpoint ``fraud``."""

    def __init__(self, models, **sizes):
        """Serve each model (a signature and an example by name) as an entity of that name, plus ``-1``."""
        self.world = Workspace()
        for name, (signature, example) in models.items():
            version = ModelVersion(name, "1", "stub", "{}", signature=signature, example=example)
            self.world.execute(AddModel(version))
        served = [
            {"entity_name": name, "entity_version": "1", "scale_to_zero_enabled": True, **sizes} for name in models
        ]
        share = {f"{name}-1": 0 for name in models} | {f"{next(iter(models))}-1": 100}
        routes = [{"served_entity_name": name, "traffic_percentage": percent} for name, percent in share.items()]
        body = {"name": "fraud", "config": {"served_entities": served, "traffic_config": {"routes": routes}}}
        command = ga_requests.read_create(body, WHO)
        assert isinstance(command, CreateEndpoint)
        self.endpoint = self.world.execute(command)

    def settle(self):
        """Let time go on until the endpoint is ready."""
        while True:
            while self.world.effects:
                self.world.execute(LoadFinished(self.world.effects.popleft().deployment_id, None))
            if not self.endpoint.in_transition:
                return self
            assert self.world.execute(Step(2**60))

    def serve(self, status, work=0):
        """Answer a request whose model works for so many milliseconds."""
        ticket = self.world.execute(Admit("fraud"))
        self.world.execute(MoveTo(self.world.timeline.now + work))
        self.world.execute(Finish(ticket.number, status))


@pytest.fixture
def made() -> Callable[..., Made]:
    return Made
