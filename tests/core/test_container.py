"""Which models no container can be built of, and what becomes of their deployment."""

import pytest

from servesim.core import container
from servesim.core.commands import CreateEndpoint, EntitySpec
from servesim.core.deployment import Phase
from servesim.core.endpoint import EndpointPhase
from servesim.core.model_commands import AddModel
from servesim.core.profile import FAITHFUL
from servesim.core.registry import ModelVersion


def deployed(lab, ana, **facts):
    lab.do(AddModel(ModelVersion("fraud", "1", "mlflow", "/kept", **facts)))
    return lab.do(CreateEndpoint("e", ana, lab.config(EntitySpec("a", "fraud", "1"))))


def test_an_unsupported_model_fails_when_its_build_ends(lab, ana):
    endpoint = deployed(lab, ana, unsupported="it has no python_function flavour")
    lab.run(FAITHFUL.container_build_ms[0] - 1)
    assert endpoint.in_transition
    deployment = lab.deployment(pending=True)
    lab.run(1)
    assert (deployment.phase, deployment.built) == (Phase.FAILED, False)
    assert deployment.reason == "unsupported model: it has no python_function flavour"
    assert endpoint.phase is EndpointPhase.CREATE_FAILED
    assert not lab.events("container built")


@pytest.mark.parametrize("patterns", [{"acme-risk"}, {"acme-*"}, {"zzz", "acme-r*"}])
def test_a_private_library_fails_the_build(lab, ana, patterns):
    lab.world.private_libraries = frozenset(patterns)
    deployed(lab, ana, requirements=("mlflow", "acme-risk"))
    lab.run(FAITHFUL.container_build_ms[0])
    assert "'acme-risk', a private library" in lab.deployment(pending=True).reason


def test_a_public_library_does_not(lab, ana):
    lab.world.private_libraries = frozenset({"acme-*"})
    endpoint = deployed(lab, ana, requirements=("mlflow", "acme"))
    lab.run(3_600_000)
    assert endpoint.active is not None


def test_names_are_compared_as_indexes_compare_them():
    names = ("Acme_Features", "acme.features", "ACME--features")
    assert {container.normalized(name) for name in names} == {"acme-features"}


def test_a_declared_stub_has_nothing_to_build(lab):
    assert container.problem(lab.world, lab.world.registry.get("m", "1")) == ""
