"""Worlds and profiles read from YAML, and the errors that point into them."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from servesim.core.profile import EVIDENCE, FAITHFUL, INSTANT, Profile
from servesim.delivery.handle import LocalServer
from servesim.service.documents import NODE_LIMIT, DocumentError
from servesim.service.profiles import profile_named
from servesim.service.scenario import read_scenarios
from servesim.service.shipped import shipped

if TYPE_CHECKING:
    from pathlib import Path

WORLD = """
seed: 3
clock: frozen
start: "2026-03-01T00:00:00Z"
principals:
  - {user: alice@example.com, token: alice-token}
  - {service_principal: 1f0c6b3e, display_name: CI, token: ci-token}
models:
  - name: main.ml.fraud
    stub: {constant: 0.5}
    signature: {amount: double}
  - name: main.ml.fraud
    stub: hash
endpoints:
  - name: fraud
    creator: 1f0c6b3e
    config:
      served_entities:
        - {entity_name: main.ml.fraud, entity_version: 2, scale_to_zero_enabled: true}
"""


def write(folder: Path, text: str, name: str = "world.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.sdk
def test_a_world_begins_serving(tmp_path, servesim_server: LocalServer):
    with servesim_server.open(scenario=write(tmp_path, WORLD)) as sim:
        endpoint = sim.client().serving_endpoints.get("fraud")
        assert endpoint.as_dict()["state"] == {"ready": "READY", "config_update": "NOT_UPDATING"}
        assert endpoint.creator == "1f0c6b3e"
        assert sim.clock.mode == "frozen"
        assert sim.clock.now() == "2026-03-01T00:00:00Z"
        answer = sim.client().serving_endpoints.query("fraud", dataframe_records=[{"amount": 1}])
        assert answer.served_model_name == "fraud-2"


@pytest.mark.sdk
def test_a_token_of_the_scenario_is_its_principal(tmp_path, servesim_server: LocalServer):
    with servesim_server.open(scenario=write(tmp_path, WORLD)) as sim:
        sim.token = "ci-token"
        me = sim.client().current_user.me()
        assert (me.user_name, me.display_name) == ("1f0c6b3e", "CI")
    with pytest.raises(Exception, match="Invalid access token"):
        sim.client().current_user.me()


def test_an_option_wins_over_the_file(tmp_path, servesim_server: LocalServer):
    with servesim_server.open(scenario=write(tmp_path, WORLD), clock="autojump") as sim:
        assert sim.clock.mode == "autojump"


def test_a_scenario_that_fails_leaves_no_workspace_behind(tmp_path, servesim_server: LocalServer):
    before = len(servesim_server.server.hub.workspaces())
    broken = WORLD.replace("entity_version: 2", "entity_version: 9")
    with pytest.raises(DocumentError, match=r"world.yaml, line 15: endpoints\[0\]: Version 9 of registered"):
        servesim_server.open(scenario=write(tmp_path, broken))
    assert len(servesim_server.server.hub.workspaces()) == before


def test_files_of_one_workspace_add_up_and_the_later_wins(tmp_path):
    first = write(tmp_path, WORLD, "first.yaml")
    second = write(tmp_path, "seed: 9\nprincipals: [{user: bob@example.com, token: b}]", "second.yaml")
    third = write(tmp_path, "workspace: other\nseed: 1", "third.yaml")
    scenarios = read_scenarios([first, second, third])
    assert list(scenarios) == ["default", "other"]
    assert scenarios["default"].options["seed"] == 9
    assert list(scenarios["default"].principals) == ["alice-token", "ci-token", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: x", r'line 1: seed: "x" is not of type "integer"'),
        ("\nsede: 1", r"line 2: .*'sede' was unexpected"),
        ("models: [1", r"line 1: expected ',' or ']'"),
        ("seed: 1\nseed: 2", "line 2: seed: stands twice"),
        ("- 1", r'line 1: \[1\] is not of type "object"'),
        ("", r'line 1: null is not of type "object"'),
        ("models:\n  - name: a\n    stub: {constant: 1, fail: x}", r"line 3: models\[0\].stub"),
        (
            "models:\n  - name: a\n    stub: echo\n    signature: {x: decimal}",
            r"line 4: models\[0\].signature.x",
        ),
        (
            "models:\n  - name: a\n    mlflow: nowhere",
            r"line 2: models\[0\]: the MLflow model at .* cannot be read",
        ),
        ("endpoints:\n  - name: a\n    confg: {}", r"line 2: endpoints\[0\]: .*'confg' was unexpected"),
        (
            "endpoints:\n- name: a\n  config:\n    served_entities:\n    - {entity_name: m, entity_version: 1, x: 1}",
            r"line 5: endpoints\[0\].config.served_entities\[0\]: .*'x' was unexpected",
        ),
        ("endpoints:\n  - name: a_", r"line 2: endpoints\[0\]: Endpoint name must be maximum 63"),
        ("endpoints:\n  - {name: a, creator: x}", r"line 2: endpoints\[0\].creator: 'x' is no principal"),
        ("profile: {cold_start: [20s, 10s]}", "line 1: profile.cold_start: the least comes first"),
        ("profile: {cold_start: 5x}", "line 1: profile.cold_start: "),
        ("profile: {cold: 5s}", "line 1: profile: .*'cold' was unexpected"),
        ("profile: swift", "there is no profile 'swift': give faithful, instant"),
        ("start: 2026-01-01 25:00", "'2026-01-01 25:00' is not an instant"),
        (
            "principals:\n- {user: a, token: t}\n- {user: b, token: t}",
            r"principals\[1\].token: this token stands",
        ),
        ("principals: [{user: a, token: 'a b'}]", r"principals\[0\].token"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
    ],
)
def test_an_error_points_at_file_line_and_key(tmp_path, servesim_server: LocalServer, text, message):
    with pytest.raises(ValueError, match=message):
        servesim_server.open(scenario=write(tmp_path, text))


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(DocumentError, match=r"none.yaml: No such file"):
        read_scenarios([tmp_path / "none.yaml"])
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"seed: \xff")
    with pytest.raises(DocumentError, match=r"latin\.yaml: not UTF-8 text"):
        read_scenarios([latin])
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(DocumentError, match=r"large\.yaml: larger than 4,194,304 bytes"):
        read_scenarios([large])


def test_aliases_cannot_blow_up(tmp_path):
    levels = [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 10)}]" for level in range(1, 9)]
    text = "\n".join(["l0: &l0 [x]", *levels])
    with pytest.raises(DocumentError, match=f"more than {NODE_LIMIT:,} values"):
        read_scenarios([write(tmp_path, text)])


def test_a_profile_file_overrides_single_values(tmp_path):
    path = write(tmp_path, "base: instant\ncold_start: [1s, 2m]\nidle_to_zero: 90\nentity_limit: 3", "mine.yaml")
    profile = profile_named(str(path))
    assert profile.name == "mine"
    assert profile.cold_start_ms == (1_000, 120_000)
    assert profile.idle_to_zero_ms == 90_000
    assert profile.entity_limit == 3
    assert profile.container_build_ms == INSTANT.container_build_ms


def test_a_profile_is_found_beside_its_scenario(tmp_path):
    write(tmp_path, "container_build: 1s", "quick.yaml")
    scenarios = read_scenarios([write(tmp_path, "profile: quick.yaml")])
    assert scenarios["default"].options["profile"].container_build_ms == (1_000, 1_000)


def test_the_schema_knows_every_value_of_a_profile_and_each_has_its_evidence():
    schema = json.loads(shipped("scenarios/scenario.schema.json").read_text(encoding="utf-8"))
    values = {field.name for field in fields(Profile)} - {"name"}
    assert set(schema["$defs"]["profile"]["properties"]) - {"base"} == {name.removesuffix("_ms") for name in values}
    assert set(EVIDENCE) == values
    assert all(evidence.grade in {"documented", "recorded", "observed", "chosen"} for evidence in EVIDENCE.values())
    assert FAITHFUL.name == "faithful"


@pytest.mark.parametrize("path", sorted(shipped("scenarios").glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_scenario_begins(path, servesim_server: LocalServer):
    with servesim_server.open(scenario=path) as sim:
        assert sim.workspace.world.endpoints
