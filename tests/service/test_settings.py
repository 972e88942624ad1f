"""Settings of a workspace as people write them, where models come from and what their libraries are."""

from __future__ import annotations

import tempfile

import pytest

from servesim.core.registry import Stage
from servesim.delivery.handle import LocalServer
from servesim.service.documents import DocumentError
from servesim.service.settings import settings_from


def test_names_of_libraries_are_compared_as_indexes_compare_them():
    found = settings_from({"private_libraries": ["Acme_Features", "acme.*", "x"]}).private_libraries
    assert found == {"acme-features", "acme-*", "x"}
    assert settings_from({"private_libraries": "acme"}).private_libraries == {"acme"}


@pytest.mark.parametrize("name", ["", "a b", "acme==1.0", "../x", "[ab]", 5])
def test_what_is_no_name_of_a_library_is_refused(name):
    with pytest.raises(ValueError, match=r"private_libraries: .* is no name of a library"):
        settings_from({"private_libraries": [name]})


@pytest.mark.parametrize(("written", "read"), [("false", False), (False, False), ("true", True), (1, True)])
def test_there_is_internet_or_there_is_not(written, read):
    assert settings_from({"internet": written}).internet is read


def test_a_root_of_models_is_a_folder(tmp_path):
    assert settings_from({"model_root": tmp_path}).model_roots == (str(tmp_path),)
    with pytest.raises(ValueError, match=r"model_root: .*missing' is no folder"):
        settings_from({"model_root": tmp_path / "missing"})


def test_tests_may_register_what_they_write_to_the_folder_for_temporary_files(servesim_server: LocalServer, tmp_path):
    with servesim_server.open() as sim:
        assert sim.workspace.settings.model_roots == (".", tempfile.gettempdir())
    with servesim_server.open(model_root=tmp_path) as sim:
        assert sim.workspace.settings.model_roots == (str(tmp_path),)


WORLD = """
model_root: models
private_libraries: [Acme-*]
internet: false
models:
  - {name: fraud, stub: hash, stage: Production, tags: {team: risk}, description: the first}
  - {name: main.ml.fraud, stub: hash, aliases: [champion, a1], express: true}
  - {name: main.ml.fraud, stub: hash}
"""


def write(folder, text):
    path = folder / "world.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_scenario_says_all_of_it(servesim_server: LocalServer, tmp_path):
    (tmp_path / "models").mkdir()
    with servesim_server.open(scenario=write(tmp_path, WORLD)) as sim:
        settings, world = sim.workspace.settings, sim.workspace.world
        assert settings.model_roots == (str(tmp_path / "models"),)
        assert settings.private_libraries == world.private_libraries == {"acme-*"}
        assert settings.internet is False
        fraud = world.registry.version("fraud", "1")
        assert (fraud.stage, dict(fraud.tags), fraud.description) == (Stage.PRODUCTION, {"team": "risk"}, "the first")
        assert dict(world.registry.model("main.ml.fraud").aliases) == {"champion": "1", "a1": "1"}
        staged = [world.registry.version("main.ml.fraud", number).staged for number in ("1", "2")]
        assert staged == [True, False]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "models: [{name: a.b.c, stub: hash, stage: Staging}]",
            r"models\[0\]\.stage: versions in Unity Catalog have no",
        ),
        ("models: [{name: fraud, stub: hash, express: true}]", r"models\[0\]\.express: express deployments are for"),
        ("models: [{name: fraud, stub: hash, stage: Live}]", r"models\[0\]\.stage: "),
        ("models: [{name: fraud, stub: hash, aliases: ['a b']}]", r"models\[0\]\.aliases\[0\]: "),
        ("models: [{name: fraud, stub: hash, tags: {a: 5}}]", r"models\[0\]\.tags\.a: "),
        ("private_libraries: ['a b']", r"private_libraries\[0\]: "),
        ("internet: maybe", "internet: "),
    ],
    ids=range(7),
)
def test_what_a_scenario_cannot_say(servesim_server: LocalServer, tmp_path, text, error):
    with pytest.raises(DocumentError, match=error):
        servesim_server.open(scenario=write(tmp_path, text))
